"""Semantic against instance segmentation: what can be counted, on the student's photos and on a doubled object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.patheffects import withStroke

from labkit.evaluation.metrics import regions
from labkit.figures import PANEL, Drawing, note, overlay_image, panels, plain_table, small
from labkit.io.errors import LabkitError
from labkit.locale import LANGUAGES, language, text
from labkit.photos import Photo
from labkit.segmentation import MIN_SHARE, Segment, Segmentation

__all__ = ["Pair", "counts_figure", "counts_table", "crowded", "doubled", "doubled_table", "telling_pair"]

_VISIBLE, _WIDTH = 0.5, 0.85 * PANEL
"""The share of an object that must be visible for it to count, and the width of its figure in inches."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Both answers for one photo."""

    semantic: Segmentation
    instances: Segmentation

    @property
    def shown(self) -> tuple[Segmentation, Segmentation]:
        """What counts: the connected regions of the semantic answer, the objects of the other."""
        return regions_of(self.semantic), objects_of(self.instances)

    @property
    def counts(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Regions and objects of each class that either answer has, the class with the most objects first.

        The models may have different label sets: a class is known by its Russian name, which they share; the key is
        that and its English name, as the objects' label set has it.
        """
        names: dict[str, str] = {}
        found = []
        for result in self.shown:
            russian = [result.classes.names_ru[segment.label_id] for segment in result.segments]
            names |= {name: result.classes.names[s.label_id] for name, s in zip(russian, result.segments, strict=True)}
            found.append(Counter(russian))
        rows = {(russian, english): tuple(one[russian] for one in found) for russian, english in names.items()}
        return dict(sorted(rows.items(), key=lambda row: (-row[1][1], -row[1][0], row[0])))

    @property
    def most(self) -> tuple[int, int]:
        """The largest number of regions, and of objects, that one class has."""
        return tuple(max(numbers) for numbers in zip((0, 0), *self.counts.values(), strict=True))


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


def crowded(results: Sequence[Segmentation]) -> Segmentation:
    """Of instance results the one with the most objects of one class; of equals, the one with the most objects.

    LabkitError for no results at all.
    """
    if not results:
        raise LabkitError(text("figures.no_results"))

    found = [Counter(segment.label_id for segment in objects_of(result).segments) for result in results]
    most = [(max(counts.values(), default=0), counts.total()) for counts in found]
    return results[most.index(max(most))]


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


def telling_pair(pairs: Sequence[Pair]) -> Pair | None:
    """The first pair with two objects of a class or more and one region of any; else the first; None for no pairs."""
    return next((pair for pair in pairs if pair.most[1] >= 2 > pair.most[0]), pairs[0] if pairs else None)


def counts_table(pair: Pair | None) -> str:
    """Objects and regions a class in plain text; it is said where no class has two objects."""
    if pair is None:
        return text("figures.nothing")
    head = [text(f"explain.counting_{key}") for key in ("class", "objects", "regions")]
    place = LANGUAGES.index(language())
    rows = [[names[place], str(objects), str(regions)] for names, (regions, objects) in pair.counts.items()]
    table = plain_table([head, *rows]) if rows else text("figures.nothing")
    return table if pair.most[1] >= 2 else f"{table}\n{text('explain.counting_none')}"


def doubled_table(pairs: Sequence[Pair]) -> str:
    """The table of the `telling_pair`, and on how many photos each way to count finds two or more."""
    regions, objects = (sum(pair.most[n] >= 2 for pair in pairs) for n in (0, 1))
    right = text("explain.counting_right", photos=len(pairs), regions=regions, objects=objects)
    return f"{counts_table(telling_pair(pairs))}\n{right}" if pairs else text("figures.nothing")


def counts_figure(pair: Pair | None) -> Drawing:
    """The connected regions of the semantic answer and the objects of the other, each in a colour, numbered."""
    if pair is None:
        return note(text("figures.nothing"))
    images = [small(overlay_image(result, 0.6), _WIDTH) for result in pair.shown]
    titles = [
        text(f"explain.counting_{key}_title", count=len(result.segments))
        for key, result in zip(("regions", "objects"), pair.shown, strict=True)
    ]
    drawn = panels(images, titles, 2, _WIDTH, name=pair.semantic.photo.name, size=pair.semantic.ids.shape)
    edge = [withStroke(linewidth=2.5, foreground="#222222")]
    style = {"ha": "center", "va": "center", "fontsize": 11, "fontweight": "bold", "color": "white"}
    for ax, result in zip(drawn.axes, pair.shown, strict=True):
        for n, segment in enumerate(result.segments, start=1):  # at the pixel nearest to the middle of what is seen
            rows, columns = np.nonzero(result.ids == segment.id)
            nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
            ax.text(columns[nearest] + 0.5, rows[nearest] + 0.5, str(n), path_effects=edge, **style)
    return drawn
