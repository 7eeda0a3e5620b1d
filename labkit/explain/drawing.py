"""What several lectures draw alike: maps over the photo, masks against another mask, sliders above a figure.

A map is what a network has at some size, an array or a tensor; titles come from the cell that has measured.
"""

import html
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image

from labkit.explain.measures import window
from labkit.figures import CHANGES, STYLE, Drawing, in_html, painted, panels, small, svg
from labkit.io.errors import told
from labkit.locale import keep_language, number, text
from labkit.models.base import Setting
from labkit.photos import Photo
from labkit.viewer.explore import control
from labkit.viewer.widget import display_with_page

__all__ = ["Sliders", "array", "cells", "cells_over", "maps_figure", "masks_figure", "scale_of"]

_OPACITY = 0.65


def array(values: Any) -> np.ndarray:
    """A tensor, wherever it is, or an array as float32 on the CPU."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, np.float32)


def cells(values: np.ndarray, scale: ScalarMappable) -> Image.Image:
    """A map (`RxK`) in the colours of a scale, a pixel a cell."""
    return Image.fromarray(np.ascontiguousarray(scale.to_rgba(values, bytes=True)[..., :3]))


def scale_of(values: np.ndarray, limits: tuple[float, float] | None = None, colors: str = "cividis") -> ScalarMappable:
    """Colours from the least to the largest value, or between `limits`."""
    low, high = limits or (float(values.min()), float(values.max()))
    return ScalarMappable(Normalize(low, high if high > low else low + 1), colors)


def cells_over(
    photo: Image.Image, values: np.ndarray, part: tuple[float, float], scale: ScalarMappable, opacity: float = _OPACITY
) -> Image.Image:
    """The grey photo under a map (`RxK`) in the colours of a scale, cell by cell; the photo is `part` of its sides."""
    sides = zip((photo.height, photo.width), part, values.shape, strict=True)
    rows, columns = (((np.arange(n) + 0.5) / n * share * count).astype(int) for n, share, count in sides)
    heat = scale.to_rgba(values[np.ix_(rows, columns)])[..., :3]
    grey = np.array(photo.convert("L"))[..., None] / 255
    return Image.fromarray(np.uint8(255 * (opacity * heat + (1 - opacity) * grey)))


@matplotlib.rc_context(STYLE)
def maps_figure(
    photo: Photo,
    maps: Mapping[str, Any],
    part: tuple[float, float] = (1.0, 1.0),
    limits: tuple[float, float] | None = None,
    colors: str = "cividis",
    bar: str = "",
    columns: int = 4,
    width: float = 2.2,
) -> Drawing:
    """Maps (`RxK`, by title) over the photo, which is `part` of their height and width.

    Each has colours from its least to its largest value; with `limits` all have one scale, and `bar` names it.
    """
    below = small(photo.pixels, 0.75 * width)
    arrays = map(array, maps.values())
    images = [cells_over(below, values, part, scale_of(values, limits, colors)) for values in arrays]
    drawn = panels(images, list(maps), min(columns, len(images)), width, name=photo.name)
    if limits and bar:
        scale = scale_of(np.zeros(1), limits, colors)
        ticks = [limits[0], sum(limits) / 2, limits[1]]
        side = drawn.colorbar(scale, ax=drawn.axes, alpha=_OPACITY, shrink=0.9, aspect=18, pad=0.01, ticks=ticks)
        side.ax.set_yticklabels([number(tick, 1).replace("-", "−") for tick in ticks])
        side.set_label(bar.replace(" ", "\n", 1), fontsize=8)  # two lines: a wide photo is low
    return drawn


def masks_figure(
    photo: Photo, masks: Mapping[str, np.ndarray], truth: np.ndarray, columns: int = 3, width: float = 2.2
) -> Drawing:
    """Masks (by title) against one of them, the truth, all `HxW` bool: what agrees, what is lost, what is extra."""
    part = window(np.logical_or.reduce([truth, *masks.values()]))
    images = []
    for mask in masks.values():
        regions = [region[part] for region in (mask & truth, truth & ~mask, mask & ~truth)]
        images.append(painted(photo.pixels[part], list(zip(regions, CHANGES, strict=True)), width))
    legend = [(color, text(f"explain.{key}")) for color, key in zip(CHANGES, ("agreed", "lost", "extra"), strict=True)]
    return panels(images, list(masks), min(columns, len(images)), width, legend, photo.name)


class Sliders(ipywidgets.VBox):
    """Sliders and below them the figure that `draw` makes of their values, or what went wrong.

    `settings` has the arguments of `draw` by name: words, value, least and largest; where the value is an int it moves
    by 1, else by 0.5. A notebook's cell shows it by itself; a page without a kernel keeps the first figure.
    """

    def __init__(
        self,
        draw: Callable[..., Figure],
        settings: Mapping[str, tuple[str, float, float, float]],
        plain: str,
        words_width: int = 14,
    ):
        """`plain` is what stands in its place where there is only text; `words_width` in rem."""
        sliders = {n: control(words, Setting(*row), 0.5, words_width) for n, (words, *row) in settings.items()}
        self.first, shown = svg(draw(**{name: row[1] for name, row in settings.items()})), ipywidgets.HTML()

        def follow(_change: Any = None) -> None:
            try:
                shown.value = in_html(svg(draw(**{name: slider.value for name, slider in sliders.items()})))
            except Exception as error:  # a traceback that nobody would see
                shown.value = f"<p>{html.escape(told(error))}</p>"

        for slider in sliders.values():
            slider.observe(keep_language(follow), names="value")
        shown.value = in_html(self.first)
        super().__init__([*sliders.values(), shown])
        self.plain = plain

    def _ipython_display_(self) -> None:
        display_with_page(self, self.first, self.plain, "image/svg+xml")
