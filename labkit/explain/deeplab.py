"""DeepLab's lecture on one photo: what atrous convolution sees, what ASPP's branches say, what the CRF does to a mask.

Chen et al., 2017, arXiv:1606.00915, section 3.1: a kernel of k weights a side whose rate is r spans k + (k - 1)(r - 1)
cells, with as many weights as before. Chen et al., 2017, arXiv:1706.05587, section 3.3 (ASPP): a 1x1 convolution, 3x3
convolutions with three rates and the mean of the whole map look at the same features side by side. Ours is
segmentation_models_pytorch's, the official networks' is torchvision's; the branches are found by their types. The CRF
itself: `labkit.explain.crf`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Patch, Rectangle
from PIL import Image
from segmentation_models_pytorch.decoders.deeplabv3 import decoder as smp_deeplab
from torch import nn
from torch.nn import functional as F
from torchvision.models.segmentation import deeplabv3 as torchvision_deeplab

from labkit.evaluation.annotations import find_ground_truth
from labkit.explain.crf import CRF_SETTINGS, answers, refine
from labkit.explain.drawing import Sliders, cells, changes, compared, three_colors
from labkit.explain.hooks import Trial, boundary_iou, find_part, on_photo, photo_part, recorded, trial_without
from labkit.figures import AGREED, LOST, STYLE, Drawing, overlay_image, panels, plain_table, small
from labkit.locale import number, text
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = ["AtrousMap", "Branch", "Branches", "Field", "aspp_figure", "aspp_table", "atrous_figure", "atrous_table"]
__all__ += ["branches", "crf_sliders", "crf_table", "fields"]

_ASPP_WIDTH, _ASPP_DETAIL, _ATROUS_WIDTH, _CRF_WIDTH, _CRF_DETAIL = 1.6, 1.2, 2.25, 2.7, 1.9
_LINE, _DARK = "#bbbbbb", "#222222"


class Branch(NamedTuple):
    """One of the parts that look at the same features: `kind` is pointwise, atrous or pooling, `rate` 0 but for atrous.

    `kernel` is its spatial convolution.
    """

    kind: str
    rate: int
    module: nn.Module
    kernel: nn.Conv2d

    @property
    def name(self) -> str:
        if self.kind == "pooling":
            return text("explain.aspp_pooling")
        return f"rate {self.rate}" if self.rate else "1×1"


@dataclass(frozen=True, eq=False)
class Field:
    """What one output of a convolution sees of its input at one rate.

    `cells` is `SxS` bool, S odd, the output in its middle: where the gradient is not zero on an input without an edge;
    `weights` is how many weights the layer has, `inside` how many of the cells lie on the photo's own feature map.
    """

    rate: int
    cells: np.ndarray
    weights: int
    inside: int

    @property
    def span(self) -> int:
        """The side of the square that the cells span."""
        rows = np.flatnonzero(self.cells.any(1))
        return int(rows[-1] - rows[0] + 1)


@dataclass(frozen=True, eq=False)
class AtrousMap:
    """The rates on one photo: `size` are the rows and columns of its feature map, `stride` the pixels that a cell is of
    the network's input, `part` the photo's share of both sides (the rest is padding).
    """

    photo: Photo
    size: tuple[int, int]
    stride: int
    part: tuple[float, float]
    fields: tuple[Field, ...]


@dataclass(frozen=True, eq=False)
class Branches:
    """One photo's branches (`parts`): the `full` answer, and for each branch, in their order, what follows.

    `added` is what each adds (`CxRxK` float32) to the sum over the branches that is ASPP's 1x1 convolution, its bias
    apart: a convolution of joined channels is the sum of one convolution a branch. `maps` are the Euclidean norms over
    its channels where the photo lies. `alone` are the answers when all other branches say nothing (zeros, as if they
    found nothing: a branch ends with ReLU), `without` those when this one does; `none` is the one without all of them.
    """

    full: Segmentation
    parts: list[Branch]
    added: list[torch.Tensor]
    maps: list[np.ndarray]
    alone: list[Trial]
    without: list[Trial]
    none: Trial


def find_aspp(network: nn.Module) -> nn.Module:
    """The network's ASPP; LabkitError where there is none."""
    return find_part(network, (smp_deeplab.ASPP, torchvision_deeplab.ASPP), "explain.aspp_none")


