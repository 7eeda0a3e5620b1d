"""Photos in: a folder, files or a zip become a list of `Photo`, and nothing that was left out goes unsaid."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from labkit.io.decode import decode, why
from labkit.io.errors import LabkitError
from labkit.io.files import capped, fold, safe_name, some, unique_name
from labkit.io.jpeg import MAX_REPORT_SIDE, compact
from labkit.io.kit import KIT_IMAGES
from labkit.io.sources import Found, find, given
from labkit.locale import text

__all__ = ["MAX_PIXELS", "MAX_SIDE", "Photo", "PhotoSet", "Skipped", "load_photos", "photos_of", "place_of"]

MAX_SIDE = 2048  # the longest side of a photo in work; a larger one is scaled down while it is read
MAX_PIXELS = 200_000_000  # a file of more pixels is not decoded
_LISTED, _LISTED_IN_ERROR = 50, 10


@dataclass(frozen=True, eq=False, repr=False)
class Photo:
    """A photo, ready for a model.

    `name` is the file stem, unique in a set; `pixels` is `HxWx3` uint8 RGB, upright, C-contiguous; `path` is None for
    a photo made from an array and ZIP/MEMBER for one from a zip; `original_size` is (H, W) of the upright file before
    it was scaled down; `notes` say what was done to it; `jpeg` is a file of exactly these pixels for a report;
    `orientation` is EXIF's, by which the file was turned.
    """

    name: str
    pixels: np.ndarray
    path: Path | None = None
    original_size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    digest: str | None = None
    jpeg: bytes | None = None
    orientation: int = 1

    def __post_init__(self) -> None:
        if self.original_size is None:
            object.__setattr__(self, "original_size", self.pixels.shape[:2])

    @classmethod
    def from_pixels(cls, name: str, pixels: np.ndarray) -> Photo:
        """A photo of a copy of `pixels`, `HxWx3` uint8 RGB; LabkitError (a ValueError) where they are anything else."""
        dtype, shape = getattr(pixels, "dtype", type(pixels).__name__), tuple(getattr(pixels, "shape", ()))
        if dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or pixels.size == 0:
            raise LabkitError(text("photos.bad_pixels", name=name, got=f"{dtype}, {shape}"))
        return cls(safe_name(str(name)), np.array(pixels, order="C"))

    @property
    def scale(self) -> tuple[float, float]:
        """What (x, y) in pixels of the upright file is multiplied with to be in `pixels`; (1, 1) where they agree."""
        (height, width), (file_height, file_width) = self.pixels.shape[:2], self.original_size or (1, 1)
        return width / file_width, height / file_height

    @property
    def sha256(self) -> str:
        """Hexadecimal sha256 of the file's bytes, or of the pixels where there is no file."""
        return self.digest or hashlib.sha256(self.pixels.tobytes()).hexdigest()

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        return f"Photo({self.name!r}, {width}x{height})"


def photos_of(given: Photo | Iterable[Photo]) -> list[Photo]:
    """One photo or several as a list; LabkitError says how photos are had, where something else was given."""
    photos = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    for photo in photos:
        if not isinstance(photo, Photo):
            shown = " ".join(str(photo)[:60].split())
            raise LabkitError(text("photos.no_photo", given=f"{type(photo).__name__} ({shown})"))
    return photos


def place_of(photos: Sequence[Photo], wanted: Photo | str | None) -> int:
    """Where the wanted photo, or the one of that name, stands among others; 0 where none is wanted.

    LabkitError where it is not among them or no photo at all.
    """
    if wanted is None:
        return 0
    name, names = wanted if isinstance(wanted, str) else photos_of([wanted])[0].name, [photo.name for photo in photos]
    if name not in names:
        raise LabkitError(text("photos.not_among", given=name, valid=some(names)))
    return next((n for n, photo in enumerate(photos) if photo is wanted), names.index(name))


