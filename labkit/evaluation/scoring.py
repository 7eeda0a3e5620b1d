"""The arithmetic of `scores`: which pixels are asked about, and what the libraries answer.

Overlap comes from `metrics`, as in `labkit evaluate`; panoptic quality is torchmetrics'. torch is imported only when
something is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from labkit.classes import IGNORE, LabelSet
from labkit.evaluation.metrics import (
    class_accuracy,
    class_dice,
    class_iou,
    confusion,
    dice,
    iou,
    mask_ap,
    pixel_accuracy,
    regions,
)
from labkit.figures import named_segments
from labkit.io.rle import encode_mask
from labkit.locale import in_each_language
from labkit.segmentation import Segmentation

__all__ = ["ObjectScore", "Region", "Score", "classified", "mean", "object_scores", "prompted", "rounded"]

_MIN_REGION = 0.001
"""A smaller wrong region, as a share of the photo, is no mistake worth showing."""


@dataclass(frozen=True)
class Score:
    """Agreement on one class, or for SAM on one object, of a photo; on all photos `photo` is None.

    `names` are the Russian and English name. `accuracy` is the share of its pixels in the reference that the model
    gives to it, n_ii / t_i (Long et al., 2015, section 5).
    """

    photo: str | None
    names: tuple[str, str]
    iou: float
    dice: float
    accuracy: float

    def record(self) -> dict[str, Any]:
        """In JSON's types, without the photo where it is all of them."""
        numbers = {key: round(getattr(self, key), 4) for key in ("iou", "dice", "accuracy")}
        return {**({"photo": self.photo} if self.photo is not None else {}), "class": self.names[1], **numbers}


@dataclass(frozen=True)
class ObjectScore:
    """How well the objects of a class are found: `count` of them in the reference.

    `ap50` is mask AP at IoU 0.5, None where the reference has none; `pq`, `sq` and `rq` are panoptic, segmentation and
    recognition quality (Kirillov et al., 2019, arXiv:1801.00868, section 4.1), PQ = SQ x RQ.
    """

    names: tuple[str, str]
    count: int
    ap50: float | None
    pq: float
    sq: float
    rq: float

    def record(self) -> dict[str, Any]:
        """In JSON's types."""
        numbers = {key: rounded(getattr(self, key)) for key in ("ap50", "pq", "sq", "rq")}
        return {"class": self.names[1], "objects": self.count, **numbers}


@dataclass(frozen=True, eq=False)
class Region:
    """The largest connected region of a photo where one thing is said to be another.

    `wrong` are its pixels, `reference` and `answer` the two masks of the class, or for SAM of the object, that it is
    about, all `HxW` bool; `true_id` and `predicted_id` are label ids, the second None where SAM, which knows no
    classes, leaves pixels of the object out, the first None where it takes in others.
    """

    result: Segmentation
    reference: np.ndarray
    answer: np.ndarray
    wrong: np.ndarray
    true_id: int | None
    predicted_id: int | None

    @property
    def share(self) -> float:
        """Of the photo's pixels, in [0, 1]."""
        return float(self.wrong.mean())


def classified(pairs: Sequence[tuple[Segmentation, Segmentation]], classes: LabelSet) -> dict[str, Any]:
    """What `Scores` says of results that give each pixel a class; of each pair the reference comes second."""
    rows, worst = [], []
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    for result, reference in pairs:
        truth, predicted = _truth(reference, classes), _labels(result, classes)
        of_photo = confusion(predicted, truth, len(classes))
        matrix += of_photo
        rows += _rows(of_photo, result.photo.name, classes)
        if (region := _worst_region(result, truth, predicted)) is not None:
            worst.append(region)
    totals = _rows(matrix, None, classes)
    accuracy = pixel_accuracy(matrix)
    known = {key for result, _ in pairs for key in result.classes.keys} | {classes.keys[0]}
    foreign = [n for n in np.flatnonzero(matrix.sum(1)) if classes.keys[n] not in known]
    return {
        "rows": rows,
        "totals": totals,
        "mean_iou": mean([row.iou for row in totals]),
        "pixel_accuracy": None if np.isnan(accuracy) else accuracy,
        "confusion": matrix,
        "worst": sorted(worst, key=lambda region: -region.share),
        "foreign": sorted((classes.names_ru[n], classes.names[n]) for n in foreign),
    }


