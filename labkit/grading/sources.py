"""Handed-in files as they lie in a folder and its zips: found, or told why not, and given as bytes with limits."""

import io
import os
import re
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, count, islice
from pathlib import Path

from labkit.grading.kept import KEPT
from labkit.grading.people import REPORTS, person_of
from labkit.io.decode import Unreadable
from labkit.io.errors import LabkitError, one_line
from labkit.io.files import natural
from labkit.io.sources import SILENT_NAMES, shown
from labkit.io.zips import Member, walk
from labkit.locale import text

__all__ = ["FILE_MB", "WRITTEN", "Source", "content", "distinct", "find_sources", "members"]

FILE_MB = 30
"""A larger report is not read: one of ten photos has 2 to 3."""

WRITTEN = {"grades.html", "grades.csv", "open.html", "grades_moodle.csv", "grades_canvas.csv", "handed", "feedback"}
"""What the kit itself writes into the folder of a table of grades."""

_ZIP_MB, _TOTAL_MB, _MEMBERS = 100, 2000, 2000
"""Of a zip in a zip; of all files of a zip, those of the zips in it included, and how many these may be."""

_SILENT = {*SILENT_NAMES, ".ds_store", ".git", ".github", ".gitignore", ".ipynb_checkpoints", KEPT}
_NAME = 300  # characters of a path in the table


@dataclass(frozen=True)
class Source:
    """Where a handed-in file is: its name in the table; its places in the zip `path`, and in the zip in that; the
    `problem` for which it shall not be read, None where it may.
    """

    file: str
    path: Path
    members: tuple[int, ...] = ()
    problem: str | None = None

    @property
    def zip(self) -> bool:
        """Whether it holds files instead of being one."""
        return not self.members and self.problem is None and self.path.suffix.lower() == ".zip"


def find_sources(folder: Path) -> list[Source]:
    """All that lies below a folder: reports, notebooks, zips, and with a problem what is none, an empty folder too.

    Links are not followed; one that leads out of the folder is told. A table of grades is no report, but in a student's
    own folder there is none.
    """
    inside = os.path.realpath(folder)
    course = os.path.basename(inside)
    is_of_many = person_of(f"{course}/") is None
    found: dict[Path, Unreadable | None] = {}

    def closed(error: OSError) -> None:
        found[Path(error.filename)] = Unreadable("submission.unreadable", error=one_line(error))

    for root, folders, files in os.walk(folder, onerror=closed):
        links = [name for name in folders if os.path.islink(os.path.join(root, name))]
        place = f"{course}/{Path(root).relative_to(folder).as_posix()}"
        table = KEPT in folders and not (is_of_many and person_of(place))
        passed = WRITTEN if table else ()
        folders[:], files = ([n for n in names if n not in passed and not _silent(n)] for names in (folders, files))
        if not (files or folders or links or table or Path(root) == folder):
            found[Path(root)] = Unreadable("submission.empty_folder")
        for path in (Path(root, name) for name in (*files, *links)):
            if not os.path.realpath(path).startswith(os.path.join(inside, "")):
                found[path] = Unreadable("submission.link")
            elif path.is_symlink() and path.exists():
                continue
            elif not stat.S_ISREG(path.lstat().st_mode):  # opening a pipe would wait for ever
                found[path] = Unreadable("photos.not_file")
            else:
                found[path] = _foreign(path.name)
    order = sorted(found, key=lambda path: [natural(part) for part in path.relative_to(folder).parts])
    problems = [(path, found[path] and str(found[path])) for path in order]
    return distinct([Source(_shown(path.relative_to(folder).as_posix()), path, (), why) for path, why in problems])


def _foreign(name: str) -> Unreadable | None:
    """Why a file of that name is neither a report nor a zip, None where it is one."""
    suffix = os.path.splitext(name)[1]
    if suffix.lower() in (*REPORTS, ".zip"):
        return None
    return Unreadable("submission.foreign", suffix=suffix[:20] or text("submission.no_suffix"))


