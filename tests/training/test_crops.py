"""Training crops: shape, balance, pasted objects, and how both fade."""

from functools import partial

import numpy as np
import pytest
import torch

from labkit.classes import IGNORE
from labkit.evaluation.dataset import Dataset
from labkit.training.crops import Crops
from labkit.training.scenes import Scenes

crops = pytest.fixture(lambda tiny_dataset: Crops(Dataset(tiny_dataset, "train"), side=96, scales=(100, 200)))


def test_shape_and_labels(crops):
    """A crop is 3xSxS uint8 with labels of the dataset's classes or 255."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        pixels, labels = crops.draw(rng)
        assert pixels.shape == (3, 96, 96) and labels.shape == (96, 96)
        assert pixels.dtype == labels.dtype == torch.uint8
        assert set(labels.unique().tolist()) <= {0, 8, 12, 15, IGNORE}


@pytest.mark.parametrize("stream", [Crops, partial(Scenes, by_class=True)], ids=["crops", "scenes"])
def test_the_seed_decides(tiny_dataset, stream):
    """A stream of one seed gives the same squares again, another seed others."""
    data = Dataset(tiny_dataset, "train")
    first, again, other = (next(iter(stream(data, side=96, scales=(100, 200), seed=seed))) for seed in (5, 5, 6))
    assert all(map(torch.equal, first, again)) and not torch.equal(first[0], other[0])


def test_labels_stay_on_their_pixels(crops, monkeypatch):
    """With a marker colour in place of the cat, exactly the pixels of the cat's colour have its label."""
    name = "cat_kitten"
    cat = crops._labels[name] == 8
    crops._photos[name] = np.where(cat[..., None], np.uint8(255), np.uint8(0)).repeat(1, axis=2) * np.ones(3, np.uint8)
    rng = np.random.default_rng(2)
    for _ in range(10):
        image, labels = crops._crop(rng, name, 8)
        bright = np.asarray(image)[..., 0] > 127
        inside = labels != IGNORE
        agreement = (bright == (labels == 8))[inside].mean()
        assert agreement > 0.98


def test_balance_and_pasting_fade(crops):
    """At the end fewer crops show several classes, which only pasting brings about here."""
    rng = np.random.default_rng(3)

    def mixed() -> int:
        draws = [crops.draw(rng)[1] for _ in range(120)]
        return sum(len(set(labels.unique().tolist()) - {0, IGNORE}) > 1 for labels in draws)

    crops.progress.fill_(0.0)
    start = mixed()
    crops.progress.fill_(1.0)
    assert start > mixed() > 0


def test_no_instances_no_pasting(tiny_dataset):
    """Without instances.csv crops still come."""
    (tiny_dataset / "instances.csv").unlink()
    crops = Crops(Dataset(tiny_dataset, "train"), side=64)
    assert crops.draw(np.random.default_rng(0))[0].shape == (3, 64, 64)
