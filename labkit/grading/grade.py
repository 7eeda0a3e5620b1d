"""A folder of handed-in reports becomes a table: each is read, checked anew and compared with the others."""

from __future__ import annotations

import hashlib
import os
import sys
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tqdm import tqdm

from labkit.classes import LABEL_SETS, label_set
from labkit.grading.facts import gone, strict, unseen
from labkit.grading.gradebook import write_gradebook
from labkit.grading.kept import KEPT, chosen, kept, secret, unwritable
from labkit.grading.looks import alike, look, thumbnail
from labkit.grading.people import works
from labkit.grading.reproduce import Recomputed, own_iou
from labkit.grading.roster import Roster, read_roster
from labkit.grading.rows import MIN_IOU, PhotoRow, Remark, Row, floored
from labkit.grading.rubric import Rubric, read_rubric
from labkit.grading.similarity import compared
from labkit.grading.submissions import Source, Submission, content, distinct, find_sources, members, read
from labkit.grading.workers import Lost, in_workers
from labkit.io.decode import IMAGE_SUFFIXES
from labkit.io.errors import LabkitError
from labkit.io.files import some, write_whole
from labkit.io.kit import KIT_IMAGES
from labkit.locale import language, plural, text
from labkit.report.checks import Check, checks, found_on
from labkit.report.consistency import disagreements

__all__ = ["grade"]

_SECONDS, _SECONDS_A_PHOTO = 60.0, 120.0
"""Of the processor, for reading a report, and for running the model once more on each of its photos."""

_MEGABYTES = 3000
"""Memory for reading a report; a model may have what it needs, on photos that were read within these limits."""

_SAMPLE = 3
"""Photos of a report that SAM's automatic mode is run on again, unless all are asked for."""

_LISTED, _PICTURES, _ANSWER, _TEXTS, _SENTENCE = 5, 50, 20_000, 200_000, 2000
"""Of a row: names in a sentence, photos with a picture, characters of an answer, of all texts, of a remark."""


@dataclass(frozen=True)
class _Task:
    """One file, the folder of the table, and what the assignment asks for."""

    source: Source
    out: Path
    wanted: int | None = None
    target: str | None = None
    device: str = "cpu"
    full: bool = False


def grade(
    folder: str | Path,
    out: str | Path | None = None,
    recompute: bool = True,
    wanted: int | None = None,
    target: str | None = None,
    device: str = "cpu",
    full: bool = False,
    roster: str | Path | None = None,
    rubric: str | Path | None = None,
    anonymous: bool = False,
) -> list[Row]:
    """Reads all that was handed in below `folder` and writes `grades.html` and `grades.csv` into `out`.

    `out` is `folder`/grades unless given. `wanted` photos and the `target` class are each report's own unless given.
    With `recompute` the models that the reports name are run on the photos that they carry, on `device`; SAM's
    automatic mode on a few of them that nobody can foresee, on all where `full`. What is done stays in `out`: a second
    run goes on where the first one was stopped. `roster` is a learning system's table of students, which is filled in
    besides, with a page of feedback for each; `rubric` gives points; `anonymous` hides names until marks are saved.
    LabkitError where there is no such folder, nothing in it, no such class, or a file that is none of these.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise LabkitError(text("grade.no_folder", folder=folder))
    if target:
        _known(target)
    students = read_roster(Path(roster)) if roster is not None else Roster()
    points = read_rubric(Path(rubric)) if rubric is not None else Rubric()
    out = Path(out) if out is not None else folder / "grades"
    sources = _all_sources(folder)
    if not sources:
        raise LabkitError(text("grade.nothing", folder=folder))
    try:
        (out / KEPT).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(out / KEPT, error) from error
    secret()
    tasks = {source.file: _Task(source, out, wanted, target, device, full) for source in sources}
    done = works(folder.resolve().name, sources, _read_all(list(tasks.values())))
    rows = done.rows
    if recompute:
        rows = _run_all(rows, tasks)
    rows = [points.suggested(row) for row in students.checked(_compare(rows))]
    write_gradebook(replace(done, rows=rows), out, students, points, anonymous)
    return rows


def _known(target: str) -> None:
    """LabkitError for a class that no model knows."""
    for name in LABEL_SETS:
        with suppress(ValueError):
            label_set(name).id(target)
            return
    from labkit.comparison.figures import class_name

    class_name(target)


def _all_sources(folder: Path) -> list[Source]:
    sources = find_sources(folder)
    zips = [source for source in sources if source.zip]
    listed = {
        source.file: [replace(source, problem=str(found))] if isinstance(found, Lost) else found
        for source, found in zip(zips, _done(members, zips, lambda _: _SECONDS, _MEGABYTES), strict=True)
    }
    return distinct([one for source in sources for one in listed.get(source.file, [source])])


def _done(
    work: Callable[[Any], Any],
    tasks: Sequence[Any],
    seconds: Callable[[Any], float],
    megabytes: int | None = None,
    label: str = "",
) -> list[Any]:
    """The answers to tasks, worked out beside. Meanwhile a bar on a terminal, else a line at each tenth of the way."""
    answers: dict[int, Any] = {}
    bar = tqdm(total=len(tasks), desc=label, leave=False, disable=not (label and tasks and sys.stderr.isatty()))
    with bar:
        for place, answer in in_workers(work, tasks, seconds, megabytes):
            answers[place] = answer
            bar.update()
            done = len(answers)
            if label and bar.disable and done * 10 // len(tasks) > (done - 1) * 10 // len(tasks):
                print(f"{label}: {done}/{len(tasks)}", file=sys.stderr, flush=True)
    return [answers[place] for place in range(len(tasks))]


# ---- Reading --------------------------------------------------------------------------------------------------------


def _read_all(tasks: Sequence[_Task]) -> list[Row]:
    rows = {task.source.file: Row(task.source.file, problem=task.source.problem) for task in tasks}
    todo = [task for task in tasks if task.source.problem is None]
    answers = _done(_row, todo, lambda _: _SECONDS, _MEGABYTES, text("grade.reading"))
    for task, answer in zip(todo, answers, strict=True):
        file = task.source.file
        rows[file] = Row(file, problem=str(answer)) if isinstance(answer, Lost) else answer
    return list(rows.values())


def _row(task: _Task) -> Row:
    """One file's row, kept or made."""
    file = task.source.file
    try:
        raw = content(task.source)
    except LabkitError as error:
        return Row(file, problem=str(error))
    digest = hashlib.sha256(raw).hexdigest()
    options = ["row", digest, Path(file).suffix, task.wanted, task.target, language()]
    record = kept(task.out, options, lambda: _clean(asdict(_made(task, raw, digest))))
    return replace(Row.of(record), file=file, link=None if record["problem"] is not None else _link(task, raw, digest))


