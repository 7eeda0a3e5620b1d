"""Heat maps: each cell is what a fully connected layer says of its features, for any size of input and any class."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from labkit.explain.fcn_skips import compare_skips
from labkit.explain.heatmaps import display_heatmaps, display_sizes, heat_figure, heatmaps, size_figure, three_sizes
from labkit.explain.transposed import learned_kernel
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.models import build_release
from labkit.models.semantic import SemanticModel, network_input, pad
from labkit.photos import Photo
from labkit.variants import find_variant
from labkit.weights.catalogue import OFFICIAL
from labkit.weights.find import Weights


@pytest.fixture(scope="module")
def official():
    """torchvision's FCN as the kit loads it, its weights random."""
    torch.manual_seed(0)
    release = OFFICIAL["fcn_resnet50"]
    weights = Weights(find_variant("fcn"), f"official/{release.name}", Path("none"), "0", "test", release)
    return SemanticModel(build_release(release), weights, torch.device("cpu"))


def pictures(drawn) -> int:
    """How many panels of a figure hold a picture, once it was drawn; the last is the scale."""
    assert svg(drawn)
    return sum(len(ax.images) for ax in drawn.axes[:-1])


def test_cells_are_a_classifier(load, default_photos):
    """Each cell is the network's last layer applied as a fully connected one to that cell's features alone."""
    model, photo = load("fcn"), default_photos["horses"]
    maps, decoder = heatmaps(model, photo), model.network.decoder
    with torch.inference_mode():
        features = decoder.head(model.network.encoder(pad(network_input(photo.pixels, 384))[None])[-1])[0]
        rows = features.flatten(1).T  # one row of 1280 numbers a cell
        scores = F.linear(rows, decoder.score32.weight.flatten(1), decoder.score32.bias)
    assert maps.scores.shape == (21, 8, 12) == (21, *features.shape[1:])
    assert np.allclose(maps.scores.reshape(21, -1).T, scores, atol=1e-3)
    assert np.allclose(maps.probabilities.sum(0), 1, atol=1e-5)


def test_strongest_is_what_is_there(load, default_photos):
    """On the dog's photo the dog's map is the strongest, its cells above one half lie on the mask; never background."""
    model, photo = load("fcn"), default_photos["dog_shepherd"]
    maps = heatmaps(model, photo)
    assert maps.strongest()[0] == model.classes.id("dog") and 0 not in maps.strongest(20)
    found = maps.probabilities[12] > 0.5
    height, width = photo.pixels.shape[:2]
    rows, columns = found.nonzero()
    middles = ((rows + 0.5) * 32 / 288 * height).astype(int), ((columns + 0.5) * 32 / 384 * width).astype(int)
    assert found.sum() > 5 and model.segment(photo).mask_of("dog")[middles].mean() > 0.8


@pytest.mark.parametrize("name", ["dog_shepherd", "officer", "cat_chelsea"])
def test_three_sizes(load, default_photos, name):
    """The same weights at three sizes: a cell a 32 pixels of the input, at each of them."""
    model, photo = load("fcn"), default_photos[name]
    sizes = three_sizes(model, photo)
    longest = [max(maps.size) for maps in sizes]
    assert longest == [192, 288, 384]
    for maps in sizes:
        assert maps.size == tuple(network_input(photo.pixels, max(maps.size)).shape[1:])
        assert maps.scores.shape[1:] == tuple(math.ceil(side / 32) for side in maps.size)
        assert maps.padded == tuple(32 * cells for cells in maps.scores.shape[1:])


@pytest.mark.parametrize("size", [(3, 5), (40, 7), (7, 600)])
def test_tiny_and_narrow_photos(load, size):
    """Maps and figures of photos that are hardly there."""
    photo = Photo("крохотное", np.full((*size, 3), 120, np.uint8))
    sizes = three_sizes(load("fcn"), photo)
    assert pictures(size_figure(sizes)) == pictures(heat_figure(sizes[-1])) == 3


def test_figures_say_what_they_show(load, default_photos):
    """Titles carry the classes with their highest probability and the sizes; the decimal sign is the language's."""
    model, photo = load("fcn"), default_photos["officer"]
    maps = heatmaps(model, photo)
    peak = maps.probabilities[15].max()
    assert pictures(heat_figure(maps, ["человек", "dog"])) == 2
    drawn = svg(heat_figure(maps, ["человек", "dog"]))
    assert f"человек: до {peak:.2f}".replace(".", ",") in drawn and "собака: до 0," in drawn
    assert "вероятность класса" in drawn
    with use_language("en"):
        assert f"person: up to {peak:.2f}" in svg(heat_figure(maps, ["person"]))
    drawn = svg(size_figure(three_sizes(model, photo)))
    for words in ("вход 192×164,", "карта 6×6", "вход 288×246,", "карта 9×8", "вход 384×328,", "карта 12×11"):
        assert words in drawn
    with use_language("en"):
        assert "input 192×164," in svg(size_figure(three_sizes(model, photo), "person"))


def test_cells_lie_where_they_belong(load, default_photos):
    """In the picture a bright patch stands at the place of its cell, the padding being cut off."""
    maps = heatmaps(load("fcn"), default_photos["officer"])  # 328 of 352 columns are the photo's
    maps.scores[:] = 0
    maps.scores[15, 2, 10] = 50
    drawn = heat_figure(maps, ["person"])
    pixels = drawn.axes[0].images[0].get_array().astype(int)
    height, width = pixels.shape[:2]
    yellow = (pixels[..., 0] - pixels[..., 2]) > 40
    rows, columns = np.flatnonzero(yellow.any(1)), np.flatnonzero(yellow.any(0))
    assert np.allclose([rows[0], rows[-1] + 1], [64 / 384 * height, 96 / 384 * height], atol=1)
    assert np.allclose([columns[0], columns[-1] + 1], [320 / 328 * width, width], atol=1)


def test_official(official, default_photos):
    """Torchvision's FCN has maps of stride 8 over the whole input, at any size; no skips, no learned enlargement."""
    photo = default_photos["cat_chelsea"]
    seen = []
    layer = official.network.network.classifier[-1]
    hook = layer.register_forward_hook(lambda module, given, output: seen.append(output[0]))
    maps = heatmaps(official, photo, 64)
    hook.remove()
    assert maps.size == maps.padded == (64, 96) and maps.scores.shape == (21, 8, 12)
    assert np.array_equal(maps.scores, seen[0])
    assert heatmaps(official, photo, 72).scores.shape[1:] == (9, 14)
    assert pictures(heat_figure(maps)) == 3
    with pytest.raises(LabkitError, match="fcn_resnet50 нет пропускающих.*embedded"):
        compare_skips(official, photo)
    with pytest.raises(LabkitError, match="fcn_resnet50 нет обученной"):
        learned_kernel(official, "cat")


def test_display(shell, load, default_photos):
    """Both show a figure."""
    from IPython.utils.capture import capture_output

    with capture_output() as captured:
        display_heatmaps(load("fcn"), default_photos["officer"])
        display_sizes(load("fcn"), default_photos["officer"])
    assert ["image/svg+xml" in output.data for output in captured.outputs] == [True, True]


def test_other_networks(load, default_photos):
    """A network without FCN's scores is named with what to load; a class that is none lists the valid ones."""
    with pytest.raises(LabkitError, match="load_model\\(3\\)"):
        heatmaps(load("unet"), default_photos["officer"])
    with pytest.raises(ValueError, match="valid are"):
        heat_figure(heatmaps(load("fcn"), default_photos["officer"]), ["дракон"])
