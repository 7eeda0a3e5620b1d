"""FCN: each cell is a fully connected layer over its features, the transposed convolution is torch's."""

from __future__ import annotations

import math
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labkit.evaluation.annotations import find_ground_truth
from labkit.explain.fcn import (
    heat_figure,
    heatmaps,
    learned_figures,
    learned_kernel,
    size_figure,
    skip_figure,
    skip_table,
    skip_trials,
    steps_figure,
    transposed_sliders,
    transposed_steps,
)
from labkit.explain.hooks import boundary_iou, recorded
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
        rows = features.flatten(1).T  # one row of numbers a cell
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
    assert found.sum() > 5 and model.segment(photo).mask_of("dog")[middles].mean() > 0.5


@pytest.mark.parametrize("name", ["dog_shepherd", "officer", "cat_chelsea"])
def test_three_sizes(load, default_photos, name):
    """The same weights at three sizes: a cell a 32 pixels of the input, at each of them."""
    model, photo = load("fcn"), default_photos[name]
    sizes = [heatmaps(model, photo, side) for side in (192, 288, 384)]
    assert [max(maps.size) for maps in sizes] == [192, 288, 384]
    for maps in sizes:
        assert maps.size == tuple(network_input(photo.pixels, max(maps.size)).shape[1:])
        assert maps.scores.shape[1:] == tuple(math.ceil(side / 32) for side in maps.size)
        assert maps.padded == tuple(32 * cells for cells in maps.scores.shape[1:])


@pytest.mark.parametrize("size", [(3, 5), (40, 7), (7, 600)])
def test_tiny_and_narrow_photos(load, size):
    """Maps and figures of photos that are hardly there."""
    photo = Photo("крохотное", np.full((*size, 3), 120, np.uint8))
    sizes = [heatmaps(load("fcn"), photo, side) for side in (192, 288, 384)]
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
    sizes = [heatmaps(model, photo, side) for side in (192, 288, 384)]
    drawn = svg(size_figure(sizes))
    for words in ("вход 192×164,", "карта 6×6", "вход 288×246,", "карта 9×8", "вход 384×328,", "карта 12×11"):
        assert words in drawn
    with use_language("en"):
        assert "input 192×164," in svg(size_figure(sizes))


def test_cells_lie_where_they_belong(load, default_photos):
    """In the picture a bright patch stands at the place of its cell, the padding being cut off."""
    maps = heatmaps(load("fcn"), default_photos["officer"])  # 328 of 352 columns are the photo's
    maps.scores[:] = 0
    maps.scores[15, 2, 10] = 50
    drawn = heat_figure(maps, ["person"])
    pixels = np.asarray(drawn.axes[0].images[0].get_array(), int)
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
    with pytest.raises(LabkitError, match="fcn_resnet50 нет обученной"):
        learned_kernel(official, maps, 1)


GRID = list(product(range(1, 7), range(1, 6), range(1, 5), range(5)))


def test_as_torch_for_all_combinations():
    """Size and values for inputs 1 to 6, kernels 1 to 5, strides 1 to 4 and all valid paddings; the rest is refused."""
    rng = np.random.default_rng(0)
    valid = 0
    for i, k, s, p in GRID:
        x, w = rng.normal(size=(i, i)), rng.normal(size=(k, k))
        side = (i - 1) * s + k - 2 * p
        if p > k - 1 or side < 1:
            with pytest.raises(LabkitError, match=f"k = {k}"):
                transposed_steps(x, w, s, p)
            continue
        valid += 1
        layer = nn.ConvTranspose2d(1, 1, k, stride=s, padding=p, bias=False).double()
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(w))
            expected = layer(torch.from_numpy(x)[None, None])[0, 0].numpy()
        steps = transposed_steps(x, w, s, p)
        assert steps.output.shape == expected.shape == (side, side)
        assert np.abs(steps.output - expected).max() < 1e-5
        assert steps.inserted.shape == ((i - 1) * s + 1,) * 2
        assert steps.padded.shape == ((i - 1) * s + 1 + 2 * (k - p - 1),) * 2
    assert valid == sum(p < k and (i - 1) * s + k - 2 * p >= 1 for i, k, s, p in GRID) > 250


def test_by_hand():
    """Each number of the input, put down as a kernel at every second place; a side need not be square."""
    steps = transposed_steps(np.array([[1, 2]]), np.array([[1, 2], [3, 4]]), 2, 0)
    assert steps.output.tolist() == [[1, 2, 2, 4], [3, 4, 6, 8]]
    assert steps.inserted.tolist() == [[1, 0, 2]]
    assert steps.padded.tolist() == [[0, 0, 0, 0, 0], [0, 1, 0, 2, 0], [0, 0, 0, 0, 0]]


