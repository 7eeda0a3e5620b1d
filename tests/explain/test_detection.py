"""What flows through Mask R-CNN, and the pyramid: levels, strides, and the level that each mask is taken from."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from detected import KINDS, grey, stages_for, words
from torchvision.ops import roi_align

from labkit.explain.detection import level_of, levels_table, pyramid_figure, stages_of
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
    assert [(level.number, level.stride, tuple(level.features.shape)) for level in stages.levels] == [
        (2, 4, (96, 144, 144)),
        (3, 8, (96, 72, 72)),
        (4, 16, (96, 36, 36)),
        (5, 32, (96, 18, 18)),
        (6, 64, (96, 9, 9)),
    ]
    assert [level.pooled for level in stages.levels] == [True] * 4 + [False] and stages.size == (576, 576)
    with torch.inference_mode():
        expected = load(6).network.backbone(pad(network_input(photo.pixels, 576, least=576))[None])
    for level, features in zip(stages.levels, expected.values(), strict=True):
        assert torch.allclose(level.features, features[0], atol=1e-4)
        assert np.allclose(level.strength, np.abs(features[0].numpy()).mean(0), atol=1e-4)


def test_official_levels(load, default_photos):
    """The strides of torchvision's pyramid, 256 channels each; its transform has padded 192x192 to 192x192."""
    stages = stages_for("official", default_photos["astronaut"], load)
    assert [level.stride for level in stages.levels] == [4, 8, 16, 32, 64]
    assert {len(level.features) for level in stages.levels} == {256} and stages.size == (115, 115)


def test_rows_are_the_segments(stages):
    """Every segment's mask is its row of `mask_logits`, pasted at its row of `boxes`."""
    segments, (height, width) = stages.result.segments, stages.photo.pixels.shape[:2]
    assert len(segments) == len(stages.boxes) == len(stages.mask_logits) > 1
    scale = torch.tensor([width / stages.size[1], height / stages.size[0]] * 2)
    for segment, box, logits in zip(segments, stages.boxes, stages.mask_logits, strict=True):
        rows, columns, pasted = paste(logits[segment.label_id].sigmoid(), (box * scale).tolist(), (height, width))
        mask = np.zeros((height, width), bool)
        mask[rows, columns] = pasted >= 0.5
        assert (mask == segment.mask).mean() > 0.9999


def test_level_by_hand():
    """Equation 1 at its edges: 224 pixels are level 4, a pixel less is level 3; what has no level has the nearest."""
    stages = type("S", (), {})
    pool = type("P", (), {"canonical_level": 4, "canonical_scale": 224})
    stages.network = type("N", (), {"roi_heads": type("H", (), {"mask_roi_pool": pool})})
    stages.levels = [type("L", (), {"number": n, "pooled": n < 6}) for n in range(2, 7)]
    sides = {1: 2, 55: 2, 111: 2, 112: 3, 223: 3, 224: 4, 447: 4, 448: 5, 896: 5, 5000: 5}
    squares = torch.tensor([[10.0, 20.0, 10 + side, 20 + side] for side in sides])
    assert level_of(stages, squares).tolist() == list(sides.values())
    assert level_of(stages, torch.tensor([[0.0, 0.0, 112.0, 448.0]])).tolist() == [4]  # the area counts


def test_level_is_torchvision_s(stages):
    """The same level as its own RoIAlign takes for boxes of all sizes."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(300, 4, generator=generator) * 300
    boxes = torch.cat([corners[:, :2], corners[:, :2] + 1 + corners[:, 2:] ** 2 / 60], 1)
    mapper = stages.network.roi_heads.mask_roi_pool.map_levels
    levels = level_of(stages, boxes)
    assert torch.equal(levels, mapper([boxes]) + mapper.k_min) and len(levels.unique()) == 4


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
    assert [row[-1] for row in printed] == ["P5", "P4", "P4"]
    for n, (row, segment, box) in enumerate(zip(printed, stages.result.segments, stages.boxes.numpy(), strict=True)):
        width, height = box[2] - box[0], box[3] - box[1]
        assert row[:3] == [str(n + 1), "человек", f"{segment.score:.2f}".replace(".", ",")]
        assert row[3:5] == [f"{width:.0f}×{height:.0f}", f"{math.sqrt(width * height):.0f}"]
        assert int(row[5][1]) == math.floor(4 + math.log2(math.sqrt(width * height) / 224))
    with use_language("en"):
        assert "person  0.96" in levels_table(stages)


@pytest.mark.parametrize(
    "language, told",
    [("ru", ["найдено объектов: 3", "P6: шаг 64", "9×9×96, только RPN"]), ("en", ["P2: stride 4", "144×144×96"])],
)
def test_figure(load, default_photos, language, told):
    """A panel for the photo and one a level; every box on the photo and on its level, with its number."""
    with use_language(language):
        drawn = pyramid_figure(stages_of(load(6), default_photos["astronaut"]))
    assert set(told) <= set(words(drawn)) and "astronaut" in drawn.get_label()
    panels = [ax for ax in drawn.axes if ax.images]
    assert [len(ax.patches) for ax in panels] == [3, 0, 0, 2, 1, 0]
    assert [t.get_text() for t in panels[3].texts] == ["2", "3"] and len(svg(drawn).encode()) < 60_000


def test_maps_lie_where_the_photo_lies(load, default_photos):
    """A photo that is no multiple of the stride: the padding is not shown, and the maps have the photo's scale."""
    pixels = np.ascontiguousarray(default_photos["cat_kitten"].pixels[:, :500])
    stages = stages_of(load(6), Photo.from_pixels("узкое", pixels))
    for ax in pyramid_figure(stages).axes:
        assert ax.get_xlim() == (0, stages.size[1]) and ax.get_ylim() == (stages.size[0], 0)
        right, bottom = ax.images[0].get_extent()[1:3]
        assert 0 <= right - stages.size[1] < 64 and 0 <= bottom - stages.size[0] < 64


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
