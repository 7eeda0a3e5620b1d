"""DeepLab's figures: gradients measure what the formula says, a branch switched off is as if its weights were zero."""

from __future__ import annotations

import re
from pathlib import Path

import ipywidgets
import numpy as np
import pytest
import torch
from IPython.utils.capture import capture_output
from official import random_official
from torch import nn
from torchvision.models.segmentation import deeplabv3

from labkit.evaluation.annotations import find_ground_truth
from labkit.explain.crf import CRF_SETTINGS, answers, refine
from labkit.explain.deeplab import (
    Field,
    aspp_figure,
    aspp_table,
    atrous_figure,
    atrous_table,
    boundary_scores,
    branches,
    branches_of,
    crf_figure,
    crf_sliders,
    crf_table,
    field,
    fields,
    find_aspp,
)
from labkit.explain.hooks import boundary_iou, recorded
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.models import build_release
from labkit.models.semantic import SemanticModel
from labkit.photos import Photo
from labkit.segmentation import Segmentation
from labkit.variants import find_variant
from labkit.weights.catalogue import OFFICIAL
from labkit.weights.find import Weights


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
    assert [one.span for one in found.fields] == [3, 13, 25, 37] == [3 + 2 * (r - 1) for r in (1, 6, 12, 18)]
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
    assert re.split(r"\s{2,}", lines[-2]) == ["12", "9", str(found.fields[2].weights), "25×25", "400×400", "2 из 9"]
    assert re.split(r"\s{2,}", lines[-1]) == ["18", "9", str(found.fields[3].weights), "37×37", "592×592", "1 из 9"]
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


def test_other_networks(load, default_photos):
    """A network without ASPP is named with what to load."""
    with pytest.raises(LabkitError, match="load_model\\(1\\)"):
        fields(load("unet"), default_photos["cameraman"])


OURS = [("pointwise", 0), ("atrous", 6), ("atrous", 12), ("atrous", 18), ("pooling", 0)]


@pytest.fixture(scope="module")
def cameraman(load, default_photos):
    """The branches on one photo."""
    return branches(load("deeplab"), default_photos["cameraman"])


def test_branches_are_found(load):
    """In the order in which their outputs are joined; the kernels are the spatial ones."""
    parts = branches_of(find_aspp(load("deeplab").network))
    assert [(part.kind, part.rate) for part in parts] == OURS
    assert [part.kernel.kernel_size[0] for part in parts] == [1, 3, 3, 3, 1]


def test_branches_of_torchvision():
    """Torchvision's ASPP has the same parts with the rates that it is given."""
    head = deeplabv3.DeepLabHead(8, 21)
    parts = branches_of(find_aspp(nn.Sequential(nn.Identity(), head)))
    assert [(part.kind, part.rate) for part in parts] == [
        ("pointwise", 0), ("atrous", 12), ("atrous", 24), ("atrous", 36), ("pooling", 0)
    ]  # fmt: skip


def test_switched_off_is_without_weights(load, default_photos, cameraman):
    """Every answer is that of a network whose 1x1 convolution has zeros for the branches that are off."""
    model = load("deeplab")
    weight = find_aspp(model.network).project[0].weight
    kept, width = weight.clone(), weight.shape[1] // 5

    def labels(off):
        with torch.no_grad():
            for place in off:
                weight[:, place * width : (place + 1) * width] = 0
            try:
                return model.segment(default_photos["cameraman"]).labels
            finally:
                weight.copy_(kept)

    assert np.array_equal(cameraman.full.labels, labels([]))
    assert np.array_equal(cameraman.none.result.labels, labels(range(5)))
    for place in (0, 3, 4):
        assert np.array_equal(cameraman.alone[place].result.labels, labels(set(range(5)) - {place}))
        assert np.array_equal(cameraman.without[place].result.labels, labels({place}))


def test_shares_add_up_to_the_output(load, default_photos, cameraman):
    """The sum of what the branches add, the bias and ReLU are ASPP's own output; the maps are the shares' norms."""
    model = load("deeplab")
    aspp = find_aspp(model.network)
    with recorded({"aspp": aspp}) as seen:
        model.segment(default_photos["cameraman"])
    total = sum(cameraman.added) + aspp.project[0].bias[:, None, None]
    assert torch.allclose(total.relu(), seen["aspp"][0][0], atol=1e-3)
    for values, added in zip(cameraman.maps, cameraman.added, strict=True):
        assert np.allclose(values, added.norm(dim=0), atol=1e-5)
    assert np.ptp(cameraman.maps[4]) < 1e-3 < np.ptp(cameraman.maps[0])  # the mean is one answer for all cells


