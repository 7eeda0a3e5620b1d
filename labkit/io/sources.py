"""Where photos come from: the files of a folder or a zip in natural order, each opened only when its turn comes.

Nothing is unpacked to disk. What cannot be a photo is passed over in silence only where nobody would miss it; any other
file is given, and says at `open` why it cannot be had.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO

from labkit.io.decode import Unreadable
from labkit.io.errors import LabkitError
from labkit.io.files import natural, nfc, some
from labkit.io.zips import Member, walk
from labkit.locale import text

__all__ = [
    "IMAGE_SUFFIXES",
    "SILENT_NAMES",
    "Found",
    "annotations_in",
    "beside",
    "find",
    "given",
    "mask_folders",
    "masked",
    "read_file",
    "shown",
    "state",
]

ZIP_MEMBER_MB, ZIP_TOTAL_MB = 300, 4000
"""Of a photo in a zip, and of all of them."""

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".heic", ".heif", ".avif"}
MASK_FOLDERS = {"masks", "outlines", "labels", "annotations", "segmentationclass", "segmentationobject"}
"""In lower case: where annotation tools put masks, which are no photos."""

_PERHAPS_FOLDER = re.compile(
    r"(?:\w+[_-])?(?:masks?|labels?)|annotations?|outlines|gt|ground[ _-]?truth|ann|segmentation(?:class|object)\w*",
    re.IGNORECASE,
)
"""A folder of masks, or of photos of labels or of people in masks: then there are no photos of the same names."""

_NO_LABELS = re.compile(r"object|visuali[sz]", re.IGNORECASE)
_LABEL_STUDIO = re.compile(r"project-\d+-at-.*", re.IGNORECASE)

_SILENT_SUFFIXES = (".json", ".txt", ".md", ".csv", ".xml", ".yaml", ".yml")
SILENT_NAMES = {"thumbs.db", "desktop.ini", "__macosx"}
_MASK = re.compile(
    r"(?:.*/)?(?:[^/]+\.mask\.\w+|[^/]+\.(?:ids|classes)\.png|task-\d+-annotation-[^/]*-tag-[^/]*)"
    r"|[^/]+_json/label(?:_viz)?\.png",
    re.IGNORECASE,
)
"""By its name alone: a mask beside a photo, what Segmentation.save, Label Studio and labelme's converter write."""

_ANNOTATIONS = (".json", "labelmap.txt", "_classes.csv")
"""How the names of annotations end that are no masks, and of what tells the classes of masks."""

_PERHAPS_MASK = re.compile(r"(.+)[._-](?:masks?|label|gt|seg(?:mentation)?)", re.IGNORECASE | re.DOTALL)
"""The stem of a mask, or of a photo of somebody in one."""

_Opener = Callable[[], BinaryIO]


@dataclass(frozen=True)
class Found:
    """A file on the way in: `open` gives its bytes, or raises Unreadable or OSError; `name` is for the user to read."""

    name: str
    path: Path
    open: _Opener


def find(source: object) -> Iterator[Found]:
    """Every file that may be a photo: of a folder with its subfolders, of a zip, the one file that `source` is, a list.

    LabkitError where it is no path.
    """
    if isinstance(source, (list, tuple)):
        for one in source:
            yield from find(one)
        return
    if not isinstance(source, (str, os.PathLike)) or not os.fspath(source):
        named = repr(source) if isinstance(source, (str, int, float, bytes)) else type(source).__name__
        raise LabkitError(text("photos.bad_source", given=named[:80]))
    path, name = Path(source).expanduser(), shown(source)
    if re.match("https?:/", name, re.IGNORECASE):
        yield Found(name, path, _refusal("photos.url"))
    elif os.path.isdir(path):
        yield from _find_in_folder(path)
    elif _is_zip(path.name) and os.path.isfile(path):
        yield from _find_in_zip(path, name)
    else:
        around = [path, *(beside(path.parent) if _PERHAPS_MASK.fullmatch(path.stem) else [])]
        is_mask = (path.name,) in _masks((one.name,) for one in around)
        yield Found(name, path, _refusal("photos.mask") if is_mask else partial(_open, path))


def given(source: object) -> str:
    """What `find` was given, for a line of text."""
    return f"[{some(list(map(given, source)))}]" if isinstance(source, (list, tuple)) else f"«{shown(source)}»"


