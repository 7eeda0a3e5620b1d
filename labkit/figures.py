"""A result to look at: the one place that tints a photo, the figure for print, and the table in plain text."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain, cycle, zip_longest

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from PIL import Image
from scipy import ndimage

from labkit.classes import VOC
from labkit.io.drawing import PANEL, STYLE, Drawing, Drawings, cut, in_html, ink, note, panels, plain_table, small, svg  # noqa: F401
from labkit.locale import number, percent, text
from labkit.segmentation import MIN_SHARE, Segment, Segmentation, results_of
from labkit.variants import find_variant

__all__ = ["AGREED", "CHANGES", "EXTRA", "LOST", "colors_of", "mask_image", "overlay_image", "painted", "rgb", "tinted"]
__all__ += ["compared", "figure", "figures", "legend_rows", "model_titles", "named_segments", "summary"]

# colours (Okabe and Ito, 2008) of what is as it was, what went and what came; their lightness differs too
AGREED, LOST, EXTRA = CHANGES = ("#56b4e9", "#d55e00", "#f0e442")

_LEGEND_ROWS, _TABLE_ROWS = 12, 6
_SEEN, _TALLEST = 0.001, 0.9  # the share of a photo that is seen; how high panels are at most, in widths
_Row = tuple[str, str, float, float]  # what stands in a legend: colour, name, share and score


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
        classes = {segment_id: result.classes.colors[label_id] for label_id, segment_id in first.items()}
    turn = chain((color for color in palette if color not in classes.values()), cycle(palette))
    colors: dict[int, str] = {}
    before = None
    for segment, after in zip_longest(result.segments, result.segments[1:]):
        beside = (before, classes.get(after.id) if after else None)
        before = classes.get(segment.id) or next(color for color in turn if color not in beside)
        colors[segment.id] = before
    return colors


def tinted(pixels: np.ndarray, colors: np.ndarray, where: np.ndarray, opacity: float) -> np.ndarray:
    """A photo (`HxWx3` uint8) with `colors` (`HxWx3`, or one of three numbers) over it `where` (`HxW` bool) it says.

    `opacity` is in [0, 1]; the photo itself stays as it is.
    """
    image = pixels.copy()
    over = colors[where] if colors.ndim == 3 else colors
    image[where] = (pixels[where] * (1 - opacity) + over * opacity).astype(np.uint8)
    return image


def painted(pixels: np.ndarray, layers: Sequence[tuple[np.ndarray, str]], width: float) -> Image.Image:
    """The photo in grey for a panel of `width` inches, each mask (`HxW` bool) of `layers` on it in its `#rrggbb`."""
    photo = small(pixels, width)
    image = (np.repeat(np.array(photo.convert("L"))[..., None], 3, axis=2) * 0.6 + 75).astype(np.uint8)
    for mask, color in layers:
        inside = Image.fromarray(mask.astype(np.uint8)).resize(photo.size, Image.Resampling.NEAREST)
        image = tinted(image, np.array(rgb(color)), np.array(inside) > 0, 0.75)
    return Image.fromarray(image)


def mask_image(result: Segmentation) -> np.ndarray:
    """The segments in their colours on black, `HxWx3` uint8."""
    colors = colors_of(result)
    table = np.zeros((max(colors, default=0) + 1, 3), np.uint8)
    for segment_id, color in colors.items():
        table[segment_id] = rgb(color)
    return table[result.ids]


def overlay_image(result: Segmentation, opacity: float = 0.5, outline: int = 2) -> np.ndarray:
    """The segments over the photo, `HxWx3` uint8; `opacity` in [0, 1], `outline` in pixels (0: none)."""
    ids, colors = result.ids, mask_image(result)
    edge = np.zeros(ids.shape, bool)
    for axis in (0, 1):  # of a segment: another one is at most `outline` pixels away in the row or the column
        around = {"size": 2 * outline + 1, "axis": axis, "mode": "nearest"}
        edge |= ndimage.maximum_filter1d(ids, **around) != ndimage.minimum_filter1d(ids, **around)
    return tinted(tinted(result.photo.pixels, colors, ids > 0, opacity), colors, edge & (ids > 0), 1)


def named_segments(result: Segmentation) -> list[tuple[Segment, str]]:
    """The segments, largest first, and what they are called; those of one class are numbered: "cat 1", "cat 2"."""
    ordered = sorted(result.segments, key=lambda s: -s.area)
    if result.classes is None:
        return [(segment, f"{text('figures.object')} {segment.id}") for segment in ordered]
    of_class, listed, rows = Counter(s.label_id for s in ordered), Counter[int](), []
    for segment in ordered:
        listed[segment.label_id] += 1
        several = f" {listed[segment.label_id]}" if of_class[segment.label_id] > 1 else ""
        rows.append((segment, result.classes.label(segment.label_id) + several))
    return rows


def legend_rows(result: Segmentation) -> list[_Row]:
    """What is on the photo, largest first: colour, name, share of the photo's area and score, both in [0, 1]."""
    colors = colors_of(result)
    return [(colors[s.id], name, s.area / s.mask.size, s.score) for s, name in named_segments(result)]


