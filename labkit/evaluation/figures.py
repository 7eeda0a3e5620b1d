"""Figures of `scores`: the confusion matrix, and the worst regions with both masks' outlines."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

from labkit.evaluation.metrics import eroded
from labkit.evaluation.scores import Region, Scores
from labkit.figures import AGREED, EXTRA, LOST, STYLE, cut, display_svg, rgb
from labkit.locale import number, text

__all__ = ["confusion_figure", "display_confusion", "display_worst", "worst_figure"]

_CELL, _PANEL, _WIDTH, _COLUMNS, _SHOWN = 0.62, 3.1, 480, 2, 4
_MIN_SHOWN = 0.005
"""A smaller share of a class's pixels stays an empty square."""

_SHAPE = 4 / 3
_MARGIN = 0.2


def confusion_figure(measured: Scores) -> Figure:
    """A row a class of the reference, a column a class that the model gave: the share of the row's pixels.

    Only classes that the references show, and columns of at least half a per cent of such a class.
    """
    matrix = measured.confusion
    total = matrix.sum(1)
    shares = matrix / np.maximum(total, 1)[:, None]
    rows = np.flatnonzero(total)
    columns = np.flatnonzero((total > 0) | (shares.max(0) >= _MIN_SHOWN))
    names = [measured.classes.label(label_id) for label_id in range(len(total))]
    shares = shares[np.ix_(rows, columns)]
    colors = matplotlib.colormaps["cividis"](shares)[..., :3]
    with matplotlib.rc_context(STYLE):
        size = (_CELL * len(columns) + 1.9, 0.6 * _CELL * len(rows) + 1.6)
        drawn = Figure(figsize=size, layout="constrained")
        drawn.set_label(text("scores.confusion"))
        ax = drawn.subplots()
        for (row, column), value in np.ndenumerate(shares):
            color = colors[row, column] if value >= _MIN_SHOWN else np.full(3, 0.93)
            ax.fill([column, column + 1, column + 1, column], [row, row, row + 1, row + 1], color=color, linewidth=0)
            if value >= _MIN_SHOWN:
                ink = "white" if color @ (0.2126, 0.7152, 0.0722) < 0.5 else "black"
                ax.text(column + 0.5, row + 0.5, f"{100 * value:.0f}", ha="center", va="center", color=ink)
        ax.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
        ax.set_xticks(np.arange(len(columns)) + 0.5, [names[n] for n in columns], fontsize=8, rotation=40, ha="left")
        ax.set_yticks(np.arange(len(rows)) + 0.5, [names[n] for n in rows], fontsize=8)
        ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
        ax.set_ylabel(text("scores.by_reference"))
        ax.set_xlabel(text("scores.by_model"))
        ax.spines[:].set_visible(False)
        return drawn


def display_confusion(measured: Scores) -> None:
    """Shows `confusion_figure` in the notebook; without masks, or without classes, says so."""
    if measured.rows and measured.confusion is not None:
        display_svg(confusion_figure(measured))
    else:
        print(text("scores.no_classes" if measured.rows else "scores.no_masks"))


def worst_figure(measured: Scores) -> Figure:
    """The largest wrong regions of all photos, at most one a photo, and the outlines of both masks."""
    worst = measured.worst[:_SHOWN]
    columns = min(_COLUMNS, len(worst))
    rows = -(-len(worst) // columns)
    titles = [_title(region, measured) for region in worst]
    with matplotlib.rc_context(STYLE):
        size = (columns * _PANEL + 0.2, rows * (_PANEL / _SHAPE + 0.5) + 0.35)
        drawn = Figure(figsize=size, layout="constrained")
        drawn.set_label("; ".join(titles).replace("\n", ", "))
        axes = drawn.subplots(rows, columns, squeeze=False).ravel()
        for ax in axes:
            ax.set_axis_off()
        for ax, region, title in zip(axes, worst, titles, strict=False):
            ax.imshow(_picture(region), interpolation="none")
            ax.set_title(title, fontsize=9, parse_math=False)
        handles = [
            Line2D([], [], color=EXTRA, linewidth=2, label=text("scores.reference_outline")),
            Line2D([], [], color=AGREED, linewidth=2, linestyle="--", label=text("scores.model_outline")),
            Patch(facecolor=LOST, edgecolor="white", hatch="////", label=text("scores.wrong")),
        ]
        drawn.legend(handles=handles, loc="outside lower left", ncols=3, frameon=False, labelcolor="black")
        return drawn


def display_worst(measured: Scores) -> None:
    """Shows `worst_figure` in the notebook; without masks, or without mistakes of some size, says so."""
    if measured.worst:
        display_svg(worst_figure(measured))
    else:
        print(text("scores.no_mistakes" if measured.rows else "scores.no_masks"))


def _title(region: Region, measured: Scores) -> str:
    def name(label_id: int) -> str:
        return measured.classes.label(label_id)

    share = number(100 * region.share, 1)
    if region.true_id is None:
        mistake = text("scores.beyond", label=name(region.predicted_id))
    elif region.predicted_id is None:
        mistake = text("scores.missed", label=name(region.true_id))
    else:
        mistake = text("scores.mistaken", said=name(region.true_id), given=name(region.predicted_id))
    return f"{cut(region.result.photo.name, 0.7 * _PANEL)}, {text('scores.share', share=share)}\n{mistake}"


def _picture(region: Region) -> np.ndarray:
    """The photo around a region with the wrong pixels hatched and both outlines, `HxWx3` uint8.

    Painted, not drawn: as vectors the outlines of ragged masks are most of a report.
    """
    part = _window(region.wrong)
    height, width = (side.stop - side.start for side in part)
    width, height = _WIDTH, max(1, round(_WIDTH * height / width))
    photo = Image.fromarray(region.result.photo.pixels[part]).resize((width, height), Image.Resampling.LANCZOS)
    masks = [_resized(mask[part], photo.size) for mask in (region.wrong, region.reference, region.answer)]
    stripes = np.add.outer(np.arange(height), np.arange(width)) % 12
    layers = [(masks[0], LOST, 0.4), (masks[0] & (stripes < 3), "#ffffff", 0.7)]
    for mask, color, dashed in zip(masks[1:], (EXTRA, AGREED), (False, True), strict=True):
        edge = mask & ~eroded(np.pad(mask, 2, mode="edge"), 2)[2:-2, 2:-2]
        layers.append((edge & (stripes < 8) if dashed else edge, color, 1.0))
    image = np.array(photo, float)
    for mask, color, opacity in layers:
        image[mask] = (1 - opacity) * image[mask] + opacity * np.array(rgb(color))
    return image.astype(np.uint8)


def _window(wrong: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns around a region, of one shape for all panels as far as the photo goes."""
    limits = wrong.shape
    edges = [np.flatnonzero(wrong.any(axis)) for axis in (1, 0)]
    sides = [(places[-1] - places[0] + 1) * (1 + 2 * _MARGIN) for places in edges]
    width = max(sides[1], sides[0] * _SHAPE, 64)
    parts = []
    for places, side, limit in zip(edges, (width / _SHAPE, width), limits, strict=True):
        side = min(round(side), limit)
        start = round((places[0] + places[-1] + 1 - side) / 2)
        start = min(max(start, 0), limit - side)
        parts.append(slice(start, start + side))
    return parts[0], parts[1]


def _resized(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.array(Image.fromarray(mask.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)) > 0
