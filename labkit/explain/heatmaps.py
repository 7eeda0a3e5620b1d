"""A classifier turned fully convolutional: not one answer a photo but a map of each class, for any size of input.

Long et al., 2015, arXiv:1411.4038, section 3.1 and figure 2: a fully connected layer over the features is a 1x1
convolution that scores every place of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image
from torch import nn
from torchvision.models import segmentation

from labkit.classes import LabelSet
from labkit.explain.hooks import recorded
from labkit.figures import STYLE, display_svg, small
from labkit.io.errors import LabkitError
from labkit.locale import number, text
from labkit.models.fcn import FCNDecoder
from labkit.models.semantic import network_input
from labkit.photos import Photo

__all__ = ["Heatmaps", "display_heatmaps", "display_sizes", "heat_figure", "heatmaps", "score_layer"]
__all__ += ["size_figure", "three_sizes"]

_STRONGEST = 3
_PANEL = 2.1
_OPACITY = 0.65


@dataclass(frozen=True, eq=False)
class Heatmaps:
    """The scores of every class at every place of a photo: `CxRxK` float32, as the network's 1x1 convolution gave them.

    `size` is the photo's at the input (height, width), `padded` the input's with the grey below and to the right: a
    cell of the map stands for `padded` / (R, K) pixels.
    """

    photo: Photo
    scores: np.ndarray
    size: tuple[int, int]
    padded: tuple[int, int]
    classes: LabelSet

    @property
    def probabilities(self) -> np.ndarray:
        """Softmax over the classes in each cell: `CxRxK` float32 in [0, 1]."""
        return torch.from_numpy(self.scores).softmax(0).numpy()

    def strongest(self, count: int = 1) -> list[int]:
        """The label ids, without the background, whose probability is highest somewhere; the highest first."""
        peaks = self.probabilities.max((1, 2))
        peaks[0] = -1
        return np.argsort(-peaks, kind="stable")[:count].tolist()


def score_layer(network: nn.Module) -> nn.Module:
    """The convolution that scores the coarsest features, in our FCN or in torchvision's; LabkitError for any other."""
    for module in network.modules():
        if isinstance(module, FCNDecoder):
            return module.score32
        if isinstance(module, segmentation.FCN):
            return module.classifier[-1]
    raise LabkitError(text("explain.fcn_none", given=type(network).__name__))


def heatmaps(model: Any, photo: Photo, side: int | None = None) -> Heatmaps:
    """The map of every class over a photo, from a forward hook; `side` is the model's setting `working_side`."""
    settings = {} if side is None else {"working_side": side}
    with recorded({"scores": score_layer(model.network), "logits": model.network}) as seen:
        result = model.segment(photo, **settings)
    padded = tuple(seen["logits"][-1].shape[2:])  # as large as the input
    size = padded
    if model.weights.release is None:
        size = tuple(network_input(photo.pixels, result.made_by["settings"]["working_side"]).shape[1:])
    return Heatmaps(photo, seen["scores"][-1][0].numpy(), size, padded, model.classes)


def three_sizes(model: Any, photo: Photo) -> list[Heatmaps]:
    """The maps of one photo at half, three quarters and the whole of its usual size: the same weights each time."""
    whole = heatmaps(model, photo)
    side = min(model.defaults["working_side"], max(whole.size))
    return [*(heatmaps(model, photo, round(side * share)) for share in (0.5, 0.75)), whole]


def display_heatmaps(model: Any, photo: Photo, labels: Sequence[str] | None = None) -> None:
    """Shows the maps of some classes (by name, in either language; else the strongest three) in the notebook."""
    display_svg(heat_figure(heatmaps(model, photo), labels))


def display_sizes(model: Any, photo: Photo, label: str | None = None) -> None:
    """Shows the map of one class (else the strongest) at three sizes of the input in the notebook."""
    display_svg(size_figure(three_sizes(model, photo), label))


def heat_figure(maps: Heatmaps, labels: Sequence[str] | None = None) -> Figure:
    """The photo and the map of each class on it: the probability in each cell; above it its highest."""
    ids = maps.strongest(_STRONGEST) if labels is None else [maps.classes.id(label) for label in labels]
    titles = []
    for label_id in ids:
        peak = number(float(maps.probabilities[label_id].max()), 2)
        titles.append(text("explain.fcn_heat", label=_name(maps, label_id), peak=peak))
    return _figure([maps] * len(ids), ids, titles, maps.photo.name)


def size_figure(sizes: Sequence[Heatmaps], label: str | None = None) -> Figure:
    """One class at several sizes of the input, above each that size and the map's."""
    label_id = sizes[-1].strongest()[0] if label is None else sizes[0].classes.id(label)
    titles = []
    for maps in sizes:
        (height, width), (rows, columns) = maps.size, maps.scores.shape[1:]
        titles.append(text("explain.fcn_size", height=height, width=width, rows=rows, columns=columns))
    name = f"{maps.photo.name}, {_name(maps, label_id)}"
    return _figure(sizes, [label_id] * len(sizes), titles, name)


def _name(maps: Heatmaps, label_id: int) -> str:
    return maps.classes.label(label_id)


def _figure(maps: Sequence[Heatmaps], ids: Sequence[int], titles: Sequence[str], name: str) -> Figure:
    height, width = maps[0].photo.pixels.shape[:2]
    image = small(maps[0].photo.pixels, 0.75 * _PANEL)
    with matplotlib.rc_context(STYLE):
        shape = (_PANEL * len(maps) + 0.9, max(_PANEL * min(height / width, 1.6), 1.2) + 0.5)
        drawn = Figure(figsize=shape, layout="constrained")
        drawn.set_label(f"{name}: {'; '.join(titles)}".replace("\n", " "))
        axes = list(drawn.subplots(1, len(maps), squeeze=False)[0])
        colors = ScalarMappable(Normalize(0, 1), "viridis")
        for ax, one, label_id, title in zip(axes, maps, ids, titles, strict=True):
            ax.imshow(_blend(image, one, label_id, colors), interpolation="none")
            ax.set_title(title, fontsize=9, parse_math=False)
            ax.set_axis_off()
        bar = drawn.colorbar(colors, ax=axes, alpha=_OPACITY, shrink=0.9, aspect=18, pad=0.01, ticks=[0, 0.5, 1])
        bar.ax.set_yticklabels([number(tick, 1) for tick in (0, 0.5, 1)])
        bar.set_label(text("explain.fcn_scale"))
        return drawn


def _blend(photo: Image.Image, maps: Heatmaps, label_id: int, colors: ScalarMappable) -> np.ndarray:
    """The grey photo under the cells of one class, as large as `photo`, cut off where the photo ends."""
    sides = zip((photo.height, photo.width), maps.size, maps.padded, maps.scores.shape[1:], strict=True)
    rows, columns = (((np.arange(n) + 0.5) * side / n * cells / whole).astype(int) for n, side, whole, cells in sides)
    heat = colors.to_rgba(maps.probabilities[label_id][np.ix_(rows, columns)])[..., :3]
    grey = np.array(photo.convert("L"))[..., None] / 255
    return np.uint8(255 * (_OPACITY * heat + (1 - _OPACITY) * grey))
