"""The region proposal network: anchors, the best of each level, NMS, each step against a second way to do it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from detected import KINDS, box_iou, clipped, decoded, grey, stages_for, words
from IPython.utils.capture import capture_output

from labkit.explain.detection import stages_of
from labkit.explain.proposals import (
    display_proposals,
    overlapping,
    proposals_figure,
    proposals_of,
    proposals_table,
    proposals_widget,
)
from labkit.figures import svg
from labkit.locale import use_language


@pytest.fixture(params=KINDS)
def stages(request, load, default_photos):
    """One photo, through ours and through an official network."""
    return stages_for(request.param, default_photos["astronaut"], load)


def test_counts(stages):
    """Three anchors a cell; at most `pre_nms_top_n` of each level, fewer only by boxes without area."""
    found, most = proposals_of(stages), stages.network.rpn.pre_nms_top_n()
    for level, (anchors, before, after, passed) in zip(stages.levels, found.counts, strict=True):
        assert anchors == 3 * level.features.shape[1] * level.features.shape[2]
        assert 0.9 * min(anchors, most) <= before <= min(anchors, most) and before >= after >= passed
    total = [sum(column) for column in zip(*found.counts, strict=True)]
    assert total[0] == len(stages.anchors) and total[1] == len(found.before) and total[3] == len(stages.proposals)


def test_what_is_replayed_is_what_ran(stages):
    """The best of what survives NMS, done by hand level by level, are the proposals that the network's RPN gave."""
    found, least = proposals_of(stages), stages.network.rpn.nms_thresh
    boxes, levels = found.before.double().numpy(), found.levels.numpy()
    kept: list[int] = []
    for level in range(len(stages.levels)):
        left = np.flatnonzero(levels == level)
        while len(left):
            kept.append(left[0])
            ious = _ious(boxes[left[0]], boxes[left])
            left = left[ious <= least]
        assert sum(levels[n] == level for n in kept) == found.counts[level][2]
    best = found.before[sorted(kept)][: stages.network.rpn.post_nms_top_n()]
    assert torch.equal(best.sort(0).values, stages.proposals.sort(0).values)
    assert torch.equal(found.after, stages.proposals)


def _ious(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    sides = np.clip(np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0, None)
    inner = sides.prod(1)
    return inner / ((box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - inner)


def test_best_boxes_by_hand(stages):
    """The best cell of each level, its anchor shifted by equation 2 of Ren et al.: the level's best box."""
    found, start = proposals_of(stages), 0
    for number, (objectness, shifts) in enumerate(zip(stages.objectness, stages.shifts, strict=True)):
        _, kinds, rows, columns = objectness.shape
        kind, row, column = np.unravel_index(int(objectness[0].argmax()), (kinds, rows, columns))
        anchor = start + (row * columns + column) * kinds + kind
        shift = shifts[0, 4 * kind : 4 * kind + 4, row, column].numpy()
        box = decoded(shift[None], stages.anchors[anchor].numpy()[None], (1, 1, 1, 1))
        first = int((found.levels == number).nonzero()[0])
        assert np.allclose(found.before[first], clipped(box, stages.size)[0], atol=0.01)
        assert float(found.scores[first]) == pytest.approx(1 / (1 + np.exp(-float(objectness.max()))), abs=1e-5)
        start += kinds * rows * columns
    assert (found.scores.diff() <= 0).all()


def test_nms_takes_what_repeats(load, default_photos):
    """The claim: of the 30 best boxes before NMS many nearly coincide, of those after it hardly any do."""
    stages = stages_of(load(6), default_photos["astronaut"])
    found = proposals_of(stages)
    for boxes in (found.before[:30], found.after[:30]):
        by_hand = [(i, j) for i in range(30) for j in range(i) if box_iou(boxes[i].numpy(), boxes[j].numpy()) > 0.7]
        assert overlapping(boxes, 0.7) == len(by_hand)
    assert overlapping(found.before[:30], 0.7) > 20 and overlapping(found.after[:30], 0.7) < 5


def test_table(load, default_photos):
    """What the notebook prints: 82863 anchors (3 for each cell), 2243 before NMS, 300 that go on."""
    stages = stages_of(load(6), default_photos["astronaut"])
    found = proposals_of(stages)
    _, _, *rows = proposals_table(stages, found).splitlines()
    assert [row.split()[0] for row in rows] == ["P2", "P3", "P4", "P5", "P6", "всего"]
    assert [tuple(map(int, row.split()[1:])) for row in rows[:5]] == found.counts
    assert [int(row.split()[1]) for row in rows] == [62208, 15552, 3888, 972, 243, 82863]
    assert [int(row.split()[2]) for row in rows] == [500, 500, 500, 500, 243, 2243]
    assert rows[5].split()[4] == "300" and 900 < int(rows[5].split()[3]) < 1200
    with use_language("en"):
        assert "before NMS" in proposals_table(stages, found)


def test_figure(load, default_photos):
    """As many boxes as asked for in both panels, and the numbers of the claim above them."""
    stages = stages_of(load(6), default_photos["astronaut"])
    found = proposals_of(stages)
    drawn = proposals_figure(stages, found, 30)
    assert [len(ax.collections[0].get_paths()) for ax in drawn.axes] == [30, 30]
    pairs = [overlapping(boxes[:30], 0.7) for boxes in (found.before, found.after)]
    for told in ("до NMS: лучшие 30 из 2243", "после NMS: лучшие 30 из 300", f"пар с IoU больше 0,7: {pairs[0]}"):
        assert told in words(drawn)
    corners = drawn.axes[1].collections[0].get_paths()[0].vertices
    assert np.allclose(np.r_[corners.min(0), corners.max(0)], stages.proposals[0], atol=0.051)
    assert f"пар с IoU больше 0,7: {pairs[1]}" in drawn.get_label()
    with use_language("en"):
        assert "before NMS: the best 5 of 2243" in words(proposals_figure(stages, found, 5))
    assert len(svg(drawn).encode()) < 60_000


def test_slider(load, default_photos):
    """It goes from one to all proposals, and the figure follows it."""
    stages = stages_of(load(6), default_photos["sheep"])
    found = proposals_of(stages)
    slider, shown = proposals_widget(stages, found).children
    assert (slider.min, slider.value, slider.max) == (1, 30, len(found.after)) and slider.description
    assert shown.value.startswith("<svg") and "лучшие 30 из" in shown.value
    slider.value = 7
    assert "лучшие 7 из" in shown.value and "лучшие 30 из" not in shown.value


def test_display(shell, load, default_photos):
    """The slider, for a page without a kernel the figure, and the table in plain text."""
    stages = stages_of(load(6), default_photos["sheep"])
    with capture_output() as captured:
        display_proposals(stages)
    assert proposals_table(stages, proposals_of(stages)) in captured.stdout
    (output,) = captured.outputs
    assert "application/vnd.jupyter.widget-view+json" in output.data
    assert output.data["text/html"].startswith("<svg") and "лучшие 30 из" in output.data["text/html"]


def test_nothing_found(load):
    """The RPN proposes something even where there is nothing."""
    stages = stages_of(load(6), grey(), score_threshold=0.99)
    found = proposals_of(stages)
    assert len(found.after) > 0 and svg(proposals_figure(stages, found))
