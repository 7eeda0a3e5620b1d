"""Atrous convolution: what gradients measure is what the formula says, with the same weights at every rate."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from IPython.utils.capture import capture_output
from torch import nn

from labkit.explain.atrous import (
    Field,
    atrous_figure,
    atrous_table,
    display_atrous,
    effective_kernel,
    field,
    fields,
)
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.models import build_release
from labkit.models.semantic import SemanticModel
from labkit.photos import Photo
from labkit.variants import find_variant
from labkit.weights.catalogue import OFFICIAL
from labkit.weights.find import Weights


@pytest.mark.parametrize("kernel, rate", [(1, 7), (2, 3), (3, 1), (3, 2), (3, 18), (5, 4)])
def test_effective_kernel(kernel, rate):
    """As wide as a kernel into which rate - 1 zeros were written between neighbours."""
    written = np.zeros(rate * kernel)
    written[::rate] = 1
    assert effective_kernel(kernel, rate) == np.flatnonzero(written)[-1] + 1


@pytest.mark.parametrize("kernel, rate, groups", [(3, 1, 1), (3, 2, 4), (3, 4, 1), (5, 2, 2)])
def test_field_is_what_changes_the_output(kernel, rate, groups):
    """The cells are those at which another input gives another output of the layer as torch runs it."""
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 4, kernel, padding=rate * (kernel - 1) // 2, dilation=rate, groups=groups)
    expected = np.zeros((9, 12), bool)
    with torch.inference_mode():
        before = layer(torch.zeros(1, 4, 9, 12))[0, 0, 4, 6]
        for row, column in np.ndindex(9, 12):
            x = torch.zeros(1, 4, 9, 12)
            x[0, :, row, column] = 1
            expected[row, column] = abs(layer(x)[0, 0, 4, 6] - before) > 1e-6
    assert np.array_equal(field(layer, rate, (9, 12)), expected)


@pytest.mark.parametrize(
    "name, size, inside", [("cameraman", (24, 24), [9, 9, 4, 1]), ("bird_kingfisher", (18, 24), [9, 9, 2, 1])]
)
def test_rates_of_our_network(load, default_photos, name, size, inside):
    """Rates 1, 6, 12, 18: nine weights each, 3, 13, 25 and 37 cells wide; by hand what of that is on the map."""
    model = load("deeplab")
    found = fields(model, default_photos[name])
    assert (found.size, found.stride) == (size, 16)
    assert [one.rate for one in found.fields] == [1, 6, 12, 18]
    assert [one.span for one in found.fields] == [3, 13, 25, 37] == [effective_kernel(3, r) for r in (1, 6, 12, 18)]
    assert [one.inside for one in found.fields] == inside
    layers = [m for m in model.network.modules() if isinstance(m, nn.Conv2d) and m.dilation[0] in (6, 12, 18)]
    assert {sum(p.numel() for p in layer.parameters()) for layer in layers} == {one.weights for one in found.fields}
    for one in found.fields:
        places = [(39 // 2 + one.rate * i, 39 // 2 + one.rate * j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        assert sorted(map(tuple, np.argwhere(one.cells).tolist())) == sorted(places)
        rows, columns = ([n // 2 + one.rate * i in range(n) for i in (-1, 0, 1)] for n in size)
        assert one.inside == sum(rows) * sum(columns)


def test_inside_a_block_without_gradients(load, default_photos):
    """Measuring needs gradients, and gets them wherever it is asked."""
    with torch.inference_mode():
        assert fields(load("deeplab"), default_photos["cameraman"]).fields[3].span == 37


def test_official(default_photos):
    """Torchvision's DeepLabV3 has the rates 12, 24 and 36 and kernels over all channels."""
    torch.manual_seed(0)
    release = OFFICIAL["deeplabv3_mobilenet_v3_large"]
    weights = Weights(find_variant("deeplab"), f"official/{release.name}", Path("none"), "0", "test", release)
    model = SemanticModel(build_release(release), weights, torch.device("cpu"))
    found = fields(model, default_photos["cameraman"])
    assert [(one.rate, one.span) for one in found.fields] == [(1, 3), (12, 25), (24, 49), (36, 73)]
    assert {one.weights for one in found.fields} == {960 * 256 * 9}
    assert found.size == (33, 33) and found.stride == 16 and found.part == (1, 1)


def test_table_says_what_was_measured(load, default_photos):
    """In both languages, the numbers in one line a rate."""
    found = fields(load("deeplab"), default_photos["bird_kingfisher"])
    lines = atrous_table(found).splitlines()
    assert "карта признаков 24×18" in lines[0] and "16×16 пикселей" in lines[0]
    assert re.split(r"\s{2,}", lines[-2]) == ["12", "9", "2880", "25×25", "400×400", "2 из 9"]
    assert re.split(r"\s{2,}", lines[-1]) == ["18", "9", "2880", "37×37", "592×592", "1 из 9"]
    with use_language("en"):
        assert "24×18" in atrous_table(found) and "1 of 9" in atrous_table(found)


def test_figure_paints_the_cells(load, default_photos):
    """A square a cell, those beyond the map in another colour; the photo covers its part of the map."""
    found = fields(load("deeplab"), default_photos["officer"])  # 22 columns, the photo's 328 of 352 pixels
    drawn = atrous_figure(found)
    for ax, one in zip(drawn.axes, found.fields, strict=True):
        frame, *squares = ax.patches
        assert (frame.get_width(), frame.get_height()) == (22, 24)
        middles = [(s.get_y() + 0.5, s.get_x() + 0.5) for s in squares]
        assert middles == [tuple(x) for x in (np.argwhere(one.cells) - 19).tolist()]
        assert sum(s.get_facecolor() == squares[4].get_facecolor() for s in squares) == one.inside
        left, right, bottom, top = ax.images[0].get_extent()
        assert (left, top) == (-11.5, -12.5) and np.allclose([right - left, bottom - top], [20.5, 24])
    words = svg(drawn)
    assert "rate 18: охват 37×37" in words and "на карте 1 из 9" in words and "там нули" in words
    with use_language("en"):
        assert "spans 37×37" in svg(atrous_figure(found))
    assert len(words) < 60_000


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (900, 300)])
def test_any_photo(load, size):
    """Tiny and narrow photos have maps too."""
    found = fields(load("deeplab"), Photo.from_pixels("x", np.full((*size, 3), 90, np.uint8)))
    assert [one.span for one in found.fields] == [3, 13, 25, 37] and svg(atrous_figure(found))


def test_span_of_an_even_kernel():
    """The span is counted from the cells themselves."""
    cells = np.zeros((9, 9), bool)
    cells[2, 1] = cells[5, 1] = True
    assert Field(3, cells, 2, 2).span == 4


def test_display(shell, load, default_photos):
    """A figure."""
    with capture_output() as captured:
        display_atrous(fields(load("deeplab"), default_photos["cameraman"]))
    assert "на карте 4 из 9" in captured.outputs[0].data["image/svg+xml"]


def test_other_networks(load, default_photos):
    """A network without ASPP is named with what to load."""
    with pytest.raises(LabkitError, match="load_model\\(1\\)"):
        fields(load("unet"), default_photos["cameraman"])
