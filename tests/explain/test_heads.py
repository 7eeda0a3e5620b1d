"""The heads: which proposal became which object, its box by hand, and masks that do not care for the class."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from detected import KINDS, box_iou, clipped, decoded, grey, stages_for, words
from IPython.utils.capture import capture_output
from torchvision.models.detection.roi_heads import maskrcnn_inference

from labkit.evaluation.metrics import iou
from labkit.explain.detection import stages_of
from labkit.explain.heads import class_masks, display_class_masks, judged, judged_figure, masks_figure, source_of
from labkit.explain.hooks import changed
from labkit.figures import svg
from labkit.locale import use_language


@pytest.fixture(params=KINDS)
def stages(request, load, default_photos):
    """One photo, through ours and through an official network."""
    return stages_for(request.param, default_photos["astronaut"], load)


def refined(stages, place: int, label_id: int) -> np.ndarray:
    """A proposal's box after the box head, by hand; torchvision's four numbers are scaled by 10, 10, 5, 5."""
    shifts = stages.box_shifts[place].reshape(-1, 4)[label_id].numpy()
    box = decoded(shifts[None], stages.proposals[place].numpy()[None], (10, 10, 5, 5))
    return clipped(box, stages.size)[0]


def test_source(stages):
    """The proposal of each object, refined by hand, is the object's box; its softmax is the object's score."""
    for place, box, segment in zip(source_of(stages), stages.boxes, stages.result.segments, strict=True):
        assert np.allclose(refined(stages, place, segment.label_id), box, atol=0.05)
        logits = stages.class_logits[place].double().numpy()
        odds = np.exp(logits - logits.max())
        assert odds[segment.label_id] / odds.sum() == pytest.approx(segment.score, abs=1e-4)


def test_judged(stages):
    """The best objects' proposals and one that the class head rejects, before and after the box head."""
    rows, sources = judged(stages), source_of(stages)
    assert len(rows) >= 3
    for row, place, segment in zip(rows[:3], sources, stages.result.segments, strict=False):
        assert torch.equal(row.before, stages.proposals[place]) and row.label_id == segment.label_id
        assert np.allclose(row.after, refined(stages, place, segment.label_id), atol=0.05)
        assert row.moved == pytest.approx(box_iou(row.before.numpy(), row.after.numpy()), abs=1e-4)
        assert float(row.probabilities.sum()) == pytest.approx(1, abs=1e-5)
    for row in rows[3:]:
        assert (row.label_id, row.after, row.moved) == (0, None, None)
        assert int(row.probabilities.argmax()) == 0


def test_the_box_head_mends(load, default_photos):
    """The claim: the officer's box encloses her mask more closely after the box head than before it."""
    stages = stages_of(load(6), default_photos["officer"])
    row = judged(stages)[0]
    x0, y0, x1, y1 = stages.result.segments[0].box
    height, width = stages.photo.pixels.shape[:2]
    scale = np.array([stages.size[1] / width, stages.size[0] / height] * 2)
    extent = np.array([x0, y0, x1, y1]) * scale
    assert box_iou(row.after.numpy(), extent) > box_iou(row.before.numpy(), extent) + 0.05


def test_class_masks(stages):
    """The chosen class's mask is torchvision's; the others are those that the class head puts next."""
    found = class_masks(stages)
    labels = [torch.tensor([segment.label_id for segment in stages.result.segments])]
    (expected,) = maskrcnn_inference(stages.mask_logits, labels)
    assert np.allclose(found.masks[0], expected[0, 0], atol=1e-6) and found.masks.shape == (3, 28, 28)
    assert found.label_ids[0] == stages.result.segments[0].label_id and len(set(found.label_ids)) == 3
    assert found.probabilities[0] == pytest.approx(stages.result.segments[0].score, abs=1e-5)
    assert 0 not in found.label_ids and found.probabilities[1] >= found.probabilities[2]
    valid = [n for n in stages.result.classes.ids if n not in (0, found.label_ids[0])]
    logits = stages.class_logits[source_of(stages)[0]]
    assert found.label_ids[1] == max(valid, key=lambda n: float(logits[n]))
    sums = (1 / (1 + np.exp(-stages.mask_logits[0, 1:].double().numpy()))).sum(0)
    assert found.total == pytest.approx(sums.max(), abs=1e-3)


@pytest.mark.parametrize("name", ["astronaut", "cat_kitten", "bird_kingfisher"])
def test_classes_do_not_compete(load, default_photos, name):
    """The claim: the masks of one cell add up to far more than 1, and another class's may be nearly the same."""
    found = class_masks(stages_of(load(6), default_photos[name]))
    assert found.total > 2 and found.probabilities[1] < 0.1
    assert max(iou(mask >= 0.5, found.masks[0] >= 0.5) for mask in found.masks[1:]) > 0.8


