"""U-Net's lecture on one photo: its two paths, what flows there, and what the skip connections between them are for.

Ronneberger et al., 2015, arXiv:1505.04597, section 2 and figure 1: features of the contracting path are joined to those
of the expanding one so that what is recognised is also put in its place. Ours and the official network are both
segmentation_models_pytorch's `Unet`; it is found by its type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import segmentation_models_pytorch as smp
import torch
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image
from torch import nn

from labkit.evaluation.annotations import find_ground_truth
from labkit.explain.drawing import compared, three_colors
from labkit.explain.hooks import Trial, changed, find_part, recorded, window
from labkit.figures import AGREED, STYLE, Drawing, panels, plain_table, small
from labkit.io.errors import LabkitError
from labkit.locale import number, text
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = ["Level", "Paths", "maps_figure", "paths", "paths_figure", "paths_table", "skip_trials", "skips_figure"]
__all__ += ["skips_table"]

_DOWN, _UP, _SKIP = "#d55e00", "#009e73", "#0072b2"
_CHANNELS, _TILE, _MAP_WIDTH, _SKIPS_WIDTH = 4, 64, 1.5, 2.1
_FILLS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "zeros": torch.zeros_like,
    "mean": lambda features: features.mean((2, 3), keepdim=True).expand_as(features),
}


@dataclass(frozen=True, eq=False)
class Level:
    """What flows at one size: `contracting` and `expanding` are `CxHxW` float32, the padding of the photo included.

    `stride` is how many pixels of the input a cell is wide. At the bottom there is no `expanding`. `joined` is how many
    channels of the contracting path the skip connection brings into the expanding one, 0 where there is none.
    """

    stride: int
    contracting: torch.Tensor
    expanding: torch.Tensor | None
    joined: int

    @property
    def scale(self) -> str:
        return f"1/{self.stride}" if self.stride > 1 else "1"


@dataclass(frozen=True, eq=False)
class Paths:
    """The levels from the input down, `output` (logits, `CxHxW`) and the photo's part of the input, (height, width)."""

    photo: Photo
    levels: tuple[Level, ...]
    output: torch.Tensor
    size: tuple[int, int]


def find_unet(network: nn.Module) -> smp.Unet:
    """The U-Net in a network; LabkitError where there is none."""
    return find_part(network, smp.Unet, "explain.unet_missing")


