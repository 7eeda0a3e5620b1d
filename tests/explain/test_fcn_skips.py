"""Skips: their effect on the contour, measured and drawn."""

from __future__ import annotations

import numpy as np
import pytest
from IPython.utils.capture import capture_output

from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.metrics import iou
from labkit.explain.boundary import boundary_iou
from labkit.explain.fcn_skips import compare_skips, display_skips, skip_figure, skip_table
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.photos import Photo


@pytest.fixture(scope="module")
def every(load, default_photos):
    """The three nets on each photo, by its name."""
    return {name: compare_skips(load("fcn"), photo) for name, photo in default_photos.items()}


@pytest.fixture(scope="module")
def dog(every):
    """Those of the shepherd."""
    return every["dog_shepherd"]


def test_masks_are_the_three_nets(load, default_photos, dog):
    """Each mask is what the model says with that setting."""
    for stride, mask in dog.masks.items():
        labels = load("fcn").segment(default_photos["dog_shepherd"], finest=stride).labels
        assert np.array_equal(mask, labels == 12)
    assert list(dog.masks) == [32, 16, 8] and dog.label == "dog"


def test_claim_on_every_photo(every):
    """The claim: without skips the contour is another one, which IoU hardly shows; the second skip adds less."""
    for name, skips in every.items():
        (coarse_iou, coarse), (_, fine) = skips.agreement(32, 8), skips.agreement(16, 8)
        assert coarse < fine and coarse < 0.65 and fine > 0.75 and coarse_iou > coarse + 0.3, name


def test_skips_come_nearer_to_the_truth(every, root):
    """Against hand-drawn outlines the boundary IoU of FCN-8s is above that of FCN-32s, on the mean of all photos."""
    scores = []
    for skips in every.values():
        reference = find_ground_truth(skips.result.photo, root / "data" / "outlines")
        if reference is not None and reference.mask_of(skips.label).any():
            truth = reference.mask_of(skips.label)
            scores.append([boundary_iou(mask, truth) for mask in skips.masks.values()])
    means = np.mean(scores, axis=0)
    assert len(scores) >= 6 and means[0] < means[1] and means[0] + 0.02 < means[2]


def test_table(dog):
    """The numbers of the table are those of the metrics, in the language's form."""
    rows = [line.split("  ") for line in skip_table(dog).splitlines()]
    assert rows[0][0].strip() == "собака" and "граничный IoU" in rows[0][-1]
    for row, (coarse, fine) in zip(rows[2:], ((32, 16), (16, 8), (32, 8)), strict=True):
        pair = dog.masks[coarse], dog.masks[fine]
        expected = [f"{value:.2f}".replace(".", ",") for value in (iou(*pair), boundary_iou(*pair))]
        assert row[0] == f"FCN-{coarse}s – FCN-{fine}s" and [word.strip() for word in row[1:] if word] == expected
    with use_language("en"):
        assert "boundary IoU" in skip_table(dog) and "dog" in skip_table(dog)


def test_figure(dog):
    """Two pictures, above each its boundary IoU; the colours are those of the pixels that count."""
    drawn = skip_figure(dog)
    written = svg(drawn)
    for stride in (32, 16):
        number = f"{dog.agreement(stride, 8)[1]:.2f}".replace(".", ",")
        assert f"FCN-{stride}s – FCN-8s: {number}" in written
    assert "только у FCN-8s" in written
    with use_language("en"):
        assert "FCN-8s alone" in svg(skip_figure(dog))
    pixels = drawn.axes[0].images[0].get_array().astype(int)
    blue = (pixels[..., 2] - pixels[..., 0] > 60).sum()
    other = (pixels[..., 0] - pixels[..., 2] > 60).sum()
    assert blue / (blue + other) == pytest.approx(dog.agreement(32, 8)[1], abs=0.05)


def test_nothing_found(load):
    """A photo without objects has a figure and a table that say so."""
    skips = compare_skips(load("fcn"), Photo("пусто", np.full((60, 400, 3), 128, np.uint8)))
    assert skips.label is None and skips.agreement(32, 8) == (1, 1)
    assert skip_table(skips) == "ничего не найдено" and "FCN-8s: ничего не найдено" in svg(skip_figure(skips))


def test_display(shell, dog):
    """It shows the figure."""
    with capture_output() as captured:
        display_skips(dog)
    assert "image/svg+xml" in captured.outputs[0].data


def test_no_skips(load, default_photos):
    """A model without skips is named, with what has them."""
    with pytest.raises(LabkitError, match="embedded/pspnet.*пропускающих"):
        compare_skips(load("pspnet"), default_photos["officer"])
