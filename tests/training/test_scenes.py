"""Training scenes: every object is known by its number, and its label by the table."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image

from labkit.classes import IGNORE
from labkit.evaluation.dataset import Dataset, Instance
from labkit.io.errors import LabkitError
from labkit.training.scenes import Scenes, _chances, _close_ring


def scenes_of(folder, side=96, scales=(100, 200), by_class=True, **more) -> Scenes:
    return Scenes(Dataset(folder, "train"), side, scales, by_class, **more)


def only(folder, *names: str) -> None:
    """Makes these photos the training split."""
    (folder / "train.txt").write_text("\n".join(names))


def write_row(folder, name: str, number: int, voc_id: int, box=(0, 0, 512, 512)) -> None:
    """Says in instances.csv that an object has this label, in place of what stood there."""
    path = folder / "instances.csv"
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    old = [row for row in rows if row[:2] == [name, str(number)]]
    new = [*old[0][:3], voc_id, *old[0][4:]] if old else [name, number, "thing", voc_id, 1000, *box]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *(row for row in rows if row not in old), new])


def paint(scenes: Scenes, shades: dict[str, int]) -> None:
    """Puts one shade of grey where a photo has an object, and middle grey around."""
    for name, shade in shades.items():
        inside = scenes._numbers[name] > 0
        scenes._photos[name] = np.where(inside[..., None], np.uint8(shade), np.uint8(127)).repeat(3, axis=2)


def test_shape_and_labels(tiny_dataset):
    """A scene is 3xSxS and SxS uint8 with a label for every object that it shows."""
    scenes, rng = scenes_of(tiny_dataset, by_class=False, pasted=0.5), np.random.default_rng(0)
    shown = set()
    for _ in range(20):
        scene = scenes.draw(rng)
        assert scene.pixels.shape == (3, 96, 96) and scene.numbers.shape == (96, 96) and scene.labels.shape == (256,)
        assert scene.pixels.dtype == scene.numbers.dtype == scene.labels.dtype == torch.uint8
        assert scene.objects() == sorted(set(scene.numbers.unique().tolist()) - {0, IGNORE})
        shown |= set(scene.labels[scene.objects()].tolist())
    assert shown == {8, 12, 15}


def test_chances_of_objects():
    """An object is drawn ~ area^0.5, a pet a fifth of that."""
    objects = [Instance(name, 1, 0, area, (0, 0, 9, 9)) for name, area in (("a", 100), ("b", 400), ("pet_c", 400))]
    assert _chances(objects) == pytest.approx(np.array([1, 2, 0.4]) / 3.4)


def test_labels_stay_on_their_objects(tiny_dataset):
    """With white cats and black people an object's number says by the table which it is; pasted ones have their own."""
    only(tiny_dataset, "cat_kitten", "astronaut")
    scenes, rng = scenes_of(tiny_dataset, pasted=0.8, centred=1.0), np.random.default_rng(2)
    paint(scenes, {"cat_kitten": 255, "astronaut": 0})
    most, mixed = 0, 0
    for _ in range(40):
        scene = scenes.draw(rng)
        shade = scene.pixels.float().mean(0)
        for number in scene.objects():
            label, own = scene.labels[number].item(), scene.numbers == number
            right = shade[own] > 170 if label == 8 else shade[own] < 85
            assert label in (8, 15)
            assert right.float().mean() > 0.75 or own.sum() < 200, "a sliver is all edge, where shades are mixed"
        most = max(most, len(scene.objects()))
        mixed += len(set(scene.labels[scene.objects()].tolist())) == 2
    assert most >= 3 and mixed > 5, "each photo has one object; more come from pasting"


def test_nothing_is_pasted_at_chance_zero(tiny_dataset):
    """Without pasting a scene shows the photo's one object at most."""
    scenes, rng = scenes_of(tiny_dataset, pasted=0.0), np.random.default_rng(2)
    assert max(len(scenes.draw(rng).objects()) for _ in range(20)) == 1


