"""Figures of prompted results, for print: the prompts drawn on the photo, and beside it each answer alone."""

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from labkit.figures import PANEL, STYLE, Drawing, cut, painted, panels, small
from labkit.io.errors import LabkitError
from labkit.io.rle import decode_mask
from labkit.locale import number, text
from labkit.segmentation import Segmentation

__all__ = ["draw_prompts", "prompt_figure"]

_WIDEST = 2.6
_BOX, _CONTOUR, _ANSWER = "#f0e442", "#56b4e9", "#0072b2"
_POINTS = ((1, "figures.object_point", "*", "#009e73", 15), (0, "figures.background_point", "X", "#d55e00", 11))


@matplotlib.rc_context(STYLE)
def prompt_figure(result: Segmentation) -> Drawing:
    """A result of `model.prompt`: the photo with the prompts, its axes in pixels, and a panel an answer with its IoU.

    LabkitError for a result that no prompt asked for.
    """
    asked, size = result.made_by.get("prompts"), result.ids.shape
    if not asked:
        raise LabkitError(text("figures.no_prompts"))
    panel = min(_WIDEST, 3 * PANEL / (1 + max(len(result.segments), 1)))
    photo = result.photo.pixels
    given = [(decode_mask(asked["mask"], size), _CONTOUR)] if "mask" in asked else []
    images, titles = [painted(photo, given, panel) if given else small(photo, panel)], [cut(result.photo.name, panel)]
    for place, segment in enumerate(result.segments, start=1):
        images.append(painted(photo, [(segment.mask, _ANSWER)], panel))
        titles.append(text("figures.answer", number=place, score=number(segment.score, 2)))
    if not result.segments:
        images.append(images[0])
        titles.append(text("figures.nothing"))
    drawn = panels(images, titles, len(images), panel, name=result.photo.name, size=size)
    first = drawn.axes[0]
    first.set_axis_on()
    first.tick_params(labelsize=7)
    for axis in (first.xaxis, first.yaxis):
        axis.set_visible(True)
        axis.set_major_locator(MaxNLocator(4, integer=True))
    width, height = drawn.get_size_inches()
    drawn.set_size_inches(width + 0.3, height + 0.5)
    drawn.legend(handles=draw_prompts(first, asked), loc="outside lower left", ncols=2 * len(images), frameon=False)
    return drawn


def draw_prompts(ax: Axes, asked: Mapping[str, Any], scale: float = 1.0) -> list[Artist]:
    """Draws prompts on one of `panels` that counts the photo's pixels; returns what a legend shows, one a kind.

    Each kind has a shape and a colour of its own.
    """
    handles: list[Artist] = []
    edged: dict[str, Any] = {"path_effects": [withStroke(linewidth=4 * scale, foreground="#222222")], "clip_on": False}
    if "mask" in asked:
        handles.append(Patch(facecolor=_CONTOUR, alpha=0.5, label=text("figures.mask")))
    if "polygon" in asked:
        x, y = np.array([*asked["polygon"], asked["polygon"][0]]).T + 0.5
        handles += ax.plot(x, y, "o-", color=_CONTOUR, markersize=3.5 * scale, label=text("figures.contour"), **edged)
    if "box" in asked:
        x0, y0, x1, y1 = asked["box"]
        style = {"facecolor": "none", "edgecolor": _BOX, "linewidth": 2 * scale, **edged}
        handles.append(ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, label=text("figures.box"), **style)))
    signs = np.array(asked.get("point_labels", []))
    for sign, label, marker, color, side in _POINTS:
        if (signs == sign).any():
            x, y = np.array(asked["points"])[signs == sign].T + 0.5
            style = {"color": color, "markeredgecolor": "white", "markersize": side * scale, "clip_on": False}
            handles += ax.plot(x, y, marker, label=text(label), **style)
    return handles
