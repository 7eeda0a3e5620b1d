"""U-Net's two paths: the size of the features at every level, where the skip connections join, and what flows there.

Ronneberger et al., 2015, arXiv:1505.04597, section 2 and figure 1. Ours and the official network are both
segmentation_models_pytorch's `Unet`; it is found by its type.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import segmentation_models_pytorch as smp
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image
from torch import nn

from labkit.explain.hooks import recorded
from labkit.figures import AGREED, STYLE, display_svg, plain_table, small
from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.photos import Photo

__all__ = [
    "Level",
    "Paths",
    "display_maps",
    "display_paths",
    "find_unet",
    "maps_figure",
    "paths",
    "paths_figure",
    "paths_table",
]

_DOWN, _UP, _SKIP = "#d55e00", "#009e73", "#0072b2"
_CHANNELS = 4
_MAP_WIDTH = 1.4
_TILE = 64


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


@dataclass(frozen=True, eq=False)
class Paths:
    """The levels from the input down, `output` (logits, `CxHxW`) and the photo's part of the input, (height, width)."""

    photo: Photo
    levels: tuple[Level, ...]
    output: torch.Tensor
    size: tuple[int, int]


def find_unet(network: nn.Module) -> smp.Unet:
    """The U-Net in a network; LabkitError where there is none."""
    for module in network.modules():
        if isinstance(module, smp.Unet):
            return module
    raise LabkitError(text("explain.unet_missing", given=type(network).__name__))


