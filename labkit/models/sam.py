"""Variant 4: SAM, Segment Anything (Kirillov et al., 2023), with a small image encoder of our own.

The prompt encoder, the mask decoder and their wiring are segment_anything's (section 3, appendix A); in place of its
ViT, which takes seconds to minutes on a CPU, stands the shared backbone with a neck that joins its strides 4 to 32.
Where the decoder enlarges its masks it sees the photo once more, by the backbone's strides 4 and 2, so that edges
follow it (as in HQ-SAM, Ke et al., 2023, section 3.2, and SAM 2, Ravi et al., 2024, section 4).
"""

from typing import Any

import segmentation_models_pytorch as smp
import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from segment_anything.modeling.common import LayerNorm2d
from torch import nn
from torch.nn import functional as F

from labkit.models.backbone import MEAN, STD, encoder_settings

__all__ = ["OUTLINE_LOGIT", "SIDE", "DrawnPrompts", "SmoothMaskDecoder", "build", "details_of", "smooth"]

SIDE = 512
"""The longest side, in pixels, of what the image encoder sees."""

OUTLINE_LOGIT = 8.0
"""What a mask prompt made from a mask says inside it, as a logit; its negative outside."""

_CHANNELS = 128
_DETAILS = {4: 32, 2: 16}
"""Channels of the details at each stride: those of the mask decoder's two enlargements."""

_DISC, _REACH = 8.0, 64.0
_STRIDE = 8


class ImageEncoder(nn.Module):
    """`Bx3x512x512` normalised pixels to the image embedding and, behind it, details: `Bx512x64x64`.

    SAM's own stride is 16 on 1024 pixels; stride 8 on 512 keeps as many places. The first 128 channels are the
    embedding. The details of stride 4 (32 channels) and 2 (16) lie behind them with each square of pixels as channels
    of its place, so that `SamPredictor` and `SamAutomaticMaskGenerator` hand all of it on as one.
    """

    def __init__(self, former: bool = False):
        super().__init__()
        self.img_size = SIDE
        self.encoder = smp.encoders.get_encoder(weights=None, **encoder_settings(former, name="name"))
        finest, fine, *rest = self.encoder.out_channels[1:]
        self.fine = nn.Conv2d(fine, _CHANNELS, 3, stride=2, padding=1)
        self.laterals = nn.ModuleList(nn.Conv2d(channels, _CHANNELS, 1) for channels in rest)
        self.neck = nn.Sequential(_block(), _block())
        self.details = nn.ModuleList()
        if former:
            return
        self.details += [nn.Conv2d(fine, _DETAILS[4], 1), nn.Conv2d(finest, _DETAILS[2], 1)]
        for parameter in self.details.parameters():  # the decoder starts as one without details
            nn.init.zeros_(parameter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.join(self.encoder(x)[1:])

    def join(self, features: list[torch.Tensor]) -> torch.Tensor:
        """The encoder's features at strides 4 to 32 summed at stride 8 and mixed; behind them those of 4 and 2."""
        finest, fine, *rest = features
        y = self.fine(fine)
        for lateral, level in zip(self.laterals, rest, strict=True):
            y = y + F.interpolate(lateral(level), y.shape[-2:], mode="bilinear")
        for block in self.neck:
            y = y + block(y)
        if not self.details:
            return y
        at4, at2 = self.details
        return torch.cat([y, F.pixel_unshuffle(at4(fine), 2), F.pixel_unshuffle(at2(finest), 4)], 1)


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


def details_of(embedding: torch.Tensor, channels: int) -> tuple[torch.Tensor, torch.Tensor] | None:
    """The details behind an embedding's first channels, place by place: `1xhxwx2x2xc` and `1xhxwx2x2x2x2xc`.

    The second's axes are the pixel of stride 4 in its cell and that of stride 2 in the former. None without details.
    """
    if embedding.shape[1] == channels:
        return None
    at4, at2 = embedding[:, channels:].split((_DETAILS[4] * 4, _DETAILS[2] * 16), 1)
    at4 = at4.unflatten(1, (-1, 2, 2)).permute(0, 4, 5, 2, 3, 1)
    at2 = at2.unflatten(1, (-1, 2, 2, 2, 2)).permute(0, 6, 7, 2, 4, 3, 5, 1)
    return at4, at2


class SmoothMaskDecoder(MaskDecoder):
    """segment_anything's mask decoder without the squares that its two enlargements leave.

    Transposed convolutions answer in a pattern of their stride (Odena et al., 2016, "Deconvolution and Checkerboard
    Artifacts"): SAM's own learn from a billion masks not to, ours would tear edges and surfaces to dots.
    """

    def predict_masks(self, *args: Any, **kwargs: Any):
        """As in segment_anything: masks `NxAx256x256` as logits, and the IoU predicted for each."""
        masks, scores = super().predict_masks(*args, **kwargs)
        return smooth(smooth(masks).mT).mT, scores


def smooth(x: torch.Tensor) -> torch.Tensor:
    """Each value becomes a mean of its neighbours along the last axis, by 1 4 6 4 1: what alternates is gone."""
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype=x.dtype, device=x.device) / 16
    ends = x[..., :1], x[..., -1:]
    return torch.cat([ends[0], ends[0], x, ends[1], ends[1]], -1).unfold(-1, 5, 1) @ kernel


class DetailedUpscaling(nn.Sequential):
    """The decoder's two enlargements; `details`, of strides 4 and 2, are added before each activation."""

    details: tuple[torch.Tensor, torch.Tensor]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, norm, active, second, last = self
        at4, at2 = self.details
        return last(second(active(norm(first(x)) + at4)) + at2)


class DetailedMaskDecoder(SmoothMaskDecoder):
    """The mask decoder on an image embedding with details behind it (see `ImageEncoder`)."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.output_upscaling = DetailedUpscaling(*self.output_upscaling)  # type: ignore[has-type]

    def predict_masks(self, image_embeddings: torch.Tensor, *args: Any, **kwargs: Any):
        """As in segment_anything: masks `NxAx256x256` as logits, and the IoU predicted for each."""
        sizes = _CHANNELS, _DETAILS[4] * 4, _DETAILS[2] * 16
        embedding, at4, at2 = image_embeddings.split(sizes, 1)
        self.output_upscaling.details = F.pixel_shuffle(at4, 2), F.pixel_shuffle(at2, 4)
        return super().predict_masks(embedding, *args, **kwargs)


def build(former: bool = False) -> Sam:
    """The network with random weights, for `SamPredictor` and `SamAutomaticMaskGenerator`."""
    grid = SIDE // _STRIDE
    prompts = DrawnPrompts(_CHANNELS, (grid, grid), (SIDE, SIDE), mask_in_chans=16)
    frequencies = prompts.pe_layer.positional_encoding_gaussian_matrix
    frequencies[:, frequencies.shape[1] // 2 :] *= 4  # half of them tell neighbours apart, not only regions
    return Sam(
        ImageEncoder(former),
        prompts,
        (SmoothMaskDecoder if former else DetailedMaskDecoder)(
            transformer_dim=_CHANNELS,
            transformer=TwoWayTransformer(depth=2, embedding_dim=_CHANNELS, num_heads=4, mlp_dim=512),
            num_multimask_outputs=3,
            iou_head_depth=3,
            iou_head_hidden_dim=128,
        ),
        pixel_mean=[255 * MEAN] * 3,
        pixel_std=[255 * STD] * 3,
    )