def _made(task: _Task, raw: bytes, digest: str) -> Row:
    try:
        return _checked(read(task.source.file, raw), digest, task)
    except LabkitError as error:
        return Row(task.source.file, digest, problem=str(error))


def _checked(submission: Submission, digest: str, task: _Task) -> Row:
    looks = {name: _look(jpeg) for name, jpeg in list(submission.jpegs.items())[:_PICTURES]}
    names = list(looks)
    repeated = {names[later] for _, later in alike(list(looks.values()), names)}
    data = strict(submission.data, repeated)
    differs = disagreements({**submission.data, "made_by": data["made_by"]}, submission.items, submission.page)
    differs += unseen(submission.data, submission.prose)
    remarks = [Remark("edited", text(f"grade.edited_{what}")) for what in submission.edited]
    if differs:
        remarks.append(Remark("differs", _cut(some(differs, _LISTED, "; "), _SENTENCE)))
    absent = gone(submission.data, submission.sections, submission.jpegs)
    if fewer := len(submission.data["photos"]) - len(data["photos"]):
        absent.append(plural("facts.repeated", fewer))
    remarks += [Remark("incomplete", sentence) for sentence in absent]
    room, answers = _TEXTS, []
    for row in data["answers"]:
        answers.append((_cut(row["question"], 2000), _cut(row["answer"], max(0, min(_ANSWER, room)))))
        room -= sum(map(len, answers[-1]))
    held = checks(data, differs, task.wanted, task.target)
    return Row(
        task.source.file,
        digest,
        student=_cut(data["student"], 200),
        group=_cut(data["group"], 200),
        date=_cut(data["date"], 40),
        variant=data["variant_number"],
        variant_title=_cut(data["variant_title"], 200),
        weights=_cut(data["made_by"].get("weights", ""), 200),
        checks=tuple(replace(one, reason=_cut(one.reason, _SENTENCE)) for one in held),
        remarks=tuple(remarks),
        photos=tuple(_photos(submission, data, _target(task, data), looks)),
        answers=tuple(answers),
        conclusions=_cut(data["conclusions"], _ANSWER),
    )


def _look(jpeg: bytes) -> str | None:
    with suppress(ValueError):
        return look(jpeg)
    return None


def _target(task: _Task, data: dict[str, Any]) -> str:
    return data["wanted"]["target"] if task.target is None else task.target


