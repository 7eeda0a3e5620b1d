"""What annotations are made of, from files that may be broken or hostile: entries as masks, sizes looked at first.

`labelme`, `coco` and `masks` know the formats. Every error is a LabkitError that names the file. An entry that cannot
be read is named in `notes` and costs only itself, unless it is all that there is.
"""

import json
import math
import re
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from labkit.classes import VOC, LabelSet
from labkit.io.decode import ORIENTATION, Unreadable, opened, turn_hidden
from labkit.io.errors import LabkitError
from labkit.io.files import decoded, nfc, some
from labkit.io.folders import read_file
from labkit.locale import plural
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation

__all__ = ["MAX_PIXELS", "MAX_SIDE", "ODD", "Entries", "content", "file_name", "has_list", "joint", "parsed"]
__all__ += ["refused", "stem"]

_FILE_MB, _MAX_OBJECTS, _MAX_POINTS = 32, 200, 30_000
MAX_SIDE, MAX_PIXELS = 100_000, 89_000_000
"""What is larger is refused: hostile, or no mask of a photo in work."""

_STRETCH = 0.02
"""A mask may be so much wider or narrower than its photo, from rounding; a photo on its side is much more so."""

ODD = (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
"""What an entry raises that is not as its format says."""


def joint(*sets: LabelSet, named: Container[str] | None = None) -> LabelSet:
    """The classes of the first set and, after them, those that the others have besides, by key: all or the `named`."""
    rows: dict[str, tuple[str, ...]] = {}
    for labels in sets:
        for key, *row in zip(labels.keys, labels.names, labels.names_ru, labels.colors, strict=True):
            if labels is sets[0] or named is None or key in named:
                rows.setdefault(key, tuple(row))
    return sets[0] if len(rows) == len(sets[0]) else LabelSet(f"{sets[0].name}+", *zip(*rows.values(), strict=True))


def stem(photo: Photo) -> str:
    """What a photo's masks are named after: its file's stem, whatever it is called in its set."""
    return nfc(photo.path.stem if photo.path is not None else photo.name)


def file_name(photo: Photo) -> str:
    """The name of a photo's file; of one from an array, the photo's."""
    return nfc(photo.path.name if photo.path is not None else photo.name)


def refused(path: Path, key: str, count: int = 0, **values: object) -> LabkitError:
    """Only the file's name: the message stands in notebooks that are handed on."""
    return LabkitError(f"{path.name}: {plural(f'annotations.{key}', count, **values)}.")


def content(path: Path) -> bytes:
    """What is in a file, of at most 32 MB; LabkitError."""
    try:
        return read_file(path, _FILE_MB)
    except (OSError, Unreadable) as error:
        too_large = isinstance(error, Unreadable) and error.key.endswith("_size")
        raise refused(path, "large" if too_large else "missing", limit=_FILE_MB) from error


def parsed(path: Path) -> Any:
    """What a file of JSON says; LabkitError."""
    said = decoded(content(path))
    try:
        return json.loads(said)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; lists in lists in lists
        raise refused(path, "json", line=getattr(error, "lineno", 1), column=getattr(error, "colno", 1)) from error


def has_list(row: Any, key: str) -> bool:
    """Whether a record is one, and has a list there."""
    return isinstance(row, dict) and isinstance(row.get(key), list)


class Entries:
    """The entries of a file as masks at a photo's working size; `size` is (width, height) of what was annotated."""

    def __init__(self, path: Path, photo: Photo, classes: LabelSet = VOC):
        self.path, self.photo, self.classes = path, photo, joint(VOC, classes)
        self.size: tuple[int, int] = photo.original_size[::-1]
        self.number = 0
        self.notes: list[str] = []
        self.oriented = False  # whether a mask says by its own EXIF how it is turned
        self._masks: dict[Any, tuple[int | None, np.ndarray]] = {}

    def refused(self, key: str, count: int = 0, **values: object) -> LabkitError:
        """Of the file, and of the entry in it that was read last."""
        return refused(self.path, key, count, number=self.number, stem=stem(self.photo), **values)

    def note(self, key: str, count: int = 0, **values: object) -> None:
        """What is wrong and costs no more than itself."""
        self.notes.append(str(self.refused(key, count, **values)))

    @contextmanager
    def entry(self, number: int | None = None) -> Iterator[None]:
        """One entry, or a part of it: whatever is wrong with it is noted."""
        self.number = number or self.number
        try:
            yield
        except LabkitError as error:
            self.notes.append(str(error))
        except ODD:
            self.note("entry")

    def limit(self, objects: int, points: int = 0) -> None:
        """LabkitError where there is more to draw than a photo can need."""
        if objects > _MAX_OBJECTS or points > _MAX_POINTS:
            limits = {"most_objects": _MAX_OBJECTS, "most_points": _MAX_POINTS}
            raise self.refused("many", objects=objects, points=points, **limits)

    def sized(self, width: Any, height: Any) -> None:
        """Takes the size of what was annotated; where the file does not say it, the photo's file has it."""
        try:
            size = int(float(width)), int(float(height))
        except ODD:
            size = 0, 0
        if min(size) <= 0:
            self.note("no_size", width=self.size[0], height=self.size[1])
            return
        if max(size) > MAX_SIDE:
            raise self.refused("size", width=size[0], height=size[1], limit=MAX_SIDE)
        if not self._fits(*size):
            sizes = dict(zip(("width", "height", "photo_width", "photo_height"), size + self.size, strict=True))
            raise self.refused("turned" if self._fits(*size[::-1]) else "aspect", **sizes)
        self.size = size

    def _fits(self, width: int, height: int) -> bool:
        photo_height, photo_width = self.photo.original_size
        return abs(width * photo_height / photo_width - height) <= max(1.5, _STRETCH * height)

    def label(self, given: Any) -> tuple[int | None, str]:
        """The label id of a class, None for a place that shall not count, and the number behind its name, if any."""
        given = str(given)[:200].strip()
        name, number = re.fullmatch(r"(.*?)[\s._#№(-]*(\d*)\)?", given, re.DOTALL).groups()  # type: ignore[union-attr]
        if given == "__ignore__":  # labelme's name for a place that shall not count
            return None, ""
        try:
            return self.classes.id(name.strip("_")), number
        except ValueError as error:
            valid = ", ".join(map(self.classes.label, self.classes.ids))
            raise self.refused("label", label=given[:80], classes=self.classes.name, valid=valid) from error

    def add(self, label_id: int | None, mask: np.ndarray, group: Any = None) -> None:
        """Takes the mask of an object, or of a part of one: those of one class and one `group` are one."""
        key = ("lone", len(self._masks)) if group is None else ("group", str(group), label_id)
        self._masks[key] = (label_id, self._masks[key][1] | mask if key in self._masks else mask)

    def pairs(self, points: Any) -> np.ndarray:
        """Pairs of finite numbers as `Nx2` float."""
        try:
            pairs = np.array(points, float)
        except ODD:
            pairs = np.empty(0)
        if pairs.ndim != 2 or pairs.shape[1] != 2 or not (np.abs(pairs) < MAX_SIDE**2).all():  # nor NaN
            raise self.refused("points")
        return pairs

    def drawn(self, corners: np.ndarray) -> np.ndarray:
        """The mask of a polygon, `Nx2` in the file's coordinates."""
        height, width = self.photo.pixels.shape[:2]
        if len(corners) < 3:
            raise self.refused("corners", len(corners))
        if (np.abs(corners / self.size - 0.5) > 1.5).any():  # a little outside is cut off; this is a mistake
            raise self.refused("outside")
        if 0 <= corners.min() and corners.max() <= 1:  # of its size, as YOLO writes them
            raise self.refused("fractions")
        if np.linalg.matrix_rank(corners - corners[0], tol=1e-6) < 2:
            raise self.refused("flat")
        canvas = Image.new("1", (width, height))
        scaled = corners * np.divide((width, height), self.size)
        ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in scaled.tolist()], fill=1)
        return np.array(canvas)

    def seen(self) -> tuple[np.ndarray, np.ndarray]:
        """The columns and the rows of what was annotated at which the photo has pixels."""
        height, width = self.photo.pixels.shape[:2]
        sides = zip((width, height), self.size, strict=True)
        x, y = (((np.arange(n) + 0.5) * of / n).astype(np.int64) for n, of in sides)
        return x, y

    def image(self, path: Path, formats: list[str]) -> Image.Image:
        """A mask at the photo's working size, with no value that it did not have."""
        named = Entries(path, self.photo)
        try:
            with opened(content(path), formats, math.inf) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise named.refused("pixels", limit=MAX_PIXELS // 1_000_000)
                self.oriented |= ORIENTATION in image.getexif()
                if getattr(image, "n_frames", 1) > 1:
                    self.notes.append(str(named.refused("frames")))
                image = ImageOps.exif_transpose(image)
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
        if not segments and confidence.all():
            self.note("blank")
        if not self.oriented and turn_hidden(self.photo.orientation, self._fits(*self.size[::-1])):
            self.note("mirrored")
        made_by = {"annotation": self.path.name, "objects": objects, "notes": self.notes}
        return Segmentation(self.photo, ids, confidence, segments, self.classes, made_by)
