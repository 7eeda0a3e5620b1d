"""Photos in: a folder, files or a zip become a list of `Photo`, and nothing that was left out goes unsaid."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from labkit.io.decode import Unreadable, decode
from labkit.io.errors import LabkitError
from labkit.io.files import capped, safe_name, some
from labkit.io.jpeg import MAX_REPORT_SIDE, compact
from labkit.io.kit import KIT_IMAGES
from labkit.io.sources import Found, find, shown
from labkit.locale import text

__all__ = ["MAX_PIXELS", "MAX_SIDE", "Photo", "PhotoError", "PhotoSet", "Skipped", "load_photos"]

MAX_SIDE = 2048
"""The longest side of a photo in work; a larger one is scaled down while it is read."""

MAX_PIXELS = 200_000_000
"""A file of more pixels is not decoded."""

_LISTED, _LISTED_IN_ERROR = 50, 10


class PhotoError(LabkitError):
    """Nothing could be loaded, or the call was wrong; says what was given, found and valid, and the next step."""


@dataclass(frozen=True, eq=False, repr=False)
class Photo:
    """A photo, ready for a model.

    `name` is the file stem, unique in a set; `pixels` is `HxWx3` uint8 RGB, upright, C-contiguous; `path` is None for
    a photo made from an array and ZIP/MEMBER for one from a zip; `original_size` is (H, W) of the upright file before
    it was scaled down; `notes` say what was done to it; `jpeg` is a file of exactly these pixels for a report.
    """

    name: str
    pixels: np.ndarray
    path: Path | None = None
    original_size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    digest: str | None = None
    jpeg: bytes | None = None

    def __post_init__(self) -> None:
        if self.original_size is None:
            object.__setattr__(self, "original_size", self.pixels.shape[:2])

    @classmethod
    def from_pixels(cls, name: str, pixels: np.ndarray) -> Photo:
        """A photo of a copy of `pixels`, `HxWx3` uint8 RGB; PhotoError (a ValueError) where they are anything else."""
        if not isinstance(pixels, np.ndarray):
            raise PhotoError(text("photos.bad_pixels", name=name, got=type(pixels).__name__))
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
            got = f"{pixels.dtype}, {pixels.shape}"
            raise PhotoError(text("photos.bad_pixels", name=name, got=got))
        return cls(safe_name(str(name)), np.array(pixels, order="C"))

    @property
    def sha256(self) -> str:
        """Hexadecimal sha256 of the file's bytes, or of the pixels where there is no file."""
        return self.digest or hashlib.sha256(self.pixels.tobytes()).hexdigest()

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        return f"Photo({self.name!r}, {width}x{height})"


@dataclass(frozen=True)
class Skipped:
    """A file that gave no photo: `name` as the user knows it, `reason` in their language, and the whole `path`."""

    name: str
    reason: str
    path: Path


class PhotoSet(list[Photo]):
    """A list of photos that also knows what was `skipped`; `str()` of it is the summary that is printed."""

    def __init__(self, photos: Iterable[Photo] = (), skipped: Iterable[Skipped] = ()):
        super().__init__(photos)
        self.skipped: list[Skipped] = list(skipped)

    def __str__(self) -> str:
        noted: dict[str, list[str]] = {}
        for photo in self:
            for note in photo.notes:
                noted.setdefault(note, []).append(photo.name)
        lines = [text("photos.loaded", count=len(self))]
        lines += capped([f"  {some(names)} — {note}" for note, names in noted.items()], _LISTED)
        if self.skipped:
            lines.append(text("photos.skipped", count=len(self.skipped)))
            lines += capped([f"  {one.name} — {one.reason}" for one in self.skipped], _LISTED)
        return "\n".join(lines)


