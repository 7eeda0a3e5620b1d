"""The transposed convolution in four steps, and what FCN's learned ones became in training.

Dumoulin and Visin, 2016, arXiv:1603.07285, chapter 4: the transpose of a convolution with kernel k, stride s and
padding p is an ordinary one with stride 1, over an input that zeros were put into. Long et al., 2015, arXiv:1411.4038,
section 3.3: FCN enlarges its scores with it; the kernels are learned and start as bilinear interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from labkit.explain.heatmaps import heatmaps
from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.models.fcn import FCNDecoder, bilinear_upsampling
from labkit.photos import Photo

__all__ = ["LearnedKernel", "Steps", "learned_kernel", "learned_steps", "transposed_steps"]

_CELLS = 3


@dataclass(frozen=True, eq=False)
class Steps:
    """Every grid on the way from the input of a transposed convolution to its output: 2-D float64."""

    given: np.ndarray
    inserted: np.ndarray
    padded: np.ndarray
    kernel: np.ndarray
    output: np.ndarray
    stride: int
    padding: int

    @property
    def zeros(self) -> int:
        """z = s - 1: the zeros between two neighbours of the input."""
        return self.stride - 1

    @property
    def border(self) -> int:
        """p' = k - p - 1: the zeros around."""
        return len(self.kernel) - self.padding - 1


@dataclass(frozen=True, eq=False)
class LearnedKernel:
    """The kernel that doubles the scores of one class (`label`, its name), and its start: `kxk` float64."""

    label: str
    learned: np.ndarray
    bilinear: np.ndarray

    @property
    def moved(self) -> float:
        """How far training took it: the norm of the change over the norm of the start."""
        return float(np.linalg.norm(self.learned - self.bilinear) / np.linalg.norm(self.bilinear))

    @property
    def likeness(self) -> float:
        """The cosine between the two: 1 where only the scale has changed."""
        norms = np.linalg.norm(self.learned) * np.linalg.norm(self.bilinear)
        return float((self.learned * self.bilinear).sum() / norms)


def transposed_steps(given: np.ndarray, kernel: np.ndarray, stride: int, padding: int) -> Steps:
    """The transposed convolution of `given` (`RxC`) with `kernel` (`kxk`) by an ordinary convolution with stride 1.

    z = s - 1 and p' = k - p - 1; z zeros between rows and between columns; p' zeros around; a convolution, its kernel
    rotated by 180 degrees (what libraries call convolution does not turn the kernel, so its transpose has to).
    A side of the output is o = (i - 1) s + k - 2p. LabkitError, with what is valid, for p above k - 1 or o below 1.
    """
    k, s, p = len(kernel), stride, padding
    if not (k >= 1 and s >= 1 and 0 <= p <= k - 1):
        raise LabkitError(text("explain.transposed_refused", k=k, s=s, p=p, most=k - 1))
    i = min(given.shape)
    if (side := (i - 1) * s + k - 2 * p) < 1:
        raise LabkitError(text("explain.transposed_empty", i=i, k=k, s=s, p=p, o=side, most=((i - 1) * s + k - 1) // 2))
    inserted = np.zeros([(n - 1) * s + 1 for n in given.shape])
    inserted[::s, ::s] = given
    padded = np.pad(inserted, k - p - 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k))
    output = (windows * np.rot90(kernel, 2)).sum((2, 3))
    return Steps(np.asarray(given, float), inserted, padded, np.asarray(kernel, float), output, s, p)


def learned_kernel(model: Any, label: str | int) -> LearnedKernel:
    """The kernel of a class (its name or label id) from stride 32 to stride 16; LabkitError where none was learned."""
    layer = _layer(model)
    label_id = model.classes.id(label) if isinstance(label, str) else label
    start = bilinear_upsampling(1, layer.stride[0]).weight[0, 0]
    learned, bilinear = (w.detach().cpu().double().numpy() for w in (layer.weight[label_id, 0], start))
    return LearnedKernel(model.classes.names[label_id], learned, bilinear)


def learned_steps(model: Any, photo: Photo, kernel: LearnedKernel) -> Steps:
    """The four steps with a learned kernel, on the photo's own scores of its class around the highest of them.

    The input is 3x3 cells of the stride-32 map, fewer where it is smaller.
    """
    scores = heatmaps(model, photo).scores[model.classes.id(kernel.label)]
    peak = np.unravel_index(scores.argmax(), scores.shape)
    window = tuple(
        slice(start := min(max(at - _CELLS // 2, 0), max(side - _CELLS, 0)), start + _CELLS)
        for at, side in zip(peak, scores.shape, strict=True)
    )
    layer = _layer(model)
    return transposed_steps(scores[window], kernel.learned, layer.stride[0], layer.padding[0])


def _layer(model: Any) -> nn.ConvTranspose2d:
    for module in model.network.modules():
        if isinstance(module, FCNDecoder):
            return module.up32to16
    raise LabkitError(text("explain.transposed_none", name=model.weights.name))
