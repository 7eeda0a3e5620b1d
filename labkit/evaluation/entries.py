"""What annotations are made of: polygons, run lengths and PNGs from files that may be broken or hostile.

`annotations` knows the formats. Every error is a LabkitError that names the file; sizes are looked at first. An entry
that cannot be read is named in `notes` and costs only itself, unless it is all that there is.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from labkit.classes import IGNORE, VOC, LabelSet
from labkit.io.decode import Unreadable, opened
from labkit.io.errors import LabkitError
from labkit.io.files import some
from labkit.io.rle import run_lengths
from labkit.io.sources import read_file
from labkit.locale import plural
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation

__all__ = ["FILE_MB", "LOW", "Entries", "joint", "low"]

FILE_MB = 32
_MAX_SIDE, _MAX_PIXELS, _MAX_OBJECTS, _MAX_POINTS = 100_000, 89_000_000, 200, 30_000
"""What is larger is refused: hostile, or no mask of a photo in work."""

_UNKNOWN = "__ignore__"
"""What labelme calls a place that shall not count."""

_CORNERS = {"polygon": None, "rectangle": (2, 4), "circle": (2,)}
_CORNERS |= dict.fromkeys(("oriented_rectangle", "rotation", "quadrilateral"), (4,))
"""How many points a labelme shape of each kind has; None: any number. X-AnyLabeling's rectangles have four."""

_STRETCH = 0.02
"""A mask may be so much wider or narrower than its photo, from rounding; a photo on its side is much more so."""

LOW = 5
"""Label ids up to this are perhaps those of somebody's own few classes."""

_ODD = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)


def joint(*sets: LabelSet, named: Container[str] | None = None) -> LabelSet:
    """The classes of the first set and, after them, those that the others have besides, by key: all or the `named`."""
    rows: dict[str, tuple[str, ...]] = {}
    for labels in sets:
        for key, *row in zip(labels.keys, labels.names, labels.names_ru, labels.colors, strict=True):
            if labels is sets[0] or named is None or key in named:
                rows.setdefault(key, tuple(row))
    return sets[0] if len(rows) == len(sets[0]) else LabelSet(f"{sets[0].name}+", *zip(*rows.values(), strict=True))


def low(values: set[int]) -> str:
    """The classes that the label ids of masks count as, where none is higher than `LOW`; nothing for other masks."""
    ids = sorted(values - {0, IGNORE})
    return some([f"{n} ({VOC.label(n)})" for n in ids]) if max(ids, default=LOW + 1) <= LOW else ""


