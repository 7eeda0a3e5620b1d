"""A folder of handed-in reports becomes a table: each is read, checked anew and compared with the others."""

from __future__ import annotations

import hashlib
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tqdm import tqdm

from labkit.classes import LABEL_SETS, label_set
from labkit.grading.facts import sections_gone, strict, unseen
from labkit.grading.gradebook import write_gradebook
from labkit.grading.kept import KEPT, chosen, kept, secret, unwritable
from labkit.grading.looks import alike, look
from labkit.grading.people import works
from labkit.grading.roster import Roster, read_roster
from labkit.grading.rows import MIN_IOU, PhotoRow, Remark, Row, floored
from labkit.grading.rubric import Rubric, read_rubric
from labkit.grading.similarity import compared
from labkit.grading.submissions import Source, Submission, content, distinct, find_sources, members, read
from labkit.grading.thumbnails import thumbnail
from labkit.grading.workers import Lost, in_workers
from labkit.io.errors import LabkitError
from labkit.io.files import safe_name, some, write_whole
from labkit.io.kit import KIT_IMAGES
from labkit.io.sources import IMAGE_SUFFIXES
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
    if recompute:
        done = done.with_rows(_run_all([tasks[row.file] for row in done.rows], done.rows))
    done = done.with_rows(_compare(done.rows, out))
    done = done.with_rows([points.suggested(row) for row in students.checked(done.rows)])
    write_gradebook(done, out, students, points, anonymous)
    return list(done.rows)


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
    listed: dict[str, list[Source]] = {}
    for place, answer in in_workers(members, zips, lambda _: _SECONDS, _MEGABYTES):
        zip_ = zips[place]
        listed[zip_.file] = [replace(zip_, problem=str(answer))] if isinstance(answer, Lost) else answer
    return distinct([one for source in sources for one in listed.get(source.file, [source])])


def _progress(answers: Iterable[Any], label: str, total: int) -> Iterator[Any]:
    """A bar on a terminal, else a line at each tenth of the way."""
    if sys.stderr.isatty():
        yield from tqdm(answers, label, total, leave=False)
        return
    for done, answer in enumerate(answers, start=1):
        if done * 10 // total > (done - 1) * 10 // total:
            print(f"{label}: {done}/{total}", file=sys.stderr, flush=True)
        yield answer


def _read_all(tasks: Sequence[_Task]) -> list[Row]:
    rows = {n: Row(task.source.file, problem=task.source.problem) for n, task in enumerate(tasks)}
    todo = [n for n, task in enumerate(tasks) if task.source.problem is None]
    answers = in_workers(_row, [tasks[n] for n in todo], lambda _: _SECONDS, _MEGABYTES)
    for place, answer in _progress(answers, text("grade.reading"), len(todo)):
        n = todo[place]
        rows[n] = Row(tasks[n].source.file, problem=str(answer)) if isinstance(answer, Lost) else answer
    return list(rows.values())


def _row(task: _Task) -> Row:
    """One file's row, kept or made."""
    try:
        raw = content(task.source)
    except LabkitError as error:
        return Row(task.source.file, problem=str(error))
    digest = hashlib.sha256(raw).hexdigest()
    options = ["row", digest, Path(task.source.file).suffix, task.wanted, task.target, language()]
    record = kept(task.out, options, lambda: _clean(asdict(_made(task, raw, digest))))
    link = _link(task, raw, digest) if record["problem"] is None else None
    return replace(Row.of(record), file=task.source.file, link=link)


def _made(task: _Task, raw: bytes, digest: str) -> Row:
    try:
        return _checked(read(task.source.file, raw), digest, task)
    except LabkitError as error:
        return Row(task.source.file, digest, problem=str(error))


def _checked(submission: Submission, digest: str, task: _Task) -> Row:
    looks = {name: _look(jpeg) for name, jpeg in list(submission.jpegs.items())[:_PICTURES]}
    data = strict(submission.data, _repeated(looks))
    differs = disagreements(submission.data, submission.items, submission.page)
    differs += unseen(submission.data, submission.prose)
    remarks = [Remark("edited", text(f"grade.edited_{what}")) for what in submission.edited]
    if differs:
        remarks.append(Remark("differs", _cut(some(differs, _LISTED, "; "), _SENTENCE)))
    gone = sections_gone(data["variant_number"], submission.sections)
    if repeated := len(submission.data["photos"]) - len(data["photos"]):
        gone.append(plural("facts.repeated", repeated))
    remarks += [Remark("incomplete", sentence) for sentence in gone]
    room, answers = _TEXTS, []
    for row in data["answers"]:
        answer = _cut(row["answer"], max(0, min(_ANSWER, room)))
        answers.append((_cut(row["question"], 2000), answer))
        room -= len(answer) + len(answers[-1][0])
    return Row(
        task.source.file,
        digest,
        student=_cut(data["student"], 200),
        group=_cut(data["group"], 200),
        date=_cut(data["date"], 40),
        variant=data["variant_number"],
        variant_title=_cut(data["variant_title"], 200),
        weights=_cut(data["made_by"].get("weights", ""), 200),
        checks=tuple(
            replace(one, reason=_cut(one.reason, _SENTENCE)) for one in checks(data, differs, task.wanted, task.target)
        ),
        remarks=tuple(remarks),
        photos=tuple(_photos(submission, data, _target(task, data), looks)),
        answers=tuple(answers),
        conclusions=_cut(data["conclusions"], _ANSWER),
    )


