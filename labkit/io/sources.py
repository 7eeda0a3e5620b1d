"""Where photos come from: the files of a folder or a zip in natural order, each opened only when its turn comes.

Nothing is unpacked to disk. What cannot be a photo is passed over in silence only where nobody would miss it; any other
file is given, and says at `open` why it cannot be had.
"""

from __future__ import annotations

import io
import os
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from labkit.io.decode import Unreadable

__all__ = [
    "IMAGE_SUFFIXES",
    "SILENT_NAMES",
    "ZIP_MEMBERS",
    "Found",
    "find",
    "member_name",
    "natural",
    "refusal_of_member",
    "shown",
]

ZIP_MEMBERS = 10_000
ZIP_MEMBER_MB = 300
ZIP_TOTAL_MB = 4000
ZIP_RATIO = 300
"""A zip of more files, with a larger file, larger in all, or a file that shrank more than so many times is a bomb."""

_MB = 1_000_000
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".heic", ".heif", ".avif"}
_MASK_SUFFIXES = (".mask.png", ".ids.png", ".classes.png")  # references, and what Segmentation.save writes
_SILENT_SUFFIXES = (".json", ".txt", ".md", *_MASK_SUFFIXES)
SILENT_NAMES = {"thumbs.db", "desktop.ini", "__macosx"}
_MASK_FOLDERS = {"masks", "outlines"}
_FRAMES = re.compile("[\u2500-\u25ff\u0404\u0407\u040e\u0454\u0457\u045e°∙·√¤]")

_Opener = Callable[[], BinaryIO]


@dataclass(frozen=True)
class Found:
    """A file on the way in: `open` gives its bytes, or raises Unreadable or OSError; `name` is for the user to read."""

    name: str
    path: Path
    open: _Opener
    on_disk: bool = True


def find(source: str | os.PathLike[str]) -> Iterator[Found]:
    """Every file that may be a photo: of a folder with its subfolders, of a zip, or the one file that `source` is."""
    path, name = Path(source).expanduser(), shown(source)
    if re.match("https?:/", name, re.IGNORECASE):
        yield Found(name, path, _refusal("photos.url"))
    elif os.path.isdir(path):
        yield from _find_in_folder(path)
    elif _is_zip(path.name) and os.path.isfile(path):
        yield from _find_in_zip(path, name)
    elif path.name.lower().endswith(_MASK_SUFFIXES):
        yield Found(name, path, _refusal("photos.mask"))
    else:
        yield Found(name, path, partial(_open, path))


def shown(path: str | os.PathLike[str]) -> str:
    """A path for a line of text: a name that is not text, or holds a line break, must not break the printing of it."""
    name = unicodedata.normalize("NFC", os.fspath(path))
    return "".join(c if c.isprintable() else "?" for c in name)


def _find_in_folder(folder: Path) -> Iterator[Found]:
    found: list[tuple[tuple[str, ...], _Opener]] = []
    visited = {os.path.realpath(folder)}

    def forbidden(error: OSError) -> None:
        found.append((Path(error.filename).relative_to(folder).parts or (folder.name,), partial(_raise, error)))

    for root, folders, files in os.walk(folder, followlinks=True, onerror=forbidden):
        inside = Path(root).relative_to(folder).parts
        entered = []
        for name in sorted(folders, key=natural):
            real = os.path.realpath(os.path.join(root, name))
            if _silent((name, "")) or real in visited:  # a link may lead back to where it stands
                continue
            if Path(name).suffix.lower() in IMAGE_SUFFIXES:
                found.append(((*inside, name), _refusal("photos.folder")))
                continue
            visited.add(real)
            entered.append(name)
        folders[:] = entered
        for name in files:
            if not _silent((name,)):
                opener = _refusal("photos.nested_zip") if _is_zip(name) else partial(_open, Path(root, name))
                found.append(((*inside, name), opener))
    for parts, opener in sorted(found, key=lambda one: _order(one[0])):
        yield Found(shown("/".join(parts)), folder.joinpath(*parts), opener)


def _open(path: Path) -> BinaryIO:
    if not os.path.lexists(path):
        raise Unreadable("photos.missing")
    if not os.path.exists(path):
        raise Unreadable("photos.broken_link")
    if not os.path.isfile(path):  # opening a pipe would wait for ever
        raise Unreadable("photos.not_file")
    return path.open("rb")


