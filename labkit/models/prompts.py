"""What SAM may be asked, checked: points, boxes, contours and masks in pixels of the photo that was set."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from labkit.io.errors import LabkitError
from labkit.locale import number, plural, text

__all__ = ["any_given", "check_box", "check_mask", "check_points", "check_polygon"]


def any_given(given: Any) -> bool:
    """Whether something was given: not None and not empty."""
    return given is not None and (not hasattr(given, "__len__") or len(given) > 0)


def _numbers(given: Any, shape: str, columns: int | None) -> np.ndarray:
    """An array of finite numbers, `Nxcolumns` or of 4; LabkitError shows what was given."""
    try:
        array = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        array = np.full((1,), np.nan)
    if columns is not None:
        array = np.atleast_2d(array)
    fits = array.shape == (4,) if columns is None else array.ndim == 2 and array.shape[1] == columns
    if not fits or not np.isfinite(array).all():
        raise LabkitError(text("prompt.shape", given=str(given)[:80], shape=shape))
    return array


def _outside(key: str, size: tuple[int, int], file_size: tuple[int, int] | None, **values: object) -> LabkitError:
    """With both sizes where the photo in work is smaller than its file: then the coordinates are perhaps the file's."""
    said = text(f"prompt.{key}", width=size[1], height=size[0], **values)
    if file_size not in (None, size):
        scale = number(size[1] / file_size[1], 4)
        said += " " + text(
            "prompt.scaled", width=size[1], height=size[0], file=f"{file_size[1]}×{file_size[0]}", scale=scale
        )
    return LabkitError(said)


def check_points(
    points: Any, labels: Any, size: tuple[int, int], file_size: tuple[int, int] | None = None
) -> tuple[list[list[float]], list[int]]:
    """Points inside a photo of `size` (H, W) and their labels; `file_size` is that of its file, for the message."""
    array = _numbers(points, "[(x, y), …]", 2)
    for x, y in array:
        if not (0 <= x < size[1] and 0 <= y < size[0]):
            raise _outside("outside", size, file_size, x=f"{x:g}", y=f"{y:g}")
    signs = [1] * len(array) if labels is None else np.ravel(np.asarray(labels)).tolist()
    if len(signs) != len(array):
        raise LabkitError(text("prompt.labels", points=len(array), labels=len(signs)))
    if wrong := [sign for sign in signs if sign not in (0, 1)]:
        raise LabkitError(text("prompt.label_value", given=wrong[0]))
    return array.tolist(), [int(sign) for sign in signs]


def check_box(box: Any, size: tuple[int, int], file_size: tuple[int, int] | None = None) -> list[float]:
    """The part of a box that lies in the photo; one that goes beyond a photo made smaller was measured on its file."""
    height, width = size
    x0, y0, x1, y1 = given = _numbers(box, "(x0, y0, x1, y1)", None).tolist()
    x0, x1, y0, y1 = max(x0, 0.0), min(x1, float(width)), max(y0, 0.0), min(y1, float(height))
    if x0 >= x1 or y0 >= y1 or (_beyond(given, size) and file_size not in (None, size)):
        raise _outside("box", size, file_size, given=f"({', '.join(f'{n:g}' for n in given)})")
    return [x0, y0, x1, y1]


def check_polygon(
    polygon: Any, size: tuple[int, int], file_size: tuple[int, int] | None = None
) -> tuple[list[list[float]], np.ndarray]:
    """The contour's points and the mask of what is inside."""
    array = _numbers(polygon, "[(x, y), …]", 2)
    if len(array) < 3:
        raise LabkitError(plural("prompt.polygon", len(array)))
    image = Image.new("1", size[::-1])
    ImageDraw.Draw(image).polygon([tuple(point) for point in array], fill=1)
    mask = np.array(image)
    straight = np.linalg.matrix_rank(array - array[0]) < 2
    if straight or not mask.any():
        raise _outside("polygon_empty", size, file_size)
    if _beyond(array.ravel().tolist(), size) and file_size not in (None, size):
        raise _outside("polygon_outside", size, file_size)
    return array.tolist(), mask


def _beyond(coordinates: list[float], size: tuple[int, int]) -> bool:
    """Whether x or y, in turn, is larger than the photo, by more than a pixel."""
    return max(coordinates[::2]) > size[1] + 1 or max(coordinates[1::2]) > size[0] + 1


def check_mask(mask: Any, size: tuple[int, int]) -> np.ndarray:
    array = np.asarray(mask)
    if array.shape != size:
        raise LabkitError(text("prompt.mask", given=array.shape, valid=size))
    if not array.any():
        raise LabkitError(text("prompt.mask_empty"))
    return array.astype(bool)
