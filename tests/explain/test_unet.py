"""U-Net: the recorded features are those that flow, and skips switched off cost the mask its border."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from official import random_official
from torch.nn import functional as F

from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.metrics import iou
from labkit.explain.unet import (
    find_unet,
    maps_figure,
    paths,
    paths_figure,
    paths_table,
    skip_trials,
    skips_figure,
    skips_table,
)
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.models.semantic import network_input, pad
from labkit.photos import Photo
from labkit.segmentation import Segmentation


@pytest.fixture(scope="module")
def portrait(load, default_photos):
    """The paths of a photo in portrait format, which is padded."""
    return paths(load("unet"), default_photos["officer"])


@pytest.fixture(scope="module")
def official():
    """The library's U-Net of the official weights, its tensors random, on small inputs."""
    return random_official("unet_people", 64)


def test_features_by_hand(portrait, load):
    """Each level of the expanding path is two convolutions over the doubled one below and the joined features."""
    unet = find_unet(load("unet").network)
    below = portrait.levels[-1].contracting[None]
    with torch.inference_mode():
        for block, level in zip(unet.decoder.blocks, portrait.levels[-2::-1], strict=True):
            doubled = F.interpolate(below, scale_factor=2, mode="nearest")
            skip = [level.contracting[None]] if level.joined else []
            assert level.joined == (len(level.contracting) if skip else 0)
            below = block.conv2(block.conv1(torch.cat([doubled, *skip], dim=1)))
            assert torch.allclose(below[0], level.expanding, atol=1e-4)
        assert torch.allclose(unet.segmentation_head(below)[0], portrait.output, atol=1e-4)


def test_input_and_the_photos_part_of_it(portrait):
    """The first features are the input itself; the photo's part of it is known without asking the model."""
    x = network_input(portrait.photo.pixels, 384)
    assert torch.equal(portrait.levels[0].contracting, pad(x)) and portrait.size == tuple(x.shape[1:]) == (384, 328)
    assert [level.stride for level in portrait.levels] == [1, 2, 4, 8, 16, 32]
    assert [bool(level.joined) for level in portrait.levels] == [False, True, True, True, True, False]
    assert portrait.levels[-1].expanding is None


def shapes(found) -> list[str]:
    """Each recorded shape, from the input down, height×width×channels."""
    features = [one for level in found.levels for one in (level.contracting, level.expanding) if one is not None]
    return ["×".join(map(str, (*one.shape[1:], one.shape[0]))) for one in features]


def test_table(portrait):
    """A row a level, as it flowed."""
    head, _, *rows = paths_table(portrait).splitlines()
    assert head.split() == ["уровень", "сжимающий", "путь", "соединение", "расширяющий", "путь"]
    assert [row.split()[0] for row in rows] == ["1", "1/2", "1/4", "1/8", "1/16", "1/32"] and rows[-1].endswith("дно")
    assert [word for row in rows for word in row.split() if "×" in word] == shapes(portrait)
    assert [row.count("→") for row in rows] == [level.joined > 0 for level in portrait.levels]
    with use_language("en"):
        english = paths_table(portrait)
    assert english.splitlines()[0] == "level  contracting path  skip    expanding path"
    assert english.splitlines()[-1].endswith("bottom")


def test_diagram_names_every_shape(portrait):
    """Each recorded shape and each skip stands in the U once, within the figure and on no other word."""
    drawn = paths_figure(portrait)
    words = [one for one in drawn.axes[0].texts if one.get_text()]
    joined = [f"+{level.joined}" for level in portrait.levels if level.joined]
    output = "×".join(map(str, (*portrait.output.shape[1:], len(portrait.output))))
    assert sorted(one.get_text() for one in words) == sorted([*shapes(portrait), *joined, f"выход: {output}"])
    FigureCanvasAgg(drawn).draw()
    boxes = [one.get_window_extent() for one in words] + [drawn.legends[0].get_window_extent()]
    for n, box in enumerate(boxes):
        assert drawn.bbox.x0 <= box.x0 and box.x1 <= drawn.bbox.x1
        assert drawn.bbox.y0 <= box.y0 and box.y1 <= drawn.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[n + 1 :])
    with use_language("en"):
        assert "skip connection" in paths_figure(portrait).legends[0].get_texts()[2].get_text()


def test_maps_are_small(portrait):
    """The photo, and a sheet of four channels a level and path; no title on another; little to store."""
    drawn = maps_figure(portrait)
    titled = [ax for ax in drawn.axes if ax.get_title()]
    assert len(titled) == 11 and all(max(ax.images[0].get_size()) <= 320 for ax in titled)
    assert titled[0].get_title().startswith("сжимающий путь") and titled[-1].get_title().startswith("расширяющий путь")
    FigureCanvasAgg(drawn).draw()
    boxes = [ax.title.get_window_extent() for ax in titled]
    assert not any(box.overlaps(other) for n, box in enumerate(boxes) for other in boxes[n + 1 :])
    assert len(svg(drawn)) < 120_000


def test_paths_of_the_official_network(official, default_photos):
    """The same parts of the library's larger U-Net: its own channels, its one class and our background apart."""
    found = paths(official, default_photos["cat_kitten"])
    assert [level.stride for level in found.levels] == [1, 2, 4, 8, 16, 32] and len(found.output) == 1
    assert [len(level.contracting) for level in found.levels] == [3, 40, 32, 48, 136, 384]
    assert [level.joined for level in found.levels] == [0, 40, 32, 48, 136, 0]
    assert found.size == (64, 85) and paths_figure(found)
    with use_language("en"):
        assert maps_figure(found)


