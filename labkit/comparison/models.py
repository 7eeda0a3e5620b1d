"""The models of a comparison: which weights each takes for one class, and how SAM is asked for it.

One model that cannot be had, or fails on a photo, never costs the others: it is named, with the reason.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.classes import label_set
from labkit.comparison import figures as comparison
from labkit.io.errors import LabkitError, one_line
from labkit.io.files import local
from labkit.locale import text
from labkit.photos import Photo
from labkit.segmentation import Segmentation
from labkit.variants import VARIANTS, Variant, find_variant
from labkit.weights import download
from labkit.weights.catalogue import OFFICIAL, Release, releases_of

if TYPE_CHECKING:
    from labkit.models import Model, Results

__all__ = ["ask_sam", "check_weights", "fitting_releases", "load_models"]

SAM, MASK_RCNN = 4, 6  # who is asked, and whose boxes it is asked with


def load_models(target: str, weights: str | Path = "embedded", device: str = "auto") -> dict[int, Model]:
    """All six models by number, ready to look for the class `target`; each one's weights are printed with the reason.

    `weights` is embedded, official, auto, `cached` (official where they are in the cache, nothing is downloaded),
    official/NAME or a file. A variant for which these cannot be had, or do not know the class, takes the embedded
    ones; one that does not load at all is left out. LabkitError where the call is wrong.
    """
    from labkit.models import load_model, pick_device

    label = comparison.class_name(target)
    given = check_weights(weights)
    pick_device(device)
    models, lines = {}, []
    for row in VARIANTS:
        title = {"number": row.number, "model": row.title}
        try:
            wanted, reason = _choose(row, given, label)
            model = load_model(row, wanted, device)
        except Exception as error:  # whatever is wrong with these weights, the embedded ones may do
            reason = text("comparison.not_had", given=given, reason=one_line(error))
            try:
                model = load_model(row, "embedded", device)
            except Exception as error:
                lines.append(text("comparison.not_loaded", **title, reason=one_line(error)))
                continue
        models[row.number] = model
        taken = model.weights = replace(model.weights, reason=reason or model.weights.reason)
        lines.append(text("comparison.weights", **title, name=taken.name, reason=taken.reason))
        if model.classes is not None and label not in model.classes:
            lines.append("  " + text("comparison.not_known", name=taken.name, label=label))
    print("\n".join(lines))
    return models


def check_weights(weights: str | Path) -> str:
    """What `load_models` takes as `weights`, as text; LabkitError lists what is valid."""
    given = str(weights)
    names = ("auto", "cached", "embedded", "official", *(f"official/{name}" for name in OFFICIAL))
    if given not in names and not local(given).is_file():
        raise LabkitError(text("comparison.bad_weights", given=given))
    return given


def fitting_releases(variant: int | str | Variant, target: str) -> list[Release]:
    """A variant's releases that know the class, or know none at all (SAM), the one that `official` means first."""
    return [row for row in releases_of(variant) if not row.classes or target in label_set(row.classes)]


def ask_sam(sam: Model, results: Mapping[int, Sequence[Segmentation]], target: str) -> Results:
    """SAM's mask of a class that it does not know, photo by photo: its answers to the boxes of the other models.

    The boxes are those of Mask R-CNN's objects, or the one of the first semantic model's mask: `comparison.boxes`.
    """
    from labkit.models.base import for_each

    first = min((number for number, found in results.items() if found and number not in (SAM, MASK_RCNN)), default=None)
    detected, semantic = ({r.photo.name: r for r in results.get(number, ())} for number in (MASK_RCNN, first))

    def ask(group: list[Photo]) -> list[Segmentation]:
        (photo,), started = group, time.perf_counter()
        nothing = Segmentation.nothing(photo)
        boxes = comparison.boxes(detected.get(photo.name, nothing), semantic.get(photo.name, nothing), target)
        if boxes:
            sam.set_photo(photo)  # the image encoder: once a photo
        answers = [sam.prompt(box=box) for box in boxes]
        return [comparison.joined(photo, answers, target, time.perf_counter() - started)]

    return for_each([[result.photo] for result in {**semantic, **detected}.values()], ask)


def _choose(row: Variant, given: str, label: str) -> tuple[str, str]:
    """The `weights` of a variant, and why, where `load_model` cannot know that."""
    if given in ("official", "cached"):
        fitting = fitting_releases(row, label)
        if not fitting:
            return "embedded", text("comparison.none_knows", label=label)
        if given == "official":
            return f"official/{fitting[0].name}", ""
        cached = next(filter(download.cached, fitting), None)
        if cached is not None:
            return f"official/{cached.name}", text("comparison.cached")
        return "embedded", text("comparison.not_cached")
    release = OFFICIAL.get(given.removeprefix("official/"))
    if release is not None and release.variant != row.name:
        return "embedded", text("comparison.other_model", given=given, model=find_variant(release.variant).title)
    return given, ""
