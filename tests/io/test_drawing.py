"""Figures that a cell shows by itself, panels whose words are not cut, and tables that line up."""

import base64
import io
import re

import numpy as np
import pytest
from IPython.display import display
from IPython.utils.capture import capture_output
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from labkit.io.drawing import Drawing, Drawings, note, panels, plain_table, svg


@pytest.mark.parametrize(
    "size, count, columns", [((300, 200), 6, 3), ((200, 320), 8, 4), ((300, 30), 2, 2), ((60, 300), 6, 3)]
)
def test_no_word_is_cut(size, count, columns):
    """Landscape, portrait, panorama, tower: titles and legend lie within the figure and on nothing else."""
    images = [Image.new("RGB", size, "gray")] * count
    legend = [("#56b4e9", "было"), ("#d55e00", "стало"), ("", "и ещё 3")]
    drawn = panels(images, ["одна строка\nи вторая, 0,93"] * count, columns, 2.2, legend, legend_columns=2)
    FigureCanvasAgg(drawn).draw()
    whole, axes = drawn.bbox, drawn.axes[:count]
    boxes = [ax.title.get_window_extent() for ax in axes] + [drawn.legends[0].get_window_extent()]
    for n, box in enumerate(boxes):
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
        assert not any(box.overlaps(other) for other in boxes[n + 1 :])
        assert not any(box.overlaps(ax.get_window_extent()) for ax in axes)


def test_titles_of_images():
    """As many as there are images, or an error."""
    with pytest.raises(ValueError):
        panels([Image.new("RGB", (30, 20))] * 2, ["one"], 2)


@pytest.mark.filterwarnings("error")
def test_a_name_the_font_lacks():
    """A photo's name in Chinese or with a phone's signs stands in the figure, and nothing warns of the font."""
    assert "微信图片 👨" in svg(panels([Image.new("RGB", (30, 20))], ["微信图片 👨"], 1))


def test_a_cell_that_ends_in_drawings_shows_them(shell):
    """Each as SVG alone, whatever else knows how to show figures, and the sentence below; without any, another."""
    with capture_output() as captured:
        display(Drawings([note("Первая"), note("Вторая " + "и ещё немного " * 12)], "Третьей нет."))
    drawn = [output.data for output in captured.outputs]
    assert not any("image/png" in data for data in drawn) and captured.stdout == "Третьей нет.\n"
    with capture_output() as empty:
        display(Drawings())
    assert empty.stdout == "Показывать нечего: нет ни одного результата.\n"
    assert ["Первая" in data["image/svg+xml"] for data in drawn] == [True, False]


SHOWN = [[{}], [{}, {}], [{"origin": "lower"}], [{"alpha": 0.5}], [{"interpolation": "nearest"}], [{"cmap": "gray"}]]


@pytest.mark.parametrize("shown", SHOWN, ids=str)
def test_images_of_a_figure_are_those_that_were_given(shown):
    """Whatever stands in for them while it is written; and the figure keeps them."""
    rng, drawn = np.random.default_rng(0), Drawing(figsize=(2, 2))
    ax = drawn.add_axes((0, 0, 1, 1))
    for settings in shown:
        noise = rng.integers(0, 256, (8, 8) if "cmap" in settings else (8, 8, 3), dtype=np.uint8)
        pixels = noise.repeat(24, 0).repeat(24, 1)
        ax.imshow(pixels, **{"interpolation": "none", **settings})
    written = svg(drawn)
    found = re.findall(r"data:image/(png|webp);base64,([^\"]+)", written)
    kind, packed = found[-1]
    image = Image.open(io.BytesIO(base64.b64decode(packed)))
    assert len(found) == len(shown) and np.array(image.convert("RGB")).any()
    assert np.array_equal(ax.images[-1].get_array(), pixels) and svg(drawn) == written
    if shown[-1] == {}:
        assert kind == "webp" and np.abs(np.array(image, int) - pixels).mean() < 12


def test_plain_table():
    """Columns start at one place in all lines but those of an endless name, and no line ends in blanks."""
    assert plain_table([["a", "bb"], ["ccc", ""]]) == "a    bb\n───  ──\nccc"
    head, _, short, endless = plain_table([["a", "b"], ["x", "1"], ["x" * 70, "2"]]).splitlines()
    assert head.index("b") == short.index("1") == 42 and endless == f"{'x' * 70}  2"
