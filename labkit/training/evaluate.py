"""Scores against reference masks in the layout of `labkit.training.dataset`: `labkit evaluate`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from labkit.images import Photo
from labkit.metrics import class_iou, confusion, mean_iou, pixel_accuracy
from labkit.models import Model
from labkit.progress import track
from labkit.texts import text
from labkit.training.dataset import Dataset

__all__ = ["evaluate", "score_table"]


def evaluate(model: Model, dataset: str | Path, split: str | Path, **settings: Any) -> dict[str, Any]:
    """IoU of each class over all pixels of a split, in JSON's types; None for a class that occurs nowhere.

    `mean_iou` is over the classes that the reference or the model shows, `mean_iou_all` counts the others as 0.
    """
    data = Dataset(dataset, split)
    matrix = np.zeros((len(model.classes), len(model.classes)), np.int64)
    photos = np.zeros(len(model.classes), int)
    started = time.perf_counter()
    for name in track(data.names, text("model.progress")):
        photo = Photo.from_pixels(name, np.array(data.image(name)))
        reference = data.semantic(name)
        matrix += confusion(model.segment(photo, **settings).labels, reference, len(model.classes))
        photos += np.isin(np.arange(len(model.classes)), reference)
    scores = class_iou(matrix)
    return {
        "variant": model.variant.name,
        "weights": model.weights.name,
        "sha256": model.weights.sha256,
        "settings": {**model.defaults, **settings},
        "photos": len(data),
        "mean_iou": round(mean_iou(matrix), 4),
        "mean_iou_all": round(float(np.nan_to_num(scores).mean()), 4),
        "pixel_accuracy": round(pixel_accuracy(matrix), 4),
        "iou": {
            name: None if np.isnan(score) else round(float(score), 4)
            for name, score in zip(model.classes.names, scores, strict=True)
        },
        "photos_with_class": dict(zip(model.classes.names, photos.tolist(), strict=True)),
        "seconds_a_photo": round((time.perf_counter() - started) / len(data), 4),
    }


def score_table(scores: dict[str, Any]) -> str:
    """The scores as lines of text."""
    lines = [f"{scores['variant']} ({scores['weights']}, sha256 {scores['sha256'][:12]}), {scores['photos']} photos"]
    for name, value in scores["iou"].items():
        shown = "   —" if value is None else f"{value:.3f}"
        lines.append(f"  {name:12} {shown}  ({scores['photos_with_class'][name]} photos)")
    lines.append(
        f"  mean         {scores['mean_iou']:.3f}  (over all {len(scores['iou'])}: {scores['mean_iou_all']:.3f})"
    )
    lines.append(f"  accuracy     {scores['pixel_accuracy']:.3f}")
    return "\n".join(lines)
