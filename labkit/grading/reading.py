"""A handed-in file becomes a row: read, checked anew, cut to what a table has room for, and its masks made again."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from labkit.grading.facts import gone, other_facts, strict, unseen, untrue, unusual
from labkit.grading.kept import chosen, kept
from labkit.grading.looks import alike, look, thumbnail
from labkit.grading.reproduce import Recomputed, own_iou
from labkit.grading.rows import LISTED, MIN_IOU, PhotoRow, Remark, Row, floored
from labkit.grading.sources import Source, content
from labkit.grading.submissions import Submission, read
from labkit.grading.workers import SECONDS, Lost, done
from labkit.io.errors import LabkitError
from labkit.io.files import some, write_whole
from labkit.locale import language, plural, text
from labkit.report.answers import words
from labkit.report.checks import Check, checks, found_on
from labkit.report.consistency import disagreements
from labkit.report.data import classes_of
from labkit.variants import find_variant

__all__ = ["Task", "read_all", "rerun"]

_PICTURES, _ANSWER, _TEXTS, _SENTENCE = 50, 20_000, 200_000, 2000
_LIMITS = {"student": 200, "group": 200, "date": 40, "conclusions": _ANSWER}
"""Of a row: photos with a picture, characters of an answer, of all texts, of a remark, of what it says of itself."""

_SECONDS_A_PHOTO, _SAMPLE = 120.0, 3
"""Of the processor, to run a model again; photos of a report that SAM's automatic mode is run on, unless on all."""

_READING, _RUNNING = 1800.0, 10_800.0
"""Seconds of the processor for all files of one student or one zip together, of which each has the same share."""


@dataclass(frozen=True)
class Task:
    """One file, the folder of the table, what the assignment asks for, and how many files its owner has handed in."""

    source: Source
    out: Path
    wanted: int | None = None
    target: str | None = None
    device: str = "cpu"
    full: bool = False
    among: int = 1

    def sought(self, data: dict[str, Any]) -> str:
        """The class that is looked for, empty for any."""
        return data["wanted"]["target"] if self.target is None else self.target


def read_all(tasks: Sequence[Task]) -> list[Row]:
    """A row for each file, with its problem where it cannot be read."""
    todo = [task for task in tasks if task.source.problem is None]
    told = {task: task.source.problem for task in tasks}
    answers = done(_row, todo, text("grade.reading"), lambda task: min(SECONDS, _READING / task.among))
    told |= dict(zip(todo, answers, strict=True))
    return [one if isinstance(one, Row) else Row(task.source.file, problem=one) for task, one in told.items()]


def _row(task: Task) -> Row:
    file = task.source.file
    try:
        raw = content(task.source)
    except LabkitError as error:
        return Row(file, problem=str(error))
    digest = hashlib.sha256(raw).hexdigest()
    options = ["row", digest, task.wanted, task.target, language()]
    record = kept(task.out, options, lambda: asdict(_made(task, raw, digest)))
    return replace(Row.of(record), file=file, link=None if record["problem"] is not None else _link(task, raw, digest))


def _made(task: Task, raw: bytes, digest: str) -> Row:
    try:
        submission = read(raw)
    except LabkitError as error:
        return Row(task.source.file, digest, problem=str(error))
    looks = {name: look(jpeg) for name, jpeg in list(submission.jpegs.items())[:_PICTURES]}
    names = list(looks)
    repeated = {names[later] for _, later in alike(list(looks.values()), names, _PICTURES)}
    repeated |= submission.jpegs.keys() - looks.keys()  # which nobody has looked at
    whole = _bounded(submission.data)
    data = strict(whole, repeated)
    differs = disagreements({**whole, "made_by": data["made_by"]}, submission.items, submission.prose)
    differs += [*untrue(whole), *unseen(whole, submission.prose)]
    remarks = [Remark("edited", text(f"grade.edited_{what}")) for what in submission.edited]
    if differs:
        remarks.append(Remark("differs", _cut(some(differs, LISTED, "; "), _SENTENCE)))
    written = ([*(row["answer"] for row in one["answers"]), one["conclusions"]] for one in (whole, data))
    given, counted = (sum(words(prose) > 0 for prose in texts) for texts in written)
    fewer = {"repeated": len(whole["photos"]) - len(data["photos"]), "again": given - counted}
    absent = gone(whole, submission.sections, submission.jpegs)
    absent += [plural(f"facts.{key}", count) for key, count in fewer.items() if count]
    remarks += [Remark("incomplete", sentence) for sentence in absent]
    for key, told in other_facts(data, submission.page).items():
        remarks.append(Remark("person" if key in ("student", "group") else "differs", told))
    if settings := unusual(whole):
        remarks.append(Remark("settings", some(settings, LISTED)))
    held = checks(data, differs, task.wanted, task.target)
    return Row(
        task.source.file,
        digest,
        variant=data["variant_number"],
        variant_title=find_variant(data["variant_number"]).title,
        weights=_cut(data["made_by"].get("weights", ""), 200),
        checks=tuple(replace(one, reason=_cut(one.reason, _SENTENCE)) for one in held),
        remarks=tuple(remarks),
        photos=tuple(_photos(submission, data, task.sought(data), looks)),
        answers=tuple((row["question"], row["answer"]) for row in data["answers"]),
        **{key: _cut(data[key], limit) for key, limit in _LIMITS.items()},
    )