@pytest.mark.parametrize("name", ["cameraman", "bird_kingfisher", "cat_chelsea", "sheep"])
def test_the_claim(load, default_photos, name):
    """As the notebook says: together they are more than each; any one is missed less than it could do alone."""
    found = branches(load("deeplab"), default_photos[name])
    alone, without = ([one.iou for one in trials] for trials in (found.alone, found.without))
    assert max(alone) < 1 and np.mean(without) > np.mean(alone) + 0.2 and min(without) > min(alone)
    assert found.none.iou <= max(alone)


def test_table_and_figure(cameraman):
    """Both languages; every number that the table prints stands in the figure too; all panels are there."""
    head, _, _, *rows, last = aspp_table(cameraman).splitlines()
    scores = [[f"{one.iou:.2f}" for one in pair] for pair in zip(cameraman.alone, cameraman.without, strict=True)]
    assert "cameraman" in head and "«человек»" in head and f"{cameraman.none.iou:.2f}".replace(".", ",") in last
    assert [row.replace(",", ".").split()[-2:] for row in rows] == scores
    with use_language("en"):
        english = aspp_table(cameraman)
    assert "mean of the map" in english and scores[0][0] in english and "person" in english
    drawn = aspp_figure(cameraman)
    assert [len(ax.images) for ax in drawn.axes] == [1] * 12
    words = svg(drawn)
    for said in ("rate 18", "вклад до", "«человек», как в полном ответе", "потеряно", "лишнее"):
        assert said in words
    with use_language("en"):
        assert all(f"IoU {alone}" in svg(aspp_figure(cameraman)) for alone, _ in scores)
    assert len(words) < 90_000


def test_maps_share_one_scale(cameraman):
    """The colour of a cell says how much a branch adds, whichever branch it is: the brightest cell is the largest."""
    drawn = aspp_figure(cameraman)
    brightness = [np.asarray(ax.images[0].get_array(), int)[..., :3].sum(-1).max() for ax in drawn.axes[7:]]
    assert np.argmax(brightness) == np.argmax([values.max() for values in cameraman.maps])


def test_nothing_found(load):
    """A photo on which nothing is found has branches all the same: the background is compared then."""
    found = branches(load("deeplab"), Photo.from_pixels("серое", np.full((300, 200, 3), 120, np.uint8)))
    assert not found.full.segments and found.none.label == "фон"
    assert "«фон»" in aspp_table(found) and svg(aspp_figure(found))


def test_official_aspp(default_photos):
    """Torchvision's DeepLabV3 as the kit loads it, its weights random: five branches over the whole input."""
    found = branches(random_official("deeplabv3_mobilenet_v3_large", 96), default_photos["cameraman"])
    assert [part[:2] for part in found.parts] == [OURS[0], *(("atrous", rate) for rate in (12, 24, 36)), OURS[4]]
    assert {values.shape for values in found.maps} == {(6, 6)} and svg(aspp_figure(found))


@pytest.fixture(scope="module")
def bird(default_photos):
    """A photo."""
    return default_photos["bird_kingfisher"]


@pytest.fixture(scope="module")
def outline(bird, root):
    """Its reference."""
    return find_ground_truth(bird, root / "data" / "outlines")


@pytest.fixture(scope="module")
def refined(load, bird):
    """Its masks before and after."""
    return refine(answers(load("deeplab"), bird))


def test_scores_are_of_the_outlined_class(refined, outline, bird):
    """Boundary IoU before and after; what nobody labelled does not count; None without a reference."""
    truth = outline.mask_of("bird")
    expected = [boundary_iou(result.mask_of("bird"), truth) for result in (refined[0].full, refined[0].result)]
    assert boundary_scores(refined[0], outline) == tuple(expected) and expected[1] > expected[0]
    assert boundary_scores(refined[0], None) is None
    unknown = outline.labels.copy()
    unknown[refined[0].result.mask_of("bird") & ~truth] = 255
    known = Segmentation.from_labels(bird, unknown, (unknown != 255).astype(np.float32))
    assert boundary_scores(refined[0], known)[1] > expected[1]


