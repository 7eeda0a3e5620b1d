"""`train_variants`: from a dataset to weights that load, and the errors."""

from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch

from labkit.io.errors import LabkitError
from labkit.models import build_network, load_model
from labkit.models.sam import SIDE
from labkit.training import RECIPES, recipe_for, train_variants
from labkit.training.loop import Recipe
from labkit.training.teacher import load_encoder, read_teacher
from labkit.weights.find import embedded_path, read_header, sha256_of

SHORT = Recipe(minutes=0.03, batch=2, side=64)


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


def test_starts_from_the_shared_encoder(tiny_dataset, tmp_path):
    """`encoder` takes over the encoder of the embedded U-Net; its frozen stages come out as they went in."""
    recipe = replace(recipe_for("mask_rcnn", 0.001), batch=1, side=128)
    path = tmp_path / "mask_rcnn.safetensors"
    train_variants(["mask_rcnn"], tiny_dataset, path, recipe, start="encoder", device="cpu", say=lambda line: None)
    assert read_header(path)["start"] == "encoder"
    ours, unet = (safetensors.torch.load_file(file) for file in (path, embedded_path("unet")))
    for stage in ("conv_stem.weight", "bn1.running_mean", "blocks.1.0.conv_pw.weight"):
        assert torch.equal(ours[f"backbone.encoder.model.{stage}"], unet[f"encoder.model.{stage}"])


def test_sam_has_no_other_start(tiny_dataset, tmp_path):
    """Its encoder is no one else's: whoever wants to start from another is told."""
    with pytest.raises(LabkitError, match="embedded.*encoder"):
        train_variants(["sam"], tiny_dataset, tmp_path / "x.safetensors", SHORT, start="encoder", device="cpu")


@pytest.mark.parametrize("start", ["encoder", "embedded"])
def test_several_share_one_encoder(tiny_dataset, tmp_path, start):
    """Several variants share one encoder, whose weights come out the same in each file; embedded ones keep it."""
    names = ["deeplab", "fcn", "pspnet"]
    paths = train_variants(names, tiny_dataset, tmp_path / "w", SHORT, start=start, device="cpu", say=print)
    assert [path.name for path in paths] == [f"{name}.safetensors" for name in names]
    late = "encoder.model.blocks.6.0.conv_pw.weight"
    first, second, third = (safetensors.torch.load_file(path)[late] for path in paths)
    assert torch.equal(first, second) and torch.equal(second, third)
    if start == "embedded":
        assert torch.equal(first, safetensors.torch.load_file(embedded_path("fcn"))[late])
    assert load_model("pspnet", paths[2], "cpu").weights.name == "pspnet.safetensors"


@pytest.mark.parametrize("names", [["unet", "sam"], ["mask_rcnn", "fcn"], ["4", "6"]])
def test_only_semantic_variants_train_together(tiny_dataset, tmp_path, names):
    """SAM and Mask R-CNN are trained one at a time; nothing is written."""
    for start in ("encoder", "embedded"):
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


def test_starts_from_a_teacher(tiny_dataset, tmp_path, teacher_file):
    """The decoders learn, the teacher's encoder comes out as it went in, the same in both files; no cache is left."""
    paths = train_variants(["pspnet", "unet"], tiny_dataset, tmp_path / "w", SHORT, start=str(teacher_file), say=print)
    first, second = (safetensors.torch.load_file(path) for path in paths)
    late = "encoder.model.blocks.6.0.conv_pw.weight"
    encoder = build_network("unet").encoder
    load_encoder(encoder, read_teacher(teacher_file))
    assert torch.equal(first[late], encoder.state_dict()[late.removeprefix("encoder.")].half())
    assert torch.equal(first[late], second[late])
    assert {path.name for path in tmp_path.glob("w*")} == {"w", "w.checkpoint", "w.details"}


def test_what_has_learned_is_averaged_with_its_start(tiny_dataset, tmp_path, teacher_file, monkeypatch):
    """PSPNet goes half of the way that it has learned, U-Net all of it: here 2 in the heads, 2 more in the details."""

    def states(learned: float) -> list[dict[str, torch.Tensor]]:
        def learn(learner, *_):
            decoders = getattr(learner, "shared", learner).decoders
            for parameter in decoders.parameters():
                parameter.data += learned

        monkeypatch.setattr("labkit.training.train", learn)
        out = tmp_path / str(learned)
        paths = train_variants(["pspnet", "unet"], tiny_dataset, out, SHORT, start=str(teacher_file), device="cpu")
        return [safetensors.torch.load_file(path) for path in paths]

    for before, after, way, name in zip(states(0.0), states(2.0), (1.0, 4.0), ("join.0", "center.join.0"), strict=True):
        moved = after[f"decoder.{name}.weight"].float() - before[f"decoder.{name}.weight"].float()
        assert (moved - way).abs().max() < 0.01
