"""Masks as coloured pixels, and static figures for print: photo, mask and overlay side by side with a legend."""

from __future__ import annotations

import base64
import io
import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from itertools import chain, cycle, zip_longest
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from labkit.classes import VOC
from labkit.locale import text
from labkit.segmentation import MIN_SHARE, Segment, Segmentation

__all__ = [
    "AGREED",
    "EXTRA",
    "LOST",
    "PANEL",
    "STYLE",
    "Drawing",
    "colors_of",
    "cut",
    "display_comparison",
    "display_figures",
    "display_svg",
    "figure",
    "in_html",
    "legend_rows",
    "mask_image",
    "named_segments",
    "note",
    "overlay_image",
    "painted",
    "panels",
    "plain_table",
    "rgb",
    "small",
    "summary",
    "svg",
    "visible_ids",
]

PANEL = 3.1
"""The width of a panel in inches: three fill a page."""

AGREED, LOST, EXTRA = "#56b4e9", "#d55e00", "#f0e442"
"""Colours (Okabe and Ito, 2008) of what is as it was, what went and what came; their lightness differs too."""

_OPACITY = 0.75
_TALLEST = 1.6

_IMAGE_SIDE = 384
_LEGEND_ROWS = 12
_TITLE_LENGTH = 36
STYLE: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "labkit", "font.family": "DejaVu Sans", "font.size": 9}
"""What makes text stay text and every run the same."""


def rgb(color: str) -> tuple[int, int, int]:
    """`#rrggbb` as three numbers in [0, 255]."""
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue


def colors_of(result: Segmentation) -> dict[int, str]:
    """The colour of each segment id: its class's for the first segment of a class, one not yet used for the others.

    When the palette is used up it starts over; neighbours in the list differ all the same.
    """
    palette, classes = VOC.colors[1:], {}
    if result.classes is not None:
        first = {s.label_id: s.id for s in reversed(result.segments)}
        classes = {number: result.classes.colors[label_id] for label_id, number in first.items()}
    turn = chain((color for color in palette if color not in classes.values()), cycle(palette))
    colors: dict[int, str] = {}
    before = None
    for segment, after in zip_longest(result.segments, result.segments[1:]):
        beside = (before, classes.get(after.id) if after else None)
        before = classes.get(segment.id) or next(color for color in turn if color not in beside)
        colors[segment.id] = before
    return colors


def visible_ids(result: Segmentation, threshold: float = 0.0) -> np.ndarray:
    """`ids` without the pixels whose confidence is below `threshold` (in [0, 1]): `HxW` int32."""
    return np.where(result.confidence >= threshold, result.ids, 0)


def mask_image(result: Segmentation, threshold: float = 0.0) -> np.ndarray:
    """The segments in their colours on black, `HxWx3` uint8."""
    return _table(result)[visible_ids(result, threshold)]


def overlay_image(result: Segmentation, opacity: float = 0.5, threshold: float = 0.0, outline: int = 2) -> np.ndarray:
    """The segments over the photo, `HxWx3` uint8; `opacity` in [0, 1], `outline` in pixels (0: none)."""
    ids = visible_ids(result, threshold)
    colors, photo = _table(result)[ids], result.photo.pixels
    image = photo.copy()
    inside = ids > 0
    image[inside] = (photo[inside] * (1 - opacity) + colors[inside] * opacity).astype(np.uint8)
    edge = _borders(ids, outline) & inside
    image[edge] = colors[edge]
    return image


def _table(result: Segmentation) -> np.ndarray:
    table = np.zeros((max((s.id for s in result.segments), default=0) + 1, 3), np.uint8)
    for number, color in colors_of(result).items():
        table[number] = rgb(color)
    return table


def _borders(ids: np.ndarray, width: int) -> np.ndarray:
    """The pixels within `width` of another segment, `HxW` bool."""
    edge = np.zeros(ids.shape, bool)
    for axis in (0, 1):
        for step in range(1, min(width + 1, ids.shape[axis])):
            forward, back = [slice(None)] * 2, [slice(None)] * 2
            forward[axis], back[axis] = slice(step, None), slice(None, -step)
            differs = ids[tuple(forward)] != ids[tuple(back)]
            edge[tuple(forward)] |= differs
            edge[tuple(back)] |= differs
    return edge


def legend_rows(result: Segmentation, threshold: float = 0.0) -> list[tuple[str, str, float, float]]:
    """What is on the photo, largest first: colour, name, share of the photo's area and score, both in [0, 1].

    The share is that of the pixels whose confidence is at least `threshold`.
    """
    colors = colors_of(result)
    sure = result.confidence >= threshold
    return [
        (colors[segment.id], name, np.count_nonzero(segment.mask & sure) / sure.size, segment.score)
        for segment, name in named_segments(result)
    ]


