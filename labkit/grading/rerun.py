"""Masks made again: the models are run on what rows carry, and the rows say how far the masks are the models' own."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from labkit.grading.kept import chosen, kept
from labkit.grading.reading import Task
from labkit.grading.reproduce import Recomputed, own_iou
from labkit.grading.rows import LISTED, MIN_IOU, Remark, Row, floored
from labkit.grading.sources import content
from labkit.grading.submissions import read
from labkit.grading.workers import SECONDS, Lost, done
from labkit.io.files import some
from labkit.locale import language, plural, text
from labkit.report.checks import Check

__all__ = ["rerun"]

_SECONDS_A_PHOTO = 120.0
"""Of the processor; a model may have what memory it needs, on photos that were read within limits."""

_SAMPLE = 3
"""Photos of a report that SAM's automatic mode is run on again, unless all are asked for."""


def rerun(rows: Sequence[Row], tasks: Mapping[str, Task]) -> list[Row]:
    """The rows with what the models say of them."""
    work = [(tasks[row.file], row.sha256, len(row.photos)) for row in rows if row.photos]
    answers = done(_own, work, text("grade.running"), lambda one: SECONDS + _SECONDS_A_PHOTO * one[2], None)
    found = {task.source.file: answer for (task, *_), answer in zip(work, answers, strict=True)}
    return [_with_own(row, found[row.file]) if row.file in found else row for row in rows]


def _own(work: tuple[Task, str, int]) -> Recomputed:
    """How far a report's masks are the model's own."""
    task, digest, _ = work

    def made() -> dict:
        one = read(task.source.file, content(task.source))
        sample = set if task.full else lambda names: chosen(digest, names, _SAMPLE)
        return asdict(own_iou(one.data, one.jpegs, task.device, None, task.sought(one.data), sample))

    options = ["own", digest, task.device, task.target, task.full, language()]
    record = kept(task.out, options, made, lambda made: made["final"])  # time and weights may be there the next time
    return Recomputed(**record)


def _with_own(row: Row, own: Recomputed | Lost) -> Row:
    if isinstance(own, Lost):
        own = Recomputed({}, str(own))
    missing = [photo.name for photo in row.photos if photo.name in own.missing and photo.found]
    photos = tuple(
        replace(photo, iou=own.iou.get(photo.name), found=photo.found and photo.name not in missing)
        for photo in row.photos
    )
    remarks = []
    low = [f"{one.name} ({floored(one.iou)})" for one in photos if one.iou is not None and one.iou < MIN_IOU]
    if low:
        sentence = plural("grade.not_own", len(low), least=floored(MIN_IOU), names=some(low, LISTED))
        remarks.append(Remark("not_own_masks", sentence))
    if own.reason:
        remarks.append(Remark("not_checked", own.reason))
    failed = Check("objects", False, text("grade.not_found_again", names=some(missing, LISTED)))
    judged = tuple(failed if one.name == "objects" and one.ok and missing else one for one in row.checks)
    return replace(row, photos=photos, checks=judged).with_remarks(*remarks)
