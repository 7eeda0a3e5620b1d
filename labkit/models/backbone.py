"""The one backbone under every embedded model: EfficientNet-Lite0 (Liu, 2020), 2.96 M parameters.

One encoder for all makes the variants comparable: what differs between two reports is the decoder.
Its features have strides 2, 4, 8, 16, 32 and 16, 24, 40, 112, 320 channels.
"""

from __future__ import annotations

__all__ = ["BN_EPS", "ENCODER", "MEAN", "STD", "STRIDE", "WORKING_SIDE"]

ENCODER = "tu-efficientnet_lite0"
"""The encoder's name in segmentation-models-pytorch (`tu-`: taken from timm)."""

BN_EPS = 1e-3
"""The BatchNorm epsilon that the ImageNet weights were trained with."""

MEAN = STD = 0.5
"""A pixel in [0, 1] is normalised to (pixel - MEAN) / STD."""

STRIDE = 32
"""Sides of the network's input are padded to multiples of this."""

WORKING_SIDE = 384
"""The longest side, in pixels, that photos are scaled down to: the middle of the sizes trained on."""
