"""The networks of the public releases, built by their own libraries, and how each wants to see a photo.

Torchvision's DeepLabV3, FCN and Mask R-CNN, pytorchcv's PSPNet, segmentation_models_pytorch's U-Net and
segment_anything's SAM, all with random weights: `labkit.models.load_weights` fills them from a release's file.
"""

import importlib
import warnings
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from PIL import Image
from segment_anything import sam_model_registry
from torch import nn
from torch.nn import functional as F
from torchvision.models import detection, segmentation

from labkit.weights.catalogue import Release

__all__ = ["SIDES", "Logits", "build_release", "published_state", "read_published", "resized"]

_NEVER = -1e4  # logit of a class that the network does not have; it fits into half precision

SIDES = {"deeplab": 520, "fcn": 520, "pspnet": 480, "unet": 512}
"""Pixels of a photo's shorter side in evaluation (torchvision's presets, pytorchcv's input size); U-Net's is ours."""


class Logits(nn.Module):
    """A library's network that answers as ours do: `BxCxHxW` logits, one a class of the label set.

    A network of one class (people) gets a background whose logit is 0, so that softmax is its sigmoid; one whose
    classes leave no background out (ADE20K, Cityscapes) a background that never wins.
    """

    def __init__(self, network: nn.Module, without_background: bool = False):
        super().__init__()
        self.network, self.without_background = network, without_background

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`x` is `Bx3xHxW` float, normalised."""
        logits = self.network(x)
        if isinstance(logits, dict):  # torchvision: the auxiliary head's are there besides
            logits = logits["out"]
        elif isinstance(logits, tuple):  # pytorchcv
            logits = logits[0]
        if logits.shape[1] == 1:
            return F.pad(logits, (0, 0, 0, 0, 1, 0))
        return F.pad(logits, (0, 0, 0, 0, 1, 0), value=_NEVER) if self.without_background else logits


def build_release(release: Release) -> nn.Module:
    """A release's network with random weights; semantic ones are wrapped in `Logits`."""
    if release.variant == "sam":
        return sam_model_registry[release.name.removeprefix("sam_")]()
    if release.variant == "mask_rcnn":
        return _mask_rcnn(release.name)
    if release.variant == "unet":
        with warnings.catch_warnings():  # smp means to drop this encoder's old name, under which the file was saved
            warnings.simplefilter("ignore", DeprecationWarning)
            return Logits(smp.Unet("timm-efficientnet-b3", encoder_weights=None, classes=1))
    if release.variant == "pspnet":
        build = getattr(importlib.import_module("pytorchcv.models.pspnet"), release.name)
        return Logits(build(fixed_size=False), release.classes in ("ADE20K", "Cityscapes"))
    build = getattr(segmentation, release.name)
    return Logits(build(weights=None, weights_backbone=None, num_classes=21, aux_loss=True))


def _mask_rcnn(name: str) -> nn.Module:
    """The first version was published with frozen BatchNorm, whose epsilon is 0."""
    network = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=91)
    if name == "maskrcnn_resnet50_fpn":
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 0.0
    return network


def read_published(network: nn.Module, path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a release's file for `network`; no code in it is run. ValueError where it holds none."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(checkpoint, dict):
        raise ValueError(f"a {type(checkpoint).__name__} in place of tensors by name")
    return published_state(network, checkpoint)


def published_state(network: nn.Module, checkpoint: dict) -> dict[str, torch.Tensor]:
    """The tensors of a published checkpoint under the names of `network`, a network of `build_release`."""
    state, inner = checkpoint.get("state_dict", checkpoint), getattr(network, "network", network)
    if not state.keys() & inner.state_dict().keys():  # saved with the training code around it
        state = {name.removeprefix("model."): tensor for name, tensor in state.items()}
    return {f"network.{name}": tensor for name, tensor in state.items()} if inner is not network else dict(state)


def resized(pixels: np.ndarray, side: int) -> torch.Tensor:
    """A photo (`HxWx3` uint8) as torchvision's segmentation preset makes it: the shorter side resized, normalised."""
    return segmentation.FCN_ResNet50_Weights.DEFAULT.transforms(resize_size=side)(Image.fromarray(pixels))
