"""SAM's three answers to one point, the IoU that it predicts for each, and their true IoU with an outline.

One point may mean a part, the whole or several things; only the best of the three is trained, and the predicted IoU
puts them in order (Kirillov et al., 2023, arXiv:2304.02643, section 3, "Resolving ambiguity", and appendix A).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.metrics import innermost, iou
from labkit.explain.embedding import need_sam
from labkit.explain.encoded_prompts import draw_prompt, object_of
from labkit.explain.photos import telling
from labkit.figures import AGREED, EXTRA, STYLE, cut, display_svg, painted, panels
from labkit.locale import number, text
from labkit.models.prompted import PromptedModel
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = ["Judged", "answers_figure", "display_answers", "display_ranking", "judged", "outline_of", "ranking_figure"]
__all__ += ["ranking_text", "varied"]

_PANEL = 1.35
_WORSE = 0.05
_MARKS = (("o", "#0072b2"), ("s", "#e69f00"), ("^", "#cc79a7"))


@dataclass(frozen=True, eq=False)
class Judged:
    """The answers to one point, best first by predicted IoU, and the object's mask as outlined by hand, or None."""

    answer: Segmentation
    outline: np.ndarray | None

    @property
    def predicted(self) -> list[float]:
        """The IoU that SAM predicts for each answer, in [0, 1]."""
        return [segment.score for segment in self.answer.segments]

    @property
    def true(self) -> list[float]:
        """The IoU of each answer with the outline; empty where there is none."""
        return [] if self.outline is None else [iou(s.mask, self.outline) for s in self.answer.segments]


def outline_of(photo: Photo) -> np.ndarray | None:
    """The largest outlined object of a photo (`HxW` bool), None where nobody outlined any.

    The outlines lie next to the photo or, as the kit's do, in a folder `outlines` next to the photo's folder.
    """
    reference = None
    if photo.path is not None:
        reference = find_ground_truth(photo) or find_ground_truth(photo, photo.path.parent.parent / "outlines")
    return object_of(reference) if reference is not None and reference.segments else None


def judged(model: PromptedModel, results: Sequence[Segmentation]) -> list[Judged]:
    """Asks about each photo that has an outline: one point, the innermost one of the object, and three answers.

    Without any outline the one photo that tells most is asked about, with the innermost point of the largest object
    found.
    """
    need_sam(model)
    outlines = [(result.photo, outline_of(result.photo)) for result in results]
    rows = [_ask(model, photo, outline, outline) for photo, outline in outlines if outline is not None]
    if not rows:
        result = telling(results)
        rows.append(_ask(model, result.photo, object_of(result), None))
    return rows


def _ask(model: PromptedModel, photo: Photo, mask: np.ndarray, outline: np.ndarray | None) -> Judged:
    model.set_photo(photo)
    return Judged(model.prompt(points=[innermost(mask)], answers=3), outline)


def varied(rows: Sequence[Judged]) -> Judged:
    """The one whose answers differ most: in their true IoU, without outlines in their area."""

    def spread(row: Judged) -> float:
        values = row.true or [segment.area / row.answer.ids.size for segment in row.answer.segments]
        return max(values, default=0) - min(values, default=0)

    return max(rows, key=spread)


def answers_figure(row: Judged) -> Figure:
    """The point, on the outlined object where there is one, and each answer with its predicted and its true IoU."""
    pixels, width = row.answer.photo.pixels, row.answer.ids.shape[1]
    images = [painted(pixels, [] if row.outline is None else [(row.outline, EXTRA)], _PANEL)]
    key = "point" if row.outline is None else "outlined"
    titles = [f"{cut(row.answer.photo.name, 0.9 * _PANEL)}\n{text(f'explain.sam_{key}')}"]
    for place, segment in enumerate(row.answer.segments, start=1):
        images.append(painted(pixels, [(segment.mask, AGREED)], _PANEL))
        told = text("explain.sam_predicted", number=place, score=number(segment.score, 2))
        true = [text("explain.sam_true", iou=number(n, 2)) for n in row.true[place - 1 : place]]
        titles.append("\n".join([told, *true]))
    if len(images) == 1:
        images.append(painted(pixels, [], _PANEL))
        titles.append(text("figures.nothing"))
    drawn = panels(images, titles, len(images), _PANEL)
    drawn.set_label(f"{row.answer.photo.name}: {'; '.join(titles[1:])}".replace("\n", ", "))
    for ax in drawn.axes:
        draw_prompt(ax, row.answer.made_by["prompts"], images[0], width)
    return drawn


def display_answers(row: Judged) -> None:
    """Shows `answers_figure` in the notebook."""
    display_svg(answers_figure(row))


def ranking_figure(rows: Sequence[Judged]) -> Figure:
    """Every answer of every outlined photo: the IoU that SAM predicts against the true one; a mark a rank."""
    with matplotlib.rc_context(STYLE):
        drawn = Figure(figsize=(3.0, 3.1), layout="compressed")
        drawn.set_label(ranking_text(rows).replace("\n", " "))
        ax = drawn.subplots()
        ax.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1)
        for rank, (marker, color) in enumerate(_MARKS):
            points = [(row.predicted[rank], row.true[rank]) for row in rows if len(row.true) > rank]
            if points:
                label = text("explain.sam_rank", number=rank + 1)
                style = {"linestyle": "", "marker": marker, "color": color, "markeredgecolor": "white", "label": label}
                ax.plot(*zip(*points, strict=True), **style)
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        ax.set_box_aspect(1)
        ticks = (0, 0.5, 1)
        labels = [number(tick, 1) for tick in ticks]
        ax.set_xticks(ticks, labels)
        ax.set_yticks(ticks, labels)
        ax.set_xlabel(text("explain.sam_axis_predicted"))
        ax.set_ylabel(text("explain.sam_axis_true"))
        drawn.legend(loc="outside upper center", ncols=3, frameon=False, columnspacing=1, handletextpad=0.2)
        return drawn


def ranking_text(rows: Sequence[Judged]) -> str:
    """On how many photos the answer ranked first is clearly not the best, and the mean IoU of the one and the other."""
    known = [row for row in rows if row.true]
    if not known:
        return text("explain.sam_no_outline")
    means = {
        "first": np.mean([row.true[0] for row in known]),
        "best": np.mean([max(row.true) for row in known]),
        "predicted": np.mean([row.predicted[0] for row in known]),
    }
    told = {name: number(float(value), 2) for name, value in means.items()}
    worse = sum(max(row.true) - row.true[0] > _WORSE for row in known)
    return text("explain.sam_ranking", worse=worse, photos=len(known), by=number(_WORSE, 2), **told)


def display_ranking(rows: Sequence[Judged]) -> None:
    """Shows `ranking_figure` in the notebook, where any photo has an outline."""
    if any(row.true for row in rows):
        display_svg(ranking_figure(rows))