def paths(model: Any, photo: Photo) -> Paths:
    """Both paths on their way through one photo, recorded by forward hooks."""
    unet = find_unet(model.network)
    blocks = list(unet.decoder.blocks)
    parts = {str(number): block for number, block in enumerate(blocks)}
    with recorded({"contracting": unet.encoder, "output": unet.segmentation_head, **parts}) as seen:
        model.segment(photo)
    down = [features[0] for features in seen["contracting"][0]]  # the first is the input itself
    up = [seen[name][0][0] for name in parts]
    levels = [Level(down[0].shape[1] // down[-1].shape[1], down[-1], None, 0)]
    for features, block, below, expanding in zip(down[-2::-1], blocks, [down[-1], *up], up, strict=False):
        joined = block.conv1[0].in_channels - below.shape[0]
        levels.append(Level(down[0].shape[1] // features.shape[1], features, expanding, joined))
    filled = down[0].ne(0).any(0)  # the padding is exactly 0
    size = (int(filled.any(1).nonzero()[-1]) + 1, int(filled.any(0).nonzero()[-1]) + 1)
    return Paths(photo, tuple(levels[::-1]), seen["output"][0][0], size)


def paths_table(found: Paths) -> str:
    """A row a level in plain text: its scale, the features of both paths (height×width×channels) and the skip."""
    rows = [[text(f"explain.unet_{key}") for key in ("level", "contracting", "joined", "expanding")]]
    for level in found.levels:
        expanding = _shape(level.expanding) if level.expanding is not None else text("explain.unet_bottom")
        rows.append([level.scale, _shape(level.contracting), f"+{level.joined} →" if level.joined else "—", expanding])
    return plain_table(rows)


@matplotlib.rc_context(STYLE)
def paths_figure(found: Paths) -> Drawing:
    """The U with the shapes that were recorded; a box is as high as its map and as wide as it has channels (log)."""
    drawn = Drawing(figsize=(9.5, 0.72 * len(found.levels) + 0.6), layout="constrained")
    drawn.set_label(f"{found.photo.name}: {paths_table(found)}".replace("\n", "; "))
    ax = drawn.subplots()
    ax.set_axis_off()
    bottom = len(found.levels) - 1
    for depth, level in enumerate(found.levels[:-1]):
        below, x = found.levels[depth + 1], 2 * bottom - depth
        width, height = _box(ax, level.contracting, depth, -depth, "left")
        _arrow(ax, (depth, -depth - height / 2), (depth + 1, -depth - 1 + _extent(below.contracting)[1] / 2), _DOWN)
        right, tall = _box(ax, level.expanding, x, -depth, "right")
        source = below.expanding if below.expanding is not None else below.contracting
        corner = _extent(source)[0] / 2 if below.expanding is None else 0  # the arrow from above ends in the middle
        _arrow(ax, (x - 1 + corner, -depth - 1 + _extent(source)[1] / 2), (x, -depth - tall / 2), _UP)
        if level.joined:
            _arrow(ax, (depth + width / 2, -depth), (x - right / 2, -depth), _SKIP)
            ax.text(bottom, -depth + 0.08, f"+{level.joined}", ha="center", va="bottom", color=_SKIP, fontsize=8)
    _box(ax, found.levels[-1].contracting, bottom, -bottom, "below")
    end, top = 2 * bottom, _extent(found.output)[1] / 2
    _arrow(ax, (end, top), (end, top + 0.45), "#444444")
    ax.text(end, top + 0.5, f"{text('explain.unet_output')}: {_shape(found.output)}", ha="center", va="bottom")
    ax.set(xlim=(-1.9, end + 1.9), ylim=(-bottom - 0.65, 1.2))
    handles = [
        Line2D([], [], color=color, linewidth=2, marker=">", label=text(f"explain.unet_{key}"))
        for key, color in (("down", _DOWN), ("up", _UP), ("skip", _SKIP))
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return drawn


def maps_figure(found: Paths) -> Drawing:
    """The four channels that vary most at every level, contracting above expanding; the photo stands for the input."""
    photo, images, titles = small(found.photo.pixels, _MAP_WIDTH), [], []
    for key in ("contracting", "expanding"):
        for level in found.levels:
            features = getattr(level, key)
            if features is None:
                images.append(Image.new("RGB", photo.size, "white"))
                titles.append("")
            else:
                images.append(_mosaic(features, found, level.stride) if titles else photo)
                titles.append(f"{text(f'explain.unet_{key}')}\n{level.scale}: {_shape(features)}")
    return panels(images, titles, len(found.levels), _MAP_WIDTH, name=found.photo.name)


def _shape(features: torch.Tensor) -> str:
    channels, height, width = features.shape
    return f"{height}×{width}×{channels}"


def _extent(features: torch.Tensor) -> tuple[float, float]:
    """The width and the height of a box: the logarithms of the channels and of the map's side."""
    channels, height, _ = features.shape
    return 0.07 * math.log2(channels + 1), 0.1 * math.log2(height)


def _box(ax: Axes, features: torch.Tensor, x: float, y: float, label: str) -> tuple[float, float]:
    """A box with its shape beside it (left, right) or below; gives back its width and height."""
    width, height = _extent(features)
    ax.add_patch(Rectangle((x - width / 2, y - height / 2), width, height, facecolor=AGREED, edgecolor="#222222"))
    at, ha, va = {
        "left": ((x - width / 2 - 0.08, y), "right", "center"),
        "right": ((x + width / 2 + 0.08, y), "left", "center"),
        "below": ((x, y - height / 2 - 0.1), "center", "top"),
    }[label]
    ax.text(*at, _shape(features), ha=ha, va=va)
    return width, height


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    style = {"arrowstyle": "-|>", "color": color, "linewidth": 1.6, "shrinkA": 2, "shrinkB": 2}
    ax.annotate("", end, start, arrowprops=style)


def _mosaic(features: torch.Tensor, found: Paths, stride: int) -> Image.Image:
    """Two by two channels, each from its darkest per cent to its lightest, without the padding; white between them."""
    height, width = (math.ceil(side / stride) for side in found.size)
    maps = features[:, :height, :width].flatten(1)
    few = maps.var(1, correction=0).topk(min(_CHANNELS, len(maps))).indices.sort().values
    chosen = maps[few].numpy()
    low, high = np.percentile(chosen, (1, 99), axis=1, keepdims=True)
    scaled = ((chosen - low) / np.maximum(high - low, 1e-9)).clip(0, 1).reshape(-1, height, width)
    tall = min(max(round(_TILE * height / width), 1), 4 * _TILE)
    sheet = Image.new("RGB", (2 * _TILE + 2, 2 * tall + 2), "white")
    for place, one in enumerate(scaled):
        tile = Image.fromarray(matplotlib.colormaps["cividis"](one, bytes=True)[..., :3])
        row, column = divmod(place, 2)
        sheet.paste(tile.resize((_TILE, tall), Image.Resampling.BOX), (column * (_TILE + 2), row * (tall + 2)))
    return sheet


def skip_trials(model: Any, photo: Photo, reference: Segmentation | None = None, fill: str = "zeros") -> list[Trial]:
    """What becomes of the largest object's class when skip connections are switched off, measured by the reference.

    All skips, without each of them (`off` has their strides, fine ones first), without all; one trial alone where
    nothing was found. `reference` is the photo's own where none is given; where it has no such class, the mask with all
    skips serves. Instead of a skip's features the decoder gets `fill`: "zeros", or "mean", of each channel over the
    photo. Zeros do not drive our network out of its range: 0 lies between the least and the largest value of nearly
    every joined channel. LabkitError for another `fill` or a network that is no U-Net.
    """
    if fill not in _FILLS:
        raise LabkitError(text("explain.unet_fill", given=fill, valid=", ".join(_FILLS)))
    encoder, truth, known = find_unet(model.network).encoder, None, None
    with recorded({"encoder": encoder}) as seen:
        full = model.segment(photo)
    if full.largest is None:
        return [Trial((), full, full)]
    reference = reference if reference is not None else find_ground_truth(photo)
    if reference is not None and reference.classes is not None:
        with suppress(ValueError):  # its label set has no such class
            if (shown := reference.mask_of(full.largest.label)).any():
                truth, known = shown, reference.confidence > 0
    features = seen["encoder"][0]
    skips = [features[0].shape[-1] // one.shape[-1] for one in features][1:-1]  # neither the input nor the bottom

    def run(off: Sequence[int]) -> Trial:
        def without(given: list[torch.Tensor]) -> list[torch.Tensor]:
            return [_FILLS[fill](x) if given[0].shape[-1] // x.shape[-1] in off else x for x in given]

        with changed(encoder, without):
            return Trial(tuple(off), full, model.segment(photo), truth, known)

    return [run(()), *(run((stride,)) for stride in skips), run(skips)]


def skips_table(trials: Sequence[Trial]) -> str:
    """A row a run in plain text: what was off, IoU and boundary IoU; above, what it was measured by."""
    first, name = trials[0], trials[0].full.photo.name
    if first.full.largest is None:
        return text("explain.unet_nothing", name=name)
    by = text(f"explain.unet_{'own' if first.truth is None else 'reference'}", name=name, label=first.label)
    head = ["", "IoU", text("explain.unet_boundary")]
    return f"{by}\n{plain_table([head, *(_told(one) for one in trials)])}"


def skips_figure(trials: Sequence[Trial]) -> Drawing:
    """The object with the mask of every run on it: what agrees with the truth, what is lost, what is too much."""
    photo, images, titles = trials[0].full.photo, [], []
    part = window(np.logical_or.reduce([mask for one in trials for mask in one.masks]))
    for one in trials:
        images.append(compared(photo.pixels[part], *(mask[part] for mask in one.masks), _SKIPS_WIDTH))
        name, *scores = _told(one)
        titles.append(f"{name}\n{text('explain.unet_scores', **dict(zip(('iou', 'boundary'), scores, strict=True)))}")
    legend = three_colors([text(f"explain.unet_{key}") for key in ("agreed", "lost", "extra")])
    return panels(images, titles, 3, _SKIPS_WIDTH, legend, photo.name)


def _told(one: Trial) -> list[str]:
    """What was off, IoU and boundary IoU, in words."""
    name = text("explain.unet_none" if one.off else "explain.unet_all")
    if len(one.off) == 1:
        name = text("explain.unet_without", scale=f"1/{one.off[0]}")
    return [name, number(one.iou, 2), number(one.boundary_iou, 2)]