def test_figure(refined, outline, bird):
    """Two rows of three; numbers only where there is a reference; both languages."""
    drawn = crf_figure(refined, outline)
    words = svg(drawn)
    assert [len(ax.images) for ax in drawn.axes] == [1] * 6 and len(words) < 90_000
    after = f"{boundary_scores(refined[0], outline)[1]:.2f}"
    ours = f"граничный IoU {after}".replace(".", ",")
    for said in ("вход 384: сеть", "вход 384: с CRF", "вход 128: с CRF", ours, "стало фоном"):
        assert said in words
    share = f"{100 * refined[0].share:.1f}".replace(".", ",")
    assert f"{share} % пикселей" in words and "граничный" not in svg(crf_figure(refined))
    with use_language("en"):
        assert f"boundary IoU {after}" in svg(crf_figure(refined, outline))


def test_what_changed_is_painted(refined):
    """The third panel: blue where an object stayed, orange where it is gone, yellow where its class is new."""
    pixels = np.asarray(crf_figure(refined).axes[2].images[0].get_array(), int)[..., :3]
    was, now = (result.labels for result in (refined[0].full, refined[0].result))
    rows, columns = (np.arange(n) * m // n for n, m in zip(pixels.shape[:2], was.shape, strict=True))
    was, now = was[np.ix_(rows, columns)], now[np.ix_(rows, columns)]
    means = [
        pixels[part].mean(0) for part in ((was == now) & (now > 0), (was > 0) & (now == 0), (was != now) & (now > 0))
    ]
    assert means[0].argmax() == 2 and means[1].argmax() == 0 and means[1][1] < 0.8 * means[1][0]
    assert means[2].argmin() == 2 and means[2][1] > 0.8 * means[2][0]


def test_sliders_run_the_crf_again(load, bird, outline):
    """Each parameter has a slider; moved, the figure is that of the new settings, and the network ran only at first."""
    model = load("deeplab")
    runs = []
    hook = model.network.register_forward_hook(lambda *_: runs.append(1))
    *sliders, shown = crf_sliders(model, bird, outline).children
    assert [type(s) for s in sliders] == [ipywidgets.FloatSlider] * 5 + [ipywidgets.IntSlider]
    assert [s.value for s in sliders] == [setting.value for setting in CRF_SETTINGS.values()]
    assert all(s.min <= s.value <= s.max and s.description and not s.continuous_update for s in sliders)
    before = shown.value
    assert len(runs) == 2 and before.startswith("<svg") and "граничный IoU" in before
    sliders[0].value = sliders[3].value = 0.0
    hook.remove()
    assert len(runs) == 2 and shown.value != before
    (none, _) = refine(answers(model, bird), appearance=0.0, smoothness=0.0)
    numbers = [f"граничный IoU {x:.2f}".replace(".", ",") for x in boundary_scores(none, outline)]
    assert all(number in shown.value for number in numbers)


def test_table_of_a_set(load, bird, refined, outline, root):
    """Photos that have a reference, in the folder or with them, and their means; where none has, it says so."""
    model, folder = load("deeplab"), root / "data" / "outlines"
    other = Photo.from_pixels("без эталона", np.full((60, 80, 3), 90, np.uint8))
    rows = [re.split(r"\s{2,}", line.strip()) for line in crf_table(model, [other, bird], folder).splitlines()[1:]]
    assert rows[0] == ["вход 384: сеть", "вход 384: с CRF", "вход 128: сеть", "вход 128: с CRF"]
    expected = [f"{x:.2f}".replace(".", ",") for one in refined for x in boundary_scores(one, outline)]
    assert rows[2:] == [["bird_kingfisher, птица", *expected], ["в среднем", *expected]]
    with use_language("en"):
        assert "mean" in crf_table(model, [bird], folder)
    assert "ИМЯ.json" in crf_table(model, [other])


def test_nothing_found_crf_figures(load):
    """A figure of a photo on which nothing is found."""
    photo = Photo.from_pixels("серое", np.full((300, 200, 3), 120, np.uint8))
    drawn = crf_figure(refine(answers(load("deeplab"), photo)))
    assert "0,0 % пикселей" in svg(drawn) and "серое: вход 384: сеть" in drawn.get_label()


def test_shown_in_the_notebook(shell, load, bird):
    """A cell that ends in a figure shows it; sliders leave their first figure to a page without a kernel."""
    from IPython.display import display

    sliders = crf_sliders(load("deeplab"), bird)
    with capture_output() as captured:
        display(atrous_figure(fields(load("deeplab"), bird)), sliders)
    drawn, moved = (output.data for output in captured.outputs)
    assert "<svg" in drawn["image/svg+xml"] and "image/png" not in drawn
    assert moved["text/html"].startswith("<svg") and moved["text/plain"] == "bird_kingfisher"
