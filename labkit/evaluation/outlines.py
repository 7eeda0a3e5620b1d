"""What reference masks are made of: outlines, run lengths and JSON from files that may be broken or hostile.

`references` reads the files. Every error is a LabkitError that names the file; sizes are looked at first.
"""

from __future__ import annotations

import base64
import io
import json
import unicodedata
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from labkit.io.errors import LabkitError
from labkit.io.rle import run_lengths
from labkit.locale import plural

if TYPE_CHECKING:
    from labkit.photos import Photo

__all__ = [
    "JSON_MB",
    "drawn",
    "limited",
    "normal",
    "outline",
    "places",
    "png_mask",
    "read_json",
    "refused",
    "run_mask",
    "scale",
    "stem",
]

JSON_MB = 32
_MAX_SIDE, _MAX_OBJECTS, _MAX_POINTS = 100_000, 200, 30_000
"""What is larger is refused: hostile, or no mask of a photo in work."""

_CORNERS = {"polygon": None, "oriented_rectangle": 4, "rectangle": 2, "circle": 2}
"""How many points a labelme shape of each kind has; None: any number."""

_STRETCH = 0.02
"""A mask may be so much wider or narrower than its photo, from rounding; a photo on its side is much more so."""


def read_json(path: Path) -> Any:
    """What is in a JSON file of at most `JSON_MB`."""
    if path.stat().st_size > JSON_MB * 1_000_000:
        raise refused(path, "large", limit=JSON_MB)
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise refused(path, "json", error=error) from error


def limited(path: Path, objects: int, points: int = 0) -> None:
    """LabkitError where there is more to draw than a photo can need."""
    if objects > _MAX_OBJECTS or points > _MAX_POINTS:
        raise refused(path, "many", objects=objects, points=points, most_objects=_MAX_OBJECTS, most_points=_MAX_POINTS)


def scale(path: Path, photo: Photo, size: tuple[Any, Any]) -> np.ndarray:
    """What a mask's (x, y) is multiplied with to fit the photo's working size; `size` is the mask's (width, height)."""
    if not all(type(n) is int and 0 < n <= _MAX_SIDE for n in size):
        raise refused(path, "size", width=size[0], height=size[1], limit=_MAX_SIDE)
    height, width = photo.original_size
    if abs(size[0] * height / width - size[1]) > max(1.5, _STRETCH * size[1]):
        raise refused(path, "aspect", width=size[0], height=size[1], photo_width=width, photo_height=height)
    return np.array(photo.pixels.shape[1::-1]) / size


def outline(path: Path, number: int, kind: Any, points: Any) -> np.ndarray:
    """The corners of a labelme shape, `Nx2` in its file's coordinates."""
    kind = kind or "polygon"
    corners = places(path, number, points)
    if _CORNERS.get(str(kind), 0) not in (None, len(corners)):
        raise refused(path, "shape", number=number, kind=str(kind)[:40], count=len(corners))
    if kind == "rectangle":
        return np.stack([corners[[0, 1, 1, 0], 0], corners[[0, 0, 1, 1], 1]], axis=1)
    if kind == "circle":  # the centre and a point on it
        angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
        return corners[0] + np.hypot(*(corners[1] - corners[0])) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return corners


def places(path: Path, number: int, points: Any) -> np.ndarray:
    """Pairs of finite numbers as `Nx2` float."""
    try:
        pairs = np.array(points, float)
    except (TypeError, ValueError, OverflowError):
        pairs = np.empty(0)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not np.isfinite(pairs).all():
        raise refused(path, "points", number=number)
    return pairs


def drawn(path: Path, number: int, corners: np.ndarray, photo: Photo) -> np.ndarray:
    """The mask of a polygon, `corners` being `Nx2` pixels of the photo's working size."""
    height, width = photo.pixels.shape[:2]
    if len(corners) < 3:
        raise refused(path, "corners", number=number, count=len(corners))
    if (np.abs(corners / (width, height) - 0.5) > 1.5).any():  # a little outside is cut off; this is a mistake
        raise refused(path, "outside", number=number)
    canvas = Image.new("1", (width, height))
    ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in corners.tolist()], fill=1)
    return np.array(canvas)


def png_mask(path: Path, number: int, points: Any, encoded: Any, size: tuple[int, int], photo: Photo) -> np.ndarray:
    """A labelme shape of kind `mask` in a picture of `size` (width, height) as a mask at the photo's working size.

    What it is made of is a PNG in base64, from one corner to another, both in.
    """
    corners = places(path, number, points)
    if len(corners) != 2 or (np.abs(corners) > _MAX_SIDE).any():
        raise refused(path, "shape", number=number, kind="mask", count=len(corners))
    (left, top), (right, bottom) = corners.astype(int)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True)), formats=["PNG"]) as image:
                if image.size != (right - left + 1, bottom - top + 1):
                    raise ValueError(f"{image.width}x{image.height}")
                part = np.array(image.convert("I")) != 0
    except Exception as error:  # Pillow raises nearly every kind for a damaged file
        raise refused(path, "part", number=number, error=error) from error
    x, y = _seen(size, photo)
    x, y = x - left, y - top
    rows, columns = (0 <= y) & (y < part.shape[0]), (0 <= x) & (x < part.shape[1])
    mask = np.zeros(photo.pixels.shape[:2], bool)
    mask[np.ix_(rows, columns)] = part[np.ix_(y[rows], x[columns])]
    return mask


def run_mask(path: Path, number: int, rle: Any, size: tuple[int, int], photo: Photo) -> np.ndarray:
    """COCO's RLE of a picture of `size` (width, height) as a mask at the photo's working size.

    It is looked up only where the photo has pixels, so that no size takes memory.
    """
    try:
        runs = run_lengths(rle, size[::-1])
    except ValueError as error:
        raise refused(path, "rle", number=number) from error
    x, y = _seen(size, photo)
    return np.searchsorted(np.cumsum(runs), x[:, None] * size[1] + y, side="right").T % 2 == 1


def _seen(size: tuple[int, int], photo: Photo) -> tuple[np.ndarray, np.ndarray]:
    """The columns and the rows of a picture of `size` (width, height) at which the photo has pixels."""
    height, width = photo.pixels.shape[:2]
    x, y = (((np.arange(n) + 0.5) * of / n).astype(np.int64) for n, of in zip((width, height), size, strict=True))
    return x, y


def refused(path: Path, key: str, count: int = 0, **values: object) -> LabkitError:
    """Only the file's name: the message stands in notebooks that are handed on."""
    return LabkitError(f"{path.name}: {plural(f'references.{key}', count, **values)}.")


def stem(photo: Photo) -> str:
    """What a photo's masks are named after: its file's stem, whatever it is called in its set."""
    return photo.path.stem if photo.path is not None else photo.name


def normal(name: str) -> str:
    """macOS writes the й of a file name as two characters."""
    return unicodedata.normalize("NFC", name)
