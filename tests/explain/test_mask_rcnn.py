"""Mask R-CNN's figures: boxes on their levels, proposals, what the heads made of them, masks of classes."""

import numpy as np
import torch
from drawn import grey, words

from labkit.explain.mask_rcnn import Judged, judged_figure, masks_figure, proposals_figure, pyramid_figure
from labkit.figures import svg

PHOTO = grey(144, 192)  # of another size than the network's input
SIZE = (288, 384)
BOXES = torch.tensor([[10.0, 20.0, 200.0, 280.0], [220.0, 40.0, 300.0, 120.0]])


def edges(ax) -> list[tuple[float, ...]]:
    """The boxes drawn on a panel."""
    return [(p.get_x(), p.get_y(), p.get_x() + p.get_width(), p.get_y() + p.get_height()) for p in ax.patches]


def test_boxes_on_the_photo_and_on_their_level():
    """All boxes on the photo, each besides on the level that it was taken from, in pixels of the input."""
    levels = {n: torch.rand(8, 320 >> n, 384 >> n) for n in (2, 3, 4, 5)}
    drawn = pyramid_figure(PHOTO, SIZE, levels, BOXES, [5, 3])
    assert edges(drawn.axes[0]) == [tuple(box) for box in BOXES.tolist()]
    assert [len(ax.patches) for ax in drawn.axes[1:5]] == [0, 1, 0, 1]
    assert edges(drawn.axes[4]) == [tuple(BOXES[0].tolist())]
    told = words(drawn)
    assert "найдено объектов: 2" in told and "P2: шаг 4" in told and "80×96×8" in told


def test_no_boxes():
    """Nothing found is a figure too."""
    levels = {2: torch.rand(4, 72, 96)}
    assert "найдено объектов: 0" in words(pyramid_figure(PHOTO, SIZE, levels, torch.zeros(0, 4), []))
    assert svg(judged_figure(PHOTO, SIZE, [])) and svg(proposals_figure(PHOTO, SIZE, {"a": torch.zeros(0, 4)}))


def test_proposals():
    """Each set on its own photo, a frame a box."""
    drawn = proposals_figure(PHOTO, SIZE, {"до": BOXES, "после": BOXES[:1]})
    paths = [ax.collections[0].get_paths() for ax in drawn.axes]
    assert [len(one) for one in paths] == [2, 1] and [ax.get_title() for ax in drawn.axes] == ["до", "после"]
    assert paths[1][0].get_extents().extents.tolist() == BOXES[0].tolist()


def test_judged():
    """The proposal is dashed, the refined box is not; a rejected one stays as it was; the bars are the likeliest."""
    rows = [
        Judged(BOXES[0], BOXES[0] + 5, {"кошка": 0.9, "собака": 0.05}, "IoU 0,9"),
        Judged(BOXES[1], None, {"фон": 0.8}, "отброшена"),
    ]
    whole, first, second = judged_figure(PHOTO, SIZE, rows).axes
    assert edges(whole) == [tuple(box.tolist()) for box in (BOXES[0], BOXES[0] + 5, BOXES[1])]
    assert [p.get_linestyle() for p in whole.patches] == ["--", "-", "--"]
    assert [bar.get_width() for bar in first.patches] == [0.9, 0.05] and second.get_title(loc="left") == "2: отброшена"
    assert [label.get_text() for label in first.get_yticklabels()] == ["кошка", "собака"]


def test_masks():
    """The object as it lies on the photo, and the head's masks under their titles, light where they are 1."""
    mask = np.zeros((144, 192), bool)
    mask[20:100, 30:90] = True
    ramp = torch.linspace(0, 1, 28).expand(28, 28)
    drawn = masks_figure(PHOTO, mask, {"кошка": ramp, "собака": 1 - ramp})
    assert [ax.get_title() for ax in drawn.axes] == ["маска на фото", "кошка", "собака"]
    pixels = np.asarray(drawn.axes[1].images[0].get_array(), int)[..., :3].sum(-1)
    assert pixels[50, -5] > pixels[50, 5] and len(svg(drawn)) < 30_000
