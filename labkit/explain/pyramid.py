"""PSPNet's pyramid pooling module: the pooled maps, what each level adds, and what the context of the photo decides.

Zhao et al., 2017, arXiv:1612.01105, section 3.2 and figure 3. Ours is segmentation_models_pytorch's, the official
networks' is pytorchcv's; the levels are found by their types.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from PIL import Image
from pytorchcv.models.pspnet import PyramidPoolingBranch
from segmentation_models_pytorch.decoders.pspnet.decoder import PSPBlock
from torch import nn

from labkit.evaluation.metrics import iou
from labkit.explain.hooks import changed, recorded
from labkit.explain.photos import photo_part
from labkit.figures import (
    AGREED,
    EXTRA,
    LOST,
    cut,
    display_svg,
    legend_rows,
    overlay_image,
    painted,
    panels,
    plain_table,
    small,
)
from labkit.io.errors import LabkitError
from labkit.locale import number, text
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = [
    "Pyramid",
    "Without",
    "context_figure",
    "context_table",
    "display_context",
    "display_pyramid",
    "find_pyramid",
    "pyramid",
    "pyramid_figure",
    "pyramid_table",
    "without",
]

_WIDTH, _CONTEXT_WIDTH = 2.3, 3.0
_LEAST_VOTE = 0.05
"""Where no level adds this much to the probability, all stay pale."""


@dataclass(frozen=True, eq=False)
class Without:
    """The answer with the levels of the sizes `off` switched off (zeros), beside the `full` one."""

    off: tuple[int, ...]
    full: Segmentation
    result: Segmentation

    @property
    def moved(self) -> np.ndarray:
        """The pixels whose class is another, `HxW` bool."""
        return self.full.labels != self.result.labels

    @property
    def share(self) -> float:
        """Their share of the photo, in [0, 1]."""
        return float(self.moved.mean())

    @property
    def iou(self) -> float:
        """IoU of the largest object's class with the full answer, of the background's where nothing was found."""
        label_id = _largest(self.full)
        return iou(self.result.labels == label_id, self.full.labels == label_id)

    @property
    def swap(self) -> tuple[int, int, float] | None:
        """The change that most pixels made: label id before and after, and its share of the photo; None for none."""
        if not self.moved.any():
            return None
        pairs = np.stack([self.full.labels[self.moved], self.result.labels[self.moved]])
        found, counts = np.unique(pairs, axis=1, return_counts=True)
        before, after = found[:, counts.argmax()].tolist()
        return before, after, float(counts.max() / self.moved.size)


@dataclass(frozen=True, eq=False)
class Pyramid:
    """One photo's pyramid: `pooled` by size, each `CxSxS` float32 after pooling and 1x1 convolution.

    `votes`: what each level adds to the probability of the largest object's class in each pixel of the network's input,
    that of the full answer less that without the level, `HxW` float32 in [-1, 1]. `part` is the photo's share of the
    height and of the width of that input: the rest is padding. `trials`: each level switched off, then all.
    """

    full: Segmentation
    pooled: dict[int, torch.Tensor]
    votes: dict[int, np.ndarray]
    part: tuple[float, float]
    trials: tuple[Without, ...]

    def strength(self, size: int) -> np.ndarray:
        """The Euclidean norm of the features in each cell of a level, `SxS`."""
        return self.pooled[size].norm(dim=0).numpy()


def find_pyramid(network: nn.Module) -> dict[int, tuple[nn.Module, nn.Module]]:
    """By size: the branch, which enlarges its map again, and the part of it that pools and convolves.

    LabkitError where the network has no pyramid.
    """
    found = {}
    for module in network.modules():
        if isinstance(module, PSPBlock):
            found[module.pool_size] = (module, module.pool)
        elif isinstance(module, PyramidPoolingBranch):
            found[module.pool.output_size] = (module, module.conv)
    if not found:
        raise LabkitError(text("explain.pyramid_missing", given=type(network).__name__))
    return dict(sorted(found.items()))


def without(model: Any, full: Segmentation, *sizes: int) -> Without:
    """Segments the photo of the answer `full` once more, the levels of these sizes (none given: all) giving zeros."""
    levels = find_pyramid(model.network)
    off = sizes or tuple(levels)
    if unknown := set(off) - set(levels):
        raise LabkitError(text("explain.pyramid_size", given=sorted(unknown), valid=", ".join(map(str, levels))))
    with ExitStack() as stack:
        for size in off:
            stack.enter_context(changed(levels[size][0], torch.zeros_like))
        result = model.segment(full.photo)
    return Without(off, full, result)


def pyramid(model: Any, photo: Photo) -> Pyramid:
    """The pooled maps of one photo, recorded by forward hooks, and its answers without each level and without all."""
    levels = find_pyramid(model.network)
    parts = {str(size): pooling for size, (_, pooling) in levels.items()}
    with recorded({"logits": model.network, **parts}) as seen:
        full = model.segment(photo)
    part = photo_part(model, full, seen["logits"][0].shape[2:])  # the logits are as large as the input
    with recorded({"logits": model.network}) as less:
        trials = (*(without(model, full, size) for size in levels), without(model, full))
    whole, *others = (one[0].softmax(0)[_largest(full)] for one in (seen["logits"][0], *less["logits"]))
    votes = {size: (whole - other).numpy() for size, other in zip(levels, others, strict=False)}
    return Pyramid(full, {size: seen[str(size)][0][0] for size in levels}, votes, part, trials)


def pyramid_table(found: Pyramid) -> str:
    """A row a trial in plain text: what was off, how many pixels changed class, IoU with the full answer."""
    rows = [["", *(text(f"explain.pyramid_{key}") for key in ("changed", "iou"))]]
    for trial in found.trials:
        share, agreement = number(100 * trial.share, 1), number(trial.iou, 2)
        rows.append([_name(trial, len(found.pooled)), f"{share} %", agreement])
    label = _class(found.full, _largest(found.full))
    return f"{text('explain.pyramid_photo', name=found.full.photo.name, label=label)}\n{plain_table(rows)}"


def pyramid_figure(found: Pyramid) -> Figure:
    """The strength of each level over the photo, and below it what the level adds to the probability of the class."""
    label = _class(found.full, _largest(found.full))
    most = max(float(np.abs(_shown(vote, found)).max()) for vote in found.votes.values())
    most = max(most, _LEAST_VOTE)
    images, titles = [], []
    for size in found.pooled:
        strength = found.strength(size)
        low, high = strength.min(), strength.max()
        images.append(
            _blended(found, strength, Normalize(low, high) if high > low else Normalize(0, 2 * high), "cividis")
        )
        values = number(low, 1) + (f" … {number(high, 1)}" if size > 1 else "")
        titles.append(text("explain.pyramid_map", size=size, values=values))
    for size, vote in found.votes.items():
        images.append(_blended(found, vote, Normalize(-most, most), "PuOr_r"))
        shown = _shown(vote, found)
        low, high = (number(round(float(x), 2) + 0.0, 2) for x in (shown.min(), shown.max()))  # no -0,00
        titles.append(text("explain.pyramid_vote", size=size, values=f"{low} … {high}".replace("-", "−")))
    colors = [(to_hex(matplotlib.colormaps["PuOr_r"](end)), key) for end, key in ((0.9, "for"), (0.1, "against"))]
    legend = [(color, text(f"explain.pyramid_{key}", label=label)) for color, key in colors]
    drawn = panels(images, titles, len(found.pooled), _WIDTH, legend)
    drawn.set_label(f"{found.full.photo.name}: {'; '.join(titles)}".replace("\n", ": "))
    return drawn


def display_pyramid(model: Any, photo: Photo) -> None:
    """Shows `pyramid_figure` and prints `pyramid_table` for one photo."""
    found = pyramid(model, photo)
    display_svg(pyramid_figure(found))
    print(pyramid_table(found))


def context_table(trials: Sequence[Without]) -> str:
    """A row a photo in plain text, the most changed first: how many pixels changed class, and the commonest change."""
    rows = [[text(key) for key in ("figures.photo", "explain.pyramid_changed", "explain.pyramid_swap")]]
    for trial in sorted(trials, key=lambda trial: -trial.share):
        share = number(100 * trial.share, 1)
        rows.append([trial.full.photo.name, f"{share} %", _swap(trial)])
    return plain_table(rows)


def context_figure(trial: Without) -> Figure:
    """One photo's answer with the pyramid and without it, with the classes it shows, and the pixels that changed."""
    images, titles = [], []
    for result, key in ((trial.full, "with"), (trial.result, "all")):
        images.append(small(overlay_image(result, 0.6), _CONTEXT_WIDTH))
        classes = [f"{name} {100 * share:.0f} %" for _, name, share, _ in legend_rows(result)[:2] if share >= 0.005]
        told = cut(", ".join(classes) or text("figures.nothing"))
        titles.append(f"{text(f'explain.pyramid_{key}')}\n{told}")
    images.append(_shifted(trial))
    share = text("explain.pyramid_scores", share=number(100 * trial.share, 1))
    change = _swap(trial)
    if cut(change) != change:
        change = change.replace("→ ", "→\n")
    titles.append(f"{share}\n{change}")
    label = _class(trial.full, _largest(trial.full))
    keys = ((AGREED, "kept"), (LOST, "lost"), (EXTRA, "other"))
    legend = [(color, text(f"explain.pyramid_{key}", label=label)) for color, key in keys]
    drawn = panels(images, titles, 3, _CONTEXT_WIDTH, legend)
    drawn.set_label(f"{trial.full.photo.name}: {'; '.join(titles)}".replace("\n", ": "))
    return drawn