def test_the_kernel_has_to_be_turned():
    """Without the rotation by 180 degrees the numbers are others, unless the kernel is symmetric."""
    x, w = np.arange(9.0).reshape(3, 3), np.arange(9.0).reshape(3, 3)
    turned = transposed_steps(x, np.rot90(w, 2), 2, 1).output
    assert not np.allclose(transposed_steps(x, w, 2, 1).output, turned)
    even = w + np.rot90(w, 2)
    assert np.allclose(transposed_steps(x, even, 2, 1).output, transposed_steps(x, np.rot90(even, 2), 2, 1).output)


@pytest.mark.parametrize(
    "i, k, s, p, words",
    [
        (3, 3, 2, 3, "от 0 до k − 1 = 2"),
        (3, 3, 2, -1, "от 0 до k − 1 = 2"),
        (3, 3, 0, 1, "s ≥ 1"),
        (3, 0, 1, 0, "k ≥ 1"),
        (1, 3, 4, 2, "p не больше 1"),
        (2, 5, 1, 3, "p не больше 2"),
    ],
)
def test_refused_with_what_is_valid(i, k, s, p, words):
    """A padding above k - 1, a stride of 0 and an output without pixels; what is named as valid works."""
    with pytest.raises(LabkitError, match=words):
        transposed_steps(np.ones((i, i)), np.ones((k, k)), s, p)
    if "не больше" in words:
        assert transposed_steps(np.ones((i, i)), np.ones((k, k)), s, int(words[-1])).output.size


@pytest.mark.parametrize("name", ["dog_shepherd", "officer", "cat_chelsea"])
def test_learned_steps_are_the_network(load, default_photos, name):
    """Where no cell outside of the window takes part, the output is what the network computed on this photo."""
    model, photo = load("fcn"), default_photos[name]
    decoder = model.network.decoder
    with recorded({"scores": decoder.score32, "up": decoder.up32to16}) as seen:
        largest = max(model.segment(photo).segments, key=lambda segment: segment.area)
    scores, up = seen["scores"][0][0, largest.label_id], seen["up"][0][0, largest.label_id]
    steps = learned_kernel(model, heatmaps(model, photo), largest.label_id)[2]
    assert steps.given.shape == (3, 3) and steps.output.shape == (6, 6)
    assert steps.given.max() == pytest.approx(scores.max().item(), abs=1e-4)
    row, column = np.unravel_index((scores - steps.given[0, 0]).abs().argmin().item(), scores.shape)
    true = up[2 * row + 1 : 2 * row + 5, 2 * column + 1 : 2 * column + 5].numpy()
    assert np.allclose(steps.output[1:5, 1:5], true, atol=1e-3)


def test_learned_kernels_stay_near_bilinear(load, default_photos):
    """Training moved each kernel by less than half of its norm, and its form hardly: no cosine below 0.9."""
    maps, weight = heatmaps(load("fcn"), default_photos["officer"]), load("fcn").network.decoder.up32to16.weight
    weight = weight[:, 0].double()
    ramp = torch.tensor([0.25, 0.75, 0.75, 0.25], dtype=torch.double)
    start = ramp[:, None] * ramp
    for label in range(21):
        learned, bilinear, _ = learned_kernel(load("fcn"), maps, label)
        assert np.allclose(bilinear, start) and np.array_equal(learned, weight[label])
        cosine = torch.cosine_similarity(weight[label].flatten(), start.flatten(), dim=0).item()
        assert 0 < torch.dist(weight[label], start) / start.norm() < 0.5 and cosine > 0.9


def numbered(side: int) -> np.ndarray:
    """1, 2, 3, … row by row."""
    return np.arange(1.0, side * side + 1).reshape(side, side)


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


def test_learned_figures(load, default_photos):
    """Start, learned and difference, the last title saying how far the kernel moved; the steps on its own numbers."""
    maps = heatmaps(load("fcn"), default_photos["officer"])
    learned, start, _ = learned_kernel(load("fcn"), maps, maps.strongest()[0])
    steps, drawn = learned_figures(load("fcn"), maps)
    for ax, values in zip(drawn.axes, (start, learned, learned - start), strict=True):
        assert np.allclose(cells(ax), values, atol=0.0051)
    moved = np.linalg.norm(learned - start) / np.linalg.norm(start)
    likeness = f"{(learned * start).sum() / np.linalg.norm(learned) / np.linalg.norm(start):.3f}"
    assert "человек" in drawn.get_label() and f"{100 * moved:.0f} % нормы" in drawn.get_label()
    assert f"косинус {likeness}".replace(".", ",") in drawn.get_label() and "−0.00" not in svg(drawn)
    with use_language("en"):
        assert f"cosine {likeness}" in svg(learned_figures(load("fcn"), maps)[1])
    assert len(re.findall(r">−?\d+,\d<", svg(steps))) > 40 and "выход" in steps.get_label()


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


