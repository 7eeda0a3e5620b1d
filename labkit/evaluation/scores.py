"""How well a model's results agree with a person's masks: of each class on each photo, over all photos, and where not.

Pixels of which an annotation says nothing (its confidence is 0) never count. Classes are matched by key: annotations
and the model may have different label sets. What counts are the classes of PASCAL VOC and those that an annotation
names; every other class of the model counts as background, since nobody was asked to label it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from labkit.classes import IGNORE, VOC, LabelSet, label_set
from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.entries import joint
from labkit.evaluation.metrics import class_scores, confusion, iou, mask_ap, overall_scores, panoptic_quality, regions
from labkit.figures import named_segments, plain_table
from labkit.io.decode import why
from labkit.io.errors import LabkitError
from labkit.locale import LANGUAGES, in_each_language, language, number, text
from labkit.segmentation import Segmentation
from labkit.variants import VARIANTS

__all__ = ["ObjectScore", "Region", "Score", "Scores", "scores", "scores_table", "within"]

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
        return {**photo, "class": self.names[1], **_rounded(vars(self), "iou", "dice", "accuracy")}


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
        return {"class": self.names[1], "objects": self.count, **_rounded(vars(self), "ap50", "pq", "sq", "rq")}


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


@dataclass(frozen=True, eq=False)
class Scores:
    """All that was measured. `kind` is semantic, instance or prompted, `classes` what label ids mean here.

    `rows` are the classes that are on a photo, or its objects for SAM; `totals` the classes over all photos; `mean_iou`
    is the mean of `totals`, for SAM of `rows`; `pixel_accuracy` the share of all labelled pixels that got their class;
    `confusion` is `CxC` int64, rows being what is there (None for SAM); `objects` are those of an instance model;
    `worst` one region a photo, the largest share first. `foreign` names the labelled classes that the model does not
    know, whose pixels count as wrong; `without` the photos that nobody annotated; `flat` those whose annotation does
    not tell objects apart, `sam` those that SAM helped to annotate; `notes` say what of them could not be read.
    """

    kind: str = "semantic"
    classes: LabelSet = VOC
    rows: list[Score] = field(default_factory=list)
    totals: list[Score] = field(default_factory=list)
    mean_iou: float | None = None
    pixel_accuracy: float | None = None
    confusion: np.ndarray | None = None
    objects: list[ObjectScore] = field(default_factory=list)
    worst: list[Region] = field(default_factory=list)
    foreign: list[tuple[str, str]] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    flat: list[str] = field(default_factory=list)
    sam: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def mean_objects(self) -> dict[str, float | None]:
        """AP50 averaged over the classes that are there, PQ, SQ and RQ over those and the found ones."""
        return {key: _mean([getattr(row, key) for row in self.objects]) for key in ("ap50", "pq", "sq", "rq")}

    def record(self) -> dict[str, Any]:
        """In JSON's types, classes in English, for the data of a report."""
        matrix = np.zeros((0, 0), int) if self.confusion is None else self.confusion
        shown = np.flatnonzero(matrix.sum(0) + matrix.sum(1)).tolist()
        return {
            "kind": self.kind,
            "photos": [row.record() for row in self.rows],
            "totals": [row.record() for row in self.totals],
            **_rounded(vars(self), "mean_iou", "pixel_accuracy"),
            "confusion": {
                "classes": [self.classes.names[label_id] for label_id in shown],
                "pixels": matrix[np.ix_(shown, shown)].tolist(),
            },
            "objects": [row.record() for row in self.objects],
            "mean_objects": _rounded(self.mean_objects),
            "unknown_classes": [english for _, english in self.foreign],
            "without_masks": self.without,
            "without_objects": self.flat,
            "with_sam": self.sam,
            "notes": self.notes,
        }


