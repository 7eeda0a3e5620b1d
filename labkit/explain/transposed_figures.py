"""The steps of a transposed convolution as grids with numbers, under sliders, and a learned kernel beside its start."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import ipywidgets
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from labkit.classes import VOC
from labkit.explain.heatmaps import heatmaps
from labkit.explain.transposed import LearnedKernel, Steps, learned_kernel, learned_steps, transposed_steps
from labkit.figures import STYLE, display_svg, inline_svg
from labkit.io.errors import LabkitError
from labkit.locale import keep_language, number, text
from labkit.photos import Photo
from labkit.viewer.widget import display_with_page

__all__ = ["display_learned", "explore_transposed", "kernel_figure", "numbered", "steps_figure", "transposed_sliders"]

_WIDTH, _GAP, _SLOT, _CELL, _TITLE = 9.2, 0.22, 1.0, 0.4, 0.62  # inches
_SMALLEST_FONT = 4.0
_DATA, _BETWEEN, _AROUND, _KERNEL, _OUTPUT = "#b9def5", "#d0d0d0", "#ffffff", "#fbe3a5", "#a6dfcd"
_WINDOW = "#d55e00"


def numbered(side: int) -> np.ndarray:
    """1, 2, 3, … row by row, `side x side`: whole numbers, no two alike, for sums by hand."""
    return np.arange(1.0, side * side + 1).reshape(side, side)


def explore_transposed(i: int = 3, k: int = 3, s: int = 2, p: int = 1) -> None:
    """Displays the steps on whole numbers under sliders for input, kernel, stride and padding.

    A page without a kernel keeps the first figure. LabkitError where the first values are not valid.
    """
    transposed_steps(numbered(i), numbered(k), s, p)
    box = transposed_sliders(i, k, s, p)
    display_with_page(box, box.children[-1].value, f"i = {i}, k = {k}, s = {s}, p = {p}")


def transposed_sliders(i: int, k: int, s: int, p: int) -> ipywidgets.VBox:
    """The four sliders and below them the figure that follows them, or what is wrong with their values."""
    sliders = [
        ipywidgets.IntSlider(
            value=value,
            min=0 if name == "p" else 1,
            max=max(most, value),
            description=text(f"explain.transposed_{name}"),
            continuous_update=False,
            style={"description_width": "9rem"},
            layout=ipywidgets.Layout(width="28rem", max_width="100%"),
        )
        for name, value, most in (("i", i, 6), ("k", k, 5), ("s", s, 4), ("p", p, 4))
    ]
    shown = ipywidgets.HTML()

    def draw(_change: Any = None) -> None:
        i, k, s, p = (slider.value for slider in sliders)
        try:
            shown.value = inline_svg(steps_figure(transposed_steps(numbered(i), numbered(k), s, p)))
        except LabkitError as error:
            shown.value = f"<p>{html.escape(str(error))}</p>"

    for slider in sliders:
        slider.observe(keep_language(draw), names="value")
    draw()
    return ipywidgets.VBox([*sliders, shown])


def display_learned(model: Any, photo: Photo, label: str | int | None = None) -> None:
    """Shows the steps on the network's scores and kernel of one class (else the strongest), and that kernel's start."""
    kernel = learned_kernel(model, heatmaps(model, photo).strongest()[0] if label is None else label)
    display_svg(steps_figure(learned_steps(model, photo, kernel)))
    display_svg(kernel_figure(kernel))


def steps_figure(steps: Steps) -> Figure:
    """Input, zeros between, zeros around, kernel, kernel rotated, output: cells of one size, numbers in them.

    Outlined are the first place of the kernel and the output's cell that it gives.
    """
    k, border = len(steps.kernel), steps.border
    grids = [steps.given, steps.inserted, steps.padded, steps.kernel, np.rot90(steps.kernel, 2), steps.output]
    names = ("input", "inserted", "padded", "kernel", "rotated", "output")
    titles = [
        text(f"explain.transposed_{name}", rows=len(grid), columns=len(grid[0]), z=steps.zeros, border=border)
        for name, grid in zip(names, grids, strict=True)
    ]
    drawn, axes = _grids(grids, titles, (_DATA, _BETWEEN, _AROUND, _KERNEL, _KERNEL, _OUTPUT))
    between = steps.inserted.shape
    axes[2].add_patch(Rectangle((border, border), between[1], between[0], facecolor=_BETWEEN))
    for ax, start in ((axes[1], 0), (axes[2], border)):
        for row, column in np.ndindex(steps.given.shape):
            at = (start + column * steps.stride, start + row * steps.stride)
            ax.add_patch(Rectangle(at, 1, 1, facecolor=_DATA))
    for ax, side in ((axes[2], k), (axes[4], k), (axes[5], 1)):
        ax.add_patch(Rectangle((0, 0), side, side, fill=False, edgecolor=_WINDOW, linewidth=2, zorder=3, clip_on=False))
    return drawn


def kernel_figure(kernel: LearnedKernel) -> Figure:
    """The bilinear kernel that training started from, the learned one, and their difference."""
    label = VOC.label(VOC.id(kernel.label))
    moved, likeness = number(100 * kernel.moved, 0), number(kernel.likeness, 3)
    titles = [
        text("explain.transposed_bilinear"),
        text("explain.transposed_learned", label=label),
        text("explain.transposed_change", moved=moved, likeness=likeness),
    ]
    grids = [kernel.bilinear, kernel.learned, kernel.learned - kernel.bilinear]
    return _grids(grids, titles, (_KERNEL, _KERNEL, _AROUND), slot=2.1)[0]


def _grids(
    grids: Sequence[np.ndarray],
    titles: Sequence[str],
    colors: Sequence[str],
    slot: float = _SLOT,
) -> tuple[Figure, list[Axes]]:
    """Grids side by side, all cells alike, each under its title."""
    cell = min(_CELL, (_WIDTH - _GAP * len(grids)) / sum(grid.shape[1] for grid in grids))
    slots = [max(cell * grid.shape[1], slot) + _GAP for grid in grids]
    height = cell * max(len(grid) for grid in grids)
    with matplotlib.rc_context(STYLE):
        drawn = Figure(figsize=(sum(slots), height + _TITLE + 0.08))
        drawn.set_label("; ".join(titles).replace("\n", " "))
        wide, high = drawn.get_size_inches()
        axes = []
        for n, (grid, title, color) in enumerate(zip(grids, titles, colors, strict=True)):
            rows, columns = grid.shape
            left = sum(slots[:n]) + (slots[n] - cell * columns) / 2
            place = (left / wide, (height - cell * rows + 0.04) / high, cell * columns / wide, cell * rows / high)
            ax = drawn.add_axes(place, facecolor=color, xlim=(0, columns), ylim=(rows, 0), xticks=[], yticks=[])
            lines = [(x, y) for y in range(1, rows) for x in (0, columns, np.nan)]
            lines += [(x, y) for x in range(1, columns) for y in (0, rows, np.nan)]
            ax.plot(*zip(*lines, strict=True) if lines else ((), ()), color="#888888", linewidth=0.4)
            ax.set_title(title, fontsize=8, parse_math=False)
            _write(ax, grid, cell)
            axes.append(ax)
        return drawn, axes


def _write(ax: Axes, grid: np.ndarray, cell: float) -> None:
    """The numbers, as large as the longest of them lets; none where nobody could read them."""
    digits = 0 if np.array_equal(grid, grid.round()) else 2 if np.abs(grid).max() < 1 else 1
    grid = grid.round(digits) + 0.0  # no "-0"
    words = {at: number(value, digits) if value else "0" for at, value in np.ndenumerate(grid)}
    size = min(9.0, 36 * cell, 100 * cell / max(map(len, words.values())))
    if size >= _SMALLEST_FONT:
        for (row, column), word in words.items():
            ax.text(column + 0.5, row + 0.54, word.replace("-", "−"), ha="center", va="center", fontsize=size)
