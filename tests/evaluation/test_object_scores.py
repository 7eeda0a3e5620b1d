"""Scores of the variants that tell objects apart, on the kit's photos with their outlines as the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from labkit.evaluation.benchmark import evaluate, score_table
from labkit.evaluation.dataset import Dataset
from labkit.evaluation.metrics import innermost
from labkit.evaluation.object_scores import prompt_scores
from labkit.io.errors import LabkitError


def test_innermost():
    """The middle of a square; the thick end of a club; a pixel of the mask itself where it is a ring or a dot."""
    mask = np.zeros((60, 90), bool)
    mask[10:31, 20:41] = True
    assert innermost(mask) == (30, 20)
    mask[19:22, 41:90] = True  # a handle moves the centre of mass, not the innermost pixel
    assert abs(innermost(mask)[0] - 30) <= 1 and innermost(mask)[1] == 20
    mask[12:29, 22:39] = False
    x, y = innermost(mask)
    assert mask[y, x]
    dot = np.zeros((5, 5), bool)
    dot[4, 0] = True
    assert innermost(dot) == (0, 4)


def test_innermost_is_as_far_inside_as_can_be(outlined):
    """Of a hand-drawn cat: what is left last when one pixel at a time is taken off all around."""
    x, y = innermost(outlined.segments[0].mask)
    left = np.pad(outlined.segments[0].mask, 1)
    while (smaller := ndimage.binary_erosion(left, np.ones((3, 3)))).any():
        left = smaller
    assert left[y + 1, x + 1]


def test_mask_ap_of_the_model(load, tiny_dataset):
    """Two cats and an officer are found: both classes have an AP, and the table names them with their numbers."""
    scores = evaluate(load(6), tiny_dataset, "val")
    assert set(scores["ap50"]) == {"cat", "person"} and scores["objects"]["person"] == 1
    assert scores["ap50"]["person"] > 0.9 and 0 < scores["mean_ap"] <= scores["mean_ap50"] <= 1
    assert scores["settings"]["score_threshold"] < 0.1  # AP is over all scores
    assert "person" in score_table(scores) and f"{scores['mean_ap50']:.3f}" in score_table(scores)


def test_prompts_of_the_model(load, tiny_dataset):
    """Large animals and people are answered well; the automatic mode is counted when it is asked for."""
    scores = prompt_scores(load(4), Dataset(tiny_dataset, "val"), {}, automatic=False)
    assert scores["objects"]["all"] == scores["objects"]["large"] >= 2 and scores["automatic"] is None
    row = scores["iou"]["large"]
    assert row["box"] > 0.75 and 0.4 < row["point"] <= row["best"] and row["points"] > 0.4
    table = score_table({"variant": "sam", "weights": "w", "sha256": "0" * 64, "photos": 2, **scores})
    assert f"{row['box']:.3f}" in table


def test_automatic_mode_is_scored(load, tiny_dataset):
    """A coarse grid finds some of the large objects."""
    (tiny_dataset / "one.txt").write_text("officer")
    scores = evaluate(load(4), tiny_dataset, "one", points_per_side=3, score_threshold=0.3, stability_threshold=0.3)
    assert scores["automatic_objects"] == 1 and scores["automatic"] in (0.0, 1.0)
    assert scores["settings"]["points_per_side"] == 3


@pytest.mark.parametrize("variant", [4, 6])
def test_without_instances(load, tiny_dataset, variant):
    """A dataset that describes no object is named together with what is missing."""
    (tiny_dataset / "instances.csv").unlink()
    with pytest.raises(LabkitError, match="instances.csv"):
        evaluate(load(variant), tiny_dataset, "val")
