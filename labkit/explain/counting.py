"""Semantic against instance segmentation: what can be counted, on the student's photos and on a doubled object."""

from dataclasses import replace

import numpy as np
from matplotlib.patheffects import withStroke

from labkit.evaluation.metrics import regions
from labkit.figures import PANEL, Drawing, overlay_image, panels, small
from labkit.locale import text
from labkit.photos import Photo
from labkit.segmentation import MIN_SHARE, Segment, Segmentation

__all__ = ["counts_figure", "doubled", "objects_of", "regions_of"]

_VISIBLE, _WIDTH, _TALLEST = 0.5, 1.15 * PANEL, 0.8
"""The share of an object that must be visible for it to count; a panel's width in inches, and its height in widths."""


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
        for number in range(1, np.count_nonzero(sizes >= MIN_SHARE * places.size) + 1):
            kept.append(Segment(len(kept) + 1, segment.label_id, segment.label, segment.score, places == number))
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
    images = [small(overlay_image(result, 0.6), _WIDTH) for result in pair]
    titles = [
        text(f"explain.counting_{key}_title", count=len(result.segments))
        for key, result in zip(("regions", "objects"), pair, strict=True)
    ]
    drawn = panels(images, titles, 2, _WIDTH, name=counted.photo.name, size=counted.ids.shape, tallest=_TALLEST)
    edge = [withStroke(linewidth=2.5, foreground="#222222")]
    style = {"ha": "center", "va": "center", "fontsize": 11, "fontweight": "bold", "color": "white"}
    for ax, result in zip(drawn.axes, pair, strict=True):
        for n, segment in enumerate(result.segments, start=1):  # at the pixel nearest to the middle of what is seen
            rows, columns = np.nonzero(result.ids == segment.id)
            nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
            ax.text(columns[nearest] + 0.5, rows[nearest] + 0.5, str(n), path_effects=edge, **style)
    return drawn
