"""Several models on the same photos: one class's mask of each, how far they agree, a table and figures.

`results` is always a list a variant, by its number: one `Segmentation` a photo, the photos in the same order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, combinations_with_replacement

import matplotlib
import numpy as np
from PIL import Image

from labkit.classes import VOC
from labkit.evaluation.metrics import iou
from labkit.figures import STYLE, Drawing, Drawings, cut, note, overlay_image, panels, plain_table, small
from labkit.io.drawing import squares
from labkit.io.errors import LabkitError
from labkit.locale import number, percent, text
from labkit.photos import Photo
from labkit.segmentation import MIN_SHARE, Segment, Segmentation
from labkit.variants import find_variant

__all__ = ["agreement_figure", "aligned", "areas", "by_photo", "class_name", "clearest", "masks_figures", "table"]

_PANEL = 1.5
_SHOWN = 1.2  # an image carries what a panel of this width can show: six a photo, they are most of a page
_NONE = "—"

Results = Mapping[int, Sequence[Segmentation]]


def class_name(target: str) -> str:
    """The name of the sought class, which is given in Russian or English; LabkitError lists the valid ones."""
    names = [VOC.label(n) for n in range(len(VOC))]
    label_id = VOC.id(target) if isinstance(target, str) and target in VOC else 0
    if label_id == 0:  # the background is nothing to look for
        raise LabkitError(text("comparison.target", given=target, valid=", ".join(names[1:])))
    return names[label_id]


def aligned(results: Results) -> dict[int, list[Segmentation]]:
    """The results of the photos that every model has done; what is left out, and why, is printed.

    A photo that one model failed on is left out of all; a model that failed on every photo is left out itself.
    """
    done = {variant: found for variant, found in results.items() if found}
    for variant in results.keys() - done.keys():
        print(text("comparison.no_results", model=find_variant(variant).title))
    names = [[result.photo.name for result in found] for found in done.values()]
    common = set.intersection(*map(set, names)) if names else set()
    if partly := [name for name in dict.fromkeys(chain(*names)) if name not in common]:
        print(text("comparison.partly", names=", ".join(partly)))
    return {variant: [r for r in found if r.photo.name in common] for variant, found in done.items()}


def by_photo(results: Results) -> list[Segmentation]:
    """Photo after photo, each model's result of it in the order of the variants: what `labkit.show` puts side by side.

    A pixel's confidence becomes the score of its segment: one of each pixel, six times a photo, would be megabytes.
    """
    shown = []
    for of_photo in zip(*(results[variant] for variant in sorted(results)), strict=True):
        for variant, result in zip(sorted(results), of_photo, strict=True):
            scores = np.zeros(max((segment.id for segment in result.segments), default=0) + 1, np.float32)
            for segment in result.segments:
                scores[segment.id] = segment.score
            made_by = {"variant": find_variant(variant).name, **result.made_by}  # SAM's is empty where it was not asked
            shown.append(replace(result, confidence=scores[result.ids], made_by=made_by))
    return shown


def clearest(results: Results, target: str) -> Photo | None:
    """The photo of which the models together give most to the class, where to begin to look; None without results."""
    of_photos = zip(*masks_of(results, target).values(), strict=True)
    shares = [sum(mask.mean() for mask in of_photo) for of_photo in of_photos]
    return next(iter(results.values()))[int(np.argmax(shares))].photo if shares else None


def boxes(detected: Segmentation, semantic: Segmentation, target: str) -> list[tuple[int, int, int, int]]:
    """What to ask SAM with for a class that it does not know: the boxes of the objects that a detector found.

    Where it found none, the box of the other model's mask; none where that is empty as well.
    """
    found = [segment.box for segment in _of_class(detected, target)]
    if not found and _mask(semantic, target).any():
        found = [segment.box for segment in _of_class(semantic, target)]
    return found


def joined(photo: Photo, answers: Sequence[Segmentation], target: str, seconds: float = 0.0) -> Segmentation:
    """SAM's best answer to each box joined as the mask of a class; `seconds` is what they took together.

    Without answers the mask is empty, and `made_by` too: nothing was asked.
    """
    labels, confidence = np.zeros(photo.pixels.shape[:2], np.uint8), np.zeros(photo.pixels.shape[:2], np.float32)
    for answer in answers:
        for best in answer.segments[:1]:
            labels[best.mask] = VOC.id(target)
            confidence = np.maximum(confidence, np.where(best.mask, answer.confidence, 0))
    made_by = {}
    if answers:
        asked = {"boxes": [answer.made_by["prompts"]["box"] for answer in answers]}
        made_by = {**answers[0].made_by, "prompts": asked, "seconds": round(seconds, 4)}
    return Segmentation.from_labels(photo, labels, confidence, made_by=made_by)


def masks_of(results: Results, target: str) -> dict[int, list[np.ndarray]]:
    """Each variant's mask of a class on each photo (`HxW` bool), by variant; empty below `MIN_SHARE`.

    LabkitError where SAM, which is asked for one class, was asked for another.
    """
    label, first = class_name(target), min(results.keys() - {4, 6}, default=None)
    for n, answer in enumerate(results.get(4, ())):
        nothing = Segmentation.nothing(answer.photo)
        wanted = boxes(*(results[k][n] if k in results else nothing for k in (6, first)), target)
        if answer.made_by.get("prompts", {}).get("boxes", []) != [list(box) for box in wanted]:
            raise LabkitError(text("comparison.sam_asked_before", label=label))
    return {variant: [_mask(result, target) for result in results[variant]] for variant in sorted(results)}


def agreement(masks: Mapping[int, Sequence[np.ndarray]]) -> np.ndarray:
    """The IoU between each two models, the mean over the photos: `NxN` float, in the order of `masks`.

    A photo on which both masks are empty is left out (that they do not see what is not there says nothing of their
    masks); one on which only one of them is empty counts 0. NaN where no photo is left.
    """
    matrix = np.full((len(masks), len(masks)), np.nan)
    for (i, first), (j, second) in combinations_with_replacement(enumerate(masks.values()), 2):
        scores = [iou(a, b) for a, b in zip(first, second, strict=True) if a.any() or b.any()]
        if scores:
            matrix[i, j] = matrix[j, i] = np.mean(scores)
    return matrix


def table(results: Results, target: str, sizes: Mapping[int, int], digits: int = 1) -> str:
    """A row a model, in plain text; `sizes` are the bytes of the weights, `digits` how exactly seconds are given.

    Photos on which the class was found, the mean share of their area, the mean agreement with the other models, the
    median of the seconds a photo, megabytes of weights.
    """
    masks = masks_of(results, target)
    matrix = agreement(masks)
    keys = ("comparison.model", "figures.found", "figures.share", "comparison.agreement")
    head = [text(key) for key in (*keys, "comparison.seconds", "comparison.megabytes")]
    rows = []
    for place, (variant, of_photos) in enumerate(masks.items()):
        shares = [mask.mean() for mask in of_photos if mask.any()]
        others = np.delete(matrix[place], place)
        seconds = [r.made_by["seconds"] for r in results[variant] if "seconds" in r.made_by]
        rows.append(
            [
                f"{variant} {find_variant(variant).title}",
                text("comparison.found_on", found=len(shares), photos=len(of_photos)),
                percent(np.mean(shares)) if shares else _NONE,
                number(np.nanmean(others), 2) if np.isfinite(others).any() else _NONE,
                _seconds(float(np.median(seconds)), digits) if seconds else _NONE,
                number(sizes[variant] / 1e6, 1),
            ]
        )
    return plain_table([head, *rows])


def areas(results: Results, target: str) -> str:
    """A row a photo, in plain text: the share of its area that each model gives to the class."""
    masks = masks_of(results, target)
    if not masks:
        return text("figures.no_results")
    names = [result.photo.name for result in next(iter(results.values()))]
    head = [text("figures.photo"), *(find_variant(variant).title for variant in masks)]
    return plain_table([head, *([name, *map(_share, row)] for name, *row in zip(names, *masks.values(), strict=True))])


@matplotlib.rc_context(STYLE)
def masks_figure(photo: Photo, masks: Mapping[int, np.ndarray], target: str) -> Drawing:
    """One photo: each model's mask over it, under the model's title and the mask's share."""
    shrunk, label, images = Photo(photo.name, np.array(small(photo.pixels, _SHOWN))), np.uint8(VOC.id(target)), []
    for mask in masks.values():
        inside = Image.fromarray(mask).resize(shrunk.pixels.shape[1::-1], Image.Resampling.NEAREST)
        images.append(Image.fromarray(overlay_image(Segmentation.from_labels(shrunk, np.array(inside) * label), 0.6)))
    titles = [f"{find_variant(variant).title}\n{_share(mask)}" for variant, mask in masks.items()]
    drawn = panels(images, titles, len(images), _PANEL, name=f"{photo.name}, {class_name(target)}")
    drawn.set_figheight(drawn.get_figheight() + 0.3)
    name = cut(photo.name, drawn.get_figwidth())
    drawn.suptitle(name, x=0.005, ha="left", fontsize=10, fontweight="bold", parse_math=False)
    return drawn


