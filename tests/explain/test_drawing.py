"""What several lectures draw alike: cells lie where they belong, colours say what changed, sliders are followed."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from PIL import Image

from labkit.explain.drawing import Sliders, cells, cells_over, compared, three_colors
from labkit.figures import AGREED, EXTRA, LOST, note
from labkit.io.errors import LabkitError
from labkit.locale import use_language

GREY = ScalarMappable(Normalize(0, 1), "gray")


def test_cells():
    """A pixel a cell, in the scale's colours."""
    values = np.array([[0, 1, 0.5]])
    assert np.allclose(np.asarray(cells(values, GREY))[0, :, 0], [0, 255, 128], atol=1)


def test_cells_over_a_part():
    """A map of which the photo fills three quarters: the photo's right edge lies in the middle of a cell."""
    photo = Image.new("RGB", (300, 100), "black")
    image = np.asarray(cells_over(photo, np.array([[0, 1.0]]), (1, 0.75), GREY, opacity=1))
    assert image.shape == (100, 300, 3) and not image[:, :199].any() and (image[:, 201:] == 255).all()
    assert np.asarray(cells_over(photo, np.ones((1, 1)), (1, 1), GREY))[0, 0, 0] == pytest.approx(0.65 * 255, abs=1)


def test_compared():
    """Blue where both are, orange where only the truth is, yellow where only the other is."""
    pixels, columns = np.full((40, 90, 3), 120, np.uint8), np.arange(90)[None].repeat(40, 0)
    image = np.asarray(compared(pixels, columns >= 30, columns < 60, 2.0)).astype(int)
    lost, agreed, extra = (image[20, x] for x in (10, 45, 80))
    assert agreed.argmax() == 2 and lost.argmax() == 0 and extra.argmin() == 2 and lost[1] < extra[1]
    assert three_colors(["a", "b", "c"]) == [(AGREED, "a"), (LOST, "b"), (EXTRA, "c")]


def test_sliders_follow_and_say_what_is_wrong():
    """A whole number moves by 1, another by 0.5; an error stands where the figure was; the language stays."""

    def draw(count: int, width: float):
        if count > 2:
            raise LabkitError("<3>")
        return note(f"{count} {width}")

    with use_language("en"):
        sliders = Sliders(draw, {"count": ("how many", 1, 0, 5), "width": ("how wide", 1.5, 0.0, 2.0)}, "plain")
    count, width, shown = sliders.children
    assert (count.step, width.step, count.description) == (1, 0.5, "how many") and "1 1.5" in shown.value
    count.value = 2
    assert shown.value.startswith("<svg") and "2 1.5" in shown.value
    count.value = 4
    assert shown.value == "<p>&lt;3&gt;</p>"
