"""Counting: connected regions by hand, objects that count, and two that touch."""

import numpy as np
import pytest
from drawn import found, grey, words

from labkit.classes import VOC
from labkit.evaluation.metrics import regions
from labkit.explain.counting import counts_figure, doubled, objects_of, regions_of
from labkit.figures import svg
from labkit.locale import use_language
from labkit.photos import Photo
from labkit.segmentation import Segmentation

SIZE = (60, 100)
TABLE = grey(*SIZE, "стол")


def square(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """A rectangle as a mask."""
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def instances(*objects: tuple[str, np.ndarray]) -> Segmentation:
    """An instance result, best first."""
    return found([mask for _, mask in objects], [VOC.id(name) for name, _ in objects], size=SIZE)


def semantic(*parts: tuple[str, np.ndarray]) -> Segmentation:
    """A semantic result."""
    labels = np.zeros(SIZE, np.uint8)
    for name, mask in parts:
        labels[mask] = VOC.id(name)
    return Segmentation.from_labels(TABLE, labels)


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


def test_figure():
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
    with use_language("en"):
        assert "instance, objects: 2" in words(counts_figure(*pair))
    assert len(svg(drawn).encode()) < 60_000


def test_empty_answers():
    """Nothing on either side still makes a figure, and there is nothing to double."""
    assert doubled(instances()) is None
    assert "экземпляры, объектов: 0" in words(counts_figure(regions_of(semantic()), instances()))
