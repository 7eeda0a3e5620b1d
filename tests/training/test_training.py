"""`train_variants`: from a dataset to weights that load, and the errors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pooch
import pytest
import torch
from safetensors.torch import load_file

from labkit.io.errors import LabkitError
from labkit.models import build_network, load_model
from labkit.models.sam import SIDE
from labkit.training import RECIPES, recipe_for, train_variants
from labkit.training.loop import Recipe
from labkit.training.teacher import load_encoder, read_teacher
from labkit.weights.find import embedded_path, read_header

SHORT = Recipe(minutes=0.01, batch=2, side=64)
LATE = "encoder.model.blocks.6.0.conv_pw.weight"


@pytest.fixture
def trained(tiny_dataset, tmp_path):
    """Trains variants on the CPU; the paths of their weights."""

    def run(*names: str, recipe=SHORT, out="w", **how) -> list[Path]:
        return train_variants([*names], tiny_dataset, tmp_path / out, recipe, device="cpu", say=print, **how)

    return run


def test_fine_tunes_embedded_weights(trained, tmp_path, default_photos):
    """A student's short run gives a file that loads, says what made it, and still finds the cat."""
    recipe = replace(SHORT, encoder_rate=3e-5, decoder_rate=1e-4)  # however many steps there is time for
    (path,) = trained("2", recipe=recipe, out="моё/unet.safetensors")
    assert path == tmp_path / "моё" / "unet.safetensors" and read_header(path)["start"] == "embedded"
    model = load_model("unet", path, "cpu")
    assert model.segment(default_photos["cat_kitten"]).mask_of("cat").mean() > 0.1


def test_fine_tunes_mask_rcnn(trained, default_photos):
    """A short run on objects gives a file that loads, is no longer the embedded one, and still finds the cat."""
    recipe = replace(recipe_for("6", 0.03), batch=1, side=128, encoder_rate=3e-5, decoder_rate=1e-4)
    (path,) = trained("6", recipe=recipe, out="моё/mask_rcnn.safetensors")
    assert read_header(path)["start"] == "embedded" and read_header(path)["classes"]
    photo = default_photos["cat_kitten"]
    found, before = (load_model(6, weights, "cpu").segment(photo) for weights in (path, "embedded"))
    assert found.segments[0].label == "cat" and found.mask_of("cat").mean() > 0.1
    assert not np.array_equal(found.confidence, before.confidence)


def test_fine_tunes_sam(trained, default_photos):
    """A short run on prompts gives a file that loads and still answers a box with the cat."""
    recipe = replace(recipe_for("4", 0.01), batch=1, encoder_rate=3e-5, decoder_rate=1e-4)
    (path,) = trained("4", recipe=recipe, out="sam.safetensors")
    assert read_header(path)["variant"] == "sam" and not read_header(path)["classes"]
    model = load_model(4, path, "cpu")
    model.set_photo(default_photos["cat_kitten"])
    result = model.prompt(box=(260, 100, 800, 620))
    assert result.made_by["sha256"] == pooch.file_hash(path) and result.segments[0].mask.mean() > 0.1


def test_starts_from_the_shared_encoder(trained):
    """`encoder` takes over the encoder of the embedded U-Net; its frozen stages come out as they went in."""
    recipe = replace(recipe_for("mask_rcnn", 0.001), batch=1, side=128)
    (path,) = trained("mask_rcnn", recipe=recipe, out="mask_rcnn.safetensors", start="encoder")
    assert read_header(path)["start"] == "encoder"
    ours, unet = map(load_file, (path, embedded_path("unet")))
    for stage in ("conv_stem.weight", "bn1.running_mean", "blocks.1.0.conv_pw.weight"):
        assert torch.equal(ours[f"backbone.encoder.model.{stage}"], unet[f"encoder.model.{stage}"])


def test_sam_has_no_other_start(trained):
    """Its encoder is no one else's: whoever wants to start from another is told."""
    with pytest.raises(LabkitError, match="embedded.*encoder"):
        trained("sam", start="encoder")


