"""The start of the embedded weights: a public DeepLabV3 on MobileNetV2 (Apache-2.0), read from its convolutions.

`TEACHER.npz` holds `K_w` and `K_b` for each convolution K of google-coral/test_data's
`deeplabv3_mnv2_pascal_quant.tflite`, dequantised, BatchNorm folded in, in the graph's order: 51 of the encoder, then
the head's: 62 (each place), 63 (the mean of all places), 67 (both joined) and 68 (21 classes of PASCAL VOC).
Needed for training from the start only (`labkit train --start TEACHER.npz`).
"""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import segmentation_models_pytorch as smp
import torch
from torch import nn
from torch.nn import functional as F

from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.models.backbone import encoder_settings
from labkit.models.semantic import network_input

__all__ = ["MAP_SIDE", "Teacher", "load_encoder", "read_teacher"]

MAP_SIDE = 48
"""Cells on a side of the teacher's maps, which cover the square around a photo."""

_SIDE = 513
"""The side, in pixels, that the teacher was made for."""

_HEAD = (62, 63, 67, 68)


def read_teacher(path: str | Path) -> dict[str, torch.Tensor]:
    """The convolutions of the file; LabkitError, naming it, where it is not such a file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            state = {name: torch.from_numpy(file[name]).float() for name in file.files}
        if missing := {f"{k}_{part}" for k in (0, *_HEAD) for part in "wb"} - set(state):
            raise ValueError(f"without {min(missing)}")
        load_encoder(smp.encoders.get_encoder(weights=None, **encoder_settings(name="name")), state)
    except (OSError, ValueError, RuntimeError, EOFError, BadZipFile) as error:
        raise LabkitError(text("weights.broken", path=path, error=error)) from error
    return state


def load_encoder(encoder: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Puts the teacher's convolutions into smp's `tu-mobilenetv2_100`.

    A BatchNorm with weight 1, mean 0 and variance 1 - eps adds the convolution's bias and changes nothing else.
    """
    theirs = [k for k in sorted(int(name[:-2]) for name in state if name.endswith("_w")) if k < _HEAD[0]]
    ours = [module for module in encoder.modules() if isinstance(module, (nn.Conv2d, nn.BatchNorm2d))]
    with torch.no_grad():
        for convolution, norm, k in zip(ours[::2], ours[1::2], theirs, strict=True):
            convolution.weight.copy_(state[f"{k}_w"])
            norm.weight.fill_(1)
            norm.bias.copy_(state[f"{k}_b"])
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)


class Teacher(nn.Module):
    """The teacher: `Bx3xHxW` float in [-1, 1] to `Bx21xhxw` logits of stride 16 (Chen et al., 2017, figure 5)."""

    def __init__(self, state: dict[str, torch.Tensor]):
        super().__init__()
        self.encoder = smp.encoders.get_encoder(weights=None, output_stride=16, **encoder_settings(name="name"))
        load_encoder(self.encoder, state)
        self._head = [(state[f"{k}_w"], state[f"{k}_b"]) for k in _HEAD]
        self.eval().requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        each, pooled, joined, scores = self._head
        features = self.encoder(x)[-1]
        mean = F.conv2d(features.mean((2, 3), keepdim=True), *pooled).relu().expand(-1, -1, *features.shape[2:])
        both = torch.cat([mean, F.conv2d(features, *each).relu()], 1)
        return F.conv2d(F.conv2d(both, *joined).relu(), *scores)

    @torch.inference_mode()
    def maps(self, pixels: np.ndarray) -> torch.Tensor:
        """The probability of each class on a photo (`HxWx3` uint8): `21x48x48`, on the square from its top left."""
        x = network_input(pixels, _SIDE)
        x = F.pad(x, (0, _SIDE - x.shape[2], 0, _SIDE - x.shape[1]))[None]
        logits = F.interpolate(
            self(x), (_SIDE, _SIDE), mode="bilinear", align_corners=True
        )  # a cell is its first pixel
        return F.interpolate(logits[..., :-1, :-1].softmax(1), (MAP_SIDE, MAP_SIDE), mode="area")[0]