def test_sliders_start_is_checked():
    """A call with a padding that is not valid raises at once."""
    with pytest.raises(LabkitError, match="k − 1 = 2"):
        transposed_sliders(k=3, p=3)


@pytest.fixture(scope="module")
def every(load, default_photos):
    """The three nets on each photo, by its name."""
    return {
        name: {stride: load("fcn").segment(photo, finest=stride) for stride in (32, 16, 8)}
        for name, photo in default_photos.items()
    }


def test_trials_are_the_three_pairs(every):
    """Each pair's masks are those of the two nets, of the class of FCN-8s's largest segment."""
    nets = every["dog_shepherd"]
    label_id = nets[8].largest.label_id
    for trial, (coarse, fine) in zip(skip_trials(nets), ((32, 16), (16, 8), (32, 8)), strict=True):
        assert trial.off == (coarse, fine)
        for mask, stride in zip(trial.masks, (coarse, fine), strict=True):
            assert np.array_equal(mask, nets[stride].labels == label_id)


def test_claim_on_every_photo(every):
    """The claim: without skips the contour is another one, which IoU hardly shows; the second skip adds less."""
    found = [skip_trials(nets) for nets in every.values()]
    assert all(coarse.boundary_iou < fine.boundary_iou for _, fine, coarse in found)
    assert np.mean([coarse.iou - coarse.boundary_iou for _, _, coarse in found]) > 0.2


def test_skips_come_nearer_to_the_truth(every, root):
    """Against hand-drawn outlines the boundary IoU of FCN-8s is above that of FCN-32s, on the mean of all photos."""
    scores = []
    for nets in every.values():
        reference = find_ground_truth(nets[8].photo, root / "data" / "outlines")
        label_id = nets[8].largest.label_id if nets[8].largest else 0
        if reference is not None and (truth := reference.labels == label_id).any():
            scores.append([boundary_iou(nets[stride].labels == label_id, truth) for stride in (32, 16, 8)])
    means = np.mean(scores, axis=0)
    assert len(scores) >= 6 and means[0] < means[1] and means[0] < means[2]


def test_skip_table(every):
    """The numbers of the table are those of the metrics, in the language's form."""
    nets = every["dog_shepherd"]
    rows = [line.split("  ") for line in skip_table(nets).splitlines()]
    assert rows[0][0].strip() == "собака" and "граничный IoU" in rows[0][-1]
    for row, trial in zip(rows[2:], skip_trials(nets), strict=True):
        expected = [f"{value:.2f}".replace(".", ",") for value in (trial.iou, trial.boundary_iou)]
        assert row[0] == " – ".join(f"FCN-{stride}s" for stride in trial.off)
        assert [word.strip() for word in row[1:] if word] == expected
    with use_language("en"):
        assert "boundary IoU" in skip_table(nets) and "dog" in skip_table(nets)


def test_skip_figure(every):
    """Two pictures, above each its boundary IoU; the colours are those of the pixels that count."""
    nets = every["dog_shepherd"]
    drawn, trials = skip_figure(nets), skip_trials(nets)
    for trial in trials[1:]:
        score = f"{trial.boundary_iou:.2f}".replace(".", ",")
        assert f"FCN-{trial.off[0]}s – FCN-8s: {score}" in drawn.get_label()
    assert len(svg(drawn)) < 80_000
    with use_language("en"):
        assert "FCN-8s alone" in svg(skip_figure(nets))
    pixels = np.asarray(drawn.axes[0].images[0].get_array(), int)
    blue = (pixels[..., 2] - pixels[..., 0] > 60).sum()
    other = (pixels[..., 0] - pixels[..., 2] > 60).sum()
    assert blue / (blue + other) == pytest.approx(trials[2].boundary_iou, abs=0.08)


def test_no_object(load):
    """On a photo without objects the background is compared."""
    photo = Photo("пусто", np.full((60, 400, 3), 128, np.uint8))
    nets = {stride: load("fcn").segment(photo, finest=stride) for stride in (32, 16, 8)}
    assert [one.label for one in skip_trials(nets)] == ["фон"] * 3 and not nets[8].segments
    assert "фон" in skip_table(nets) and svg(skip_figure(nets))


def test_other_networks(load, default_photos):
    """A network without FCN's scores is named with what to load; a class that is none lists the valid ones."""
    with pytest.raises(LabkitError, match="load_model\\(3\\)"):
        heatmaps(load("unet"), default_photos["officer"])
    with pytest.raises(ValueError, match="valid are"):
        heat_figure(heatmaps(load("fcn"), default_photos["officer"]), ["дракон"])
