"""What several lectures measure: the photo that tells most, what of a map lies on the photo, boundary IoU."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from labkit.evaluation.metrics import eroded, iou
from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.models.semantic import pad
from labkit.photos import place_of
from labkit.segmentation import Segmentation, box_of

__all__ = ["boundary", "boundary_iou", "largest_label", "on_photo", "photo_part", "telling", "window"]


def telling(results: Sequence[Segmentation], name: str = "") -> Segmentation:
    """The result whose largest segment covers nearest to a third of its photo: neither a speck nor all of it.

    Where nothing was found on any photo, the first. With a `name` that photo's. LabkitError for no results at all, or
    for another name.
    """
    if not results:
        raise LabkitError(text("figures.no_results"))
    if name:
        return results[place_of([one.photo for one in results], name)]
    return min(results, key=lambda one: abs((one.largest.area if one.largest else 0) / one.ids.size - 1 / 3))


def largest_label(result: Segmentation) -> int:
    """The label id of the largest segment; 0, the background's, where nothing was found."""
    return result.largest.label_id if result.largest else 0


def photo_part(model: Any, result: Segmentation) -> tuple[float, float]:
    """The photo's share of the height and width of a semantic network's input: the rest is padding."""
    x = model._input(result.photo.pixels, result.made_by["settings"]["working_side"])
    padded = pad(x) if model._padded else x
    return x.shape[1] / padded.shape[1], x.shape[2] / padded.shape[2]


def on_photo(values: Any, part: tuple[float, float]) -> Any:
    """Of a map (`…xRxK`, an array or a tensor) what lies on the photo, `part` of its height and width."""
    rows, columns = (math.ceil(side * share - 1e-9) for side, share in zip(values.shape[-2:], part, strict=True))
    return values[..., :rows, :columns]


def window(mask: np.ndarray) -> tuple[slice, slice]:
    """The part of the photo around a mask (`HxW` bool), a twelfth of its sides wider; all of it for an empty mask."""
    x0, y0, x1, y1 = box_of(mask) if mask.any() else (0, 0, *mask.shape[::-1])
    below, beside = max(4, (y1 - y0) // 12), max(4, (x1 - x0) // 12)
    return slice(max(0, y0 - below), y1 + below), slice(max(0, x0 - beside), x1 + beside)


def boundary(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask (`HxW` bool) within d pixels of its contour, as `HxW` bool; the image's edge is contour too.

    d is 2 % of the image's diagonal, rounded, at least 1. Distance is the larger of the two offsets (Chebyshev), as
    in the authors' code, which erodes d times with a 3x3 square: here once with a square of 2d + 1.
    """
    d = max(1, round(0.02 * math.hypot(*mask.shape)))
    return mask.astype(bool) & ~eroded(mask, d)


def boundary_iou(mask: np.ndarray, reference: np.ndarray) -> float:
    """Intersection over union of the two masks' boundaries (Cheng et al., 2021, arXiv:2103.16562).

    |(G_d and G) and (P_d and P)| / |(G_d and G) or (P_d and P)|, where G_d is what lies within d of G's contour.
    Both are `HxW` bool. Two empty masks agree: 1.0. Raises ValueError where the shapes differ.
    """
    return iou(boundary(mask), boundary(reference))
