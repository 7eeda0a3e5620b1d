"""Figures out: matplotlib's, as SVG whose text stays text and whose photos are small; panels, tables, sentences."""

import base64
import io
import re
import textwrap
import warnings
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from PIL import Image

from labkit.io.jpeg import data_address
from labkit.locale import text

__all__ = ["PANEL", "STYLE", "Drawing", "Drawings", "as_webp", "cut", "in_html"]
__all__ += ["ink", "note", "panels", "plain_table", "small", "squares", "svg"]

PANEL = 3.1
"""The width of a panel in inches: three fill a page."""

STYLE: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "labkit", "font.family": "DejaVu Sans", "font.size": 9}
"""What makes text stay text and every run the same."""

_TALLEST = 1.6
_IMAGE_SIDE = 384
_TITLE_LENGTH = 36
_WIDEST_CELL = 40


class Drawing(Figure):
    """A figure that a notebook's cell shows by itself, as SVG, where the cell ends in it."""

    def _ipython_display_(self) -> None:
        from IPython.display import SVG, display

        display(SVG(svg(self)))


class Drawings(list[Drawing]):
    """Figures that a cell shows by itself, one below the other, and under them a sentence."""

    def __init__(self, drawings: Sequence[Drawing] = (), said: str = ""):
        super().__init__(drawings)
        self.said = said or ("" if drawings else text("figures.no_results"))

    def _ipython_display_(self) -> None:
        for drawn in self:
            drawn._ipython_display_()
        if self.said:
            print(self.said)


def svg(drawn: Figure) -> str:
    """A figure as SVG: text as text, photos as WebP, the same bytes at every run.

    While it is written flat sheets stand in for the photos: to pack each as PNG first takes most of the time.
    """
    buffer = io.StringIO()
    metadata = {"Date": None, "Creator": None, "Title": drawn.get_label()}
    images = filter(_is_photo, (image for ax in drawn.axes for image in ax.images))
    photos = {f"photo-{n}": image for n, image in enumerate(images)}
    pixels = {name: np.asarray(image.get_array()) for name, image in photos.items()}
    for name, image in photos.items():
        image.set(gid=name, data=np.zeros_like(pixels[name]))
    try:
        with matplotlib.rc_context(STYLE), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # a browser has more of them than the font
            drawn.savefig(buffer, format="svg", metadata=metadata, dpi=144)
    finally:
        for name, image in photos.items():
            image.set(gid=None, data=pixels[name])

    def packed(found: re.Match[str]) -> str:
        png, name = found.groups()
        if name not in photos:
            return f'"{as_webp(png)}" id="{name}"'
        address = _webp(Image.fromarray(pixels[name]))
        return f'"{address}" id="image{zlib.crc32(address.encode()):08x}"'

    written = buffer.getvalue().replace("<svg ", '<svg role="img" ', 1)
    return re.sub(r'"data:image/png;base64,([A-Za-z0-9+/=\s]+)" id="([^"]+)"', packed, written)


def _is_photo(image: AxesImage) -> bool:
    """Whether it stands in an SVG as it was given, pixel by pixel and opaque."""
    is_plain = image.get_alpha() is None and image.get_interpolation() == "none" and image.origin == "upper"
    pixels = np.asarray(image.get_array())
    return is_plain and pixels.dtype == np.uint8 and pixels.shape[2:] == (3,)


def in_html(written: str) -> str:
    """An SVG to stand in HTML, never wider than what is around it."""
    return written[written.index("<svg") :].replace("<svg ", '<svg style="max-width: 100%; height: auto" ', 1)


def as_webp(png: str) -> str:
    """A PNG in base64 as a `data:` address, of a WebP where it is opaque and can be read, else as it is."""
    with suppress(OSError, ValueError, Image.DecompressionBombError):
        image = Image.open(io.BytesIO(base64.b64decode(png)))
        if image.mode != "RGBA" or image.getchannel("A").getextrema() == (255, 255):
            return _webp(image.convert("RGB"))
    return f"data:image/png;base64,{png}"


def _webp(image: Image.Image) -> str:
    return data_address(image, "WEBP", quality=75)


