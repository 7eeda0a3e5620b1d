"""FCN's figures: every number of every grid stands where it belongs."""

import numpy as np
import pytest

from labkit.explain.fcn import grids_figure, steps_figure
from labkit.figures import svg
from labkit.locale import use_language


def steps(i: int, k: int, s: int, p: int) -> list[np.ndarray]:
    """The grids of a transposed convolution of 1, 2, 3, …, by the four steps."""
    x, kernel = (np.arange(1.0, n * n + 1).reshape(n, n) for n in (i, k))
    inserted = np.zeros([(i - 1) * s + 1] * 2)
    inserted[::s, ::s] = x
    padded = np.pad(inserted, k - p - 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k))
    return [x, inserted, padded, kernel, (windows * np.rot90(kernel, 2)).sum((2, 3))]


@pytest.mark.parametrize("case", [(3, 3, 2, 1), (1, 1, 1, 0), (2, 4, 2, 1), (3, 2, 3, 0)])
def test_every_number_is_written(case):
    """Six grids, the kernel also rotated; the words above say zeros and sides; the window is the kernel's first."""
    given, inserted, padded, kernel, output = steps(*case)
    drawn = steps_figure(given, inserted, padded, kernel, output)
    grids = [given, inserted, padded, kernel, np.rot90(kernel, 2), output]
    for ax, grid in zip(drawn.axes, grids, strict=True):
        assert [text.get_text() for text in ax.texts] == [f"{value:.0f}" for value in grid.ravel()]
    i, k, s, p = case
    assert drawn.axes[-1].get_title() == f"выход\n{(i - 1) * s + k - 2 * p}×{(i - 1) * s + k - 2 * p}"
    if i > 1:
        assert f"z = {s - 1}" in drawn.axes[1].get_title()
    assert f"p′ = {k - p - 1}" in drawn.axes[2].get_title()
    for ax, side in ((drawn.axes[2], k), (drawn.axes[4], k), (drawn.axes[5], 1)):
        window = ax.patches[-1]
        assert (window.get_x(), window.get_y(), window.get_width()) == (0, 0, side) and not window.get_fill()


def test_too_large_for_numbers():
    """Where a cell is too small nothing is written in it, and the figure keeps its width."""
    drawn = steps_figure(*steps(6, 5, 4, 0))
    assert drawn.get_size_inches()[0] < 11 and not drawn.axes[2].texts and svg(drawn)


def test_decimals_and_minus():
    """Small numbers have two decimals, in Russian with a comma, and a true minus; no "-0"."""
    for language, told in (("ru", ["0,25", "−0,50", "0", "0,75"]), ("en", ["0.25", "−0.50", "0", "0.75"])):
        with use_language(language):
            drawn = grids_figure([np.array([[0.25, -0.5], [-0.001, 0.75]])], ["разность"], ["#ffffff"])
        assert [text.get_text() for text in drawn.axes[0].texts] == told
