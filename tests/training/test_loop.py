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


@pytest.fixture
def run(tmp_path, tiny_dataset):
    """A run of so many steps from random weights, each a second of its own clock on any machine; what it said."""

    def steps(name: str, count: int, resume: bool = True) -> str:
        network, said = build_network(name), list[str]()
        crops = Crops(Dataset(tiny_dataset, "train"), side=64, scales=(70, 120))
        recipe, clock = Recipe(minutes=count / 60, batch=2, side=64), itertools.count().__next__
        learner = SharedEncoder({name: network}, network.encoder)
        train(learner, crops, recipe, tmp_path / "w.checkpoint", resume, say=said.append, clock=clock)
        return "\n".join(said)

    return steps


def test_learns_and_resumes(run, tmp_path):
    """A run of so many steps moves what may move; one that goes on starts where the checkpoint ended."""
    states, stem, late = [], "encoder.model.conv_stem.weight", "encoder.model.blocks.6.0.conv_pw.weight"
    for said, steps in (("w.checkpoint нет", 3), ("resumed at step 3", 5)):
        assert said in run("deeplab", steps)
        states.append(torch.load(tmp_path / "w.checkpoint", weights_only=True))
        assert states[-1]["step"] == states[-1]["seconds"] == steps
    first, last = (state["model"] for state in states)
    assert torch.equal(first[stem], last[stem]) and not torch.equal(first[late], last[late])


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
    learner = SharedEncoder({name: network}, network.encoder) if kind is SharedEncoder else kind(network)
    rated = [p for part in learner.parts() for p in part.parameters() if p.requires_grad]
    learning = [p for p in learner.parameters() if p.requires_grad]
    assert len(rated) == len(learning) and set(map(id, rated)) == set(map(id, learning))
