"""The start of the embedded weights: a public DeepLabV3 on MobileNetV2 (Apache-2.0), read from its convolutions.

`TEACHER.npz` holds `K_w` and `K_b` for each convolution K of google-coral/test_data's
`deeplabv3_mnv2_pascal_quant.tflite`, dequantised, BatchNorm folded in, in the graph's order: 51 of the encoder, then
the head's: 62 (each place), 63 (the mean of all places), 67 (both joined) and 68 (21 classes of PASCAL VOC).
Needed for training from the start only (`labkit train --start TEACHER.npz`).
"""

from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import segmentation_models_pytorch as smp
import torch
from torch import nn
from torch.nn import functional as F

from labkit.io.errors import LabkitError, one_line
from labkit.locale import text
from labkit.models.backbone import ENCODER
from labkit.models.semantic import network_input

__all__ = ["MAP_SIDE", "Teacher", "load_encoder", "read_teacher", "start_heads"]

MAP_SIDE = 48  # cells on a side of the teacher's maps, which cover the square around a photo
_SIDE = 513  # side, in pixels, that the teacher was made for
_LIFT = 12.0  # added to all scores, so that a ReLU lets pass what is above its opposite

_HEAD = (62, 63, 67, 68)


def read_teacher(path: str | Path) -> dict[str, torch.Tensor]:
    """The convolutions of the file; LabkitError, naming it, where it is not such a file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            state = {name: torch.from_numpy(file[name]).float() for name in file.files}
        if missing := {f"{k}_{part}" for k in (0, *_HEAD) for part in "wb"} - set(state):
            raise ValueError(f"without {min(missing)}")
        load_encoder(smp.encoders.get_encoder(ENCODER, weights=None), state)
    except (OSError, TypeError, ValueError, RuntimeError, EOFError, BadZipFile) as error:
        raise LabkitError(text("train.start", path=path, error=one_line(error, 150))) from error
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
            _pass_through(norm, state[f"{k}_b"])


def _pass_through(norm: nn.BatchNorm2d, bias: torch.Tensor | float) -> None:
    """A BatchNorm that adds a bias to its first channels and changes nothing else."""
    norm.weight.fill_(1)
    norm.bias.zero_()
    bias = torch.as_tensor(bias)
    norm.bias[: bias.numel()] = bias
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)


@torch.no_grad()
def start_heads(
    networks: dict[str, nn.Module], state: dict[str, torch.Tensor], scores: Mapping[str, nn.Conv2d] | None = None
) -> None:
    """Puts the teacher's head into our decoders, as far as each can hold it; `scores` look at U-Net's on the way up.

    Its hidden layers are a 1x1 convolution of each place and one of the mean of all places, then both joined. DeepLab
    has these in its ASPP, PSPNet in its pyramid, FCN in its fc6 and fc7, U-Net at its bottom (the atrous branches, the
    finer pools, what fc6 sees around a place and the skip connections start with no say). U-Net carries the scores up.
    A cell of stride 16 describes the photo around its first pixel and is enlarged around its middle: the 3x3 kernels
    after the head start as that step of half a cell.
    """
    head = tuple((state[f"{k}_w"], state[f"{k}_b"]) for k in _HEAD)
    starts = {"deeplab": _start_deeplab, "pspnet": _start_pspnet, "fcn": _start_fcn, "unet": _start_unet}
    for name in networks.keys() & starts.keys():
        starts[name](networks[name], *head)
    for score in (scores or {}).values():
        score.weight.copy_(torch.eye(*score.weight.shape[:2])[..., None, None])
        score.bias.zero_()


_Layer = tuple[torch.Tensor, torch.Tensor]  # a convolution's weight and bias


def _start_deeplab(network: nn.Module, each: _Layer, pooled: _Layer, joined: _Layer, scores: _Layer) -> None:
    decoder, head = network.decoder, network.segmentation_head[0]
    aspp, (mixing, norm, _), (fine, fine_norm, _) = decoder.aspp[0], decoder.aspp[1:], decoder.block2
    for branch, layer in ((aspp.convs[0], each), (aspp.convs[-1], pooled)):
        _set(*(next(m for m in branch if isinstance(m, kind)) for kind in (nn.Conv2d, nn.BatchNorm2d)), *layer)
    weight, width = torch.zeros_like(aspp.project[0].weight), len(joined[0])
    weight[:, -width:], weight[:, :width] = joined[0].split(width, 1)  # the mean's part is the first, the pool the last
    _set(*aspp.project[:2], weight, joined[1])
    signed = torch.cat([scores[0], -scores[0]])  # ReLU keeps a score and its opposite: together they are the score
    count = len(signed)
    mixing[0].weight.zero_()
    mixing[0].weight[..., 1:, 1:] = 0.25
    mixing[1].weight[:count] = signed
    _pass_through(norm, torch.cat([scores[1], -scores[1]]))
    fine[0].weight[:count] = 0
    fine[0].weight[:count, :, 1, 1] = 1
    fine[1].weight[:count] = 0
    fine[1].weight[:count, :count, 0, 0] = torch.eye(count)
    _pass_through(fine_norm, 0.0)
    head.weight.zero_()
    head.weight[:, :count, 0, 0] = torch.cat([torch.eye(count // 2), -torch.eye(count // 2)], 1)
    head.bias.zero_()


def _start_pspnet(network: nn.Module, each: _Layer, pooled: _Layer, joined: _Layer, scores: _Layer) -> None:
    pyramid, head = network.decoder, network.segmentation_head[0]
    _set(*pyramid.widen[:2], *each)
    _set(*pyramid.pools[0].pool[1:3], *pooled)
    for finer in pyramid.pools[1:]:
        _pass_through(finer.pool[2], 0.0)
    weight, width = torch.zeros_like(pyramid.join[0].weight), len(joined[0])
    weight[:, width : 2 * width], weight[:, :width] = joined[0].split(width, 1)
    _set(*pyramid.join[:2], weight, joined[1])
    head.weight.zero_()
    head.weight[..., 1:, 1:] = scores[0] / 4
    head.bias.copy_(scores[1])


def _start_fcn(network: nn.Module, each: _Layer, pooled: _Layer, joined: _Layer, scores: _Layer) -> None:
    decoder, width = network.decoder, len(joined[0])
    look, fc6, norm6, _ = decoder.fc6
    look.weight.zero_()
    look.weight[0::2, 0, 3, 3], look.weight[1::2] = 1, 1 / 49
    fc6.weight[:width] = 0
    fc6.weight[:width, 0::2] = each[0]
    _pass_through(norm6, each[1])
    _set(*decoder.mean[1:3], *pooled)
    fc7, norm7 = decoder.fc7[1:3]
    fc7.weight.zero_()
    fc7.weight[:, -width:], fc7.weight[:, :width] = joined[0].split(width, 1)
    _pass_through(norm7, joined[1])
    decoder.score32.weight.copy_(scores[0])
    decoder.score32.bias.copy_(scores[1])
    for norm in (decoder.score16[1], decoder.score8[1]):
        _pass_through(norm, 0.0)
    step = torch.tensor([0.5, 1.0, 0.5, 0.0])
    for up in (decoder.up32to16, decoder.up16to8):
        up.weight.copy_(step[:, None] * step[None])


def _start_unet(network: nn.Module, each: _Layer, pooled: _Layer, joined: _Layer, scores: _Layer) -> None:
    bottom, width, count = network.decoder.center, len(joined[0]), len(scores[1])
    _set(*bottom.each[:2], *each)
    _set(*bottom.mean[1:3], *pooled)
    bottom.join[0].weight[:width, width:], bottom.join[0].weight[:width, :width] = joined[0].split(width, 1)
    _pass_through(bottom.join[1], joined[1])
    between, pick = torch.tensor([0.0, 0.5, 0.5]), torch.eye(count)[..., None, None]
    between = between[:, None] * between  # a cell of the coarser features is its first pixel: the second is half-way
    scored, bias = scores[0] * between, scores[1] + _LIFT
    for block in network.decoder.blocks:
        for convolution, norm, _ in (block.conv1, block.conv2):
            convolution.weight[:count] = 0
            convolution.weight[:count, : scored.shape[1]] = scored
            _pass_through(norm, bias)
            scored, bias = F.pad(pick, (1, 1, 1, 1)), torch.tensor(0.0)
        scored = pick * between
    network.segmentation_head[0].weight.copy_(pick)
    network.segmentation_head[0].bias.zero_()


def _set(convolution: nn.Conv2d, norm: nn.BatchNorm2d, weight: torch.Tensor, bias: torch.Tensor) -> None:
    convolution.weight.copy_(weight)
    _pass_through(norm, bias)


class Teacher(nn.Module):
    """The teacher: `Bx3xHxW` float in [-1, 1] to `Bx21xhxw` logits of stride 16 (Chen et al., 2017, figure 5)."""

    def __init__(self, state: dict[str, torch.Tensor]):
        super().__init__()
        self.encoder = smp.encoders.get_encoder(ENCODER, weights=None, output_stride=16)
        load_encoder(self.encoder, state)
        self._head = [(state[f"{k}_w"], state[f"{k}_b"]) for k in _HEAD]
        self.eval().requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x)[-1])

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """The logits of the encoder's last features (`Bx320xhxw`): the mean of all beside each place, both joined."""
        each, pooled, joined, scores = self._head
        mean = F.conv2d(features.mean((2, 3), keepdim=True), *pooled).relu().expand(-1, -1, *features.shape[2:])
        both = torch.cat([mean, F.conv2d(features, *each).relu()], 1)
        return F.conv2d(F.conv2d(both, *joined).relu(), *scores)

    @torch.inference_mode()
    def maps(self, pixels: np.ndarray) -> torch.Tensor:
        """The probability of each class on a photo (`HxWx3` uint8): `21x48x48`, on the square from its top left."""
        x = network_input(pixels, _SIDE)
        x = F.pad(x, (0, _SIDE - x.shape[2], 0, _SIDE - x.shape[1]))[None]
        # a cell is its first pixel
        logits = F.interpolate(self(x), (_SIDE, _SIDE), mode="bilinear", align_corners=True)
        return F.interpolate(logits[..., :-1, :-1].softmax(1), (MAP_SIDE, MAP_SIDE), mode="area")[0]
