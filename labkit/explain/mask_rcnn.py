"""Mask R-CNN's lecture on one photo, part after part: the feature pyramid, the proposals, the heads.

The parts of torchvision's `MaskRCNN` are recorded with hooks while the model segments the photo, so ours and the
official networks are looked at alike. What instances can be counted for: `labkit.explain.counting`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from PIL import Image, ImageOps
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import batched_nms, box_iou, clip_boxes_to_image, remove_small_boxes

from labkit.evaluation.metrics import iou
from labkit.explain.drawing import Sliders, cells, cells_over
from labkit.explain.hooks import find_part, on_photo, recorded, window
from labkit.figures import PANEL, STYLE, Drawing, note, painted, panels, plain_table
from labkit.locale import number, text
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = ["ClassMasks", "Judged", "Level", "Proposals", "Stages", "judged_figure", "levels_table", "masks_figure"]
__all__ += ["masks_text", "proposals_of", "proposals_sliders", "proposals_table", "pyramid_figure", "stages_of"]

_COLORS = ("#56b4e9", "#e69f00", "#f0e442", "#cc79a7", "#009e73", "#d55e00")
"""The colours of boxes (Okabe and Ito, 2008); a number beside each box says the same."""

_DARK, _BLUE = "#222222", "#0072b2"
_WIDTH, _CELLS, _BLUR = 0.6 * PANEL, 112, 0.45
_SHOWN, _MOST, _BARS = 30, 3, 3


@dataclass(frozen=True, eq=False)
class Level:
    """A level of the pyramid: P`number` has the stride 2^`number`; `features` is `CxHxW` float32.

    `pooled`: the heads cut their features out of it; where not, it serves the region proposal network alone.
    """

    number: int
    features: torch.Tensor
    pooled: bool

    @property
    def stride(self) -> int:
        return 2**self.number


@dataclass(frozen=True, eq=False)
class Stages:
    """What flowed through Mask R-CNN for one photo; boxes are `x0, y0, x1, y1` in pixels of its input, on the CPU.

    `size` is the photo's `(height, width)` there, padding apart. The RPN: `anchors` (`Nx4`, of all levels), its head's
    `objectness` (logits, `1xAxHxW` a level) and `shifts` (`1x4AxHxW` a level), `proposals` (`Mx4`, best first). The
    heads, for each proposal: `class_logits` (`MxC`, class 0 the background) and `box_shifts` (`Mx4C`). What was found,
    a row a segment of `result`: `boxes` (`Kx4`) and `mask_logits` (`KxCx28x28`).
    """

    network: MaskRCNN
    result: Segmentation
    size: tuple[int, int]
    levels: list[Level]
    anchors: torch.Tensor
    objectness: list[torch.Tensor]
    shifts: list[torch.Tensor]
    proposals: torch.Tensor
    class_logits: torch.Tensor
    box_shifts: torch.Tensor
    boxes: torch.Tensor
    mask_logits: torch.Tensor

    @property
    def refined(self) -> torch.Tensor:
        """Each proposal's box for each class after the box head, within the photo: `MxCx4`."""
        boxes = self.network.roi_heads.box_coder.decode(self.box_shifts, [self.proposals])
        return clip_boxes_to_image(boxes, self.size)


