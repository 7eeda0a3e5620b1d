"""What several lectures draw alike: cells lie where they belong, colours say what changed, sliders are followed."""

import numpy as np
import pytest
import torch
from drawn import grey
from IPython.utils.capture import capture_output
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from PIL import Image

from labkit.explain.drawing import Sliders, cells, cells_over, maps_figure, masks_figure
from labkit.figures import note, svg
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


def colors_at(image, *columns: int) -> list[np.ndarray]:
    """Pixels of a picture's middle row."""
    pixels = np.asarray(image.get_array(), int)[..., :3]
    return [pixels[len(pixels) // 2, column * pixels.shape[1] // 100] for column in columns]


def test_masks_figure():
    """Blue where both are, orange where only the truth is, yellow where only the mask is; a panel and title a mask."""
    photo, columns = grey(40, 90), np.arange(90)[None].repeat(40, 0)
    truth = columns < 60
    drawn = masks_figure(photo, {"one": columns >= 30, "same": truth}, truth)
    lost, agreed, extra = colors_at(drawn.axes[0].images[0], 10, 50, 90)
    assert agreed.argmax() == 2 and lost.argmax() == 0 and extra.argmin() == 2 and lost[1] < extra[1]
    assert [ax.get_title() for ax in drawn.axes] == ["one", "same"]
    words = svg(drawn)
    assert "совпало" in words and "потеряно" in words and "лишнее" in words


def test_maps_figure():
    """Each map has its own colours, or all have one scale, whose words stand beside it; tensors are as good."""
    photo, maps = grey(40, 80), [torch.tensor([[0.0, n]]) for n in (1, 4)]
    named = dict(zip("ab", maps, strict=True))
    alone, together = maps_figure(photo, named), maps_figure(photo, named, limits=(0, 4), bar="сила")
    ends = [[colors_at(ax.images[0], 90)[0].tolist() for ax in drawn.axes[:2]] for drawn in (alone, together)]
    assert ends[0][0] == ends[0][1] == ends[1][1] != ends[1][0]
    assert "сила" in svg(together) and len(together.axes) == 3 and len(alone.axes) == 2
    assert svg(maps_figure(grey(9, 9), {"a": np.ones((3, 3))})), "without any contrast"


@pytest.mark.parametrize("count", [1, 4])
def test_name_of_the_scale_of_a_wide_photo(count):
    """It stays within the figure, which is as low as the photo."""
    maps = {f"{n}×{n}": np.eye(3) for n in range(count)}
    drawn = maps_figure(grey(384, 1024), maps, limits=(-0.7, 0.7), bar="прибавка к вероятности")
    drawn.draw_without_rendering()
    name = drawn.axes[-1].yaxis.label.get_window_extent()
    assert 0 <= name.y0 and name.y1 <= drawn.bbox.y1


def test_sliders_follow_and_say_what_is_wrong():
    """A whole number moves by 1, another by 0.5; an error stands where the figure was; the language stays."""

    def draw(count: int, width: float):
        if count > 2:
            raise LabkitError("<3>") if count < 5 else RuntimeError("no memory")
        return note(f"{count} {width}")

    with use_language("en"):
        sliders = Sliders(draw, {"count": ("how many", 1, 0, 5), "width": ("how wide", 1.5, 0.0, 2.0)}, "plain")
    count, width, shown = sliders.children
    assert (count.step, width.step, count.description) == (1, 0.5, "how many") and "1 1.5" in shown.value
    count.value = 2
    assert shown.value.startswith("<svg") and "2 1.5" in shown.value
    count.value = 4
    assert shown.value == "<p>&lt;3&gt;</p>"
    count.value = 5
    assert shown.value.startswith("<p>Unforeseen error RuntimeError (no memory). Try again")


def test_a_page_without_a_kernel(shell):
    """There the first figure stands as a picture, which needs no script."""
    from IPython.display import display

    with capture_output() as captured:
        display(Sliders(lambda count: note(f"n = {count}"), {"count": ("n", 1, 0, 5)}, "plain"))
    (data,) = (output.data for output in captured.outputs)
    assert "n = 1" in data["image/svg+xml"] and data["text/plain"] == "plain" and "text/html" not in data
