"""The one backbone under the embedded models: MobileNetV2 (Sandler et al., 2018), 1.81 M parameters.

One encoder for all makes the variants comparable: what differs between two reports is the decoder.
Its features have strides 2, 4, 8, 16, 32 and 16, 24, 32, 96, 320 channels.

SAM alone stands on another: what makes it SAM is an encoder that has seen a billion masks.
"""

import segmentation_models_pytorch as smp
import torch
from segmentation_models_pytorch.encoders.timm_universal import TimmUniversalEncoder
from torch import nn

__all__ = [
    "ENCODER",
    "MEAN",
    "NEIGHBOURS",
    "STD",
    "STRIDE",
    "WORKING_SIDE",
    "Enlargement",
    "encoder_of_stride_32",
    "pointwise",
]

ENCODER = "tu-mobilenetv2_100"  # the encoder's name in segmentation-models-pytorch (`tu-`: taken from timm)
MEAN = STD = 0.5  # a pixel in [0, 1] is normalised to (pixel - MEAN) / STD
STRIDE = 32  # sides of the network's input are padded to multiples of this
WORKING_SIDE = 480  # longest side, in pixels, that photos are scaled down to: the encoder was made for photos of 513

NEIGHBOURS = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)
"""The last features from stride 16 to stride 32: the mean of a place and its eight neighbours.

With every second place alone, a photo that moves by some pixels is judged anew (Zhang, 2019, arXiv:1904.11486).
"""


def encoder_of_stride_32() -> TimmUniversalEncoder:
    """The encoder with random weights, its last stage dilated at stride 16 and averaged to stride 32."""
    encoder = smp.encoders.get_encoder(ENCODER, weights=None, output_stride=16)
    encoder.model.blocks[-1].append(NEIGHBOURS)
    encoder._output_stride = STRIDE
    return encoder


def pointwise(channels: int, width: int) -> list[nn.Module]:
    """A 1x1 convolution and what follows it: the encoder's features are narrow and linear (section 3.2) until then."""
    return [nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]


class Enlargement(nn.Upsample):
    """Scores `BxCxhxw` enlarged bilinearly, one class after the other in memory: so the best one is found sooner."""

    def __init__(self, factor: int):
        super().__init__(scale_factor=factor, mode="bilinear")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.contiguous())
