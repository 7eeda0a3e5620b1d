"""The label set: names in the official order, and colours that everybody can tell apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from labkit.classes import VOC
from labkit.drawing import rgb

OFFICIAL = """background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person
pottedplant sheep sofa train tvmonitor""".split()

# Machado, Oliveira and Fernandes (2009), severity 1.0, for linear RGB
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}
SRGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def cielab(color: str, sight: str) -> np.ndarray:
    """A colour as L*, a*, b* (D65) as somebody with this sight sees it."""
    value = np.array(rgb(color)) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.asarray(SIGHT[sight]) @ linear, 0, 1)
    x, y, z = (
        np.cbrt(t) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116
        for t in SRGB_TO_XYZ @ linear / SRGB_TO_XYZ.sum(1)
    )
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_official_order():
    """The 21 names of PASCAL VOC, the background first, and as many in Russian."""
    assert list(VOC.names) == OFFICIAL
    assert len(VOC) == len(VOC.names_ru) == len(VOC.colors) == 21
    assert len(set(VOC.names_ru)) == 21


def test_ids_and_labels_are_inverse():
    """`id` takes the name in both languages, in any case; `label` gives it back."""
    for number in range(len(VOC)):
        for language in ("ru", "en"):
            assert VOC.id(f" {VOC.label(number, language).upper()} ") == number


@pytest.mark.parametrize("name", ["tiger", "", "кот"])
def test_unknown_name(name):
    """The error names what was given and every valid class."""
    with pytest.raises(ValueError, match="tvmonitor") as caught:
        VOC.id(name)
    assert repr(name) in str(caught.value) and all(valid in str(caught.value) for valid in VOC.names)


@pytest.mark.parametrize("sight", SIGHT)
def test_colors_can_be_told_apart(sight):
    """Any two classes differ clearly, frequent ones strongly (a just noticeable difference is 2.3), in any sight."""
    seen = {name: cielab(color, sight) for name, color in zip(VOC.names, VOC.colors, strict=True)}
    frequent = {"background", "cat", "dog", "person", "car"}
    for one, other in combinations(VOC.names, 2):
        least = 18 if {one, other} <= frequent else 11
        assert np.linalg.norm(seen[one] - seen[other]) >= least, (one, other)
