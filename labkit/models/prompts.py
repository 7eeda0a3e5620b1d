"""What SAM may be asked, checked: points, boxes, contours and masks in pixels of the photo that was set."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from labkit.io.errors import LabkitError
from labkit.io.rle import encode_mask
from labkit.locale import plural, text
from labkit.segmentation import Segment

__all__ = ["check"]


def check(
    size: tuple[int, int], points: Any, labels: Any, box: Any, mask: Any, polygon: Any
) -> tuple[dict[str, Any], np.ndarray | None]:
    """The prompts as plain lists, in pixels of a photo of `size`, and the mask: the one given or the contour's inside.

    A contour, and a mask without points, bring their box. LabkitError, with what is valid, for prompts that do not fit
    the photo or ask for nothing.
    """
    asked: dict[str, Any] = {}
    if _any_given(points):
        asked["points"], asked["point_labels"] = _check_points(points, labels, *size)
    elif _any_given(labels):
        raise LabkitError(text("prompt.labels", points=0, labels=np.size(labels)))
    if polygon is not None:
        if mask is not None:
            raise LabkitError(text("prompt.both"))
        asked["polygon"], mask = _check_polygon(polygon, *size)
    elif mask is not None:
        mask = _check_mask(mask, *size)
        asked["mask"] = encode_mask(mask)
    if box is None and mask is not None and ("polygon" in asked or "points" not in asked):
        box = Segment(1, 0, "", 1.0, mask).box
    if box is not None:
        asked["box"] = _check_box(box, *size)
    if not asked:
        raise LabkitError(text("prompt.nothing"))
    if not any(asked.get("point_labels", ())) and "box" not in asked:
        raise LabkitError(text("prompt.only_background"))
    return asked, mask


def _any_given(given: Any) -> bool:
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


def _check_points(points: Any, labels: Any, height: int, width: int) -> tuple[list[list[float]], list[int]]:
    array = _numbers(points, "[(x, y), …]", 2)
    for x, y in array:
        if not (0 <= x < width and 0 <= y < height):
            raise LabkitError(text("prompt.outside", x=f"{x:g}", y=f"{y:g}", width=width, height=height))
    signs = [1] * len(array) if labels is None else np.ravel(np.asarray(labels)).tolist()
    if len(signs) != len(array):
        raise LabkitError(text("prompt.labels", points=len(array), labels=len(signs)))
    if wrong := [sign for sign in signs if sign not in (0, 1)]:
        raise LabkitError(text("prompt.label_value", given=wrong[0]))
    return array.tolist(), [int(sign) for sign in signs]


def _check_box(box: Any, height: int, width: int) -> list[float]:
    """The part of a box that lies in the photo."""
    x0, y0, x1, y1 = _numbers(box, "(x0, y0, x1, y1)", None).tolist()
    x0, x1, y0, y1 = max(x0, 0.0), min(x1, float(width)), max(y0, 0.0), min(y1, float(height))
    if x0 >= x1 or y0 >= y1:
        raise LabkitError(text("prompt.box", given=str(list(box)), width=width, height=height))
    return [x0, y0, x1, y1]


def _check_polygon(polygon: Any, height: int, width: int) -> tuple[list[list[float]], np.ndarray]:
    """The contour's points and the mask of what is inside."""
    array = _numbers(polygon, "[(x, y), …]", 2)
    if len(array) < 3:
        raise LabkitError(plural("prompt.polygon", len(array)))
    image = Image.new("1", (width, height))
    ImageDraw.Draw(image).polygon([tuple(point) for point in array], fill=1)
    mask = np.array(image)
    straight = np.linalg.matrix_rank(array - array[0]) < 2
    if straight or not mask.any():
        raise LabkitError(text("prompt.polygon_empty", width=width, height=height))
    return array.tolist(), mask


def _check_mask(mask: Any, height: int, width: int) -> np.ndarray:
    array = np.asarray(mask)
    if array.shape != (height, width):
        raise LabkitError(text("prompt.mask", given=array.shape, valid=(height, width)))
    if not array.any():
        raise LabkitError(text("prompt.mask_empty"))
    return array.astype(bool)