def branches_of(aspp: nn.Module) -> list[Branch]:
    """The branches in the order in which their outputs are joined."""
    found = []
    for module in aspp.convs:
        kernel = next(part for part in module.modules() if isinstance(part, nn.Conv2d))
        pooled = any(isinstance(part, nn.AdaptiveAvgPool2d) for part in module)
        kind = "pooling" if pooled else "pointwise" if kernel.kernel_size == (1, 1) else "atrous"
        found.append(Branch(kind, kernel.dilation[0] if kind == "atrous" else 0, module, kernel))
    return found


def field(convolution: nn.Conv2d, rate: int, size: tuple[int, int]) -> np.ndarray:
    """Where the middle output of a convolution, given this rate, depends on an input of `size`: `HxW` bool.

    Measured with the layer's first filter: the cells where the gradient is not zero. Beyond the edges are zeros.
    """
    weight = convolution.weight[:1].detach().cpu().float()
    with torch.inference_mode(False), torch.enable_grad():
        x = torch.ones(1, weight.shape[1], *size, requires_grad=True)
        padding = [rate * (side - 1) // 2 for side in weight.shape[2:]]
        y = F.conv2d(x, weight.clone(), padding=padding, dilation=rate)
        y[0, 0, size[0] // 2, size[1] // 2].backward()
    return (x.grad[0] != 0).any(0).numpy()


def fields(model: Any, photo: Photo) -> AtrousMap:
    """Rate 1 and the rates of the model's ASPP, each with the weights of its own branch (rate 1: of the first).

    LabkitError where the network has no ASPP.
    """
    aspp = find_aspp(model.network)
    spread = {branch.rate: branch.kernel for branch in branches_of(aspp) if branch.rate}
    kernels = {1: next(iter(spread.values())), **spread}
    with recorded({"aspp": aspp, "logits": model.network}) as seen:
        result = model.segment(photo)
    size = tuple(seen["aspp"][-1].shape[2:])
    padded = seen["logits"][-1].shape[2:]  # as large as the input
    side = max(k + (k - 1) * (rate - 1) for rate, kernel in kernels.items() for k in kernel.kernel_size) + 2
    found = tuple(
        Field(rate, field(kernel, rate, (side, side)), kernel.weight.numel(), int(field(kernel, rate, size).sum()))
        for rate, kernel in kernels.items()
    )
    return AtrousMap(photo, size, round(padded[1] / size[1]), photo_part(model, result, padded), found)


def atrous_table(found: AtrousMap) -> str:
    """A row a rate in plain text: weights of kernel and layer, what it spans, how much of it is on the map."""
    keys = ("kernel", "layer", "span", "pixels", "inside")
    rows = [["rate", *(text(f"explain.atrous_{key}") for key in keys)]]
    for one in found.fields:
        reached, pixels = int(one.cells.sum()), one.span * found.stride
        inside = text("explain.atrous_of", inside=one.inside, all=reached)
        sides = [f"{side}×{side}" for side in (one.span, pixels)]
        rows.append([str(one.rate), str(reached), str(one.weights), *sides, inside])
    height, width = found.size
    size = text("explain.atrous_map", name=found.photo.name, width=width, height=height, stride=found.stride)
    return f"{size}\n{plain_table(rows)}"


@matplotlib.rc_context(STYLE)
def atrous_figure(found: AtrousMap) -> Drawing:
    """For each rate the cells of the photo's feature map, and which of them the output in the middle depends on."""
    titles = [
        text("explain.atrous_title", rate=one.rate, span=one.span, inside=one.inside, all=one.cells.sum())
        for one in found.fields
    ]
    drawn = Drawing(figsize=(_ATROUS_WIDTH * len(titles) + 0.2, _ATROUS_WIDTH + 0.85), layout="constrained")
    drawn.set_label(f"{found.photo.name}: {'; '.join(titles)}".replace("\n", ", "))
    for ax, one, title in zip(drawn.subplots(1, len(titles), squeeze=False)[0], found.fields, titles, strict=True):
        _draw_field(ax, found, one)
        ax.set_title(title, fontsize=9)
    keys = ((AGREED, "seen"), (LOST, "beyond"))
    handles = [Patch(facecolor=c, edgecolor=_DARK, label=text(f"explain.atrous_{key}")) for c, key in keys]
    drawn.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)
    return drawn


def _draw_field(ax: Axes, found: AtrousMap, one: Field) -> None:
    """The photo under the cells of its map, paper around it, and the cells of `one`, the output in the origin."""
    top, left = (-(length // 2) - 0.5 for length in found.size)
    height, width = found.size
    photo = small(found.photo.pixels, 0.3 * _ATROUS_WIDTH).convert("L")
    right, bottom = left + width * found.part[1], top + height * found.part[0]
    ax.imshow(photo, cmap="gray", vmin=-300, vmax=300, extent=(left, right, bottom, top), interpolation="none")
    ax.add_patch(Rectangle((left, top), width, height, facecolor="none", edgecolor=_DARK, linewidth=1))
    reach = max(one.cells.shape[0] // 2 + 0.5, height - height // 2, width - width // 2)
    lines = np.arange(-np.floor(reach) - 0.5, reach + 1)
    for rows in (True, False):  # one line there and back is one path, not one a row
        along, across = np.tile([-reach, reach, reach, -reach], len(lines))[: 2 * len(lines)], np.repeat(lines, 2)
        ax.plot(*((along, across) if rows else (across, along)), color=_LINE, linewidth=0.3, zorder=1.5)
    for row, column in np.argwhere(one.cells) - one.cells.shape[0] // 2:
        on_map = top < row < top + height and left < column < left + width
        square = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=AGREED if on_map else LOST, edgecolor=_DARK)
        ax.add_patch(square).set(linewidth=0.5, zorder=3)
    ax.set(xlim=(-reach, reach), ylim=(reach, -reach), aspect="equal")
    ax.set_axis_off()


def branches(model: Any, photo: Photo) -> Branches:
    """Segments a photo with all branches, with each alone, without each and without all."""
    aspp = find_aspp(model.network)
    parts = branches_of(aspp)
    places = {n: branch.module for n, branch in enumerate(parts)}
    with recorded({"logits": model.network, **places}) as seen:
        full = model.segment(photo)
    part, outputs = photo_part(model, full, seen["logits"][-1].shape[2:]), [seen[n][-1] for n in places]
    weights = aspp.project[0].weight.detach().to("cpu", torch.float32).split([x.shape[1] for x in outputs], 1)
    added = [F.conv2d(x, weight)[0] for x, weight in zip(outputs, weights, strict=True)]
    maps = [on_photo(x.norm(dim=0).numpy(), part) for x in added]
    alone = [trial_without(model, full, places, [other for other in places if other != n]) for n in places]
    without = [trial_without(model, full, places, [n]) for n in places]
    return Branches(full, parts, added, maps, alone, without, trial_without(model, full, places, tuple(places)))


def aspp_table(found: Branches) -> str:
    """A row a branch in plain text: IoU with the full answer when it works alone, and when only it is missing."""
    rows = [[text(f"explain.aspp_{key}") for key in ("branch", "alone", "without")]]
    for branch, *trials in zip(found.parts, found.alone, found.without, strict=True):
        rows.append([branch.name, *(number(one.iou, 2) for one in trials)])
    head = text("explain.aspp_photo", name=found.full.photo.name, label=found.none.label)
    return f"{head}\n{plain_table(rows)}\n{text('explain.aspp_silent', score=number(found.none.iou, 2))}"


def aspp_figure(found: Branches) -> Drawing:
    """Above the masks, of all branches and of each alone; below the photo and what each adds, all in one scale."""
    photo, full = found.full.photo, found.none.masks[1]
    images, titles = [compared(photo.pixels, full, full, _ASPP_DETAIL)], [f"{text('explain.aspp_all')}\n"]
    for branch, one in zip(found.parts, found.alone, strict=True):
        images.append(compared(photo.pixels, *one.masks, _ASPP_DETAIL))
        titles.append(f"{branch.name}\nIoU {number(one.iou, 2)}")
    images.append(small(photo.pixels, _ASPP_DETAIL))
    titles.append(f"{text('figures.photo')}\n")
    scale = ScalarMappable(Normalize(0, max(values.max() for values in found.maps) or 1), "viridis")
    for branch, values in zip(found.parts, found.maps, strict=True):
        images.append(cells(values, scale).resize(images[0].size, Image.Resampling.NEAREST))
        titles.append(text("explain.aspp_adds", name=branch.name, high=number(values.max(), 1)))
    legend = three_colors([text(f"explain.aspp_{key}", label=found.none.label) for key in ("agreed", "lost", "extra")])
    return panels(images, titles, len(found.parts) + 1, _ASPP_WIDTH, legend, photo.name)


def crf_sliders(model: Any, photo: Photo, reference: Segmentation | None = None) -> Sliders:
    """Sliders for the CRF's parameters (`CRF_SETTINGS`) and below them `crf_figure`; the network runs once.

    With a reference (else the photo's own, where it has one) boundary IoU stands above each mask.
    """
    found = answers(model, photo)
    return Sliders(
        lambda **settings: crf_figure(refine(found, **settings), reference),
        {name: (text(f"explain.crf_{name}"), one.value, one.low, one.high) for name, one in CRF_SETTINGS.items()},
        photo.name,
        words_width=20,
    )


def crf_figure(refined: Sequence[Trial], reference: Segmentation | None = None) -> Drawing:
    """A row a working side: the answer before, after the CRF, and which pixels of its objects it changed."""
    photo, images, titles = refined[0].full.photo, [], []
    reference = reference if reference is not None else find_ground_truth(photo)
    for one in refined:
        scores = boundary_scores(one, reference)
        for n, (key, result) in enumerate((("before", one.full), ("after", one.result))):
            images.append(small(overlay_image(result, 0.5), _CRF_DETAIL))
            score = text("explain.crf_score", score=number(scores[n], 2)) if scores else ""
            titles.append(f"{text(f'explain.crf_{key}', side=_side(one))}\n{score}".rstrip())
        was, now = one.full.labels, one.result.labels
        masks = (was == now) & (now > 0), (was > 0) & (now == 0), (was != now) & (now > 0)
        images.append(changes(photo.pixels, masks, _CRF_DETAIL))
        titles.append(text("explain.crf_share", share=number(100 * one.share, 1)))
    legend = three_colors([text(f"explain.crf_{key}") for key in ("kept", "lost", "gained")])
    return panels(images, titles, 3, _CRF_WIDTH, legend, photo.name)


def _side(one: Trial) -> int:
    return one.full.made_by["settings"]["working_side"]


def boundary_scores(one: Trial, reference: Segmentation | None) -> tuple[float, float] | None:
    """Boundary IoU with the reference before and after, for its largest segment's class; None without a reference."""
    if reference is None or reference.largest is None:
        return None
    label = reference.largest.label
    known, truth = reference.confidence > 0, reference.mask_of(label)
    return tuple(boundary_iou(result.mask_of(label) & known, truth) for result in (one.full, one.result))


def crf_table(model: Any, photos: Sequence[Photo], outlines: str | Path | None = None) -> str:
    """Boundary IoU before and after the CRF at each working side, in plain text, and the means over the photos.

    Of all photos that have a reference: next to them, or in the folder `outlines`; where none has, that is said.
    """
    head, rows, scores = [], [], []
    for photo in photos:
        reference = find_ground_truth(photo) or find_ground_truth(photo, outlines)
        if reference is not None and reference.largest:
            refined = refine(answers(model, photo))
            head = [text(f"explain.crf_{key}", side=_side(one)) for one in refined for key in ("before", "after")]
            scores.append([score for one in refined for score in boundary_scores(one, reference)])
            name = f"{photo.name}, {reference.classes.label(reference.largest.label_id)}"
            rows.append([name, *(number(x, 2) for x in scores[-1])])
    if not rows:
        return text("explain.crf_no_reference")
    rows.append([text("explain.crf_mean"), *(number(x, 2) for x in np.mean(scores, axis=0))])
    return f"{text('explain.crf_boundary')}\n{plain_table([['', *head], *rows])}"
