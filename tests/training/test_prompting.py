"""Training SAM: prompts that ask for an object, corrections where the answer is wrong, and the loss of an answer."""

import math

import numpy as np
import pytest
import torch

from labkit.classes import IGNORE
from labkit.evaluation.dataset import Dataset
from labkit.models import build_network
from labkit.models.sam import OUTLINE_LOGIT, SIDE
from labkit.training import prompting
from labkit.training.loop import Recipe
from labkit.training.scenes import Scenes

RECIPE = Recipe(side=SIDE, batch=1)
rng = pytest.fixture(lambda: torch.Generator().manual_seed(0))


@pytest.fixture
def masks():
    """A disc and a bar, 128x128."""
    row, column = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    disc = (row - 60) ** 2 + (column - 70) ** 2 < 30**2
    bar = (row >= 20) & (row < 30) & (column >= 5) & (column < 125)
    return torch.stack([disc, bar])


EVERYWHERE = torch.ones(128, 128, dtype=torch.bool)


def perfect(masks: torch.Tensor) -> torch.Tensor:
    """Logits at half the size that are as sure as can be of these masks, one answer each."""
    return (masks[:, ::2, ::2].float() * 40 - 20)[:, None]


def answering(masks: torch.Tensor) -> torch.Tensor:
    """Logits of full size whose answer is these masks to the pixel."""
    return torch.where(masks, 9.0, -9.0)[:, None]


def test_draw_objects(rng, scene_of):
    """At most four, none twice, the largest most often; what nobody labelled is none."""
    numbers = torch.zeros(64, 64, dtype=torch.uint8)
    for number, side in enumerate((2, 4, 6, 8, 16, 32), start=1):
        numbers[10 * number - 10 : 10 * number - 10 + side, :side] = number
    numbers[:, 40:] = IGNORE
    drawn = [prompting.draw_objects(scene_of(numbers), rng) for _ in range(300)]
    assert all(len(set(one)) == len(one) == 4 and set(one) <= set(range(1, 7)) for one in drawn)
    times = [sum(number in one for one in drawn) for number in range(1, 7)]
    assert times == sorted(times) and times[0] < 150 < 270 < times[-1]
    assert prompting.draw_objects(scene_of(torch.where(numbers == 6, numbers, 0)), rng) == [6]
    assert prompting.draw_objects(scene_of(torch.full_like(numbers, IGNORE)), rng) == []


def test_box_prompt(masks, rng):
    """Without noise the mask's own box; with it, near that box and within the photo."""
    assert prompting.box_prompt(masks, rng, noise=0.0).tolist() == [[41, 31, 100, 90], [5, 20, 125, 30]]
    moved = torch.stack([prompting.box_prompt(masks, rng) for _ in range(50)])
    away = (moved - prompting.box_prompt(masks, rng, noise=0.0)).abs()
    assert away.max() <= 20 / 1024 * 128 and away.mean((0, 1)).min() > 0.2
    assert moved.min() >= 0 and moved.max() <= 128
    assert away[:, 1, 0].mean() > 2 * away[:, 1, 1].mean(), "the noise is a share of the box, which is long and low"


def test_point_prompt(masks, rng):
    """The first point lies in the object; every point's label says whether it does."""
    labels_seen, middles = set(), 0
    for _ in range(30):
        points, labels = prompting.point_prompt(masks, 4, rng)
        assert points.shape == (2, 4, 2) and labels.shape == (2, 4)
        assert points.min() >= 0 and points.max() <= 127
        columns, rows = points.long().unbind(-1)
        truth = torch.stack([mask[r, c] for mask, r, c in zip(masks, rows, columns, strict=True)])
        assert torch.equal(labels, truth.float()) and (labels[:, 0] == 1).all()
        labels_seen |= set(labels[:, 1:].unique().tolist())
        middles += points[0, 0].tolist() == [70, 60]
    assert labels_seen == {0, 1} and 5 < middles < 25


def test_outline_prompt(masks, rng):
    """A mask prompt of a quarter of the size, sure of itself, that resembles the object roughly."""
    rough = prompting.outline_prompt(masks, rng)
    assert rough.shape == (2, 1, 32, 32) and rough.abs().max() == OUTLINE_LOGIT
    inside, truth = rough[:, 0] > 0, masks[:, ::4, ::4]
    overlap = (inside & truth).sum((1, 2)) / (inside | truth).sum((1, 2))
    assert overlap.min() > 0.6 and overlap[0] < 1


@pytest.mark.parametrize("label, part", [(1, np.s_[:, :, 80:]), (0, np.s_[:, 100:, :40])], ids=["missing", "too much"])
def test_correction_lies_where_the_answer_is_wrong(masks, rng, label, part):
    """Where the answer lacks a part of the object the point says 1; where it goes beyond the object, 0."""
    given = masks.clone()
    given[part] = label == 0
    points, labels = prompting.correction(answering(given), masks, EVERYWHERE, rng)
    assert labels.tolist() == [label] * 2
    for n, (x, y) in enumerate(points.int().tolist()):
        assert given[n, y, x] != masks[n, y, x]


def test_correction_of_a_right_answer(rng):
    """Where nothing is wrong, the point lies in the object; an object that is nowhere to be seen breaks nothing."""
    masks = torch.zeros(2, 128, 128, dtype=torch.bool)
    masks[0, 40:80, 40:80] = True
    points, labels = prompting.correction(answering(masks), masks, EVERYWHERE, rng)
    x, y = points[0].int().tolist()
    assert masks[0, y, x] and labels.tolist() == [1, 0] and points.shape == (2, 2)