def _shown(name: str) -> str:
    return shown(name) if len(name) <= _NAME else "…" + shown(name[-_NAME:])


def distinct(sources: Sequence[Source]) -> list[Source]:
    """The same sources, each under a name of its own: two may differ in what cannot be printed."""
    named: dict[str, Source] = {}
    for source in sources:
        names = chain([source.file], (f"{source.file} ({number})" for number in count(2)))
        file = next(name for name in names if name not in named)
        named[file] = replace(source, file=file)
    return list(named.values())


def _silent(name: str) -> bool:
    return name.startswith(("._", "~$", ".~lock.")) or name.lower() in _SILENT  # macOS, Excel and LibreOffice


def members(source: Source) -> list[Source]:
    """The files of a zip, those of the zips in it besides; the zip itself with its problem where it has none."""
    rows = list(islice(_listed(source, [_TOTAL_MB * 1e6]), _MEMBERS + 1))
    if len(rows) > _MEMBERS:
        rows[_MEMBERS:] = [replace(source, problem=text("submission.many", limit=_MEMBERS))]
    return rows


def _listed(source: Source, left: list[float]) -> Iterator[Source]:
    """The files of a zip, as long as bytes are `left` for it and the zips in it together."""

    def allowed(member: Member) -> float | Unreadable | None:
        is_zip = member.name.lower().endswith(".zip")
        if member.climbs:
            return Unreadable("submission.climbs")
        if any(map(_silent, member.parts)):
            return None
        if foreign := _foreign(member.name):
            return foreign
        if is_zip and source.members:
            return Unreadable("submission.nested")
        if member.info.file_size > left[0]:
            return Unreadable("photos.zip_total", limit=_TOTAL_MB)
        return _ZIP_MB if is_zip else FILE_MB

    empty = True
    try:
        with _opened(source.path, source.members) as archive:
            for member in walk(archive, allowed):
                empty, refusal = False, member.refusal
                name = _shown(f"{source.file}/{'/'.join(member.parts)}")
                one = Source(name, source.path, (*source.members, member.place), refusal and str(refusal))
                if refusal is None:
                    left[0] -= member.info.file_size
                nested = refusal is None and name.lower().endswith(".zip")
                yield from _listed(one, left) if nested else [one]
        if empty:
            raise Unreadable("submission.nothing")
    except Exception as error:  # a damaged directory fails in the manner of struct, of codecs, of zipfile
        told = error if isinstance(error, Unreadable) else text("photos.bad_zip", error=_nameless(error))
        yield replace(source, problem=str(told))


def content(source: Source) -> bytes:
    """The bytes of a source; LabkitError in one sentence where they cannot be had."""
    try:
        if not source.members:
            with source.path.open("rb") as file:
                read = file.read(FILE_MB * 1_000_000 + 1)
        else:
            *outer, place = source.members
            with _opened(source.path, outer) as archive:
                read = archive.read(archive.infolist()[place])
    except MemoryError:
        raise
    except Exception as error:
        raise LabkitError(text("submission.unreadable", error=_nameless(error))) from error
    if len(read) > FILE_MB * 1_000_000:
        raise LabkitError(text("submission.large", limit=FILE_MB))
    return read


def _opened(path: Path, places: Sequence[int]) -> zipfile.ZipFile:
    """A zip, or the zip in it at the only one of `places`."""
    return zipfile.ZipFile(io.BytesIO(_unpacked(path, *places)) if places else path)


def _nameless(error: Exception) -> str:
    """What an error says without the file that it names: that may be called as a student is, and is in the row."""
    return re.sub(r"""(['"]).*\1""", "…", one_line(error))


@lru_cache(1)
def _unpacked(path: Path, place: int) -> bytes:
    """A zip in a zip, kept for the next of its files."""
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.infolist()[place])
