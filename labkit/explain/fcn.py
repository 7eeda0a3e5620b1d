"""FCN's lecture: the grids of a transposed convolution, step by step.

Dumoulin and Visin, 2016, arXiv:1603.07285, chapter 4: the transpose of a convolution with kernel k, stride s and
padding p is an ordinary one with stride 1, over an input that zeros were put into.
"""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from labkit.figures import STYLE, Drawing
from labkit.locale import number, text

__all__ = ["grids_figure", "steps_figure"]

_WIDTH, _GAP, _SLOT, _CELL, _TITLE = 9.2, 0.22, 1.0, 0.4, 0.62  # inches
_SMALLEST_FONT = 4.0
_DATA, _BETWEEN, _AROUND, _KERNEL, _OUTPUT = "#b9def5", "#d0d0d0", "#ffffff", "#fbe3a5", "#a6dfcd"
_WINDOW = "#d55e00"


def steps_figure(
    given: np.ndarray, inserted: np.ndarray, padded: np.ndarray, kernel: np.ndarray, output: np.ndarray
) -> Drawing:
    """Input, zeros between, zeros around, kernel, kernel rotated, output: cells of one size, numbers in them.

    Outlined are the first place of the kernel and the output's cell that it gives.
    """
    k, border = len(kernel), (len(padded) - len(inserted)) // 2
    stride = (len(inserted) - 1) // (len(given) - 1) if len(given) > 1 else 1
    grids = [given, inserted, padded, kernel, np.rot90(kernel, 2), output]
    names = ("input", "inserted", "padded", "kernel", "rotated", "output")
    titles = [
        text(f"explain.transposed_{name}", rows=len(grid), columns=len(grid[0]), z=stride - 1, border=border)
        for name, grid in zip(names, grids, strict=True)
    ]
    drawn = grids_figure(grids, titles, (_DATA, _BETWEEN, _AROUND, _KERNEL, _KERNEL, _OUTPUT), _SLOT)
    _, between, around, _, rotated, result = drawn.axes
    around.add_patch(Rectangle((border, border), *inserted.shape[::-1], facecolor=_BETWEEN))
    for ax, start in ((between, 0), (around, border)):
        for row, column in np.ndindex(given.shape):
            ax.add_patch(Rectangle((start + column * stride, start + row * stride), 1, 1, facecolor=_DATA))
    for ax, side in ((around, k), (rotated, k), (result, 1)):
        ax.add_patch(Rectangle((0, 0), side, side, fill=False, edgecolor=_WINDOW, linewidth=2, zorder=3, clip_on=False))
    return drawn


@matplotlib.rc_context(STYLE)
def grids_figure(
    grids: Sequence[np.ndarray],
    titles: Sequence[str],
    colors: Sequence[str] = (_KERNEL, _KERNEL, _AROUND),
    slot: float = 2.1,
) -> Drawing:
    """Grids side by side, all cells alike, each under its title."""
    cell = min(_CELL, (_WIDTH - _GAP * len(grids)) / sum(grid.shape[1] for grid in grids))
    slots = [max(cell * grid.shape[1], slot) + _GAP for grid in grids]
    height = cell * max(len(grid) for grid in grids)
    drawn = Drawing(figsize=(sum(slots), height + _TITLE + 0.08))
    drawn.set_label("; ".join(titles).replace("\n", " "))
    wide, high = drawn.get_size_inches()
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
    return drawn


def _write(ax: Axes, grid: np.ndarray, cell: float) -> None:
    """The numbers, as large as the longest of them lets; none where nobody could read them."""
    digits = 0 if np.array_equal(grid, grid.round()) else 2 if np.abs(grid).max() <= 1 else 1
    grid = grid.round(digits) + 0.0  # no "-0"
    words = {at: number(value, digits) if value else "0" for at, value in np.ndenumerate(grid)}
    size = min(9.0, 36 * cell, 100 * cell / max(map(len, words.values())))
    if size >= _SMALLEST_FONT:
        for (row, column), word in words.items():
            ax.text(column + 0.5, row + 0.54, word.replace("-", "−"), ha="center", va="center", fontsize=size)