def stages_of(model: Any, photo: Photo, **settings: Any) -> Stages:
    """Segments a photo (`settings` as in `model.segment`) and keeps what each part said.

    LabkitError for a model that is no Mask R-CNN.
    """
    network = find_part(model.network, MaskRCNN, "explain.detection_no_parts", given=model.variant.title)
    rpn, heads = network.rpn, network.roi_heads
    parts = {"pyramid": network.backbone, "anchors": rpn.anchor_generator, "rpn_head": rpn.head, "rpn": rpn}
    parts |= {"heads": heads, "box_head": heads.box_predictor, "mask_head": heads.mask_predictor}
    given: list[ImageList] = []
    hook = rpn.register_forward_pre_hook(lambda module, arguments: given.append(arguments[0]))
    with hook, recorded(parts) as seen:
        result = model.segment(photo, **settings)
    last = {name: outputs[-1] for name, outputs in seen.items()}
    found, pooled = last["heads"][0][0], heads.mask_roi_pool.featmap_names
    rows = list(zip(found["scores"].tolist(), found["labels"].tolist(), strict=True))
    kept = [rows.index((segment.score, segment.label_id)) for segment in result.segments]
    size, longest, levels = tuple(given[-1].image_sizes[0]), max(given[-1].tensors.shape[-2:]), []
    for name, features in last["pyramid"].items():
        levels.append(Level(round(math.log2(longest / max(features.shape[-2:]))), features[0], name in pooled))
    proposed = (last["anchors"][0], *last["rpn_head"], last["rpn"][0][0])
    return Stages(
        network, result, size, levels, *proposed, *last["box_head"], found["boxes"][kept], last["mask_head"][kept]
    )


def level_of(stages: Stages, boxes: torch.Tensor) -> torch.Tensor:
    """The number k of the level from which RoIAlign takes each box (`Kx4`): `K` int64.

    k = floor(k0 + log2(sqrt(wh) / 224)) with k0 = 4, and the nearest level where there is no such one (Lin et al.,
    2017, arXiv:1612.03144, equation 1). A box's class comes from its proposal, its mask from the box itself.
    """
    pool = stages.network.roi_heads.mask_roi_pool
    return pool.map_levels([boxes]) + pool.map_levels.k_min


def levels_table(stages: Stages) -> str:
    """A row an object that was found, in plain text: its number, name, box in pixels of the input and level."""
    keys = ("figures.found", "figures.confidence", "explain.detection_box", "explain.detection_side")
    rows = [["", *(text(key) for key in (*keys, "explain.detection_level"))]]
    levels = level_of(stages, stages.boxes).tolist()
    for segment, (x0, y0, x1, y1), level in zip(stages.result.segments, stages.boxes.tolist(), levels, strict=True):
        width, height = x1 - x0, y1 - y0
        box, side = f"{width:.0f}×{height:.0f}", f"{math.sqrt(width * height):.0f}"
        name = stages.result.classes.label(segment.label_id)
        rows.append([str(segment.id), name, number(segment.score, 2), box, side, f"P{level}"])
    return plain_table(rows) if len(rows) > 1 else text("figures.nothing")


def pyramid_figure(stages: Stages) -> Drawing:
    """The photo with the boxes found, and each level of the pyramid with the boxes taken from it.

    A level is shown as the mean of its features' absolute values over the channels, dark the least, light the largest.
    """
    photo, taken = painted(stages.result.photo.pixels, [], _BLUR * _WIDTH), level_of(stages, stages.boxes).tolist()
    images, titles = [photo], [text("explain.detection_found", count=len(taken)) + "\n"]
    for level in stages.levels:
        channels, *sides = level.features.shape
        part = tuple(side / level.stride / count for side, count in zip(stages.size, sides, strict=True))
        strength = level.features.abs().mean(0).numpy()
        shown = on_photo(strength, part)
        scale = ScalarMappable(Normalize(shown.min(), shown.max()), "cividis")
        images.append(cells_over(photo, strength, part, scale, opacity=1))
        title = text("explain.detection_stride", number=level.number, stride=level.stride)
        shape = "×".join(map(str, (*sides, channels)))
        titles.append(f"{title}\n{shape}{'' if level.pooled else text('explain.detection_rpn_only')}")
    drawn = panels(images, titles, 3, _WIDTH, name=stages.result.photo.name, size=stages.size)
    whole, *axes = drawn.axes
    places = {level.number: ax for level, ax in zip(stages.levels, axes, strict=False)}
    for n, (box, level) in enumerate(zip(stages.boxes.tolist(), taken, strict=True)):
        for ax in (whole, places[level]):
            _draw_box(ax, box, n, str(n + 1))
    return drawn


