"""The registry: from a variant's number or name to a model that is ready to segment."""

from __future__ import annotations

import importlib
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import nn

from labkit.errors import LabkitError
from labkit.models.instance import InstanceModel
from labkit.models.model import Model, Results
from labkit.models.prompted import PromptedModel
from labkit.models.semantic import SemanticModel
from labkit.texts import text
from labkit.variants import VARIANTS, Variant, find_variant
from labkit.weights import find_weights

__all__ = ["SEMANTIC", "Model", "Results", "build_network", "load_model", "load_weights", "pick_device"]

SEMANTIC = tuple(row.name for row in VARIANTS if row.kind == "semantic")
"""The variants that give a class to each pixel."""


_KINDS = {"semantic": SemanticModel, "instance": InstanceModel, "prompted": PromptedModel}


def load_model(variant: int | str | Variant, weights: str | Path = "auto", device: str = "auto") -> Model:
    """Loads a variant by number or name. `weights`: embedded, auto or a safetensors file; `device`: auto, cpu, cuda.

    LabkitError, with the next step, for an unknown variant, a file that does not fit or a device that is not there.
    """
    found = find_weights(variant, weights)
    place = pick_device(device)
    network = build_network(found.variant)
    load_weights(network, found.path)
    return _KINDS[found.variant.kind](network, found, place)


def load_weights(network: nn.Module, path: Path) -> None:
    """Puts the tensors of a safetensors file into a network; LabkitError where one is missing or does not fit."""
    try:
        state = safetensors.torch.load_file(path)
        # the plain method: smp's own only warns of tensors that do not fit
        nn.Module.load_state_dict(network, {name: tensor.float() for name, tensor in state.items()}, strict=False)
        missing = [n for n in network.state_dict() if n not in state and not n.endswith("num_batches_tracked")]
        if missing:
            raise RuntimeError(f"{len(missing)} tensors are missing, {missing[0]} the first")
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise LabkitError(text("weights.broken", path=path, error=reason)) from error


def build_network(variant: int | str | Variant) -> nn.Module:
    """A variant's network with random weights."""
    return importlib.import_module(f"labkit.models.{find_variant(variant).name}").build()


def pick_device(device: str = "auto") -> torch.device:
    """The torch device that `device` names; LabkitError where it is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
        torch.zeros(1, device=place).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise LabkitError(text("model.device", given=device)) from error
    return place
