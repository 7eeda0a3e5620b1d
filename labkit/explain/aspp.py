"""Atrous spatial pyramid pooling on one photo: what each of its branches says alone, and what is missing without it.

Chen et al., 2017, arXiv:1706.05587, section 3.3: a 1x1 convolution, 3x3 convolutions with three rates and the mean of
the whole map look at the same features side by side. Ours is segmentation_models_pytorch's, the official networks'
is torchvision's; the branches are found by their types.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from segmentation_models_pytorch.decoders.deeplabv3 import decoder as smp_deeplab
from torch import nn
from torch.nn import functional as F
from torchvision.models.segmentation import deeplabv3 as torchvision_deeplab

from labkit.evaluation.metrics import iou
from labkit.explain.hooks import changed, recorded
from labkit.explain.photos import photo_part
from labkit.figures import AGREED, EXTRA, LOST, display_svg, painted, panels, plain_table, small
from labkit.io.errors import LabkitError
from labkit.locale import number, text
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = [
    "Branch",
    "Branches",
    "aspp_figure",
    "aspp_table",
    "branches",
    "branches_of",
    "display_aspp",
    "find_aspp",
    "shares",
]

_ASPP = (smp_deeplab.ASPP, torchvision_deeplab.ASPP)
_WIDTH, _DETAIL = 1.6, 1.2


@dataclass(frozen=True, eq=False)
class Branch:
    """One of the parts that look at the same features: `kind` is pointwise, atrous or pooling, `rate` 0 but for atrous.

    `kernel` is its spatial convolution.
    """

    kind: str
    rate: int
    module: nn.Module
    kernel: nn.Conv2d


@dataclass(frozen=True, eq=False)
class Branches:
    """One photo's branches: the `full` answer, and for each branch, in their order, its kind and rate (`named`).

    `maps` are what each adds to the sum over the branches that is ASPP's 1x1 convolution, in each cell of the feature
    map the Euclidean norm over the channels (`RxK` float32); `part` is the photo's share of their height and width.
    `alone` are the answers when all other branches say nothing (zeros), `without` those when this one does; `none` is
    the answer without all of them.
    """

    full: Segmentation
    named: tuple[tuple[str, int], ...]
    maps: tuple[np.ndarray, ...]
    part: tuple[float, float]
    alone: tuple[Segmentation, ...]
    without: tuple[Segmentation, ...]
    none: Segmentation

    def mask(self, result: Segmentation) -> np.ndarray:
        """The class of the full answer's largest segment (any class where that has none) in an answer, `HxW` bool."""
        largest = self.full.largest
        return result.labels == largest.label_id if largest else result.labels > 0

    def agreement(self, result: Segmentation) -> float:
        """IoU of an answer's mask with the full answer's; 1.0 where both are empty."""
        return iou(self.mask(result), self.mask(self.full))


def find_aspp(network: nn.Module) -> nn.Module:
    """The network's ASPP; LabkitError where there is none."""
    for module in network.modules():
        if isinstance(module, _ASPP):
            return module
    raise LabkitError(text("explain.aspp_none", given=type(network).__name__))


def branches_of(aspp: nn.Module) -> list[Branch]:
    """The branches in the order in which their outputs are joined."""
    found = []
    for module in aspp.convs:
        kernel = next(part for part in module.modules() if isinstance(part, nn.Conv2d))
        if any(isinstance(part, nn.AdaptiveAvgPool2d) for part in module):
            found.append(Branch("pooling", 0, module, kernel))
        elif kernel.kernel_size == (1, 1):
            found.append(Branch("pointwise", 0, module, kernel))
        else:
            found.append(Branch("atrous", kernel.dilation[0], module, kernel))
    return found


def branches(model: Any, photo: Photo) -> Branches:
    """Segments a photo with all branches, with each alone, without each and without all.

    A branch that is switched off gives zeros, as if it found nothing: a branch ends with ReLU.
    """
    aspp = find_aspp(model.network)
    parts = branches_of(aspp)
    everything = range(len(parts))
    watched = {str(place): branch.module for place, branch in enumerate(parts)}
    with recorded({"logits": model.network, **watched}) as seen:
        full = model.segment(photo)
    outputs = [seen[name][-1] for name in watched]

    def answer(off: Iterable[int]) -> Segmentation:
        with ExitStack() as stack:
            for place in off:
                stack.enter_context(changed(parts[place].module, torch.zeros_like))
            return model.segment(photo)

    return Branches(
        full,
        tuple((branch.kind, branch.rate) for branch in parts),
        tuple(share[0].norm(dim=0).numpy() for share in shares(aspp, outputs)),
        photo_part(model, full, seen["logits"][-1].shape[2:]),
        tuple(answer(other for other in everything if other != place) for place in everything),
        tuple(answer([place]) for place in everything),
        answer(everything),
    )