@pytest.mark.parametrize("start", ["encoder", "embedded"])
def test_several_share_one_encoder(trained, start):
    """Several variants share one encoder, whose weights come out the same in each file; embedded ones go on from it."""
    names = ["deeplab", "fcn", "pspnet"]
    recipe = replace(SHORT, minutes=0.03)  # its very first step learns next to nothing
    paths = trained(*names, recipe=recipe, start=start)
    assert [path.name for path in paths] == [f"{name}.safetensors" for name in names]
    first, second, third = (load_file(path)[LATE] for path in paths)
    assert torch.equal(first, second) and torch.equal(second, third)
    if start == "embedded":
        assert 0 < (first.float() - load_file(embedded_path("fcn"))[LATE].float()).abs().max() <= 0.01
    assert load_model("pspnet", paths[2], "cpu").weights.name == "pspnet.safetensors"


@pytest.mark.parametrize("names", [["unet", "sam"], ["mask_rcnn", "fcn"], ["4", "6"]])
def test_only_semantic_variants_train_together(trained, tmp_path, names):
    """SAM and Mask R-CNN are trained one at a time; nothing is written."""
    for start in ("encoder", "embedded"):
        with pytest.raises(LabkitError, match="labkit train 6"):
            trained(*names, start=start)
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("name", ["sam", "mask_rcnn"])
def test_objects_are_needed(trained, tiny_dataset, name):
    """Without outlines of objects the error names the folder and the file that is missing."""
    (tiny_dataset / "instances.csv").unlink()
    with pytest.raises(LabkitError, match="набор.*instances.csv"):
        trained(name)


@pytest.mark.parametrize(
    "names, out, error",
    [
        ("3", "w", LabkitError),
        ("3", ".", LabkitError),
        ("13", "w", LabkitError),
        ("3", "file/w", OSError),
        ("13", "file", OSError),
    ],
)
def test_place_of_the_weights(tiny_dataset, tmp_path, monkeypatch, names, out, error):
    """Where they could not be written, in a folder's place or below a file, that is said before the training."""
    (tmp_path / "w" / "deeplab.safetensors").mkdir(parents=True)
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("labkit.training.train", None)
    with pytest.raises(error, match="--out.*safetensors" if error is LabkitError else "file"):
        train_variants([*names], tiny_dataset, Path(out), SHORT, device="cpu")


def test_recipe_of_a_kind():
    """A variant by number or name gets its kind's recipe over the time that was asked for."""
    assert recipe_for("unet", 5) == replace(RECIPES["semantic"], minutes=5)
    assert recipe_for("6", 0.5) == replace(RECIPES["instance"], minutes=0.5)
    assert recipe_for("sam", 7) == replace(RECIPES["prompted"], minutes=7)
    assert RECIPES["prompted"].side == SIDE, "SAM's encoder takes photos of one size only"


def test_starts_from_a_teacher(trained, tmp_path, teacher_file):
    """The decoders learn, the teacher's encoder comes out as it went in, the same in both files; no cache is left."""
    first, second = map(load_file, trained("pspnet", "unet", start=str(teacher_file)))
    encoder = build_network("unet").encoder
    load_encoder(encoder, read_teacher(teacher_file))
    assert torch.equal(first[LATE], encoder.state_dict()[LATE.removeprefix("encoder.")].half())
    assert torch.equal(first[LATE], second[LATE])
    assert {path.name for path in tmp_path.glob("w*")} == {"w", "w.checkpoint", "w.details"}


def test_what_has_learned_is_averaged_with_its_start(trained, teacher_file, monkeypatch):
    """PSPNet goes half of the way that it has learned, U-Net all of it: here 2 in the heads, 2 more in the details."""

    def states(learned: float) -> list[dict[str, torch.Tensor]]:
        def learn(learner, *_, **__):
            decoders = getattr(learner, "shared", learner).decoders
            for parameter in decoders.parameters():
                parameter.data += learned

        monkeypatch.setattr("labkit.training.train", learn)
        return list(map(load_file, trained("pspnet", "unet", out=str(learned), start=str(teacher_file))))

    for before, after, way, name in zip(states(0.0), states(2.0), (1.0, 4.0), ("join.0", "center.join.0"), strict=True):
        moved = after[f"decoder.{name}.weight"].float() - before[f"decoder.{name}.weight"].float()
        assert (moved - way).abs().max() < 0.01
