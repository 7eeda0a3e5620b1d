"""Handed-in reports: found in a folder and its zips, read with limits, and nothing in them ever run or rendered."""

from __future__ import annotations

import codecs
import io
import os
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from labkit.io.decode import Unreadable
from labkit.io.errors import LabkitError, one_line
from labkit.io.files import natural
from labkit.io.sources import SILENT_NAMES, shown
from labkit.io.zips import Member, walk
from labkit.locale import text
from labkit.report.consistency import MAX_PIXELS, carried_photos, viewer_items
from labkit.report.data import BLOCK, OPENING, digest, page_digest, parse

__all__ = ["FILE_MB", "KEPT", "Source", "Submission", "content", "find_sources", "members", "read"]

FILE_MB = 30
"""A larger report is not read: one of ten photos has 2 to 3."""

KEPT = ".labkit-grade"
"""A folder with a folder of this name in it holds a table of grades."""

_ZIP_MB, _TOTAL_MB, _MEMBERS = 100, 2000, 1000
"""Of a zip in a zip; of all reports of a zip; and how many these may be, those of the zips in it included."""

_MASK_PIXELS = 20_000_000_000
"""Of all masks of a report together: what takes some twenty seconds to decode. Ten photos of SAM have 1e9."""

_REPORTS = (".html", ".htm", ".ipynb")
_FOREIGN = (".7z", ".doc", ".docx", ".gz", ".mht", ".mhtml", ".odt", ".pdf", ".rar", ".tar", ".tgz")
"""What a student may hand in by mistake, and nobody should overlook."""


@dataclass(frozen=True)
class Source:
    """Where a handed-in file is: `file` is its name in the table; `members` are its place in the zip `path`, and in
    the zip in that; `problem` says why it shall not be read, None where it may.
    """

    file: str
    path: Path
    members: tuple[int, ...] = ()
    problem: str | None = None

    @property
    def zip(self) -> bool:
        """Whether it holds files instead of being one."""
        return not self.members and self.problem is None and self.path.suffix.lower() == ".zip"


@dataclass(frozen=True, eq=False)
class Submission:
    """What a file holds: its `data` as `schema.json` describes them, the viewers' `items`, and as `page` the HTML
    around the data, or the outputs of a notebook.

    `edited` says which seal is broken, "data" or "page", or that one is missing, "unsealed"; `jpegs` are the photos
    that it carries, by name.
    """

    file: str
    data: dict[str, Any]
    items: list[dict[str, Any]]
    page: str
    edited: tuple[str, ...]
    jpegs: dict[str, bytes]


def find_sources(folder: Path) -> list[Source]:
    """All that may be handed in below a folder: reports, notebooks, zips, and what is none of these by mistake.

    Links are not followed; one that leads out of the folder is told. A table of grades is no report.
    """
    inside = os.path.realpath(folder)
    sources: list[tuple[list, Source]] = []
    for root, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(root, name))]
        if KEPT in folders:
            folders[:] = [name for name in folders if name != "handed"]
            files = [name for name in files if name != "grades.html"]
        folders[:] = [name for name in folders if not _silent(name)]
        for name in [*files, *links]:
            path = Path(root, name)
            out = not os.path.realpath(path).startswith(os.path.join(inside, ""))
            known = path.suffix.lower() in (*_REPORTS, ".zip", *_FOREIGN)
            if _silent(name) or (path.is_symlink() and not out) or not (out or known):
                continue
            file = path.relative_to(folder)
            problem = None
            if out:
                problem = text("submission.link")
            elif path.suffix.lower() in _FOREIGN:
                problem = text("submission.foreign", suffix=path.suffix)
            elif not stat.S_ISREG(path.lstat().st_mode):  # opening a pipe would wait for ever
                problem = text("photos.not_file")
            sources.append(([natural(part) for part in file.parts], Source(shown(file.as_posix()), path, (), problem)))
    return distinct([source for _, source in sorted(sources, key=lambda row: row[0])])


def distinct(sources: Sequence[Source]) -> list[Source]:
    """The same sources, each under a name of its own: two may differ in what cannot be printed."""
    taken: set[str] = set()
    rows = []
    for source in sources:
        file, number = source.file, 1
        while file in taken:
            number += 1
            file = f"{source.file} ({number})"
        taken.add(file)
        rows.append(replace(source, file=file))
    return rows


def _silent(name: str) -> bool:
    return name.startswith(".") or name.lower() in SILENT_NAMES


def members(source: Source) -> list[Source]:
    """The files of a zip, those of the zips in it besides; the zip itself with its problem where it has none."""
    rows = _listed(source, lambda: source.path)
    if len(rows) > _MEMBERS:
        rows[-1] = replace(source, problem=text("submission.many", limit=_MEMBERS))
    return rows


def _listed(source: Source, file: Callable[[], Any]) -> list[Source]:
    try:
        with zipfile.ZipFile(file()) as archive:
            rows = list(islice(_members(archive, source), _MEMBERS + 1))
    except Unreadable as error:
        return [replace(source, problem=str(error))]
    except Exception as error:  # a damaged directory fails in the manner of struct, of codecs, of zipfile
        return [replace(source, problem=text("photos.bad_zip", error=one_line(error)))]
    return rows or [replace(source, problem=text("submission.nothing"))]


