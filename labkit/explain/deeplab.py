"""DeepLab's lecture: what one output of a convolution sees at several rates, drawn on the photo's feature map.

Chen et al., 2017, arXiv:1606.00915, section 3.1: a kernel of k weights a side whose rate is r spans k + (k - 1)(r - 1)
cells, with as many weights as before. The CRF: `labkit.explain.crf`.
"""

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from labkit.figures import AGREED, LOST, STYLE, Drawing, small
from labkit.locale import text
from labkit.photos import Photo

__all__ = ["fields_figure"]

_WIDTH, _LINE, _DARK = 2.25, "#bbbbbb", "#222222"


@matplotlib.rc_context(STYLE)
def fields_figure(
    photo: Photo, fields: Mapping[str, Any], size: tuple[int, int], part: tuple[float, float] = (1.0, 1.0)
) -> Drawing:
    """The photo's feature map of `size` (rows, columns), and on it the cells that the output in its middle depends on.

    `fields`: by title, `SxS` bool, S odd, the output in the middle. The photo is `part` of the map's height and width.
    """
    fields = {title: np.asarray(field) for title, field in fields.items()}
    drawn = Drawing(figsize=(_WIDTH * len(fields) + 0.2, _WIDTH + 0.85), layout="constrained")
    drawn.set_label(f"{photo.name}: {'; '.join(fields)}".replace("\n", ", "))
    for ax, (title, field) in zip(drawn.subplots(1, len(fields), squeeze=False)[0], fields.items(), strict=True):
        _draw_field(ax, photo, field, size, part)
        ax.set_title(title, fontsize=9)
    keys = ((AGREED, "seen"), (LOST, "beyond"))
    handles = [Patch(facecolor=c, edgecolor=_DARK, label=text(f"explain.atrous_{key}")) for c, key in keys]
    drawn.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)
    return drawn


def _draw_field(ax: Axes, photo: Photo, field: np.ndarray, size: tuple[int, int], part: tuple[float, float]) -> None:
    """The photo under the cells of its map, paper around it, and the cells of the field, its output in the origin."""
    top, left = (-(length // 2) - 0.5 for length in size)
    height, width = size
    grey = small(photo.pixels, 0.3 * _WIDTH).convert("L")
    right, bottom = left + width * part[1], top + height * part[0]
    ax.imshow(grey, cmap="gray", vmin=-300, vmax=300, extent=(left, right, bottom, top), interpolation="none")
    ax.add_patch(Rectangle((left, top), width, height, facecolor="none", edgecolor=_DARK, linewidth=1))
    reach = max(field.shape[0] // 2 + 0.5, height - height // 2, width - width // 2)
    lines = np.arange(-np.floor(reach) - 0.5, reach + 1)
    for rows in (True, False):  # one line there and back is one path, not one a row
        along, across = np.tile([-reach, reach, reach, -reach], len(lines))[: 2 * len(lines)], np.repeat(lines, 2)
        ax.plot(*((along, across) if rows else (across, along)), color=_LINE, linewidth=0.3, zorder=1.5)
    for row, column in np.argwhere(field) - field.shape[0] // 2:
        on_map = top < row < top + height and left < column < left + width
        square = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=AGREED if on_map else LOST, edgecolor=_DARK)
        ax.add_patch(square).set(linewidth=0.5, zorder=3)
    ax.set(xlim=(-reach, reach), ylim=(reach, -reach), aspect="equal")
    ax.set_axis_off()