def _find_in_zip(path: Path, name: str) -> Iterator[Found]:
    try:
        archive = zipfile.ZipFile(path)
    except PermissionError as error:
        yield Found(name, path, partial(_raise, error))
        return
    except Exception as error:  # a damaged directory fails in the manner of struct, of codecs, of zipfile
        yield Found(name, path, _refusal("photos.bad_zip", error=error))
        return
    with archive:
        members = [(_member_parts(info), info) for info in archive.infolist()]
        if len(members) > ZIP_MEMBERS:
            yield Found(name, path, _refusal("photos.zip_members", count=len(members), limit=ZIP_MEMBERS))
            return
        members = [(parts, info) for parts, info in members if parts and not _silent(parts)]
        room = ZIP_TOTAL_MB * _MB
        for parts, info in sorted(members, key=lambda member: _order(member[0])):
            refused = refusal_of_member(info, room, ZIP_MEMBER_MB, ZIP_TOTAL_MB)
            if _is_zip(parts[-1]):
                refused = Unreadable("photos.nested_zip")
            opener = partial(_open_member, archive, info) if refused is None else partial(_raise, refused)
            if refused is None:
                room -= info.file_size
            yield Found(shown("/".join(parts)), path.joinpath(*parts), opener, on_disk=False)


def _member_parts(info: zipfile.ZipInfo) -> tuple[str, ...]:
    """The path of a member, empty for a folder."""
    name = member_name(info)
    if name.endswith("/"):
        return ()
    return tuple(part for part in name.split("/") if part not in ("", ".", ".."))


def member_name(info: zipfile.ZipInfo) -> str:
    """What a member of a zip is called, its folders parted by `/`; a folder's name ends with one.

    Without the UTF-8 flag zipfile reads a name as cp437, but a Russian Windows writes it in cp866, some of its programs
    in cp1251; macOS and some tools of Linux write UTF-8 and do not say so.
    """
    name = info.filename
    if not info.flag_bits & 0x800:
        try:
            raw = name.encode("cp437")
            try:
                name = raw.decode("utf-8")
            except UnicodeDecodeError:
                name = _russian(raw)
        except UnicodeEncodeError:
            pass  # the name came from a Unicode field, not from cp437
    return name.replace("\\", "/")


def _russian(raw: bytes) -> str:
    """In cp866 the capitals of cp1251 are frames and shades, and most of its small letters signs."""
    dos, windows = raw.decode("cp866"), raw.decode("cp1251", errors="replace")
    return windows if _FRAMES.search(dos) and re.search("[А-яЁё]", windows) else dos


def refusal_of_member(info: zipfile.ZipInfo, room: int, member_mb: int, total_mb: int) -> Unreadable | None:
    """Why a member is not read, None where it may be; `room` is what is left, in bytes, of the limit for them all."""
    ratio = info.file_size / max(1, info.compress_size)
    if info.flag_bits & 0x1:
        return Unreadable("photos.zip_encrypted")
    if info.file_size > member_mb * _MB:
        return Unreadable("photos.zip_member_size", limit=member_mb)
    if ratio > ZIP_RATIO and info.file_size > 10 * _MB:
        return Unreadable("photos.zip_ratio", ratio=round(ratio))
    if info.file_size > room:
        return Unreadable("photos.zip_total", limit=total_mb)
    return None


def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    with archive.open(info) as member:  # gives no more than file_size bytes, whatever the data would unpack to
        return io.BytesIO(member.read())


def _refusal(key: str, **values: object) -> _Opener:
    return partial(_raise, Unreadable(key, **values))


def _raise(error: Exception) -> BinaryIO:
    raise error


def _is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def _silent(parts: tuple[str, ...]) -> bool:
    """Whether a file, by its path, is none that anyone would miss: hidden, a note, a mask, the system's own."""
    *folders, name = (part.lower() for part in parts)
    return (
        any(part.startswith(".") or part in SILENT_NAMES for part in (*folders, name))
        or any(part in _MASK_FOLDERS for part in folders)
        or name.endswith(_SILENT_SUFFIXES)
    )


def _order(parts: tuple[str, ...]) -> tuple:
    return tuple(natural(part) for part in parts)


def natural(name: str) -> tuple:
    """Sorts IMG_2 before IMG_10; digits stay text, since int() refuses very long ones."""
    pieces = re.split("([0-9]+)", unicodedata.normalize("NFC", name).casefold())
    return [(len(p.lstrip("0")), p.lstrip("0")) if n % 2 else p for n, p in enumerate(pieces)], name
