"""Coloured photos side by side: the right pixels in the right colour, and no word outside of the figure."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from labkit.figures import AGREED, LOST, painted, panels, small
from labkit.locale import number, use_language


def test_decimal_sign():
    """A comma in Russian, a point in English."""
    assert number(0.655, 1) == "0,7"
    with use_language("en"):
        assert number(0.655, 2) in ("0.65", "0.66")


def test_painted_where_the_masks_are(outlined):
    """Orange on the left half, sky blue on the right one, grey between them; the photo still shows through."""
    pixels = outlined.photo.pixels
    width = pixels.shape[1]
    left, right = (np.zeros(pixels.shape[:2], bool) for _ in range(2))
    left[:, : width // 3], right[:, -width // 3 :] = True, True
    image = np.asarray(painted(pixels, [(left, LOST), (right, AGREED)], 2.0)).astype(int)
    assert image.shape[:2] == small(pixels, 2.0).size[::-1]
    across = image.shape[1]
    orange, grey, blue = image[:, : across // 4], image[:, across * 2 // 5 : across * 3 // 5], image[:, -across // 4 :]
    assert (orange[..., 0] > orange[..., 2] + 80).all() and (blue[..., 2] > blue[..., 0] + 80).all()
    assert (np.ptp(grey, axis=2) == 0).all() and grey.std() > 5 and orange[..., 0].std() > 2


@pytest.mark.parametrize(
    "size, count, columns", [((300, 200), 6, 3), ((200, 320), 8, 4), ((300, 30), 2, 2), ((60, 300), 6, 3)]
)
def test_no_word_is_cut(size, count, columns):
    """Landscape, portrait, panorama, tower: titles and legend lie within the figure and on nothing else."""
    images = [Image.new("RGB", size, "gray")] * count
    drawn = panels(images, ["одна строка\nи вторая, 0,93"] * count, columns, 2.2, [(AGREED, "было"), (LOST, "стало")])
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    whole = drawn.bbox
    axes = drawn.axes[:count]
    boxes = [ax.title.get_window_extent() for ax in axes] + [drawn.legends[0].get_window_extent()]
    for n, box in enumerate(boxes):
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
        assert not any(box.overlaps(other) for other in boxes[n + 1 :])
        assert not any(box.overlaps(ax.get_window_extent()) for ax in axes)