def scores(
    results: Sequence[Segmentation], annotations: str | Path | Mapping[str, Segmentation] | None = None
) -> Scores:
    """Measures the results of one model by the masks that lie next to the photos, or in the folder `annotations`.

    `annotations` may also be the ground truth itself, by the photo's name; it comes first. Classes beyond PASCAL VOC's
    are read in the model's label set, for SAM in COCO's. A photo without a mask, or with a broken one, is named and
    left out; nothing is raised for it.
    """
    instance = {variant.name for variant in VARIANTS if variant.kind == "instance"}
    kind = "instance" if any(result.made_by.get("variant") in instance for result in results) else "semantic"
    kind = "prompted" if any(result.classes is None for result in results) else kind
    given, folder = (annotations, None) if isinstance(annotations, Mapping) else ({}, annotations)
    pairs: list[tuple[Segmentation, Segmentation]] = []
    without, notes = [], []
    for result in results:
        photo, annotation = result.photo, given.get(result.photo.name)
        try:
            for place in dict.fromkeys((None, folder)):  # next to the photo, then in the folder
                annotation = annotation or find_ground_truth(photo, place, result.classes or label_set("COCO"))
        except Exception as error:  # a broken mask, of whatever kind, costs only itself
            notes.append(f"{photo.name} — {error if isinstance(error, LabkitError) else why(error)}")
            continue
        if annotation is None:
            without.append(photo.name)
        else:
            pairs.append((result, annotation))
            notes += [f"{photo.name} — {note}" for note in annotation.made_by.get("notes", ())]
    said: dict[str, Any] = {"without": without, "notes": notes}
    if not pairs:
        return Scores(kind, **said)
    named = {one.classes.keys[segment.label_id] for _, one in pairs for segment in one.segments}
    classes = joint(VOC, *(annotation.classes for _, annotation in pairs), named=named)
    known = {classes.keys[0], *(key for result, _ in pairs if result.classes for key in result.classes.keys)}
    pairs = [(within(classes, result), within(classes, annotation)) for result, annotation in pairs]
    said |= _prompted(pairs) if kind == "prompted" else _classified(pairs, classes)
    if kind != "prompted":
        lost = [n for n in np.flatnonzero(said["confusion"].sum(1)) if classes.keys[n] not in known]
        said["foreign"] = sorted((classes.names_ru[n], classes.names[n]) for n in lost)
    if kind == "instance":
        whole = [pair for pair in pairs if pair[1].made_by.get("objects")]
        said["flat"] = [result.photo.name for result, annotation in pairs if not annotation.made_by.get("objects")]
        said["objects"] = _object_scores(whole, classes) if whole else []
    sam = [result.photo.name for result, annotation in pairs if annotation.made_by.get("sam")]
    return Scores(kind, classes, sam=sam, **said)


def _classified(pairs: Sequence[tuple[Segmentation, Segmentation]], classes: LabelSet) -> dict[str, Any]:
    """What `Scores` says of results that give each pixel a class."""
    rows, worst = [], []
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    for result, annotation in pairs:
        predicted = result.labels
        truth = np.where(annotation.confidence > 0, annotation.labels, np.uint8(IGNORE))
        of_photo = confusion(predicted, truth, len(classes))
        matrix += of_photo
        rows += _rows(of_photo, result.photo.name, classes)
        wrongs = []
        for true_id, given_id in np.argwhere(of_photo >= _MIN_REGION * truth.size).tolist():
            if true_id != given_id:
                wrong, label_id = (truth == true_id) & (predicted == given_id), true_id or given_id
                masks = truth == label_id, predicted == label_id
                wrongs.append(Region(result, *masks, regions(wrong) == 1, true_id, given_id))
        worst += _largest(wrongs)[:1]
    totals = _rows(matrix, None, classes)
    return {
        "rows": rows,
        "totals": totals,
        "mean_iou": _mean([row.iou for row in totals]),
        "pixel_accuracy": overall_scores(matrix)[1] if matrix.any() else None,
        "confusion": matrix,
        "worst": _largest(worst),
    }


def _object_scores(pairs: Sequence[tuple[Segmentation, Segmentation]], classes: LabelSet) -> list[ObjectScore]:
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


