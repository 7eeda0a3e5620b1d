"""The registry: from a variant's number or name to a model that is ready to segment."""

import pickle
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from labkit.io.errors import LabkitError, one_line
from labkit.locale import text
from labkit.models import deeplab, fcn, mask_rcnn, pspnet, sam, unet
from labkit.models.base import Model, Results
from labkit.models.instance import InstanceModel
from labkit.models.official import build_release, read_published
from labkit.models.packing import unpacked
from labkit.models.prompted import PromptedModel
from labkit.models.semantic import SemanticModel
from labkit.variants import VARIANTS, Variant, find_variant
from labkit.weights.find import find_weights, read_header

__all__ = ["SEMANTIC", "Model", "Results", "build_network", "load_model", "load_weights", "network_for", "pick_device"]

SEMANTIC = tuple(row.name for row in VARIANTS if row.kind == "semantic")  # those that give a class to each pixel

_BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "deeplab": deeplab.build,
    "unet": unet.build,
    "fcn": fcn.build,
    "sam": sam.build,
    "pspnet": pspnet.build,
    "mask_rcnn": mask_rcnn.build,
}
_KINDS = {"semantic": SemanticModel, "instance": InstanceModel, "prompted": PromptedModel}


def load_model(variant: int | str | Variant, weights: str | Path = "auto", device: str = "auto") -> Model:
    """Loads a variant by number or name; `device` is auto, cpu or cuda.

    `weights` is embedded, official, official/NAME, auto (official where there is a GPU) or a file. LabkitError, with
    the next step, for an unknown variant, a file that does not fit or a device that is not there.

    >>> from labkit.photos import load_photos
    >>> (photo,) = load_photos("data/images/cat_kitten.jpg", quiet=True)
    >>> load_model("unet", "embedded", "cpu").segment(photo).segments[0].label
    'cat'
    """
    place = pick_device(device)
    found = find_weights(variant, weights, gpu=place.type == "cuda")
    network = build_release(found.release) if found.release else network_for(found.path, found.variant)
    load_weights(network, found.path)
    return _KINDS[found.variant.kind](network, found, place)


def load_weights(network: nn.Module, path: Path) -> None:
    """Puts a file's tensors into a network: one of `build_network` (safetensors), or of `build_release` (as published).

    Which of the two it is, its bytes say: own files are called as their owner likes. No code in the file is run.
    LabkitError where a tensor is missing, too many, does not fit or has what is no number.
    """
    try:
        with path.open("rb") as file:
            ours = file.read(9)[8:] == b"{"  # behind its length the header of safetensors, which is JSON
        state = unpacked(safetensors.torch.load_file(path)) if ours else read_published(network, path)
        # the plain method: smp's own only warns of tensors that do not fit
        state = {name: tensor.float() for name, tensor in state.items()}
        wrong = nn.Module.load_state_dict(network, state, strict=False)
        missing = [name for name in wrong.missing_keys if not name.endswith("num_batches_tracked")]
        odd = [name for name, tensor in state.items() if not tensor.isfinite().all()]
        for key, names in (("missing", missing), ("extra", wrong.unexpected_keys), ("nan", odd)):
            if names:
                raise RuntimeError(text(f"weights.tensors_{key}", count=len(names), first=names[0]))
    except pickle.UnpicklingError as error:
        raise LabkitError(text("weights.unsafe", path=path)) from error
    except Exception as error:  # a damaged file fails in the manner of pickle, of torch, of struct
        raise LabkitError(text("weights.broken", path=path, error=one_line(error))) from error


def build_network(variant: int | str | Variant) -> nn.Module:
    """A variant's network with random weights."""
    return _BUILDERS[find_variant(variant).name]()


def network_for(path: Path, variant: int | str | Variant) -> nn.Module:
    """The network, with random weights, that one of the kit's own files fits; LabkitError where none does any more."""
    if "encoder" not in read_header(path):
        raise LabkitError(text("weights.former", path=path))
    return build_network(variant)


def pick_device(device: str = "auto") -> torch.device:
    """The torch device that `device` names; LabkitError where it is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
        torch.zeros(1, device=place).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise LabkitError(text("model.device", given=device)) from error
    return place
