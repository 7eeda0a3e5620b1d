"""Scores: against an independent count on the kit's outlines, and the bars on the validation photos."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from labkit.evaluation.benchmark import evaluate, score_table
from labkit.evaluation.dataset import Dataset
from labkit.models import SEMANTIC


def test_agrees_with_scikit_learn(load, tiny_dataset):
    """IoU over all pixels of the split, as scikit-learn counts it."""
    model = load("deeplab")
    scores = evaluate(model, tiny_dataset, "val.txt")
    data = Dataset(tiny_dataset, "val")
    from labkit.photos import Photo

    truth, guess = [], []
    for name in data.names:
        result = model.segment(Photo.from_pixels(name, np.array(data.image(name))))
        truth.append(data.semantic(name).ravel())
        guess.append(result.labels.ravel())
    truth, guess = np.concatenate(truth), np.concatenate(guess)
    for label in ("background", "cat", "person"):
        label_id = model.classes.id(label)
        assert scores["iou"][label] == pytest.approx(jaccard_score(truth == label_id, guess == label_id), abs=1e-4)
    assert scores["photos"] == 2 and scores["photos_with_class"]["cat"] == 1
    assert scores["iou"]["train"] is None or scores["iou"]["train"] == 0
    assert f"{scores['iou']['cat']:.3f}" in score_table(scores)


@pytest.mark.parametrize("name", SEMANTIC)
def test_validation_scores(load, root, tmp_path, name):
    """What MODEL_CARD.md says of each variant still holds on its validation photos, where they are at hand."""
    dataset = root.parent / "shared" / "dataset"
    if not (dataset / "val.txt").exists():
        pytest.skip("the labelled photos are not part of the kit; put them at ../shared/dataset")
    names = (dataset / "val.txt").read_text().split()
    split = tmp_path / "card.txt"
    split.write_text("\n".join(n for n in names if n.startswith(("coco_", "msrc_", "pet_"))))
    scores = evaluate(load(name), dataset, split)
    bars = {"background": 0.86, "cat": 0.92, "dog": 0.82, "person": 0.65}
    assert scores["photos"] == 181 and scores["mean_iou_all"] >= 0.43
    assert {label: scores["iou"][label] for label, bar in bars.items() if scores["iou"][label] < bar} == {}
