"""Scores against reference masks in the layout of `labkit.evaluation.dataset`: `labkit evaluate`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from labkit.evaluation.dataset import Dataset
from labkit.evaluation.metrics import class_iou, confusion, mean_iou, pixel_accuracy
from labkit.evaluation.object_scores import ap_scores, prompt_scores
from labkit.io.errors import LabkitError
from labkit.io.progress import track
from labkit.locale import text
from labkit.models import Model
from labkit.models.instance import InstanceModel
from labkit.models.semantic import SemanticModel
from labkit.photos import Photo

__all__ = ["evaluate", "score_table"]


def evaluate(model: Model, dataset: str | Path, split: str | Path, **settings: Any) -> dict[str, Any]:
    """The scores of a split in JSON's types: by the model's kind, class IoU, mask AP or the IoU of prompted masks."""
    data = Dataset(dataset, split)
    started = time.perf_counter()
    if isinstance(model, SemanticModel):
        scores = _class_scores(model, data, settings)
    elif not data.instances():
        raise LabkitError(text("dataset.no_instances", path=data.root))
    elif isinstance(model, InstanceModel):
        scores = ap_scores(model, data, settings)
    else:
        scores = prompt_scores(model, data, settings)
    return {
        "variant": model.variant.name,
        "weights": model.weights.name,
        "sha256": model.weights.sha256,
        "photos": len(data),
        **scores,
        "seconds_a_photo": round((time.perf_counter() - started) / len(data), 4),
    }


def _class_scores(model: Model, data: Dataset, settings: dict[str, Any]) -> dict[str, Any]:
    """IoU of each class over all pixels; None for a class that occurs nowhere.

    `mean_iou` is over the classes that the reference or the model shows, `mean_iou_all` counts the others as 0.
    """
    matrix = np.zeros((len(model.classes), len(model.classes)), np.int64)
    photos = np.zeros(len(model.classes), int)
    for name in track(data.names, text("model.progress")):
        photo = Photo.from_pixels(name, np.array(data.image(name)))
        reference = data.semantic(name)
        matrix += confusion(model.segment(photo, **settings).labels, reference, len(model.classes))
        photos += np.isin(np.arange(len(model.classes)), reference)
    scores = class_iou(matrix)
    return {
        "settings": {**model.defaults, **settings},
        "mean_iou": round(mean_iou(matrix), 4),
        "mean_iou_all": round(float(np.nan_to_num(scores).mean()), 4),
        "pixel_accuracy": round(pixel_accuracy(matrix), 4),
        "iou": {
            name: None if np.isnan(score) else round(float(score), 4)
            for name, score in zip(model.classes.names, scores, strict=True)
        },
        "photos_with_class": dict(zip(model.classes.names, photos.tolist(), strict=True)),
    }


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
