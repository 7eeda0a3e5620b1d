"""Zero-shot: SAM outlines objects of which a network with a fixed list of classes has no name.

Kirillov et al., 2023, arXiv:2304.02643, section 7: the task, a valid mask for any prompt, names no classes, so that
new kinds of photo and of object need no training. What they are, SAM does not say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from labkit.explain.boundary import boundary
from labkit.explain.embedding import need_sam
from labkit.explain.encoded_prompts import draw_prompt
from labkit.figures import AGREED, cut, display_svg, overlay_image, painted, panels, small
from labkit.locale import number, text
from labkit.models.base import Model
from labkit.models.prompted import PromptedModel
from labkit.segmentation import Segment, Segmentation
from labkit.variants import find_variant

__all__ = ["Unnamed", "display_unnamed", "named", "stranger", "unnamed", "unnamed_figure"]

_PANEL = 1.6
_BACKGROUND, _AREA = 0.8, 0.005
_TOLD, _NAMES = 0.05, 2


@dataclass(frozen=True, eq=False)
class Unnamed:
    """A segment of `answer`, which SAM made, and what a network with classes made of the same photo."""

    answer: Segmentation
    segment: Segment
    semantic: Segmentation


def unnamed(
    model: PromptedModel,
    semantic: Model,
    results: Sequence[Segmentation],
    boxes: Mapping[str, Sequence[float]],
) -> list[Unnamed]:
    """What SAM answers to the boxes, by the name of a photo, around objects that `semantic` has no class for.

    Where none of the photos is among the `results`: the best `stranger` of all results, if there is one.
    """
    need_sam(model)
    found = []
    for result in results:
        if result.photo.name in boxes:
            model.set_photo(result.photo)
            answer = model.prompt(box=boxes[result.photo.name])
            for segment in answer.segments[:1]:
                found.append(Unnamed(answer, segment, semantic.segment(result.photo)))
    if not found:
        seen = [(result, semantic.segment(result.photo)) for result in results if result.segments]
        strangers = [Unnamed(own, one, other) for own, other in seen if (one := stranger(own, other)) is not None]
        found = sorted(strangers, key=lambda row: -row.segment.score)[:1]
    return found


def stranger(result: Segmentation, semantic: Segmentation) -> Segment | None:
    """The segment of the best score that lies, for four fifths, in the background of another network's result.

    It covers at least 0.5 % of the photo and touches at most one of its sides: what touches more is rarely an object.
    """
    height, width = result.ids.shape
    candidates = []
    for segment in result.segments:
        x0, y0, x1, y1 = segment.box
        sides = (x0 == 0) + (y0 == 0) + (x1 == width) + (y1 == height)
        background = np.mean(semantic.ids[segment.mask] == 0)
        if segment.area >= _AREA * result.ids.size and sides <= 1 and background >= _BACKGROUND:
            candidates.append(segment)
    return max(candidates, key=lambda s: s.score, default=None)


def named(mask: np.ndarray, semantic: Segmentation) -> dict[int, float]:
    """What shares of a mask (`HxW` bool) a network gives to its classes, by label id, the largest first."""
    counts = np.bincount(semantic.labels[mask], minlength=1) / max(np.count_nonzero(mask), 1)
    return {int(n): float(counts[n]) for n in np.argsort(-counts, kind="stable") if counts[n] > 0}


def unnamed_figure(row: Unnamed) -> Figure:
    """SAM's mask, with the prompt if there was one, and the same outline over what the other network made of it."""
    photo, mask = row.answer.photo, row.segment.mask
    overlay = overlay_image(row.semantic, 0.6)
    overlay[boundary(mask, 0.012)] = 0
    overlay[boundary(mask, 0.006)] = 255
    classes, title = row.semantic.classes, find_variant(row.semantic.made_by["variant"]).title
    shares = [
        cut(f"{classes.label(label_id)} {share:.0%}".replace("%", " %"), _PANEL)
        for label_id, share in named(mask, row.semantic).items()
        if share >= _TOLD
    ][:_NAMES]
    score = number(row.segment.score, 2)
    told = text("explain.sam_mask", score=score)
    titles = [
        f"{cut(photo.name, 0.9 * _PANEL)}\n{told}",
        "\n".join([text("explain.sam_semantic", title=title), *shares]),
    ]
    first = painted(photo.pixels, [(mask, AGREED)], _PANEL)
    drawn = panels([first, small(overlay, _PANEL)], titles, 2, _PANEL)
    drawn.set_label(f"{photo.name}: {told}; {titles[1]}".replace("\n", " "))
    draw_prompt(drawn.axes[0], row.answer.made_by.get("prompts", {}), first, mask.shape[1])
    return drawn


def display_unnamed(rows: Sequence[Unnamed]) -> None:
    """Shows `unnamed_figure` of each in the notebook; says so where there is none."""
    for row in rows:
        display_svg(unnamed_figure(row))
    if not rows:
        print(text("explain.sam_no_stranger"))