def _draw_box(ax: Axes, box: list[float], n: int, label: str = "", dashed: bool = False) -> None:
    """A box (`x0, y0, x1, y1`) in the `n`-th colour with a dark edge, and a label in its upper left corner."""
    x0, y0, x1, y1 = (round(side, 1) for side in box)  # the last bits differ from machine to machine
    edged, color = [withStroke(linewidth=3.2, foreground=_DARK)], _COLORS[n % len(_COLORS)]
    style = {"facecolor": "none", "edgecolor": color, "linewidth": 1.8, "linestyle": "--" if dashed else "-"}
    ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, path_effects=edged, **style))
    if label:
        paper = {"boxstyle": "square,pad=0.15", "facecolor": color, "edgecolor": _DARK, "linewidth": 0.5}
        style = {"textcoords": "offset points", "va": "top", "fontsize": 8, "color": _DARK, "bbox": paper}
        ax.annotate(label, (x0, y0), (2, -2), **style)


@dataclass(frozen=True, eq=False)
class Proposals:
    """The RPN's boxes (`x0, y0, x1, y1`, pixels of the network's input), best first.

    `before` (`Nx4`) are the anchors with the best `scores` (`N`, in [0, 1]), shifted, from the levels `levels` (`N`,
    their place in `Stages.levels`); `after` (`Mx4`) is what went on to the heads. `counts` has a row a level: anchors,
    of them before NMS, after NMS, and among the boxes that went on.
    """

    before: torch.Tensor
    scores: torch.Tensor
    levels: torch.Tensor
    after: torch.Tensor
    counts: list[tuple[int, int, int, int]]


def proposals_of(stages: Stages) -> Proposals:
    """Goes the RPN's way from its head's answers once more, this time with all that it drops on the way.

    Every anchor is shifted as its head says (Ren et al., 2015, arXiv:1506.01497, section 3.1.2, equation 2); the best
    of each level go on, at most `pre_nms_top_n`; of two whose IoU is above `nms_thresh` the worse is dropped (section
    3.3), level by level (Lin et al., 2017, section 4.1); the best `post_nms_top_n` of what is left are the proposals.
    """
    rpn = stages.network.rpn
    of_level = [level.numel() for level in stages.objectness]
    logits, shifts = concat_box_prediction_layers(list(stages.objectness), list(stages.shifts))
    boxes = clip_boxes_to_image(rpn.box_coder.decode(shifts, [stages.anchors]).reshape(-1, 4), stages.size)
    best, levels = [], []
    for level, scores in enumerate(logits.flatten().split(of_level)):
        places = scores.topk(min(rpn.pre_nms_top_n(), len(scores))).indices + sum(of_level[:level])
        best.append(places)
        levels.append(torch.full_like(places, level))
    places, levels = torch.cat(best), torch.cat(levels)
    boxes, scores = boxes[places], logits.flatten()[places].sigmoid()
    valid = remove_small_boxes(boxes, rpn.min_size)
    valid = valid[scores[valid] >= rpn.score_thresh]
    boxes, scores, levels = boxes[valid], scores[valid], levels[valid]
    survived = batched_nms(boxes, scores, levels, rpn.nms_thresh)
    steps = (levels, levels[survived], levels[survived[: rpn.post_nms_top_n()]])
    counts = [(n, *(int((step == level).sum()) for step in steps)) for level, n in enumerate(of_level)]
    order = scores.argsort(descending=True, stable=True)
    return Proposals(boxes[order], scores[order], levels[order], stages.proposals, counts)


def overlapping(boxes: torch.Tensor, least: float) -> int:
    """How many pairs of boxes (`Nx4`) have an IoU above `least`."""
    return int((box_iou(boxes, boxes).triu(1) > least).sum())


def proposals_table(stages: Stages, proposals: Proposals) -> str:
    """A row a level of the pyramid and their sum, in plain text: how many boxes are left after each step."""
    head = [text(f"explain.proposals_{key}") for key in ("level", "anchors", "before", "after", "passed")]
    names = [*(f"P{level.number}" for level in stages.levels), text("explain.proposals_sum")]
    counts = [*proposals.counts, [sum(column) for column in zip(*proposals.counts, strict=True)]]
    return plain_table([head, *([name, *map(str, row)] for name, row in zip(names, counts, strict=True))])