def _repeated(looks: dict[str, str | None]) -> set[str]:
    """The photos of a report that another one of it, before them, looks like."""
    names = list(looks)
    return {names[later] for _, later in alike([looks[name] for name in names], names)}


def _target(task: _Task, data: dict[str, Any]) -> str:
    return data["wanted"]["target"] if task.target is None else task.target


def _look(jpeg: bytes) -> str | None:
    with suppress(ValueError):
        return look(jpeg)
    return None


def _photos(
    submission: Submission, data: dict[str, Any], target: str, looks: dict[str, str | None]
) -> Iterable[PhotoRow]:
    detected = found_on({**data, "photos": submission.data["photos"], "results": submission.data["results"]}, target)
    results = {result["photo"]: result for result in reversed(submission.data["results"])}
    for number, photo in enumerate(submission.data["photos"]):
        name = photo["name"]
        row = PhotoRow(_cut(name, 200), photo["sha256"], detected[name], look=looks.get(name))
        if name in submission.jpegs and number < _PICTURES:
            with suppress(ValueError):  # what is wrong with its masks is told by the check of the page against the data
                picture = thumbnail(submission.jpegs[name], results.get(name), data["made_by"].get("classes"))
                row = replace(row, thumbnail=picture)
        yield row


def _run_all(tasks: Sequence[_Task], rows: Sequence[Row]) -> list[Row]:
    """The rows with what the models say of them."""
    done = list(rows)
    todo = [n for n, row in enumerate(rows) if row.problem is None and row.photos]

    def seconds(task: tuple[_Task, str, int]) -> float:
        return _SECONDS + _SECONDS_A_PHOTO * task[2]

    work = [(tasks[n], rows[n].sha256, len(rows[n].photos)) for n in todo]
    answers = in_workers(_own, work, seconds)
    for place, answer in _progress(answers, text("grade.running"), len(work)):
        own = {"iou": {}, "reason": str(answer)} if isinstance(answer, Lost) else answer
        done[todo[place]] = _with_own(rows[todo[place]], **own)
    return done


def _with_own(
    row: Row,
    iou: dict[str, float],
    reason: str | None,
    missing: Sequence[str] = (),
    settings: Sequence[str] = (),
    final: bool = True,
) -> Row:
    missing = [photo.name for photo in row.photos if photo.name in missing and photo.found]
    photos = tuple(
        replace(photo, iou=iou.get(photo.name), found=photo.found and photo.name not in missing) for photo in row.photos
    )
    remarks = []
    low = [photo for photo in photos if photo.iou is not None and photo.iou < MIN_IOU]
    if low:
        named = [f"{photo.name} ({floored(photo.iou)})" for photo in low]
        sentence = plural("grade.not_own", len(low), least=floored(MIN_IOU), names=some(named, _LISTED))
        remarks.append(Remark("not_own_masks", sentence))
    if settings:
        remarks.append(Remark("settings", some(list(settings), _LISTED)))
    if reason:
        remarks.append(Remark("not_checked", reason))
    failed = Check("objects", False, text("grade.not_found_again", names=some(missing, _LISTED)))
    judged = tuple(failed if one.name == "objects" and one.ok and missing else one for one in row.checks)
    return replace(row, photos=photos, checks=judged).with_remarks(*remarks)


def _own(work: tuple[_Task, str, int]) -> dict[str, Any]:
    """How far a report's masks are the model's own: the fields of `Recomputed`."""
    task, digest, _ = work
    from labkit.grading.reproduce import own_iou

    def made() -> dict[str, Any]:
        submission = read(task.source.file, content(task.source))
        data, target = submission.data, _target(task, submission.data)

        def sample(names: Sequence[str]) -> Iterable[str]:
            return names if task.full else chosen(digest, names, _SAMPLE)

        return _clean(asdict(own_iou(data, submission.jpegs, task.device, target=target, sample=sample)))

    options = ["own", digest, task.device, task.target, task.full, language()]
    return kept(task.out, options, made, lambda made: made["final"])  # time and weights may be there the next time


def _compare(rows: Sequence[Row], out: Path) -> list[Row]:
    """The rows with remarks on what they have in common, worked out beside: texts may be made to take long."""
    bare = [replace(row, photos=tuple(replace(photo, thumbnail=None) for photo in row.photos)) for row in rows]
    limit = _SECONDS + len(rows) ** 2 / 10
    ((_, answer),) = in_workers(_compared, [bare], lambda _: limit, _MEGABYTES)
    if isinstance(answer, Lost):
        failed = Remark("not_checked", text("grade.not_compared", reason=answer))
        return [row.with_remarks(failed) for row in rows]
    return [row.with_remarks(*remarks) for row, remarks in zip(rows, answer, strict=True)]


def _compared(rows: Sequence[Row]) -> list[list[Remark]]:
    return compared(rows, _kit_photos())


def _link(task: _Task, raw: bytes, digest: str) -> str | None:
    """The address of a file as seen from the table; a file in a zip is copied next to that, as it is."""
    path = task.source.path
    if task.source.members:
        name = safe_name(task.source.file.rpartition("/")[2][-60:])
        path = task.out / "handed" / f"{digest[:8]}_{name}"
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


def _kit_photos() -> dict[str, str | None]:
    """The sha256 and the look of the photos that travel with the kit, where they are there."""
    rows: dict[str, str | None] = {}
    for path in sorted(KIT_IMAGES.glob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            raw = path.read_bytes()
            rows[hashlib.sha256(raw).hexdigest()] = _look(raw)
    return rows
