"""Semantic against instance segmentation: what can be counted, on the student's photos and on a doubled object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from labkit.evaluation.metrics import regions
from labkit.figures import PANEL, STYLE, display_svg, overlay_image, plain_table, small
from labkit.io.errors import LabkitError
from labkit.locale import LANGUAGES, language, text
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation

__all__ = [
    "LEAST",
    "Count",
    "Pair",
    "counts_figure",
    "counts_table",
    "crowded",
    "display_counts",
    "display_doubled",
    "doubled",
    "doubled_pairs",
    "objects_of",
    "regions_of",
    "telling_pair",
]

LEAST = 0.005
"""Objects and regions on a smaller share of the photo are not counted: a few stray pixels."""

_VISIBLE = 0.5


@dataclass(frozen=True)
class Count:
    """How often a class is on a photo: `objects` of the instance answer, connected `regions` of the semantic one.

    `names` are its Russian and its English name.
    """

    names: tuple[str, str]
    objects: int
    regions: int


@dataclass(frozen=True, eq=False)
class Pair:
    """Both answers for one photo."""

    semantic: Segmentation
    instances: Segmentation

    @cached_property
    def counts(self) -> list[Count]:
        """A row a class that either answer has, the class with the most objects first.

        The models may have different label sets: a class is known by its Russian name, which they share.
        """
        names: dict[str, str] = {}
        found: dict[str, list[int]] = {}
        for place, result in enumerate((objects_of(self.instances), regions_of(self.semantic))):
            for segment in result.segments:
                russian, english = (
                    names[segment.label_id] for names in (result.classes.names_ru, result.classes.names)
                )
                names.setdefault(russian, english)
                found.setdefault(russian, [0, 0])[place] += 1
        rows = [Count((russian, names[russian]), *numbers) for russian, numbers in found.items()]
        return sorted(rows, key=lambda row: (-row.objects, -row.regions, row.names))

    @property
    def objects(self) -> int:
        """The largest number of objects that one class has."""
        return max((row.objects for row in self.counts), default=0)

    @property
    def regions(self) -> int:
        """The largest number of connected regions that one class has."""
        return max((row.regions for row in self.counts), default=0)


def objects_of(result: Segmentation) -> Segmentation:
    """An instance result with the objects that count: at least `LEAST` of the photo, and more than half to be seen.

    Where masks overlap, a pixel belongs to the object with the better score; one of which half is taken is the same
    object found again, or a part of it (Kirillov et al., 2019, arXiv:1801.00868, section 7).
    """
    seen = np.bincount(result.ids.ravel(), minlength=max((s.id for s in result.segments), default=0) + 1)
    kept = [s for s in result.segments if s.area >= LEAST * s.mask.size and seen[s.id] > _VISIBLE * s.area]
    return _with(result, kept)


def regions_of(result: Segmentation) -> Segmentation:
    """A semantic result whose segments are the connected regions of each class, those of at least `LEAST` of the photo.

    Class by class, the largest region first.
    """
    kept: list[Segment] = []
    for segment in result.segments:
        places = regions(segment.mask)
        sizes = np.bincount(places.ravel())[1:]
        for number in range(1, np.count_nonzero(sizes >= LEAST * places.size) + 1):
            kept.append(Segment(len(kept) + 1, segment.label_id, segment.label, segment.score, places == number))
    return _with(result, kept)


def crowded(results: Sequence[Segmentation]) -> Segmentation:
    """Of instance results the one with the most objects of one class; of equals, the one with the most objects.

    LabkitError for no results at all.
    """
    if not results:
        raise LabkitError(text("figures.no_results"))

    def most(result: Segmentation) -> tuple[int, int]:
        found = Counter(s.label_id for s in objects_of(result).segments)
        return max(found.values(), default=0), found.total()

    return max(results, key=most)


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


def doubled_pairs(semantic: Any, instance: Any, results: Sequence[Segmentation]) -> list[Pair]:
    """Both models' answers to the `doubled` photo of each result on which something was found."""
    photos = [photo for result in results if (photo := doubled(result)) is not None]
    return [Pair(semantic.segment(photo), instance.segment(photo)) for photo in photos]


def telling_pair(pairs: Sequence[Pair]) -> Pair:
    """The first pair with two objects of a class or more and one region of any; where there is none, the first pair."""
    return next((pair for pair in pairs if pair.objects >= 2 > pair.regions), pairs[0])


def counts_table(pair: Pair) -> str:
    """`Pair.counts` in plain text."""
    if not pair.counts:
        return text("figures.nothing")
    head = [text(f"explain.counting_{key}") for key in ("class", "objects", "regions")]
    place = LANGUAGES.index(language())
    return plain_table([head, *([row.names[place], str(row.objects), str(row.regions)] for row in pair.counts)])


def counts_figure(pair: Pair) -> Figure:
    """The connected regions of the semantic answer and the objects of the other, each in a colour, numbered."""
    shown = (regions_of(pair.semantic), objects_of(pair.instances))
    width = 0.85 * PANEL
    with matplotlib.rc_context(STYLE):
        height, across = pair.semantic.ids.shape
        drawn = Figure(figsize=(2 * width, width * min(height / across, 1.6) + 0.35), layout="constrained")
        titles = [
            text(f"explain.counting_{key}_title", count=len(result.segments))
            for key, result in zip(("regions", "objects"), shown, strict=True)
        ]
        drawn.set_label(f"{pair.semantic.photo.name}: {', '.join(titles)}")
        for ax, result, title in zip(drawn.subplots(1, 2), shown, titles, strict=True):
            extent = (0, across, height, 0)
            ax.imshow(small(overlay_image(result, 0.6), width), extent=extent, interpolation="nearest", aspect="auto")
            ax.set_box_aspect(min(max(height / across, 0.01), 100))
            ax.set_title(title, fontsize=9)
            ax.set_axis_off()
            _number(ax, result)
        return drawn


def display_counts(pair: Pair) -> None:
    """Shows `counts_figure` and prints `counts_table`; says so where no class has two objects."""
    display_svg(counts_figure(pair))
    print(counts_table(pair))
    if pair.objects < 2:
        print(text("explain.counting_none"))


def display_doubled(pairs: Sequence[Pair]) -> None:
    """Shows `telling_pair` of `doubled_pairs`, and prints on how many photos each way to count finds two or more."""
    if not pairs:
        print(text("figures.nothing"))
        return
    pair = telling_pair(pairs)
    display_svg(counts_figure(pair))
    print(counts_table(pair))
    right = {key: sum(getattr(one, key) >= 2 for one in pairs) for key in ("objects", "regions")}
    print(text("explain.counting_right", photos=len(pairs), **right))


def _with(result: Segmentation, segments: list[Segment]) -> Segmentation:
    """The result with these segments, the first of them on top."""
    ids = np.zeros_like(result.ids)
    for segment in reversed(segments):
        ids[segment.mask] = segment.id
    return Segmentation(result.photo, ids, result.confidence, segments, result.classes, result.made_by)


def _number(ax: Axes, result: Segmentation) -> None:
    """Each segment's number, at the pixel that is nearest to the middle of what is seen of it."""
    for number, segment in enumerate(result.segments, start=1):
        rows, columns = np.nonzero(result.ids == segment.id)
        nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
        edged = [withStroke(linewidth=2.5, foreground="#222222")]
        style = {"ha": "center", "va": "center", "fontsize": 11, "fontweight": "bold", "color": "white"}
        ax.text(columns[nearest] + 0.5, rows[nearest] + 0.5, str(number), path_effects=edged, **style)
