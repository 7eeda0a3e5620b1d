"""What SAM may be asked, checked: points, boxes, contours and masks in pixels of the photo that was set."""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from labkit.io.errors import LabkitError
from labkit.io.rle import encode_mask
from labkit.locale import number, plural, text
from labkit.photos import Photo
from labkit.segmentation import box_of

__all__ = ["check"]


def check(
    photo: Photo, points: Any, labels: Any, box: Any, mask: Any, polygon: Any
) -> tuple[dict[str, Any], np.ndarray | None]:
    """The prompts as plain lists, in pixels of the photo, and the mask: the one given or the contour's inside.

    A contour, and a mask without points, bring their box. LabkitError, with what is valid, for prompts that do not fit
    the photo or ask for nothing.
    """
    asked: dict[str, Any] = {}
    if _any_given(points):
        asked["points"], asked["point_labels"] = _check_points(points, labels, photo)
    elif _any_given(labels):
        raise LabkitError(text("prompt.labels", points=0, labels=np.asarray(labels, dtype=object).size))
    if polygon is not None:
        if mask is not None:
            raise LabkitError(text("prompt.both"))
        asked["polygon"], mask = _check_polygon(polygon, photo)
    elif mask is not None:
        mask = _check_mask(mask, photo.pixels.shape[:2])
        asked["mask"] = encode_mask(mask)
    if box is None and mask is not None and ("polygon" in asked or "points" not in asked):
        box = box_of(mask)
    if box is not None:
        asked["box"] = _check_box(box, photo)
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
    except (TypeError, ValueError, OverflowError):
        array = np.full((1,), np.nan)
    if columns is not None:
        array = np.atleast_2d(array)
    fits = array.shape == (4,) if columns is None else array.ndim == 2 and array.shape[1] == columns
    if not fits or not np.isfinite(array).all():
        raise LabkitError(text("prompt.shape", given=str(given)[:80], shape=shape))
    return array


def _outside(key: str, photo: Photo, **values: object) -> LabkitError:
    """With both sizes where the photo in work is smaller than its file: then the coordinates are perhaps the file's."""
    size = {"height": photo.pixels.shape[0], "width": photo.pixels.shape[1]}
    said = text(f"prompt.{key}", **size, **values)
    if photo.scale != (1, 1):
        file = "×".join(map(str, reversed(photo.original_size or ())))
        said += " " + text("prompt.scaled", **size, file=file, scale=number(photo.scale[0], 4))
    return LabkitError(said)


def _check_points(points: Any, labels: Any, photo: Photo) -> tuple[list[list[float]], list[int]]:
    array = _numbers(points, "[(x, y), …]", 2)
    for x, y in array:
        if not (0 <= x < photo.pixels.shape[1] and 0 <= y < photo.pixels.shape[0]):
            raise _outside("outside", photo, x=f"{x:g}", y=f"{y:g}")
    signs = [1] * len(array) if labels is None else np.ravel(np.asarray(labels, dtype=object)).tolist()
    if len(signs) != len(array):
        raise LabkitError(text("prompt.labels", points=len(array), labels=len(signs)))
    if wrong := [sign for sign in signs if sign not in (0, 1)]:
        raise LabkitError(text("prompt.label_value", given=wrong[0]))
    return array.tolist(), [int(sign) for sign in signs]


def _check_box(box: Any, photo: Photo) -> list[float]:
    """The part of a box that lies in the photo; one that goes beyond a photo made smaller was measured on its file."""
    height, width = photo.pixels.shape[:2]
    x0, y0, x1, y1 = given = _numbers(box, "(x0, y0, x1, y1)", None).tolist()
    x0, x1, y0, y1 = max(x0, 0.0), min(x1, float(width)), max(y0, 0.0), min(y1, float(height))
    if x0 >= x1 or y0 >= y1 or _of_the_file(given, photo):
        raise _outside("box", photo, given=f"({', '.join(f'{n:g}' for n in given)})")
    return [x0, y0, x1, y1]


def _check_polygon(polygon: Any, photo: Photo) -> tuple[list[list[float]], np.ndarray]:
    """The contour's points and the mask of what is inside."""
    array = _numbers(polygon, "[(x, y), …]", 2)
    if len(array) < 3:
        raise LabkitError(plural("prompt.polygon", len(array)))
    image = Image.new("1", photo.pixels.shape[1::-1])
    ImageDraw.Draw(image).polygon([tuple(point) for point in array], fill=1)
    mask = np.array(image)
    straight = np.linalg.matrix_rank(array - array[0]) < 2
    if straight or not mask.any():
        raise _outside("polygon_empty", photo)
    if _of_the_file(array.ravel().tolist(), photo):
        raise _outside("polygon_outside", photo)
    return array.tolist(), mask


def _of_the_file(coordinates: list[float], photo: Photo) -> bool:
    """Whether x or y, in turn, goes beyond a photo made smaller, by more than a pixel."""
    beyond = max(coordinates[::2]) > photo.pixels.shape[1] + 1 or max(coordinates[1::2]) > photo.pixels.shape[0] + 1
    return beyond and photo.scale != (1, 1)


def _check_mask(mask: Any, size: tuple[int, int]) -> np.ndarray:
    array = np.asarray(mask)
    if array.shape != size:
        raise LabkitError(text("prompt.mask", given=array.shape, valid=size))
    if not array.any():
        raise LabkitError(text("prompt.mask_empty"))
    return array.astype(bool)
