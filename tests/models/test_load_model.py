"""Loading: every variant, own files, and the errors of arguments that do not fit."""

import math

import numpy as np
import pytest
import safetensors.torch
import torch

from labkit.io.errors import LabkitError
from labkit.models import build_network, load_model, pick_device
from labkit.models.instance import InstanceModel
from labkit.models.prompted import PromptedModel
from labkit.models.semantic import SemanticModel
from labkit.training import export
from labkit.variants import VARIANTS
from labkit.weights.find import FORMAT, read_header


def test_auto_says_what_and_why(load):
    """`auto` takes the embedded weights and carries the reason."""
    model = load_model("5", device="cpu")
    assert model.weights.name == "embedded/pspnet" and model.weights.reason
    assert model.weights.sha256 == load(5).weights.sha256


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "meta", None])
def test_device_that_is_not_there(device):
    """A device that torch does not know, does not have, or cannot compute on."""
    if device == "cuda:99" and torch.cuda.device_count() > 99:
        pytest.skip("this machine has a hundred GPUs")
    with pytest.raises(LabkitError, match="cpu"):
        pick_device(device)


@pytest.mark.parametrize("name", ["мои веса.safetensors", "w.pth", "w.SAFETENSORS", "w"])
def test_own_file(tmp_path, load, default_photos, name):
    """Weights that `export` wrote load, whatever the file is called, and give another mask than the embedded ones."""
    torch.manual_seed(1)
    path = tmp_path / name
    export(build_network("fcn"), "fcn", path)
    model, photo = load_model("fcn", path, "cpu"), default_photos["sheep"]
    assert model.weights.name == path.name
    assert not np.array_equal(model.segment(photo).ids, load("fcn").segment(photo).ids)


def test_the_file_says_which_network(tmp_path):
    """A file names its encoder; one that does not is of the former generation, and is called so."""
    path = tmp_path / "x.safetensors"
    for variant in ("mask_rcnn", "sam"):
        export(build_network(variant), variant, path)
        assert read_header(path)["encoder"] and load_model(variant, path, "cpu").weights.path == path
    for variant in ("unet", "sam"):
        safetensors.torch.save_file({}, path, {"format": FORMAT, "variant": variant})
        with pytest.raises(LabkitError, match="x.safetensors сделан прежней версией"):
            load_model(variant, path, "cpu")


def test_tensors_that_do_not_fit(tmp_path):
    """A file that says it is the variant but lacks a tensor, or has one of another shape, or NaN in it, is refused."""
    path, name = tmp_path / "bad.safetensors", "segmentation_head.0.weight"
    export(build_network("unet"), "unet", path)
    state, metadata = safetensors.torch.load_file(path), read_header(path)
    lacking = {key: tensor for key, tensor in state.items() if key != name}
    damaged = [torch.full_like(state[name], value) for value in (math.nan, math.inf)]
    for wrong in (lacking, *({**state, name: tensor} for tensor in (torch.zeros(5, 16, 3, 3), *damaged))):
        safetensors.torch.save_file(wrong, path, metadata)
        with pytest.raises(LabkitError, match="bad.safetensors.*segmentation_head"):
            load_model("unet", path)
    safetensors.torch.save_file({**state, "no.scale": torch.zeros(1)}, path, metadata)
    with pytest.raises(LabkitError, match="bad.safetensors"):
        load_model("unet", path)


@pytest.mark.parametrize("row", VARIANTS, ids=lambda row: row.name)
def test_every_variant_loads(load, row):
    """All six load from the package, each as its kind of model."""
    kinds = {"semantic": SemanticModel, "instance": InstanceModel, "prompted": PromptedModel}
    model = load(row.name)
    assert model.variant is row and type(model) is kinds[row.kind] and model.weights.name == f"embedded/{row.name}"
    assert not any(parameter.requires_grad for parameter in model.network.parameters())
    assert not model.network.training
