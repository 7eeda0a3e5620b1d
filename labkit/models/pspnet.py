"""Variant 5: PSPNet (Zhao et al., 2017, figure 3).

The features are pooled to 1x1, 2x2, 3x3 and 6x6 maps, which bring the context of the whole photo to each pixel.
The encoder is dilated as in the paper, here to stride 16 (the paper: 8), so that a CPU keeps up; its narrow last
features are widened before they are joined with the maps.
"""

import segmentation_models_pytorch as smp
import torch
from torch import nn
from torch.nn import functional as F

from labkit.models.backbone import ENCODER, Enlargement, pointwise

__all__ = ["PyramidPooling", "build"]

_WIDTH = 256
_SIZES = (1, 2, 3, 6)


class PyramidPooling(nn.Module):
    """The list of features, of which it takes the last `BxCxhxw`, to `Bx256xhxw`."""

    def __init__(self, channels: int):
        super().__init__()
        self.widen = nn.Sequential(*pointwise(channels, _WIDTH))
        self.pools = nn.ModuleList(PSPBlock(channels, size) for size in _SIZES)
        self.join = nn.Sequential(*pointwise(_WIDTH * (1 + len(_SIZES)), _WIDTH))
        self.dropout = nn.Dropout2d(0.1)

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        x = features[-1]
        return self.dropout(self.join(torch.cat([self.widen(x), *(pool(x) for pool in self.pools)], 1)))


class PSPBlock(nn.Module):
    """A level of the pyramid: the means of `pool_size` x `pool_size` parts of the map, and back to its size."""

    def __init__(self, channels: int, pool_size: int):
        super().__init__()
        self.pool_size = pool_size
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(pool_size), *pointwise(channels, _WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(self.pool(x), x.shape[2:], mode="bilinear")


def build(classes: int = 21) -> nn.Module:
    """The network with random weights: `Bx3xHxW` float (sides multiples of 32) to `BxCxHxW` logits."""
    network = smp.PSPNet(
        encoder_name=ENCODER, encoder_weights=None, encoder_depth=5, classes=classes, upsampling=16, output_stride=16
    )
    network.decoder = PyramidPooling(network.encoder.out_channels[-1])
    network.segmentation_head = nn.Sequential(nn.Conv2d(_WIDTH, classes, 3, padding=1), Enlargement(16))
    return network