def shown(path: str | os.PathLike[str]) -> str:
    """A path for a line of text: a name that is not text, or holds a line break, must not break the printing of it."""
    name = nfc(os.fspath(path))
    return "".join(c if c.isprintable() else "?" for c in name)


def _find_in_folder(folder: Path) -> Iterator[Found]:
    found: dict[tuple[str, ...], _Opener] = {}
    visited = {os.path.realpath(folder)}

    def forbidden(error: OSError) -> None:
        found[Path(error.filename).relative_to(folder).parts or (folder.name,)] = partial(_raise, error)

    for root, folders, files in os.walk(folder, followlinks=True, onerror=forbidden):
        inside = Path(root).relative_to(folder).parts
        entered = []
        for name in sorted(folders, key=natural):
            real = os.path.realpath(os.path.join(root, name))
            if _silent((name, "")) or real in visited:  # a link may lead back to where it stands
                continue
            if Path(name).suffix.lower() in IMAGE_SUFFIXES:
                found[*inside, name] = _refusal("photos.folder")
            else:
                visited.add(real)
                entered.append(name)
        folders[:] = entered
        for name in files:
            found[*inside, name] = partial(_open, Path(root, name))
    verdicts = _verdicts(found)
    for parts in sorted(verdicts, key=lambda parts: [natural(part) for part in parts]):
        refusal = verdicts[parts]
        opener = partial(_raise, refusal) if refusal is not None else found[parts]
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
        with zipfile.ZipFile(path) as archive:
            verdicts = _verdicts([_inside(member) for member in walk(archive, lambda member: 0)])
            allowed: dict[Any, Any] = {parts: refusal or ZIP_MEMBER_MB for parts, refusal in verdicts.items()}
            for member in walk(archive, lambda member: allowed.get(_inside(member)), ZIP_TOTAL_MB):
                parts, refusal = _inside(member), member.refusal
                opener = partial(_open_member, archive, member.info) if refusal is None else partial(_raise, refusal)
                yield Found(shown("/".join(parts)), path.joinpath(*parts), opener)
    except (PermissionError, Unreadable) as error:
        yield Found(name, path, partial(_raise, error))
    except Exception as error:  # a damaged directory fails in the manner of struct, of codecs, of zipfile
        yield Found(name, path, _refusal("photos.bad_zip", error=error))


def _verdicts(paths: Collection[tuple[str, ...]]) -> dict[tuple[str, ...], Unreadable | None]:
    """Of these files all but those that are passed over in silence, each with why it is no photo, if that is known."""
    masks = _masks(paths)
    verdicts: dict[tuple[str, ...], Unreadable | None] = {}
    for parts in paths:
        if parts and not _silent(parts) and (of := masks.get(parts)) != "":
            zipped = Unreadable("photos.nested_zip") if _is_zip(parts[-1]) else None
            verdicts[parts] = Unreadable("photos.mask_alone", folder=of) if of else zipped
    return verdicts


def _inside(member: Member) -> tuple[str, ...]:
    """The path of a member, for display: nothing is written there."""
    return tuple(part for part in member.parts if part != "..")


def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    return io.BytesIO(archive.read(info))


def _refusal(key: str, **values: object) -> _Opener:
    return partial(_raise, Unreadable(key, **values))


def _raise(error: Exception) -> Any:
    raise error


def _is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def _silent(parts: tuple[str, ...]) -> bool:
    """Whether a file, by its path, is none that anyone would miss: hidden, a note, the system's own."""
    lowered = [part.lower() for part in parts]
    hidden = any(part.startswith(".") or part in SILENT_NAMES for part in lowered)
    return hidden or lowered[-1].endswith(_SILENT_SUFFIXES)


