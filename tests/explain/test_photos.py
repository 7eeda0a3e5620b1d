"""Which photo is shown: the one with an object of about a third of it, also where little or nothing was found."""

from __future__ import annotations

import numpy as np
import pytest

from labkit.explain.photos import telling
from labkit.io.errors import LabkitError
from labkit.photos import Photo
from labkit.segmentation import Segmentation


def found(name: str, share: float) -> Segmentation:
    """A photo whose left `share` is cat."""
    photo = Photo.from_pixels(name, np.zeros((10, 100, 3), np.uint8))
    labels = np.where(np.arange(100)[None].repeat(10, 0) < 100 * share, 8, 0).astype(np.uint8)
    return Segmentation.from_labels(photo, labels)


def test_neither_a_speck_nor_all():
    """A third of the photo is best; an empty result is last."""
    results = [found("empty", 0), found("speck", 0.02), found("third", 0.3), found("all", 1.0)]
    assert telling(results).photo.name == "third"
    assert telling(results[:2]).photo.name == "speck"
    assert telling(results[:1]).photo.name == "empty"


def test_no_results():
    """Without results the message says so."""
    with pytest.raises(LabkitError, match="ни одного результата"):
        telling([])