def masks_figures(results: Results, target: str) -> Drawings:
    """`masks_figure` of each photo on which some model found the class; the others are named below them."""
    masks = masks_of(results, target)
    photos = [result.photo for result in next(iter(results.values()), ())]
    drawn, absent = [], []
    for photo, *of_photo in zip(photos, *masks.values(), strict=True):
        if any(mask.any() for mask in of_photo):
            drawn.append(masks_figure(photo, dict(zip(masks, of_photo, strict=True)), target))
        else:
            absent.append(photo.name)
    nowhere = text("comparison.nowhere", label=class_name(target), names=", ".join(absent))
    return Drawings(drawn, nowhere if absent else "")


def agreement_figure(results: Results, target: str) -> Drawing:
    """`agreement` as a matplotlib figure: a square a pair of models with the number in it, lighter for a larger one."""
    if not any(results.values()):
        return note(text("figures.no_results"))
    masks = masks_of(results, target)
    matrix, pairs = agreement(masks), ~np.eye(len(masks), dtype=bool)
    titles = [find_variant(variant).title for variant in masks]
    known = np.ma.masked_where(~pairs | np.isnan(matrix), matrix)
    low = min(0.9, np.floor(known.compressed().min(initial=1) * 10) / 10)
    name = f"{text('comparison.agreement')}, {class_name(target)}"
    drawn = squares(name, known, titles, titles, lambda iou: number(iou, 2), low)
    for row, column in np.argwhere(pairs & np.isnan(matrix)):
        drawn.axes[0].text(column + 0.5, row + 0.5, _NONE, ha="center", va="center")
    return drawn


def _of_class(result: Segmentation, target: str) -> list[Segment]:
    """The segments of a class; none where the model's label set does not have it (people, street scenes)."""
    label_id = result.classes.id(target) if result.classes and target in result.classes else None
    return [segment for segment in result.segments if segment.label_id == label_id]


def _mask(result: Segmentation, target: str) -> np.ndarray:
    mask = result.mask_of(target) if _of_class(result, target) else np.zeros(result.ids.shape, bool)
    return mask & (mask.mean() >= MIN_SHARE)


def _share(mask: np.ndarray) -> str:
    return percent(mask.mean()) if mask.any() else _NONE


def _seconds(value: float, digits: int) -> str:
    """In tenths it hardly changes from run to run."""
    return number(value, digits) if value > 10**-digits else f"≤{number(10**-digits, digits)}"
