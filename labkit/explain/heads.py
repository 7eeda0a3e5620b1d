"""The heads of Mask R-CNN on one photo: a class and a better box for each proposal, and a mask for each class."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torchvision.ops import box_iou, clip_boxes_to_image

from labkit.evaluation.metrics import iou
from labkit.explain.detection import COLORS, Stages, draw_box, show_cells, show_photo
from labkit.figures import PANEL, STYLE, display_svg, rgb, small
from labkit.locale import number, text
from labkit.models.instance import paste

__all__ = [
    "ClassMasks",
    "Judged",
    "class_masks",
    "display_class_masks",
    "display_judged",
    "judged",
    "judged_figure",
    "masks_figure",
    "source_of",
]

_MOST = 3
_BARS = 3
_TINT = "#0072b2"


@dataclass(frozen=True, eq=False)
class Judged:
    """What the heads say of one proposal; boxes are `x0, y0, x1, y1` in pixels of the network's input.

    `probabilities` (`C` float, class 0 the background) are the softmax of the class head. `after` is the box that the
    box head makes of `before` for the class `label_id` (None for the background), `moved` the IoU of the two.
    """

    before: torch.Tensor
    after: torch.Tensor | None
    label_id: int
    probabilities: torch.Tensor

    @property
    def moved(self) -> float | None:
        return None if self.after is None else float(box_iou(self.before[None], self.after[None]))


@dataclass(frozen=True, eq=False)
class ClassMasks:
    """The masks that the mask head made for the box of one object that was found, one a class.

    `number`: its place in `Stages.boxes`; `label_ids`: the class that the class head chose, then its next two;
    `probabilities`: what the class head gave them; `masks`: `3x28x28` float in [0, 1]; `total`: the largest sum, over
    the classes, of one cell's mask probabilities.
    """

    number: int
    label_ids: list[int]
    probabilities: list[float]
    masks: np.ndarray
    total: float


def source_of(stages: Stages) -> list[int]:
    """The place, among the proposals, of the one that became each object that was found."""
    refined = _refined(stages)
    places = []
    for box, segment in zip(stages.boxes, stages.result.segments, strict=True):
        places.append(int((refined[:, segment.label_id] - box).abs().sum(1).argmin()))
    return places


def judged(stages: Stages) -> list[Judged]:
    """The proposals of the best objects found (at most three), and the first one that the class head rejects.

    Where nothing was found, the first three and that one. The box head has four numbers a class: a shift of the centre
    and a scale of the sides (Ren et al., 2015, arXiv:1506.01497, section 3.1.2, equation 2).
    """
    probabilities, refined = stages.class_logits.softmax(1), _refined(stages)
    classes = probabilities.argmax(1).tolist()
    found = zip(source_of(stages), (segment.label_id for segment in stages.result.segments), strict=True)
    chosen = list(found)[:_MOST] or list(enumerate(classes[:_MOST]))
    taken = {n for n, _ in chosen}
    rejected = [(n, 0) for n, label_id in enumerate(classes) if label_id == 0 and n not in taken][:1]
    return [
        Judged(stages.proposals[n], refined[n, label_id] if label_id else None, label_id, probabilities[n])
        for n, label_id in chosen + rejected
    ]


def judged_figure(stages: Stages) -> Figure:
    """The boxes before (dashed) and after the box head, and the likeliest classes of each."""
    rows = judged(stages)
    width = 0.9 * PANEL
    with matplotlib.rc_context(STYLE):
        ratio = min(stages.size[0] / stages.size[1], 1.6)
        drawn = Figure(figsize=(2 * PANEL, max(width * ratio, 0.85 * len(rows)) + 0.4), layout="constrained")
        grid = drawn.add_gridspec(max(len(rows), 1), 2, width_ratios=(1, 1))
        photo = drawn.add_subplot(grid[:, 0])
        show_photo(photo, stages, width)
        photo.set_title(text("explain.heads_boxes"), fontsize=9)
        told = []
        for n, row in enumerate(rows):
            color = COLORS[n % len(COLORS)]
            draw_box(photo, row.before.tolist(), color, str(n + 1) if row.after is None else "", dashed=True)
            if row.after is not None:
                draw_box(photo, row.after.tolist(), color, str(n + 1))
            title = _told(row, n + 1)
            told.append(title)
            _bars(drawn.add_subplot(grid[n, 1]), stages, row, color, title)
        drawn.set_label(f"{stages.photo.name}: {'; '.join(told)}")
        return drawn


def display_judged(stages: Stages) -> None:
    """Shows `judged_figure` in the notebook."""
    display_svg(judged_figure(stages))


def class_masks(stages: Stages, number: int = 0) -> ClassMasks | None:
    """The masks of one object found, by its place in `Stages.boxes`; None where nothing was found.

    The mask head has a sigmoid a class, so the classes do not compete for a cell: the class head alone decides which
    mask is taken (He et al., 2017, arXiv:1703.06870, section 3).
    """
    if not stages.result.segments:
        return None
    chosen = stages.result.segments[number].label_id
    probabilities = stages.class_logits[source_of(stages)[number]].softmax(0)
    known = stages.result.classes.ids
    others = [n for n in probabilities.argsort(descending=True).tolist() if n not in (0, chosen) and n in known]
    label_ids = [chosen, *others[:2]]
    masks = stages.mask_logits[number].sigmoid()
    total = float(masks[1:].sum(0).max())
    return ClassMasks(number, label_ids, probabilities[label_ids].tolist(), masks[label_ids].numpy(), total)


def masks_figure(stages: Stages) -> Figure:
    """The best object: its mask pasted into the photo, and the 28x28 masks of its class and of two others."""
    found = class_masks(stages)
    width = 0.6 * PANEL
    with matplotlib.rc_context(STYLE):
        drawn = Figure(figsize=(4 * width, width + 0.65), layout="constrained")
        axes = drawn.subplots(1, 4)
        for ax in axes:
            ax.set_axis_off()
            ax.set_anchor("N")
        if found is None:
            show_photo(axes[0], stages, width)
            axes[1].set_title(text("figures.nothing"), fontsize=9)
            drawn.set_label(f"{stages.photo.name}: {text('figures.nothing')}")
            return drawn
        axes[0].imshow(_pasted(stages, found, width), interpolation="nearest")
        axes[0].set_title(text("explain.heads_pasted"), fontsize=9)
        told = []
        for n, (ax, mask) in enumerate(zip(axes[1:], found.masks, strict=True)):
            show_cells(ax, mask, (0, 1, 1, 0))
            ax.set_box_aspect(1)
            name = _name(stages, found.label_ids[n])
            score = number(found.probabilities[n], 3)
            if n == 0:
                below = text("explain.heads_chosen")
            else:
                overlap = iou(mask >= 0.5, found.masks[0] >= 0.5)
                below = text("explain.heads_other", overlap=number(overlap, 2))
            told.append(text("explain.heads_class", name=name, score=score))
            ax.set_title(f"{told[-1]}\n{below}", fontsize=9)
        drawn.set_label(f"{stages.photo.name}: {'; '.join(told)}".replace("\n", ", "))
        return drawn


def display_class_masks(stages: Stages) -> None:
    """Shows `masks_figure`, and prints how far the masks of all classes add up in one cell."""
    display_svg(masks_figure(stages))
    if (found := class_masks(stages)) is not None:
        classes = stages.mask_logits.shape[1] - 1
        print(text("explain.heads_total", classes=classes, total=number(found.total, 1)))


def _refined(stages: Stages) -> torch.Tensor:
    """Each proposal's box for each class after the box head, within the photo: `MxCx4`."""
    boxes = stages.network.roi_heads.box_coder.decode(stages.box_shifts, [stages.proposals])
    return clip_boxes_to_image(boxes, stages.size)