def _photos(submission: Submission, data: dict[str, Any], target: str, looks: dict[str, str | None]) -> list[PhotoRow]:
    """All photos of a report, those that are left out of its strict `data` too; the first with a picture."""
    whole, rows = submission.data, []
    detected = found_on({**data, "photos": whole["photos"], "results": whole["results"]}, target)
    results = {result["photo"]: result for result in reversed(whole["results"])}
    for photo in whole["photos"]:
        name = photo["name"]
        row = PhotoRow(_cut(name, 200), photo["sha256"], detected[name], look=looks.get(name))
        if name in submission.jpegs and len(rows) < _PICTURES:
            with suppress(ValueError):  # what is wrong with its masks is told by the check of the page against the data
                picture = thumbnail(submission.jpegs[name], results.get(name), data["made_by"].get("classes"))
                row = replace(row, thumbnail=picture)
        rows.append(row)
    return rows


def _link(task: _Task, raw: bytes, digest: str) -> str | None:
    """The address of a file as seen from the table; a file in a zip is copied next to that, without its name."""
    path = task.source.path
    if task.source.members:
        path = task.out / "handed" / f"{digest[:16]}{Path(task.source.file).suffix.lower()}"
        try:
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                write_whole(path, raw)
        except OSError:  # a full disk is told where the table itself is written
            return None
    leads = os.path.relpath(os.path.abspath(path), os.path.abspath(task.out))
    return quote(os.fsencode(leads.replace(os.sep, "/")))


def _cut(prose: str, limit: int) -> str:
    return prose if len(prose) <= limit else f"{prose[: max(0, limit - 1)]}…"


def _clean(record: Any) -> Any:
    """What can be printed and written: no half of a surrogate pair, no control or direction marks but line ends."""
    if isinstance(record, str):
        return record if record.isprintable() else "".join(map(_printable, record.replace("\r\n", "\n")))
    if isinstance(record, dict):
        return {key: _clean(value) for key, value in record.items()}
    return [_clean(value) for value in record] if isinstance(record, (list, tuple)) else record


def _printable(letter: str) -> str:
    kind = unicodedata.category(letter)
    if letter == "\n" or kind[0] not in "CZ":
        return letter
    return " " if letter == "\t" or kind[0] == "Z" else "" if kind == "Cf" else "\ufffd"


# ---- Masks made again, and what reports have in common --------------------------------------------------------------


def _run_all(rows: Sequence[Row], tasks: Mapping[str, _Task]) -> list[Row]:
    """The rows with what the models say of them."""
    todo = [row for row in rows if row.problem is None and row.photos]  # a zip without a report is no task
    work = [(tasks[row.file], row.sha256, len(row.photos)) for row in todo]
    answers = _done(_own, work, lambda one: _SECONDS + _SECONDS_A_PHOTO * one[2], label=text("grade.running"))
    found = {row.file: _with_own(row, answer) for row, answer in zip(todo, answers, strict=True)}
    return [found.get(row.file, row) for row in rows]


def _own(work: tuple[_Task, str, int]) -> Recomputed:
    """How far a report's masks are the model's own."""
    task, digest, _ = work

    def sample(names: Sequence[str]) -> Collection[str]:
        return names if task.full else chosen(digest, names, _SAMPLE)

    def made() -> dict[str, Any]:
        one = read(task.source.file, content(task.source))
        return _clean(asdict(own_iou(one.data, one.jpegs, task.device, None, _target(task, one.data), sample)))

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
        sentence = plural("grade.not_own", len(low), least=floored(MIN_IOU), names=some(low, _LISTED))
        remarks.append(Remark("not_own_masks", sentence))
    if own.settings:
        remarks.append(Remark("settings", some(own.settings, _LISTED)))
    if own.reason:
        remarks.append(Remark("not_checked", own.reason))
    failed = Check("objects", False, text("grade.not_found_again", names=some(missing, _LISTED)))
    judged = tuple(failed if one.name == "objects" and one.ok and missing else one for one in row.checks)
    return replace(row, photos=photos, checks=judged).with_remarks(*remarks)


def _compare(rows: Sequence[Row]) -> list[Row]:
    """The rows with remarks on what they have in common, worked out beside: texts may be made to take long."""
    bare = [replace(row, photos=tuple(replace(photo, thumbnail=None) for photo in row.photos)) for row in rows]
    (answer,) = _done(_compared, [bare], lambda rows: _SECONDS + len(rows) ** 2 / 10, _MEGABYTES)
    if isinstance(answer, Lost):
        failed = Remark("not_checked", text("grade.not_compared", reason=answer))
        return [row.with_remarks(failed) for row in rows]
    return [row.with_remarks(*remarks) for row, remarks in zip(rows, answer, strict=True)]


def _compared(rows: Sequence[Row]) -> list[list[Remark]]:
    return compared(rows, _kit_photos())


def _kit_photos() -> dict[str, str | None]:
    """The sha256 and the look of the photos that travel with the kit, where they are there."""
    paths = [path for path in sorted(KIT_IMAGES.glob("*")) if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    return {hashlib.sha256(raw).hexdigest(): _look(raw) for raw in (path.read_bytes() for path in paths)}
