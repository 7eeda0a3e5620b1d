"""Mask R-CNN on one photo, part after part: what flowed through it, and the first part, the feature pyramid.

The parts of torchvision's `MaskRCNN` are recorded with hooks while the model segments the photo, so ours and the
official networks are looked at alike. The other parts: `labkit.explain.proposals` and `labkit.explain.heads`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.image_list import ImageList

from labkit.explain.hooks import recorded
from labkit.figures import PANEL, STYLE, display_svg, plain_table, small
from labkit.io.errors import LabkitError
from labkit.locale import number, text
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = [
    "COLORS",
    "Level",
    "Stages",
    "display_pyramid",
    "draw_box",
    "level_of",
    "levels_table",
    "pyramid_figure",
    "show_cells",
    "show_photo",
    "stages_of",
]

COLORS = ("#56b4e9", "#e69f00", "#f0e442", "#cc79a7", "#009e73", "#d55e00")
"""The colours of boxes (Okabe and Ito, 2008); a number beside each box says the same."""

_DARK = "#222222"
_WIDTH = 0.6 * PANEL
_CELLS = 112
_BLUR = 0.45


@dataclass(frozen=True, eq=False)
class Level:
    """A level of the pyramid: P`number` has the stride 2^`number`; `features` is `CxHxW` float32.

    `pooled`: the heads cut their features out of it; where not, it serves the region proposal network alone.
    """

    number: int
    features: torch.Tensor
    pooled: bool

    @property
    def stride(self) -> int:
        return 2**self.number

    @property
    def strength(self) -> np.ndarray:
        """The mean of the features' absolute values over the channels, `HxW` float32."""
        return self.features.abs().mean(0).numpy()


@dataclass(frozen=True, eq=False)
class Stages:
    """What flowed through Mask R-CNN for one photo; boxes are `x0, y0, x1, y1` in pixels of its input, on the CPU.

    `size` is the photo's `(height, width)` there, padding apart. The RPN: `anchors` (`Nx4`, of all levels), its head's
    `objectness` (logits, `1xAxHxW` a level) and `shifts` (`1x4AxHxW` a level), `proposals` (`Mx4`, best first). The
    heads, for each proposal: `class_logits` (`MxC`, class 0 the background) and `box_shifts` (`Mx4C`). What was found,
    a row a segment of `result`: `boxes` (`Kx4`) and `mask_logits` (`KxCx28x28`).
    """

    network: MaskRCNN
    result: Segmentation
    size: tuple[int, int]
    levels: list[Level]
    anchors: torch.Tensor
    objectness: list[torch.Tensor]
    shifts: list[torch.Tensor]
    proposals: torch.Tensor
    class_logits: torch.Tensor
    box_shifts: torch.Tensor
    boxes: torch.Tensor
    mask_logits: torch.Tensor

    @property
    def photo(self) -> Photo:
        return self.result.photo


def stages_of(model: Any, photo: Photo, **settings: Any) -> Stages:
    """Segments a photo (`settings` as in `model.segment`) and keeps what each part said.

    LabkitError for a model that is no Mask R-CNN.
    """
    network = model.network
    if not isinstance(network, MaskRCNN):
        raise LabkitError(text("explain.detection_no_parts", given=model.variant.title))
    heads = network.roi_heads
    parts = {
        "pyramid": network.backbone,
        "anchors": network.rpn.anchor_generator,
        "rpn_head": network.rpn.head,
        "rpn": network.rpn,
        "box_head": heads.box_predictor,
        "mask_head": heads.mask_predictor,
        "heads": heads,
    }
    given: list[ImageList] = []
    hook = network.rpn.register_forward_pre_hook(lambda module, arguments: given.append(arguments[0]))
    try:
        with recorded(parts) as seen:
            result = model.segment(photo, **settings)
    finally:
        hook.remove()
    last = {name: outputs[-1] for name, outputs in seen.items()}
    found = last["heads"][0][0]
    rows = list(zip(found["scores"].tolist(), found["labels"].tolist(), strict=True))
    kept = [rows.index((segment.score, segment.label_id)) for segment in result.segments]
    longest = max(given[-1].tensors.shape[-2:])
    levels = [
        Level(
            round(math.log2(longest / max(features.shape[-2:]))), features[0], name in heads.mask_roi_pool.featmap_names
        )
        for name, features in last["pyramid"].items()
    ]
    return Stages(
        network,
        result,
        tuple(given[-1].image_sizes[0]),
        levels,
        last["anchors"][0],
        *last["rpn_head"],
        last["rpn"][0][0],
        *last["box_head"],
        found["boxes"][kept],
        last["mask_head"][kept],
    )


def level_of(stages: Stages, boxes: torch.Tensor) -> torch.Tensor:
    """The number k of the level from which RoIAlign takes each box (`Kx4`): `K` int64.

    k = floor(k0 + log2(sqrt(wh) / 224)) with k0 = 4, and the nearest level where there is no such one (Lin et al.,
    2017, arXiv:1612.03144, equation 1). A box's class comes from its proposal, its mask from the box itself.
    """
    pool = stages.network.roi_heads.mask_roi_pool
    numbers = [level.number for level in stages.levels if level.pooled]
    side = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
    k = (pool.canonical_level + (side / pool.canonical_scale).log2() + 1e-6).floor()
    return k.clamp(min(numbers), max(numbers)).long()


