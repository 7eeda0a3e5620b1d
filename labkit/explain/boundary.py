"""Boundary IoU: how well the contours of two masks agree, whatever lies inside of them."""

from __future__ import annotations

import math

import numpy as np

from labkit.evaluation.metrics import eroded, iou

__all__ = ["boundary", "boundary_iou"]


def boundary(mask: np.ndarray, share: float = 0.02) -> np.ndarray:
    """The pixels of a mask (`HxW` bool) within d pixels of its contour, as `HxW` bool; the image's edge is contour too.

    d is `share` of the image's diagonal, rounded, at least 1. Distance is the larger of the two offsets (Chebyshev), as
    in the authors' code, which erodes d times with a 3x3 square: here once with a square of 2d + 1.
    ValueError where `share` is not in (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share is {share}; it must lie above 0 and at most at 1, as 0.02 for 2 % of the diagonal")
    d = max(1, round(share * math.hypot(*mask.shape)))
    return mask.astype(bool) & ~eroded(mask, d)


def boundary_iou(mask: np.ndarray, reference: np.ndarray, share: float = 0.02) -> float:
    """Intersection over union of the two masks' boundaries (Cheng et al., 2021, arXiv:2103.16562).

    |(G_d and G) and (P_d and P)| / |(G_d and G) or (P_d and P)|, where G_d is what lies within d of G's contour.
    Both are `HxW` bool. Two empty masks agree: 1.0. Raises ValueError where the shapes differ or as `boundary` does.
    """
    return iou(boundary(mask, share), boundary(reference, share))
