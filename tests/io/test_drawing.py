"""Figures that a cell shows by itself, panels whose words are not cut, and tables that line up."""

import pytest
from IPython.display import display
from IPython.utils.capture import capture_output
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from labkit.io.drawing import Drawings, note, panels, plain_table


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


def test_plain_table():
    """Columns start at one place in all lines, and no line ends in blanks."""
    assert plain_table([["a", "bb"], ["ccc", ""]]) == "a    bb\n───  ──\nccc"
