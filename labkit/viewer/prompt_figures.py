"""Figures of prompted results, for print: the prompts drawn on the photo, and beside it each answer alone."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageFilter

from labkit.figures import PANEL, STYLE, cut, display_svg, rgb, small
from labkit.io.errors import LabkitError
from labkit.io.rle import decode_mask
from labkit.locale import number, text
from labkit.segmentation import Segmentation

__all__ = ["display_prompts", "prompt_figure"]

_WIDEST = 2.6
_OBJECT, _BACKGROUND, _BOX, _CONTOUR = "#009e73", "#d55e00", "#f0e442", "#56b4e9"
_ANSWER, _DARK = "#0072b2", "#222222"


def display_prompts(result: Segmentation) -> None:
    """Shows one result of `model.prompt` in the notebook: the photo with the prompts, then each answer."""
    display_svg(prompt_figure(result))


def prompt_figure(result: Segmentation) -> Figure:
    """The prompts on the photo, whose axes count its pixels, and a panel an answer with the IoU that SAM predicts.

    LabkitError for a result that no prompt asked for.
    """
    asked = result.made_by.get("prompts")
    if not asked:
        raise LabkitError(text("figures.no_prompts"))
    panel = min(_WIDEST, 3 * PANEL / (1 + max(len(result.segments), 1)))
    photo = small(result.photo.pixels, panel)
    images = [_tinted(photo, decode_mask(asked["mask"], result.ids.shape), _CONTOUR) if "mask" in asked else photo]
    titles = [cut(result.photo.name, panel)]
    for place, segment in enumerate(result.segments, start=1):
        images.append(_tinted(photo, segment.mask, _ANSWER))
        score = number(segment.score, 2)
        titles.append(text("figures.answer", number=place, score=score))
    if not result.segments:
        images.append(photo)
        titles.append(text("figures.nothing"))
    with matplotlib.rc_context(STYLE):
        height, width = result.ids.shape
        drawn = Figure(
            figsize=(panel * len(images) + 0.3, panel * min(height / width, 1.6) + 0.8), layout="constrained"
        )
        drawn.set_label(f"{result.photo.name}: {', '.join(titles[1:])}")
        axes = drawn.subplots(1, len(images))
        for ax, image, title in zip(axes, images, titles, strict=True):
            extent = (-0.5, width - 0.5, height - 0.5, -0.5)
            ax.imshow(image, interpolation="none", extent=extent, aspect="auto")
            ax.set_box_aspect(min(max(height / width, 0.01), 100))
            ax.set_title(title, fontsize=10, parse_math=False)
            ax.autoscale(False)
        for ax in axes[1:]:
            ax.set_axis_off()
        axes[0].tick_params(labelsize=7)
        for axis in (axes[0].xaxis, axes[0].yaxis):
            axis.set_major_locator(MaxNLocator(4, integer=True))
        handles = _marks(axes[0], asked)
        drawn.legend(handles=handles, loc="outside lower left", ncols=2 * len(images), frameon=False)
        return drawn


def _tinted(image: Image.Image, mask: np.ndarray, color: str) -> Image.Image:
    """The photo, tinted where the mask of its full size is; a white edge shows on any photo."""
    inside = Image.fromarray(mask.astype(np.uint8)).resize(image.size, Image.Resampling.NEAREST)
    within = np.array(inside.filter(ImageFilter.MinFilter(5))) > 0
    pixels = np.array(image)
    tinted = (pixels * 0.5 + np.array(rgb(color)) * 0.5).astype(np.uint8)
    pixels[np.array(inside) > 0] = 255
    pixels[within] = tinted[within]
    return Image.fromarray(pixels)


def _marks(ax: Axes, asked: dict[str, Any]) -> list[Artist]:
    """Draws the prompts; returns what the legend shows, one a kind. Each kind has a shape and a colour of its own."""
    handles: list[Artist] = []
    edged = [withStroke(linewidth=4, foreground=_DARK)]
    if "mask" in asked:
        handles.append(Patch(facecolor=_CONTOUR, alpha=0.5, label=text("figures.mask")))
    if "polygon" in asked:
        x, y = np.array([*asked["polygon"], asked["polygon"][0]]).T
        style: dict[str, Any] = {
            "color": _CONTOUR,
            "linewidth": 1.8,
            "marker": "o",
            "markersize": 3.5,
            "path_effects": edged,
        }
        handles += ax.plot(x, y, label=text("figures.contour"), **style)
    if "box" in asked:
        x0, y0, x1, y1 = asked["box"]
        style = {"facecolor": "none", "edgecolor": _BOX, "linewidth": 2, "path_effects": edged, "clip_on": False}
        mark = Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, label=text("figures.box"), **style)
        handles.append(ax.add_patch(mark))
    for sign, marker, color, size, label in (
        (1, "*", _OBJECT, 15, "figures.object_point"),
        (0, "X", _BACKGROUND, 11, "figures.background_point"),
    ):
        signs = np.array(asked.get("point_labels", []))
        if (signs == sign).any():
            x, y = np.array(asked["points"])[signs == sign].T
            style = {"linestyle": "", "marker": marker, "color": color, "markersize": size, "clip_on": False}
            handles += ax.plot(x, y, markeredgecolor="white", label=text(label), **style)
    return handles