def levels_table(stages: Stages) -> str:
    """A row an object that was found, in plain text: its number, name, box in pixels of the input and level."""
    keys = ("figures.found", "figures.confidence", "explain.detection_box", "explain.detection_side")
    rows = [["", *(text(key) for key in (*keys, "explain.detection_level"))]]
    levels = level_of(stages, stages.boxes).tolist()
    for segment, (x0, y0, x1, y1), level in zip(stages.result.segments, stages.boxes.tolist(), levels, strict=True):
        width, height = x1 - x0, y1 - y0
        box, side = f"{width:.0f}×{height:.0f}", f"{math.sqrt(width * height):.0f}"
        name = stages.result.classes.label(segment.label_id)
        rows.append([str(segment.id), name, number(segment.score, 2), box, side, f"P{level}"])
    return plain_table(rows) if len(rows) > 1 else text("figures.nothing")


def pyramid_figure(stages: Stages) -> Figure:
    """The photo with the boxes found, and the strength of each level of the pyramid with the boxes taken from it."""
    panels = len(stages.levels) + 1
    columns, width = 3, _WIDTH
    rows = math.ceil(panels / columns)
    taken = level_of(stages, stages.boxes).tolist()
    with matplotlib.rc_context(STYLE):
        ratio = min(stages.size[0] / stages.size[1], 1.6)
        drawn = Figure(figsize=(columns * width, rows * (width * ratio + 0.45)), layout="constrained")
        axes = drawn.subplots(rows, columns, squeeze=False).ravel()
        show_photo(axes[0], stages, width)
        axes[0].set_title(text("explain.detection_found", count=len(taken)), fontsize=9)
        told = []
        for ax, level in zip(axes[1:], stages.levels, strict=False):
            _show_strength(ax, level, stages.size)
            channels, height, across = level.features.shape
            title = text("explain.detection_stride", number=level.number, stride=level.stride)
            shape = f"{height}×{across}×{channels}"
            if not level.pooled:
                shape += text("explain.detection_rpn_only")
            told.append(f"{title}, {shape}")
            ax.set_title(f"{title}\n{shape}", fontsize=9)
        for n, (box, level) in enumerate(zip(stages.boxes.tolist(), taken, strict=True)):
            color = COLORS[n % len(COLORS)]
            place = [found.number for found in stages.levels].index(level) + 1
            for ax in (axes[0], axes[place]):
                draw_box(ax, box, color, str(n + 1))
        for ax in axes[panels:]:
            ax.set_axis_off()
        drawn.set_label(f"{stages.photo.name}: {', '.join(told)}")
        return drawn


def display_pyramid(stages: Stages) -> None:
    """Shows `pyramid_figure` in the notebook."""
    display_svg(pyramid_figure(stages))


def show_photo(ax: Axes, stages: Stages, width: float) -> None:
    """The photo in a panel of `width` inches, pale, for boxes to stand out; the axes count pixels of the input."""
    height, across = stages.size
    pale = 0.6 * np.array(small(stages.photo.pixels, _BLUR * width).convert("L"), np.float32) + 90
    image = np.repeat(pale[..., None], 3, axis=2).astype(np.uint8)
    ax.imshow(image, extent=(0, across, height, 0), interpolation="bilinear", aspect="auto")
    ax.set_box_aspect(min(max(height / across, 0.01), 100))
    ax.set_axis_off()
    ax.autoscale(False)


def draw_box(ax: Axes, box: list[float], color: str, label: str = "", dashed: bool = False) -> None:
    """A box (`x0, y0, x1, y1`) with a dark edge, and a label in its upper left corner."""
    x0, y0, x1, y1 = (round(side, 1) for side in box)  # the last bits differ from machine to machine
    edged = [withStroke(linewidth=3.2, foreground=_DARK)]
    style = {"facecolor": "none", "edgecolor": color, "linewidth": 1.8, "linestyle": "--" if dashed else "-"}
    ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, path_effects=edged, **style))
    if label:
        ax.annotate(
            label,
            (x0, y0),
            (2, -2),
            textcoords="offset points",
            va="top",
            fontsize=8,
            color=_DARK,
            bbox={"boxstyle": "square,pad=0.15", "facecolor": color, "edgecolor": _DARK, "linewidth": 0.5},
        )


def show_cells(ax: Axes, values: np.ndarray, extent: tuple[float, float, float, float]) -> None:
    """A small map (`HxW` in [0, 1]) as squares from dark to light, in as few pixels as keep them apart in a JPEG."""
    colors = matplotlib.colormaps["cividis"](values, bytes=True)[..., :3]
    times = max(1, _CELLS // max(values.shape))
    large = colors.repeat(times, 0).repeat(times, 1)
    ax.imshow(large, extent=extent, interpolation="none", aspect="auto")  # "none": scaled by whoever shows the SVG
    ax.set_axis_off()
    ax.autoscale(False)


def _show_strength(ax: Axes, level: Level, size: tuple[int, int]) -> None:
    """A level's strength from its least (dark) to its largest (light), without the padding; pixels of the input."""
    height, across = size
    strength = level.strength[: math.ceil(height / level.stride), : math.ceil(across / level.stride)]
    low, high = strength.min(), strength.max()
    rows, columns = strength.shape
    extent = (0, columns * level.stride, rows * level.stride, 0)
    show_cells(ax, (strength - low) / max(high - low, 1e-9), extent)
    ax.set(xlim=(0, across), ylim=(height, 0), box_aspect=min(max(height / across, 0.01), 100))
