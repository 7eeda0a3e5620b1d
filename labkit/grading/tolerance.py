"""How far the masks of a report are from a model's own, as one number a photo.

Other processors and libraries round otherwise: what a model hardly decides may come out differently in an honest
report, a pixel between two classes as well as an object whose score is near the threshold. So the model's own answer
says of each mask which pixels are surely in it and which may be, and which masks a report cannot be without.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco_mask
from scipy.optimize import linear_sum_assignment

from labkit.evaluation.metrics import eroded
from labkit.io.rle import encode_mask
from labkit.segmentation import MIN_SHARE, Segment, Segmentation

if TYPE_CHECKING:
    from labkit.models.base import Model
    from labkit.photos import Photo

__all__ = ["Own", "agreement", "detects", "exact", "tolerant"]

MIN_UNION = 0.01  # a segment of a smaller part of the photo counts by its pixels only
UNDECIDED = 0.52  # half precision moves a confidence by less than two hundredths, and two classes are equal at a half
SCORE_MARGIN, NMS_MARGIN = 0.05, 0.1
"""An object so near to a threshold comes or goes with the last bits: of its score, its stability or its box. Of a high
threshold half the way up to 1 at most, so that none makes all objects optional.
"""

_PART = 0.5  # of `MIN_SHARE`: what rounding may take from an object that a check counts
_MORE, _EDGE = 20, 1
"""Objects that lower thresholds may add; pixels at a mask's edge: Mask R-CNN's 28x28 lie at a box of whole pixels."""


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
    needed: np.ndarray | bool = True
    alike: np.ndarray | None = None
    undecided: dict[str, Any] | None = None


def agreement(labels: Sequence[int], masks: Sequence[dict[str, Any]], own: Own, pixels: int) -> float:
    """The IoU of a report's masks (`encode_mask`) with the model's own, in [0, 1].

    Masks of one class are paired so that all are most alike. The IoU of a pair is that of its pixels without those that
    the model leaves open: |R ∩ inner| / |inner ∪ (R - outer)|. The IoU of the photo is the sum of the intersections
    over the sum of the unions, what is missing or too much being union only; or that of the worst pair, 0 for a mask
    that is missing or too much, among those of at least `MIN_UNION` of the photo's `pixels`, where it is smaller.
    """
    areas, inner = _areas(masks), _areas(own.inner)
    both = _intersections(masks, own.inner)
    either = inner + areas[:, None] - _intersections(masks, own.outer)
    ratio = np.where(either > 0, both / np.maximum(either, 1), 1.0)
    ratio[np.asarray(labels, int)[:, None] != own.labels] = 0.0
    rows, columns = linear_sum_assignment(ratio, maximize=True)
    rows, columns = (places[ratio[rows, columns] > 0] for places in (rows, columns))
    present = np.isin(np.arange(len(inner)), columns)
    if own.alike is not None:
        present |= own.alike[:, columns].any(1)
    if own.undecided is not None:
        areas = areas - _intersections(masks, [own.undecided])[:, 0]
    unions = np.concatenate([either[rows, columns], inner[own.needed & ~present], np.delete(areas, rows)])
    hits = np.concatenate([both[rows, columns], np.zeros(len(unions) - len(rows))])
    large = unions >= MIN_UNION * pixels
    whole = hits.sum() / unions.sum() if unions.sum() else 1.0
    return float(min([whole, *(hits[large] / unions[large])]))


def _areas(masks: Sequence[dict[str, Any]]) -> np.ndarray:
    return np.asarray(coco_mask.area(list(masks)), float)


def _intersections(masks: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> np.ndarray:
    """`NxM` pixels."""
    return np.rint(_shares(masks, others) * _areas(masks)[:, None])


def _shares(masks: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> np.ndarray:
    """The share of each mask in each other (`NxM`): of "crowds" pycocotools divides by the first mask's area alone."""
    parts = coco_mask.iou(list(masks), list(others), [1] * len(others))
    return np.nan_to_num(np.reshape(parts, (len(masks), len(others))))


def exact(result: Segmentation) -> Own:
    """A result as it is, to the pixel."""
    masks = [encode_mask(segment.mask) for segment in result.segments]
    return Own(_labels(result.segments), masks, masks)


