"""How well masks agree with the ground truth: IoU, Dice, pixel accuracy; mask AP and panoptic quality of objects."""

import contextlib
import io
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy import ndimage

from labkit.classes import IGNORE
from labkit.io.rle import encode_mask
from labkit.segmentation import Segment, Segmentation

__all__ = ["class_scores", "confusion", "eroded", "innermost", "iou"]
__all__ += ["mask_ap", "overall_scores", "panoptic_quality", "regions"]


def iou(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two masks (the Jaccard index).

    Both are `HxW` bool. Two empty masks agree: 1.0. Raises ValueError, naming both shapes, where they differ.

    >>> iou(np.array([[True, True, False]]), np.array([[False, True, True]]))
    0.3333333333333333
    """
    _check_shapes(mask, truth)
    both, either = (int(np.count_nonzero(join(mask, truth))) for join in (np.logical_and, np.logical_or))
    return both / either if either else 1.0


def _check_shapes(given: np.ndarray, truth: np.ndarray) -> None:
    if given.shape != truth.shape:
        raise ValueError(f"the mask is {given.shape}, the ground truth {truth.shape}: they must be of one size")


def eroded(mask: np.ndarray, distance: int) -> np.ndarray:
    """The pixels of a mask (`HxW` bool) around which a square of 2 `distance` + 1 pixels a side lies inside of it.

    Beyond the image is not inside.
    """
    return _depth(mask) > distance


def _depth(mask: np.ndarray) -> np.ndarray:
    """The half side of the largest square around each pixel that lies inside the mask, plus 1; 0 outside of it."""
    return ndimage.distance_transform_cdt(np.pad(mask.astype(bool), 1), "chessboard")[1:-1, 1:-1]


def innermost(mask: np.ndarray) -> tuple[int, int]:
    """The pixel (x, y) of a mask (`HxW` bool, not empty) around which the largest square lies inside the mask.

    Of several the one nearest to their middle. SAM is asked with the like of it (Kirillov et al., 2023, appendix D.1).
    """
    inside = _depth(mask)
    places = np.argwhere(inside == inside.max())
    row, column = places[np.square(places - places.mean(0)).sum(1).argmin()]
    return int(column), int(row)


def regions(mask: np.ndarray) -> np.ndarray:
    """The connected regions of a mask (`HxW` bool), sides touching, from 1, the largest: `HxW` int32, 0 outside."""
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    ranks = np.zeros(count + 1, np.int32)
    ranks[1 + np.argsort(-sizes, kind="stable")] = 1 + np.arange(count)
    return ranks[labels]


def confusion(labels: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """`CxC` int64: how many pixels that are of class i (row) were given class j (column).

    Both are `HxW` label ids; pixels where the ground truth is 255 do not count. The matrices of photos add up.
    Raises ValueError where the shapes differ or a label that counts is not in 0 to `classes` - 1.
    """
    _check_shapes(labels, truth)
    counted = truth != IGNORE
    true, given = truth[counted].astype(np.int64), labels[counted]
    for name, ids in (("labels", given), ("ground truth", true)):
        if ids.size and not 0 <= ids.min() <= ids.max() < classes:
            found = f"the {name} have the ids {ids.min()} to {ids.max()}"
            raise ValueError(f"{found}; {classes} classes have 0 to {classes - 1}")
    return np.bincount(true * classes + given, minlength=classes**2).reshape(classes, classes)


def class_scores(matrix: np.ndarray) -> list[np.ndarray]:
    """IoU (as PASCAL VOC counts it), Dice 2|A∩B| / (|A| + |B|) and accuracy of each class over all pixels of a set.

    The accuracy is n_ii / t_i (Long et al., 2015, section 5). NaN where a class occurs nowhere; where only the model
    has it, the accuracy alone is.
    """
    hits, given, true = np.diag(matrix), matrix.sum(0), matrix.sum(1)
    shares = ((hits, given + true - hits), (2 * hits, given + true), (hits, true))
    return [np.divide(part, whole, out=np.full(len(hits), np.nan), where=whole > 0) for part, whole in shares]


def overall_scores(matrix: np.ndarray) -> tuple[float, float]:
    """The mean IoU of all classes, and the share of labelled pixels that were given their class.

    A class that the ground truth does not show counts 0 in the mean if it was predicted. NaN where no pixel counts.
    """
    if not matrix.any():
        return np.nan, np.nan
    return float(np.nanmean(class_scores(matrix)[0])), float(np.trace(matrix) / matrix.sum())


def mask_ap(
    predicted: Sequence[Sequence[Segment]], objects: Sequence[Sequence[Segment]], ignored: Sequence[np.ndarray]
) -> dict[int, tuple[float, float]]:
    """COCO's mask average precision of each label id that occurs: (AP at IoU 0.5, AP over IoU 0.5 to 0.95).

    One entry a photo: the segments that were found, the objects that are there, and where (`HxW` bool) nobody knows:
    as in a COCO crowd, a segment of which more than half lies there, or that fits no object there, does not count.
    Computed by pycocotools, with at most 100 segments a photo.
    """
    labels = sorted({segment.label_id for photo in objects for segment in photo})
    images, annotations, detections = [], [], []
    for photo, (segments, true, unknown) in enumerate(zip(predicted, objects, ignored, strict=True), start=1):
        images.append({"id": photo, "height": unknown.shape[0], "width": unknown.shape[1]})
        crowds = [(label_id, unknown, 1) for label_id in labels if unknown.any()]
        for label_id, mask, crowd in [*((s.label_id, s.mask, 0) for s in true), *crowds]:
            row = _coco_row(photo, label_id, mask)
            annotations.append({**row, "id": len(annotations) + 1, "iscrowd": crowd})
        detections += [{**_coco_row(photo, s.label_id, s.mask), "score": s.score} for s in segments]
    if not detections:
        return dict.fromkeys(labels, (0.0, 0.0))
    truth, categories = COCO(), [{"id": label_id} for label_id in labels]
    truth.dataset = {"info": {}, "images": images, "annotations": annotations, "categories": categories}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        truth.createIndex()
        scoring = COCOeval(truth, truth.loadRes(detections), "segm")
        scoring.evaluate()
        scoring.accumulate()
    precision = scoring.eval["precision"][:, :, :, 0, 2]  # IoU x recall x class, all areas, 100 segments
    means = zip(precision[0].mean(0).tolist(), precision.mean((0, 1)).tolist(), strict=True)
    return dict(zip(labels, means, strict=True))


def _coco_row(photo: int, label_id: int, mask: np.ndarray) -> dict[str, Any]:
    area, rle = int(np.count_nonzero(mask)), encode_mask(mask)
    return {"image_id": photo, "category_id": label_id, "segmentation": rle, "area": area}


def panoptic_quality(pairs: Sequence[tuple[Segmentation, Segmentation]]) -> dict[int, tuple[float, float, float]]:
    """PQ, SQ and RQ of each label id that is seen (Kirillov et al., 2019, arXiv:1801.00868, section 4.1).

    A pair is what was found on a photo, and what is there; where this has no confidence nobody knows: such pixels count
    in no IoU, and a segment of which more than half lies on them is no false positive (section 4.3).
    """
    overlaps: dict[int, list[float]] = defaultdict(list)
    misses = Counter[int]()
    for result, annotation in pairs:
        known = annotation.confidence.ravel() != 0
        (given, rows), (true, columns) = map(_by_object, (result, annotation))
        codes = rows[known] * len(true) + columns[known]
        both = np.bincount(codes, minlength=len(given) * len(true)).reshape(len(given), len(true))
        unsure = np.bincount(rows[~known], minlength=len(given))
        found, there = both.sum(1), both.sum(0)
        ious = both / np.maximum(found[:, None] + there - both, 1)
        matched = (ious > 0.5) & (given[:, None] == true)  # at most one for each segment
        for n, m in np.argwhere(matched).tolist():
            overlaps[int(given[n])].append(float(ious[n, m]))
        misses.update(given[~matched.any(1) & (unsure <= found)].tolist())
        misses.update(true[~matched.any(0) & (there > 0)].tolist())
    scores = {}
    for label in {*overlaps, *misses} - {0}:
        hits = overlaps[label]
        segmentation = sum(hits) / max(len(hits), 1)
        recognition = len(hits) / (len(hits) + misses[label] / 2)
        scores[label] = segmentation * recognition, segmentation, recognition
    return scores


def _by_object(one: Segmentation) -> tuple[np.ndarray, np.ndarray]:
    """The label id of each object that has pixels (0 where there is none), and of each pixel which object it has."""
    labels = {0: 0, **{segment.id: segment.label_id for segment in one.segments}}
    ids, places = np.unique(one.ids.ravel(), return_inverse=True)
    return np.array([labels[number] for number in ids.tolist()]), places
