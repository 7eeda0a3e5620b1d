"""Masks are compared by pixels, pair by pair, and what a model leaves open does not count."""

from dataclasses import replace
from functools import partial

import annotated
import numpy as np
import pytest

from labkit.evaluation.metrics import iou
from labkit.grading.tolerance import Own, agreement
from labkit.io.rle import encode_mask

SIZE = (40, 50)
block = partial(annotated.block, size=SIZE)


def own(*masks: np.ndarray, outer: list[np.ndarray] | None = None, needed: list[bool] | bool = True, **more) -> Own:
    """What a model found, all of class 8."""
    rles = ([encode_mask(mask) for mask in each] for each in (masks, outer or masks))
    return Own(np.full(len(masks), 8), *rles, np.array(needed), **more)


LARGE, OTHER, SMALL, NARROW = block(0, 0, 20, 20), block(20, 20, 50, 40), block(0, 30, 5, 33), block(0, 0, 16, 20)
HALF, SHIFTED = block(0, 0, 20, 10), block(3, 2, 23, 22)
INNER, OUTER, WIDE = block(1, 1, 19, 19), block(0, 0, 21, 21), block(0, 0, 25, 21)
OPEN, EDGE = own(INNER, outer=[OUTER]), LARGE & ~INNER


@pytest.mark.parametrize(
    "masks, found, expected",
    [
        ([OTHER, LARGE], own(LARGE, OTHER), 1),  # in any order
        ([], own(), 1),
        ([SHIFTED], own(LARGE), iou(SHIFTED, LARGE)),
        # a good pair does not make up for a bad one, a missing one, one too much, or one of another class
        ([HALF, OTHER], own(LARGE, OTHER), 0.5),
        ([OTHER], own(LARGE, OTHER), 0),
        ([LARGE, OTHER], own(OTHER), 0),
        ([LARGE], own(), 0),
        ([LARGE, OTHER], replace(own(LARGE, OTHER), labels=np.array([12, 8])), 0),
        # what is missing or too much below a hundredth of the photo lowers the IoU by its pixels only
        ([LARGE], own(LARGE, SMALL), 400 / 415),
        ([LARGE, SMALL], own(LARGE), 400 / 415),
        # pixels between inner and outer are nobody's mistake; those outside of both are
        ([INNER], OPEN, 1),
        ([OUTER], OPEN, 1),
        ([LARGE], OPEN, 1),
        ([WIDE], OPEN, 18 * 18 / (18 * 18 + 21 * 4)),
        ([EDGE], own(undecided=encode_mask(EDGE)), 1),
        # a mask that is not needed may be missing, and one of its like may stand for it; what is there is compared
        ([OTHER], own(LARGE, OTHER, needed=[False, True]), 1),
        ([LARGE, OTHER], own(LARGE, OTHER, needed=[False, True]), 1),
        ([NARROW], own(LARGE, NARROW, needed=[True, False], alike=np.array([[False, True], [False, False]])), 1),
        ([NARROW], own(LARGE, NARROW, needed=[True, False]), 0),
    ],
)
def test_agreement(masks, found, expected):
    """The IoU over all pairs of one class or, where that is smaller, of the worst large one."""
    value = agreement([8] * len(masks), [encode_mask(mask) for mask in masks], found, SIZE[0] * SIZE[1])
    assert value == pytest.approx(expected, rel=1e-12)
