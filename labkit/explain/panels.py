"""Photos side by side with parts of them coloured: what changed in a mask, and where."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from labkit.drawing import rgb
from labkit.figures import STYLE, small

__all__ = ["AGREED", "EXTRA", "LOST", "painted", "panels"]

AGREED, LOST, EXTRA = "#56b4e9", "#d55e00", "#f0e442"
"""Colours (Okabe and Ito, 2008) of what is as it was, what went and what came; their lightness differs too."""

_OPACITY = 0.75
_TALLEST = 1.6


def painted(pixels: np.ndarray, layers: Sequence[tuple[np.ndarray, str]], width: float) -> Image.Image:
    """The photo in grey for a panel of `width` inches, each mask (`HxW` bool) of `layers` on it in its `#rrggbb`."""
    photo = small(pixels, width)
    image = np.repeat(np.array(photo.convert("L"))[..., None], 3, axis=2) * 0.6 + 75
    for mask, color in layers:
        inside = np.array(Image.fromarray(mask.astype(np.uint8)).resize(photo.size, Image.Resampling.NEAREST)) > 0
        image[inside] = (1 - _OPACITY) * image[inside] + _OPACITY * np.array(rgb(color))
    return Image.fromarray(image.astype(np.uint8))


def panels(
    images: Sequence[Image.Image],
    titles: Sequence[str],
    columns: int,
    width: float,
    legend: Sequence[tuple[str, str]] = (),
) -> Figure:
    """Images of one shape under their titles, `columns` a row, `width` inches each; `legend`: colours and words."""
    rows = -(-len(images) // columns)
    lines = max(title.count("\n") + 1 for title in titles)
    images = [_widened(image) for image in images]
    height = max(width * images[0].height / images[0].width, 0.4)
    with matplotlib.rc_context(STYLE):
        size = (columns * width + 0.2, rows * (height + 0.1 + 0.16 * lines) + (0.35 if legend else 0.1))
        drawn = Figure(figsize=size, layout="compressed")
        axes = drawn.subplots(rows, columns, squeeze=False).ravel()
        for ax in axes:
            ax.set_axis_off()
        for ax, image, title in zip(axes, images, titles, strict=False):
            ax.imshow(image, interpolation="none")
            ax.set_title(title, fontsize=9, parse_math=False)
        if legend:
            handles = [Patch(facecolor=color, edgecolor="#444444", label=words) for color, words in legend]
            drawn.legend(handles=handles, loc="outside lower left", ncols=len(handles), frameon=False)
        return drawn


def _widened(image: Image.Image) -> Image.Image:
    """A narrow image with white beside it, so that its title has room."""
    if image.height <= _TALLEST * image.width:
        return image
    sheet = Image.new("RGB", (round(image.height / _TALLEST), image.height), "white")
    sheet.paste(image, ((sheet.width - image.width) // 2, 0))
    return sheet