def _bounded(data: dict[str, Any]) -> dict[str, Any]:
    """The data with no more of the student's texts than a row has room for."""
    room, answers = _TEXTS, []
    for row in data["answers"]:
        answers.append({"question": _cut(row["question"], 2000), "answer": _cut(row["answer"], min(_ANSWER, room))})
        room = max(0, room - sum(map(len, answers[-1].values())))
    return {**data, "answers": answers, "conclusions": _cut(data["conclusions"], _ANSWER)}


def _photos(submission: Submission, data: dict[str, Any], target: str, looks: dict[str, str | None]) -> list[PhotoRow]:
    """All photos of a report, those that are left out of its strict `data` too; the first with a picture."""
    whole, rows = submission.data, []
    detected = found_on({**data, "photos": whole["photos"], "results": whole["results"]}, target)
    results = {result["photo"]: result for result in reversed(whole["results"])}
    for photo in whole["photos"]:
        name, picture = photo["name"], None
        if name in submission.jpegs and len(rows) < _PICTURES:
            with suppress(ValueError):  # what is wrong with its masks is told by the check of the page against the data
                picture = thumbnail(submission.jpegs[name], results.get(name), classes_of(data))
        rows.append(PhotoRow(_cut(name, 200), photo["sha256"], detected[name], None, looks.get(name), picture))
    return rows


def _link(task: Task, raw: bytes, digest: str) -> str | None:
    """A file's address, seen from the table; out of a zip or from another disk it is copied there, without its name."""
    with suppress(ValueError):  # from one disk of Windows no path leads to another
        if not task.source.members:
            leads = os.path.relpath(os.path.abspath(task.source.path), os.path.abspath(task.out))
            return quote(os.fsencode(leads.replace(os.sep, "/")))
    path = task.out / "handed" / f"{digest[:16]}{Path(task.source.file).suffix.lower()}"
    with suppress(OSError):  # a full disk is told where the table itself is written
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            write_whole(path, raw)
        return f"handed/{path.name}"
    return None


def _cut(prose: str, limit: int) -> str:
    return prose if len(prose) <= limit else f"{prose[: max(0, limit - 1)]}…"


def rerun(rows: Sequence[Row], tasks: Mapping[str, Task]) -> list[Row]:
    """The rows with what the models say of them, `tasks` by file: how far the masks are the models' own."""
    work = [(tasks[row.file], row.sha256, len(row.photos)) for row in rows if row.photos]

    def seconds(one: tuple[Task, str, int]) -> float:
        return SECONDS + min(_SECONDS_A_PHOTO * one[2], _RUNNING / one[0].among)

    answers = iter(done(_own, work, text("grade.running"), seconds, megabytes=None))  # photos were read within limits
    return [_with_own(row, next(answers)) if row.photos else row for row in rows]


def _own(work: tuple[Task, str, int]) -> Recomputed:
    task, digest, _ = work
    sample = set if task.full else lambda names: chosen(digest, names, _SAMPLE)

    def made() -> dict[str, Any]:
        one = read(content(task.source))
        most, target = _RUNNING / task.among, task.sought(one.data)
        return asdict(own_iou(one.data, one.jpegs, task.device, most, target, sample))

    options = ["own", digest, task.device, task.target, task.full, language()]
    record = kept(task.out, options, made, lambda made: made["final"])  # time and weights may be there the next time
    return Recomputed(**record)


def _with_own(row: Row, own: Recomputed | Lost) -> Row:
    if isinstance(own, Lost):
        own = Recomputed({}, own)
    absent = [photo.name for photo in row.photos if photo.name in own.missing and photo.found]
    photos = [replace(one, iou=own.iou.get(one.name), found=one.found and one.name not in absent) for one in row.photos]
    remarks = []
    if low := [f"{one.name} ({floored(one.iou)})" for one in photos if one.iou is not None and one.iou < MIN_IOU]:
        sentence = plural("grade.not_own", len(low), least=floored(MIN_IOU), names=some(low, LISTED))
        remarks.append(Remark("not_own_masks", sentence))
    if own.reason:
        remarks.append(Remark("not_checked", own.reason))
    failed = Check("objects", False, text("grade.not_found_again", names=some(absent, LISTED)))
    judged = tuple(failed if one.name == "objects" and one.ok and absent else one for one in row.checks)
    return replace(row, photos=tuple(photos), checks=judged).with_remarks(*remarks)
