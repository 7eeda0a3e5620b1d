"""Folders on the disk and in a zip (ZIP/FOLDER), read alike."""

import os
import zipfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from labkit.io.decode import Unreadable
from labkit.io.errors import one_line
from labkit.io.zips import walk

__all__ = ["archive_of", "beside", "inside", "is_zip", "read_file", "state", "subfolders"]


def is_zip(name: str) -> bool:
    """By its ending."""
    return name.lower().endswith(".zip")


def beside(folder: Path) -> list[Path]:
    """The files of a folder by name; none where there is no folder."""
    if folder.is_dir():
        with os.scandir(folder) as entries:  # only files: opening a pipe would wait for ever
            return sorted(Path(entry.path) for entry in entries if entry.is_file())
    return inside(folder).get(folder, [])


def subfolders(folder: Path) -> set[str]:
    """The names of the folders in a folder; none where it cannot be read."""
    if folder.is_dir():
        with suppress(OSError), os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_dir()}
    return {path.relative_to(folder).parts[0] for path in inside(folder) if folder in path.parents}


def inside(path: Path) -> dict[Path, list[Path]]:
    """The files of the zip that a path leads into, by their folders; none where there is no such zip."""
    archive = archive_of(path)
    return _members(archive, state(archive)) if archive is not None else {}


@lru_cache(maxsize=8)
def _members(archive: Path, state: tuple[int, int]) -> dict[Path, list[Path]]:
    """The files of a zip by their folders; none where it cannot be opened."""
    folders: dict[Path, list[Path]] = {}
    with suppress(OSError, Unreadable, zipfile.BadZipFile), zipfile.ZipFile(archive) as opened:
        for member in walk(opened, lambda member: 0):
            path = archive.joinpath(*member.inside)
            folders.setdefault(path.parent, []).append(path)
    return folders


def read_file(path: Path, limit_mb: float) -> bytes:
    """A file of a folder or of a zip, as `beside` names it; Unreadable or OSError where it cannot be had."""
    if (archive := archive_of(path)) is None:
        if path.stat().st_size > limit_mb * 1_000_000:
            raise Unreadable("photos.file_size", limit=limit_mb)
        return path.read_bytes()
    with zipfile.ZipFile(archive) as opened:
        for member in walk(opened, lambda member: limit_mb if archive.joinpath(*member.inside) == path else None):
            if member.refusal is not None:
                raise member.refusal
            try:
                return opened.read(member.info)
            except Exception as error:  # what is damaged fails in the manner of zlib, of zipfile
                raise Unreadable("photos.damaged", error=one_line(error)) from error
    raise Unreadable("photos.missing")


def state(path: Path) -> tuple[int, int]:
    """By what it is seen that a file, or the zip around it, has changed."""
    stat = (archive_of(path) or path).stat()
    return stat.st_mtime_ns, stat.st_size


def archive_of(path: Path) -> Path | None:
    """The zip that a path leads into."""
    return next((up for up in (path, *path.parents) if is_zip(up.name) and up.is_file()), None)
