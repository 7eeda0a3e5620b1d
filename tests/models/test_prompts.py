"""Prompts of a photo that was made smaller while it was read: coordinates of its file are refused, with both sizes."""

from __future__ import annotations

import pytest

from labkit.io.errors import LabkitError
from labkit.models.prompts import check_box, check_points, check_polygon

WORK, FILE = (1536, 2048), (3072, 4096)


@pytest.mark.parametrize(
    "check",
    [
        lambda size: check_points([(3000, 20)], None, WORK, size),
        lambda size: check_box((1133, 646, 2917, 2771), WORK, size),
        lambda size: check_box((3000, 2000, 4000, 3000), WORK, size),
        lambda size: check_polygon([(1133, 646), (2917, 646), (2000, 2771)], WORK, size),
    ],
    ids=["point", "box partly", "box", "contour"],
)
def test_measured_on_the_file(check):
    """Both sizes and the factor between them are in the error."""
    with pytest.raises(LabkitError, match=r"2048×1536.*4096×3072.*0,5"):
        check(FILE)


def test_inside_the_photo():
    """What lies in the photo in work means that, however large its file is; a hair over the edge is cut off."""
    assert check_points([(2047, 1535)], None, WORK, FILE) == ([[2047, 1535]], [1])
    assert check_box((-5, 0, 2048.6, 1536), WORK, FILE) == [0, 0, 2048, 1536]
    assert check_polygon([(0, 0), (2048, 0), (0, 1536)], WORK, FILE)[1].any()
    assert check_box((-5, 0, 5000, 900), WORK, WORK) == [0, 0, 2048, 900]  # never made smaller: as before
