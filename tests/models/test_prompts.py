"""What SAM may be asked: every wrong prompt is answered with what is valid, every right one becomes plain numbers."""

import json
from dataclasses import replace

import numpy as np
import pytest
from drawn import grey
from pycocotools import mask as coco_mask

from labkit.io.errors import LabkitError
from labkit.models.prompts import check

SIZE = (675, 900)
SOME = np.eye(*SIZE, dtype=bool)
PHOTO = grey(*SIZE)
LARGE = replace(PHOTO, original_size=(1350, 1800))  # a photo that was made smaller while it was read


def asked(points=None, point_labels=None, box=None, mask=None, polygon=None, photo=PHOTO):
    """`check` with the names of `prompt`."""
    return check(photo, points, point_labels, box, mask, polygon)


@pytest.mark.parametrize(
    "given, said",
    {
        "nothing": ({}, "points=.*box=.*polygon=.*mask"),
        "empty lists": ({"points": [], "point_labels": []}, "points="),
        "point outside": ({"points": [(900, 5)]}, r"\(900, 5\).*900×675"),
        "negative point": ({"points": [(5, 5), (5, -0.5)]}, r"\(5, -0.5\).*900×675"),
        "point that is none": ({"points": [(float("nan"), 5)]}, "nan"),
        "three numbers": ({"points": [(1, 2, 3)]}, r"\(1, 2, 3\)"),
        "words": ({"points": "середина"}, "середина"),
        "a number": ({"points": 5}, "5"),
        "labels missing": ({"points": [(5, 5), (6, 6)], "point_labels": [1]}, "2.*1"),
        "labels without points": ({"point_labels": [1, 1, 0]}, "0.*3"),
        "a label without points": ({"point_labels": 1}, "0.*1"),
        "label 2": ({"points": [(5, 5)], "point_labels": [2]}, "2"),
        "labels in labels": ({"points": [(5, 5), (9, 9)], "point_labels": [[1, 2], 0]}, r"\[1, 2\]"),
        "number beyond any": ({"points": [(5, 10**400)]}, "1000"),
        "label in words": ({"points": [(5, 5)], "point_labels": ["да"]}, "да"),
        "only background": ({"points": [(5, 5), (9, 9)], "point_labels": [0, 0]}, "1"),
        "box without area": ({"box": (10, 10, 10, 50)}, r"10, 10, 10, 50.*900×675"),
        "box the other way round": ({"box": (50, 50, 10, 10)}, r"50, 50, 10, 10"),
        "box outside": ({"box": (900, 0, 950, 50)}, r"900, 0, 950, 50.*900×675"),
        "box of three": ({"box": (1, 2, 3)}, r"\(1, 2, 3\).*x0, y0, x1, y1"),
        "box with infinity": ({"box": (0, 0, float("inf"), 50)}, "inf"),
        "two points": ({"polygon": [(0, 0), (50, 50)]}, "2"),
        "contour without area": ({"polygon": [(10, 10), (50, 50), (30, 30)]}, "900×675"),
        "contour outside": ({"polygon": [(-9, -9), (-50, -9), (-9, -50)]}, "900×675"),
        "contour that is none": ({"polygon": [(0, 0), (9, None), (9, 9)]}, "None"),
        "mask of another size": ({"mask": SOME.T}, r"\(900, 675\).*\(675, 900\)"),
        "empty mask": ({"mask": np.zeros(SIZE, bool)}, "points|точк"),
        "mask and contour": ({"mask": SOME, "polygon": [(0, 0), (9, 0), (9, 9)]}, "mask.*polygon"),
    }.values(),
)
def test_wrong_prompts(given, said):
    """The error names what was given and what is valid."""
    with pytest.raises(LabkitError, match=said):
        asked(**given)


@pytest.mark.parametrize(
    "given, plain",
    [
        ({"points": [(5, 6)]}, {"points": [[5, 6]], "point_labels": [1]}),
        ({"points": np.array((5, 6), np.float32)}, {"points": [[5, 6]], "point_labels": [1]}),
        (
            {"points": np.array([(5, 6), (9, 9)], np.int32), "point_labels": np.array([True, False])},
            {"points": [[5, 6], [9, 9]], "point_labels": [1, 0]},
        ),
        ({"box": np.array((1, 2, 30, 40), np.uint16)}, {"box": [1, 2, 30, 40]}),
        ({"box": (-100, -50, 2000, 500.5)}, {"box": [0, 0, 900, 500.5]}),
        (
            {"polygon": [(10, 10), (20, 10), (10, 30)]},
            {"polygon": [[10, 10], [20, 10], [10, 30]], "box": [10, 10, 21, 31]},
        ),
    ],
)
def test_plain_numbers(given, plain):
    """Arrays are as good as lists, a lone point needs no brackets, a box is cut at the photo's edge."""
    found, _ = asked(**given)
    assert found == plain and json.loads(json.dumps(found)) == plain


def test_mask():
    """It is kept as run lengths, of numbers as of truth values; its box goes in where no points correct it."""
    found, mask = asked(mask=SOME.astype(np.uint8) * 255)
    assert found["box"] == [0, 0, 675, 675] and mask.dtype == bool and np.array_equal(mask, SOME)
    assert np.array_equal(coco_mask.decode(found["mask"]), SOME)
    assert "box" not in asked(mask=SOME, points=[(5, 5)])[0]


def test_crossed_contour():
    """A contour that crosses itself like an 8 encloses pixels, and is taken."""
    found, mask = asked(polygon=[(300, 200), (600, 500), (600, 200), (300, 500)])
    assert mask[300, 320] and mask[300, 580] and not mask[210, 450] and len(found["polygon"]) == 4


@pytest.mark.parametrize(
    "given",
    [
        {"points": [(1500, 20)]},
        {"box": (500, 300, 1300, 1200)},
        {"box": (1000, 700, 1700, 1300)},
        {"polygon": [(500, 300), (1300, 300), (900, 1200)]},
    ],
    ids=["point", "box partly", "box", "contour"],
)
def test_measured_on_the_file(given):
    """Coordinates of the file of a photo made smaller are refused, with both sizes and the factor between them."""
    with pytest.raises(LabkitError, match=r"900×675.*1800×1350.*0,5"):
        asked(**given, photo=LARGE)


def test_inside_a_photo_made_smaller():
    """What lies in the photo in work means that, however large its file is; a hair over the edge is cut off."""
    assert asked(points=[(899, 674)], photo=LARGE)[0]["points"] == [[899, 674]]
    assert asked(box=(-5, 0, 900.6, 675), photo=LARGE)[0]["box"] == [0, 0, 900, 675]
    assert asked(polygon=[(0, 0), (900, 0), (0, 675)], photo=LARGE)[1].any()