def tolerant(model: Model, photo: Photo, result: Segmentation) -> Own:
    """A result of the model and what else it might have been.

    Of classes, pixels whose confidence is below `UNDECIDED` are open. Of objects, the pixels at their edges; those
    that the model finds with lower thresholds may be there, and those that it no longer finds with higher ones, or
    that another one of about the same score suppresses, may be missing. Answers to prompts have edges only.
    """
    segments, more = result.segments, {}
    if model.variant.kind == "semantic":
        open_ = result.confidence < UNDECIDED
        return _own(segments, lambda mask: mask & ~open_, lambda mask: mask | open_, undecided=encode_mask(open_))
    if "prompts" not in result.made_by:
        segments, more = _objects(model, photo, result)
    return _own(segments, lambda mask: eroded(mask, _EDGE), lambda mask: ~eroded(~mask, _EDGE), **more)


def _own(segments: Sequence[Segment], *changes: Callable[[np.ndarray], np.ndarray], **more: Any) -> Own:
    """The segments, their masks being `changes` of them: what is surely inside, and what may be."""
    masks = [[encode_mask(change(segment.mask)) for segment in segments] for change in changes]
    return Own(_labels(segments), *masks, **more)


def _objects(model: Model, photo: Photo, result: Segmentation) -> tuple[list[Segment], dict[str, np.ndarray]]:
    """All that may be found, which of it is `needed`, and what is `alike`."""
    own, settings = result.segments, result.made_by["settings"]
    lowest, most = settings["score_threshold"], settings.get("max_detections")
    looser = {"score_threshold": max(0.0, lowest - SCORE_MARGIN)}
    known = sure = {_key(segment) for segment in own}
    if "stability_threshold" in settings:  # SAM: what a mask that is near a threshold suppresses shows only without NMS
        stability = settings["stability_threshold"]
        looser |= {"nms_threshold": 1.0, "stability_threshold": max(0.0, stability - SCORE_MARGIN)}
        steady = {**settings, **looser, "stability_threshold": _above(stability)}
        sure = {_key(segment) for segment in model.segment(photo, **steady).segments}
    else:
        overlap = ("nms_threshold", "cross_nms_threshold", "inside_threshold")
        looser |= {name: min(1.0, settings[name] + NMS_MARGIN) for name in overlap}
        looser["max_detections"] = most + _MORE
        if len(own) == most:
            lowest = own[-1].score
    more = [s for s in model.segment(photo, **{**settings, **looser}).segments if _key(s) not in known]
    segments = [*own, *more]
    scores, labels = np.array([segment.score for segment in segments]), _labels(segments)
    needed = np.array([s.score >= _above(lowest) and _key(s) in known & sure for s in segments], bool)
    other = settings.get("cross_nms_threshold", 1.0)
    limits = np.where(labels[:, None] == labels, settings["nms_threshold"], other) - NMS_MARGIN
    boxes = np.array([segment.box for segment in segments], float).reshape(-1, 4)
    boxes[:, 2:] -= boxes[:, :2]
    drops = np.reshape(coco_mask.iou(boxes, boxes, [0] * len(boxes)), limits.shape) > limits
    if settings.get("inside_threshold", 1.0) < 1:
        masks = [encode_mask(segment.mask) for segment in segments]
        inside = _shares(masks, masks) > settings["inside_threshold"] - NMS_MARGIN
        drops |= inside & (labels[:, None] == labels)
    alike = drops & (scores >= scores[:, None] - SCORE_MARGIN)
    return segments, {"needed": needed, "alike": alike}


def _above(threshold: float) -> float:
    return threshold + min(SCORE_MARGIN, (1 - threshold) / 2)


def detects(model: Model, photo: Photo, result: Segmentation, target: str) -> bool:
    """Whether a model's own `result` has an object of the class `target` (empty: any), at the usual settings too.

    Of objects those count too whose score is just below the usual threshold.
    """
    usual = model.defaults
    if not _has(result, target) or result.made_by["settings"] == usual:
        return _has(result, target)
    if "cross_nms_threshold" in usual:
        usual["score_threshold"] -= SCORE_MARGIN
    return _has(model.segment(photo, **usual), target)


def _has(result: Segmentation, target: str) -> bool:
    wanted = None
    if target and result.classes:
        wanted = result.classes.id(target) if target in result.classes else -1
    least = _PART * MIN_SHARE * result.ids.size
    return any((wanted is None or s.label_id == wanted) and s.area >= least for s in result.segments)


def _labels(segments: Sequence[Segment]) -> np.ndarray:
    return np.array([segment.label_id for segment in segments], int)


def _key(segment: Segment) -> tuple[int, float]:
    """Of two runs on one machine, what is the same object."""
    return segment.label_id, segment.score
