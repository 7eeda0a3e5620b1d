"""How the embedded weights came to be, and fine-tuning for students: `labkit train`."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from labkit.classes import VOC
from labkit.errors import LabkitError
from labkit.models import build_network, load_weights, pick_device
from labkit.texts import text
from labkit.training.crops import Crops
from labkit.training.dataset import Dataset
from labkit.training.imagenet import start_from_imagenet
from labkit.training.loop import Recipe, train
from labkit.variants import find_variant
from labkit.weights import FORMAT, find_weights

__all__ = ["export", "train_variants"]


def train_variants(
    variants: list[str],
    dataset: str | Path,
    out: Path,
    recipe: Recipe,
    resume: bool = False,
    start: str = "embedded",
    split: str = "train",
    device: str = "auto",
    say=print,
) -> list[Path]:
    """Trains variants together on one encoder and writes their weights; returns the paths.

    `start` is `imagenet` (how the embedded weights were made) or `embedded` (fine-tuning from those). `out` is a
    file for one variant, a folder for several; `OUT.checkpoint` beside it is what `resume` goes on from.
    """
    names = [find_variant(variant).name for variant in variants]
    if start == "embedded" and len(names) > 1:
        raise LabkitError(text("train.one_from_embedded"))
    torch.manual_seed(recipe.seed)
    networks = {name: build_network(name) for name in names}
    dilated = [network.encoder for network in networks.values() if network.encoder.output_stride == 16]
    encoder = dilated[0] if dilated else build_network("deeplab").encoder
    if start == "embedded":
        load_weights(networks[names[0]], find_weights(names[0], "embedded").path)
        encoder.load_state_dict(networks[names[0]].encoder.state_dict())
    else:
        start_from_imagenet(encoder, {name: network.decoder for name, network in networks.items()}, VOC.names)
    crops = Crops(Dataset(dataset, split), side=recipe.side)
    checkpoint = out.with_name(out.name + ".checkpoint")
    place = pick_device(device)
    average = train(networks, encoder, crops, recipe, checkpoint, resume, place.type, say)
    note = {"recipe": str(asdict(recipe)), "start": start, "trained_together": ",".join(names)}
    paths = []
    for name, network in networks.items():
        network.encoder.load_state_dict(average.encoder.state_dict())
        network.decoder.load_state_dict(average.decoders[name].state_dict())
        network.segmentation_head.load_state_dict(average.heads[name].state_dict())
        path = out if len(names) == 1 else out / f"{name}.safetensors"
        export(network, name, path, note)
        paths.append(path)
    return paths


def export(network: nn.Module, variant: str, path: Path, note: dict[str, str] | None = None) -> str:
    """Writes a network's weights as fp16 safetensors that say which variant they are; returns the sha256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        name: tensor.detach().cpu().half().contiguous()
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    metadata = {"format": FORMAT, "variant": variant, "classes": VOC.name, **(note or {})}
    data = safetensors.torch.save(state, metadata)
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)
    return hashlib.sha256(data).hexdigest()