def test_objects_without_a_class(tiny_dataset):
    """What is none of VOC's classes is background for Mask R-CNN and an object for SAM."""
    only(tiny_dataset, "cat_kitten", "astronaut")
    write_row(tiny_dataset, "cat_kitten", 1, 0)
    labels = {}
    for by_class in (True, False):
        scenes, rng = scenes_of(tiny_dataset, by_class=by_class, pasted=0.3), np.random.default_rng(0)
        paint(scenes, {"astronaut": 0})
        drawn = [scenes.draw(rng) for _ in range(30)]
        labels[by_class] = {label for scene in drawn for label in scene.labels[scene.objects()].tolist()}
        if by_class:
            kitten = [scene for scene in drawn if not scene.objects()]
            assert kitten and all((scene.numbers == 0).any() for scene in kitten)
    assert labels == {True: {15}, False: {0, 15}}
    only(tiny_dataset, "cat_kitten")
    with pytest.raises(LabkitError, match="набор"):
        scenes_of(tiny_dataset, by_class=True)


@pytest.mark.parametrize("extent, known", [(3, False), (24, True)])
def test_tiny_objects_are_not_labelled(tiny_dataset, extent, known):
    """An object of a few pixels is neither object nor background."""
    only(tiny_dataset, "astronaut")
    numbers = np.zeros((512, 512), np.uint8)
    numbers[250 : 250 + extent, 250 : 250 + extent] = 7
    Image.fromarray(numbers).save(tiny_dataset / "instances" / "astronaut.png")
    write_row(tiny_dataset, "astronaut", 7, 8, (250, 250, 250 + extent, 250 + extent))
    scenes, rng = scenes_of(tiny_dataset, 400, (512, 512), centred=0.0, pasted=0.0), np.random.default_rng(0)
    for _ in range(5):
        scene = scenes.draw(rng)  # the 400 px of 512 that it shows always hold the middle of the photo
        assert scene.objects() == ([7] if known else [])
        assert (scene.numbers == (7 if known else IGNORE)).sum() == pytest.approx(extent**2, rel=0.4)
        assert (IGNORE in scene.numbers) == (not known)


def test_close_ring():
    """Of the unlabelled band around a pet the inner half becomes pet, the outer half background."""
    row, column = np.mgrid[:120, :120] - 60
    distance = np.hypot(row, column)
    numbers = np.where(distance < 30, 1, np.where(distance < 42, IGNORE, 0)).astype(np.uint8)
    closed = _close_ring(numbers)
    assert closed.dtype == np.uint8 and set(np.unique(closed)) == {0, 1}
    band = numbers == IGNORE
    assert 0.4 < closed[band].mean() < 0.7 and distance[band & (closed == 1)].max() < distance[band].max()
    assert closed[numbers == 1].all() and not closed[numbers == 0].any()


def test_pets_have_no_band(tiny_dataset):
    """The band is closed for the photos of pets, and kept as not labelled for all others."""
    for kind in ("images/{}.jpg", "semantic/{}.png", "instances/{}.png"):
        source = tiny_dataset / kind.format("cat_kitten")
        (tiny_dataset / kind.format("pet_kitten")).write_bytes(source.read_bytes())
    with Image.open(tiny_dataset / "instances" / "cat_kitten.png") as image:
        numbers = np.array(image)
    numbers[:, :20] = IGNORE
    numbers[:, 400:420][numbers[:, 400:420] == 0] = IGNORE
    for name in ("cat_kitten", "pet_kitten"):
        Image.fromarray(numbers).save(tiny_dataset / "instances" / f"{name}.png")
        write_row(tiny_dataset, name, 1, 8, (100, 100, 800, 600))
    only(tiny_dataset, "cat_kitten", "pet_kitten")
    scenes = scenes_of(tiny_dataset)
    assert IGNORE in scenes._numbers["cat_kitten"] and set(np.unique(scenes._numbers["pet_kitten"])) == {0, 1}
