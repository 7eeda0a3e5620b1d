"""The loop: a real short training, its checkpoint, and a run that goes on from it."""

import itertools
import os
from pathlib import Path

import pytest
import torch

from labkit.evaluation.dataset import Dataset
from labkit.io.errors import LabkitError
from labkit.models import build_network
from labkit.training.crops import Crops
from labkit.training.detection import MaskRCNNLearner
from labkit.training.loop import Recipe, mixed, train
from labkit.training.prompting import SamLearner
from labkit.training.shared_encoder import SharedEncoder


def test_learns_and_resumes(tiny_dataset, tmp_path):
    """A run of so many steps moves what may move; one that goes on starts where the checkpoint ended.

    The clock ticks a second a look, so that the number of steps does not depend on the machine.
    """
    torch.manual_seed(0)
    crops = Crops(Dataset(tiny_dataset, "train"), side=64, scales=(70, 120))
    networks = {"fcn": build_network("fcn")}
    encoder = build_network("deeplab").encoder
    stem = encoder.model.conv_stem.weight.clone()
    late = encoder.model.blocks[6][0].conv_pw.weight.clone()
    said: list[str] = []
    checkpoint = tmp_path / "run.checkpoint"
    learner = SharedEncoder(networks, encoder, frozen_stages=2)
    clock = itertools.count().__next__
    train(learner, crops, Recipe(minutes=3 / 60, batch=2, side=64), checkpoint, say=said.append, clock=clock)
    assert checkpoint.exists() and torch.equal(encoder.model.conv_stem.weight, stem)
    assert not torch.equal(encoder.model.blocks[6][0].conv_pw.weight, late)
    state = torch.load(checkpoint, weights_only=True)
    assert state["step"] == 3 and state["seconds"] == 3
    again = Recipe(minutes=5 / 60, batch=2, side=64)
    train(learner, crops, again, checkpoint, resume=True, say=said.append, clock=clock)
    assert any("resumed at step 3" in line for line in said)
    assert torch.load(checkpoint, weights_only=True)["step"] == 5


@pytest.fixture
def run(tmp_path, tiny_dataset):
    """A run of so many steps of one variant, a second each; what it said."""

    def steps(name: str, count: int, resume: bool = True) -> str:
        network, said = build_network(name), list[str]()
        crops = Crops(Dataset(tiny_dataset, "train"), side=64, scales=(70, 120))
        recipe, clock = Recipe(minutes=count / 60, batch=2, side=64), itertools.count().__next__
        learner = SharedEncoder({name: network}, network.encoder, frozen_stages=2)
        train(learner, crops, recipe, tmp_path / "w.checkpoint", resume, say=said.append, clock=clock)
        return "\n".join(said)

    return steps


def test_nothing_to_go_on_from(run, tmp_path):
    """Without a checkpoint, and after the last minute, is said what happens; a damaged or other one is an error."""
    path = tmp_path / "w.checkpoint"
    assert "w.checkpoint нет" in run("deeplab", 1) and "увеличьте --minutes" in run("deeplab", 1)
    whole = path.read_bytes()
    for name, content in (("pspnet", whole), ("deeplab", whole[:-1000]), ("deeplab", b""), ("deeplab", b"<html>")):
        path.write_bytes(content)
        with pytest.raises(LabkitError, match="w.checkpoint.*--resume"):
            run(name, 2)
        assert path.read_bytes() == content


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_full_disk(run, tmp_path):
    """A checkpoint for which there is no room is an OSError that says so, and leaves the one before."""
    run("deeplab", 1, resume=False)
    whole = (tmp_path / "w.checkpoint").read_bytes()
    (tmp_path / f"w.checkpoint.{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space"):
        run("deeplab", 2)
    assert [file.name for file in tmp_path.glob("w*")] == ["w.checkpoint"]
    assert (tmp_path / "w.checkpoint").read_bytes() == whole


@pytest.mark.parametrize("capability, dtype", [("AVX2", torch.float32), ("AVX512", torch.bfloat16)])
def test_half_precision_where_it_pays(monkeypatch, capability, dtype):
    """A processor that would emulate bfloat16, ten times as slowly, computes in float32."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    with mixed(torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    with mixed(torch.device("cpu"), enabled=False):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.parametrize("kind, name", [(SharedEncoder, "unet"), (SamLearner, "sam"), (MaskRCNNLearner, "mask_rcnn")])
def test_every_part_learns_once(kind, name):
    """The parts with a learning rate are all that learns, each once."""
    network = build_network(name)
    learner = SharedEncoder({name: network}, network.encoder, 2) if kind is SharedEncoder else kind(network, 2)
    rated = [p for part in learner.parts() for p in part.parameters() if p.requires_grad]
    learning = [p for p in learner.parameters() if p.requires_grad]
    assert len(rated) == len(learning) and set(map(id, rated)) == set(map(id, learning))
