"""Variant 6: Mask R-CNN (He et al., 2017) over a feature pyramid (Lin et al., 2017).

Two stages: the region proposal network looks where objects may be (Ren et al., 2015, section 3.1); for each proposal,
RoIAlign cuts a fixed grid of features out of the pyramid, and the heads give its class, its box and a 28x28 mask.
"""

import segmentation_models_pytorch as smp
import torch
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from labkit.models.backbone import ENCODER, MEAN, STD

__all__ = ["SIDE", "build"]

SIDE = 576  # longest side, in pixels, that the network's own transform scales a photo to

_CHANNELS = 96
_ANCHORS = ((20,), (44,), (96,), (192,), (352,))


class Pyramid(nn.Module):
    """The encoder and the pyramid over its strides 4 to 32: `Bx3xHxW` to five maps of 96 channels, strides 4 to 64."""

    def __init__(self):
        super().__init__()
        self.encoder = smp.encoders.get_encoder(ENCODER, weights=None)
        self.fpn = FeaturePyramidNetwork(self.encoder.out_channels[2:], _CHANNELS, extra_blocks=LastLevelMaxPool())
        self.out_channels = _CHANNELS

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.fpn({str(level): features for level, features in enumerate(self.encoder(x)[2:])})


def build(classes: int = 21) -> MaskRCNN:
    """The network with random weights: a list of `3xHxW` float in [0, 1] to torchvision's dicts of detections."""
    return MaskRCNN(
        Pyramid(),
        min_size=SIDE,
        max_size=SIDE,
        image_mean=[MEAN] * 3,
        image_std=[STD] * 3,
        rpn_anchor_generator=AnchorGenerator(_ANCHORS, ((0.5, 1.0, 2.0),) * len(_ANCHORS)),
        rpn_head=RPNHead(_CHANNELS, 3),
        rpn_pre_nms_top_n_test=500,
        rpn_post_nms_top_n_test=300,
        box_head=TwoMLPHead(_CHANNELS * 7 * 7, 320),
        box_predictor=FastRCNNPredictor(320, classes),
        mask_head=MaskRCNNHeads(_CHANNELS, (128, 128, 128), 1),
        mask_predictor=MaskRCNNPredictor(128, 128, classes),
    )
