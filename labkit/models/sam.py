"""Variant 4: SAM, Segment Anything (Kirillov et al., 2023), as MobileSAM (Zhang et al., 2023, arXiv:2306.14289).

The prompt encoder, the mask decoder and their wiring are segment_anything's (section 3, appendix A). In place of its
ViT-H, which takes minutes on a CPU, stands a TinyViT (Wu et al., 2022) that has learned to embed photos as that does.
"""

import timm
import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from segment_anything.modeling.common import LayerNorm2d
from timm.models import tiny_vit
from torch import nn

__all__ = ["ENCODER", "OUTLINE_LOGIT", "SIDE", "build"]

ENCODER = "tiny_vit_5m"  # the encoder's name, in what timm calls it
SIDE = 512  # longest side, in pixels, of what the image encoder sees: half of SAM's, for a CPU
OUTLINE_LOGIT = 8.0  # what a mask prompt made from a mask says inside it, as a logit; its negative outside

_CHANNELS, _STRIDE = 256, 16


class _Attention(tiny_vit.Attention):
    """TinyViT's, its biases with an axis for the batch: without it PyTorch's fused attention is not used."""

    def get_attention_biases(self, device: torch.device) -> torch.Tensor:
        return super().get_attention_biases(device)[None]


class ImageEncoder(nn.Module):
    """`Bx3x512x512` normalised pixels to the image embedding, `Bx256x32x32`: TinyViT and SAM's neck."""

    def __init__(self):
        super().__init__()
        self.img_size = SIDE
        self.trunk = timm.create_model("tiny_vit_5m_224", num_classes=0)
        self.trunk.stages[3].downsample.conv2.conv.stride = (1, 1)  # its last stage stays at stride 16
        for layer in self.trunk.modules():
            if isinstance(layer, tiny_vit.Attention):
                layer.__class__ = _Attention
        self.neck = nn.Sequential(
            nn.Conv2d(self.trunk.num_features, _CHANNELS, 1, bias=False),
            LayerNorm2d(_CHANNELS),
            nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1, bias=False),
            LayerNorm2d(_CHANNELS),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.neck(self.trunk.forward_features(x))


def build() -> Sam:
    """The network with random weights, for `SamPredictor` and `SamAutomaticMaskGenerator`."""
    grid = SIDE // _STRIDE
    transformer = TwoWayTransformer(depth=2, embedding_dim=_CHANNELS, num_heads=8, mlp_dim=2048)
    return Sam(
        ImageEncoder(),
        PromptEncoder(_CHANNELS, (grid, grid), (SIDE, SIDE), mask_in_chans=16),
        MaskDecoder(transformer_dim=_CHANNELS, transformer=transformer),
    )