def proposals_figure(stages: Stages, proposals: Proposals, count: int = _SHOWN) -> Drawing:
    """The `count` best boxes before NMS and after it, beside each other, and how many pairs of them overlap."""
    width, least, titles = 0.8 * PANEL, stages.network.rpn.nms_thresh, []
    for key, boxes in (("shown_before", proposals.before), ("shown_after", proposals.after)):
        title = text(f"explain.proposals_{key}", count=len(boxes[:count]), all=len(boxes))
        pairs = overlapping(boxes[:count], least)
        titles.append(f"{title}\n{text('explain.proposals_pairs', least=number(least, 1), count=pairs)}")
    photo = painted(stages.result.photo.pixels, [], _BLUR * width)
    drawn = panels([photo, photo], titles, 2, width, name=stages.result.photo.name, size=stages.size)
    for ax, boxes in zip(drawn.axes, (proposals.before, proposals.after), strict=True):
        corners = boxes[:count].round(decimals=1)[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2).numpy()
        ax.add_collection(PolyCollection(corners, facecolor="none", edgecolor=_BLUE, linewidth=1.1), autolim=False)
    return drawn


def proposals_sliders(stages: Stages, proposals: Proposals) -> Sliders:
    """A slider for how many boxes are drawn, and `proposals_figure`, which follows it."""
    most = max(len(proposals.after), 1)
    settings = {"count": (text("explain.proposals_slider"), min(_SHOWN, most), 1, most)}
    return Sliders(lambda count: proposals_figure(stages, proposals, count), settings, stages.result.photo.name)


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


def source_of(stages: Stages) -> list[int]:
    """The place, among the proposals, of the one that became each object that was found."""
    refined = stages.refined
    found = zip(stages.boxes, stages.result.segments, strict=True)
    return [int((refined[:, segment.label_id] - box).abs().sum(1).argmin()) for box, segment in found]


def judged(stages: Stages) -> list[Judged]:
    """The proposals of the best objects found (at most three), and the first one that the class head rejects.

    Where nothing was found, the first three and that one. The box head has four numbers a class: a shift of the centre
    and a scale of the sides (Ren et al., 2015, arXiv:1506.01497, section 3.1.2, equation 2).
    """
    probabilities, refined = stages.class_logits.softmax(1), stages.refined
    classes = probabilities.argmax(1).tolist()
    found = zip(source_of(stages), (segment.label_id for segment in stages.result.segments), strict=True)
    chosen = list(found)[:_MOST] or list(enumerate(classes[:_MOST]))
    taken = {n for n, _ in chosen}
    rejected = [(n, 0) for n, label_id in enumerate(classes) if label_id == 0 and n not in taken][:1]
    rows = [(n, label_id, refined[n, label_id] if label_id else None) for n, label_id in chosen + rejected]
    return [Judged(stages.proposals[n], after, label_id, probabilities[n]) for n, label_id, after in rows]


