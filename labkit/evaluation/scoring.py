"""The arithmetic of `scores`: which pixels are asked about, and what `metrics` says of them, as in `labkit evaluate`.

A result and its ground truth have one label set here, 0 being all that is not asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labkit.classes import IGNORE, LabelSet
from labkit.evaluation.metrics import (
    class_scores,
    confusion,
    dice,
    iou,
    mask_ap,
    overall_scores,
    panoptic_quality,
    regions,
)
from labkit.figures import named_segments
from labkit.locale import in_each_language
from labkit.segmentation import Segmentation

__all__ = ["ObjectScore", "Pair", "Region", "Score", "classified", "mean", "object_scores", "prompted", "rounded"]

Pair = tuple[Segmentation, Segmentation]
"""A result and the ground truth of its photo."""

_MIN_REGION = 0.001
"""A smaller wrong region, as a share of the photo, is no mistake worth showing."""


@dataclass(frozen=True)
class Score:
    """Agreement on one class, or for SAM on one object, of a photo; on all photos `photo` is None.

    `names` are the Russian and English name. `accuracy` is the share of its pixels that the model gives to it,
    n_ii / t_i (Long et al., 2015, section 5).
    """

    photo: str | None
    names: tuple[str, str]
    iou: float
    dice: float
    accuracy: float

    def record(self) -> dict[str, Any]:
        """In JSON's types, without the photo where it is all of them."""
        photo = {"photo": self.photo} if self.photo is not None else {}
        return {**photo, "class": self.names[1], **rounded(vars(self), "iou", "dice", "accuracy")}


@dataclass(frozen=True)
class ObjectScore:
    """How well the objects of a class are found: `count` of them are there.

    `ap50` is mask AP at IoU 0.5, None where none is there; `pq`, `sq` and `rq` are panoptic, segmentation and
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
        return {"class": self.names[1], "objects": self.count, **rounded(vars(self), "ap50", "pq", "sq", "rq")}


@dataclass(frozen=True, eq=False)
class Region:
    """The largest connected region of a photo where one thing is said to be another.

    `wrong` are its pixels, `truth` and `answer` the two masks of the class, or for SAM of the object, that it is about,
    all `HxW` bool; `true_id` and `predicted_id` are label ids, the second None where SAM, which knows no classes,
    leaves pixels of the object out, the first None where it takes in others.
    """

    result: Segmentation
    truth: np.ndarray
    answer: np.ndarray
    wrong: np.ndarray
    true_id: int | None
    predicted_id: int | None

    @property
    def share(self) -> float:
        """Of the photo's pixels, in [0, 1]."""
        return float(self.wrong.mean())


def classified(pairs: Sequence[Pair], classes: LabelSet) -> dict[str, Any]:
    """What `Scores` says of results that give each pixel a class."""
    rows, worst = [], []
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    for result, annotation in pairs:
        predicted, truth = result.labels, _truth(annotation)
        of_photo = confusion(predicted, truth, len(classes))
        matrix += of_photo
        rows += _rows(of_photo, result.photo.name, classes)
        confused = np.where((truth != predicted) & (truth != IGNORE), truth.astype(int) * 256 + predicted, -1)
        wrongs = []
        for code, count in zip(*np.unique(confused, return_counts=True), strict=True):
            if code >= 0 and count >= _MIN_REGION * truth.size:
                ids = true_id, given_id = divmod(int(code), 256)
                masks = truth == (true_id or given_id), predicted == (true_id or given_id)
                wrongs.append(Region(result, *masks, regions(confused == code) == 1, *ids))
        worst += _largest(wrongs)[:1]
    totals = _rows(matrix, None, classes)
    return {
        "rows": rows,
        "totals": totals,
        "mean_iou": mean([row.iou for row in totals]),
        "pixel_accuracy": overall_scores(matrix)[1] if matrix.any() else None,
        "confusion": matrix,
        "worst": _largest(worst),
    }


def object_scores(pairs: Sequence[Pair], classes: LabelSet) -> list[ObjectScore]:
    """AP50 and PQ of each class that is there or that the model found."""
    found, objects = ([[s for s in one.segments if s.label_id] for one in side] for side in zip(*pairs, strict=True))
    if not any((*found, *objects)):
        return []
    ap = mask_ap(found, objects, [annotation.confidence == 0 for _, annotation in pairs])
    rows = []
    for label_id, qualities in sorted(panoptic_quality(pairs).items()):
        names = classes.names_ru[label_id], classes.names[label_id]
        count = sum(s.label_id == label_id for of_photo in objects for s in of_photo)
        rows.append(ObjectScore(names, count, ap[label_id][0] if label_id in ap else None, *qualities))
    return rows


def prompted(pairs: Sequence[Pair]) -> dict[str, Any]:
    """What `Scores` says of results without classes: each object that is there, by the segment that fits it best."""
    rows: list[Score] = []
    worst: list[Region] = []
    for result, annotation in pairs:
        known = annotation.confidence > 0
        answers = [segment.mask & known for segment in result.segments]
        named = in_each_language(named_segments, annotation)
        wrongs = []
        for (segment, russian), (_, english) in zip(named["ru"], named["en"], strict=True):
            mask = segment.mask & known
            if not mask.any():
                continue
            answer = max(answers, key=lambda one, mask=mask: iou(one, mask), default=np.zeros_like(mask))
            if not (answer & mask).any():
                answer = np.zeros_like(mask)
            accuracy = np.count_nonzero(answer & mask) / np.count_nonzero(mask)
            rows.append(Score(result.photo.name, (russian, english), iou(answer, mask), dice(answer, mask), accuracy))
            for wrong, ids in ((mask & ~answer, (segment.label_id, None)), (answer & ~mask, (None, segment.label_id))):
                wrongs.append(Region(result, mask, answer, regions(wrong) == 1, *ids))
        worst += _largest(wrongs)[:1]
    return {"rows": rows, "mean_iou": mean([row.iou for row in rows]), "worst": _largest(worst)}


def _truth(annotation: Segmentation) -> np.ndarray:
    """The annotation's labels, `HxW` uint8, 255 where it says nothing."""
    return np.where(annotation.confidence > 0, annotation.labels, np.uint8(IGNORE))


def _largest(found: Sequence[Region]) -> list[Region]:
    """Those that are worth showing, the largest first."""
    return sorted((one for one in found if one.share >= _MIN_REGION), key=lambda region: -region.share)


def _rows(matrix: np.ndarray, photo: str | None, classes: LabelSet) -> list[Score]:
    """The scores of the classes that are there, from a confusion matrix."""
    rows = zip(
        zip(classes.names_ru, classes.names, strict=True), *map(np.ndarray.tolist, class_scores(matrix)), strict=True
    )
    return [Score(photo, *row) for row in rows if not np.isnan(row[-1])]


def mean(values: Sequence[float]) -> float | None:
    """None of no values."""
    return float(np.mean(values)) if len(values) else None


def rounded(values: Mapping[str, Any], *keys: str) -> dict[str, float | None]:
    """Of the numbers those that are named, or all; None stays None."""
    return {key: None if values[key] is None else round(values[key], 4) for key in keys or values}
