"""The CRF's figure, sliders and table: they show what `refine` gives, with and without a reference."""

from __future__ import annotations

import re

import ipywidgets
import numpy as np
import pytest
from IPython.utils.capture import capture_output

from labkit.evaluation.annotations import find_ground_truth
from labkit.explain.boundary import boundary_iou
from labkit.explain.crf import CRF_SETTINGS, answers, refine
from labkit.explain.crf_figures import (
    boundary_scores,
    crf_figure,
    crf_sliders,
    crf_table,
    display_crf_table,
    explore_crf,
)
from labkit.figures import svg
from labkit.locale import use_language
from labkit.photos import Photo
from labkit.segmentation import Segmentation


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
    expected = [boundary_iou(result.mask_of("bird"), truth) for result in (refined[0].before, refined[0].after)]
    assert boundary_scores(refined[0], outline) == tuple(expected)
    assert np.allclose(expected, [0.54, 0.74], atol=0.015)
    assert boundary_scores(refined[0], None) is None
    unknown = outline.labels.copy()
    extra = refined[0].after.mask_of("bird") & ~truth
    unknown[extra] = 255
    known = Segmentation.from_labels(bird, unknown, (unknown != 255).astype(np.float32))
    assert boundary_scores(refined[0], known)[1] > expected[1]


def test_figure(refined, outline, bird):
    """Two rows of three; numbers only where there is a reference; both languages."""
    drawn = crf_figure(refined, outline)
    words = svg(drawn)
    assert [len(ax.images) for ax in drawn.axes] == [1] * 6 and len(words) < 90_000
    for said in ("вход 384: сеть", "вход 384: с CRF", "вход 128: с CRF", "граничный IoU 0,74", "стало фоном"):
        assert said in words
    share = f"{100 * refined[0].share:.1f}".replace(".", ",")
    assert f"{share} % пикселей" in words and "граничный" not in svg(crf_figure(refined))
    with use_language("en"):
        assert "boundary IoU 0.74" in svg(crf_figure(refined, outline))


def test_what_changed_is_painted(refined):
    """The third panel: blue where an object stayed, orange where it is gone, yellow where its class is new."""
    pixels = np.asarray(crf_figure(refined).axes[2].images[0].get_array(), int)[..., :3]
    was, now = (result.labels for result in (refined[0].before, refined[0].after))
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
    assert len(runs) == 2 and shown.value.startswith("<svg") and "граничный IoU 0,74" in shown.value
    sliders[0].value = sliders[3].value = 0.0
    hook.remove()
    assert len(runs) == 2 and "граничный IoU 0,74" not in shown.value
    (none, _) = refine(answers(model, bird), appearance=0.0, smoothness=0.0)
    numbers = [f"граничный IoU {x:.2f}".replace(".", ",") for x in boundary_scores(none, outline)]
    assert all(number in shown.value for number in numbers)


def test_table(refined, outline):
    """A row a photo and the means of what it prints; the sides are named."""
    lines = crf_table([(refined, outline), (refined, outline)]).splitlines()
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines[1:]]
    assert rows[0] == ["вход 384: сеть", "вход 384: с CRF", "вход 128: сеть", "вход 128: с CRF"]
    numbers = [x for one in refined for x in boundary_scores(one, outline)]
    expected = [f"{x:.2f}".replace(".", ",") for x in numbers]
    assert rows[2] == rows[3] == ["bird_kingfisher, птица", *expected] and rows[4] == ["в среднем", *expected]
    with use_language("en"):
        assert "bird" in crf_table([(refined, outline)]) and "mean" in crf_table([(refined, outline)])


def test_table_of_a_set(load, bird, root):
    """Photos that have a reference, in the folder or with them; where none has, it says how to make one."""
    model = load("deeplab")
    other = Photo.from_pixels("без эталона", np.full((60, 80, 3), 90, np.uint8))
    with capture_output() as captured:
        display_crf_table(model, [other, bird], root / "data" / "outlines")
    assert "bird_kingfisher, птица" in captured.stdout and "без эталона" not in captured.stdout
    with capture_output() as captured:
        display_crf_table(model, [other])
    assert "NAME.json" not in captured.stdout and "ИМЯ.json" in captured.stdout


def test_nothing_found(load):
    """A figure of a photo on which nothing is found."""
    photo = Photo.from_pixels("серое", np.full((300, 200, 3), 120, np.uint8))
    drawn = crf_figure(refine(answers(load("deeplab"), photo)))
    assert "0,0 % пикселей" in svg(drawn) and "серое: вход 384: сеть" in drawn.get_label()


def test_explore(shell, load, bird):
    """A page without a kernel keeps the first figure."""
    with capture_output() as captured:
        explore_crf(load("deeplab"), bird)
    (shown,) = captured.outputs
    assert shown.data["text/html"].startswith("<svg") and shown.data["text/plain"] == "bird_kingfisher"
