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

from labkit.models.backbone import ENCODER, MEAN, STD

__all__ = ["OUTLINE_LOGIT", "SIDE", "DrawnPrompts", "build"]

SIDE = 512
"""The longest side, in pixels, of what the image encoder sees."""

OUTLINE_LOGIT = 8.0
"""What a mask prompt made from a mask says inside it, as a logit; its negative outside."""

_CHANNELS = 128
_DISC, _REACH = 8.0, 64.0
_STRIDE = 8


class ImageEncoder(nn.Module):
    """`Bx3x512x512` normalised pixels to the image embedding `Bx128x64x64`.

    SAM's own stride is 16 on 1024 pixels; stride 8 on 512 keeps as many places.
    """

    def __init__(self):
        super().__init__()
        self.img_size = SIDE
        self.encoder = smp.encoders.get_encoder(ENCODER, weights=None)
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


class DrawnPrompts(PromptEncoder):
    """segment_anything's prompt encoder, which besides draws points and boxes as a mask prompt.

    A point or a box says where; SAM learned to relate that to the places of the photo from a billion masks. Drawn
    (section 3, dense prompts) it stands at its place from the start, and a few thousand masks are enough.
    """

    def forward(
        self,
        points: tuple[torch.Tensor, torch.Tensor] | None,
        boxes: torch.Tensor | None,
        masks: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As in segment_anything: points (`NxKx2`, `NxK`), boxes `Nx4`, masks `Nx1xMxM` logits, in input pixels."""
        return super().forward(points, boxes, self.draw(points, boxes, masks))

    def draw(
        self,
        points: tuple[torch.Tensor, torch.Tensor] | None,
        boxes: torch.Tensor | None,
        masks: torch.Tensor | None,
    ) -> torch.Tensor | None:
        """The mask prompt (`Nx1xMxM` logits): `masks` or the boxes' insides, and a disc at each point.

        Without a mask a point also fades out around its disc (by 1/e in 64 pixels), so that each place knows how near
        it is.
        """
        drawn = masks
        given = points[0] if points is not None else boxes
        if given is None:
            return drawn
        step = self.input_image_size[0] / self.mask_input_size[0]
        places = (torch.arange(self.mask_input_size[0], device=given.device) + 0.5) * step
        if drawn is None:
            drawn = torch.zeros(len(given), 1, len(places), len(places), device=given.device)
            if boxes is not None:
                x0, y0, x1, y1 = (side[:, None] for side in boxes.float().reshape(-1, 4).unbind(1))
                rows, columns = (places >= y0) & (places <= y1), (places >= x0) & (places <= x1)
                inside = rows[:, :, None] & columns[:, None, :]
                drawn = drawn + torch.where(inside, 0.5, -0.5)[:, None] * OUTLINE_LOGIT
        if points is not None:
            x, y = (points[0].float() + 0.5).unbind(2)
            near_x, near_y = (places - x[..., None]).square(), (places - y[..., None]).square()
            far = near_y[..., :, None] + near_x[..., None, :]
            mark = 2.0 * (far <= _DISC**2)
            if masks is None:
                mark = mark + (-far.sqrt() / _REACH).exp()
            sign = (points[1] == 1).float() - (points[1] == 0).float()
            drawn = drawn + OUTLINE_LOGIT * (mark * sign[..., None, None]).sum(1, keepdim=True)
        return drawn


def build() -> Sam:
    """The network with random weights, for `SamPredictor` and `SamAutomaticMaskGenerator`."""
    grid = SIDE // _STRIDE
    prompts = DrawnPrompts(_CHANNELS, (grid, grid), (SIDE, SIDE), mask_in_chans=16)
    frequencies = prompts.pe_layer.positional_encoding_gaussian_matrix
    frequencies[:, frequencies.shape[1] // 2 :] *= 4  # half of them tell neighbours apart, not only regions
    return Sam(
        ImageEncoder(),
        prompts,
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