def test_correction_leaves_unlabelled_places_alone(masks, rng):
    """A place that nobody labelled is never called wrong."""
    given, valid = masks.clone(), EVERYWHERE.clone()
    given[:, 100:] = True
    valid[100:] = False
    points, labels = prompting.correction(answering(given), masks, valid, rng)
    assert points[:, 1].max() < 100 and labels.tolist() == [1, 1]


def test_loss_of_right_and_wrong_answers(masks, rng):
    """A perfect answer has an IoU of 1 and next to no loss; the worse the answer, the higher the loss."""
    half = masks.clone()
    half[:, :, 70:] = False
    logits = torch.cat([perfect(masks), perfect(half), -perfect(masks)], 1)
    loss, iou = prompting.mask_loss(logits, masks, EVERYWHERE, rng)
    assert loss.shape == iou.shape == (2, 3)
    assert iou[:, 0].tolist() == [1, 1] and iou[:, 2].tolist() == [0, 0]
    small = masks[:, ::2, ::2]
    expected = (half[:, ::2, ::2] & small).sum((1, 2)) / small.sum((1, 2))
    assert iou[:, 1].tolist() == pytest.approx(expected.tolist())
    sure = perfect(masks) / 4  # a pixel at the edge may be off by half of one: 20 is too sure of it
    assert prompting.mask_loss(sure, masks, EVERYWHERE, rng)[0].max() < 0.5
    assert (loss[:, 0] < 0.3 * loss[:, 1]).all() and (loss[:, 1] < loss[:, 2]).all()


def test_loss_against_plain_formulas(rng):
    """An answer that knows nothing: cross entropy ln 2 near, far and, by half, along the edge, Dice from the areas."""
    masks = torch.zeros(1, 128, 128, dtype=torch.bool)
    masks[0, 48:80, 48:80] = True  # the window is twice the box: 64x64 pixels, one a place
    loss, _ = prompting.mask_loss(torch.zeros(1, 1, 64, 64), masks, EVERYWHERE, rng)
    dice = 1 - (2 * 0.5 * 32 * 32 + 1) / (0.5 * 64 * 64 + 32 * 32 + 1)
    assert loss.item() == pytest.approx(2.5 * math.log(2) + dice, abs=1e-4)


def test_unlabelled_pixels_carry_no_gradient(masks, rng):
    """Where nobody labelled, nothing is learned, and the IoU does not count it."""
    valid = EVERYWHERE.clone()
    valid[:, 64:] = False
    logits = torch.zeros(2, 1, 64, 64, requires_grad=True)
    prompting.mask_loss(logits, masks, valid, rng)[0].sum().backward()
    assert logits.grad[..., 33:].abs().max() == 0 and logits.grad[..., :30].abs().max() > 0
    wrong_there = perfect(masks)
    wrong_there[..., 32:] = 20
    assert prompting.mask_loss(wrong_there, masks, valid, rng)[1].flatten().tolist() == [1, 1]


@pytest.fixture(scope="module")
def learner():
    torch.manual_seed(0)
    return prompting.SamLearner(build_network("sam")).train()


@pytest.mark.parametrize("kind", ["box", "point", "points", "outline"])
def test_losses(learner, tiny_dataset, monkeypatch, kind):
    """Every kind of prompt, corrected twice, gives finite losses; what is frozen gets no gradient."""
    scenes = Scenes(Dataset(tiny_dataset, "train"), SIDE, (400, 600), by_class=False, centred=1.0, pasted=0.5)
    scene = scenes.draw(np.random.default_rng(1))
    assert scene.objects()
    monkeypatch.setattr("labkit.training.prompting._KINDS", {kind: 1.0})
    monkeypatch.setattr("labkit.training.prompting._CORRECTIONS", (0.0, 0.0, 1.0))
    learner.zero_grad(set_to_none=True)
    parts = learner.losses([scene], RECIPE, torch.Generator().manual_seed(0))
    assert parts.keys() == {"best", "single", "iou"}
    assert all(value.isfinite() and value > 0 for value in parts.values())
    assert parts["best"] < 2 * parts["single"]
    sum(parts.values()).backward()
    trunk = learner.network.image_encoder.trunk
    assert all(p.grad is None for part in (trunk.patch_embed, *trunk.stages[:2]) for p in part.parameters())
    for part in (trunk.stages[3], learner.network.image_encoder.neck, learner.network.mask_decoder):
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in part.parameters())
    assert all(p.grad.isfinite().all() for p in learner.parameters() if p.grad is not None)


@pytest.mark.parametrize("fill", [0, IGNORE], ids=["background", "not labelled"])
def test_scene_without_objects(learner, scene_of, fill):
    """A scene in which nothing can be asked for teaches nothing, and breaks nothing."""
    learner.zero_grad(set_to_none=True)
    parts = learner.losses([scene_of(torch.full((SIDE, SIDE), fill))], RECIPE, torch.Generator().manual_seed(0))
    assert [value.item() for value in parts.values()] == [0, 0, 0]
    sum(parts.values()).backward()
    assert all(p.grad.abs().max() == 0 for p in learner.parameters() if p.grad is not None)


def test_edges_count_by_themselves():
    """An answer that is wrong in a band along the edge costs more the wider the band is; far away is free."""
    masks = torch.zeros(1, 128, 128, dtype=torch.bool)
    masks[0, 32:96, 32:96] = True

    def cost(width: int) -> float:
        answer = torch.full((1, 1, 64, 64), -8.0)
        answer[..., 16 - width : 48 + width, 16 - width : 48 + width] = 8.0
        return prompting._edge_loss(answer, masks, EVERYWHERE, torch.Generator().manual_seed(0)).item()

    costs = [cost(width) for width in (0, 1, 2)]
    assert costs[0] < 1.0 < costs[1] < costs[2]
    assert abs(cost(2) - cost(6)) < 0.2  # the band is narrow: how far beyond it an answer reaches is not its business