def load_photos(
    source: str | os.PathLike[str] | list | tuple | None = None,
    *,
    max_side: int = MAX_SIDE,
    max_pixels: int = MAX_PIXELS,
    for_report: bool = False,
    quiet: bool = False,
) -> PhotoSet:
    """All photos of a folder (with its subfolders), a file, a zip, or a list of these.

    Without a source: those of the folder `photos` here, where it holds any, else the ten of the kit; which is said.
    A folder and a zip are read in natural order (2 before 10), a list in its own. A file that cannot be read never
    stops the rest: it is in `skipped` with its reason, and in the summary, which is printed once unless `quiet`.
    With `for_report` each photo is first made a JPEG of at most 1024 pixels a side and 80 kB: a report carries it, and
    whoever checks the report sees exactly what the model saw. PhotoError where there is no photo at all or the call is
    wrong.

    >>> photos = load_photos("data/images")
    Загружено 10 фото
    >>> photos[0]
    Photo('astronaut', 512x512)
    """
    for name, given, default in (("max_side", max_side, MAX_SIDE), ("max_pixels", max_pixels, MAX_PIXELS)):
        if not isinstance(given, int) or given < 1:
            raise PhotoError(text("photos.bad_size", name=name, given=given, default=default))
    if source is None:
        source = _own_or_kit(quiet)
    photos = PhotoSet()
    first: dict[str, str] = {}
    taken: set[str] = set()
    for found in (found for path in _flatten(source) for found in find(path)):
        try:
            photo = _read(found, max_side, max_pixels, for_report)
        except Exception as error:  # one bad file must not cost the others, and Pillow raises nearly every kind
            photos.skipped.append(Skipped(found.name, _reason(error), found.path))
            continue
        photo = replace(photo, name=_unique(found.path, taken))
        if first.setdefault(photo.sha256, photo.name) != photo.name:
            note = text("photos.duplicate", other=first[photo.sha256])
            photo = replace(photo, notes=(*photo.notes, note))
        photos.append(photo)
    if not photos:
        skipped = capped([f"  {one.name} — {one.reason}" for one in photos.skipped], _LISTED_IN_ERROR)
        listed = "\n".join(skipped) or text("photos.found_nothing")
        raise PhotoError(text("photos.nothing", given=_given(source), found=listed))
    if not quiet:
        print(photos)
    return photos


def _read(found: Found, max_side: int, max_pixels: int, for_report: bool) -> Photo:
    with found.open() as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        file.seek(0)
        image = decode(file, min(max_side, MAX_REPORT_SIDE) if for_report else max_side, max_pixels)
        pixels, jpeg = compact(image.pixels, file) if for_report else (image.pixels, None)
    notes = [text(key, **values) for key, values in image.notes]
    if pixels.shape[:2] != image.original_size:
        height, width, new_height, new_width = (*image.original_size, *pixels.shape[:2])
        sizes = {"width": width, "height": height, "new_width": new_width, "new_height": new_height}
        notes.append(text("photos.scaled", **sizes))
    digits = digest.hexdigest()
    return Photo(found.path.stem, pixels, found.path, image.original_size, tuple(notes), digits, jpeg)


def _own_or_kit(quiet: bool) -> Path:
    own = Path("photos")
    mine = own.is_dir() and any(True for _ in find(own))
    if not quiet:
        print(text("photos.own" if mine else "photos.kit"))
    return own if mine else KIT_IMAGES


def _flatten(source: object) -> Iterator[str | os.PathLike[str]]:
    if isinstance(source, (list, tuple)):
        for one in source:
            yield from _flatten(one)
    elif isinstance(source, (str, os.PathLike)) and os.fspath(source):
        yield source
    else:
        given = repr(source) if isinstance(source, (str, int, float, bytes)) else type(source).__name__
        raise PhotoError(text("photos.bad_source", given=given[:80]))


def _reason(error: Exception) -> str:
    if isinstance(error, Unreadable):
        return str(error)
    if isinstance(error, PermissionError):
        return text("photos.no_permission")
    return text("photos.damaged", error=f"{type(error).__name__}: {error}"[:200])


def _unique(path: Path, taken: set[str]) -> str:
    """A name that is free also on a disk that takes Cat and cat for one: stem, folder_stem, folder_stem_2, …"""
    stem = safe_name(path.stem)
    folder = Path(os.path.abspath(path)).parent.name
    longer = safe_name(f"{folder[:-4] if folder.lower().endswith('.zip') else folder}_{path.stem}")
    names, number = [stem, longer], 2
    while names[0].casefold() in taken:
        names = [*names[1:], f"{longer}_{number}"]
        number += 1
    taken.add(names[0].casefold())
    return names[0]


def _given(source: str | os.PathLike[str] | list | tuple) -> str:
    if isinstance(source, (list, tuple)):
        return f"[{some([_given(one) for one in source])}]"
    return f"«{shown(source)}»"
