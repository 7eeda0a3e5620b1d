"""Mask R-CNN's finds are counted as the card of the weights says."""

import numpy as np

from labkit.segmentation import Segment
from tools.finds import right_and_wrong


def segment(label_id: int, *columns: int) -> Segment:
    """A segment of these columns of a photo of 4x10 pixels."""
    mask = np.zeros((4, 10), bool)
    mask[:, slice(*columns)] = True
    return Segment(1, label_id, "", 1.0, mask)


def test_right_and_wrong():
    """An object is found once, by its class; what lies where nobody labelled is neither right nor wrong."""
    objects, unknown = [segment(8, 0, 4), segment(12, 4, 8)], segment(0, 8, 10).mask
    found = [segment(8, 0, 3), segment(8, 0, 4), segment(8, 4, 8), segment(12, 4, 5), segment(8, 8, 10)]
    assert right_and_wrong(found, objects, unknown) == (1, 3)
    assert right_and_wrong([segment(12, 5, 8)], objects, unknown) == (1, 0)
    assert right_and_wrong([], objects, unknown) == (0, 0)