def _name(stages: Stages, label_id: int) -> str:
    return stages.result.classes.label(label_id)


def _told(row: Judged, place: int) -> str:
    if row.moved is None:
        return text("explain.heads_rejected", number=place)
    return text("explain.heads_moved", number=place, moved=number(row.moved, 2))


def _bars(ax: Axes, stages: Stages, row: Judged, color: str, title: str) -> None:
    """The likeliest classes as bars with their probabilities."""
    best = row.probabilities.topk(min(_BARS, len(row.probabilities)))
    places = np.arange(len(best.values))
    ax.barh(places, best.values.numpy(), color=color, edgecolor="#444444", linewidth=0.5)
    for place, value in zip(places, best.values.tolist(), strict=True):
        ax.text(value + 0.02, place, number(value, 2), va="center", fontsize=8)
    ax.set_yticks(places, [_name(stages, n) for n in best.indices.tolist()], fontsize=8)
    ax.set(xlim=(0, 1.15), ylim=(len(places) - 0.4, -0.6))
    ax.set_title(title, fontsize=9, loc="left")
    ax.tick_params(length=0, labelbottom=False)
    ax.spines[:].set_visible(False)


def _pasted(stages: Stages, found: ClassMasks, width: float) -> Image.Image:
    """The photo around the box, tinted where the pasted mask is at least 0.5."""
    pixels = stages.photo.pixels
    height, across = pixels.shape[:2]
    scale = torch.tensor([across / stages.size[1], height / stages.size[0]] * 2)
    box = (stages.boxes[found.number] * scale).tolist()
    rows, columns, pasted = paste(torch.from_numpy(found.masks[0]), box, (height, across))
    part = pixels[rows, columns].copy()
    inside = pasted >= 0.5
    part[inside] = (part[inside] * 0.4 + np.array(rgb(_TINT)) * 0.6).astype(np.uint8)
    return small(part, width)