def test_the_class_head_picks(load, default_photos):
    """Cat and dog exchanged in the class head's answer, and nowhere else: the same box gets the dog's mask."""
    stages = stages_of(load(6), default_photos["cat_kitten"])
    cat, dog = 8, 12
    assert stages.result.segments[0].label_id == cat

    def exchange(answer):
        logits, shifts = (part.clone() for part in answer)
        logits[:, [cat, dog]] = logits[:, [dog, cat]]
        boxes = shifts.reshape(len(shifts), -1, 4)
        boxes[:, [cat, dog]] = boxes[:, [dog, cat]]
        return logits, boxes.reshape(len(shifts), -1)

    with changed(load(6).network.roi_heads.box_predictor, exchange):
        other = stages_of(load(6), default_photos["cat_kitten"])
    assert other.result.segments[0].label_id == dog
    assert torch.equal(other.boxes, stages.boxes) and torch.equal(other.mask_logits, stages.mask_logits)
    assert other.result.segments[0].score == pytest.approx(stages.result.segments[0].score)
    assert np.allclose(class_masks(other).masks[0], stages.mask_logits[0, dog].sigmoid(), atol=1e-6)
    assert iou(other.result.segments[0].mask, stages.result.segments[0].mask) < 1


def test_boxes_figure(load, default_photos):
    """A row a proposal with its numbers; dashed before, solid after; the rejected one has no solid box."""
    stages = stages_of(load(6), default_photos["astronaut"])
    rows = judged(stages)
    drawn = judged_figure(stages)
    photo, *bars = drawn.axes
    assert len(bars) == len(rows) == 4 and [p.get_linestyle() for p in photo.patches].count("--") == 4
    assert len(photo.patches) == 7 and [t.get_text() for t in photo.texts] == ["1", "2", "3", "4"]
    for n, row in enumerate(rows[:3], start=1):
        assert f"{n}: IoU с предложением {row.moved:.2f}".replace(".", ",") in words(drawn)
    assert "4: фон, отброшена" in words(drawn) and "человек" in words(drawn)
    best = rows[0].probabilities.topk(3).values.tolist()
    assert [bar.get_width() for bar in bars[0].patches] == pytest.approx(best)
    with use_language("en"):
        english = words(judged_figure(stages))
    assert "4: background, dropped" in english and f"1: IoU with its proposal {rows[0].moved:.2f}" in english
    assert len(svg(drawn).encode()) < 60_000


def test_masks_figure(load, default_photos):
    """The mask on the photo and three 28x28 masks, dark 0 and light 1, with class, probability and overlap."""
    stages = stages_of(load(6), default_photos["astronaut"])
    found = class_masks(stages)
    drawn = masks_figure(stages)
    assert len([ax for ax in drawn.axes if ax.images]) == 4
    told = words(drawn)
    assert {"маска на фото", "человек", "диван", "кошка", "её и взяли"} <= set(told)
    overlap = iou(found.masks[2] >= 0.5, found.masks[0] >= 0.5)
    assert f"IoU с выбранной {overlap:.2f}".replace(".", ",") in told
    assert f"класс {found.probabilities[0]:.3f}".replace(".", ",") in told
    with use_language("en"):
        assert {"the mask on the photo", "person", "chosen"} <= set(words(masks_figure(stages)))
    assert len(svg(drawn).encode()) < 40_000


def test_what_is_printed(shell, load, default_photos):
    """How far the masks of 20 classes add up, with a decimal comma."""
    stages = stages_of(load(6), default_photos["astronaut"])
    with capture_output() as captured:
        display_class_masks(stages)
    total = f"{class_masks(stages).total:.1f}".replace(".", ",")
    assert f"(20) дают в сумме до {total};" in captured.stdout and len(captured.outputs) == 1


def test_nothing_found(shell, load):
    """The first proposals all the same; no masks, and it is said."""
    stages = stages_of(load(6), grey(), score_threshold=0.99)
    assert len(judged(stages)) >= 3 and svg(judged_figure(stages))
    assert class_masks(stages) is None and "ничего не найдено" in words(masks_figure(stages))
    with capture_output() as captured:
        display_class_masks(stages)
    assert captured.stdout == ""


def test_a_low_threshold(load, default_photos):
    """An object that the class head thinks less likely than the background is shown under its own class."""
    stages = stages_of(load(6), default_photos["horses"], score_threshold=0.05, max_detections=3)
    for row, segment in zip(judged(stages), stages.result.segments, strict=False):
        assert row.label_id == segment.label_id and row.after is not None
