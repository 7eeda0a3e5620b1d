"""Mask R-CNN part after part: the level of each mask, the proposals done again by hand, the heads."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from detected import KINDS, box_iou, clipped, decoded, grey, stages_for, words
from torchvision.models.detection.roi_heads import maskrcnn_inference
from torchvision.ops import roi_align

from labkit.evaluation.metrics import iou
from labkit.explain.hooks import changed
from labkit.explain.mask_rcnn import (
    class_masks,
    judged,
    judged_figure,
    level_of,
    levels_table,
    masks_figure,
    masks_text,
    overlapping,
    proposals_figure,
    proposals_of,
    proposals_sliders,
    proposals_table,
    pyramid_figure,
    source_of,
    stages_of,
)
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.models.instance import paste
from labkit.models.semantic import network_input, pad
from labkit.photos import Photo


@pytest.fixture(params=KINDS)
def stages(request, load, default_photos):
    """A photo with boxes on two levels, through ours and through an official network."""
    return stages_for(request.param, default_photos["astronaut"], load)


def test_levels_are_the_network_s(load, default_photos):
    """P2 to P6 of a 512x512 photo at 576 pixels; their features are the pyramid's own output."""
    photo = default_photos["astronaut"]
    stages = stages_of(load(6), photo)
    width = len(stages.levels[0].features)
    assert [(level.number, level.stride, tuple(level.features.shape)) for level in stages.levels] == [
        (n, 2**n, (width, 576 // 2**n, 576 // 2**n)) for n in range(2, 7)
    ]
    assert [level.pooled for level in stages.levels] == [True] * 4 + [False] and stages.size == (576, 576)
    with torch.inference_mode():
        expected = load(6).network.backbone(pad(network_input(photo.pixels, 576, least=576))[None])
    for level, features in zip(stages.levels, expected.values(), strict=True):
        assert torch.allclose(level.features, features[0], atol=1e-4)


def test_official_levels(load, default_photos):
    """The strides of torchvision's pyramid, 256 channels each; its transform has padded 192x192 to 192x192."""
    stages = stages_for("official", default_photos["astronaut"], load)
    assert [level.stride for level in stages.levels] == [4, 8, 16, 32, 64]
    assert {len(level.features) for level in stages.levels} == {256} and stages.size == (115, 115)


def test_rows_are_the_segments(stages):
    """Every segment's mask is its row of `mask_logits`, pasted at its row of `boxes`."""
    segments, (height, width) = stages.result.segments, stages.result.photo.pixels.shape[:2]
    assert len(segments) == len(stages.boxes) == len(stages.mask_logits) > 1
    scale = torch.tensor([width / stages.size[1], height / stages.size[0]] * 2)
    for segment, box, logits in zip(segments, stages.boxes, stages.mask_logits, strict=True):
        rows, columns, pasted = paste(logits[segment.label_id].sigmoid(), (box * scale).tolist(), (height, width))
        mask = np.zeros((height, width), bool)
        mask[rows, columns] = pasted >= 0.5
        assert (mask == segment.mask).mean() > 0.9999


def test_level_by_hand(stages):
    """Equation 1 at its edges: 224 pixels are level 4, a pixel less is level 3; what has no level has the nearest."""
    sides = {1: 2, 55: 2, 111: 2, 112: 3, 223: 3, 224: 4, 447: 4, 448: 5, 896: 5, 5000: 5}
    squares = torch.tensor([[10.0, 20.0, 10 + side, 20 + side] for side in sides])
    assert level_of(stages, squares).tolist() == list(sides.values())
    assert level_of(stages, torch.tensor([[0.0, 0.0, 112.0, 448.0]])).tolist() == [4]  # the area counts


def test_masks_come_from_that_level(stages):
    """RoIAlign on the one level that the table names, then the mask head: the masks of the network's own run."""
    heads, levels = stages.network.roi_heads, {level.number: level for level in stages.levels}
    taken = level_of(stages, stages.boxes).tolist()
    for box, number, expected in zip(stages.boxes, taken, stages.mask_logits, strict=True):
        features, scale = levels[number].features[None], 1 / levels[number].stride
        with torch.inference_mode():
            cut = roi_align(features, [box[None]], (14, 14), scale, sampling_ratio=2)
            logits = heads.mask_predictor(heads.mask_head(cut))[0]
        assert torch.allclose(logits, expected, atol=1e-3, rtol=1e-3)


def test_table(load, default_photos):
    """What the notebook prints for the astronaut: scores, sides and levels, each against the boxes themselves."""
    stages = stages_of(load(6), default_photos["astronaut"])
    head, _, *rows = levels_table(stages).splitlines()
    assert head.split() == ["найдено", "увер.", "рамка,", "пикс.", "√(ширина·высота)", "уровень"]
    printed = [row.split() for row in rows]
    assert len(printed) == len(stages.boxes) > 0
    for n, (row, segment, box) in enumerate(zip(printed, stages.result.segments, stages.boxes.numpy(), strict=True)):
        width, height = box[2] - box[0], box[3] - box[1]
        name, score = stages.result.classes.label(segment.label_id), f"{segment.score:.2f}".replace(".", ",")
        assert " ".join(row).startswith(f"{n + 1} {name} {score}")
        assert row[-3:-1] == [f"{width:.0f}×{height:.0f}", f"{math.sqrt(width * height):.0f}"]
        assert int(row[-1][1]) == min(max(math.floor(4 + math.log2(math.sqrt(width * height) / 224)), 2), 5)
    with use_language("en"):
        assert "person" in levels_table(stages)


@pytest.mark.parametrize(
    "language, told",
    [("ru", ["найдено объектов:", "P6: шаг 64", "только RPN"]), ("en", ["objects found:", "P2: stride 4", "144×144×"])],
)
def test_figure(load, default_photos, language, told):
    """A panel for the photo and one a level; every box on the photo and on its level, with its number."""
    with use_language(language):
        stages = stages_of(load(6), default_photos["astronaut"])
        drawn = pyramid_figure(stages)
    assert all(word in " ".join(words(drawn)) for word in told) and "astronaut" in drawn.get_label()
    panels = [ax for ax in drawn.axes if ax.images]
    taken = level_of(stages, stages.boxes).tolist()
    assert [len(ax.patches) for ax in panels] == [len(taken), *(taken.count(n) for n in range(2, 7))]
    for number, ax in enumerate(panels[1:], start=2):
        assert [t.get_text() for t in ax.texts] == [str(n + 1) for n, level in enumerate(taken) if level == number]
    assert len(svg(drawn).encode()) < 90_000


def test_maps_lie_where_the_photo_lies(load, default_photos):
    """A photo that is no multiple of the stride: the padding is not shown, and the maps have the photo's scale."""
    pixels = np.ascontiguousarray(default_photos["cat_kitten"].pixels[:, :500])
    stages = stages_of(load(6), Photo.from_pixels("узкое", pixels))
    for ax in pyramid_figure(stages).axes:
        assert ax.get_xlim() == (0, stages.size[1]) and ax.get_ylim() == (stages.size[0], 0)
        assert ax.images[0].get_extent() == [0, stages.size[1], stages.size[0], 0]


def test_nothing_found(load):
    """The maps are there, the table says it; settings reach the model, and no hook stays in the network."""
    stages = stages_of(load(6), grey(), score_threshold=0.99)
    assert stages.result.segments == [] and len(stages.boxes) == 0
    assert levels_table(stages) == "ничего не найдено" and "найдено объектов: 0" in words(pyramid_figure(stages))
    loose = stages_of(load(6), grey(), score_threshold=0.0, mask_threshold=0.0, max_detections=7)
    assert 0 < len(loose.boxes) <= 7
    for module in load(6).network.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks


def test_another_model(load):
    """A network without these parts is refused, with the variant that has them."""
    with pytest.raises(LabkitError, match=r"DeepLab.*load_model\(6\)"):
        stages_of(load(1), grey())


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
    assert overlapping(found.before[:30], 0.7) > 4 * overlapping(found.after[:30], 0.7)


def test_table_proposals(load, default_photos):
    """What the notebook prints: 82863 anchors (3 for each cell), and what of them is left; at most 300 go on."""
    stages = stages_of(load(6), default_photos["astronaut"])
    found = proposals_of(stages)
    _, _, *rows = proposals_table(stages, found).splitlines()
    assert [row.split()[0] for row in rows] == ["P2", "P3", "P4", "P5", "P6", "всего"]
    assert [tuple(map(int, row.split()[1:])) for row in rows[:5]] == found.counts
    assert [int(row.split()[1]) for row in rows] == [62208, 15552, 3888, 972, 243, 82863]
    assert rows[5].split()[1:] == [str(sum(column)) for column in zip(*found.counts, strict=True)]
    assert int(rows[5].split()[4]) == len(stages.proposals) <= 300
    with use_language("en"):
        assert "before NMS" in proposals_table(stages, found)


def test_figure_proposals(load, default_photos):
    """As many boxes as asked for in both panels, and the numbers of the claim above them."""
    stages = stages_of(load(6), default_photos["astronaut"])
    found = proposals_of(stages)
    drawn = proposals_figure(stages, found, 30)
    assert [len(ax.collections[0].get_paths()) for ax in drawn.axes] == [30, 30]
    pairs = [overlapping(boxes[:30], 0.7) for boxes in (found.before, found.after)]
    for told in (
        f"до NMS: лучшие 30 из {len(found.before)}",
        f"после NMS: лучшие 30 из {len(found.after)}",
        f"пар с IoU больше 0,7: {pairs[0]}",
    ):
        assert told in words(drawn)
    corners = drawn.axes[1].collections[0].get_paths()[0].vertices
    assert np.allclose(np.r_[corners.min(0), corners.max(0)], stages.proposals[0], atol=0.051)
    assert f"пар с IoU больше 0,7: {pairs[1]}" in drawn.get_label()
    with use_language("en"):
        assert f"before NMS: the best 5 of {len(found.before)}" in words(proposals_figure(stages, found, 5))
    assert len(svg(drawn).encode()) < 60_000


def test_slider(load, default_photos):
    """It goes from one to all proposals, and the figure follows it."""
    stages = stages_of(load(6), default_photos["sheep"])
    found = proposals_of(stages)
    slider, shown = proposals_sliders(stages, found).children
    assert (slider.min, slider.value, slider.max) == (1, 30, len(found.after)) and slider.description
    assert shown.value.startswith("<svg") and "лучшие 30 из" in shown.value
    slider.value = 7
    assert "лучшие 7 из" in shown.value and "лучшие 30 из" not in shown.value


def test_nothing_found_proposals(load):
    """The RPN proposes something even where there is nothing."""
    stages = stages_of(load(6), grey(), score_threshold=0.99)
    found = proposals_of(stages)
    assert len(found.after) > 0 and svg(proposals_figure(stages, found))


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
    height, width = stages.result.photo.pixels.shape[:2]
    scale = np.array([stages.size[1] / width, stages.size[0] / height] * 2)
    extent = np.array([x0, y0, x1, y1]) * scale
    assert box_iou(row.after.numpy(), extent) > box_iou(row.before.numpy(), extent)


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
    assert found.total > 1.5 and found.probabilities[1] < found.probabilities[0]
    assert max(iou(mask >= 0.5, found.masks[0] >= 0.5) for mask in found.masks[1:]) > 0.5


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
    assert len(bars) == len(rows) > 1 and [p.get_linestyle() for p in photo.patches].count("--") == len(rows)
    assert len(photo.patches) == 2 * len(rows) - 1
    assert [t.get_text() for t in photo.texts] == [str(n + 1) for n in range(len(rows))]
    for n, row in enumerate(rows[:-1], start=1):
        assert f"{n}: IoU с предложением {row.moved:.2f}".replace(".", ",") in words(drawn)
    assert f"{len(rows)}: фон, отброшена" in words(drawn) and "человек" in words(drawn)
    best = rows[0].probabilities.topk(3).values.tolist()
    assert [bar.get_width() for bar in bars[0].patches] == pytest.approx(best)
    with use_language("en"):
        english = words(judged_figure(stages))
    assert f"{len(rows)}: background, dropped" in english and f"1: IoU with its proposal {rows[0].moved:.2f}" in english
    assert len(svg(drawn).encode()) < 60_000


def test_masks_figure(load, default_photos):
    """The mask on the photo and three 28x28 masks, dark 0 and light 1, with class, probability and overlap."""
    stages = stages_of(load(6), default_photos["astronaut"])
    found = class_masks(stages)
    drawn = masks_figure(stages)
    assert len([ax for ax in drawn.axes if ax.images]) == 4
    told = words(drawn)
    names = {stages.result.classes.label(label_id) for label_id in found.label_ids}
    assert {"маска на фото", "человек", "её и взяли"} | names <= set(told)
    overlap = iou(found.masks[2] >= 0.5, found.masks[0] >= 0.5)
    assert f"IoU с выбранной {overlap:.2f}".replace(".", ",") in told
    assert f"класс {found.probabilities[0]:.3f}".replace(".", ",") in told
    with use_language("en"):
        assert {"the mask on the photo", "person", "chosen"} <= set(words(masks_figure(stages)))
    assert len(svg(drawn).encode()) < 40_000


def test_nothing_found_heads(load):
    """The first proposals all the same; no masks, and it is said."""
    stages = stages_of(load(6), grey(), score_threshold=0.99)
    assert len(judged(stages)) >= 3 and svg(judged_figure(stages)) and class_masks(stages) is None
    assert masks_text(stages) == masks_figure(stages).get_label() == "ничего не найдено"


def test_what_is_printed(load, default_photos):
    """How far the masks of 20 classes add up, with a decimal comma."""
    stages = stages_of(load(6), default_photos["astronaut"])
    total = f"{class_masks(stages).total:.1f}".replace(".", ",")
    assert f"(20) дают в сумме до {total};" in masks_text(stages)


def test_a_low_threshold(load, default_photos):
    """An object that the class head thinks less likely than the background is shown under its own class."""
    stages = stages_of(load(6), default_photos["horses"], score_threshold=0.05, max_detections=3)
    for row, segment in zip(judged(stages), stages.result.segments, strict=False):
        assert row.label_id == segment.label_id and row.after is not None
