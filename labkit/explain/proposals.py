"""The region proposal network on one photo: from all anchors to the few boxes that the heads look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ipywidgets
import matplotlib
import torch
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import batched_nms, box_iou, clip_boxes_to_image, remove_small_boxes

from labkit.explain.detection import Stages, show_photo
from labkit.figures import PANEL, STYLE, inline_svg, plain_table
from labkit.locale import keep_language, number, text
from labkit.viewer.widget import display_with_page

__all__ = [
    "Proposals",
    "display_proposals",
    "overlapping",
    "proposals_figure",
    "proposals_of",
    "proposals_table",
    "proposals_widget",
]

_SHOWN = 30
_LINE = "#0072b2"


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
    passed = survived[: rpn.post_nms_top_n()]
    steps = (levels, levels[survived], levels[passed])
    counts = [(n, *(int((step == level).sum()) for step in steps)) for level, n in enumerate(of_level)]
    order = scores.argsort(descending=True, stable=True)
    return Proposals(boxes[order], scores[order], levels[order], stages.proposals, counts)


def overlapping(boxes: torch.Tensor, least: float) -> int:
    """How many pairs of boxes (`Nx4`) have an IoU above `least`."""
    return int((box_iou(boxes, boxes).triu(1) > least).sum())


def proposals_table(stages: Stages, proposals: Proposals) -> str:
    """A row a level of the pyramid and their sum, in plain text: how many boxes are left after each step."""
    keys = ("level", "anchors", "before", "after", "passed")
    head = [text(f"explain.proposals_{key}") for key in keys]
    rows = [
        [f"P{level.number}", *map(str, counts)] for level, counts in zip(stages.levels, proposals.counts, strict=True)
    ]
    total = [str(sum(column)) for column in zip(*proposals.counts, strict=True)]
    return plain_table([head, *rows, [text("explain.proposals_sum"), *total]])


def proposals_figure(stages: Stages, proposals: Proposals, count: int = _SHOWN) -> Figure:
    """The `count` best boxes before NMS and after it, beside each other, and how many pairs of them overlap."""
    width, least = 0.8 * PANEL, stages.network.rpn.nms_thresh
    with matplotlib.rc_context(STYLE):
        ratio = min(stages.size[0] / stages.size[1], 1.6)
        drawn = Figure(figsize=(2 * width, width * ratio + 0.5), layout="constrained")
        titles = []
        for ax, key, boxes in zip(
            drawn.subplots(1, 2), ("shown_before", "shown_after"), (proposals.before, proposals.after), strict=True
        ):
            shown = boxes[:count]
            show_photo(ax, stages, width)
            corners = shown.round(decimals=1)[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2).numpy()
            ax.add_collection(PolyCollection(corners, facecolor="none", edgecolor=_LINE, linewidth=1.1))
            title = text(f"explain.proposals_{key}", count=len(shown), all=len(boxes))
            pairs = overlapping(shown, least)
            pairs = text("explain.proposals_pairs", least=number(least, 1), count=pairs)
            titles.append(f"{title}\n{pairs}")
            ax.set_title(titles[-1], fontsize=9)
        drawn.set_label(f"{stages.photo.name}: {'; '.join(titles)}".replace("\n", ", "))
        return drawn


def display_proposals(stages: Stages) -> None:
    """Displays `proposals_widget` and prints `proposals_table`; a page without a kernel keeps the first figure."""
    proposals = proposals_of(stages)
    widget = proposals_widget(stages, proposals)
    shown = widget.children[1].value
    display_with_page(widget, shown, stages.photo.name)
    print(proposals_table(stages, proposals))


def proposals_widget(stages: Stages, proposals: Proposals) -> ipywidgets.VBox:
    """A slider for how many boxes are drawn, and `proposals_figure`, which follows it."""
    most = max(len(proposals.after), 1)
    slider = ipywidgets.IntSlider(
        value=min(_SHOWN, most),
        min=1,
        max=most,
        description=text("explain.proposals_slider"),
        continuous_update=False,
        style={"description_width": "14rem"},
        layout=ipywidgets.Layout(width="36rem", max_width="100%"),
    )
    shown = ipywidgets.HTML()

    def follow(_change: Any = None) -> None:
        shown.value = inline_svg(proposals_figure(stages, proposals, slider.value))

    follow()
    slider.observe(keep_language(follow), names="value")
    return ipywidgets.VBox([slider, shown])
