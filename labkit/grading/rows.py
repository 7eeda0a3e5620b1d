"""A row of the table of grades: what is known of one student's work, in JSON's types, so that a run can be resumed."""

from dataclasses import dataclass, replace
from typing import Any

from labkit.locale import number
from labkit.report.checks import Check

__all__ = ["KINDS", "LISTED", "MIN_IOU", "Beside", "PhotoRow", "Remark", "Row", "floored"]

KINDS = (
    "unreadable",  # the file cannot be read
    "edited",  # it was changed after it was made
    "differs",  # its page and its data disagree
    "incomplete",  # of the notebook something is gone
    "settings",  # they are not the usual ones
    "not_own_masks",  # its masks are not the model's
    "not_checked",  # its masks could not be checked
    "same_file",  # another student has the same file,
    "same_photos",  # photos,
    "same_text",  # or text
    "kit_photos",  # photos are the kit's own
    "person",  # who handed it in is not who wrote it, or the assigned variant is another
)
"""What a remark can be about: `grade.KIND` in `texts` is what each is called."""

MIN_IOU = 0.98
"""Masks of a lower IoU with the model's own are marked."""

LISTED = 5
"""Names in a sentence of a remark."""


@dataclass(frozen=True)
class Remark:
    """What an instructor should know: its kind, a sentence, and the `file`s of the other rows it is about."""

    kind: str
    text: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class PhotoRow:
    """One photo of a report: whether the sought object was `found`, None without a result; how far its masks are the
    model's own, `iou` in [0, 1], None where that was not computed; its `look`, and a `thumbnail`, a `data:` address.
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

    def with_remarks(self, *remarks: Remark) -> "Row":
        """The row with more remarks."""
        return replace(self, remarks=(*self.remarks, *remarks))

    @classmethod
    def of(cls, record: dict[str, Any]) -> "Row":
        """The row of a record of `asdict` that JSON has kept."""
        kinds = {"beside": Beside, "checks": Check, "remarks": Remark, "photos": PhotoRow}
        parts = {name: tuple(kind(**one) for one in record[name]) for name, kind in kinds.items()}
        return cls(**{**record, **parts, "answers": tuple(map(tuple, record["answers"]))})


def floored(iou: float) -> str:
    """An IoU to be read: one that is too small is not rounded up to one that is not."""
    return number(int(iou * 1000 + 1e-9) / 1000, 3)