def paths(model: Any, photo: Photo) -> Paths:
    """Both paths on their way through one photo, recorded by forward hooks."""
    unet = find_unet(model.network)
    blocks = list(unet.decoder.blocks)
    parts = {str(number): block for number, block in enumerate(blocks)}
    with recorded({"contracting": unet.encoder, "output": unet.segmentation_head, **parts}) as seen:
        model.segment(photo)
    down = [features[0] for features in seen["contracting"][0]]  # the first is the input itself
    up = [seen[name][0][0] for name in parts]
    below = [down[-1], *up]
    levels = []
    for depth, features in enumerate(down):
        number = len(down) - 2 - depth  # the block whose result has this size; the bottom has none
        inside = number >= 0
        joined = blocks[number].conv1[0].in_channels - below[number].shape[0] if inside else 0
        levels.append(Level(down[0].shape[1] // features.shape[1], features, up[number] if inside else None, joined))
    filled = down[0].ne(0).any(0)  # the padding is exactly 0
    size = (int(filled.any(1).nonzero()[-1]) + 1, int(filled.any(0).nonzero()[-1]) + 1)
    return Paths(photo, tuple(levels), seen["output"][0][0], size)


def paths_table(found: Paths) -> str:
    """A row a level in plain text: its scale, the features of both paths (height×width×channels) and the skip."""
    keys = ("level", "contracting", "joined", "expanding")
    rows = [[text(f"explain.unet_{key}") for key in keys]]
    for level in found.levels:
        skip = f"+{level.joined} →" if level.joined else "—"
        expanding = _shape(level.expanding) if level.expanding is not None else text("explain.unet_bottom")
        rows.append([_scale(level), _shape(level.contracting), skip, expanding])
    return plain_table(rows)


def paths_figure(found: Paths) -> Figure:
    """The U with the shapes that were recorded; a box is as high as its map and as wide as it has channels (log)."""
    with matplotlib.rc_context(STYLE):
        drawn = Figure(figsize=(9.5, 0.72 * len(found.levels) + 0.6), layout="constrained")
        words = {key: text(f"explain.unet_{key}") for key in ("down", "up", "skip", "output")}
        drawn.set_label(f"{found.photo.name}: {paths_table(found)}".replace("\n", "; "))
        ax = drawn.subplots()
        ax.set_axis_off()
        bottom = len(found.levels) - 1
        end = 2 * bottom
        for depth, level in enumerate(found.levels):
            width, height = _box(ax, level.contracting, depth, -depth, "left" if depth < bottom else "below")
            if depth == bottom:
                break
            below = found.levels[depth + 1]
            _arrow(ax, (depth, -depth - height / 2), (depth + 1, -depth - 1 + _extent(below.contracting)[1] / 2), _DOWN)
            x = end - depth
            right, tall = _box(ax, level.expanding, x, -depth, "right")
            source = below.expanding if below.expanding is not None else below.contracting
            corner = _extent(source)[0] / 2 if below.expanding is None else 0  # the arrow from above ends in the middle
            start = (x - 1 + corner, -depth - 1 + _extent(source)[1] / 2)
            _arrow(ax, start, (x, -depth - tall / 2), _UP)
            if level.joined:
                _arrow(ax, (depth + width / 2, -depth), (x - right / 2, -depth), _SKIP)
                ax.text(bottom, -depth + 0.08, f"+{level.joined}", ha="center", va="bottom", color=_SKIP, fontsize=8)
        top = _extent(found.output)[1] / 2
        _arrow(ax, (end, top), (end, top + 0.45), "#444444")
        ax.text(end, top + 0.5, f"{words['output']}: {_shape(found.output)}", ha="center", va="bottom")
        ax.set(xlim=(-1.9, end + 1.9), ylim=(-bottom - 0.65, 1.2))
        marks = ((words["down"], _DOWN), (words["up"], _UP), (words["skip"], _SKIP))
        handles = [Line2D([], [], color=color, linewidth=2, marker=">", label=label) for label, color in marks]
        drawn.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
        return drawn


def maps_figure(found: Paths) -> Figure:
    """The four channels that vary most at every level, contracting above expanding; the photo stands for the input."""
    levels, (height, width) = found.levels, found.size
    ratio = min(max(height / width, 0.3), 1.6)
    with matplotlib.rc_context(STYLE):
        drawn = Figure(figsize=(_MAP_WIDTH * len(levels) + 0.3, 2 * (_MAP_WIDTH * ratio + 0.45)), layout="constrained")
        names = [text(f"explain.unet_{key}") for key in ("contracting", "expanding")]
        drawn.set_label(f"{found.photo.name}: {', '.join(names)}, {', '.join(map(_scale, levels))}")
        axes = drawn.subplots(2, len(levels), squeeze=False)
        for column, level in enumerate(levels):
            pictures = (_mosaic(level.contracting, found, level.stride), None)
            if level.expanding is not None:
                pictures = (pictures[0], _mosaic(level.expanding, found, level.stride))
            for ax, picture in zip(axes[:, column], pictures, strict=True):
                ax.set(xticks=[], yticks=[], frame_on=False)
                if picture is not None:
                    ax.imshow(picture, interpolation="none", aspect="auto")
                    ax.set_box_aspect(ratio)
            axes[0, column].set_title(f"{_scale(level)}\n{_shape(level.contracting)}", fontsize=8)
            if level.expanding is not None:
                axes[1, column].set_title(_shape(level.expanding), fontsize=8)
        axes[0, 0].clear()
        axes[0, 0].imshow(small(found.photo.pixels, _MAP_WIDTH), interpolation="none", aspect="auto")
        axes[0, 0].set(xticks=[], yticks=[], frame_on=False, box_aspect=ratio)
        axes[0, 0].set_title(f"{_scale(levels[0])}\n{_shape(levels[0].contracting)}", fontsize=8)
        for row, name in enumerate(names):
            axes[row, 0].set_ylabel(name)
        return drawn


def display_paths(found: Paths) -> None:
    """Shows `paths_figure` in the notebook."""
    display_svg(paths_figure(found))


def display_maps(found: Paths) -> None:
    """Shows `maps_figure` in the notebook."""
    display_svg(maps_figure(found))


def _scale(level: Level) -> str:
    return f"1/{level.stride}" if level.stride > 1 else "1"


def _shape(features: torch.Tensor) -> str:
    channels, height, width = features.shape
    return f"{height}×{width}×{channels}"


def _extent(features: torch.Tensor) -> tuple[float, float]:
    """The width and the height of a box: the logarithms of the channels and of the map's side."""
    channels, height, _ = features.shape
    return 0.07 * math.log2(channels + 1), 0.1 * math.log2(height)


def _box(ax: Axes, features: torch.Tensor, x: float, y: float, label: str) -> tuple[float, float]:
    width, height = _extent(features)
    ax.add_patch(Rectangle((x - width / 2, y - height / 2), width, height, facecolor=AGREED, edgecolor="#222222"))
    if label == "below":
        ax.text(x, y - height / 2 - 0.1, _shape(features), ha="center", va="top")
    else:
        side = -1 if label == "left" else 1
        ax.text(x + side * (width / 2 + 0.08), y, _shape(features), ha="right" if side < 0 else "left", va="center")
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
