"""The photo that tells most, the part of a map that is the photo, boundary IoU: what is measured is counted."""

import math

import numpy as np
import pytest
import torch
from drawn import grey
from official import random_official
from scipy import ndimage
from torch.nn import functional as F

from labkit.evaluation.metrics import iou
from labkit.explain.measures import boundary, boundary_iou, on_photo, photo_part, telling, window
from labkit.io.errors import LabkitError
from labkit.segmentation import Segmentation


def found(name: str, share: float) -> Segmentation:
    """A photo whose left `share` is cat."""
    labels = np.where(np.arange(100)[None].repeat(10, 0) < 100 * share, 8, 0).astype(np.uint8)
    return Segmentation.from_labels(grey(10, 100, name), labels)


def test_neither_a_speck_nor_all():
    """A third of the photo is best; an empty result is last."""
    results = [found("empty", 0), found("speck", 0.02), found("third", 0.3), found("all", 1.0)]
    assert [telling(results[:n]).photo.name for n in (4, 2, 1)] == ["third", "speck", "empty"]


def test_the_one_that_is_named():
    """A photo's name chooses it; another one is refused with those that there are."""
    results = [found("third", 0.3), found("all", 1.0)]
    assert telling(results, "all") is results[1]
    with pytest.raises(LabkitError, match="кот.*third, all"):
        telling(results, "кот")
    with pytest.raises(LabkitError, match="ни одного результата"):
        telling([])


def eroded(mask: np.ndarray, times: int) -> np.ndarray:
    """As the authors do it: a 3x3 square, `times` times, background outside of the image."""
    return ndimage.binary_erosion(mask, np.ones((3, 3)), times)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (31, 47), (90, 64), (300, 400)])
def test_as_iterated_erosion(size):
    """The boundary is the mask without the mask eroded d times, for blobs and for a full mask."""
    rng = np.random.default_rng(0)
    blobs = F.interpolate(torch.from_numpy(rng.random((1, 1, 4, 5))), size, mode="bilinear")[0, 0].numpy() > 0.4
    d = max(1, round(0.02 * math.hypot(*size)))
    for mask in (blobs, np.ones(size, bool), np.zeros(size, bool)):
        assert np.array_equal(boundary(mask), mask & ~eroded(mask, d))


def test_by_hand():
    """Two 10x10 squares in a 30x40 image (d = 1), one a column to the right: rings of 36 that share 18 pixels."""
    mask, moved = np.zeros((30, 40), bool), np.zeros((30, 40), bool)
    mask[5:15, 5:15], moved[5:15, 6:16] = True, True
    assert boundary(mask).sum() == 10 * 10 - 8 * 8
    shared = 2 * 9  # the upper and the lower row; the columns are apart
    assert boundary_iou(mask, moved) == shared / (36 + 36 - shared)


def test_sees_what_iou_does_not(outlined):
    """The same error of the contour costs a large object little IoU and much boundary IoU (the paper's point)."""
    mask = outlined.labels == 8
    shrunk = eroded(mask, 5)
    assert iou(shrunk, mask) > 0.92 and boundary_iou(shrunk, mask) < 0.4
    assert boundary_iou(shrunk, mask) == boundary_iou(mask, shrunk)


def test_refused():
    """Masks of two sizes are named."""
    with pytest.raises(ValueError, match=r"\(4, 4\).*\(4, 5\)"):
        boundary_iou(np.ones((4, 4), bool), np.ones((4, 5), bool))


def test_photo_part(load, default_photos):
    """What of the padded input is the photo's, by hand; the official network of the same photo gets no padding."""
    model, photo = load("deeplab"), default_photos["officer"]
    side, (height, width) = model.defaults["working_side"], photo.pixels.shape[:2]
    across = round(width * side / height)
    part = photo_part(model, model.segment(photo))
    assert part == (side / (-(-side // 32) * 32), across / (-(-across // 32) * 32)) and part[1] < 1
    official = random_official("deeplabv3_mobilenet_v3_large", 96)
    assert photo_part(official, official.segment(photo)) == (1, 1)
    assert on_photo(np.zeros((5, 24, 22)), (1, 328 / 352)).shape == (5, 24, 21)
    assert on_photo(np.eye(6), (1, 1)).shape == (6, 6)


def test_window():
    """An object with a margin of a twelfth of its sides, at least 4; all of the photo where there is none."""
    mask = np.zeros((100, 200), bool)
    assert mask[window(mask)].shape == mask.shape
    mask[20:68, 2:10] = True
    assert window(mask) == (slice(16, 72), slice(0, 14))
