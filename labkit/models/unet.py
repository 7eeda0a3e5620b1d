"""Variant 2: U-Net (Ronneberger et al., 2015, figure 1), its contracting path being the shared encoder.

At every level of the expanding path the features are doubled in size, joined with the features of the same
size from the contracting path (the skip connection) and mixed by two 3x3 convolutions.
The last halving of the contracting path is a pooling, as all are in the paper: there of the maximum, here of the mean.
At the bottom, between the paths, each place hears of the whole photo; the paper has two 3x3 convolutions there.
"""

import segmentation_models_pytorch as smp
import torch
from segmentation_models_pytorch.base import SegmentationHead
from torch import nn

from labkit.models.backbone import ENCODER, encoder_of_stride_32, pointwise

__all__ = ["Bottom", "build"]

_WIDTH = 256
_CHANNELS = (160, 64, 48, 24, 21)


class Bottom(nn.Module):
    """`BxCxhxw` to `BxCxhxw`: each place joined with the mean of all (ParseNet: Liu et al., 2015, section 3.1)."""

    def __init__(self, channels: int):
        super().__init__()
        self.each = nn.Sequential(*pointwise(channels, _WIDTH))
        self.mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), *pointwise(channels, _WIDTH))
        self.join = nn.Sequential(*pointwise(2 * _WIDTH, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        each = self.each(x)
        return self.join(torch.cat([each, self.mean(x).expand_as(each)], 1))


def build(classes: int = 21) -> nn.Module:
    """The network with random weights: `Bx3xHxW` float (sides multiples of 32) to `BxCxHxW` logits."""
    network = smp.Unet(encoder_name=ENCODER, encoder_weights=None, decoder_channels=_CHANNELS, classes=classes)
    network.encoder = encoder_of_stride_32()
    network.segmentation_head = SegmentationHead(_CHANNELS[-1], classes, kernel_size=1)  # as in the paper
    network.decoder.center = Bottom(network.encoder.out_channels[-1])
    return network
