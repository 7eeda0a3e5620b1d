"""What U-Net's skip connections are for: they are switched off, and the mask is measured at its border.

Ronneberger et al., 2015, arXiv:1505.04597, section 2: features of the contracting path are joined to those of the
expanding one so that what is recognised is also put in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from labkit.classes import LabelSet
from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.metrics import iou
from labkit.explain.boundary import boundary_iou
from labkit.explain.hooks import changed, recorded
from labkit.explain.unet_paths import find_unet
from labkit.figures import AGREED, EXTRA, LOST, display_svg, painted, panels, plain_table
from labkit.io.errors import LabkitError
from labkit.locale import number, text
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = ["Trial", "Trials", "display_skips", "skip_trials", "skips_figure", "skips_table"]

_FILLS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "zeros": torch.zeros_like,
    "mean": lambda features: features.mean((2, 3), keepdim=True).expand_as(features),
}
_WIDTH = 2.1


@dataclass(frozen=True, eq=False)
class Trial:
    """One run: the strides of the skips that were `off`, the mask (`HxW` bool), IoU and boundary IoU with the truth."""

    off: tuple[int, ...]
    mask: np.ndarray
    iou: float
    boundary_iou: float


@dataclass(frozen=True, eq=False)
class Trials:
    """All skips, without each of them (fine ones first), without all; `truth` is `HxW` bool.

    `own`: the truth is the mask of the network with all skips, for want of a reference with this class.
    """

    photo: Photo
    label_id: int
    classes: LabelSet
    truth: np.ndarray
    own: bool
    runs: tuple[Trial, ...]


def skip_trials(model: Any, photo: Photo, reference: Segmentation | None = None, fill: str = "zeros") -> Trials:
    """What becomes of the largest object's class when skip connections are switched off, measured by the reference.

    `reference` is the photo's own where none is given; where it has no such class, the mask with all skips serves.
    Instead of a skip's features the decoder gets `fill`: "zeros", or "mean", of each channel over the photo. Zeros do
    not drive our network out of its range: 0 lies between the least and the largest value of every joined channel.
    LabkitError where nothing was found, for another `fill` or a network that is no U-Net.
    """
    if fill not in _FILLS:
        raise LabkitError(text("explain.unet_fill", given=fill, valid=", ".join(_FILLS)))
    encoder = find_unet(model.network).encoder
    with recorded({"encoder": encoder}) as seen:
        full = model.segment(photo)
    largest = full.largest
    if largest is None:
        raise LabkitError(text("explain.unet_nothing", name=photo.name))
    truth, known = _truth(reference if reference is not None else find_ground_truth(photo), largest.label)
    own = not truth.any()
    if own:
        truth, known = largest.mask, np.ones_like(largest.mask)
    features = seen["encoder"][0]
    strides = [features[0].shape[-1] // one.shape[-1] for one in features]
    skips = range(1, len(features) - 1)  # neither the input nor the bottom

    def run(off: Sequence[int]) -> Trial:
        def without(given: list[torch.Tensor]) -> list[torch.Tensor]:
            return [_FILLS[fill](one) if place in off else one for place, one in enumerate(given)]

        with changed(encoder, without):
            mask = model.segment(photo).mask_of(largest.label) & known
        return Trial(tuple(strides[place] for place in off), mask, iou(mask, truth), boundary_iou(mask, truth))

    runs = (run(()), *(run((place,)) for place in skips), run(tuple(skips)))
    return Trials(photo, largest.label_id, full.classes, truth, own, runs)


def skips_table(trials: Trials) -> str:
    """A row a run in plain text: what was off, IoU and boundary IoU; above, what it was measured by."""
    label = trials.classes.label(trials.label_id)
    by = text(f"explain.unet_{'own' if trials.own else 'reference'}", name=trials.photo.name, label=label)
    rows = [["", "IoU", text("explain.unet_boundary")]]
    for trial in trials.runs:
        rows.append([_name(trial), *(number(x, 2) for x in (trial.iou, trial.boundary_iou))])
    return f"{by}\n{plain_table(rows)}"


def skips_figure(trials: Trials) -> Figure:
    """The object with the mask of every run on it: what agrees with the truth, what is lost, what is too much."""
    everything = trials.truth | np.logical_or.reduce([trial.mask for trial in trials.runs])
    part = _around(everything)
    truth = trials.truth[part]
    images, titles = [], []
    for trial in trials.runs:
        mask = trial.mask[part]
        layers = [(mask & truth, AGREED), (truth & ~mask, LOST), (mask & ~truth, EXTRA)]
        images.append(painted(trials.photo.pixels[part], layers, _WIDTH))
        scores = (number(x, 2) for x in (trial.iou, trial.boundary_iou))
        told = text("explain.unet_scores", **dict(zip(("iou", "boundary"), scores, strict=True)))
        titles.append(f"{_name(trial)}\n{told}")
    keys = ((AGREED, "agreed"), (LOST, "lost"), (EXTRA, "extra"))
    legend = [(color, text(f"explain.unet_{key}")) for color, key in keys]
    drawn = panels(images, titles, 3, _WIDTH, legend)
    drawn.set_label(f"{trials.photo.name}: {'; '.join(titles)}".replace("\n", ": "))
    return drawn


def display_skips(model: Any, photo: Photo, reference: Segmentation | None = None, fill: str = "zeros") -> None:
    """Shows `skips_figure` and prints `skips_table`; where nothing was found on the photo, says so."""
    try:
        trials = skip_trials(model, photo, reference, fill)
    except LabkitError as error:
        print(error)
        return
    display_svg(skips_figure(trials))
    print(skips_table(trials))


def _truth(reference: Segmentation | None, label: str) -> tuple[np.ndarray, np.ndarray]:
    """The class's mask in the reference, and where anybody knows what is there; empty ones without such a class."""
    nothing = np.zeros((0, 0), bool)
    if reference is None or reference.classes is None:
        return nothing, nothing
    try:
        return reference.mask_of(label), reference.confidence > 0
    except ValueError:
        return nothing, nothing


def _around(mask: np.ndarray) -> tuple[slice, slice]:
    """The part of the photo around a mask, a twelfth of its sides wider."""
    parts = []
    for axis in (1, 0):
        inside = np.flatnonzero(mask.any(axis))
        first, last = int(inside[0]), int(inside[-1]) + 1
        margin = max(4, (last - first) // 12)
        parts.append(slice(max(0, first - margin), last + margin))
    return parts[0], parts[1]


def _name(trial: Trial) -> str:
    if not trial.off:
        return text("explain.unet_all")
    if len(trial.off) > 1:
        return text("explain.unet_none")
    return text("explain.unet_without", scale=f"1/{trial.off[0]}")
