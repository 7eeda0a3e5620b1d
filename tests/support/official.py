"""The official networks with random weights, as the kit loads them: nothing is downloaded."""

from pathlib import Path

import numpy as np
import torch

from labkit.models import _KINDS, build_release
from labkit.models.base import Model
from labkit.models.semantic import SemanticModel
from labkit.variants import find_variant
from labkit.weights.catalogue import OFFICIAL
from labkit.weights.find import Weights

PUBLISHED = Path(__file__).parents[1] / "models" / "published"


def recorded(name: str, device: str) -> dict[str, torch.Tensor]:
    """The tensors of a published checkpoint: random values of the recorded shapes and types, or none on `meta`."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for line in (PUBLISHED / f"{name}.tsv").read_text().splitlines():
        key, shape, dtype = line.split("\t")
        size = [int(n) for n in shape.split("x")] if shape else []
        if device == "meta" or dtype != "float32":
            state[key] = torch.zeros(size, dtype=getattr(torch, dtype), device=device)
        elif key.endswith("running_var") or (len(size) == 1 and key.endswith("weight")):
            state[key] = torch.rand(size, generator=generator) * 0.2 + 0.9
        else:
            fan = int(np.prod(size[1:])) if len(size) > 1 else 100
            calm = 0.05 if "rpn" in key or "bbox_pred" in key else 1.0  # boxes that stay in the photo
            state[key] = torch.randn(size, generator=generator) * calm * (2 / fan) ** 0.5
    return state


def official_model(name: str, network: torch.nn.Module | None = None) -> Model:
    """A release's model on the CPU, around a network; without one around its own with random weights."""
    release = OFFICIAL[name]
    weights = Weights(find_variant(release.variant), f"official/{name}", Path("none"), "0", "test", release)
    return _KINDS[weights.variant.kind](network or build_release(release), weights, torch.device("cpu"))


def random_official(name: str, side: int) -> SemanticModel:
    """A semantic release's model, its weights the same random ones at each call, its working side `side`."""
    torch.manual_seed(0)
    model = official_model(name)
    model._side = side
    return model