def named_segments(result: Segmentation) -> list[tuple[Segment, str]]:
    """The segments, largest first, and what they are called; those of one class are numbered: "cat 1", "cat 2"."""
    of_class = Counter(s.label_id for s in result.segments)
    listed: Counter[int] = Counter()
    rows = []
    for segment in sorted(result.segments, key=lambda s: -s.area):
        if result.classes is not None:
            name = result.classes.label(segment.label_id)
            listed[segment.label_id] += 1
            if of_class[segment.label_id] > 1:
                name = f"{name} {listed[segment.label_id]}"
        else:
            name = f"{text('figures.object')} {segment.id}"
        rows.append((segment, name))
    return rows


def figure(result: Segmentation, opacity: float = 0.5, threshold: float = 0.0) -> Figure:
    """One photo as a matplotlib figure: photo, mask, overlay, and the legend below them."""
    with matplotlib.rc_context(STYLE):
        height, width = result.ids.shape
        panel_height = PANEL * min(height / width, 1.6)
        rows = _worth_saying(legend_rows(result, threshold))
        patches = [
            Patch(facecolor=color, edgecolor="#444444", label=f"{name}: {share:.0%}, {score:.2f}")
            for color, name, share, score in rows[:_LEGEND_ROWS]
        ]
        if left := len(rows) - len(patches):
            patches.append(Patch(facecolor="none", label=text("photos.more", count=left)))
        legend_height = 0.3 + 0.2 * -(-max(len(patches), 1) // 3)
        drawn = Figure(figsize=(3 * PANEL + 0.3, panel_height + 0.3 + legend_height), layout="constrained")
        drawn.set_label(f"{result.photo.name}: {', '.join(row[1] for row in rows) or text('figures.nothing')}")
        axes = drawn.subplots(1, 3)
        images = (result.photo.pixels, mask_image(result, threshold), overlay_image(result, opacity, threshold))
        titles = (cut(result.photo.name), text("figures.mask"), text("figures.overlay"))
        for ax, image, title in zip(axes, images, titles, strict=True):
            ax.imshow(small(image), interpolation="none")
            ax.set_title(title, fontsize=10, parse_math=False)
            ax.set_axis_off()
        if patches:
            drawn.legend(handles=patches, loc="outside lower left", ncols=3, frameon=False)
        else:
            said = text("figures.nothing" if result.classes is None else "figures.nothing_helps")
            drawn.supxlabel(said, x=0.01, ha="left", fontsize=9)
        return drawn


class Drawing(Figure):
    """A figure that a notebook's cell shows by itself, as SVG, where the cell ends in it."""

    def _ipython_display_(self) -> None:
        display_svg(self)


def svg(drawn: Figure) -> str:
    """A figure as SVG: text as text, photos as WebP, the same bytes at every run."""
    buffer = io.StringIO()
    with matplotlib.rc_context(STYLE):
        drawn.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": None, "Title": drawn.get_label()}, dpi=144
        )
    written = buffer.getvalue().replace("<svg ", '<svg role="img" ', 1)
    return re.sub(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)", _as_webp, written)


def in_html(written: str) -> str:
    """An SVG to stand in HTML, never wider than what is around it."""
    return written[written.index("<svg") :].replace("<svg ", '<svg style="max-width: 100%; height: auto" ', 1)


def display_svg(drawn: Figure) -> None:
    """Shows a figure in the notebook, as SVG."""
    from IPython.display import SVG, display

    display(SVG(svg(drawn)))


def display_figures(results: Sequence[Segmentation]) -> None:
    """Shows the figure of each result in the notebook."""
    if not results:
        print(text("figures.no_results"))
    for result in results:
        display_svg(figure(result))


def display_comparison(results: Sequence[Segmentation], titles: Sequence[str]) -> None:
    """Shows several results of one photo as overlays beside each other, each under its title."""
    if not results:
        print(text("figures.no_results"))
        return
    with matplotlib.rc_context(STYLE):
        height, width = results[0].ids.shape
        above = 0.3 + 0.2 * max(title.count("\n") for title in titles)
        drawn = Figure(figsize=(PANEL * len(results), PANEL * min(height / width, 1.6) + above), layout="constrained")
        drawn.set_label(f"{results[0].photo.name}: {', '.join(titles)}".replace("\n", " "))
        for ax, result, title in zip(drawn.subplots(1, len(results), squeeze=False)[0], results, titles, strict=True):
            ax.imshow(small(overlay_image(result, 0.6)), interpolation="none")
            ax.set_title(title, fontsize=10, parse_math=False)
            ax.set_axis_off()
        display_svg(drawn)


