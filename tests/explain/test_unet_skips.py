"""Skips switched off: the mask loses its border, measured by outlines or by the full mask, and said so."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from IPython.utils.capture import capture_output
from official import random_official
from torch.nn import functional as F

from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.metrics import iou
from labkit.explain.unet_paths import find_unet
from labkit.explain.unet_skips import display_skips, skip_trials, skips_figure, skips_table
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.models.semantic import network_input, pad
from labkit.photos import Photo
from labkit.segmentation import Segmentation

SKY = Photo.from_pixels("небо", np.full((200, 300, 3), (135, 190, 230), np.uint8))


@pytest.fixture(scope="module")
def outlines(default_photos, root):
    """The outlined references by name."""
    found = {name: find_ground_truth(photo, root / "data" / "outlines") for name, photo in default_photos.items()}
    return {name: reference for name, reference in found.items() if reference is not None}


@pytest.fixture(scope="module")
def cameraman(load, default_photos, outlines):
    """The trials that the notebook of the kit shows."""
    return skip_trials(load("unet"), default_photos["cameraman"], outlines["cameraman"])


def test_numbers_of_the_notebook(cameraman):
    """What the section prints: fine skips alone matter little, all together make the border."""
    assert [trial.off for trial in cameraman.runs] == [(), (2,), (4,), (8,), (16,), (2, 4, 8, 16)]
    found = np.array([(trial.iou, trial.boundary_iou) for trial in cameraman.runs])
    expected = [(0.931, 0.650), (0.930, 0.646), (0.915, 0.575), (0.898, 0.502), (0.883, 0.531), (0.834, 0.311)]
    assert np.abs(found - expected).max() < 0.01 and not cameraman.own


def test_without_skips_the_border_goes_first(load, default_photos, outlines):
    """On all nine outlined photos, and by more than the mask as a whole; with means in their place as with zeros."""
    for name, reference in outlines.items():
        for fill in ("zeros", "mean") if name in ("bird_kingfisher", "cat_chelsea") else ("zeros",):
            runs = skip_trials(load("unet"), default_photos[name], reference, fill).runs
            border, whole = (runs[0].boundary_iou - runs[-1].boundary_iou, runs[0].iou - runs[-1].iou)
            assert border > 0.07 and border > whole, (name, fill)


def test_zeros_are_no_strange_input(load, default_photos):
    """Every channel of every skip has values below 0 and above it, on every photo."""
    encoder = find_unet(load("unet").network).encoder
    for photo in default_photos.values():
        with torch.inference_mode():
            skips = encoder(pad(network_input(photo.pixels, 384))[None])[1:-1]
        assert all((skip.amin((2, 3)) < 0).all() and (skip.amax((2, 3)) > 0).all() for skip in skips), photo.name


def test_a_run_by_hand(cameraman, load):
    """The mask without the skip at 1/8 and without all: the decoder called with zeros in their place."""
    model, photo = load("unet"), cameraman.photo
    unet = find_unet(model.network)
    with torch.inference_mode():
        features = unet.encoder(pad(network_input(photo.pixels, 384))[None])
        for places, trial in (((3,), cameraman.runs[3]), ((1, 2, 3, 4), cameraman.runs[-1])):
            given = [torch.zeros_like(one) if n in places else one for n, one in enumerate(features)]
            logits = F.interpolate(unet.segmentation_head(unet.decoder(given)), photo.pixels.shape[:2], mode="bilinear")
            mask = (logits[0].argmax(0) == model.classes.id("person")).numpy()
            assert iou(mask, trial.mask) > 0.999
    assert not unet.encoder._forward_hooks


def test_mean_is_each_channels_own(load, default_photos):
    """With "mean" the decoder gets maps without any detail, whose means are those of the features."""
    unet = find_unet(load("unet").network)
    given = []
    hook = unet.decoder.register_forward_pre_hook(lambda module, args: given.append([one.clone() for one in args[0]]))
    try:
        skip_trials(load("unet"), default_photos["cat_chelsea"], fill="mean")
    finally:
        hook.remove()
    full, last = given[0], given[-1]
    for n, (before, after) in enumerate(zip(full, last, strict=True)):
        if n in (0, 5):
            assert torch.equal(before, after)
        else:
            assert torch.allclose(after, before.mean((2, 3), keepdim=True).expand_as(before), atol=1e-5)


def test_without_a_reference_the_full_mask_is_the_truth(load, default_photos, outlines):
    """Said so; also where the reference shows another class only."""
    photo = default_photos["horses"]
    trials = skip_trials(load("unet"), photo)
    assert trials.own and trials.runs[0].iou == trials.runs[0].boundary_iou == 1.0 > trials.runs[-1].iou
    assert "Эталона с ним нет" in skips_table(trials)
    with use_language("en"):
        assert "No reference" in skips_table(trials)
    cat = default_photos["cat_chelsea"]
    birds = Segmentation.from_labels(cat, np.full(cat.pixels.shape[:2], 3, np.uint8))
    assert skip_trials(load("unet"), cat, birds).own


def test_unlabelled_pixels_do_not_count(load, default_photos, outlines):
    """Where nobody labelled, nothing counts."""
    labels = outlines["cat_kitten"].labels.copy()
    labels[:, : labels.shape[1] // 2] = 255
    known = (labels != 255).astype(np.float32)
    photo = Photo.from_pixels("котёнок", default_photos["cat_kitten"].pixels)
    trials = skip_trials(load("unet"), photo, Segmentation.from_labels(photo, labels, known))
    assert not trials.own and not any(trial.mask[known == 0].any() for trial in trials.runs)
    right = outlines["cat_kitten"].mask_of("cat") & (known > 0)
    full = load("unet").segment(photo).mask_of("cat") & (known > 0)
    assert trials.runs[0].iou == pytest.approx(iou(full, right))


def test_table_and_figure_say_the_same(cameraman):
    """Each run's two numbers, in the language's decimals; three colours, named; small."""
    table = skips_table(cameraman).splitlines()
    assert table[0] == "Фото cameraman, класс «человек». Образец — эталон, обведённый человеком."
    drawn = skips_figure(cameraman)
    titles = [ax.get_title() for ax in drawn.axes]
    for trial, row, title in zip(cameraman.runs, table[3:], titles, strict=True):
        numbers = [f"{value:.2f}".replace(".", ",") for value in (trial.iou, trial.boundary_iou)]
        assert row.split()[-2:] == numbers and title.endswith("IoU {}, граничный {}".format(*numbers))
    assert titles[0].startswith("все соединения") and titles[-1].startswith("без всех соединений")
    assert [one.get_text() for one in drawn.legends[0].get_texts()] == ["совпало с образцом", "потеряно", "лишнее"]
    assert len(svg(drawn)) < 90_000
    with use_language("en"):
        assert "without skip 1/8" in svg(skips_figure(cameraman))


def test_the_figure_shows_the_object_whole(load, default_photos, outlines):
    """All of what any run found is in the part of the photo that is shown."""
    trials = skip_trials(load("unet"), default_photos["cat_kitten"], outlines["cat_kitten"])
    shown = skips_figure(trials).axes[0].images[0].get_array()
    everything = np.logical_or.reduce([trials.truth, *(trial.mask for trial in trials.runs)])
    rows, columns = (np.flatnonzero(everything.any(axis)) for axis in (1, 0))
    assert shown.shape[0] / shown.shape[1] == pytest.approx(np.ptp(rows) / np.ptp(columns), rel=0.1)


def test_nothing_found(load, shell):
    """On an empty sky there is nothing to compare; the notebook says so and goes on."""
    with pytest.raises(LabkitError, match="небо"):
        skip_trials(load("unet"), SKY)
    with capture_output() as seen:
        display_skips(load("unet"), SKY)
    assert "ничего не нашла" in seen.stdout and not seen.outputs


def test_shown_in_the_notebook(load, default_photos, shell):
    """The figure and the table."""
    with capture_output() as seen:
        display_skips(load("unet"), default_photos["cat_chelsea"])
    assert "image/svg+xml" in seen.outputs[0].data and "граничный IoU" in seen.stdout


def test_other_fill(load):
    """What was given and what is valid."""
    with pytest.raises(LabkitError, match=r"'noise'.*zeros, mean"):
        skip_trials(load("unet"), SKY, fill="noise")


def test_official_network(default_photos):
    """The library's U-Net of the official weights, its tensors random: four skips, each of them changes the logits."""
    model = random_official("unet_people", 64)
    unet, photo = find_unet(model.network), default_photos["cat_kitten"]
    with torch.inference_mode():
        middle = unet(pad(model._input(photo.pixels, 64))[None]).median()
    unet.segmentation_head[0].bias.sub_(middle)  # half of the photo is people
    trials = skip_trials(model, photo)
    assert [trial.off for trial in trials.runs] == [(), (2,), (4,), (8,), (16,), (2, 4, 8, 16)] and trials.own
    assert trials.runs[0].iou == 1.0 and all(trial.iou < 1.0 for trial in trials.runs[1:])
    with use_language("en"):
        assert "person" in skips_table(trials)
