"""The loop: a real short training, its checkpoint, and a run that goes on from it."""

import itertools

import pytest
import torch

from labkit.evaluation.dataset import Dataset
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
