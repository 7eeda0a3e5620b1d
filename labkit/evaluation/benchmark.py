"""Scores on labelled photos in the layout of `labkit.evaluation.dataset`: `labkit evaluate`.

By the kind of model: IoU of each class; mask AP for Mask R-CNN; IoU of prompted masks for SAM. The classes are
PASCAL VOC's, by name: official networks may number theirs otherwise, and have others besides.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from labkit.classes import IGNORE, VOC
from labkit.evaluation.dataset import Dataset
from labkit.evaluation.metrics import class_scores, confusion, innermost, iou, mask_ap, overall_scores
from labkit.evaluation.scores import within
from labkit.io.errors import LabkitError
from labkit.io.progress import track
from labkit.locale import text
from labkit.models import Model
from labkit.models.instance import InstanceModel
from labkit.models.prompted import PromptedModel
from labkit.models.semantic import SemanticModel
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation

__all__ = ["MIN_AREA", "confusions", "evaluate", "objects_of", "prompt_scores", "score_table"]

_MIN_SCORE = 0.02
"""AP is over all scores: the threshold at which a report shows objects would cut its curve."""

MIN_AREA = 400
"""Of an object that SAM is asked for, in pixels."""

_SHARE, _LARGE_SHARE, _FOUND = 0.01, 0.02, 0.5


def evaluate(model: Model, dataset: str | Path, split: str | Path, **settings: Any) -> dict[str, Any]:
    """The scores of a split in JSON's types: by the model's kind, class IoU, mask AP or the IoU of prompted masks."""
    data = Dataset(dataset, split)
    started = time.perf_counter()
    if isinstance(model, SemanticModel):
        scores = _class_scores(model, data, settings)
    elif not data.instances():
        raise LabkitError(text("dataset.no_instances", path=data.root))
    elif isinstance(model, InstanceModel):
        settings = {"score_threshold": _MIN_SCORE, **settings}
        scores = _ap_scores(model, data, settings)
    else:
        scores = prompt_scores(model, data, settings)
    return {
        "variant": model.variant.name,
        "weights": model.weights.name,
        "sha256": model.weights.sha256,
        "photos": len(data),
        "settings": {**model.defaults, **settings},
        **scores,
        "seconds_a_photo": round((time.perf_counter() - started) / len(data), 4),
    }


def _class_scores(model: SemanticModel, data: Dataset, settings: dict[str, Any]) -> dict[str, Any]:
    """IoU of each class over all pixels, None where it is not; `mean_iou_all` counts these as 0, `mean_iou` not."""
    matrices = confusions(model, data, **settings)
    matrix, photos = matrices.sum(0), matrices.any(2).sum(0)
    if foreign := [VOC.label(n) for n in np.flatnonzero(photos) if n and VOC.keys[n] not in model.classes.keys]:
        print(text("scores.foreign", names=", ".join(foreign)), file=sys.stderr)
    (scores, *_), (mean_iou, accuracy) = class_scores(matrix), overall_scores(matrix)
    return {
        "mean_iou": round(mean_iou, 4),
        "mean_iou_all": round(float(np.nan_to_num(scores).mean()), 4),
        "pixel_accuracy": round(accuracy, 4),
        "iou": {n: None if np.isnan(s) else round(s, 4) for n, s in zip(VOC.names, scores.tolist(), strict=True)},
        "photos_with_class": dict(zip(VOC.names, photos.tolist(), strict=True)),
    }


def confusions(model: SemanticModel, data: Dataset, **settings: Any) -> np.ndarray:
    """The confusion matrix of each photo, `NxCxC` int64, over PASCAL VOC's classes."""
    matrices = []
    for name in track(data.names, text("model.progress")):
        photo, truth = Photo.from_pixels(name, data.image(name)), data.semantic(name)
        matrices.append(confusion(within(VOC, model.segment(photo, **settings)).labels, truth, len(VOC)))
    return np.array(matrices)


def _ap_scores(model: InstanceModel, data: Dataset, settings: dict[str, Any]) -> dict[str, Any]:
    """Mask AP of each VOC class that the split shows; `mean` is over these classes."""
    predicted, objects, ignored = [], [], []
    for photo, numbers, instances in objects_of(data):
        predicted.append(within(VOC, model.segment(photo, **settings)).segments)
        objects.append([s for s in instances if s.label_id])
        ignored.append(numbers == IGNORE)
    if not any(objects):
        raise LabkitError(text("dataset.no_instances", path=data.root))
    by_class, ap = mask_ap(predicted, objects, ignored), {}
    for place, key in enumerate(("ap50", "ap")):
        ap[key] = {VOC.names[label_id]: round(pair[place], 4) for label_id, pair in by_class.items()}
        ap[f"mean_{key}"] = round(float(np.mean([pair[place] for pair in by_class.values()])), 4)
    found = [s.label_id for of_photo in objects for s in of_photo]
    return {**ap, "objects": {VOC.names[label_id]: found.count(label_id) for label_id in by_class}}


