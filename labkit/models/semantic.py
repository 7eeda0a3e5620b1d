"""What the four semantic variants share: from a photo to the network's input, and from its logits to a result."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from labkit.models.backbone import MEAN, STD, STRIDE, WORKING_SIDE
from labkit.models.base import Model, Setting
from labkit.models.memory import at_once
from labkit.models.official import SIDES, resized
from labkit.photos import Photo
from labkit.segmentation import Segmentation
from labkit.weights.find import Weights

__all__ = ["SMALLEST_SIDE", "SemanticModel", "network_input", "pad"]

SMALLEST_SIDE = 256
_GPU_BATCH = 16
_MEGABYTES, _MEGABYTES_OFFICIAL = 120, 1500
"""About what a photo takes of a GPU's memory on its way through the network; too much is halved when it runs out."""

_BAND = 32


class SemanticModel(Model):
    """A network that gives a class to each pixel: `Bx3xHxW` float (sides multiples of 32) to `BxCxHxW` logits."""

    def __init__(self, network: nn.Module, weights: Weights, device: torch.device):
        super().__init__(network, weights, device)
        release = weights.release
        self._side, self._input = (SIDES[release.variant], resized) if release else (WORKING_SIDE, network_input)
        self._padded = not release or release.variant == "unet"
        if device.type == "cuda":
            self.batch = at_once(device, _MEGABYTES_OFFICIAL if release else _MEGABYTES, _GPU_BATCH)

    @property
    def settings(self) -> dict[str, Setting]:
        """`working_side`: the longest side, in pixels, at which the network sees the photo; the official networks,
        as their libraries do, count the shorter one.

        Our FCN besides: `finest`: 8, 16 or 32 for FCN-8s, FCN-16s, FCN-32s.
        """
        skips = hasattr(getattr(self.network, "decoder", None), "finest")
        fcn = {"finest": Setting(8, choices=(8, 16, 32))} if skips else {}
        return {"working_side": Setting(self._side, 64, 2048), **fcn}

    def _predict(self, photos: Sequence[Photo], settings: dict[str, Any]) -> list[Segmentation]:
        size = photos[0].pixels.shape[:2]
        inputs = [self._input(photo.pixels, settings["working_side"]) for photo in photos]
        height, width = inputs[0].shape[1:]
        x = torch.stack([pad(x) if self._padded else x for x in inputs])
        x = x.to(self.device, memory_format=torch.channels_last)
        if "finest" in settings:
            self.network.decoder.finest = settings["finest"]
        logits = self.network(x)
        if self.precision != torch.float32 and not logits.isfinite().all():  # float16 ends at 65504
            with torch.autocast(self.device.type, enabled=False):
                logits = self.network(x)
        logits = logits[:, :, :height, :width].float()
        return [
            Segmentation.from_labels(photo, *_labels(one, size), self.classes)
            for photo, one in zip(photos, logits, strict=True)
        ]


def network_input(pixels: np.ndarray, working_side: int, least: int = SMALLEST_SIDE) -> torch.Tensor:
    """A photo (`HxWx3` uint8) at the network's size: `3xhxw` float32 in [-1, 1], the sides in proportion.

    The longest side becomes `working_side` where it is longer; a tiny photo is enlarged to `least` pixels.
    """
    height, width = pixels.shape[:2]
    longest = max(height, width)
    target = min(max(longest, min(least, working_side)), working_side)
    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)
    if target != longest:
        size = (max(1, round(height * target / longest)), max(1, round(width * target / longest)))
        x = F.interpolate(x[None], size, mode="bilinear", antialias=True)[0]
    return x.float().div_(255 * STD).sub_(MEAN / STD)


def pad(x: torch.Tensor) -> torch.Tensor:
    """Grey to the right and below up to multiples of the stride, as in training."""
    height, width = x.shape[1:]
    right, below = (math.ceil(n / STRIDE) * STRIDE - n for n in (width, height))
    return F.pad(x, (0, right, 0, below))


def _labels(logits: torch.Tensor, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Logits `Cxhxw` to label ids (uint8) and confidence (softmax, float32) of the photo's `HxW`.

    Only classes that win somewhere are brought to the photo's size, and with them the logarithm of the softmax's
    denominator: the work of a handful of classes instead of 21.
    """
    wins = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
    denominator = torch.empty(logits.shape[1:], device=logits.device)
    for top in range(0, logits.shape[1], _BAND):  # in bands that fit the processor's cache
        band = logits[:, top : top + _BAND].clone(memory_format=torch.contiguous_format)
        best = band.amax(0)
        wins |= band.sub_(best).flatten(1).amax(1) == 0
        denominator[top : top + _BAND] = band.exp_().sum(0).log_().add_(best)

    def enlarged(plane: torch.Tensor) -> torch.Tensor:  # one at a time: memory is used again, not asked for
        return F.interpolate(plane[None, None], size, mode="bilinear")[0, 0]

    first, *others = wins.nonzero()[:, 0].tolist()
    best = enlarged(logits[first])
    labels = torch.full_like(best, first, dtype=torch.uint8)
    for label in others:
        score = enlarged(logits[label])
        labels.masked_fill_(score > best, label)  # torch.max would write int64 places
        torch.maximum(best, score, out=best)
    confidence = best.sub_(enlarged(denominator)).exp_().clamp_(max=1)
    return labels.cpu().numpy(), confidence.cpu().numpy()
