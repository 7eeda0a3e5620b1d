"""Records what the published checkpoints hold, a line a tensor: name, shape, dtype. Run as a program.

Torchvision, segment_anything, pytorchcv and segmentation_models_pytorch define what their files hold, so their own
networks, built as the publisher built them, are the source; no file is downloaded.
"""

import re
import sys
from pathlib import Path
from unittest import mock

import segmentation_models_pytorch as smp
import torch
from pytorchcv.model_provider import get_model
from segment_anything import sam_model_registry
from torchvision.models import get_model_builder, get_model_weights
from torchvision.models._api import WeightsEnum

sys.path.insert(0, str(Path(__file__).parents[3]))

from labkit.weights.catalogue import OFFICIAL


def published(name: str) -> dict[str, torch.Tensor]:
    """The tensors of a release, on the meta device, under the names that its file has."""
    if name.startswith("sam_"):
        return sam_model_registry[name.removeprefix("sam_")]().state_dict()
    if name.startswith("pspnet_"):
        return get_model(name, pretrained=False).state_dict()
    if name == "unet_people":
        network = smp.Unet("timm-efficientnet-b3", encoder_weights=None, classes=1)
        return {f"model.{key}": tensor for key, tensor in network.state_dict().items()}
    state = torchvision_s(name).state_dict()
    return {first_name(key): tensor for key, tensor in state.items()} if name == "maskrcnn_resnet50_fpn" else state


def first_name(key: str) -> str:
    """A tensor's name in the file of 2019: torchvision's modules still read these old names, each renames its own."""
    key = re.sub(r"(fpn\.(?:inner|layer)_blocks\.\d)\.0\.", r"\1.", key)
    key = key.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
    return re.sub(r"mask_head\.(\d)\.0\.", lambda m: f"mask_head.mask_fcn{int(m[1]) + 1}.", key)


def torchvision_s(name: str) -> torch.nn.Module:
    """Torchvision's network as it stands when its own weights are asked for, which are neither downloaded nor read."""
    with mock.patch.object(WeightsEnum, "get_state_dict"), mock.patch.object(torch.nn.Module, "load_state_dict"):
        return get_model_builder(name)(weights=get_model_weights(name).DEFAULT)


if __name__ == "__main__":
    for release in OFFICIAL.values():
        with torch.device("meta"):
            state = published(release.name)
        rows = [(key, "x".join(map(str, t.shape)), str(t.dtype).removeprefix("torch.")) for key, t in state.items()]
        (Path(__file__).parent / f"{release.name}.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
