"""The official semantic networks with random weights, as the kit loads them, on small inputs: nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

import torch

from labkit.catalogue import OFFICIAL
from labkit.models import build_release
from labkit.models.semantic import SemanticModel
from labkit.variants import find_variant
from labkit.weights import Weights


def random_official(name: str, side: int) -> SemanticModel:
    """A release's model on the CPU, its weights the same random ones at each call, its working side `side`."""
    torch.manual_seed(0)
    release = OFFICIAL[name]
    weights = Weights(find_variant(release.variant), f"official/{name}", Path("none"), "0", "test", release)
    model = SemanticModel(build_release(release), weights, torch.device("cpu"))
    model._side = side
    return model
