"""DeepLab's lecture: a convolution's field on the map; the CRF against the paper's sums, and what it does to masks."""

from dataclasses import replace

import ipywidgets
import numpy as np
import pytest
import torch
from drawn import grey

from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.metrics import iou
from labkit.explain.deeplab import (
    CRF_SETTINGS,
    DenseCRF,
    answers,
    boundary_scores,
    crf_figure,
    crf_sliders,
    fields_figure,
    refine,
)
from labkit.explain.measures import boundary_iou
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.photos import Photo
from labkit.segmentation import Segmentation
from labkit.weights.catalogue import OFFICIAL

SETTINGS = {"appearance": 4.0, "alpha": 5.0, "beta": 30.0, "smoothness": 2.0, "gamma": 1.2, "iterations": 4}


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


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (900, 300)])
def test_any_photo(size):
    """Tiny and narrow photos have maps too."""
    assert svg(fields_figure(grey(*size), {"rate 6": field(6)}, (1, 3)))


def kernels(pixels: np.ndarray, alpha: float, beta: float, gamma: float, step: int = 1) -> list[np.ndarray]:
    """Both kernels of equation 3 as `NxN` matrices, pair by pair, normalised; nobody speaks to himself."""
    places = np.argwhere(np.ones(pixels.shape[:2])).astype(float)
    near = ((places[:, None] - places) ** 2).sum(-1)
    alike = ((pixels.reshape(-1, 3)[:, None].astype(float) - pixels.reshape(-1, 3)) ** 2).sum(-1)
    speaks, itself = (places % step == step // 2).all(1), np.eye(len(places))
    first = speaks * (step**2 * np.exp(-near / (2 * alpha**2) - alike / (2 * beta**2)) - itself)
    second = np.exp(-near / (2 * gamma**2)) - itself
    totals = [kernel.sum(1) + 1 for kernel in (first, second)]
    return [kernel / np.sqrt(np.outer(t, t)) for kernel, t in zip((first, second), totals, strict=True)]


def mean_field(logits: torch.Tensor, first: np.ndarray, second: np.ndarray, settings: dict) -> np.ndarray:
    """Algorithm 1 in doubles, with the compatibility as a sum over the other labels."""
    classes = len(logits)
    unary = -logits.double().log_softmax(0).flatten(1).numpy()
    q = np.exp(-unary)
    for _ in range(settings["iterations"]):
        message = settings["appearance"] * q @ first.T + settings["smoothness"] * q @ second.T
        pairwise = np.array([sum(message[other] for other in range(classes) if other != c) for c in range(classes)])
        q = np.exp(-unary - pairwise)
        q /= q.sum(0)
    return q.reshape(logits.shape)


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("change", [{}, {"appearance": 0.0}, {"smoothness": 0.0}, {"iterations": 0}, {"beta": 5.0}])
def test_against_the_sums_of_the_paper(change, step):
    """On 12x12 pixels the probabilities are those of the sums over all pairs of pixels, to 1e-4."""
    rng = np.random.default_rng(3)
    blocks = rng.integers(0, 256, (3, 3, 3)).repeat(4, 0).repeat(4, 1)  # colours that are alike in places
    pixels = np.clip(blocks + rng.integers(-20, 20, (12, 12, 3)), 0, 255).astype(np.uint8)
    logits = torch.from_numpy(rng.normal(0, 2, (3, 12, 12)).astype(np.float32))  # that know little
    settings = {**SETTINGS, **change}
    pair = kernels(pixels, settings["alpha"], settings["beta"], settings["gamma"], step)
    expected = mean_field(logits, *pair, settings)
    assert np.abs(DenseCRF(pixels, step, **settings)(logits).numpy() - expected).max() < 1e-4
    if not change:
        assert np.abs(expected - logits.softmax(0).numpy()).max() > 0.3  # it does something


def test_the_boundary_goes_to_the_edge_of_colour():
    """Logits whose step lies 4 pixels beside the edge of colour: the first kernel moves it there, the second cannot."""
    pixels = np.full((30, 40, 3), 60, np.uint8)
    pixels[:, 20:] = 190
    logits = torch.zeros(2, 30, 40)
    logits[1] = torch.where(torch.arange(40) < 24, -1.0, 1.0)
    for settings, edge in (({}, 20), ({"appearance": 0.0}, 24)):
        labels = DenseCRF(pixels, **settings)(logits).argmax(0)
        assert torch.equal(labels, (torch.arange(40) >= edge).long().expand(30, 40))


def test_outlined_photos(load, default_photos, root):
    """As the notebook says: on the mean the CRF brings contours nearer to the outline; what was not found stays so."""
    rows = []  # IoU and boundary IoU of each photo's class, before and after, at both working sides: `9x2x2x2`
    for photo in default_photos.values():
        reference = find_ground_truth(photo, root / "data" / "outlines")
        if reference is None:
            continue
        label = reference.segments[0].label
        truth = reference.mask_of(label)
        masks = [[result.mask_of(label) for result in pair] for pair in refine(answers(load("deeplab"), photo))]
        rows.append([[(iou(mask, truth), boundary_iou(mask, truth)) for mask in pair] for pair in masks])
    measured = np.array(rows)
    (whole, border), (coarse_whole, coarse_border) = np.moveaxis(measured.mean(0), -1, 1)
    assert border[1] > border[0] and whole[1] > whole[0] and coarse_border[1] > coarse_border[0]
    assert (measured[:, 0, 1, 1] > measured[:, 0, 0, 1]).mean() > 0.7
    third = measured[:, 1]
    assert not third[third[:, 0, 0] == 0, 1].any() and coarse_border[0] < border[0] and coarse_whole[0] < whole[0]


def moved(pair) -> float:
    """The share of the pixels whose class the CRF changed."""
    return float((pair[0].labels != pair[1].labels).mean())


def test_refined_results(load, default_photos):
    """Both are results of the photo's size; after says with which settings; without weights the labels stay."""
    model, photo = load("deeplab"), default_photos["officer"]  # with padding at the right
    side = model.defaults["working_side"]
    usual, third = refine(answers(model, photo))
    assert [one[0].made_by["settings"]["working_side"] for one in (usual, third)] == [side, side // 3]
    assert np.array_equal(usual[0].labels, model.segment(photo).labels)
    assert np.array_equal(third[0].labels, model.segment(photo, working_side=side // 3).labels)
    assert usual[1].ids.shape == photo.pixels.shape[:2] and 0 <= usual[1].confidence.min() <= 1
    assert usual[1].made_by["crf"] == {name: setting.value for name, setting in CRF_SETTINGS.items()}
    assert "crf" not in usual[0].made_by and 0 < moved(usual) < 0.2
    (same,) = refine(answers(model, photo, side), appearance=0.0, smoothness=0.0)
    assert moved(same) < 0.02  # what a grid of 192 pixels loses


def test_first_answer_of_a_small_photo_is_the_model_s(load, default_photos, monkeypatch):
    """Also where the network enlarges: ours to 256 pixels, an official one to its working side."""
    model, pixels = load("deeplab"), default_photos["cat_kitten"].pixels
    photo = Photo.from_pixels("котёнок", pixels[::5, ::5].copy())
    assert np.array_equal(answers(model, photo)[0][0].labels, model.segment(photo).labels)
    monkeypatch.setattr(model, "weights", replace(model.weights, release=OFFICIAL["deeplabv3_resnet101"]))
    assert answers(model, photo)[0][0].made_by["settings"]["working_side"] == model.defaults["working_side"]


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (7, 600), (300, 200)])
def test_tiny_narrow_and_empty_photos(load, size):
    """Any shape of photo; where nothing was found, the CRF finds nothing, and the figure says so."""
    found = refine(answers(load("deeplab"), grey(*size, "серое")))
    usual = min(480, max(256, *size))
    assert [one[0].made_by["settings"]["working_side"] for one in found] == [usual, usual // 3]
    assert not found[0][0].segments
    for one in found:
        assert one[1].ids.shape == size and (one[0].segments or not one[1].segments)
    drawn = crf_figure(found)
    assert "0,0 % пикселей" in svg(drawn) and "серое: вход" in drawn.get_label()


def test_refused_settings():
    """A setting that there is not is named with what is valid."""
    with pytest.raises(LabkitError, match="theta.*appearance, alpha, beta"):
        DenseCRF(np.zeros((4, 4, 3), np.uint8), theta=3.0)


bird = pytest.fixture(scope="module")(lambda default_photos: default_photos["bird_kingfisher"])
outline = pytest.fixture(scope="module")(lambda bird: find_ground_truth(bird))
refined = pytest.fixture(scope="module")(lambda load, bird: refine(answers(load("deeplab"), bird)))


def test_scores_are_of_the_outlined_class(refined, outline, bird):
    """Boundary IoU before and after; what nobody labelled does not count; None without a reference."""
    truth = outline.mask_of("bird")
    expected = [boundary_iou(result.mask_of("bird"), truth) for result in refined[0]]
    assert boundary_scores(refined[0], outline) == tuple(expected) and expected[1] > expected[0]
    assert boundary_scores(refined[0], None) is None
    unknown = outline.labels.copy()
    unknown[refined[0][1].mask_of("bird") & ~truth] = 255
    known = Segmentation.from_labels(bird, unknown, (unknown != 255).astype(np.float32))
    assert boundary_scores(refined[0], known)[1] > expected[1]


def test_figure(refined, outline):
    """Two rows of three; numbers only where there is a reference."""
    drawn, side = crf_figure(refined), refined[0][0].made_by["settings"]["working_side"]
    words = svg(drawn)
    assert [len(ax.images) for ax in drawn.axes] == [1] * 6 and len(words) < 90_000
    after = f"{boundary_scores(refined[0], outline)[1]:.2f}"
    ours = f"граничный IoU {after}".replace(".", ",")
    for said in (f"вход {side}: сеть", f"вход {side}: с CRF", f"вход {side // 3}: с CRF", ours, "стало фоном"):
        assert said in words
    share = f"{100 * moved(refined[0]):.1f}".replace(".", ",")
    assert f"{share} % пикселей" in words


def test_sliders_run_the_crf_again(load, bird, outline):
    """Each parameter has a slider; moved, the figure is that of the new settings, and the network ran only at first."""
    model = load("deeplab")
    runs = []
    hook = model.network.register_forward_hook(lambda *_: runs.append(1))
    *sliders, shown = crf_sliders(model, bird).children
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