def summary(results: Sequence[Segmentation]) -> str:
    """A table in plain text: for each photo the classes or objects found, their share of the area and their score."""
    head = [text(f"figures.{key}") for key in ("photo", "found", "share", "confidence")]
    rows = []
    for result in results:
        found = _worth_saying(legend_rows(result))
        for n, (_, name, share, score) in enumerate(found):
            rows.append([result.photo.name if n == 0 else "", name, f"{share:.0%}", f"{score:.2f}"])
        if not found:
            rows.append([result.photo.name, text("figures.nothing"), "", ""])
    return plain_table([head, *rows])


@matplotlib.rc_context(STYLE)
def note(said: str) -> Drawing:
    """A sentence where there is nothing to draw."""
    lines = [part for line in said.splitlines() for part in textwrap.wrap(line, 90)]
    drawn = Drawing(figsize=(3 * PANEL, 0.2 * len(lines) + 0.2))
    drawn.set_label(said.replace("\n", " "))
    drawn.text(0.01, 0.5, "\n".join(lines), va="center", parse_math=False)
    return drawn


def plain_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the first of them the head, as lines whose columns line up."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows = [rows[0], ["─" * width for width in widths], *rows[1:]]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _worth_saying(rows: list[tuple[str, str, float, float]]) -> list[tuple[str, str, float, float]]:
    """The rows of at least `MIN_SHARE` of the area; where all are smaller, all of them."""
    return [row for row in rows if row[2] >= MIN_SHARE] or rows


def cut(title: str, width: float = PANEL) -> str:
    """A title, visibly cut where it is wider than a panel of `width` inches."""
    most = round(_TITLE_LENGTH * width / PANEL)
    return title if len(title) <= most else f"{title[: most - 1]}…"


def small(pixels: np.ndarray, width: float = PANEL) -> Image.Image:
    """At most 384 pixels a side: what a panel can show; fewer in one that is narrower."""
    image, side = Image.fromarray(pixels), round(_IMAGE_SIDE * width / PANEL)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def _as_webp(match: re.Match[str]) -> str:
    image = Image.open(io.BytesIO(base64.b64decode(match[1])))
    if image.mode == "RGBA" and image.getchannel("A").getextrema() != (255, 255):
        return match[0]
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "WEBP", quality=75)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def painted(pixels: np.ndarray, layers: Sequence[tuple[np.ndarray, str]], width: float) -> Image.Image:
    """The photo in grey for a panel of `width` inches, each mask (`HxW` bool) of `layers` on it in its `#rrggbb`."""
    photo = small(pixels, width)
    image = np.repeat(np.array(photo.convert("L"))[..., None], 3, axis=2) * 0.6 + 75
    for mask, color in layers:
        inside = np.array(Image.fromarray(mask.astype(np.uint8)).resize(photo.size, Image.Resampling.NEAREST)) > 0
        image[inside] = (1 - _OPACITY) * image[inside] + _OPACITY * np.array(rgb(color))
    return Image.fromarray(image.astype(np.uint8))


@matplotlib.rc_context(STYLE)
def panels(
    images: Sequence[Image.Image],
    titles: Sequence[str],
    columns: int,
    width: float,
    legend: Sequence[tuple[str, str]] = (),
    name: str = "",
    size: tuple[int, int] | None = None,
) -> Drawing:
    """Images of one shape under their titles, `columns` a row, `width` inches each; `legend`: colours and words.

    `name` is what is shown; with the titles it is what the figure says to whoever does not see it. With `size` the axes
    count pixels of a photo of this height and width, whatever the images have, for marks to be drawn on it.
    """
    rows = -(-len(images) // columns)
    lines = max(title.count("\n") + 1 for title in titles)
    sheets = [_widened(image) for image in images]
    height = max(width * sheets[0].height / sheets[0].width, 0.4)
    inches = (columns * width + 0.2, rows * (height + 0.1 + 0.16 * lines) + (0.35 if legend else 0.1))
    drawn = Drawing(figsize=inches, layout="compressed")
    told = "; ".join(re.sub(r"([,:]?)\n", lambda end: f"{end[1] or ','} ", title.strip()) for title in titles)
    drawn.set_label(f"{name}: {told}")
    axes = drawn.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.set_axis_off()
    for ax, sheet, image, title in zip(axes, sheets, images, titles, strict=False):
        beside = (sheet.width / image.width - 1) / 2 * size[1] if size else 0
        extent = (-beside, size[1] + beside, size[0], 0) if size else None
        ax.imshow(sheet, extent=extent, interpolation="none")
        ax.autoscale(False)
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
