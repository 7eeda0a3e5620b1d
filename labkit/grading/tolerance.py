"""How far the masks of a report are from a model's own, as one number a photo.

Other processors and libraries round otherwise: what a model hardly decides may come out differently in an honest
report, a pixel between two classes as well as an object whose score is near the threshold. So the model's own answer
says of each mask which pixels are surely in it and which may be, and which masks a report cannot be without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

__all__ = ["MIN_UNION", "Own", "agreement"]

MIN_UNION = 0.01
"""A segment of a smaller part of the photo counts by its pixels only."""


@dataclass(frozen=True)
class Own:
    """What a model finds on a photo, N masks as COCO RLE.

    `inner` are the pixels that are surely in a mask, `outer` those that may be; a report must have the masks that are
    `needed` (N bool), or one that is `alike`: mask j can stand in the place of mask i (NxN bool). Pixels of
    `undecided` count in no mask.
    """

    labels: np.ndarray
    inner: list[dict[str, Any]]
    outer: list[dict[str, Any]]
    needed: np.ndarray
    alike: np.ndarray | None = None
    undecided: dict[str, Any] | None = None


def agreement(
    labels: Sequence[int], masks: Sequence[dict[str, Any]], own: Own, pixels: int
) -> tuple[float, np.ndarray]:
    """The IoU of a report's masks (`encode_mask`) with the model's own, in [0, 1], and what is missing (N bool).

    Masks of one class are paired, the most alike first. The IoU of a pair is that of its pixels without those that
    the model leaves open: |R ∩ inner| / |inner ∪ (R - outer)|. The IoU of the photo is the sum of the intersections
    over the sum of the unions, what is missing or too much being union only; or that of the worst pair, 0 for a mask
    that is missing or too much, among those of at least `MIN_UNION` of the photo's `pixels`, where it is smaller.
    """
    labels, areas = np.asarray(labels, int), _areas(masks)
    inner = _areas(own.inner)
    both = _intersections(masks, own.inner)
    either = inner + areas[:, None] - _intersections(masks, own.outer)
    ratio = np.where(either > 0, both / np.maximum(either, 1), 1.0)
    pairs = _paired(np.where(labels[:, None] == own.labels, ratio, 0.0))
    rows, columns = pairs[:, 0], pairs[:, 1]
    present = np.zeros(len(inner), bool)
    present[columns] = True
    if own.alike is not None:
        present |= own.alike[:, columns].any(1)
    missing = own.needed & ~present
    if own.undecided is not None:
        areas = areas - _intersections(masks, [own.undecided])[:, 0]
    extra = np.delete(areas, rows)
    unions = np.concatenate([either[rows, columns], inner[missing], extra])
    hits = np.concatenate([both[rows, columns], np.zeros(len(unions) - len(pairs))])
    large = unions >= MIN_UNION * pixels
    whole = hits.sum() / unions.sum() if unions.sum() else 1.0
    return float(min([whole, *(hits[large] / unions[large])])), missing


def _areas(masks: Sequence[dict[str, Any]]) -> np.ndarray:
    return np.asarray(coco_mask.area(list(masks)), float) if len(masks) else np.zeros(0)


def _intersections(masks: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> np.ndarray:
    """`NxM` pixels; with "crowd" masks pycocotools divides by the first mask's area alone."""
    if not len(masks) or not len(others):
        return np.zeros((len(masks), len(others)))
    parts = coco_mask.iou(list(masks), list(others), [1] * len(others))
    return np.rint(np.nan_to_num(np.asarray(parts, float)) * _areas(masks)[:, None])


def _paired(ratio: np.ndarray) -> np.ndarray:
    """Rows and columns of a matrix in pairs (`Kx2`), the largest value first, zeros never."""
    pairs, ratio = [], ratio.copy()
    while ratio.size and ratio.max() > 0:
        row, column = np.unravel_index(ratio.argmax(), ratio.shape)
        pairs.append((row, column))
        ratio[row], ratio[:, column] = 0, 0
    return np.array(pairs, int).reshape(-1, 2)
