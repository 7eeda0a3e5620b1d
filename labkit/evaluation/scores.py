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

from labkit.classes import VOC, LabelSet, label_set
from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.entries import joint
from labkit.evaluation.scoring import ObjectScore, Region, Score, classified, mean, object_scores, prompted, rounded
from labkit.figures import plain_table
from labkit.io.decode import why
from labkit.io.errors import LabkitError
from labkit.locale import LANGUAGES, language, number, text
from labkit.segmentation import Segmentation
from labkit.variants import VARIANTS

__all__ = ["Scores", "scores", "scores_table", "within"]


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
        means = {key: [getattr(row, key) for row in self.objects] for key in ("ap50", "pq", "sq", "rq")}
        return {key: mean([value for value in values if value is not None]) for key, values in means.items()}

    def record(self) -> dict[str, Any]:
        """In JSON's types, classes in English, for the data of a report."""
        matrix = np.zeros((0, 0), int) if self.confusion is None else self.confusion
        shown = np.flatnonzero(matrix.sum(0) + matrix.sum(1)).tolist()
        return {
            "kind": self.kind,
            "photos": [row.record() for row in self.rows],
            "totals": [row.record() for row in self.totals],
            **rounded(vars(self), "mean_iou", "pixel_accuracy"),
            "confusion": {
                "classes": [self.classes.names[label_id] for label_id in shown],
                "pixels": matrix[np.ix_(shown, shown)].tolist(),
            },
            "objects": [row.record() for row in self.objects],
            "mean_objects": rounded(self.mean_objects),
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

    `annotations` may also be the ground truth itself, by the photo's name; it comes first.

    A photo without a mask, or with a broken one, is named and left out; nothing is raised for it.
    """
    instance = {variant.name for variant in VARIANTS if variant.kind == "instance"}
    kind = "instance" if any(result.made_by.get("variant") in instance for result in results) else "semantic"
    kind = "prompted" if any(result.classes is None for result in results) else kind
    pairs: list[tuple[Segmentation, Segmentation]] = []
    without, notes = [], []
    for result in results:
        try:
            annotation = _ground_truth(result, annotations)
        except Exception as error:  # a broken mask, of whatever kind, costs only itself
            notes.append(f"{result.photo.name} — {error if isinstance(error, LabkitError) else why(error)}")
            continue
        if annotation is None:
            without.append(result.photo.name)
        else:
            pairs.append((result, annotation))
            notes += [f"{result.photo.name} — {note}" for note in annotation.made_by.get("notes", ())]
    said: dict[str, Any] = {"without": without, "notes": notes}
    if not pairs:
        return Scores(kind, **said)
    named = {one.classes.keys[segment.label_id] for _, one in pairs for segment in one.segments}
    classes = joint(VOC, *(annotation.classes for _, annotation in pairs), named=named)
    known = {classes.keys[0], *(key for result, _ in pairs if result.classes for key in result.classes.keys)}
    pairs = [(within(classes, result), within(classes, annotation)) for result, annotation in pairs]
    said |= prompted(pairs) if kind == "prompted" else classified(pairs, classes)
    if kind != "prompted":
        lost = [n for n in np.flatnonzero(said["confusion"].sum(1)) if classes.keys[n] not in known]
        said["foreign"] = sorted((classes.names_ru[n], classes.names[n]) for n in lost)
    if kind == "instance":
        whole = [pair for pair in pairs if pair[1].made_by.get("objects")]
        said["flat"] = [result.photo.name for result, annotation in pairs if not annotation.made_by.get("objects")]
        said["objects"] = object_scores(whole, classes) if whole else []
    sam = [result.photo.name for result, annotation in pairs if annotation.made_by.get("sam")]
    return Scores(kind, classes, sam=sam, **said)


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
        for one in measured.objects:
            objects.append([one.names[place], str(one.count), *_shown(one.ap50, one.pq, one.sq, one.rq)])
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


def _ground_truth(
    result: Segmentation, annotations: str | Path | Mapping[str, Segmentation] | None
) -> Segmentation | None:
    """What is given for the photo, else lies next to it or in the folder, in the model's classes or COCO's."""
    given, folder = (annotations, None) if isinstance(annotations, Mapping) else ({}, annotations)
    annotation = given.get(result.photo.name)
    for place in dict.fromkeys((None, folder)):
        annotation = annotation or find_ground_truth(result.photo, place, result.classes or label_set("COCO"))
    return annotation


def within(classes: LabelSet, one: Segmentation) -> Segmentation:
    """A result with the label ids of `classes`, 0 for what these do not have; SAM's as it is."""
    if one.classes is None:
        return one
    ids = {key: label_id for label_id, key in enumerate(classes.keys)}
    segments = [replace(s, label_id=ids.get(one.classes.keys[s.label_id], 0)) for s in one.segments]
    return replace(one, segments=segments, classes=classes)
