"""The masks before and after the fully connected CRF, its parameters as sliders, and both measured by references."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.figure import Figure

from labkit.evaluation.annotations import find_ground_truth
from labkit.explain.boundary import boundary_iou
from labkit.explain.crf import CRF_SETTINGS, Refined, answers, refine
from labkit.figures import AGREED, EXTRA, LOST, inline_svg, overlay_image, painted, panels, plain_table, small
from labkit.locale import keep_language, number, text
from labkit.photos import Photo
from labkit.segmentation import Segmentation
from labkit.viewer.widget import display_with_page

__all__ = ["boundary_scores", "crf_figure", "crf_sliders", "crf_table", "display_crf_table", "explore_crf"]

_WIDTH, _DETAIL = 2.7, 1.9


def explore_crf(model: Any, photo: Photo, reference: Segmentation | None = None) -> None:
    """Displays a photo's masks before and after the CRF under sliders for its parameters (`CRF_SETTINGS`).

    With a reference (else the photo's own, where it has one) boundary IoU stands above each mask. A page without a
    kernel keeps the first figure.
    """
    box = crf_sliders(model, photo, reference)
    display_with_page(box, box.children[-1].value, photo.name)


def crf_sliders(model: Any, photo: Photo, reference: Segmentation | None = None) -> ipywidgets.VBox:
    """The sliders and below them `crf_figure`, which follows them; the network runs once."""
    found = answers(model, photo)
    sliders = {
        name: (ipywidgets.IntSlider if isinstance(setting.value, int) else ipywidgets.FloatSlider)(
            value=setting.value,
            min=setting.low,
            max=setting.high,
            step=1 if isinstance(setting.value, int) else 0.5,
            description=text(f"explain.crf_{name}"),
            continuous_update=False,
            style={"description_width": "20rem"},
            layout=ipywidgets.Layout(width="42rem", max_width="100%"),
        )
        for name, setting in CRF_SETTINGS.items()
    }
    shown = ipywidgets.HTML()

    def draw(_change: Any = None) -> None:
        refined = refine(found, **{name: slider.value for name, slider in sliders.items()})
        shown.value = inline_svg(crf_figure(refined, reference))

    for slider in sliders.values():
        slider.observe(keep_language(draw), names="value")
    draw()
    return ipywidgets.VBox([*sliders.values(), shown])


def crf_figure(refined: Sequence[Refined], reference: Segmentation | None = None) -> Figure:
    """A row a working side: the answer before, after the CRF, and which pixels of its objects it changed."""
    photo = refined[0].before.photo
    reference = reference if reference is not None else find_ground_truth(photo)
    images, titles = [], []
    for one in refined:
        numbers = boundary_scores(one, reference)
        for n, (key, result) in enumerate((("before", one.before), ("after", one.after))):
            images.append(small(overlay_image(result, 0.5), _DETAIL))
            score = text("explain.crf_score", score=number(numbers[n], 2)) if numbers else ""
            titles.append(f"{text(f'explain.crf_{key}', side=one.working_side)}\n{score}".rstrip())
        was, now = one.before.labels, one.after.labels
        kept, lost, gained = (was == now) & (now > 0), (was > 0) & (now == 0), (was != now) & (now > 0)
        images.append(painted(photo.pixels, [(kept, AGREED), (lost, LOST), (gained, EXTRA)], _DETAIL))
        titles.append(text("explain.crf_share", share=number(100 * one.share, 1)))
    keys = ((AGREED, "kept"), (LOST, "lost"), (EXTRA, "gained"))
    drawn = panels(images, titles, 3, _WIDTH, [(color, text(f"explain.crf_{key}")) for color, key in keys])
    drawn.set_label(f"{photo.name}: {'; '.join(titles)}".replace("\n", ", "))
    return drawn


def boundary_scores(one: Refined, reference: Segmentation | None) -> tuple[float, float] | None:
    """Boundary IoU with the reference before and after, for its largest segment's class; None without a reference."""
    label = _largest(reference)
    if label is None:
        return None
    known, truth = reference.confidence > 0, reference.mask_of(label)
    return tuple(boundary_iou(result.mask_of(label) & known, truth) for result in (one.before, one.after))


def display_crf_table(model: Any, photos: Sequence[Photo], outlines: str | Path | None = None) -> None:
    """Prints `crf_table` of all photos that have a reference: next to them, or in the folder `outlines`."""
    rows = []
    for photo in photos:
        reference = find_ground_truth(photo) or find_ground_truth(photo, outlines)
        if _largest(reference) is not None:
            rows.append((refine(answers(model, photo)), reference))
    print(crf_table(rows) if rows else text("explain.crf_no_reference"))


def crf_table(rows: Sequence[tuple[Sequence[Refined], Segmentation]]) -> str:
    """Boundary IoU of each photo before and after at each working side, and their means, in plain text."""
    sides = [one.working_side for one in rows[0][0]]
    head = [text(f"explain.crf_{key}", side=side) for side in sides for key in ("before", "after")]
    table = [["", *head]]
    numbers = np.array([[x for one in refined for x in boundary_scores(one, reference)] for refined, reference in rows])
    for (refined, reference), row in zip(rows, numbers, strict=True):
        photo = refined[0].before.photo.name
        name = f"{photo}, {_name(reference, _largest(reference))}"
        table.append([name, *(number(x, 2) for x in row)])
    table.append([text("explain.crf_mean"), *(number(x, 2) for x in numbers.mean(0))])
    return f"{text('explain.crf_boundary')}\n{plain_table(table)}"


def _largest(result: Segmentation | None) -> str | None:
    """The class of the largest segment, None where there is none."""
    largest = result.largest if result else None
    return largest.label if largest else None


def _name(result: Segmentation, label: str) -> str:
    return result.classes.label(result.classes.id(label))
