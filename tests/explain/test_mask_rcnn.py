"""Mask R-CNN's figures: boxes, proposals, what the heads made of them; counting regions and objects."""

from functools import partial

import numpy as np
import pytest
import torch
from annotated import block
from drawn import found, grey, words

from labkit.classes import VOC
from labkit.evaluation.metrics import regions
from labkit.explain.mask_rcnn import (
    Judged,
    counts_figure,
    doubled,
    judged_figure,
    masks_figure,
    objects_of,
    proposals_figure,
    pyramid_figure,
    regions_of,
)
from labkit.figures import svg
from labkit.photos import Photo
from labkit.segmentation import Segmentation

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
    mask, ramp = block(30, 20, 90, 100, (144, 192)), torch.linspace(0, 1, 28).expand(28, 28)
    drawn = masks_figure(PHOTO, mask, {"кошка": ramp, "собака": 1 - ramp})
    assert [ax.get_title() for ax in drawn.axes] == ["маска на фото", "кошка", "собака"]
    pixels = np.asarray(drawn.axes[1].images[0].get_array(), int)[..., :3].sum(-1)
    assert pixels[50, -5] > pixels[50, 5] and len(svg(drawn)) < 30_000


# ---- Counting ----

TABLE_SIZE = (60, 100)
square = partial(block, size=TABLE_SIZE)


def instances(*objects: tuple[str, np.ndarray]) -> Segmentation:
    return found([mask for _, mask in objects], [VOC.id(name) for name, _ in objects], size=TABLE_SIZE)


def semantic(*parts: tuple[str, np.ndarray]) -> Segmentation:
    labels = np.zeros(TABLE_SIZE, np.uint8)
    for name, mask in parts:
        labels[mask] = VOC.id(name)
    return Segmentation.from_labels(grey(*TABLE_SIZE, "стол"), labels)


def test_objects_that_count():
    """A speck and what is half hidden by better ones are left out; the rest keep their numbers and masks."""
    whole, hidden, speck = square(0, 0, 40, 40), square(10, 0, 45, 40), square(90, 50, 95, 55)
    beside = square(38, 0, 80, 40)
    result = instances(("person", whole), ("person", hidden), ("cat", speck), ("person", beside))
    counted = objects_of(result)
    assert [s.id for s in counted.segments] == [1, 4] and counted.segments[1].mask is beside
    assert set(np.unique(counted.ids)) == {0, 1, 4} and (counted.ids[whole] == 1).all()
    half = instances(("person", square(0, 0, 20, 40)), ("person", square(10, 0, 30, 40)))
    assert len(objects_of(half).segments) == 1  # half, not more


def test_regions_that_count():
    """Each class's regions, largest first, without specks."""
    parts = square(0, 0, 10, 40) | square(20, 0, 60, 40) | square(90, 0, 92, 5)
    result = regions_of(semantic(("cat", parts), ("dog", square(70, 0, 80, 40))))
    assert [(s.id, s.label, s.area) for s in result.segments] == [(1, "cat", 1600), (2, "cat", 400), (3, "dog", 400)]
    assert all((result.ids[s.mask] == s.id).all() for s in result.segments)


@pytest.mark.parametrize("flip", [False, True], ids=["room at the left", "room at the right"])
def test_doubled(outlined, flip):
    """The cat is there twice, whole in front and a tenth hidden behind, as one region; the rest is the photo's own."""
    pixels, mask = outlined.photo.pixels, outlined.segments[0].mask
    mask = mask & (np.arange(mask.shape[1]) > 90)  # room at the left
    if flip:
        pixels, mask = pixels[:, ::-1], mask[:, ::-1]
    result = Segmentation.from_labels(Photo.from_pixels("кот", pixels), np.where(mask, 8, 0).astype(np.uint8))
    photo = doubled(result)
    if flip:
        mask, pixels = mask[:, ::-1], pixels[:, ::-1]
    columns, across = np.flatnonzero(mask.any(0)), photo.pixels.shape[1]
    front, behind = np.zeros((2, *photo.pixels.shape[:2]), bool)
    front[:, across - mask.shape[1] :] = mask[:, ::-1][:, max(0, mask.shape[1] - across) :]
    behind[:, : mask.shape[1]] = mask[:, :across]
    assert (front & behind).any() and regions(front | behind).max() == 1
    hidden = np.flatnonzero(behind.any(0))[-1] + 1 - np.flatnonzero(front.any(0))[0]
    assert hidden == round((columns[-1] + 1 - columns[0]) / 10)
    assert np.array_equal(photo.pixels[front], pixels[:, ::-1][mask[:, ::-1]])
    seen = behind & ~front
    assert np.array_equal(photo.pixels[seen], np.pad(pixels, ((0, 0), (0, across), (0, 0)))[:, :across][seen])
    assert photo.name == "кот и отражение"


def test_counts_figure():
    """Both answers side by side, what was counted numbered on them; it is small in a report."""
    left, right = square(10, 10, 40, 50), square(40, 10, 70, 50)
    pair = regions_of(semantic(("cat", left | right))), objects_of(instances(("cat", left), ("cat", right)))
    drawn = counts_figure(*pair)
    assert {"семантическая, связных областей: 1", "экземпляры, объектов: 2"} <= set(words(drawn))
    for ax, result in zip(drawn.axes, pair, strict=True):
        assert len(ax.texts) == len(result.segments)
        for label, segment in zip(ax.texts, result.segments, strict=True):
            column, row = map(int, label.get_position())
            assert result.ids[row, column] == segment.id
    assert len(svg(drawn).encode()) < 60_000


def test_counts_figure_numbers_as_the_table_does():
    """The largest object is the first, whatever its score: the table and the legend call it "кошка 1"."""
    small, large = square(10, 10, 30, 30), square(40, 10, 70, 50)
    drawn = counts_figure(regions_of(semantic(("cat", small))), objects_of(instances(("cat", small), ("cat", large))))
    first, second = (label.get_position() for label in drawn.axes[1].texts)
    assert large[int(first[1]), int(first[0])] and small[int(second[1]), int(second[0])]


def test_empty_answers():
    """Nothing on either side still makes a figure, and there is nothing to double."""
    assert doubled(instances()) is None
    assert "экземпляры, объектов: 0" in words(counts_figure(regions_of(semantic()), instances()))
