"""The one backbone under the embedded models: MobileNetV2 (Sandler et al., 2018), 1.81 M parameters.

One encoder for all makes the variants comparable: what differs between two reports is the decoder.
Its features have strides 2, 4, 8, 16, 32 and 16, 24, 32, 96, 320 channels.

SAM alone stands on another: what makes it SAM is an encoder that has seen a billion masks.
"""

from torch import nn

__all__ = ["ENCODER", "MEAN", "STD", "STRIDE", "WORKING_SIDE", "pointwise"]

ENCODER = "tu-mobilenetv2_100"  # the encoder's name in segmentation-models-pytorch (`tu-`: taken from timm)
MEAN = STD = 0.5  # a pixel in [0, 1] is normalised to (pixel - MEAN) / STD
STRIDE = 32  # sides of the network's input are padded to multiples of this
WORKING_SIDE = 480  # longest side, in pixels, that photos are scaled down to: the encoder was made for photos of 513


def pointwise(channels: int, width: int) -> list[nn.Module]:
    """A 1x1 convolution and what follows it: the encoder's features are narrow and linear (section 3.2) until then."""
    return [nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
