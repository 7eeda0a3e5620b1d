"""What a model finds on a photo, exactly and with what rounding on another machine may change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco_mask

from labkit.evaluation.metrics import eroded
from labkit.grading.tolerance import Own
from labkit.io.rle import encode_mask
from labkit.segmentation import MIN_SHARE, Segment, Segmentation

if TYPE_CHECKING:
    from labkit.models.base import Model
    from labkit.photos import Photo

__all__ = ["detects", "exact", "tolerant"]

UNDECIDED = 0.52
"""Half precision moves a pixel's confidence by less than two hundredths, and two classes are equal at a half."""

SCORE_MARGIN, NMS_MARGIN = 0.05, 0.1
"""An object so near to a threshold comes or goes with the last bits: of its score, its stability or its box. Of a high
threshold half the way up to 1 at most, so that none makes all objects optional.
"""

_PART = 0.5
"""Of `MIN_SHARE`: what rounding may take from an object that a check counts."""

_MORE = 20
_EDGE = 1
"""Pixels at the edge of an object's mask: Mask R-CNN puts its 28x28 pixels at a box of whole pixels."""


def exact(result: Segmentation) -> Own:
    """A result as it is, to the pixel."""
    masks = [encode_mask(segment.mask) for segment in result.segments]
    return Own(_labels(result.segments), masks, masks, np.ones(len(masks), bool))


def tolerant(model: Model, photo: Photo, result: Segmentation, settings: dict[str, Any]) -> Own:
    """A result and what else it might have been; `settings` are those of `model.segment` that gave it.

    Of classes, pixels whose confidence is below `UNDECIDED` are open. Of objects, the pixels at their edges; those
    that the model finds with lower thresholds may be there, and those that it no longer finds with higher ones, or
    that another one of about the same score suppresses, may be missing. Answers to prompts have edges only.
    """
    if model.variant.kind == "semantic":
        return _classes(result)
    segments, needed, alike = list(result.segments), np.ones(len(result.segments), bool), None
    if "prompts" not in result.made_by:
        segments, needed, alike = _objects(model, photo, segments, {**model.defaults, **settings})
    return Own(
        _labels(segments),
        [encode_mask(eroded(segment.mask, _EDGE)) for segment in segments],
        [encode_mask(~eroded(~segment.mask, _EDGE)) for segment in segments],
        needed,
        alike,
    )


def _classes(result: Segmentation) -> Own:
    open_ = result.confidence < UNDECIDED
    return Own(
        _labels(result.segments),
        [encode_mask(segment.mask & ~open_) for segment in result.segments],
        [encode_mask(segment.mask | open_) for segment in result.segments],
        np.ones(len(result.segments), bool),
        undecided=encode_mask(open_),
    )


def _objects(
    model: Model, photo: Photo, own: list[Segment], settings: dict[str, Any]
) -> tuple[list[Segment], np.ndarray, np.ndarray]:
    """All that may be found, which of it must be, and what can stand in the place of what."""
    lowest, most = settings["score_threshold"], settings.get("max_detections")
    looser = {
        "score_threshold": max(0.0, lowest - SCORE_MARGIN),
        "nms_threshold": min(1.0, settings["nms_threshold"] + NMS_MARGIN),
    }
    if "stability_threshold" in settings:  # SAM: what a mask that is near a threshold suppresses shows only without NMS
        looser |= {
            "nms_threshold": 1.0,
            "stability_threshold": max(0.0, settings["stability_threshold"] - SCORE_MARGIN),
        }
        steady = {**looser, "stability_threshold": _above(settings["stability_threshold"])}
        sure = {_key(segment) for segment in model.segment(photo, **{**settings, **steady}).segments}
    else:
        looser["cross_nms_threshold"] = min(1.0, settings["cross_nms_threshold"] + NMS_MARGIN)
        looser["max_detections"] = most + _MORE
        sure = {_key(segment) for segment in own}
        if len(own) == most:
            lowest = own[-1].score
    known = {_key(segment) for segment in own}
    more = [s for s in model.segment(photo, **{**settings, **looser}).segments if _key(s) not in known]
    segments = [*own, *more]
    scores = np.array([segment.score for segment in segments])
    needed = np.array([s.score >= _above(lowest) and _key(s) in known & sure for s in segments], bool)
    labels = _labels(segments)
    other = settings.get("cross_nms_threshold", 1.0)
    limits = np.where(labels[:, None] == labels, settings["nms_threshold"], other) - NMS_MARGIN
    alike = (_overlaps(segments) > limits) & (scores >= scores[:, None] - SCORE_MARGIN)
    return segments, needed, alike


def _above(threshold: float) -> float:
    return threshold + min(SCORE_MARGIN, (1 - threshold) / 2)


def detects(model: Model, photo: Photo, result: Segmentation, target: str) -> bool:
    """Whether a model's own `result` has an object of the class `target` (empty: any), at the usual settings too.

    Of objects those count too whose score is just below the usual threshold.
    """
    if not _has(result, target):
        return False
    usual = model.defaults
    if result.made_by["settings"] == usual:
        return True
    if "cross_nms_threshold" in usual:
        usual["score_threshold"] -= SCORE_MARGIN
    return _has(model.segment(photo, **usual), target)


def _has(result: Segmentation, target: str) -> bool:
    try:
        wanted = result.classes.id(target) if target and result.classes else None
    except ValueError:
        return False
    least = _PART * MIN_SHARE * result.ids.size
    return any((wanted is None or s.label_id == wanted) and s.area >= least for s in result.segments)


def _labels(segments: Sequence[Segment]) -> np.ndarray:
    return np.array([segment.label_id for segment in segments], int)


def _key(segment: Segment) -> tuple[int, float]:
    """Of two runs on one machine, what is the same object."""
    return segment.label_id, segment.score


def _overlaps(segments: Sequence[Segment]) -> np.ndarray:
    """The IoU of the segments' boxes, `NxN` in [0, 1]."""
    if not segments:
        return np.zeros((0, 0))
    boxes = np.array([segment.box for segment in segments], float)
    boxes[:, 2:] -= boxes[:, :2]
    return np.asarray(coco_mask.iou(boxes, boxes, [0] * len(boxes)))
