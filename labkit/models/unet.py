"""Variant 2: U-Net (Ronneberger et al., 2015, figure 1), its contracting path being the shared encoder.

At every level of the expanding path the features are doubled in size, joined with the features of the same
size from the contracting path (the skip connection) and mixed by two 3x3 convolutions.
"""

from __future__ import annotations

import segmentation_models_pytorch as smp
from torch import nn

from labkit.models.backbone import encoder_settings

__all__ = ["build"]


def build(classes: int = 21) -> nn.Module:
    """The network with random weights: `Bx3xHxW` float (sides multiples of 32) to `BxCxHxW` logits."""
    return smp.Unet(
        **encoder_settings(),
        encoder_weights=None,
        decoder_channels=(160, 64, 48, 24, 16),
        classes=classes,
    )
