"""Where photos come from: the files of a folder or a zip in natural order, each opened only when its turn comes.

Nothing is unpacked to disk. What cannot be a photo is passed over in silence only where nobody would miss it; any other
file is given, and says at `open` why it cannot be had.
"""

import io
import os
import re
import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from labkit.io.decode import IMAGE_SUFFIXES, Unreadable
from labkit.io.errors import LabkitError, one_line
from labkit.io.files import fold, local, natural, nfc, some
from labkit.io.folders import beside, is_zip
from labkit.io.masks import masked, masks_among
from labkit.io.zips import walk
from labkit.locale import text

__all__ = ["SILENT_NAMES", "Found", "find", "given", "shown"]

ZIP_MEMBER_MB, ZIP_TOTAL_MB = 300, 4000
"""Of a photo in a zip, and of all of them."""

_SILENT_SUFFIXES = (".json", ".txt", ".md", ".csv", ".xml", ".yaml", ".yml", ".html", ".ipynb", ".py", ".aae", ".xmp")
_LIVE_SUFFIXES = (".mov", ".mp4", ".mp")
"""Of the film of a Live Photo, which a phone gives with the photo and under its name."""

SILENT_NAMES = {"thumbs.db", "desktop.ini", "__macosx"}


@dataclass(frozen=True)
class Found:
    """A file on the way in, or why it is none; `name` is for the user to read."""

    name: str
    path: Path
    opener: Callable[[], BinaryIO] | Exception

    def open(self) -> BinaryIO:
        """Its bytes; Unreadable or OSError where they cannot be had."""
        if isinstance(self.opener, Exception):
            raise self.opener
        return self.opener()


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
    path, name = local(source), shown(source)
    if re.match("https?:/", name, re.IGNORECASE):
        yield Found(name, path, Unreadable("photos.url"))
    elif os.path.isdir(path):
        yield from _find_in_folder(path)
    elif is_zip(path.name) and os.path.isfile(path):
        yield from _find_in_zip(path, name)
    else:
        around = [path, *(beside(path.parent) if masked(path.stem) else [])]
        is_mask = (path.name,) in masks_among((one.name,) for one in around)
        yield Found(name, path, Unreadable("photos.mask") if is_mask else partial(_open, path))


def given(source: object) -> str:
    """What `find` was given, for a line of text."""
    return f"[{some(list(map(given, source)))}]" if isinstance(source, (list, tuple)) else f"«{shown(source)}»"


def shown(path: str | os.PathLike[str]) -> str:
    """A path for a line of text: a name that is not text, or holds a line break, must not break the printing of it."""
    return "".join(c if c.isprintable() else "?" for c in nfc(os.fspath(path)))


def _find_in_folder(folder: Path) -> Iterator[Found]:
    found: dict[tuple[str, ...], Any] = {}
    visited = {os.path.realpath(folder)}

    def forbidden(error: OSError) -> None:
        found[Path(error.filename).relative_to(folder).parts or (folder.name,)] = error

    for root, folders, files in os.walk(folder, followlinks=True, onerror=forbidden):
        inside = Path(root).relative_to(folder).parts
        entered = []
        for name in sorted(folders, key=natural):
            real = os.path.realpath(os.path.join(root, name))
            if _silent((name, "")) or real in visited:  # a link may lead back to where it stands
                continue
            if Path(name).suffix.lower() in IMAGE_SUFFIXES:
                found[*inside, name] = Unreadable("photos.folder")
            else:
                visited.add(real)
                entered.append(name)
        folders[:] = entered
        for name in files:
            found[*inside, name] = partial(_open, Path(root, name))
    verdicts = _verdicts(found)
    for parts in sorted(verdicts, key=lambda parts: [natural(part) for part in parts]):
        yield Found(shown("/".join(parts)), folder.joinpath(*parts), verdicts[parts] or found[parts])


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
            verdicts = _verdicts([member.inside for member in walk(archive, lambda member: 0)])
            allowed: dict[Any, Any] = {parts: refusal or ZIP_MEMBER_MB for parts, refusal in verdicts.items()}
            for member in walk(archive, lambda member: allowed.get(member.inside), ZIP_TOTAL_MB):
                opener = member.refusal or (lambda info=member.info: io.BytesIO(archive.read(info)))
                yield Found(shown("/".join(member.inside)), path.joinpath(*member.inside), opener)
    except (PermissionError, Unreadable) as error:
        yield Found(name, path, error)
    except Exception as error:  # a damaged directory fails in the manner of struct, of codecs, of zipfile
        yield Found(name, path, Unreadable("photos.bad_zip", error=one_line(error)))


def _verdicts(paths: Collection[tuple[str, ...]]) -> dict[tuple[str, ...], Unreadable | None]:
    """Of these files all but those that are passed over in silence, each with why it is no photo, if that is known."""
    masks = masks_among(paths)
    split = {parts: os.path.splitext(fold("/".join(parts))) for parts in paths}
    photos = {stem for stem, suffix in split.values() if suffix in IMAGE_SUFFIXES}
    verdicts: dict[tuple[str, ...], Unreadable | None] = {}
    for parts in paths:
        if parts[-1].lower().endswith(".icloud"):
            verdicts[parts] = Unreadable("photos.icloud")
        elif split[parts][1] in _LIVE_SUFFIXES and split[parts][0] in photos:
            continue
        elif not _silent(parts) and (of := masks.get(parts)) != "":
            zipped = Unreadable("photos.nested_zip") if is_zip(parts[-1]) else None
            verdicts[parts] = Unreadable("photos.mask_alone", folder=of) if of else zipped
    return verdicts


def _silent(parts: tuple[str, ...]) -> bool:
    """Whether a file, by its path, is none that anyone would miss: hidden, a note, the system's own."""
    lowered = [part.lower() for part in parts]
    hidden = any(part.startswith(".") or part in SILENT_NAMES for part in lowered)
    return hidden or lowered[-1].endswith(_SILENT_SUFFIXES)