@matplotlib.rc_context(STYLE)
def panels(
    images: Sequence[Image.Image],
    titles: Sequence[str],
    columns: int,
    width: float = PANEL,
    legend: Sequence[tuple[str, str]] = (),
    name: str = "",
    size: tuple[int, int] | None = None,
    legend_columns: int | None = None,
    tallest: float = _TALLEST,
) -> Drawing:
    """Images under their titles, `columns` a row, `width` inches each; `legend`: colours and words.

    `name` is what is shown; with the titles it is what the figure says to whoever does not see it. With `size` the axes
    count pixels of a photo of this height and width, whatever the images have, for marks to be drawn on it. An entry of
    the legend without a colour is words alone. An image that is higher than `tallest` widths has white beside it.
    ValueError where there are not as many titles as images.
    """
    rows = -(-len(images) // columns)
    lines = max(title.count("\n") + 1 for title in titles)
    sheets = [_widened(image, tallest) for image in images]
    heights = [max(width * sheet.height / sheet.width, 0.4) for sheet in sheets]
    heights = [max(heights[first : first + columns]) for first in range(0, len(heights), columns)]
    in_a_row = legend_columns or max(len(legend), 1)
    below = 0.15 + 0.2 * -(-len(legend) // in_a_row) if legend else 0.1
    height = sum(heights) + rows * (0.1 + 0.16 * lines) + below
    drawn = Drawing(figsize=(columns * width + 0.2, height), layout="compressed")
    told = "; ".join(re.sub(r"([,:]?)\n", lambda end: f"{end[1] or ','} ", title.strip()) for title in titles)
    drawn.set_label(f"{name}: {told}")
    axes = drawn.subplots(rows, columns, squeeze=False, height_ratios=heights).ravel()
    for ax in axes:
        ax.set_axis_off()
        for axis in (ax.xaxis, ax.yaxis):  # or the title would be measured against ticks that nobody sees
            axis.set_visible(False)
    for ax, (sheet, image, title) in zip(axes, zip(sheets, images, titles, strict=True), strict=False):
        beside = (sheet.width / image.width - 1) / 2 * size[1] if size else 0
        extent = (-beside, size[1] + beside, size[0], 0) if size else None
        ax.imshow(sheet, extent=extent, interpolation="none")
        ax.autoscale(False)
        ax.set_title(title, fontsize=9, parse_math=False)
    if legend:
        handles = [Patch(fc=color or "none", ec="#444444" if color else "none", label=words) for color, words in legend]
        drawn.legend(handles=handles, loc="outside lower left", ncols=in_a_row, frameon=False)
    return drawn


def _widened(image: Image.Image, tallest: float) -> Image.Image:
    """A narrow image with white beside it, so that its title has room."""
    if image.height <= tallest * image.width:
        return image
    sheet = Image.new("RGB", (round(image.height / tallest), image.height), "white")
    sheet.paste(image, ((sheet.width - image.width) // 2, 0))
    return sheet


def ink(color: Any) -> str:
    """Black or white: which of them is read on a colour, one of matplotlib's."""
    return "white" if np.dot(to_rgb(color), (0.2126, 0.7152, 0.0722)) < 0.5 else "black"


@matplotlib.rc_context(STYLE)
def squares(
    name: str,
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    told: Callable[[float], str],
    low: float = 0,
) -> Drawing:
    """A masked array as squares, from `low` (dark) to 1 (light), in each what is `told` of it; what is masked is grey.

    `rows` and `columns` are the names beside and above them, `name` is what the figure shows.
    """
    drawn = Drawing(figsize=(0.67 * len(columns) + 1.8, 0.4 * len(rows) + 1.4), layout="constrained")
    drawn.set_label(name)
    ax = drawn.subplots()
    ax.set_facecolor("#ededed")
    mesh = ax.pcolormesh(values, cmap="cividis", vmin=low, vmax=1, linewidth=0)
    for (row, column), value in np.ma.ndenumerate(values):
        ax.text(column + 0.5, row + 0.5, told(value), ha="center", va="center", color=ink(mesh.to_rgba(value)[:3]))
    ax.invert_yaxis()
    aslant: Any = {"rotation": 40, "ha": "left"} if max(map(len, columns)) > 10 else {}
    ax.set_xticks(np.arange(len(columns)) + 0.5, columns, fontsize=8, **aslant)
    ax.set_yticks(np.arange(len(rows)) + 0.5, rows, fontsize=8)
    ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.spines[:].set_visible(False)
    return drawn


@matplotlib.rc_context(STYLE)
def note(said: str) -> Drawing:
    """A sentence where there is nothing to draw."""
    lines = [part for line in said.splitlines() for part in textwrap.wrap(line, 90)]
    drawn = Drawing(figsize=(3 * PANEL, 0.2 * len(lines) + 0.2))
    drawn.set_label(said.replace("\n", " "))
    drawn.text(0.01, 0.5, "\n".join(lines), va="center", parse_math=False)
    return drawn


def small(pixels: np.ndarray, width: float = PANEL) -> Image.Image:
    """At most 384 pixels a side: what a panel can show; fewer in one that is narrower."""
    image, side = Image.fromarray(pixels), round(_IMAGE_SIDE * width / PANEL)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def cut(title: str, width: float = PANEL) -> str:
    """A title, visibly cut in its middle where it is wider than a panel of `width` inches: photos of one phone are
    called alike but for the end."""
    most = round(_TITLE_LENGTH * width / PANEL)
    return title if len(title) <= most else f"{title[: (most - 1) // 2]}…{title[-(most // 2) :]}"


def plain_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the first of them the head, as lines whose columns line up; a cell of more than 40 characters pushes its
    own row alone: or one long name of a photo would tear all lines.
    """
    widths = [min(max(map(len, column)), _WIDEST_CELL) for column in zip(*rows, strict=True)]
    rows = [rows[0], ["─" * width for width in widths], *rows[1:]]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
