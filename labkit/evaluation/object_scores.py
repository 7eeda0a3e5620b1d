"""Scores of the two variants that tell objects apart: mask AP for Mask R-CNN, IoU of prompted masks for SAM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from labkit.classes import IGNORE, VOC
from labkit.evaluation.dataset import Dataset
from labkit.evaluation.metrics import innermost, iou, mask_ap
from labkit.io.progress import track
from labkit.locale import text
from labkit.models.instance import InstanceModel
from labkit.models.prompted import PromptedModel
from labkit.photos import Photo
from labkit.segmentation import Segment

__all__ = ["MIN_AREA", "ap_scores", "objects_of", "prompt_scores"]

_MIN_SCORE = 0.02
"""AP is over all scores: the threshold at which a report shows objects would cut its curve."""

MIN_AREA = 400
"""Of an object that SAM is asked for, in pixels."""

_SHARE, _LARGE_SHARE = 0.01, 0.02
_FOUND = 0.5


def ap_scores(model: InstanceModel, data: Dataset, settings: dict[str, Any]) -> dict[str, Any]:
    """Mask AP of each VOC class that the split shows, in JSON's types; `mean` is over these classes."""
    settings = {"score_threshold": _MIN_SCORE, **settings}
    predicted, objects, ignored = [], [], []
    for photo, numbers, instances in objects_of(data):
        predicted.append(model.segment(photo, **settings).segments)
        objects.append([s for s in instances if s.label_id])
        ignored.append(numbers == IGNORE)
    by_class = mask_ap(predicted, objects, ignored)
    counts = {label_id: sum(s.label_id == label_id for photo in objects for s in photo) for label_id in by_class}
    return {
        "settings": {**model.defaults, **settings},
        "ap50": {VOC.names[label_id]: round(ap50, 4) for label_id, (ap50, _) in by_class.items()},
        "ap": {VOC.names[label_id]: round(ap, 4) for label_id, (_, ap) in by_class.items()},
        "objects": {VOC.names[label_id]: count for label_id, count in counts.items()},
        "mean_ap50": round(float(np.mean([ap50 for ap50, _ in by_class.values()])), 4),
        "mean_ap": round(float(np.mean([ap for _, ap in by_class.values()])), 4),
    }


def prompt_scores(
    model: PromptedModel, data: Dataset, settings: dict[str, Any], automatic: bool = True
) -> dict[str, Any]:
    """How well SAM answers prompts for each object of at least 400 pixels, whatever it is, in JSON's types.

    `box`: the object's box. `point`: its innermost pixel, the answer that SAM ranks first of three. `points`: that
    and two corrections, each at the innermost pixel of the largest error so far (Kirillov et al., 2023, appendix D.1).
    IoU is the mean over objects; `large` counts objects of at least 1 % of the photo. `automatic` is the share of the
    objects of more than 2 % of the photo that the automatic mode finds with an IoU of at least 0.5.
    """
    rows: list[dict[str, float]] = []
    hits: list[bool] = []
    for photo, numbers, instances in objects_of(data):
        valid = numbers != IGNORE
        wanted = [s for s in instances if s.area >= MIN_AREA]
        if wanted:
            model.set_photo(photo)
        for target in wanted:
            rows.append({"share": target.area / valid.size, **_answers(model, target, valid)})
        large = [s for s in instances if s.area > _LARGE_SHARE * valid.size]
        if automatic and large:
            masks = [s.mask & valid for s in model.segment(photo, **settings).segments]
            hits += [any(iou(mask, s.mask) >= _FOUND for mask in masks) for s in large]
    groups = {"all": rows, "large": [row for row in rows if row["share"] >= _SHARE]}
    means = {
        name: {key: round(float(np.mean([row[key] for row in group])), 4) for key in ("box", "point", "best", "points")}
        for name, group in groups.items()
        if group
    }
    return {
        "settings": {**model.defaults, **settings},
        "iou": means,
        "objects": {name: len(group) for name, group in groups.items()},
        "automatic": round(float(np.mean(hits)), 4) if hits else None,
        "automatic_objects": len(hits),
    }


def _answers(model: PromptedModel, target: Segment, valid: np.ndarray) -> dict[str, float]:
    box = model.prompt(box=target.box)
    points, labels = [innermost(target.mask)], [1]
    lone = model.prompt(points=points)
    ranked = [iou(s.mask & valid, target.mask) for s in lone.segments] or [0.0]
    answer = lone
    for _ in range(2):
        predicted = answer.segments[0].mask & valid if answer.segments else np.zeros(valid.shape, bool)
        missed, extra = target.mask & ~predicted, predicted & ~target.mask
        if not (missed.any() or extra.any()):
            break
        wrong = missed if np.count_nonzero(missed) >= np.count_nonzero(extra) else extra
        points.append(innermost(wrong))
        labels.append(int(wrong is missed))
        answer = model.prompt(points=points, point_labels=labels)
    return {
        "box": _iou(box, target, valid),
        "point": ranked[0],
        "best": max(ranked),
        "points": _iou(answer, target, valid),
    }


def _iou(result, target: Segment, valid: np.ndarray) -> float:
    return iou(result.segments[0].mask & valid, target.mask) if result.segments else 0.0


def objects_of(data: Dataset) -> Iterator[tuple[Photo, np.ndarray, list[Segment]]]:
    """Each photo with its instance numbers and its objects."""
    objects: dict[str, list] = {name: [] for name in data.names}
    for instance in data.instances():
        objects[instance.name].append(instance)
    for name in track(data.names, text("model.progress")):
        numbers = data.instance_numbers(name)
        segments = [
            Segment(i.number, i.label_id, VOC.names[i.label_id], 1.0, numbers == i.number) for i in objects[name]
        ]
        yield Photo.from_pixels(name, np.array(data.image(name))), numbers, [s for s in segments if s.mask.any()]
