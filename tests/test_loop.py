"""The loop: a real short training, its checkpoint, and a run that goes on from it."""

from __future__ import annotations

import torch

from labkit.models import build_network
from labkit.training.crops import Crops
from labkit.training.dataset import Dataset
from labkit.training.loop import Recipe, train
from labkit.training.shared_encoder import SharedEncoder


def test_learns_and_resumes(tiny_dataset, tmp_path):
    """A few steps lower the loss; a run that goes on starts where the checkpoint ended; frozen stages stay."""
    torch.manual_seed(0)
    crops = Crops(Dataset(tiny_dataset, "train"), side=64, scales=(70, 120))
    networks = {"fcn": build_network("fcn")}
    encoder = build_network("deeplab").encoder
    stem = encoder.model.conv_stem.weight.clone()
    late = encoder.model.blocks[6][0].conv_pw.weight.clone()
    said: list[str] = []
    checkpoint = tmp_path / "run.checkpoint"
    learner = SharedEncoder(networks, encoder, frozen_stages=2)
    train(learner, crops, Recipe(minutes=0.08, batch=2, side=64), checkpoint, say=said.append)
    assert checkpoint.exists() and torch.equal(encoder.model.conv_stem.weight, stem)
    assert not torch.equal(encoder.model.blocks[6][0].conv_pw.weight, late)
    state = torch.load(checkpoint, weights_only=True)
    assert state["step"] > 2 and state["seconds"] >= 0.08 * 60
    again = Recipe(minutes=0.11, batch=2, side=64)
    train(learner, crops, again, checkpoint, resume=True, say=said.append)
    assert any(f"resumed at step {state['step']}" in line for line in said)
    assert torch.load(checkpoint, weights_only=True)["step"] > state["step"]