def test_no_unet_in_another_network(load):
    """What was given, and which variant has it."""
    with pytest.raises(LabkitError, match=r"PSPNet.*load_model\(2\)"):
        find_unet(load("pspnet").network)


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
    """What the section prints: without all skips the border is lost more than without any one, the mask less."""
    assert [trial.off for trial in cameraman] == [(), (2,), (4,), (8,), (16,), (2, 4, 8, 16)]
    found = np.array([(trial.iou, trial.boundary_iou) for trial in cameraman])
    assert (found[-1] == found.min(0)).all() and cameraman[0].truth is not None
    assert found[0, 1] - found[-1, 1] > found[0, 0] - found[-1, 0] > 0


def test_without_skips_the_border_goes_first(load, default_photos, outlines):
    """On all nine outlined photos, and by more than the mask as a whole; with means in their place as with zeros."""
    for name, reference in outlines.items():
        for fill in ("zeros", "mean") if name in ("bird_kingfisher", "cat_chelsea") else ("zeros",):
            runs = skip_trials(load("unet"), default_photos[name], reference, fill)
            border, whole = (runs[0].boundary_iou - runs[-1].boundary_iou, runs[0].iou - runs[-1].iou)
            assert border > whole > -0.05 and border > 0.02, (name, fill)


def test_zeros_are_no_strange_input(load, default_photos):
    """Nearly every channel of the skips has values below 0 and above it, on every photo."""
    encoder = find_unet(load("unet").network).encoder
    for photo in default_photos.values():
        with torch.inference_mode():
            skips = encoder(pad(network_input(photo.pixels, 384))[None])[1:-1]
        inside = torch.cat([(skip.amin((2, 3)) < 0) & (skip.amax((2, 3)) > 0) for skip in skips], 1)
        assert inside.float().mean() > 0.9, photo.name


def test_a_run_by_hand(cameraman, load):
    """The mask without the skip at 1/8 and without all: the decoder called with zeros in their place."""
    model, photo = load("unet"), cameraman[0].full.photo
    unet = find_unet(model.network)
    with torch.inference_mode():
        features = unet.encoder(pad(network_input(photo.pixels, 384))[None])
        for places, trial in (((3,), cameraman[3]), ((1, 2, 3, 4), cameraman[-1])):
            given = [torch.zeros_like(one) if n in places else one for n, one in enumerate(features)]
            logits = F.interpolate(unet.segmentation_head(unet.decoder(given)), photo.pixels.shape[:2], mode="bilinear")
            mask = (logits[0].argmax(0) == model.classes.id("person")).numpy()
            assert iou(mask, trial.masks[0]) > 0.999
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
    assert trials[0].truth is None and trials[0].iou == trials[0].boundary_iou == 1.0 > trials[-1].iou
    assert "Эталона с ним нет" in skips_table(trials)
    with use_language("en"):
        assert "No reference" in skips_table(trials)
    cat = default_photos["cat_chelsea"]
    birds = Segmentation.from_labels(cat, np.full(cat.pixels.shape[:2], 3, np.uint8))
    assert skip_trials(load("unet"), cat, birds)[0].truth is None


def test_unlabelled_pixels_do_not_count(load, default_photos, outlines):
    """Where nobody labelled, nothing counts."""
    labels = outlines["cat_kitten"].labels.copy()
    labels[:, : labels.shape[1] // 2] = 255
    known = (labels != 255).astype(np.float32)
    photo = Photo.from_pixels("котёнок", default_photos["cat_kitten"].pixels)
    trials = skip_trials(load("unet"), photo, Segmentation.from_labels(photo, labels, known))
    assert not any(trial.masks[0][known == 0].any() for trial in trials)
    right = outlines["cat_kitten"].mask_of("cat") & (known > 0)
    full = load("unet").segment(photo).mask_of("cat") & (known > 0)
    assert trials[0].iou == pytest.approx(iou(full, right))


def test_table_and_figure_say_the_same(cameraman):
    """Each run's two numbers, in the language's decimals; three colours, named; small."""
    table = skips_table(cameraman).splitlines()
    assert table[0] == "Фото cameraman, класс «человек». Образец — эталон, обведённый человеком."
    drawn = skips_figure(cameraman)
    titles = [ax.get_title() for ax in drawn.axes]
    for trial, row, title in zip(cameraman, table[3:], titles, strict=True):
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
    everything = np.logical_or.reduce([mask for trial in trials for mask in trial.masks])
    rows, columns = (np.flatnonzero(everything.any(axis)) for axis in (1, 0))
    assert shown.shape[0] / shown.shape[1] == pytest.approx(np.ptp(rows) / np.ptp(columns), rel=0.1)


def test_nothing_found(load):
    """On an empty sky there is nothing to compare; the table says so and the figure shows the photo."""
    trials = skip_trials(load("unet"), SKY)
    assert "ничего не нашла" in skips_table(trials) and "небо" in skips_table(trials) and svg(skips_figure(trials))


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
    assert [trial.off for trial in trials] == [(), (2,), (4,), (8,), (16,), (2, 4, 8, 16)]
    assert trials[0].iou == 1.0 and all(trial.iou < 1.0 for trial in trials[1:])
    with use_language("en"):
        assert "person" in skips_table(trials)
