"""Variant 1: DeepLabV3+ (Chen et al., 2018, "Encoder-Decoder with Atrous Separable Convolution").

The last stage of the encoder keeps stride 16 and spreads its kernels instead (atrous convolution, section 3.1);
atrous spatial pyramid pooling looks at rates 6, 12 and 18; the decoder adds the stride-4 features.
Both enlargements are by pixels, not by corners as in smp: those move the far side of a photo by almost a cell.
"""

import segmentation_models_pytorch as smp
from segmentation_models_pytorch.decoders.deeplabv3.decoder import SeparableConv2d
from torch import nn

from labkit.models.backbone import ENCODER, Enlargement

__all__ = ["build"]

_ASPP, _DECODER, _LOW = 256, 64, 48
"""Channels of the pyramid, of the decoder at stride 4 (smp's is as wide as the pyramid) and of its finer features."""


def build(classes: int = 21) -> nn.Module:
    """The network with random weights: `Bx3xHxW` float (sides multiples of 32) to `BxCxHxW` logits."""
    network = smp.DeepLabV3Plus(
        encoder_name=ENCODER,
        encoder_weights=None,
        encoder_output_stride=16,
        decoder_channels=_ASPP,
        decoder_atrous_rates=(6, 12, 18),
        decoder_aspp_dropout=0.1,
        classes=classes,
    )
    network.decoder.aspp = nn.Sequential(network.decoder.aspp[0], *_mixing(_ASPP))
    network.decoder.up = nn.Upsample(scale_factor=4, mode="bilinear")
    network.decoder.block2 = nn.Sequential(*_mixing(_DECODER + _LOW))
    network.segmentation_head = nn.Sequential(nn.Conv2d(_DECODER, classes, 1), Enlargement(4))
    return network


def _mixing(channels: int) -> list[nn.Module]:
    """A separable 3x3 convolution to the decoder's width."""
    convolution = SeparableConv2d(channels, _DECODER, 3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(_DECODER), nn.ReLU()]
