"""A folder of handed-in reports becomes a table: each is read, checked anew and compared with the others."""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tqdm import tqdm

from labkit import __version__
from labkit.classes import LABEL_SETS, label_set
from labkit.grading.gradebook import write_gradebook
from labkit.grading.rows import MIN_IOU, PhotoRow, Remark, Row, floored
from labkit.grading.similarity import with_pairs
from labkit.grading.submissions import KEPT, Source, Submission, content, distinct, find_sources, members, read
from labkit.grading.thumbnails import look, thumbnail
from labkit.grading.workers import Lost, in_workers
from labkit.io.errors import LabkitError
from labkit.io.files import safe_name, some, write_whole
from labkit.io.sources import IMAGE_SUFFIXES
from labkit.locale import language, plural, text
from labkit.report.checks import checks, found_on
from labkit.report.consistency import disagreements

__all__ = ["grade"]

_SECONDS, _SECONDS_A_PHOTO = 60.0, 120.0
"""For reading a report, and for running the model once more on each of its photos."""

_MEGABYTES = 3000
"""Memory for reading a report; a model may have what it needs, on photos that were read within these limits."""

_LISTED = 5

_FORMAT = 2
"""Of what is kept for the next run: a higher number makes all anew."""


@dataclass(frozen=True)
class _Task:
    """One file, the folder of the table, and what the assignment asks for."""

    source: Source
    out: Path
    wanted: int | None = None
    target: str | None = None
    device: str = "cpu"


def grade(
    folder: str | Path,
    out: str | Path | None = None,
    recompute: bool = True,
    wanted: int | None = None,
    target: str | None = None,
    device: str = "cpu",
) -> list[Row]:
    """Reads all that was handed in below `folder` and writes `grades.html` and `grades.csv` into `out`.

    `out` is `folder`/grades unless given. `wanted` photos and the `target` class are each report's own unless given.
    With `recompute` the models that the reports name are run on the photos that they carry, on `device`. What is done
    stays in `out`: a second run goes on where the first one was stopped. LabkitError where there is no such folder,
    nothing in it, or no such class.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise LabkitError(text("grade.no_folder", folder=folder))
    if target:
        _known(target)
    out = Path(out) if out is not None else folder / "grades"
    sources = _all_sources(folder)
    if not sources:
        raise LabkitError(text("grade.nothing", folder=folder))
    (out / KEPT).mkdir(parents=True, exist_ok=True)
    tasks = [_Task(source, out, wanted, target, device) for source in sources]
    rows = _read_all(tasks)
    if recompute:
        rows = _run_all(tasks, rows)
    rows = with_pairs(rows, _kit_photos())
    write_gradebook(rows, out)
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
    listed: dict[str, list[Source]] = {}
    for place, answer in in_workers(members, zips, lambda _: _SECONDS, _MEGABYTES):
        zip_ = zips[place]
        listed[zip_.file] = [replace(zip_, problem=str(answer))] if isinstance(answer, Lost) else answer
    return distinct([one for source in sources for one in listed.get(source.file, [source])])


def _read_all(tasks: Sequence[_Task]) -> list[Row]:
    rows: dict[int, Row] = {}
    todo = [n for n, task in enumerate(tasks) if task.source.problem is None]
    answers = in_workers(_row, [tasks[n] for n in todo], lambda _: _SECONDS, _MEGABYTES)
    for place, answer in tqdm(answers, text("grade.reading"), len(todo), leave=False, disable=None):
        task = tasks[todo[place]]
        if isinstance(answer, Lost):
            rows[todo[place]] = Row(task.source.file, "", problem=str(answer))
        else:
            rows[todo[place]] = answer
    return [rows.get(n) or Row(t.source.file, "", problem=t.source.problem) for n, t in enumerate(tasks)]


def _row(task: _Task) -> Row:
    """One file's row, kept or made."""
    try:
        raw = content(task.source)
    except LabkitError as error:
        return Row(task.source.file, "", problem=str(error))
    digest = hashlib.sha256(raw).hexdigest()
    options = ["row", digest, Path(task.source.file).suffix, task.wanted, task.target, language()]
    record = _kept(task.out, options, lambda: _clean(asdict(_made(task, raw, digest))))
    link = _link(task, raw, digest) if record["problem"] is None else None
    return replace(Row.of(record), file=task.source.file, link=link)


def _made(task: _Task, raw: bytes, digest: str) -> Row:
    try:
        return _checked(read(task.source.file, raw), digest, task)
    except LabkitError as error:
        return Row(task.source.file, digest, problem=str(error))