def display_context(model: Any, photos: Sequence[Photo]) -> None:
    """Measures every photo with the pyramid and without it, shows the one that changes most, and prints the table."""
    trials = [without(model, model.segment(photo)) for photo in photos]
    if not trials:
        print(text("figures.no_results"))
        return
    display_svg(context_figure(max(trials, key=lambda trial: trial.share)))
    print(context_table(trials))


def _largest(result: Segmentation) -> int:
    """The label id of the largest segment; the background's where nothing was found."""
    return result.largest.label_id if result.largest else 0


def _class(result: Segmentation, label_id: int) -> str:
    return result.classes.label(label_id)


def _name(trial: Without, levels: int) -> str:
    if len(trial.off) == levels:
        return text("explain.pyramid_all")
    return text("explain.pyramid_without", sizes=", ".join(f"{size}×{size}" for size in trial.off))


def _swap(trial: Without) -> str:
    if trial.swap is None:
        return text("explain.pyramid_same")
    before, after, share = trial.swap
    return f"{_class(trial.full, before)} → {_class(trial.full, after)}: " + (f"{number(100 * share, 1)} %")


def _shifted(trial: Without) -> Image.Image:
    """The class that stayed, what left it, and every other change."""
    was = trial.full.labels == _largest(trial.full)
    layers = [(was & ~trial.moved, AGREED), (was & trial.moved, LOST), (~was & trial.moved, EXTRA)]
    return painted(trial.full.photo.pixels, layers, _CONTEXT_WIDTH)


def _shown(values: np.ndarray, found: Pyramid) -> np.ndarray:
    """A map without what lies over the padding."""
    height, width = (math.ceil(side * part) for side, part in zip(values.shape, found.part, strict=True))
    return values[:height, :width]


def _blended(found: Pyramid, values: np.ndarray, scale: Normalize, colormap: str) -> Image.Image:
    """A map in colours over the grey photo, cell by cell, without the padding."""
    photo = small(found.full.photo.pixels, _WIDTH)
    sides = zip((photo.height, photo.width), found.part, values.shape, strict=True)
    rows, columns = (((np.arange(n) + 0.5) / n * part * cells).astype(int) for n, part, cells in sides)
    colors = matplotlib.colormaps[colormap](scale(values[np.ix_(rows, columns)]))[..., :3]
    grey = np.array(photo.convert("L"))[..., None] / 255
    return Image.fromarray(np.uint8(255 * (0.65 * colors + 0.35 * grey)))