@matplotlib.rc_context(STYLE)
def judged_figure(stages: Stages) -> Drawing:
    """The boxes before (dashed) and after the box head, and the likeliest classes of each."""
    rows, width, told = judged(stages), 0.9 * PANEL, []
    (height, across), pixels = stages.size, stages.result.photo.pixels
    size = (2 * PANEL, max(width * min(height / across, 1.6), 0.85 * len(rows)) + 0.4)
    drawn = Drawing(figsize=size, layout="constrained")
    grid = drawn.add_gridspec(max(len(rows), 1), 2, width_ratios=(1, 1))
    photo = drawn.add_subplot(grid[:, 0])
    photo.imshow(painted(pixels, [], _BLUR * width), extent=(0, across, height, 0), interpolation="bilinear")
    photo.set_axis_off()
    photo.autoscale(False)
    photo.set_title(text("explain.heads_boxes"), fontsize=9)
    for n, row in enumerate(rows):
        name = str(n + 1)
        _draw_box(photo, row.before.tolist(), n, name if row.after is None else "", dashed=True)
        if row.after is None:
            told.append(text("explain.heads_rejected", number=name))
        else:
            _draw_box(photo, row.after.tolist(), n, name)
            told.append(text("explain.heads_moved", number=name, moved=number(row.moved, 2)))
        ax = drawn.add_subplot(grid[n, 1])
        ax.set_title(told[-1], fontsize=9, loc="left")
        best = row.probabilities.topk(min(_BARS, len(row.probabilities)))
        places = np.arange(len(best.values))
        ax.barh(places, best.values.numpy(), color=_COLORS[n % len(_COLORS)], edgecolor="#444444", linewidth=0.5)
        for place, value in zip(places, best.values.tolist(), strict=True):
            ax.text(value + 0.02, place, number(value, 2), va="center", fontsize=8)
        ax.set_yticks(places, [stages.result.classes.label(n) for n in best.indices.tolist()], fontsize=8)
        ax.set(xlim=(0, 1.15), ylim=(len(places) - 0.4, -0.6))
        ax.tick_params(length=0, labelbottom=False)
        ax.spines[:].set_visible(False)
    drawn.set_label(f"{stages.result.photo.name}: {'; '.join(told)}")
    return drawn


class ClassMasks(NamedTuple):
    """The masks that the mask head made for the box of one object that was found, one a class.

    `label_ids`: the class that the class head chose, then its next two; `probabilities`: what the class head gave them;
    `masks`: `3x28x28` float in [0, 1]; `total`: the largest sum, over the classes, of one cell's mask probabilities.
    """

    label_ids: list[int]
    probabilities: list[float]
    masks: np.ndarray
    total: float


def class_masks(stages: Stages) -> ClassMasks | None:
    """The masks of the best object found; None where nothing was.

    The mask head has a sigmoid a class, so the classes do not compete for a cell: the class head alone decides which
    mask is taken (He et al., 2017, arXiv:1703.06870, section 3).
    """
    if not stages.result.segments:
        return None
    chosen, known = stages.result.segments[0].label_id, stages.result.classes.ids
    scores, masks = stages.class_logits[source_of(stages)[0]].softmax(0), stages.mask_logits[0].sigmoid()
    others = [n for n in scores.argsort(descending=True).tolist() if n not in (0, chosen) and n in known]
    ids = [chosen, *others[:2]]
    return ClassMasks(ids, scores[ids].tolist(), masks[ids].numpy(), float(masks[1:].sum(0).max()))


def masks_figure(stages: Stages) -> Drawing:
    """The best object: its mask on the photo, and the 28x28 masks of its class and of two others, dark 0 to light 1."""
    if (found := class_masks(stages)) is None:
        return note(text("figures.nothing"))
    mask = stages.result.segments[0].mask
    part, scale = window(mask), ScalarMappable(Normalize(0, 1), "cividis")
    pasted = painted(stages.result.photo.pixels[part], [(mask[part], _BLUE)], _WIDTH)
    images, titles = [ImageOps.pad(pasted, [max(pasted.size)] * 2, color="white")], [text("explain.heads_pasted")]
    for mask, label_id, score in zip(found.masks, found.label_ids, found.probabilities, strict=True):
        large = cells(mask, scale).resize([_CELLS] * 2, Image.Resampling.NEAREST)  # which JPEG does not blur
        overlap = number(iou(mask >= 0.5, found.masks[0] >= 0.5), 2)
        below = text("explain.heads_other", overlap=overlap) if images[1:] else text("explain.heads_chosen")
        name = stages.result.classes.label(label_id)
        images.append(large)
        titles.append(f"{text('explain.heads_class', name=name, score=number(score, 3))}\n{below}")
    return panels(images, titles, 4, _WIDTH, name=stages.result.photo.name)


def masks_text(stages: Stages) -> str:
    """How far the masks of all classes add up in one cell of the best object."""
    if (found := class_masks(stages)) is None:
        return text("figures.nothing")
    return text("explain.heads_total", classes=stages.mask_logits.shape[1] - 1, total=number(found.total, 1))
