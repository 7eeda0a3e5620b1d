"""The photos that cost a class most are those without which its IoU is highest."""

import numpy as np
import pytest

from tools.hardest import scores_without


def test_scores_without():
    """A photo that an object fills weighs by its pixels; a class that is on one photo alone is nowhere without it."""
    good, missed = [[50, 0, 0], [0, 30, 0], [0, 0, 4]], [[10, 0, 0], [70, 0, 0], [0, 0, 0]]
    scores = scores_without(np.array([good, missed]))
    assert scores[:, 1].tolist() == pytest.approx([0, 1])
    assert scores[:, 0].tolist() == pytest.approx([10 / 80, 1])
    assert np.isnan(scores[0, 2]) and scores[1, 2] == 1
