"""Features that are computed once: what is kept of a photo, and heads that learn from it."""

import numpy as np
import pytest
import torch

from labkit.evaluation.dataset import Dataset
from labkit.models import SEMANTIC, build_network
from labkit.training.cached import CachedFeatures, CachedHeads
from labkit.training.loop import Recipe
from labkit.training.shared_encoder import SharedEncoder


class Guess(torch.nn.Module):
    """A teacher of random weights that finds class 8 in the left half."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.encoder = build_network("deeplab").encoder.eval().requires_grad_(False)

    def maps(self, pixels):
        maps = torch.zeros(21, 48, 48)
        maps[8, :, :24], maps[0, :, 24:] = 1, 1
        return maps


@pytest.fixture
def cached(tiny_dataset, tmp_path):
    return CachedFeatures(Dataset(tiny_dataset, "train"), Guess(), tmp_path / "features", say=lambda line: None)


def test_a_mirrored_photo_is_the_mirrored_square(cached):
    """Its labels are the plain ones turned round, its features another photo's; the maps turn with it."""
    plain, mirrored = cached._labels[:2]
    assert (plain == mirrored[:, ::-1]).mean() > 0.95
    assert not np.array_equal(*cached._features[3][:2])
    rng = np.random.default_rng(0)
    sides = {float(maps[8, :, :24].mean()) for _, _, maps in (cached.draw(rng) for _ in range(20))}
    assert sides == {0.0, 1.0}


def test_features_are_computed_once(cached, tiny_dataset, tmp_path):
    """A second look at the same photos reads the files; other photos are computed anew."""
    kept = tmp_path / "features" / "features3.npy"
    before = kept.stat().st_mtime_ns
    data = Dataset(tiny_dataset, "train")
    CachedFeatures(data, Guess(), tmp_path / "features", say=lambda line: None)
    assert kept.stat().st_mtime_ns == before
    data.names = data.names[:1]
    CachedFeatures(data, Guess(), tmp_path / "features", say=lambda line: None)
    assert len(np.load(kept, mmap_mode="r")) == 2


def test_heads_learn_and_the_encoder_does_not(cached):
    """One step gives each decoder a gradient, U-Net's two finest levels and the encoder none."""
    networks = {name: build_network(name) for name in SEMANTIC}
    learner = CachedHeads(SharedEncoder(networks, networks["deeplab"].encoder), cached.progress).train()
    rng = np.random.default_rng(0)
    batch = [cached.draw(rng) for _ in range(2)]
    losses = learner.losses(batch, Recipe(dice=0.3, distil=0.7), torch.Generator().manual_seed(0))
    sum(losses.values()).backward()
    assert {*SEMANTIC, "unet-2", "fcn-32s"} - {"unet"} <= losses.keys()
    moved = {name for name, p in learner.shared.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    for part in (
        "decoders.deeplab.aspp",
        "decoders.fcn.fc6",
        "decoders.fcn.mean",
        "decoders.pspnet",
        "decoders.unet.blocks.2",
        "scores.unet-0",
    ):
        assert any(name.startswith(part) for name in moved), part
    assert not any(name.startswith(("encoder.", "decoders.unet.blocks.3", "decoders.unet.blocks.4")) for name in moved)


@pytest.mark.parametrize("variant", ["deeplab", "pspnet"])
def test_branches_are_left_out_by_chance(variant):
    """The first branch half of the time at the start of a run, never at its end and never outside training."""
    network, progress = build_network(variant), torch.zeros(1)
    learner = CachedHeads(SharedEncoder({variant: network}, network.encoder), progress).train()
    decoder = network.decoder
    branch = decoder.aspp[0].convs[0] if variant == "deeplab" else decoder.pools[0]
    torch.manual_seed(0)

    def left_out() -> float:
        with torch.no_grad():
            return (branch(torch.randn(400, 320, 2, 2)).flatten(1).abs().sum(1) == 0).float().mean().item()

    assert 0.4 < left_out() < 0.6
    progress.fill_(1)
    assert left_out() == 0
    progress.fill_(0)
    learner.eval()
    assert left_out() == 0
