"""Counting: connected regions by hand, objects that count, and two that touch."""

from __future__ import annotations

import numpy as np
import pytest
from detected import words

from labkit.classes import COCO, VOC, LabelSet
from labkit.evaluation.metrics import regions
from labkit.explain.counting import (
    Pair,
    counts_figure,
    counts_table,
    crowded,
    doubled,
    doubled_table,
    objects_of,
    regions_of,
    telling_pair,
)
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation

SIZE = (60, 100)


TABLE = Photo.from_pixels("стол", np.full((*SIZE, 3), 127, np.uint8))


def square(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """A rectangle as a mask."""
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def instances(*objects: tuple[str, np.ndarray], classes: LabelSet = VOC) -> Segmentation:
    """An instance result, best first."""
    ids = np.zeros(SIZE, np.int32)
    segments = []
    for number, (name, mask) in enumerate(objects, start=1):
        ids[mask & (ids == 0)] = number
        segments.append(Segment(number, classes.id(name), name, 1 - number / 10, mask))
    return Segmentation(TABLE, ids, np.ones(SIZE, np.float32), segments, classes)


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


def test_two_that_touch():
    """The claim: two objects of one class side by side are two objects and one region; apart, two and two."""
    for gap, count in ((0, 1), (2, 2)):
        left, right = square(10, 10, 40, 50), square(40 + gap, 10, 70, 50)
        pair = Pair(semantic(("horse", left | right)), instances(("horse", left), ("horse", right)))
        assert pair.counts == {("лошадь", "horse"): (count, 2)} and pair.most == (count, 2)


def test_one_class_in_two_label_sets():
    """COCO's couch and VOC's sofa are one row; what only one of them sees has a zero."""
    left, right = square(10, 10, 40, 50), square(50, 10, 80, 50)
    pair = Pair(semantic(("sofa", left), ("cat", right)), instances(("couch", left), ("zebra", right), classes=COCO))
    rows = {russian: counts for (russian, _), counts in pair.counts.items()}
    assert rows == {"диван": (1, 1), "кошка": (1, 0), "зебра": (0, 1)}
    assert counts_table(pair).splitlines()[0].split() == ["класс", "объектов", "связных", "областей"]
    with use_language("en"):
        assert "couch" in counts_table(pair) and "zebra" in counts_table(pair)


def test_most_of_one_class():
    """Three sheep count more than four objects of four classes; without a pair, the photo with the most objects."""
    places = [square(x, 0, x + 20, 40) for x in (0, 25, 50, 75)]
    sheep = instances(*(("sheep", mask) for mask in places[:3]))
    mixed = instances(*zip(("cat", "dog", "cow", "car"), places, strict=True))
    single, empty = instances(("cat", places[0])), instances()
    assert crowded([single, mixed, sheep, empty]) is sheep
    assert crowded([empty, single, mixed]) is mixed and crowded([empty]) is empty
    with pytest.raises(LabkitError, match="ни одного результата"):
        crowded([])


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
    columns = np.flatnonzero(mask.any(0))
    wide = columns[-1] + 1 - columns[0]
    across = photo.pixels.shape[1]
    front = np.zeros(photo.pixels.shape[:2], bool)
    front[:, across - mask.shape[1] :] = mask[:, ::-1][:, max(0, mask.shape[1] - across) :]
    behind = np.zeros_like(front)
    behind[:, : mask.shape[1]] = mask[:, :across]
    assert (front & behind).any() and regions(front | behind).max() == 1
    hidden = np.flatnonzero(behind.any(0))[-1] + 1 - np.flatnonzero(front.any(0))[0]
    assert hidden == round(wide / 10)
    assert np.array_equal(photo.pixels[front], pixels[:, ::-1][mask[:, ::-1]])
    seen = behind & ~front
    assert np.array_equal(photo.pixels[seen], np.pad(pixels, ((0, 0), (0, across), (0, 0)))[:, :across][seen])
    assert photo.name == "кот и отражение"


def test_nothing_to_double():
    """A photo on which nothing was found has no double."""
    assert doubled(instances()) is None and telling_pair([]) is None


@pytest.fixture(scope="module")
def pairs(load, default_photos):
    """Both models on three doubled photos."""
    results = [load(6).segment(default_photos[name]) for name in ("bird_kingfisher", "astronaut", "officer")]
    return [Pair(load(2).segment(photo), load(6).segment(photo)) for photo in map(doubled, results)]


def test_real_models(pairs):
    """The claim on real photos: two people are counted as two objects, and on one photo at least as one region."""
    bird, astronaut, officer = pairs
    for pair in (astronaut, officer):
        assert pair.counts["человек", "person"][1] >= 2
    telling = telling_pair(pairs)
    assert telling.most[1] >= 2 > telling.most[0] and telling_pair([bird]) is bird


def test_figure(pairs):
    """Both answers side by side, what was counted numbered on them."""
    pair = telling_pair(pairs)
    drawn = counts_figure(pair)
    regions, objects = len(regions_of(pair.semantic).segments), len(objects_of(pair.instances).segments)
    told = words(drawn)
    assert {f"семантическая, связных областей: {regions}", f"объектная, объектов: {objects}"} <= set(told)
    assert [len(ax.texts) for ax in drawn.axes] == [regions, objects]
    for ax, result in zip(drawn.axes, pair.shown, strict=True):
        for label, segment in zip(ax.texts, result.segments, strict=True):
            column, row = map(int, label.get_position())
            assert result.ids[row, column] == segment.id
    with use_language("en"):
        assert f"instance, objects: {objects}" in words(counts_figure(pair))
    assert len(svg(drawn).encode()) < 60_000


def test_empty_answers():
    """Nothing on either side still makes a figure and a line."""
    pair = Pair(semantic(), instances())
    assert counts_table(pair).startswith("ничего не найдено") and pair.most == (0, 0)
    assert "объектная, объектов: 0" in words(counts_figure(pair))


def test_what_is_printed(pairs):
    """The telling pair's table, and of how many photos each way to count says two; it is said where none has."""
    told, (regions, objects) = doubled_table(pairs), (sum(pair.most[n] >= 2 for pair in pairs) for n in (0, 1))
    assert f"по объектам — на {objects} из 3, по связным областям — на {regions} из 3" in told
    assert counts_table(telling_pair(pairs)) in told and objects > regions
    assert doubled_table([]) == counts_table(None) == "ничего не найдено" and svg(counts_figure(None))
    left, right = square(10, 10, 40, 50), square(40, 10, 70, 50)
    for found, said in (((("cat", left),), True), ((("cat", left), ("cat", right)), False)):
        table = counts_table(Pair(semantic(("cat", left | right)), instances(*found)))
        assert ("Двух объектов одного класса здесь не найдено." in table) == said