def _worth_saying(rows: list[_Row], least: float = MIN_SHARE) -> list[_Row]:
    """The rows of at least this share of the area; where all are smaller, all of them."""
    return [row for row in rows if row[2] >= least] or rows


def figure(result: Segmentation) -> Drawing:
    """One photo as a matplotlib figure: photo, mask, overlay, and below them the legend of every colour to be seen.

    Mask R-CNN's objects of at least `MIN_SHARE` have their box, class and score on the overlay.
    """
    rows = _worth_saying(legend_rows(result), _SEEN)
    legend = [(color, f"{name}: {percent(share)}; {number(score, 2)}") for color, name, share, score in rows]
    legend = legend[:_LEGEND_ROWS]
    if left := rows[_LEGEND_ROWS:]:
        legend.append(("", text("photos.more", count=len(left))))
    images = (result.photo.pixels, mask_image(result), overlay_image(result))
    drawn = panels(
        [small(image) for image in images],
        [cut(result.photo.name), text("figures.mask"), text("figures.overlay")],
        columns=3,
        legend=legend or [("", text("figures.nothing" if result.classes is None else "figures.nothing_helps"))],
        size=result.ids.shape,
        legend_columns=3,
        tallest=_TALLEST,
    )
    drawn.set_label(f"{result.photo.name}: {', '.join(row[1] for row in rows) or text('figures.nothing')}")
    if result.made_by.get("variant") == "mask_rcnn":
        _draw_boxes(drawn.axes[2], result, {name for _, name, *_ in _worth_saying(rows[:_LEGEND_ROWS])})
    return drawn


def _draw_boxes(ax: Axes, result: Segmentation, names: set[str]) -> None:
    """The box of each of these objects and above it, or below others' words, what it is and how surely."""
    colors, (height, width) = colors_of(result), result.ids.shape
    panel = max(width, height / _TALLEST)  # in the photo's pixels
    line, letter = 0.05 * panel, 0.02 * panel
    taken: list[tuple[float, float, float]] = []
    for segment, name in named_segments(result):
        if name not in names:
            continue
        x0, y0, x1, y1 = segment.box
        color = colors[segment.id]
        ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=color, linewidth=1.2))
        told = f"{name}: {number(segment.score, 2)}"
        x = max(0.0, min(x0, (panel + width) / 2 - letter * len(told)))  # or the words would leave the panel
        end, y = x + letter * len(told), max(0.0, y0 - line)
        while any(x < right and left < end and abs(y - top) < line for left, right, top in taken):
            y += line
        taken.append((x, end, y))
        plate = {"facecolor": color, "edgecolor": "none", "pad": 1}
        ax.text(x, y, told, fontsize=7, color=ink(color), va="top", bbox=plate, clip_on=True, parse_math=False)


def figures(results: Segmentation | Sequence[Segmentation]) -> Drawings:
    """The figure of each result; a cell that ends in them shows them."""
    return Drawings([figure(result) for result in results_of(results)])


def compared(results: Sequence[Segmentation], titles: Sequence[str]) -> Drawing:
    """Several results of one photo as overlays beside each other, each under its title."""
    if not results:
        return note(text("figures.no_results"))
    images = [small(overlay_image(result, 0.6)) for result in results]
    return panels(images, titles, len(images), name=results[0].photo.name, tallest=_TALLEST)


def model_titles(results: Sequence[Segmentation]) -> list[str]:
    """The title of each result's model where one photo occurs with several of them; else nothing."""
    variants = [result.made_by.get("variant") for result in results]
    titles = [find_variant(variant).title if variant else "" for variant in variants]
    names = [result.photo.name for result in results]
    compared = len({*zip(names, titles, strict=True)}) > len({*names})
    return titles if compared else [""] * len(titles)


def summary(results: Segmentation | Sequence[Segmentation]) -> str:
    """A table in plain text: for each photo the classes or objects found, their share of the area and their score.

    At most six a photo, the largest, and how many more there are: SAM finds dozens. Models are named where they differ.
    """
    results = results_of(results)
    rows = [[text(f"figures.{key}") for key in ("photo", "found", "share", "confidence")]]
    for result, title in zip(results, model_titles(results), strict=True):
        worth = _worth_saying(legend_rows(result))
        found = [(name, percent(share), number(score, 2)) for _, name, share, score in worth[:_TABLE_ROWS]]
        if left := worth[_TABLE_ROWS:]:
            found.append((text("photos.more", count=len(left)), "", ""))
        names = [" · ".join(filter(None, (result.photo.name, title))), *[""] * len(found)]
        rows += [[name, *row] for name, row in zip(names, found or [(text("figures.nothing"), "", "")], strict=False)]
    return plain_table(rows)
