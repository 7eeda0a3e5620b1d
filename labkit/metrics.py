"""How well masks agree with a reference: IoU, Dice, pixel accuracy."""

from __future__ import annotations

import numpy as np

from labkit.classes import IGNORE

__all__ = ["class_iou", "confusion", "dice", "iou", "mean_iou", "pixel_accuracy"]


def iou(mask: np.ndarray, reference: np.ndarray) -> float:
    """Intersection over union of two masks (the Jaccard index).

    Both are `HxW` bool. Two empty masks agree: 1.0. Raises ValueError, naming both shapes, where they differ.
    """
    both, either = _counts(mask, reference)
    return both / either if either else 1.0


def dice(mask: np.ndarray, reference: np.ndarray) -> float:
    """Dice coefficient 2|A∩B| / (|A| + |B|) of two masks, as `iou` in everything else."""
    both, either = _counts(mask, reference)
    return 2 * both / (both + either) if either else 1.0


def confusion(labels: np.ndarray, reference: np.ndarray, classes: int) -> np.ndarray:
    """`CxC` int64: how many pixels of reference class i (row) were given class j (column).

    Both are `HxW` label ids; pixels where the reference is 255 do not count. The matrices of photos add up.
    Raises ValueError where the shapes differ or a label that counts is not in 0 to `classes` - 1.
    """
    if labels.shape != reference.shape:
        raise ValueError(f"the labels are {labels.shape}, the reference {reference.shape}: they must be of one size")
    valid = reference != IGNORE
    rows, columns = reference[valid].astype(np.int64), labels[valid].astype(np.int64)
    for name, ids in (("labels", columns), ("reference", rows)):
        if ids.size and not 0 <= ids.min() <= ids.max() < classes:
            raise ValueError(
                f"the {name} have the ids {ids.min()} to {ids.max()}; {classes} classes have 0 to {classes - 1}"
            )
    return np.bincount(rows * classes + columns, minlength=classes * classes).reshape(classes, classes)


def class_iou(matrix: np.ndarray) -> np.ndarray:
    """IoU of each class over all pixels of a set (as PASCAL VOC counts), NaN where a class occurs nowhere."""
    hits = np.diag(matrix).astype(float)
    union = matrix.sum(0) + matrix.sum(1) - hits
    return np.divide(hits, union, out=np.full(len(hits), np.nan), where=union > 0)


def mean_iou(matrix: np.ndarray) -> float:
    """The mean of `class_iou` over all classes; one that the reference does not show counts 0 if it was predicted.

    NaN where no pixel counts.
    """
    return float(np.nanmean(class_iou(matrix))) if matrix.sum() else float("nan")


def pixel_accuracy(matrix: np.ndarray) -> float:
    """The share of labelled pixels that were given their class."""
    return float(np.trace(matrix) / matrix.sum()) if matrix.sum() else float("nan")


def _counts(mask: np.ndarray, reference: np.ndarray) -> tuple[int, int]:
    if mask.shape != reference.shape:
        raise ValueError(f"the mask is {mask.shape}, the reference {reference.shape}: they must be of one size")
    mask, reference = mask.astype(bool), reference.astype(bool)
    return int(np.count_nonzero(mask & reference)), int(np.count_nonzero(mask | reference))
