"""Training Mask R-CNN: finite losses that fall, and nothing learned from places that nobody labelled."""

import numpy as np
import pytest
import torch

from labkit.classes import IGNORE
from labkit.evaluation.dataset import Dataset
from labkit.models import build_network
from labkit.training.detection import MaskRCNNLearner
from labkit.training.loop import Recipe
from labkit.training.scenes import Scene, Scenes

SIDE = 128
RECIPE = Recipe(side=SIDE, batch=1)
LOSSES = {"objectness", "rpn_box_reg", "classifier", "box_reg", "mask"}


@pytest.fixture
def learner():
    """A learner with random weights, the same at each test."""
    torch.manual_seed(0)
    return MaskRCNNLearner(build_network("mask_rcnn")).train()


@pytest.fixture
def scene(tiny_dataset):
    scenes = Scenes(Dataset(tiny_dataset, "train"), SIDE, (140, 200), by_class=True, centred=1.0, pasted=0.0)
    scene = scenes.draw(np.random.default_rng(1))
    assert scene.objects()
    return scene


def losses_of(learner, *scenes: Scene) -> dict[str, torch.Tensor]:
    return learner.losses(list(scenes), RECIPE, torch.Generator().manual_seed(0))


def test_losses_fall(learner, scene):
    """Steps on one scene lower the sum of the five losses, which stay finite."""
    rates = [3e-5, *[1e-4] * 3]  # gentle: there is no warm-up here
    parts = zip(learner.parts(), rates, strict=True)
    optimizer = torch.optim.AdamW([{"params": part.parameters(), "lr": rate} for part, rate in parts])
    totals = []
    for _ in range(5):
        parts = losses_of(learner, scene)
        assert parts.keys() == LOSSES and all(value.isfinite() for value in parts.values())
        total = sum(parts.values())
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(learner.parameters(), 5.0)
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < 0.7 * totals[0], totals


def test_frozen_stages_do_not_learn(learner, scene):
    """The stem and the first stages get no gradient; every other part does; the encoder keeps its statistics."""
    sum(losses_of(learner, scene).values()).backward()
    encoder = learner.network.backbone.encoder
    frozen = [encoder.model.conv_stem, *encoder.model.blocks[:2]]
    assert all(p.grad is None for part in frozen for p in part.parameters())
    network, blocks = learner.network, encoder.model.blocks
    heads = network.rpn.head, network.roi_heads.box_predictor, network.roi_heads.mask_predictor
    for part in (blocks[2], blocks[6], network.backbone.fpn, *heads):
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in part.parameters())
    assert not any(module.training for module in encoder.modules()) and learner.network.rpn.training


def test_unlabelled_background_is_left_out(learner, scene_of):
    """A box over a place that nobody labelled is no example of background; one on an object stays its example."""
    numbers = torch.zeros(SIDE, SIDE)
    numbers[:, :64] = IGNORE
    numbers[40:80, 50:110] = 1  # reaches from the labelled half into the other
    losses_of(learner, scene_of(numbers))  # the learner looks at this scene from now on
    boxes = torch.tensor(
        [
            [0.0, 0.0, 40.0, 30.0],  # not labelled
            [70.0, 90.0, 120.0, 120.0],  # background
            [50.0, 40.0, 110.0, 80.0],  # the object
            [44.0, 90.0, 84.0, 120.0],  # half of it not labelled
            [56.0, 90.0, 96.0, 120.0],  # a fifth of it not labelled
        ]
    )
    target = {"boxes": boxes[2:3], "labels": torch.tensor([8])}
    anchors, _ = learner.network.rpn.assign_targets_to_anchors([boxes], [target])
    assert anchors[0].tolist() == [-1, 0, 1, -1, 0]
    _, proposals = learner.network.roi_heads.assign_targets_to_proposals([boxes], [boxes[2:3]], [torch.tensor([8])])
    assert proposals[0].tolist() == [-1, 0, 8, -1, 0]


def test_object_among_unlabelled_places(learner, scene_of):
    """An object around which nobody labelled is still learned from."""
    numbers = torch.full((SIDE, SIDE), IGNORE)
    numbers[40:80, 50:110] = 1
    parts = losses_of(learner, scene_of(numbers))
    assert all(value.isfinite() for value in parts.values()) and parts["mask"] > 0


@pytest.mark.parametrize("fill", [0, IGNORE], ids=["background", "not labelled"])
def test_scene_without_objects(learner, scene_of, fill):
    """A scene of background alone, or one that nobody labelled, gives finite losses and gradients."""
    parts = losses_of(learner, scene_of(torch.full((SIDE, SIDE), fill)))
    sum(parts.values()).backward()
    assert all(value.isfinite() for value in parts.values()), parts
    assert all(p.grad.isfinite().all() for p in learner.parameters() if p.grad is not None)
    assert (parts["objectness"] > 0) == (fill == 0)