def _members(archive: zipfile.ZipFile, source: Source) -> Iterator[Source]:
    def allowed(member: Member) -> int | Unreadable | None:
        suffix = os.path.splitext(member.name)[1].lower()
        if member.climbs:
            return Unreadable("submission.climbs")
        if any(map(_silent, member.parts)):
            return None
        if suffix in _FOREIGN:
            return Unreadable("submission.foreign", suffix=suffix)
        if suffix == ".zip":
            return Unreadable("submission.nested") if source.members else _ZIP_MB
        return FILE_MB if suffix in _REPORTS else None

    for member in walk(archive, allowed, _TOTAL_MB):
        places = (*source.members, member.place)
        one = Source(f"{source.file}/{shown('/'.join(member.parts))}", source.path, places)
        if member.refusal is not None:
            yield replace(one, problem=str(member.refusal))
        elif member.name.lower().endswith(".zip"):
            yield from _listed(one, lambda info=member.info: io.BytesIO(archive.read(info)))
        else:
            yield one


def content(source: Source) -> bytes:
    """The bytes of a source; LabkitError in one sentence where they cannot be had."""
    try:
        if not source.members:
            with source.path.open("rb") as file:
                read = file.read(FILE_MB * 1_000_000 + 1)
        else:
            *outer, place = source.members
            state = source.path.stat()
            inner = [io.BytesIO(_unpacked(source.path, n, state.st_mtime_ns, state.st_size)) for n in outer]
            with zipfile.ZipFile(*inner or [source.path]) as archive:
                read = archive.read(archive.infolist()[place])
    except MemoryError:
        raise
    except Exception as error:
        raise LabkitError(text("submission.unreadable", error=one_line(error))) from error
    if len(read) > FILE_MB * 1_000_000:
        raise LabkitError(text("submission.large", limit=FILE_MB))
    return read


@lru_cache(1)
def _unpacked(path: Path, place: int, _changed: int, _size: int) -> bytes:
    """A zip in a zip, kept for the next of its files."""
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.infolist()[place])


def read(file: str, content: bytes) -> Submission:
    """A handed-in file, a notebook by its ending, else a page. LabkitError says in one sentence why it is none."""
    try:
        if not content.strip():
            raise LabkitError(text("submission.empty"))
        reader = _notebook if file.lower().endswith(".ipynb") else _page
        data, shown, edited = reader(_decoded(content))
        _limited(data)
        data = {**_BLANK, **data}
        items = viewer_items(shown)
        return Submission(file, data, items, shown, edited, carried_photos(data, items))
    except RecursionError:
        raise LabkitError(text("submission.deep")) from None


_BLANK = {
    "answers": [],
    "conclusions": "",
    "run": {"cells": 0, "executed": 0, "in_order": False, "error": None},
}


def _page(page: str) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    if (count := page.count(OPENING)) != 1:
        raise LabkitError(text("submission.two_blocks" if count else "submission.no_block"))
    block = BLOCK.search(page)
    if block is None:
        raise LabkitError(text("submission.cut"))
    data = _parsed(block[1])
    made = {"data": ("digest", digest(data)), "page": ("page_sha256", page_digest(page))}
    edited = {name if key in data else "unsealed" for name, (key, seal) in made.items() if data.get(key) != seal}
    return data, page[: block.start()] + page[block.end() :], tuple(sorted(edited))


def _notebook(content: str) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """Of a notebook the data that its kernel put out are sealed, and nothing else."""
    import json

    import nbformat

    from labkit.report.answers import complete, outputs_text, report_data

    try:
        notebook = nbformat.reads(content, as_version=4)
        data = report_data(notebook)
        shown = outputs_text(notebook)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # what is no notebook fails in every manner
        raise LabkitError(text("submission.notebook", error=one_line(error))) from error
    if data is None:
        raise LabkitError(text("submission.not_run"))
    data = _parsed(json.dumps(data))
    edited = () if data.get("digest") == digest(data) else ("data" if "digest" in data else "unsealed",)
    try:
        data = complete(data, notebook)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise LabkitError(text("submission.notebook", error=one_line(error))) from error
    return _parsed(json.dumps(data)), shown, edited


def _parsed(content: str) -> dict[str, Any]:
    try:
        return parse(content)
    except ValueError as error:
        raise LabkitError(text("submission.data", error=one_line(error))) from error


def _decoded(content: bytes) -> str:
    """Text, in UTF-16 too, which a Windows editor may have made of it; what is no text is seen by the seals."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    return content.decode("utf-8-sig", errors="replace")


def _limited(data: dict[str, Any]) -> None:
    """Refuses masks that are too large, before any of them is decoded."""
    total = 0
    for result in (*data["results"], *data["prompted"]):
        height, width = result["size"]
        if height * width > MAX_PIXELS:
            raise LabkitError(text("submission.pixels", width=width, height=height, limit=MAX_PIXELS))
        total += height * width * len(result["segments"])
    if total > _MASK_PIXELS:
        raise LabkitError(text("submission.masks"))
