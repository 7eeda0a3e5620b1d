"""What several lectures draw alike: a map's cells over the photo, what was kept, lost and gained, sliders."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from PIL import Image

from labkit.figures import AGREED, EXTRA, LOST, in_html, painted, svg
from labkit.io.errors import LabkitError
from labkit.locale import keep_language
from labkit.viewer.widget import display_with_page

__all__ = ["OPACITY", "Sliders", "cells", "cells_over", "changes", "compared", "three_colors"]

OPACITY = 0.65
"""Of a map's cells over the photo."""


def cells(values: np.ndarray, scale: ScalarMappable) -> Image.Image:
    """A map (`RxK`) in the colours of a scale, a pixel a cell."""
    return Image.fromarray(np.ascontiguousarray(scale.to_rgba(values, bytes=True)[..., :3]))


def cells_over(
    photo: Image.Image, values: np.ndarray, part: tuple[float, float], scale: ScalarMappable, opacity: float = OPACITY
) -> Image.Image:
    """The grey photo under a map (`RxK`) in the colours of a scale, cell by cell; the photo is `part` of its sides."""
    sides = zip((photo.height, photo.width), part, values.shape, strict=True)
    rows, columns = (((np.arange(n) + 0.5) / n * share * count).astype(int) for n, share, count in sides)
    heat = scale.to_rgba(values[np.ix_(rows, columns)])[..., :3]
    grey = np.array(photo.convert("L"))[..., None] / 255
    return Image.fromarray(np.uint8(255 * (opacity * heat + (1 - opacity) * grey)))


def changes(pixels: np.ndarray, masks: Sequence[np.ndarray], width: float) -> Image.Image:
    """The grey photo with what was kept, lost and gained (`masks`, `HxW` bool), for a panel of `width` inches."""
    return painted(pixels, list(zip(masks, (AGREED, LOST, EXTRA), strict=True)), width)


def compared(pixels: np.ndarray, mask: np.ndarray, truth: np.ndarray, width: float) -> Image.Image:
    """`changes` from one mask, the truth, to another."""
    return changes(pixels, (mask & truth, truth & ~mask, mask & ~truth), width)


def three_colors(words: Sequence[str]) -> list[tuple[str, str]]:
    """A legend of `changes`: the words for kept, lost and gained beside their colours."""
    return list(zip((AGREED, LOST, EXTRA), words, strict=True))


class Sliders(ipywidgets.VBox):
    """Sliders and below them the figure that `draw` makes of their values, or what its LabkitError says.

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
        style, layout = {"description_width": f"{words_width}rem"}, {"width": f"{words_width + 22}rem"}
        sliders = {}
        for name, (words, value, low, high) in settings.items():
            kind, step = (ipywidgets.IntSlider, 1) if isinstance(value, int) else (ipywidgets.FloatSlider, 0.5)
            sliders[name] = kind(
                value, min=low, max=high, step=step, description=words, continuous_update=False, style=style
            )
            sliders[name].layout = ipywidgets.Layout(max_width="100%", **layout)
        shown = ipywidgets.HTML()

        def follow(_change: Any = None) -> None:
            try:
                shown.value = in_html(svg(draw(**{name: slider.value for name, slider in sliders.items()})))
            except LabkitError as error:
                shown.value = f"<p>{html.escape(str(error))}</p>"

        follow()
        for slider in sliders.values():
            slider.observe(keep_language(follow), names="value")
        super().__init__([*sliders.values(), shown])
        self.plain = plain

    def _ipython_display_(self) -> None:
        display_with_page(self, self.children[-1].value, self.plain)