def prompt_scores(model: PromptedModel, data: Dataset, settings: dict[str, Any]) -> dict[str, Any]:
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
        if wanted := [s for s in instances if s.area >= MIN_AREA]:
            model.set_photo(photo)
            rows += [{"share": s.area / valid.size, **_answers(model, s, valid)} for s in wanted]
        if large := [s for s in instances if s.area > _LARGE_SHARE * valid.size]:
            masks = [s.mask & valid for s in model.segment(photo, **settings).segments]
            hits += [any(iou(mask, s.mask) >= _FOUND for mask in masks) for s in large]
    groups = {"all": rows, "large": [row for row in rows if row["share"] >= _SHARE]}
    means = {
        name: {key: round(float(np.mean([row[key] for row in group])), 4) for key in ("box", "point", "best", "points")}
        for name, group in groups.items()
        if group
    }
    return {
        "iou": means,
        "objects": {name: len(group) for name, group in groups.items()},
        "automatic": round(float(np.mean(hits)), 4) if hits else None,
        "automatic_objects": len(hits),
    }


def _answers(model: PromptedModel, target: Segment, valid: np.ndarray) -> dict[str, float]:
    def first(answer: Segmentation) -> np.ndarray:
        return answer.segments[0].mask & valid if answer.segments else np.zeros_like(valid)

    points, labels = [innermost(target.mask)], [1]
    answer = lone = model.prompt(points=points)
    for _ in range(2):
        missed, extra = target.mask & ~first(answer), first(answer) & ~target.mask
        if not (missed.any() or extra.any()):
            break
        labels.append(int(np.count_nonzero(missed) >= np.count_nonzero(extra)))
        points.append(innermost(missed if labels[-1] else extra))
        answer = model.prompt(points=points, point_labels=labels)
    return {
        "box": iou(first(model.prompt(box=target.box)), target.mask),
        "point": iou(first(lone), target.mask),
        "best": max((iou(s.mask & valid, target.mask) for s in lone.segments), default=0.0),
        "points": iou(first(answer), target.mask),
    }


def objects_of(data: Dataset) -> Iterator[tuple[Photo, np.ndarray, list[Segment]]]:
    """Each photo with its instance numbers and its objects."""
    instances = data.instances()
    for name in track(data.names, text("model.progress")):
        numbers, label_ids = data.instance_numbers(name), {i.number: i.label_id for i in instances if i.name == name}
        segments = [Segment(n, label_id, VOC.names[label_id], 1.0, numbers == n) for n, label_id in label_ids.items()]
        yield Photo.from_pixels(name, data.image(name)), numbers, [s for s in segments if s.mask.any()]


def score_table(scores: dict[str, Any]) -> str:
    """The scores as lines of text."""
    lines = [f"{scores['variant']} ({scores['weights']}, sha256 {scores['sha256'][:12]}), {scores['photos']} photos"]
    if "mean_iou" in scores:
        for name, value in scores["iou"].items():
            shown = "   —" if value is None else f"{value:.3f}"
            lines.append(f"  {name:12} {shown}  ({scores['photos_with_class'][name]} photos)")
        every = f"over all {len(scores['iou'])}: {scores['mean_iou_all']:.3f}"
        lines.append(f"  mean         {scores['mean_iou']:.3f}  ({every})")
        lines.append(f"  accuracy     {scores['pixel_accuracy']:.3f}")
    elif "ap50" in scores:
        lines.append(f"  {'mask':12}  AP50     AP")
        for name, value in scores["ap50"].items():
            lines.append(f"  {name:12} {value:.3f}  {scores['ap'][name]:.3f}  ({scores['objects'][name]} objects)")
        lines.append(f"  mean         {scores['mean_ap50']:.3f}  {scores['mean_ap']:.3f}")
    else:
        lines.append(f"  {'mean IoU':20}    box  point  best of 3  3 points")
        names = {"all": "at least 400 px", "large": "at least 1 % of it"}
        for name, row in scores["iou"].items():
            shown = f"{row['box']:6.3f} {row['point']:6.3f} {row['best']:10.3f} {row['points']:9.3f}"
            lines.append(f"  {names[name]:20} {shown}  ({scores['objects'][name]} objects)")
        if scores["automatic"] is not None:
            found = f"{scores['automatic']:.3f}  of {scores['automatic_objects']} objects of more than 2 %"
            lines.append(f"  found automatically  {found}")
    return "\n".join(lines)
