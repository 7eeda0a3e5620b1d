"""`labkit evaluate`: against an independent count on the kit's outlines, and the bars on the validation photos."""

from copy import copy

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from labkit.classes import label_set
from labkit.evaluation.benchmark import evaluate, score_table
from labkit.evaluation.dataset import Dataset
from labkit.evaluation.scores import within
from labkit.io.errors import LabkitError
from labkit.models import SEMANTIC
from labkit.photos import Photo


def test_agrees_with_scikit_learn(load, tiny_dataset):
    """IoU over all pixels of the split, as scikit-learn counts it."""
    model = load("deeplab")
    scores = evaluate(model, tiny_dataset, "val.txt")
    data = Dataset(tiny_dataset, "val")
    results = [model.segment(Photo.from_pixels(name, data.image(name))) for name in data.names]
    guess = np.concatenate([result.labels.ravel() for result in results])
    truth = np.concatenate([data.semantic(name).ravel() for name in data.names])
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
    bars = {"background": 0.87, "cat": 0.82, "dog": 0.74, "person": 0.64}
    assert scores["photos"] == 181 and scores["mean_iou_all"] >= 0.4
    assert {label: scores["iou"][label] for label, bar in bars.items() if scores["iou"][label] < bar} == {}


def test_mask_ap_of_the_model(load, tiny_dataset):
    """Two cats and an officer are found: both classes have an AP, and the table names them with their numbers."""
    scores = evaluate(load(6), tiny_dataset, "val")
    assert set(scores["ap50"]) == {"cat", "person"} and scores["objects"]["person"] == 1
    assert scores["ap50"]["person"] > 0.9 and 0 < scores["mean_ap"] <= scores["mean_ap50"] <= 1
    assert scores["settings"]["score_threshold"] < 0.1  # AP is over all scores
    assert "person" in score_table(scores) and f"{scores['mean_ap50']:.3f}" in score_table(scores)


def test_prompts_of_the_model(load, tiny_dataset):
    """Large objects are answered well; a coarse grid of the automatic mode may find them; the table has the numbers."""
    scores = evaluate(load(4), tiny_dataset, "val", points_per_side=3, score_threshold=0.3, stability_threshold=0.3)
    row = scores["iou"]["large"]
    assert scores["objects"]["all"] == scores["objects"]["large"] >= 2 and scores["settings"]["points_per_side"] == 3
    assert row["box"] > 0.75 and 0.4 < row["point"] <= row["best"] and row["points"] > 0.4
    assert scores["automatic_objects"] >= 2 and 0 <= scores["automatic"] <= 1
    assert f"{row['box']:.3f}" in score_table(scores) and "found automatically" in score_table(scores)


@pytest.mark.parametrize("variant, name", [(6, "COCO"), (1, "COCO"), (1, "people")])
def test_other_label_sets(load, tiny_dataset, capsys, variant, name):
    """A model with another label set, as official ones have, is scored by the names of its classes."""
    model, other = load(variant), label_set(name)
    expected, official = evaluate(model, tiny_dataset, "val"), copy(model)
    official.segment = lambda *photo, **settings: within(other, model.segment(*photo, **settings))
    official.classes = other
    said = evaluate(official, tiny_dataset, "val")
    for key in ("ap50", "ap") if variant == 6 else ("iou",):
        assert said[key]["person"] == expected[key]["person"] > 0.3
        assert said[key]["cat"] == (expected[key]["cat"] if name == "COCO" else 0)
    assert ("не знает" in (error := capsys.readouterr().err)) == (name == "people") == ("кошка." in error)


@pytest.mark.parametrize("variant", [4, 6])
def test_without_instances(load, tiny_dataset, variant):
    """A dataset that describes no object is named together with what is missing."""
    (tiny_dataset / "instances.csv").unlink()
    with pytest.raises(LabkitError, match="instances.csv"):
        evaluate(load(variant), tiny_dataset, "val")