def _checked(submission: Submission, digest: str, task: _Task) -> Row:
    data = submission.data
    differs = disagreements(data, submission.items, submission.page)
    remarks = [Remark("edited", text(f"grade.edited_{what}")) for what in submission.edited]
    if differs:
        remarks.append(Remark("differs", some(differs, _LISTED, "; ")))
    seconds = sum(result["made_by"].get("seconds", 0) for result in data["results"])
    return Row(
        task.source.file,
        digest,
        student=data["student"],
        group=data["group"],
        date=data["date"],
        variant=data["variant_number"],
        variant_title=data["variant_title"],
        weights=data["made_by"].get("weights", ""),
        checks=tuple(checks(data, differs, task.wanted, task.target)),
        remarks=tuple(remarks),
        photos=tuple(_photos(submission, data["wanted"]["target"] if task.target is None else task.target)),
        answers=tuple((row["question"], row["answer"]) for row in data["answers"]),
        conclusions=data["conclusions"],
        seconds=float(seconds) if 0 < seconds < 1e9 else None,
    )


def _photos(submission: Submission, target: str) -> Iterable[PhotoRow]:
    data = submission.data
    detected = found_on(data, target)
    results = {result["photo"]: result for result in reversed(data["results"])}
    for photo in data["photos"]:
        jpeg, result = submission.jpegs.get(photo["name"]), results.get(photo["name"])
        row = PhotoRow(photo["name"], photo["sha256"], detected[photo["name"]])
        if jpeg is not None:
            classes = (result or data)["made_by"].get("classes") or data["made_by"].get("classes")
            try:
                row = replace(row, look=look(jpeg))
                row = replace(row, thumbnail=thumbnail(jpeg, result, classes))
            except ValueError:
                pass  # what is wrong with its masks is told by the check of the page against the data
        yield row


def _run_all(tasks: Sequence[_Task], rows: Sequence[Row]) -> list[Row]:
    """The rows with the IoU of each photo, and remarks on it."""
    done = list(rows)
    todo = [n for n, row in enumerate(rows) if row.problem is None and row.photos]

    def seconds(task: tuple[_Task, str, int]) -> float:
        return _SECONDS + _SECONDS_A_PHOTO * task[2]

    work = [(tasks[n], rows[n].sha256, len(rows[n].photos)) for n in todo]
    answers = in_workers(_own, work, seconds)
    for place, answer in tqdm(answers, text("grade.running"), len(work), leave=False, disable=None):
        row = rows[todo[place]]
        iou, reason = ({}, str(answer)) if isinstance(answer, Lost) else answer
        photos = tuple(replace(photo, iou=iou.get(photo.name)) for photo in row.photos)
        remarks = []
        low = [photo for photo in photos if photo.iou is not None and photo.iou < MIN_IOU]
        if low:
            named = [f"{photo.name} ({floored(photo.iou)})" for photo in low]
            least = floored(MIN_IOU)
            sentence = plural("grade.not_own", len(low), least=least, names=some(named, _LISTED))
            remarks.append(Remark("not_own_masks", sentence))
        if reason:
            remarks.append(Remark("not_checked", reason))
        done[todo[place]] = replace(row, photos=photos).with_remarks(*remarks)
    return done


def _own(work: tuple[_Task, str, int]) -> tuple[dict[str, float], str | None]:
    """How far a report's masks are the model's own: IoU by photo, and why there is none, or not of all."""
    task, digest, _ = work
    from labkit.grading.reproduce import own_iou

    def made() -> dict[str, Any]:
        submission = read(task.source.file, content(task.source))
        own = own_iou(submission.data, submission.jpegs, task.device)
        return {"iou": {_clean(name): value for name, value in own.iou.items()}, "reason": _clean(own.reason)}

    options = ["own", digest, task.device, language()]
    record = _kept(task.out, options, made, lambda made: bool(made["iou"]))  # weights may be there the next time
    return record["iou"], record["reason"]


def _kept(
    out: Path, options: Sequence[Any], make: Callable[[], dict], keep: Callable[[dict], bool] = lambda _: True
) -> dict[str, Any]:
    """A record that an earlier run has left, else one that is made, and left for the next."""
    key = hashlib.sha256(json.dumps([__version__, _FORMAT, *options]).encode()).hexdigest()
    path = out / KEPT / f"{key}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = make()
    if keep(record):
        write_whole(path, json.dumps(record).encode())
    return record


def _link(task: _Task, raw: bytes, digest: str) -> str:
    """The address of a file as seen from the table; a file in a zip is copied next to that, as it is."""
    path = task.source.path
    if task.source.members:
        name = safe_name(task.source.file.rpartition("/")[2][-60:])
        path = task.out / "handed" / f"{digest[:8]}_{name}"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            write_whole(path, raw)
    leads = os.path.relpath(os.path.abspath(path), os.path.abspath(task.out))
    return quote(os.fsencode(leads.replace(os.sep, "/")))


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
    for path in sorted((Path(__file__).parents[2] / "data" / "images").glob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            raw = path.read_bytes()
            try:
                rows[hashlib.sha256(raw).hexdigest()] = look(raw)
            except ValueError:
                rows[hashlib.sha256(raw).hexdigest()] = None
    return rows
