"""The one backbone under every embedded model: MobileNetV2 (Sandler et al., 2018), 1.81 M parameters.

One encoder for all makes the variants comparable: what differs between two reports is the decoder.
Its features have strides 2, 4, 8, 16, 32 and 16, 24, 32, 96, 320 channels.
"""

from __future__ import annotations

__all__ = ["BN_EPS", "ENCODER", "FORMER_ENCODER", "MEAN", "STD", "STRIDE", "WORKING_SIDE"]

ENCODER = "tu-mobilenetv2_100"
"""The encoder's name in segmentation-models-pytorch (`tu-`: taken from timm)."""

FORMER_ENCODER, BN_EPS = "tu-efficientnet_lite0", 1e-3
"""EfficientNet-Lite0 and its BatchNorm's epsilon, under Mask R-CNN and SAM until they are trained on the new one."""

MEAN = STD = 0.5
"""A pixel in [0, 1] is normalised to (pixel - MEAN) / STD."""

STRIDE = 32
"""Sides of the network's input are padded to multiples of this."""

WORKING_SIDE = 384
"""The longest side, in pixels, that photos are scaled down to: the middle of the sizes trained on."""
