"""Mask R-CNN's lecture: the pyramid with the boxes taken from it, proposals, what the heads made of them, masks;
and beside a semantic network, on the student's photos and on a doubled object: what can be counted.

Boxes are `x0, y0, x1, y1` in pixels of the network's input, `size` the photo's (height, width) there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from PIL import Image, ImageOps

from labkit.evaluation.metrics import regions
from labkit.explain.drawing import array, cells, cells_over, scale_of
from labkit.explain.measures import on_photo, window
from labkit.figures import PANEL, STYLE, Drawing, named_segments, overlay_image, painted, panels, small
from labkit.locale import number, text
from labkit.photos import Photo
from labkit.segmentation import MIN_SHARE, Segment, Segmentation

__all__ = ["Judged", "counts_figure", "doubled", "judged_figure", "masks_figure"]
__all__ += ["objects_of", "proposals_figure", "pyramid_figure", "regions_of"]

_COLORS = ("#56b4e9", "#e69f00", "#f0e442", "#cc79a7", "#009e73", "#d55e00")
"""The colours of boxes (Okabe and Ito, 2008); a number beside each box says the same."""

_DARK, _BLUE = "#222222", "#0072b2"
_WIDTH, _CELLS, _BLUR, _COUNTED = 0.6 * PANEL, 112, 0.45, 1.15 * PANEL
_VISIBLE = 0.5  # share of an object that must be visible for it to count


class Judged(NamedTuple):
    """A proposal, the box that the box head made of it (None: rejected), and the likeliest classes by name."""

    before: Any
    after: Any | None
    probabilities: Mapping[str, float]
    title: str


def pyramid_figure(
    photo: Photo, size: tuple[int, int], levels: Mapping[int, Any], boxes: Any, taken: Sequence[int]
) -> Drawing:
    """The photo with the boxes, and each level (`CxRxK`, by number: stride 2^number) with those `taken` from it.

    A level is shown as the mean of its features' absolute values over the channels, dark the least, light the largest.
    """
    below = painted(photo.pixels, [], _BLUR * _WIDTH)
    images, titles = [below], [text("explain.detection_found", count=len(taken)) + "\n"]
    for level, features in levels.items():
        channels, *sides = features.shape
        part = tuple(side / 2**level / count for side, count in zip(size, sides, strict=True))
        strength = array(features.abs().mean(0))
        images.append(cells_over(below, strength, part, scale_of(on_photo(strength, part)), opacity=1))
        title = text("explain.detection_stride", number=level, stride=2**level)
        titles.append(f"{title}\n{'×'.join(map(str, (*sides, channels)))}")
    drawn = panels(images, titles, 3, _WIDTH, name=photo.name, size=size)
    whole, *axes = drawn.axes
    places = dict(zip(levels, axes, strict=False))
    for n, (box, level) in enumerate(zip(array(boxes), taken, strict=True)):
        for ax in (whole, places[level]):
            _draw_box(ax, box, n, str(n + 1))
    return drawn


def _draw_box(ax: Axes, box: np.ndarray, n: int, label: str = "", dashed: bool = False) -> None:
    """A box in the `n`-th colour with a dark edge, and a label in its upper left corner."""
    x0, y0, x1, y1 = (round(float(side), 1) for side in box)  # the last bits differ from machine to machine
    edged, color = [withStroke(linewidth=3.2, foreground=_DARK)], _COLORS[n % len(_COLORS)]
    style = {"facecolor": "none", "edgecolor": color, "linewidth": 1.8, "linestyle": "--" if dashed else "-"}
    ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, path_effects=edged, **style))
    if label:
        paper = {"boxstyle": "square,pad=0.15", "facecolor": color, "edgecolor": _DARK, "linewidth": 0.5}
        style = {"textcoords": "offset points", "va": "top", "fontsize": 8, "color": _DARK, "bbox": paper}
        ax.annotate(label, (x0, y0), (2, -2), **style)


def proposals_figure(photo: Photo, size: tuple[int, int], boxes: Mapping[str, Any]) -> Drawing:
    """Sets of boxes (`Nx4`, by title), each on a photo of its own."""
    width = 0.8 * PANEL
    below = painted(photo.pixels, [], _BLUR * width)
    drawn = panels([below] * len(boxes), list(boxes), len(boxes), width, name=photo.name, size=size)
    for ax, some in zip(drawn.axes, boxes.values(), strict=True):
        corners = array(some).round(1)[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
        ax.add_collection(PolyCollection(corners, facecolor="none", edgecolor=_BLUE, linewidth=1.1), autolim=False)
    return drawn


@matplotlib.rc_context(STYLE)
def judged_figure(photo: Photo, size: tuple[int, int], rows: Sequence[Judged]) -> Drawing:
    """The boxes before (dashed) and after the box head, and the likeliest classes of each."""
    width, (height, across) = 0.9 * PANEL, size
    inches = (2 * PANEL, max(width * min(height / across, 1.6), 0.85 * len(rows)) + 0.4)
    drawn = Drawing(figsize=inches, layout="constrained")
    drawn.set_label(f"{photo.name}: {'; '.join(row.title for row in rows)}")
    grid = drawn.add_gridspec(max(len(rows), 1), 2, width_ratios=(1, 1))
    whole = drawn.add_subplot(grid[:, 0])
    below = painted(photo.pixels, [], _BLUR * width)
    whole.imshow(below, extent=(0, across, height, 0), interpolation="bilinear")
    whole.set_axis_off()
    whole.autoscale(False)
    whole.set_title(text("explain.heads_boxes"), fontsize=9)
    for n, row in enumerate(rows):
        _draw_box(whole, array(row.before), n, "" if row.after is not None else str(n + 1), dashed=True)
        if row.after is not None:
            _draw_box(whole, array(row.after), n, str(n + 1))
        ax = drawn.add_subplot(grid[n, 1])
        ax.set_title(f"{n + 1}: {row.title}", fontsize=9, loc="left")
        places, values = np.arange(len(row.probabilities)), list(row.probabilities.values())
        ax.barh(places, values, color=_COLORS[n % len(_COLORS)], edgecolor="#444444", linewidth=0.5)
        for place, value in zip(places, values, strict=True):
            ax.text(value + 0.02, place, number(value, 2), va="center", fontsize=8)
        ax.set_yticks(places, list(row.probabilities), fontsize=8)
        ax.set(xlim=(0, 1.15), ylim=(len(places) - 0.4, -0.6))
        ax.tick_params(length=0, labelbottom=False)
        ax.spines[:].set_visible(False)
    return drawn


def masks_figure(photo: Photo, mask: np.ndarray, masks: Mapping[str, Any]) -> Drawing:
    """An object's mask (`HxW` bool) on the photo, and the head's masks (`28x28`, by title), dark 0 to light 1."""
    part, scale = window(mask), scale_of(np.zeros(1), (0, 1))
    pasted = painted(photo.pixels[part], [(mask[part], _BLUE)], _WIDTH)
    images = [ImageOps.pad(pasted, [max(pasted.size)] * 2, color="white")]
    for values in masks.values():
        images.append(cells(array(values), scale).resize([_CELLS] * 2, Image.Resampling.NEAREST))  # JPEG blurs less
    return panels(images, [text("explain.heads_pasted"), *masks], len(images), _WIDTH, name=photo.name)


def objects_of(result: Segmentation) -> Segmentation:
    """An instance result with the objects that count: at least 0.5 % of the photo, and more than half to be seen.

    Where masks overlap, a pixel belongs to the object with the better score; one of which half is taken is the same
    object found again, or a part of it (Kirillov et al., 2019, arXiv:1801.00868, section 7).
    """
    seen = np.bincount(result.ids.ravel(), minlength=max((s.id for s in result.segments), default=0) + 1)
    return _with(
        result, [s for s in result.segments if s.area >= MIN_SHARE * s.mask.size and seen[s.id] > _VISIBLE * s.area]
    )


def regions_of(result: Segmentation) -> Segmentation:
    """A semantic result whose segments are the connected regions of each class, those of at least 0.5 % of the photo.

    Class by class, the largest region first.
    """
    kept: list[Segment] = []
    for segment in result.segments:
        places = regions(segment.mask)
        sizes = np.bincount(places.ravel())[1:]
        for n in range(1, np.count_nonzero(sizes >= MIN_SHARE * places.size) + 1):
            kept.append(Segment(len(kept) + 1, segment.label_id, segment.label, segment.score, places == n))
    return _with(result, kept)


def _with(result: Segmentation, segments: list[Segment]) -> Segmentation:
    """The result with these segments, the first of them on top."""
    ids = np.zeros_like(result.ids)
    for segment in reversed(segments):
        ids[segment.mask] = segment.id
    return replace(result, ids=ids, segments=segments)


def doubled(result: Segmentation) -> Photo | None:
    """A photo on which two objects touch for certain: the largest object and, in front of it, its mirror image.

    The photo is cut beside the object and goes on as its own mirror image, so near that a tenth of the object's width
    is covered. None where nothing was found.
    """
    if (largest := result.largest) is None:
        return None
    pixels, mask, (x0, _, x1, _) = result.photo.pixels, largest.mask, largest.box
    across = mask.shape[1]
    if across - x1 > x0:  # so more of the photo stays
        pixels, mask, x0, x1 = pixels[:, ::-1], mask[:, ::-1], across - x1, across - x0
    tenth = round((x1 - x0) / 10)
    keep = min(across, x1 + tenth)
    left, mask = pixels[:, :keep], mask[:, :keep]
    right, mirrored = left[:, ::-1], mask[:, ::-1]
    start = x1 - tenth - (keep - x1)
    middle = (start + keep) // 2
    joined = np.concatenate([left[:, :middle], right[:, middle - start :]], axis=1)
    joined[:, :keep][mask] = left[mask]
    joined[:, start:][mirrored] = right[mirrored]
    return Photo.from_pixels(text("explain.counting_doubled_name", name=result.photo.name), joined)


def counts_figure(counted: Segmentation, objects: Segmentation) -> Drawing:
    """The connected regions of the semantic answer and the objects of the other, each in a colour, numbered."""
    pair = (counted, objects)
    images = [small(overlay_image(result, 0.6), _COUNTED) for result in pair]
    titles = [
        text(f"explain.counting_{key}_title", count=len(result.segments))
        for key, result in zip(("regions", "objects"), pair, strict=True)
    ]
    drawn = panels(images, titles, 2, _COUNTED, name=counted.photo.name, size=counted.ids.shape, tallest=0.8)
    edge = [withStroke(linewidth=2.5, foreground=_DARK)]
    style = {"ha": "center", "va": "center", "fontsize": 11, "fontweight": "bold", "color": "white"}
    for ax, result in zip(drawn.axes, pair, strict=True):
        for n, (segment, _) in enumerate(named_segments(result), start=1):  # at the middle of what is seen
            rows, columns = np.nonzero(result.ids == segment.id)
            nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
            ax.text(columns[nearest] + 0.5, rows[nearest] + 0.5, str(n), path_effects=edge, **style)
    return drawn
