"""Masks are compared by pixels, pair by pair, and what a model leaves open does not count."""

from functools import partial

import annotated
import numpy as np
import pytest

from labkit.evaluation.metrics import iou
from labkit.grading.tolerance import Own, agreement
from labkit.io.rle import encode_mask

SIZE = (40, 50)
block = partial(annotated.block, size=SIZE)


LARGE, OTHER = block(0, 0, 20, 20), block(20, 20, 50, 40)


def own(*masks: np.ndarray, outer: list[np.ndarray] | None = None, needed: list[bool] | None = None, **more) -> Own:
    """What a model found, all of class 8."""
    return Own(
        np.full(len(masks), 8),
        [encode_mask(mask) for mask in masks],
        [encode_mask(mask) for mask in (outer or masks)],
        np.array(needed if needed is not None else [True] * len(masks), bool),
        **more,
    )


def compare(masks: list[np.ndarray], found: Own, labels: list[int] | None = None) -> float:
    """The IoU of a report's masks, of class 8 unless said otherwise."""
    rows = [encode_mask(mask) for mask in masks]
    return agreement(labels or [8] * len(masks), rows, found, SIZE[0] * SIZE[1])


def test_same_masks_in_any_order():
    """The same masks agree wholly, and two empty results too."""
    assert compare([OTHER, LARGE], own(LARGE, OTHER)) == 1.0
    assert compare([], own()) == 1.0


def test_one_pair_is_iou():
    """A single pair has the IoU of its masks."""
    shifted = block(3, 2, 23, 22)
    assert compare([shifted], own(LARGE)) == pytest.approx(iou(shifted, LARGE))


def test_worst_large_segment():
    """A good pair does not make up for a bad one, a missing one, one too much, or one of another class."""
    half = block(0, 0, 20, 10)
    assert compare([half, OTHER], own(LARGE, OTHER)) == pytest.approx(0.5)
    assert compare([OTHER], own(LARGE, OTHER)) == 0.0
    assert compare([LARGE, OTHER], own(OTHER)) == 0.0
    assert compare([LARGE, OTHER], own(LARGE, OTHER), labels=[12, 8]) == 0.0
    assert compare([LARGE], own()) == 0.0


def test_small_segments_count_by_their_pixels():
    """What is missing below a hundredth of the photo lowers the IoU by its pixels only."""
    small = block(0, 30, 5, 33)
    assert compare([LARGE], own(LARGE, small)) == pytest.approx(400 / 415)
    assert compare([LARGE, small], own(LARGE)) == pytest.approx(400 / 415)


def test_what_is_open_does_not_count():
    """Pixels between inner and outer are nobody's mistake; those outside of both are."""
    inner, outer = block(1, 1, 19, 19), block(0, 0, 21, 21)
    found = own(inner, outer=[outer])
    assert compare([inner], found) == compare([outer], found) == compare([LARGE], found) == 1.0
    wide = block(0, 0, 25, 21)
    assert compare([wide], found) == pytest.approx(18 * 18 / (18 * 18 + 21 * 4))
    edge = LARGE & ~inner
    assert compare([edge], own(undecided=encode_mask(edge))) == 1.0


def test_optional_and_alike():
    """A mask that is not needed may be missing, and one of its like may stand for it; what is there is compared."""
    assert compare([OTHER], own(LARGE, OTHER, needed=[False, True])) == 1.0
    assert compare([LARGE, OTHER], own(LARGE, OTHER, needed=[False, True])) == 1.0
    other = block(0, 0, 16, 20)
    alike = np.array([[False, True], [False, False]])
    assert compare([other], own(LARGE, other, needed=[True, False], alike=alike)) == 1.0
    assert compare([other], own(LARGE, other, needed=[True, False])) < 0.9
