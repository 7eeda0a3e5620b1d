"""What the four semantic variants share: from a photo to the network's input, and from its logits to a result."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from labkit.classes import VOC
from labkit.errors import LabkitError
from labkit.images import Photo
from labkit.models.backbone import MEAN, STD, STRIDE, WORKING_SIDE
from labkit.models.folding import fold_batchnorm
from labkit.segmentation import Segmentation
from labkit.texts import text
from labkit.weights import Weights

__all__ = ["SemanticModel", "network_input", "pad", "versions"]

_SMALLEST_SIDE = 256
_GPU_BATCH = 8
_BAND = 32


class SemanticModel:
    """A network that gives a class to each pixel.

    `network` maps `Bx3xHxW` float (sides multiples of 32) to `BxCxHxW` logits; it is folded and owned by the model.
    """

    def __init__(self, network: nn.Module, weights: Weights, device: torch.device):
        self.variant, self.weights, self.device, self.classes = weights.variant, weights, device, VOC
        network = fold_batchnorm(network.eval()).requires_grad_(False)
        self.network = network.to(device, memory_format=torch.channels_last)
        self.batch = _GPU_BATCH if device.type == "cuda" else 1

    @property
    def defaults(self) -> dict[str, Any]:
        """The settings of `segment` and their values when nothing is said.

        `working_side`: the longest side, in pixels, at which the network sees the photo (64 to 2048). FCN besides:
        `finest`: 8, 16 or 32 for FCN-8s, FCN-16s, FCN-32s.
        """
        fcn = {"finest": 8} if self.variant.name == "fcn" else {}
        return {"working_side": WORKING_SIDE, **fcn}

    def segment(self, photo: Photo, **settings: Any) -> Segmentation:
        """Segments one photo; settings as in `defaults`, LabkitError names the valid ones."""
        return self.segment_batch([photo], **settings)[0]

    @torch.inference_mode()
    def segment_batch(self, photos: Sequence[Photo], **settings: Any) -> list[Segmentation]:
        """Segments photos in one pass of the network; they must have the same size."""
        settings = self._check(settings)
        started = time.perf_counter()
        size = photos[0].pixels.shape[:2]
        inputs = [network_input(photo.pixels, settings["working_side"]) for photo in photos]
        height, width = inputs[0].shape[1:]
        x = torch.stack([pad(i) for i in inputs]).to(self.device, memory_format=torch.channels_last)
        if "finest" in settings:
            self.network.decoder.finest = settings["finest"]
        logits = self.network(x)[:, :, :height, :width]
        results = [_labels(one, size) for one in logits]
        seconds = (time.perf_counter() - started) / len(photos)
        made_by = {
            "variant": self.variant.name,
            "weights": self.weights.name,
            "sha256": self.weights.sha256,
            "classes": self.classes.name,
            "device": str(self.device),
            "settings": settings,
            "seconds": round(seconds, 4),
            "versions": versions(),
        }
        return [
            Segmentation.from_labels(photo, labels, confidence, self.classes, dict(made_by))
            for photo, (labels, confidence) in zip(photos, results, strict=True)
        ]

    def _check(self, settings: dict[str, Any]) -> dict[str, Any]:
        defaults = self.defaults
        if unknown := settings.keys() - defaults.keys():
            raise LabkitError(text("model.setting", given=", ".join(sorted(unknown)), valid=", ".join(defaults)))
        settings = {**defaults, **settings}
        if not 64 <= settings["working_side"] <= 2048:
            raise LabkitError(text("model.working_side", given=settings["working_side"]))
        if settings.get("finest", 8) not in (8, 16, 32):
            raise LabkitError(text("model.finest", given=settings["finest"]))
        return settings


def network_input(pixels: np.ndarray, working_side: int) -> torch.Tensor:
    """A photo (`HxWx3` uint8) at the network's size: `3xhxw` float32 in [-1, 1], the sides in proportion.

    The longest side becomes `working_side` where it is longer; a tiny photo is enlarged to 256 pixels.
    """
    height, width = pixels.shape[:2]
    longest = max(height, width)
    target = min(max(longest, min(_SMALLEST_SIDE, working_side)), working_side)
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
    classes = wins.nonzero()[:, 0]
    few = torch.cat([logits[classes], denominator[None]])[None]
    large = F.interpolate(few, size, mode="bilinear")[0]
    best, place = large[:-1].max(0)
    confidence = best.sub_(large[-1]).exp_().clamp_(max=1)
    return classes.to(torch.uint8)[place].cpu().numpy(), confidence.cpu().numpy()


def versions() -> dict[str, str]:
    """The versions of what computes the masks."""
    import segmentation_models_pytorch as smp
    import timm

    from labkit import __version__

    modules = {"torch": torch, "segmentation-models-pytorch": smp, "timm": timm}
    return {"labkit": __version__, **{name: module.__version__ for name, module in modules.items()}}
