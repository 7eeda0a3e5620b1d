"""A row of the table of grades: what is known of one student's work, in JSON's types, so that a run can be resumed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from labkit.locale import number
from labkit.report.checks import Check

__all__ = ["KINDS", "MIN_IOU", "Beside", "PhotoRow", "Remark", "Row", "floored"]

KINDS = (
    "unreadable",
    "edited",
    "differs",
    "incomplete",
    "settings",
    "not_own_masks",
    "not_checked",
    "same_file",
    "same_photos",
    "same_text",
    "kit_photos",
    "person",
)
"""What a remark can be about: `grade.KIND` in `texts` is what each is called.

The file cannot be read; it was changed after it was made; its page and its data disagree; of the notebook something is
gone; settings are not the usual ones; its masks are not the model's; its masks could not be checked; another student
has the same file, photos or text; photos are the kit's own; who handed it in is not who wrote it, or the assigned
variant is another.
"""

MIN_IOU = 0.98
"""Masks of a lower IoU with the model's own are marked."""


@dataclass(frozen=True)
class Remark:
    """What an instructor should know: its kind, a sentence, and the `file`s of the other rows it is about."""

    kind: str
    text: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class PhotoRow:
    """One photo of a report.

    `found` says whether the sought object was found, None without a result; `iou` in [0, 1] is how far its masks are
    the model's own, None where that was not computed; `look` is what the photo looks like (`thumbnails.look`);
    `thumbnail` is a `data:` address of a JPEG of our own making.
    """

    name: str
    sha256: str
    found: bool | None = None
    iou: float | None = None
    look: str | None = None
    thumbnail: str | None = None


@dataclass(frozen=True)
class Beside:
    """What lies in the folder and is no row: its `file`, why it is none, and where it can be opened."""

    file: str
    why: str
    link: str | None = None


@dataclass(frozen=True)
class Row:
    """One student's work.

    `file` is its path in the folder (for a member of a zip ZIP/MEMBER), unique in the table; `link` leads from the
    table to it, None where nothing can be opened; `problem` says why it could not be read, None where it could: all
    that follows `beside`, the student's other files, is known only then. `id` and `name` are the learning system's,
    `who` is whose the row is, by these or else by what the report says: the same in each run; `at` when the learning
    system got it, `late` whether it says that this was late. `suggestion` is a mark by the rubric, `reckoned` its sum.
    """

    file: str
    sha256: str = ""
    link: str | None = None
    problem: str | None = None
    who: str = ""
    id: str = ""
    name: str = ""
    late: bool = False
    at: str = ""
    beside: tuple[Beside, ...] = ()
    student: str = ""
    group: str = ""
    date: str = ""
    variant: int | None = None
    variant_title: str = ""
    weights: str = ""
    checks: tuple[Check, ...] = ()
    remarks: tuple[Remark, ...] = ()
    photos: tuple[PhotoRow, ...] = ()
    answers: tuple[tuple[str, str], ...] = ()
    conclusions: str = ""
    suggestion: str = ""
    reckoned: str = ""

    @property
    def iou(self) -> float | None:
        """The smallest IoU of its photos, None where none was computed."""
        return min((photo.iou for photo in self.photos if photo.iou is not None), default=None)

    def with_remarks(self, *remarks: Remark) -> Row:
        """The row with more remarks."""
        return replace(self, remarks=(*self.remarks, *remarks))

    @classmethod
    def of(cls, record: dict[str, Any]) -> Row:
        """The row of a record of `asdict` that JSON has kept."""
        return cls(
            **{
                **record,
                "beside": tuple(Beside(**one) for one in record["beside"]),
                "checks": tuple(Check(**one) for one in record["checks"]),
                "remarks": tuple(Remark(**{**one, "others": tuple(one["others"])}) for one in record["remarks"]),
                "photos": tuple(PhotoRow(**one) for one in record["photos"]),
                "answers": tuple((question, answer) for question, answer in record["answers"]),
            }
        )


def floored(iou: float) -> str:
    """An IoU to be read: one that is too small is not rounded up to one that is not."""
    return number(int(iou * 1000 + 1e-9) / 1000, 3)
