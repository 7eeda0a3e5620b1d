"""U-Net's lecture: the two paths as a U with the shapes that were recorded, and what flows in them.

Ronneberger et al., 2015, arXiv:1505.04597, section 2 and figure 1. `down` are the maps of the contracting path from the
input to the bottom, `up` those of the expanding one from above the bottom to full size, all `1xCxHxW`.
"""

import math
from collections.abc import Sequence

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image
from torch.nn import functional as F
from torchvision.utils import make_grid

from labkit.explain.measures import on_photo
from labkit.figures import AGREED, STYLE, Drawing, panels, small
from labkit.locale import text
from labkit.photos import Photo

__all__ = ["maps_figure", "paths_figure", "shape"]

_DOWN, _UP, _SKIP = "#d55e00", "#009e73", "#0072b2"
_CHANNELS, _TILE, _WIDTH = 4, 64, 1.5


def shape(features: torch.Tensor) -> str:
    """Height×width×channels."""
    channels, height, width = features.shape[-3:]
    return f"{height}×{width}×{channels}"


@matplotlib.rc_context(STYLE)
def paths_figure(photo: Photo, down: Sequence[torch.Tensor], up: Sequence[torch.Tensor]) -> Drawing:
    """The U with the shapes that were recorded; a box is as high as its map and as wide as it has channels (log)."""
    bottom, rising = len(down) - 1, [*up[::-1]]
    drawn = Drawing(figsize=(9.5, 0.72 * len(down) + 0.6), layout="constrained")
    drawn.set_label(f"{photo.name}: {' → '.join(map(shape, down))} → {' → '.join(map(shape, up))}")
    ax = drawn.subplots()
    ax.set_axis_off()
    for depth, (features, expanding) in enumerate(zip(down[:-1], rising, strict=True)):
        x = 2 * bottom - depth
        width, height = _box(ax, features, depth, -depth, "left")
        tip = -depth - 1 + _extent(down[depth + 1])[1] / 2
        _arrow(ax, (depth, -depth - height / 2), (depth + 1, tip), _DOWN)
        right, tall = _box(ax, expanding, x, -depth, "right")
        source, corner = (down[-1], _extent(down[-1])[0] / 2) if depth == bottom - 1 else (rising[depth + 1], 0)
        _arrow(ax, (x - 1 + corner, -depth - 1 + _extent(source)[1] / 2), (x, -depth - tall / 2), _UP)
        if depth:  # the input itself is joined to nothing
            _arrow(ax, (depth + width / 2, -depth), (x - right / 2, -depth), _SKIP)
            style = {"ha": "center", "va": "bottom", "color": _SKIP, "fontsize": 8}
            ax.text(bottom, -depth + 0.08, f"+{features.shape[1]}", **style)
    _box(ax, down[-1], bottom, -bottom, "below")
    ax.set(xlim=(-1.9, 2 * bottom + 1.9), ylim=(-bottom - 0.65, 0.7))
    handles = [
        Line2D([], [], color=color, linewidth=2, marker=">", label=text(f"explain.unet_{key}"))
        for key, color in (("down", _DOWN), ("up", _UP), ("skip", _SKIP))
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return drawn


def maps_figure(
    photo: Photo, down: Sequence[torch.Tensor], up: Sequence[torch.Tensor], part: tuple[float, float] = (1.0, 1.0)
) -> Drawing:
    """The four channels that vary most at every level, contracting above expanding; the photo stands for the input."""
    full, images, titles = small(photo.pixels, _WIDTH), [], []
    for key, maps in (("contracting", down), ("expanding", [*up[::-1]])):
        for features in maps:
            stride = round(down[0].shape[-1] / features.shape[-1])
            images.append(_mosaic(on_photo(features[0], part)) if titles else full)
            titles.append(f"{text(f'explain.unet_{key}')}\n1/{stride}: {shape(features)}".replace("1/1:", "1:"))
    return panels(images, titles, len(down), _WIDTH, name=photo.name)


def _extent(features: torch.Tensor) -> tuple[float, float]:
    """The width and the height of a box: the logarithms of the channels and of the map's side."""
    channels, height, _ = features.shape[-3:]
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
    ax.text(*at, shape(features), ha=ha, va=va)
    return width, height


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    style = {"arrowstyle": "-|>", "color": color, "linewidth": 1.6, "shrinkA": 2, "shrinkB": 2}
    ax.annotate("", end, start, arrowprops=style)


def _mosaic(features: torch.Tensor) -> Image.Image:
    """Two by two channels (of `CxHxW`), each from its darkest per cent to its lightest; white between them."""
    channels, height, width = features.shape
    maps = features.float().cpu().flatten(1)
    chosen = maps[maps.var(1, correction=0).topk(min(_CHANNELS, channels)).indices.sort().values].numpy()
    low, high = np.percentile(chosen, (1, 99), axis=1, keepdims=True)
    scaled = ((chosen - low) / np.maximum(high - low, 1e-9)).clip(0, 1).reshape(-1, height, width)
    tall = min(max(round(_TILE * height / width), 1), 4 * _TILE)
    colored = torch.from_numpy(matplotlib.colormaps["cividis"](scaled)[..., :3]).permute(0, 3, 1, 2)
    tiles = make_grid(F.interpolate(colored, (tall, _TILE), mode="area"), nrow=2, pad_value=1)[:, 2:-2, 2:-2]
    return Image.fromarray(np.uint8(255 * tiles.permute(1, 2, 0).numpy() + 0.5))
