"""DeepLab's figure: the cells of a convolution's field on the photo's feature map."""

import numpy as np
import pytest
import torch
from drawn import grey

from labkit.explain.deeplab import fields_figure
from labkit.figures import svg
from labkit.locale import use_language


def field(rate: int, side: int = 39) -> torch.Tensor:
    """Nine cells `rate` apart around the middle."""
    cells, middle = torch.zeros(side, side, dtype=torch.bool), side // 2
    cells[middle - rate : middle + rate + 1 : rate, middle - rate : middle + rate + 1 : rate] = True
    return cells


def test_figure_paints_the_cells(default_photos):
    """A square a cell, those beyond the map in another colour; the photo covers its part of the map."""
    fields = {f"rate {rate}": field(rate) for rate in (1, 6, 12, 18)}
    drawn = fields_figure(default_photos["officer"], fields, (24, 22), (1, 328 / 352))
    for ax, cells, inside in zip(drawn.axes, fields.values(), (9, 9, 1, 1), strict=True):
        frame, *squares = ax.patches
        assert (frame.get_width(), frame.get_height()) == (22, 24)
        middles = [(s.get_y() + 0.5, s.get_x() + 0.5) for s in squares]
        assert middles == [tuple(x) for x in (np.argwhere(cells.numpy()) - 19).tolist()]
        colors = [s.get_facecolor() for s in squares]
        assert colors.count(colors[4]) >= inside and (inside == 9) == (len(set(colors)) == 1)
        left, right, bottom, top = ax.images[0].get_extent()
        assert (left, top) == (-11.5, -12.5) and np.allclose([right - left, bottom - top], [20.5, 24])
    words = svg(drawn)
    assert "rate 18" in words and "там нули" in words and len(words) < 60_000
    with use_language("en"):
        assert "zeros" in svg(fields_figure(default_photos["officer"], fields, (24, 22)))


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (900, 300)])
def test_any_photo(size):
    """Tiny and narrow photos have maps too."""
    assert svg(fields_figure(grey(*size), {"rate 6": field(6)}, (1, 3)))