class Entries:
    """The entries of a file as masks at a photo's working size; `size` is (width, height) of what was annotated."""

    def __init__(self, path: Path, photo: Photo, classes: LabelSet = VOC):
        self.path, self.photo, self.classes = path, photo, joint(VOC, classes)
        height, width = photo.original_size or photo.pixels.shape[:2]
        self.size: tuple[int, int] = (width, height)
        self.notes: list[str] = []
        self._masks: dict[Any, tuple[int | None, np.ndarray]] = {}

    def refused(self, key: str, count: int = 0, **values: object) -> LabkitError:
        """Only the file's name: the message stands in notebooks that are handed on."""
        return LabkitError(f"{self.path.name}: {plural(f'annotations.{key}', count, **values)}.")

    def content(self) -> bytes:
        """What is in the file, of at most `FILE_MB`."""
        try:
            return read_file(self.path, FILE_MB)
        except Unreadable as error:
            raise self.refused("large", limit=FILE_MB) from error
        except OSError as error:
            raise self.refused("missing") from error

    @contextmanager
    def entry(self, number: int) -> Iterator[None]:
        """One entry: whatever is wrong with it is noted."""
        try:
            yield
        except LabkitError as error:
            self.notes.append(str(error))
        except _ODD:
            self.notes.append(str(self.refused("entry", number=number)))

    def limit(self, objects: int, points: int = 0) -> None:
        """LabkitError where there is more to draw than a photo can need."""
        if objects > _MAX_OBJECTS or points > _MAX_POINTS:
            limits = {"most_objects": _MAX_OBJECTS, "most_points": _MAX_POINTS}
            raise self.refused("many", objects=objects, points=points, **limits)

    def sized(self, width: Any, height: Any) -> None:
        """Takes the size of what was annotated; where the file does not say it, the photo's file has it."""
        try:
            size = int(float(width)), int(float(height))
        except _ODD:
            size = 0, 0
        if min(size) <= 0:
            self.notes.append(str(self.refused("no_size", width=self.size[0], height=self.size[1])))
            return
        if max(size) > _MAX_SIDE:
            raise self.refused("size", width=size[0], height=size[1], limit=_MAX_SIDE)
        photo_width, photo_height = self.size

        def fits(width: int, height: int) -> bool:
            return abs(width * photo_height / photo_width - height) <= max(1.5, _STRETCH * height)

        if not fits(*size):
            sizes = {"width": size[0], "height": size[1], "photo_width": photo_width, "photo_height": photo_height}
            raise self.refused("turned" if fits(*size[::-1]) else "aspect", **sizes)
        self.size = size

    def label(self, given: Any) -> tuple[int | None, str]:
        """The label id of a class, None for a place that shall not count, and the number behind its name, if any."""
        name, number = re.fullmatch(r"(.*?)[\s._-]*(\d*)", str(given).strip(), re.DOTALL).groups()  # type: ignore
        if str(given).strip() == _UNKNOWN:
            return None, ""
        try:
            return self.classes.id(name.strip("_")), number
        except ValueError as error:
            valid = ", ".join(map(self.classes.label, self.classes.ids))
            raise self.refused("label", label=str(given)[:80], classes=self.classes.name, valid=valid) from error

    def add(self, label_id: int | None, mask: np.ndarray, group: Any = None) -> None:
        """Takes the mask of an object, or of a part of one: those of one class and one `group` are one."""
        key = ("lone", len(self._masks)) if group is None else ("group", str(group), label_id)
        self._masks[key] = (label_id, self._masks[key][1] | mask if key in self._masks else mask)

    def shape(self, number: int, kind: Any, points: Any) -> np.ndarray:
        """The mask of a labelme shape; `points` are in the file's coordinates."""
        kind = kind or "polygon"
        corners = self._pairs(number, points)
        counts = _CORNERS.get(str(kind), ())
        if counts is not None and len(corners) not in counts:
            raise self.refused("shape", number=number, kind=str(kind)[:40], count=len(corners))
        if kind == "rectangle":
            (left, top), (right, bottom) = corners.min(0), corners.max(0)
            corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        elif kind == "circle":  # the centre and a point on it
            angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
            around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
            corners = corners[0] + np.hypot(*(corners[1] - corners[0])) * around
        return self._drawn(number, corners)

    def polygons(self, number: int, rows: list[Any]) -> np.ndarray:
        """The mask of COCO's polygons, `[[x, y, x, y, …], …]`; of several those without an area are passed over."""
        if rows and not any(isinstance(row, list) and len(row) != 2 for row in rows):
            rows = [rows]  # x, y, x, y, … or pairs of them
        if not any(rows):
            raise self.refused("box", number=number)
        parts, before = [], len(self.notes)
        for row in filter(None, rows):
            with self.entry(number):
                flat = np.ravel(row)
                self.limit(1, flat.size // 2)
                parts.append(self._drawn(number, self._pairs(number, flat if flat.size % 2 else flat.reshape(-1, 2))))
        if not parts:
            first, self.notes[before:] = self.notes[before], []
            raise LabkitError(first)
        return np.logical_or.reduce(parts)

    def _pairs(self, number: int, points: Any) -> np.ndarray:
        """Pairs of finite numbers as `Nx2` float."""
        try:
            pairs = np.array(points, float)
        except _ODD:
            pairs = np.empty(0)
        if pairs.ndim != 2 or pairs.shape[1] != 2 or not np.isfinite(pairs).all():
            raise self.refused("points", number=number)
        return pairs

    def _drawn(self, number: int, corners: np.ndarray) -> np.ndarray:
        """The mask of a polygon, `Nx2` in the file's coordinates."""
        height, width = self.photo.pixels.shape[:2]
        if len(corners) < 3:
            raise self.refused("corners", len(corners), number=number)
        if (np.abs(corners / self.size - 0.5) > 1.5).any():  # a little outside is cut off; this is a mistake
            raise self.refused("outside", number=number)
        if np.linalg.matrix_rank(corners - corners[0], tol=1e-6) < 2:
            raise self.refused("flat", number=number)
        canvas = Image.new("1", (width, height))
        scaled = corners * np.divide((width, height), self.size)
        ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in scaled.tolist()], fill=1)
        return np.array(canvas)

    def part(self, number: int, points: Any, encoded: Any) -> np.ndarray:
        """A labelme shape of kind `mask`: a PNG in base64, from one corner to another, both in."""
        corners = self._pairs(number, points)
        if len(corners) != 2 or (np.abs(corners) > _MAX_SIDE).any():
            raise self.refused("shape", number=number, kind="mask", count=len(corners))
        (left, top), (right, bottom) = corners.astype(int)
        try:
            with opened(base64.b64decode(encoded, validate=True), ["PNG"], _MAX_PIXELS) as image:
                if image.size != (right - left + 1, bottom - top + 1):
                    raise ValueError
                part = np.array(image.convert("I")) != 0
        except _ODD as error:
            raise self.refused("part", number=number) from error
        x, y = self._seen()
        x, y = x - left, y - top
        rows, columns = (0 <= y) & (y < part.shape[0]), (0 <= x) & (x < part.shape[1])
        mask = np.zeros(self.photo.pixels.shape[:2], bool)
        mask[np.ix_(rows, columns)] = part[np.ix_(y[rows], x[columns])]
        return mask

    def runs(self, number: int, rle: Any) -> np.ndarray:
        """COCO's RLE; it is looked up only where the photo has pixels, so that no size takes memory."""
        try:
            runs = run_lengths(rle, self.size[::-1])
        except ValueError as error:
            raise self.refused("rle", number=number) from error
        x, y = self._seen()
        return np.searchsorted(np.cumsum(runs), x[:, None] * self.size[1] + y, side="right").T % 2 == 1

    def _seen(self) -> tuple[np.ndarray, np.ndarray]:
        """The columns and the rows of what was annotated at which the photo has pixels."""
        height, width = self.photo.pixels.shape[:2]
        sides = zip((width, height), self.size, strict=True)
        x, y = (((np.arange(n) + 0.5) * of / n).astype(np.int64) for n, of in sides)
        return x, y

    def image(self, path: Path, formats: list[str]) -> Image.Image:
        """A mask at the photo's working size, with no value that it did not have."""
        named = Entries(path, self.photo)
        try:
            with opened(named.content(), formats, math.inf) as image:
                if image.width * image.height > _MAX_PIXELS:
                    raise named.refused("pixels", limit=_MAX_PIXELS // 1_000_000)
                named.sized(*image.size)
                return image.resize(self.photo.pixels.shape[1::-1], Image.Resampling.NEAREST)
        except LabkitError:
            raise
        except ValueError as error:
            raise named.refused("png", formats=", ".join(formats)) from error

    def composed(self, objects: bool = True) -> Segmentation:
        """The later of two objects lies on top in `ids`; the background cuts holes; nobody knows only where none is.

        LabkitError where nothing could be read and there was something.
        """
        if self.notes and not self._masks:
            said = some([note.removeprefix(f"{self.path.name}: ").rstrip(".") for note in self.notes], 5, "; ")
            raise LabkitError(f"{self.path.name}: {said}.")
        size = self.photo.pixels.shape[:2]
        ids, unknown = np.zeros(size, np.int32), np.zeros(size, bool)
        segments: list[Segment] = []
        for label_id, mask in self._masks.values():
            if label_id is None:
                unknown |= mask
            elif label_id == 0:
                ids[mask] = 0
                for segment in segments:
                    segment.mask[mask] = False
            elif mask.any():
                segments.append(Segment(len(segments) + 1, label_id, self.classes.names[label_id], 1.0, mask))
                ids[mask] = len(segments)
        confidence = (~unknown | (ids > 0)).astype(np.float32)
        segments = [s for s in segments if s.mask.any()]
        return Segmentation(self.photo, ids, confidence, segments, self.classes, self.made_by(objects))

    def made_by(self, objects: bool) -> dict[str, Any]:
        """What the ground truth says of itself."""
        return {"annotation": self.path.name, "objects": objects, "notes": self.notes}