class Skipped(NamedTuple):
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
    whoever checks the report sees exactly what the model saw. LabkitError where there is no photo at all or the call is
    wrong.

    >>> photos = load_photos("data/images")
    Загружено 10 фото
    >>> photos[0]
    Photo('astronaut', 512x512)
    """
    for name, limit, default in (("max_side", max_side, MAX_SIDE), ("max_pixels", max_pixels, MAX_PIXELS)):
        if not isinstance(limit, int) or limit < 1:
            raise LabkitError(text("photos.bad_size", name=name, given=limit, least=1, default=default))
    if source is None:
        own = Path("photos")
        mine = own.is_dir() and any(True for _ in find(own))
        source = own if mine else KIT_IMAGES
        if not quiet:
            print(text("photos.own" if mine else "photos.kit"))
    photos = PhotoSet()
    first: dict[str, str] = {}
    taken: set[str] = set()
    for found in find(source):
        try:
            photos.append(_read(found, max_side, max_pixels, for_report))
        except Exception as error:  # one bad file must not cost the others, and Pillow raises nearly every kind
            photos.skipped.append(Skipped(found.name, why(error), found.path))
    _drop_masks(photos)
    for n, photo in enumerate(photos):
        photo = replace(photo, name=unique_name(Path(photo.path or ""), taken))
        if first.setdefault(photo.sha256, photo.name) != photo.name:
            photo = replace(photo, notes=(*photo.notes, text("photos.duplicate", other=first[photo.sha256])))
        photos[n] = photo
    if not photos:
        skipped = capped([f"  {one.name} — {one.reason}" for one in photos.skipped], _LISTED_IN_ERROR)
        listed = "\n".join(skipped) or text("photos.found_nothing")
        raise LabkitError(text("photos.nothing", given=given(source), found=listed))
    if not quiet:
        print(photos)
    return photos


def _read(found: Found, max_side: int, max_pixels: int, for_report: bool) -> Photo:
    with found.open() as file:
        digest = hashlib.file_digest(file, "sha256")  # type: ignore[arg-type]
        file.seek(0)
        image = decode(file, min(max_side, MAX_REPORT_SIDE) if for_report else max_side, max_pixels)
        pixels, jpeg = compact(image.pixels, file) if for_report else (image.pixels, None)
    notes = list(image.notes)
    (height, width), (new_height, new_width) = image.original_size, pixels.shape[:2]
    if (new_height, new_width) != (height, width):
        notes.append(text("photos.scaled", width=width, height=height, new_width=new_width, new_height=new_height))
    made = found.path, image.original_size, tuple(notes), digest.hexdigest(), jpeg, image.orientation
    return Photo(found.path.stem, pixels, *made)


def _drop_masks(photos: PhotoSet) -> None:
    """Moves to `skipped` what has the name and shape of another photo, and the few colours of its mask.

    Its own name or its folder's: some tools write `x/cat.png` for the cat of `x.jpg`.
    """
    few_colors = cache(_has_few_colors)
    named = []
    for photo in photos:
        path = photo.path or Path()
        named.append((photo, path, path.parent, fold(path.stem), fold(f"{path.parent.name} {path.stem}")))
    for (photo, path, folder, stem, whole), (other, its_path, its_folder, its_stem, _) in permutations(named, 2):
        name = stem if folder == its_folder else whole
        if its_stem in name and re.fullmatch(rf"(?:.*[\W_])?{re.escape(its_stem)}(?:[\W_].*|mask)?", name, re.DOTALL):
            (height, width), (its_height, its_width) = photo.pixels.shape[:2], other.pixels.shape[:2]
            alike = photo in photos and abs(width * its_height - height * its_width) <= its_width + its_height
            if alike and few_colors(photo) and not few_colors(other):
                photos.remove(photo)
                photos.skipped.append(Skipped(path.name, text("photos.like_mask", of=its_path.name), path))


def _has_few_colors(photo: Photo) -> bool:
    """Whether eight colours, or what a JPEG makes of them, are nearly all: a drawing, a mask."""
    step = max(1, max(photo.pixels.shape[:2]) // 200)
    colors = (photo.pixels[::step, ::step].astype(np.int32) >> 2) @ np.array([1 << 12, 1 << 6, 1])
    _, counts = np.unique(colors, return_counts=True)
    return bool(np.sort(counts)[-8:].sum() >= 0.95 * colors.size)
