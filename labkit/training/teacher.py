"""The start of the embedded weights: a public DeepLabV3 on MobileNetV2 (Apache-2.0), read from its convolutions.

`TEACHER.npz` holds `K_w` and `K_b` for each convolution K of google-coral/test_data's
`deeplabv3_mnv2_pascal_quant.tflite`, dequantised, BatchNorm folded in, in the graph's order: 51 of the encoder, then
the head's: 62 (each place), 63 (the mean of all places), 67 (both joined) and 68 (21 classes of PASCAL VOC).
Needed for training from the start only (`labkit train --start TEACHER.npz`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import nn

from labkit.io.errors import LabkitError
from labkit.locale import text

__all__ = ["load_encoder", "measure", "read_teacher", "start_deeplab"]

_HEAD = 62
"""The first convolution that belongs to the head."""


def read_teacher(path: str | Path) -> dict[str, torch.Tensor]:
    """The convolutions of the file; LabkitError, naming it, where it is not such a file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            state = {name: torch.from_numpy(file[name]).float() for name in file.files}
        if missing := {f"{k}_{part}" for k in (0, 62, 63, 67, 68) for part in "wb"} - set(state):
            raise ValueError(f"without {min(missing)}")
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise LabkitError(text("weights.broken", path=path, error=error)) from error
    return state


def load_encoder(encoder: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Puts the teacher's convolutions into smp's `tu-mobilenetv2_100`.

    A BatchNorm with weight 1, mean 0 and variance 1 - eps adds the convolution's bias and changes nothing else.
    """
    numbers = sorted(int(name[:-2]) for name in state if name.endswith("_w"))
    ours = [module for module in encoder.modules() if isinstance(module, (nn.Conv2d, nn.BatchNorm2d))]
    layers = list(zip(ours[::2], ours[1::2], strict=True))
    theirs = [k for k in numbers if k < _HEAD]
    with torch.no_grad():
        for (convolution, norm), k in zip(layers, theirs, strict=True):
            convolution.weight.copy_(state[f"{k}_w"])
            _pass_through(norm, state[f"{k}_b"])


def _pass_through(norm: nn.BatchNorm2d, bias: torch.Tensor) -> None:
    norm.weight.fill_(1)
    norm.bias.copy_(bias)
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)


def start_deeplab(network: nn.Module, state: dict[str, torch.Tensor]) -> list[nn.BatchNorm2d]:
    """Puts the teacher's head into our DeepLabV3+, which then answers as the teacher does; returns the BatchNorms set.

    The teacher's ASPP has a 1x1 branch and the pooled one (Chen et al., 2017, section 3.3); the atrous branches and the
    stride-4 features start with no say. A cell of stride 16 describes the photo around its first pixel, and is enlarged
    around its middle: the decoder's first separable convolution starts as the step of half a cell between the two, the
    second one as the identity.
    """
    decoder, head = network.decoder, network.segmentation_head[0]
    aspp = decoder.aspp[0]
    width = state["62_w"].shape[0]
    norms = []
    with torch.no_grad():
        for branch, k in ((aspp.convs[0], 62), (aspp.convs[-1], 63)):
            convolution, norm = (next(m for m in branch if isinstance(m, kind)) for kind in (nn.Conv2d, nn.BatchNorm2d))
            convolution.weight.copy_(state[f"{k}_w"])
            _pass_through(norm, state[f"{k}_b"])
            norms.append(norm)
        project, norm, *_ = aspp.project
        pooled, each = state["67_w"].split(width, 1)
        project.weight.zero_()
        project.weight[:, :width].copy_(each)
        project.weight[:, -width:].copy_(pooled)
        _pass_through(norm, state["67_b"])
        norms.append(norm)
        for (depthwise, pointwise), norm in (decoder.aspp[1:3], decoder.block2[:2]):
            depthwise.weight.zero_()
            depthwise.weight[:, :, 1, 1] = 1
            pointwise.weight.zero_()
            pointwise.weight[:, :width, 0, 0] = torch.eye(width)
            _pass_through(norm, torch.zeros(width))
            norms.append(norm)
        decoder.aspp[1][0].weight[:, :, 1:, 1:] = 0.25
        head.weight.copy_(state["68_w"])
        head.bias.copy_(state["68_b"])
    return norms


@torch.no_grad()
def measure(norms: list[nn.BatchNorm2d], run: Callable[[], object]) -> None:
    """Gives BatchNorms the statistics of what comes in while `run` runs the network in eval mode; answers stay.

    A folded BatchNorm claims mean 0 and variance 1: in training, where a batch's own statistics count, it would change
    everything.
    """

    def record(norm, inputs):
        x = inputs[0].float()
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        norm.bias += scale * (mean - norm.running_mean)
        norm.weight.copy_(scale * (variance + norm.eps).sqrt())
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)

    hooks = [norm.register_forward_pre_hook(record) for norm in norms]
    run()
    for hook in hooks:
        hook.remove()
