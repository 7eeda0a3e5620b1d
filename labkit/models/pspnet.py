"""Variant 5: PSPNet (Zhao et al., 2017, figure 3).

The features are pooled to 1x1, 2x2, 3x3 and 6x6 maps, which bring the context of the whole photo to each pixel.
The encoder is dilated as in the paper, here to stride 16 (the paper: 8), so that a CPU keeps up.
"""

from __future__ import annotations

import segmentation_models_pytorch as smp
from torch import nn

from labkit.models.backbone import encoder_settings

__all__ = ["build"]


def build(classes: int = 21) -> nn.Module:
    """The network with random weights: `Bx3xHxW` float (sides multiples of 32) to `BxCxHxW` logits."""
    network = smp.PSPNet(
        **encoder_settings(),
        encoder_weights=None,
        encoder_depth=5,
        psp_out_channels=512,
        classes=classes,
        upsampling=16,
        output_stride=16,
    )
    network.segmentation_head[1] = nn.Upsample(scale_factor=16, mode="bilinear")  # by pixels, not by corners
    return network
