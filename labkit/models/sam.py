"""Variant 4: SAM, Segment Anything (Kirillov et al., 2023), with a small image encoder of our own.

The prompt encoder, the mask decoder and their wiring are segment_anything's (section 3, appendix A); in place of its
ViT, which takes seconds to minutes on a CPU, stands EfficientNet-Lite0 with a neck that joins its strides 4 to 32.
"""

from __future__ import annotations

import segmentation_models_pytorch as smp
import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from segment_anything.modeling.common import LayerNorm2d
from torch import nn
from torch.nn import functional as F

from labkit.models.backbone import BN_EPS, ENCODER, MEAN, STD

__all__ = ["OUTLINE_LOGIT", "SIDE", "build"]

SIDE = 448
"""The longest side, in pixels, of what the image encoder sees."""

OUTLINE_LOGIT = 8.0
"""What a mask prompt made from a mask says inside it, as a logit; its negative outside."""

_CHANNELS = 128
_STRIDE = 8


class ImageEncoder(nn.Module):
    """`Bx3x448x448` normalised pixels to the image embedding `Bx128x56x56`.

    SAM's own stride is 16 on 1024 pixels; stride 8 on 448 keeps nearly as many places.
    """

    def __init__(self):
        super().__init__()
        self.img_size = SIDE
        self.encoder = smp.encoders.get_encoder(ENCODER, weights=None, bn_eps=BN_EPS)
        fine, *rest = self.encoder.out_channels[2:]
        self.fine = nn.Conv2d(fine, _CHANNELS, 3, stride=2, padding=1)
        self.laterals = nn.ModuleList(nn.Conv2d(channels, _CHANNELS, 1) for channels in rest)
        self.neck = nn.Sequential(_block(), _block())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.join(self.encoder(x)[2:])

    def join(self, features: list[torch.Tensor]) -> torch.Tensor:
        """The encoder's features at strides 4, 8, 16 and 32 summed at stride 8 and mixed."""
        fine, *rest = features
        y = self.fine(fine)
        for lateral, level in zip(self.laterals, rest, strict=True):
            y = y + F.interpolate(lateral(level), y.shape[-2:], mode="bilinear")
        for block in self.neck:
            y = y + block(y)
        return y


def _block() -> nn.Sequential:
    return nn.Sequential(
        LayerNorm2d(_CHANNELS),
        nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1),
        nn.GELU(),
        nn.Conv2d(_CHANNELS, _CHANNELS, 1),
    )


def build() -> Sam:
    """The network with random weights, for `SamPredictor` and `SamAutomaticMaskGenerator`."""
    grid = SIDE // _STRIDE
    return Sam(
        ImageEncoder(),
        PromptEncoder(_CHANNELS, (grid, grid), (SIDE, SIDE), mask_in_chans=16),
        MaskDecoder(
            transformer_dim=_CHANNELS,
            transformer=TwoWayTransformer(depth=2, embedding_dim=_CHANNELS, num_heads=4, mlp_dim=512),
            num_multimask_outputs=3,
            iou_head_depth=3,
            iou_head_hidden_dim=128,
        ),
        pixel_mean=[255 * MEAN] * 3,
        pixel_std=[255 * STD] * 3,
    )