def object_scores(pairs: Sequence[tuple[Segmentation, Segmentation]], classes: LabelSet) -> list[ObjectScore]:
    """AP50 and PQ of each class that the references show or the model found."""
    import torch
    from torchmetrics.detection import PanopticQuality

    segments = []
    for pair in pairs:
        mapped = [
            [replace(s, label_id=int(_label_ids(one, classes)[s.label_id])) for s in one.segments] for one in pair
        ]
        segments.append([[s for s in of_one if s.label_id] for of_one in mapped])
    found, objects = (list(of_all) for of_all in zip(*segments, strict=True))
    ap = mask_ap(found, objects, [reference.confidence == 0 for _, reference in pairs])
    things = sorted({s.label_id for of_pair in segments for of_one in of_pair for s in of_one})
    if not things:
        return []
    # The background is "stuff": where it were nothing at all, what is found on it would not count as wrong.
    quality = PanopticQuality(set(things), {0}, return_sq_and_rq=True, return_per_class=True)
    for result, reference in pairs:
        predicted, truth = _labels(result, classes), _truth(reference, classes)
        either = (predicted > 0) | ((truth > 0) & (truth != IGNORE))
        if either.any():  # pixels that are in no object of either change no object's score, and cost most of the time
            panoptic = [
                np.stack([of[either], one.ids[either]], -1) for of, one in ((predicted, result), (truth, reference))
            ]
            quality.update(*(torch.from_numpy(ids.astype(np.int32))[None] for ids in panoptic))
    counted = (quality.true_positives + quality.false_positives + quality.false_negatives).tolist()
    numbers, rows = quality.compute().tolist(), []
    for label_id in things:
        place = quality.cat_id_to_continuous_id[label_id]  # torchmetrics 1.4 has them in no certain order
        if counted[place]:
            names = classes.names_ru[label_id], classes.names[label_id]
            count = sum(s.label_id == label_id for of_photo in objects for s in of_photo)
            rows.append(ObjectScore(names, count, ap[label_id][0] if label_id in ap else None, *numbers[place]))
    return rows


def prompted(pairs: Sequence[tuple[Segmentation, Segmentation]], classes: LabelSet) -> dict[str, Any]:
    """What `Scores` says of results without classes: each object of a reference, by the segment that fits it best."""
    rows: list[Score] = []
    worst: list[Region] = []
    for result, reference in pairs:
        known = reference.confidence > 0
        answers = [encode_mask(segment.mask & known) for segment in result.segments]
        wrongs = []
        named = in_each_language(named_segments, reference)
        for (segment, russian), (_, english) in zip(named["ru"], named["en"], strict=True):
            mask = segment.mask & known
            if not mask.any():
                continue
            fit = coco_mask.iou(answers, [encode_mask(mask)], [0]) if answers else np.zeros((1, 1))
            answer = result.segments[int(fit.argmax())].mask & known if fit.any() else np.zeros_like(mask)
            accuracy = np.count_nonzero(answer & mask) / np.count_nonzero(mask)
            rows.append(Score(result.photo.name, (russian, english), iou(answer, mask), dice(answer, mask), accuracy))
            label_id = int(_label_ids(reference, classes)[segment.label_id])
            for wrong, true_id in ((mask & ~answer, label_id), (answer & ~mask, None)):
                predicted_id = label_id if true_id is None else None
                wrongs.append(Region(result, mask, answer, regions(wrong) == 1, true_id, predicted_id))
        worst += sorted(wrongs, key=lambda region: -region.share)[:1]
    return {
        "rows": rows,
        "mean_iou": mean([row.iou for row in rows]),
        "worst": sorted((r for r in worst if r.share >= _MIN_REGION), key=lambda region: -region.share),
    }


def _rows(matrix: np.ndarray, photo: str | None, classes: LabelSet) -> list[Score]:
    """The scores of the classes that the reference shows, from a confusion matrix."""
    numbers = zip(class_iou(matrix).tolist(), class_dice(matrix).tolist(), class_accuracy(matrix).tolist(), strict=True)
    names = zip(classes.names_ru, classes.names, strict=True)
    return [Score(photo, *row) for row in zip(names, *zip(*numbers, strict=True), strict=True) if not np.isnan(row[-1])]


def _worst_region(result: Segmentation, truth: np.ndarray, predicted: np.ndarray) -> Region | None:
    """The largest connected region that the reference gives to one class and the model to one other."""
    confused = np.where((truth != predicted) & (truth != IGNORE), truth * 256 + predicted, -1)
    codes, counts = np.unique(confused[confused >= 0], return_counts=True)
    best, size = None, _MIN_REGION * truth.size
    for place in np.argsort(-counts, kind="stable").tolist():
        if counts[place] < size:
            break
        wrong = regions(confused == codes[place]) == 1
        if np.count_nonzero(wrong) >= size:
            best, size = (codes[place], wrong), np.count_nonzero(wrong) + 1
    if best is None:
        return None
    true_id, model = divmod(int(best[0]), 256)
    label_id = true_id or model
    return Region(result, truth == label_id, predicted == label_id, best[1], true_id, model)


def _label_ids(result: Segmentation, classes: LabelSet) -> np.ndarray:
    """The label id in `classes` of each label id of a result's own set: 0 where it is none of them."""
    ids = {key: label_id for label_id, key in enumerate(classes.keys)}
    return np.array([ids.get(key, 0) for key in result.classes.keys])


def _labels(result: Segmentation, classes: LabelSet) -> np.ndarray:
    return _label_ids(result, classes)[result.labels]


def _truth(reference: Segmentation, classes: LabelSet) -> np.ndarray:
    """The reference's labels, `HxW`, 255 where it says nothing."""
    return np.where(reference.confidence > 0, _labels(reference, classes), IGNORE)


def mean(values: Sequence[float]) -> float | None:
    """None of no values."""
    return float(np.mean(values)) if len(values) else None


def rounded(value: float | None) -> float | None:
    """None of none."""
    return None if value is None else round(value, 4)
