"""The registry: from a variant's number or name to a model that is ready to segment."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from labkit.errors import LabkitError
from labkit.images import Photo
from labkit.models.semantic import SemanticModel
from labkit.progress import track
from labkit.segmentation import Segmentation
from labkit.texts import text
from labkit.variants import VARIANTS, Variant, find_variant
from labkit.weights import find_weights

__all__ = ["SEMANTIC", "Results", "build_network", "load_model", "load_weights", "pick_device"]

SEMANTIC = tuple(row.name for row in VARIANTS if row.kind == "semantic")
"""The variants whose network `build_network` makes."""


class Results(list[Segmentation]):
    """The segmentations of a set; `failed` has the name and the reason of each photo that could not be done."""

    failed: list[tuple[str, str]]

    def __init__(self, results: Sequence[Segmentation] = (), failed: Sequence[tuple[str, str]] = ()):
        super().__init__(results)
        self.failed = list(failed)


class Model(SemanticModel):
    """A loaded model: `segment(photo)` for one photo, `segment_all(photos)` for a set."""

    def segment_all(self, photos: Sequence[Photo], **settings: Any) -> Results:
        """Segments a set with a progress bar; a photo that fails is named and stops none of the others.

        On a GPU, neighbours of one size go through the network together; on a CPU one at a time is faster.
        """
        self._check(settings)
        results = Results()
        for group in track(_same_size(photos, self.batch), text("model.progress")):
            self._segment_group(group, settings, results)
        for name, reason in results.failed:
            print(text("model.failed", name=name, reason=reason))
        return results

    def _segment_group(self, group: list[Photo], settings: dict[str, Any], results: Results) -> None:
        try:
            results += self.segment_batch(group, **settings)
        except Exception as error:  # whatever one photo does, the others are still segmented
            if len(group) == 1:
                results.failed.append((group[0].name, str(error) or type(error).__name__))
                return
            for photo in group:
                self._segment_group([photo], settings, results)


def load_model(variant: int | str | Variant, weights: str | Path = "auto", device: str = "auto") -> Model:
    """Loads a variant by number or name. `weights`: embedded, auto or a safetensors file; `device`: auto, cpu, cuda.

    LabkitError, with the next step, for an unknown variant, a file that does not fit or a device that is not there.
    """
    found = find_weights(variant, weights)
    place = pick_device(device)
    network = build_network(found.variant)
    load_weights(network, found.path)
    return Model(network, found, place)


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
    """A semantic variant's network with random weights; LabkitError for the variants that are not semantic."""
    row = find_variant(variant)
    if row.name not in SEMANTIC:
        raise LabkitError(text("variant.no_network", variant=row.title, valid=", ".join(SEMANTIC)))
    return importlib.import_module(f"labkit.models.{row.name}").build()


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


def _same_size(photos: Sequence[Photo], most: int) -> list[list[Photo]]:
    groups: list[list[Photo]] = []
    for photo in photos:
        fits = groups and len(groups[-1]) < most and groups[-1][0].pixels.shape == photo.pixels.shape
        groups[-1].append(photo) if fits else groups.append([photo])
    return groups