def shares(aspp: nn.Module, outputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """What the output of each branch (`BxCxRxK`) adds to the 1x1 convolution over all of them, its bias apart.

    A convolution of joined channels is the sum of one convolution a branch, so nothing is left out.
    """
    weights = aspp.project[0].weight.detach().to("cpu", torch.float32).split([x.shape[1] for x in outputs], 1)
    return [F.conv2d(x, weight) for x, weight in zip(outputs, weights, strict=True)]


def aspp_table(found: Branches) -> str:
    """A row a branch in plain text: IoU with the full answer when it works alone, and when only it is missing."""
    rows = [[text(f"explain.aspp_{key}") for key in ("branch", "alone", "without")]]
    for named, alone, without in zip(found.named, found.alone, found.without, strict=True):
        scores = (number(found.agreement(result), 2) for result in (alone, without))
        rows.append([_name(named), *scores])
    nothing = number(found.agreement(found.none), 2)
    head = text("explain.aspp_photo", name=found.full.photo.name, label=_label(found))
    return f"{head}\n{plain_table(rows)}\n{text('explain.aspp_silent', score=nothing)}"


def aspp_figure(found: Branches) -> Figure:
    """Above the masks, of all branches and of each alone; below the photo and what each adds, all in one scale."""
    images = [_compared(found, found.full)]
    titles = [f"{text('explain.aspp_all')}\n"]
    for named, result in zip(found.named, found.alone, strict=True):
        images.append(_compared(found, result))
        score = number(found.agreement(result), 2)
        titles.append(f"{_name(named)}\nIoU {score}")
    images.append(small(found.full.photo.pixels, _DETAIL))
    titles.append(f"{text('figures.photo')}\n")
    most = max(_shown(values, found).max() for values in found.maps)
    for named, values in zip(found.named, found.maps, strict=True):
        images.append(_heat(found, values, most))
        high = number(_shown(values, found).max(), 1)
        titles.append(text("explain.aspp_adds", name=_name(named), high=high))
    keys = ((AGREED, "agreed"), (LOST, "lost"), (EXTRA, "extra"))
    label = _label(found)
    legend = [(color, text(f"explain.aspp_{key}", label=label)) for color, key in keys]
    drawn = panels(images, titles, len(found.named) + 1, _WIDTH, legend)
    drawn.set_label(f"{found.full.photo.name}: {'; '.join(titles)}".replace("\n", ", "))
    return drawn


def display_aspp(found: Branches) -> None:
    """Shows `aspp_figure` in the notebook."""
    display_svg(aspp_figure(found))


def _name(named: tuple[str, int]) -> str:
    kind, rate = named
    return text("explain.aspp_pooling") if kind == "pooling" else f"rate {rate}" if rate else "1×1"


def _label(found: Branches) -> str:
    largest = found.full.largest
    if largest is None:
        return text("explain.aspp_anything")
    return found.full.classes.label(largest.label_id)


def _compared(found: Branches, result: Segmentation) -> Image.Image:
    mask, full = found.mask(result), found.mask(found.full)
    layers = [(mask & full, AGREED), (full & ~mask, LOST), (mask & ~full, EXTRA)]
    return painted(found.full.photo.pixels, layers, _DETAIL)


def _shown(values: np.ndarray, found: Branches) -> np.ndarray:
    """A map without what lies over the padding."""
    height, width = (max(1, round(side * part)) for side, part in zip(values.shape, found.part, strict=True))
    return values[:height, :width]


def _heat(found: Branches, values: np.ndarray, most: float) -> Image.Image:
    """A map in colours from 0 to `most`, cell by cell, in the size of the photo's panel."""
    colors = matplotlib.colormaps["viridis"](_shown(values, found) / (most or 1), bytes=True)[..., :3]
    size = small(found.full.photo.pixels, _DETAIL).size
    return Image.fromarray(np.ascontiguousarray(colors)).resize(size, Image.Resampling.NEAREST)
