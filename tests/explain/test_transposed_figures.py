"""The figures of the transposed convolution: every number in its cell, sliders that draw it anew."""

from __future__ import annotations

import re

import numpy as np
import pytest
from IPython.utils.capture import capture_output

from labkit.explain.transposed import learned_kernel, transposed_steps
from labkit.explain.transposed_figures import (
    display_learned,
    explore_transposed,
    kernel_figure,
    numbered,
    steps_figure,
    transposed_sliders,
)
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.viewer.viewer import MARK


def cells(ax) -> np.ndarray:
    """The numbers that stand in a grid, by their place."""
    rows, columns = round(ax.get_ylim()[0]), round(ax.get_xlim()[1])
    grid = np.full((rows, columns), np.nan)
    for label in ax.texts:
        x, y = label.get_position()
        grid[int(y), int(x)] = float(label.get_text().replace("−", "-").replace(",", "."))
    return grid


@pytest.mark.parametrize("i, k, s, p", [(3, 3, 2, 1), (1, 1, 1, 0), (2, 4, 2, 1), (4, 2, 3, 0), (6, 1, 1, 0)])
def test_numbers_in_their_cells(i, k, s, p):
    """Six grids hold all numbers of the steps, and the titles their sizes."""
    steps = transposed_steps(numbered(i), numbered(k), s, p)
    drawn = steps_figure(steps)
    expected = [steps.given, steps.inserted, steps.padded, steps.kernel, steps.kernel[::-1, ::-1], steps.output]
    assert len(drawn.axes) == 6
    for ax, grid in zip(drawn.axes, expected, strict=True):
        assert np.array_equal(cells(ax), grid)
    words = drawn.get_label()
    assert f"z = {s - 1}" in words and f"p′ = {k - p - 1}" in words
    o = (i - 1) * s + k - 2 * p
    assert words.endswith(f"выход {o}×{o}")


def test_colours_tell_where_a_number_came_from():
    """In the padded grid a cell is the input's, a zero between or a zero around; the window is the kernel's size."""
    drawn = steps_figure(transposed_steps(numbered(2), numbered(3), 2, 1))
    boxes = [(*patch.get_xy(), patch.get_width(), patch.get_fill()) for patch in drawn.axes[2].patches]
    assert boxes[0] == (1, 1, 3, True)
    assert {box[:2] for box in boxes if box[2:] == (1, True)} == {(1, 1), (3, 1), (1, 3), (3, 3)}
    assert boxes[-1] == (0, 0, 3, False) and drawn.axes[5].patches[-1].get_width() == 1


def test_largest_grid_has_no_numbers():
    """29 cells a side: nobody could read numbers; the grid and its title stay, the figure keeps its width."""
    drawn = steps_figure(transposed_steps(numbered(6), numbered(5), 4, 0))
    assert not any(ax.texts for ax in drawn.axes) and "29×29" in drawn.get_label()
    assert drawn.get_size_inches()[0] < 12


def test_titles_do_not_meet():
    """No title touches its neighbour's or leaves the figure, in either language, for small and for large grids."""
    for language in ("ru", "en"):
        for i, k, s, p in [(1, 1, 1, 0), (3, 3, 2, 1), (6, 5, 4, 0), (6, 2, 1, 0)]:
            with use_language(language):
                drawn = steps_figure(transposed_steps(numbered(i), numbered(k), s, p))
            drawn.canvas.draw()
            boxes = [ax.title.get_window_extent() for ax in drawn.axes]
            assert all(a.x1 < b.x0 for a, b in zip(boxes, boxes[1:], strict=False))
            assert boxes[0].x0 >= 0 and boxes[-1].x1 <= drawn.bbox.x1 and max(b.y1 for b in boxes) <= drawn.bbox.y1


def test_kernel_figure(load):
    """Start, learned and difference; the last title says how far the kernel moved."""
    kernel = learned_kernel(load("fcn"), "dog")
    drawn = kernel_figure(kernel)
    for ax, grid in zip(drawn.axes, (kernel.bilinear, kernel.learned, kernel.learned - kernel.bilinear), strict=True):
        assert np.allclose(cells(ax), grid, atol=0.0051)
    assert "собака" in drawn.get_label() and f"{100 * kernel.moved:.0f} % нормы" in drawn.get_label()
    assert f"косинус {kernel.likeness:.3f}".replace(".", ",") in drawn.get_label()
    with use_language("en"):
        assert f"cosine {kernel.likeness:.3f}" in svg(kernel_figure(kernel))
    assert "−0.00" not in svg(drawn)


def test_sliders():
    """A slider draws the figure anew; what is not valid is said in its place, and what is valid with it."""
    *sliders, shown = transposed_sliders(3, 3, 2, 1).children
    before = shown.value
    assert before.startswith("<svg") and "5×5" in before and [slider.value for slider in sliders] == [3, 3, 2, 1]
    sliders[2].value = 3
    assert shown.value != before and "z = 2" in shown.value
    sliders[3].value = 4
    assert "от 0 до k − 1 = 2" in shown.value and "<svg" not in shown.value
    sliders[1].value = 5
    assert "<svg" in shown.value


def test_sliders_leave_a_figure(shell):
    """One bundle: the sliders, and for a page without a kernel the figure, which no report takes for a viewer."""
    with capture_output() as captured:
        assert explore_transposed() is None
    (output,) = captured.outputs
    assert "application/vnd.jupyter.widget-view+json" in output.data
    assert output.data["text/html"] == transposed_sliders(3, 3, 2, 1).children[-1].value
    assert MARK not in output.data["text/html"]


def test_sliders_start_is_checked():
    """A call with a padding that is not valid raises at once."""
    with pytest.raises(LabkitError, match="k − 1 = 2"):
        explore_transposed(k=3, p=3)


def test_display_learned(shell, load, default_photos):
    """Two figures: the steps on the network's own numbers, with fractions, and the kernel."""
    with capture_output() as captured:
        display_learned(load("fcn"), default_photos["officer"])
    first, second = (output.data["image/svg+xml"] for output in captured.outputs)
    assert len(re.findall(r">−?\d+,\d<", first)) > 40 and "выход" in first and "человек" in second