def _prompted(pairs: Sequence[tuple[Segmentation, Segmentation]]) -> dict[str, Any]:
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
            agreement = (float(one[1]) for one in class_scores(confusion(answer, mask, 2)))
            rows.append(Score(result.photo.name, (russian, english), *agreement))
            for wrong, ids in ((mask & ~answer, (segment.label_id, None)), (answer & ~mask, (None, segment.label_id))):
                wrongs.append(Region(result, mask, answer, regions(wrong) == 1, *ids))
        worst += _largest(wrongs)[:1]
    return {"rows": rows, "mean_iou": _mean([row.iou for row in rows]), "worst": _largest(worst)}


def _largest(found: Sequence[Region]) -> list[Region]:
    """Those that are worth showing, the largest first."""
    return sorted((one for one in found if one.share >= _MIN_REGION), key=lambda region: -region.share)


def _rows(matrix: np.ndarray, photo: str | None, classes: LabelSet) -> list[Score]:
    """The scores of the classes that are there, from a confusion matrix."""
    names = zip(classes.names_ru, classes.names, strict=True)
    rows = zip(names, *map(np.ndarray.tolist, class_scores(matrix)), strict=True)
    return [Score(photo, *row) for row in rows if not np.isnan(row[-1])]


def _mean(values: Sequence[float | None]) -> float | None:
    """Of those that are numbers; None where none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _rounded(values: Mapping[str, Any], *keys: str) -> dict[str, float | None]:
    """Of the numbers those that are named, or all; None stays None."""
    return {key: None if values[key] is None else round(values[key], 4) for key in keys or values}


def scores_table(measured: Scores) -> str:
    """The scores in plain text: a row a photo and class, then all photos, objects, and what was left out."""
    if not measured.rows:
        return "\n".join([text("scores.no_masks"), *_remarks(measured)])
    place, kind = LANGUAGES.index(language()), "object" if measured.kind == "prompted" else "class"
    table = [[text("figures.photo"), text(f"scores.{kind}"), "IoU", "Dice", text("scores.accuracy")]]
    before = ""
    for row in [*measured.rows, *measured.totals]:
        photo = row.photo if row.photo is not None else text("scores.all")
        table.append([photo if photo != before else "", row.names[place], *_shown(row.iou, row.dice, row.accuracy)])
        before = photo
    average, share = _shown(measured.mean_iou, measured.pixel_accuracy)
    said = "scores.mean_objects" if kind == "object" else "scores.mean"
    lines = [plain_table(table), "", text(said, mean=average, accuracy=share, count=len(measured.rows))]
    lines += _remarks(measured)
    if measured.objects:
        objects = [[text("scores.class"), text("scores.objects"), "AP50", "PQ", "SQ", "RQ"]]
        objects += [[n.names[place], str(n.count), *_shown(n.ap50, n.pq, n.sq, n.rq)] for n in measured.objects]
        total = str(sum(one.count for one in measured.objects))
        objects.append([text("scores.mean_row"), total, *_shown(*measured.mean_objects.values())])
        lines += ["", plain_table(objects)]
    return "\n".join(lines)


def _shown(*values: float | None) -> list[str]:
    return ["—" if value is None else number(value, 2) for value in values]


def _remarks(measured: Scores) -> list[str]:
    foreign = [names[LANGUAGES.index(language())] for names in measured.foreign]
    without = measured.without if measured.rows else []
    named = {"foreign": foreign, "flat": measured.flat, "sam": measured.sam, "without": without}
    lines = [text(f"scores.{key}", names=", ".join(names)) for key, names in named.items() if names]
    return [*lines, *(text("scores.broken", note=note) for note in measured.notes)]


def within(classes: LabelSet, one: Segmentation) -> Segmentation:
    """A result with the label ids of `classes`, 0 for what these do not have; SAM's as it is."""
    if one.classes is None:
        return one
    ids = {key: label_id for label_id, key in enumerate(classes.keys)}
    segments = [replace(s, label_id=ids.get(one.classes.keys[s.label_id], 0)) for s in one.segments]
    return replace(one, segments=segments, classes=classes)
