"""Atrous convolution: the same weights see further. Measured on the network's own kernels, by gradients.

Chen et al., 2017, arXiv:1606.00915, section 3.1: a kernel of k weights a side whose rate is r spans k + (k - 1)(r - 1)
cells, with as many weights as before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from torch import nn
from torch.nn import functional as F

from labkit.explain.aspp import branches_of, find_aspp
from labkit.explain.hooks import recorded
from labkit.explain.photos import photo_part
from labkit.figures import AGREED, LOST, STYLE, display_svg, plain_table, small
from labkit.locale import text
from labkit.photos import Photo

__all__ = [
    "AtrousMap",
    "Field",
    "atrous_figure",
    "atrous_table",
    "display_atrous",
    "effective_kernel",
    "field",
    "fields",
]

_WIDTH = 2.25
_LINE, _DARK = "#bbbbbb", "#222222"


@dataclass(frozen=True, eq=False)
class Field:
    """What one output of a convolution sees of its input at one rate.

    `cells` is `SxS` bool, S odd, the output in its middle: where the gradient is not zero on an input without an edge;
    `weights` is how many weights the layer has, `inside` how many of the cells lie on the photo's own feature map.
    """

    rate: int
    cells: np.ndarray
    weights: int
    inside: int

    @property
    def span(self) -> int:
        """The side of the square that the cells span."""
        rows = np.flatnonzero(self.cells.any(1))
        return int(rows[-1] - rows[0] + 1)


@dataclass(frozen=True, eq=False)
class AtrousMap:
    """The rates on one photo: `size` are the rows and columns of its feature map, `stride` the pixels that a cell is of
    the network's input, `part` the photo's share of both sides (the rest is padding).
    """

    photo: Photo
    size: tuple[int, int]
    stride: int
    part: tuple[float, float]
    fields: tuple[Field, ...]


def effective_kernel(kernel: int, rate: int) -> int:
    """The side of a kernel with rate - 1 gaps between neighbours: k + (k - 1)(r - 1)."""
    return kernel + (kernel - 1) * (rate - 1)


def field(convolution: nn.Conv2d, rate: int, size: tuple[int, int]) -> np.ndarray:
    """Where the middle output of a convolution, given this rate, depends on an input of `size`: `HxW` bool.

    Measured with the layer's first filter: the cells where the gradient is not zero. Beyond the edges are zeros.
    """
    weight = convolution.weight[:1].detach().cpu().float()
    with torch.inference_mode(False), torch.enable_grad():
        x = torch.ones(1, weight.shape[1], *size, requires_grad=True)
        padding = [rate * (side - 1) // 2 for side in weight.shape[2:]]
        y = F.conv2d(x, weight.clone(), padding=padding, dilation=rate)
        y[0, 0, size[0] // 2, size[1] // 2].backward()
    return (x.grad[0] != 0).any(0).numpy()


def fields(model: Any, photo: Photo) -> AtrousMap:
    """Rate 1 and the rates of the model's ASPP, each with the weights of its own branch (rate 1: of the first).

    LabkitError where the network has no ASPP.
    """
    aspp = find_aspp(model.network)
    spread = {branch.rate: branch.kernel for branch in branches_of(aspp) if branch.rate}
    kernels = {1: next(iter(spread.values())), **spread}
    with recorded({"aspp": aspp, "logits": model.network}) as seen:
        result = model.segment(photo)
    size = tuple(seen["aspp"][-1].shape[2:])
    padded = seen["logits"][-1].shape[2:]  # as large as the input
    side = effective_kernel(max(kernel.kernel_size[0] for kernel in kernels.values()), max(kernels)) + 2
    return AtrousMap(
        photo,
        size,
        round(padded[1] / size[1]),
        photo_part(model, result, padded),
        tuple(
            Field(rate, field(kernel, rate, (side, side)), kernel.weight.numel(), int(field(kernel, rate, size).sum()))
            for rate, kernel in kernels.items()
        ),
    )


def atrous_table(found: AtrousMap) -> str:
    """A row a rate in plain text: weights of kernel and layer, what it spans, how much of it is on the map."""
    keys = ("kernel", "layer", "span", "pixels", "inside")
    rows = [["rate", *(text(f"explain.atrous_{key}") for key in keys)]]
    for one in found.fields:
        reached = int(one.cells.sum())
        inside = text("explain.atrous_of", inside=one.inside, all=reached)
        pixels = one.span * found.stride
        span = f"{one.span}×{one.span}"
        rows.append([str(one.rate), str(reached), str(one.weights), span, f"{pixels}×{pixels}", inside])
    height, width = found.size
    size = text("explain.atrous_map", name=found.photo.name, width=width, height=height, stride=found.stride)
    return f"{size}\n{plain_table(rows)}"


def atrous_figure(found: AtrousMap) -> Figure:
    """For each rate the cells of the photo's feature map, and which of them the output in the middle depends on."""
    titles = [
        text("explain.atrous_title", rate=one.rate, span=one.span, inside=one.inside, all=one.cells.sum())
        for one in found.fields
    ]
    with matplotlib.rc_context(STYLE):
        drawn = Figure(figsize=(_WIDTH * len(titles) + 0.2, _WIDTH + 0.85), layout="constrained")
        drawn.set_label(f"{found.photo.name}: {'; '.join(titles)}".replace("\n", ", "))
        for ax, one, title in zip(drawn.subplots(1, len(titles), squeeze=False)[0], found.fields, titles, strict=True):
            _draw(ax, found, one)
            ax.set_title(title, fontsize=9)
        keys = ((AGREED, "seen"), (LOST, "beyond"))
        handles = [Patch(facecolor=c, edgecolor=_DARK, label=text(f"explain.atrous_{key}")) for c, key in keys]
        drawn.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)
        return drawn


def display_atrous(found: AtrousMap) -> None:
    """Shows `atrous_figure` in the notebook."""
    display_svg(atrous_figure(found))


def _draw(ax: Axes, found: AtrousMap, one: Field) -> None:
    """The photo under the cells of its map, paper around it, and the cells of `one`, the output in the origin."""
    top, left = (-(length // 2) - 0.5 for length in found.size)
    height, width = found.size
    photo = small(found.photo.pixels, 0.3 * _WIDTH).convert("L")
    right, bottom = left + width * found.part[1], top + height * found.part[0]
    ax.imshow(photo, cmap="gray", vmin=-300, vmax=300, extent=(left, right, bottom, top), interpolation="none")
    ax.add_patch(Rectangle((left, top), width, height, facecolor="none", edgecolor=_DARK, linewidth=1))
    reach = max(one.cells.shape[0] // 2 + 0.5, height - height // 2, width - width // 2)
    lines = np.arange(-np.floor(reach) - 0.5, reach + 1)
    for rows in (True, False):  # one line there and back is one path, not one a row
        along, across = np.tile([-reach, reach, reach, -reach], len(lines))[: 2 * len(lines)], np.repeat(lines, 2)
        ax.plot(*((along, across) if rows else (across, along)), color=_LINE, linewidth=0.3, zorder=1.5)
    for row, column in np.argwhere(one.cells) - one.cells.shape[0] // 2:
        on_map = top < row < top + height and left < column < left + width
        square = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=AGREED if on_map else LOST, edgecolor=_DARK)
        ax.add_patch(square).set(linewidth=0.5, zorder=3)
    ax.set(xlim=(-reach, reach), ylim=(reach, -reach), aspect="equal")
    ax.set_axis_off()
