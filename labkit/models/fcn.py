"""Variant 3: FCN-32s, FCN-16s and FCN-8s (Long et al., 2015, section 4.2 and figure 3).

The classifier of the backbone becomes convolutional: a 7x7 and a 1x1 layer and a score for every place of the
stride-32 features (the paper's fc6, fc7 and score); between the layers each place hears of the mean of all places
(ParseNet: Liu et al., 2015, section 3.1). Finer scores from strides 16 and 8 are summed in, and transposed convolutions
bring the sum to the size of the photo.
"""

import torch
from torch import nn
from torch.nn import functional as F

from labkit.models.backbone import encoder_of_stride_32, pointwise

__all__ = ["FCN", "FCNDecoder", "bilinear_upsampling", "build"]

_FC6, _MEAN, _FC7, _AT16, _AT8 = 384, 256, 256, 384, 128
"""Channels of fc6, of the mean beside it and of fc7, and before the scores of strides 16 and 8."""

_CROP = {8: 0, 16: 3, 32: 8}  # pixels; measured on photos of validation (4 and 12 before training)


def bilinear_upsampling(channels: int, factor: int) -> nn.ConvTranspose2d:
    """A learned transposed convolution that starts as bilinear interpolation (Long et al., section 3.3).

    Each channel has a kernel of its own: `BxCxHxW` to `BxCx(factor*H)x(factor*W)`. `factor` is even.
    """
    size = 2 * factor
    layer = nn.ConvTranspose2d(channels, channels, size, factor, padding=factor // 2, groups=channels, bias=False)
    ramp = 1 - ((torch.arange(size) + 0.5) / factor - 1).abs()
    with torch.no_grad():
        layer.weight.copy_(ramp[:, None] * ramp[None, :])
    return layer


class FCNDecoder(nn.Module):
    """Scores at strides 32, 16 and 8, summed from coarse to fine.

    `finest` is the stride of the finest score that takes part: 8 (FCN-8s), 16 (FCN-16s) or 32 (FCN-32s).
    """

    def __init__(self, encoder_channels: list[int], classes: int):
        super().__init__()
        *_, at8, at16, at32 = encoder_channels
        self.fc6 = nn.Sequential(
            nn.Conv2d(at32, 2 * at32, 7, padding=3, groups=at32, bias=False), *pointwise(2 * at32, _FC6)
        )
        self.mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), *pointwise(at32, _MEAN))
        self.fc7 = nn.Sequential(nn.Dropout2d(0.1), *pointwise(_FC6 + _MEAN, _FC7), nn.Dropout2d(0.1))
        self.score32 = nn.Conv2d(_FC7, classes, 1)
        self.score16 = nn.Sequential(*pointwise(at16, _AT16), nn.Conv2d(_AT16, classes, 1))
        self.score8 = nn.Sequential(*pointwise(at8, _AT8), nn.Conv2d(_AT8, classes, 1))
        for skip in (self.score16, self.score8):  # section 4.2: zero, so that training starts from the coarser net
            for parameter in skip[-1].parameters():
                nn.init.zeros_(parameter)
        self.up32to16 = bilinear_upsampling(classes, 2)
        self.up16to8 = bilinear_upsampling(classes, 2)
        self.up = nn.ModuleDict({str(stride): bilinear_upsampling(classes, stride) for stride in (8, 16, 32)})
        self.up.requires_grad_(False)  # section 4.3: the last ones stay bilinear, those between the scores learn
        self.finest = 8

    def scores(self, features: list[torch.Tensor]) -> dict[int, torch.Tensor]:
        """The summed scores at strides 32, 16 and 8: `{stride: BxCx(H/stride)x(W/stride)}`."""
        *_, at8, at16, at32 = features
        each = self.fc6(at32)
        sum32 = self.score32(self.fc7(torch.cat([each, self.mean(at32).expand(-1, -1, *each.shape[2:])], 1)))
        sum16 = self.up32to16(sum32) + self.score16(at16)
        sum8 = self.up16to8(sum16) + self.score8(at8)
        return {32: sum32, 16: sum16, 8: sum8}

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        """The scores at the photo's size.

        A cell describes the photo around its first pixel, and its scores are enlarged around its middle: FCN-16s and
        FCN-32s would lie to the right of FCN-8s and below it. The crop moves them back, as the Crop layers of the
        authors' code do, by what training, which enlarges them so, has left of it.
        """
        x = self.up[str(self.finest)](self.scores(features)[self.finest])
        shift = _CROP[self.finest]
        return F.pad(x[..., shift:, shift:], (0, shift, 0, shift), mode="replicate") if shift else x


class FCN(nn.Module):
    """The encoder and the decoder above; `Bx3xHxW` float (sides multiples of 32) to `BxCxHxW` logits."""

    def __init__(self, classes: int = 21):
        super().__init__()
        self.encoder = encoder_of_stride_32()
        self.decoder = FCNDecoder(self.encoder.out_channels, classes)
        self.segmentation_head = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.segmentation_head(self.decoder(self.encoder(x)))


def build(classes: int = 21) -> nn.Module:
    """The network with random weights; set `network.decoder.finest` for FCN-16s or FCN-32s."""
    return FCN(classes)