def _masks(paths: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Which of these files are masks: "" by the path of one whose photo is there too, else the folder that says so."""
    masks: dict[tuple[str, ...], str] = {}
    perhaps: dict[tuple[str, ...], tuple[str, str]] = {}
    photos = set()
    for parts in paths:
        stem, suffix = os.path.splitext(nfc(parts[-1]).casefold())
        folder = next((part for part in parts[:-1] if part.lower() in MASK_FOLDERS), "")
        inside = any(map(_PERHAPS_FOLDER.fullmatch, parts[:-1]))
        if _MASK.fullmatch("/".join(parts[-2:])):
            masks[parts] = ""
        elif suffix in IMAGE_SUFFIXES and (inside or masked(stem)):
            perhaps[parts] = (masked(stem) or stem, folder)
        if not inside and suffix in IMAGE_SUFFIXES:
            photos.add(stem)
    for parts, (stem, folder) in perhaps.items():
        if folder or stem in photos:
            masks[parts] = "" if stem in photos else folder
    return masks


def masked(stem: str) -> str:
    """Of what a file is a mask if it is one, by its stem: `x` of `x_mask`; nothing where its name does not say so."""
    named = _PERHAPS_MASK.fullmatch(stem)
    return named[1] if named else ""


def mask_folders(folder: Path) -> list[Path]:
    """Those in a folder, or in a folder in a zip, in which the masks of classes or other annotations lie."""
    names: set[str] = set()
    if folder.is_dir():
        with suppress(OSError), os.scandir(folder) as entries:
            names = {entry.name for entry in entries if entry.is_dir()}
    elif (archive := _archive(folder)) is not None:
        inside = [path for path in _members(archive, state(archive)) if folder in path.parents]
        names = {path.relative_to(folder).parts[0] for path in inside}
    wanted = [name for name in names if _PERHAPS_FOLDER.fullmatch(name) and not _NO_LABELS.search(name)]
    return [folder / name for name in sorted([*wanted, *filter(_LABEL_STUDIO.fullmatch, names)])]


def beside(folder: Path) -> list[Path]:
    """The files of a folder, or of a folder in a zip (ZIP/FOLDER), by name; none where there is no folder."""
    if folder.is_dir():
        with os.scandir(folder) as entries:  # only files: opening a pipe would wait for ever
            return sorted(Path(entry.path) for entry in entries if entry.is_file())
    if (archive := _archive(folder)) is None:
        return []
    return _members(archive, state(archive)).get(folder, [])


def annotations_in(archive: Path) -> Iterator[tuple[Path, Path]]:
    """What may be ground truth in a zip, each file with its place beside the photos, once these lie in one folder.

    Masks, JSON and lists of classes; of their folders only one of masks stays.
    """
    members = [path for of_folder in _members(archive, state(archive)).values() for path in of_folder]
    masks = _masks(path.relative_to(archive).parts for path in members)
    for path in members:
        if path.relative_to(archive).parts in masks or path.name.lower().endswith(_ANNOTATIONS):
            folder = path.parent.name if _PERHAPS_FOLDER.fullmatch(path.parent.name) else ""
            yield path, Path(folder, path.name)


@lru_cache(maxsize=8)
def _members(archive: Path, state: tuple[int, int]) -> dict[Path, list[Path]]:
    """The files of a zip by their folders; none where it cannot be opened."""
    folders: dict[Path, list[Path]] = {}
    with suppress(OSError, Unreadable, zipfile.BadZipFile), zipfile.ZipFile(archive) as opened:
        for member in walk(opened, lambda member: 0):
            path = archive.joinpath(*_inside(member))
            folders.setdefault(path.parent, []).append(path)
    return folders


def read_file(path: Path, limit_mb: float) -> bytes:
    """A file of a folder or of a zip, as `beside` names it; Unreadable or OSError where it cannot be had."""
    if (archive := _archive(path)) is None:
        if path.stat().st_size > limit_mb * 1_000_000:
            raise Unreadable("photos.file_size", limit=limit_mb)
        return path.read_bytes()
    with zipfile.ZipFile(archive) as opened:
        for member in walk(opened, lambda member: limit_mb if archive.joinpath(*_inside(member)) == path else None):
            return opened.read(member.info) if member.refusal is None else _raise(member.refusal)
    raise Unreadable("photos.missing")


def state(path: Path) -> tuple[int, int]:
    """By what it is seen that a file, or the zip around it, has changed."""
    stat = (_archive(path) or path).stat()
    return stat.st_mtime_ns, stat.st_size


def _archive(path: Path) -> Path | None:
    """The zip that a path leads into."""
    return next((up for up in (path, *path.parents) if _is_zip(up.name) and up.is_file()), None)
