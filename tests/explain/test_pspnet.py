"""PSPNet's pyramid: its maps are averages that went through a convolution; switched off, they change what is said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from official import random_official
from torch.nn import functional as F

from labkit.evaluation.metrics import iou
from labkit.explain.hooks import Trial
from labkit.explain.pspnet import (
    context_figure,
    context_table,
    find_pyramid,
    pyramid,
    pyramid_figure,
    pyramid_table,
    swap,
    without,
)
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.models.semantic import network_input, pad
from labkit.photos import Photo
from labkit.segmentation import Segmentation

SKY = Photo.from_pixels("небо", np.full((200, 300, 3), (135, 190, 230), np.uint8))


@pytest.fixture(scope="module")
def cameraman(load, default_photos):
    """The pyramid that the notebook of the kit shows."""
    return pyramid(load("pspnet"), default_photos["cameraman"])


@pytest.fixture(scope="module")
def all_off(load, default_photos):
    """The kit's ten photos without any level, by name."""
    model = load("pspnet")
    return {name: without(model, model.segment(photo)) for name, photo in default_photos.items()}


def logits_by_hand(model, photo, off=()):
    """The logits of the embedded network with the pyramid written out, and its maps: pool, convolve, enlarge, join."""
    network, maps = model.network, {}
    features = network.encoder(pad(network_input(photo.pixels, 384))[None])[-1]
    parts = []
    for block in network.decoder.psp.blocks:
        size = block.pool_size
        rows, columns = (
            [(n * side // size, -(-(n + 1) * side // size)) for n in range(size)] for side in features.shape[2:]
        )
        cells = [[features[0, :, a:b, c:d].mean((1, 2)) for c, d in columns] for a, b in rows]
        pooled = torch.stack([torch.stack(row, 1) for row in cells], 1)[None]
        convolution = block.pool[1][0]
        maps[size] = (F.conv2d(pooled, convolution.weight, convolution.bias)).relu()
        enlarged = F.interpolate(maps[size], features.shape[2:], mode="bilinear", align_corners=True)
        parts.append(torch.zeros_like(enlarged) if size in off else enlarged)
    joined = torch.cat([*parts, features], 1)
    return network.segmentation_head(network.decoder.conv(joined))[0], {size: one[0] for size, one in maps.items()}


@torch.inference_mode()
def test_maps_and_votes_by_hand(cameraman, load, default_photos):
    """Averages over cells of the features, a 1x1 convolution; a vote is a difference of two probabilities."""
    model, photo = load("pspnet"), default_photos["cameraman"]
    person = model.classes.id("person")
    full, maps = logits_by_hand(model, photo)
    assert list(cameraman.pooled) == [1, 2, 3, 6]
    for size, pooled in cameraman.pooled.items():
        assert (
            pooled.shape == maps[size].shape
            and pooled.shape[1:] == (size, size)
            and torch.allclose(pooled, maps[size], atol=1e-3)
        )
        assert np.allclose(cameraman.strength(size) ** 2, (maps[size].numpy() ** 2).sum(0), rtol=1e-3)
        less, _ = logits_by_hand(model, photo, (size,))
        vote = full.softmax(0)[person] - less.softmax(0)[person]
        assert np.allclose(cameraman.votes[size], vote.numpy(), atol=1e-3)


@torch.inference_mode()
def test_all_off_by_hand(all_off, load, default_photos):
    """The classes without the pyramid are those of the written-out network with zeros in its place."""
    for name in ("dog_shepherd", "horses"):
        photo = default_photos[name]
        logits, _ = logits_by_hand(load("pspnet"), photo, (1, 2, 3, 6))
        height, width = network_input(photo.pixels, 384).shape[1:]
        large = F.interpolate(logits[None, :, :height, :width], photo.pixels.shape[:2], mode="bilinear")[0].argmax(0)
        assert (large.numpy() != all_off[name].result.labels).mean() < 1e-3
    assert not any(branch._forward_hooks for branch, _ in find_pyramid(load("pspnet").network).values())


def test_numbers_of_the_notebook(cameraman):
    """What the section prints: without each level, then without all; most of the photo stays as it was."""
    assert [trial.off for trial in cameraman.trials] == [(1,), (2,), (3,), (6,), (1, 2, 3, 6)]
    assert all(0 <= trial.share < 0.5 and trial.iou > 0.5 for trial in cameraman.trials)
    assert cameraman.trials[-1].share > 0
    assert all(cameraman.strength(size).max() > 0 for size in (1, 2, 3, 6))


def test_context_on_the_kits_photos(all_off):
    """The table's first row and the figure are the photo that changes most, with its commonest change."""
    trials = list(all_off.values())
    most = max(trials, key=lambda trial: trial.share)
    rows = context_table(trials).splitlines()[2:]
    assert len(rows) == 10 and rows[0].split()[0] == most.full.photo.name and most.share > 0
    assert " → " in swap(most) and " ".join(rows[0].split()).endswith(swap(most))
    assert context_figure(trials).get_label().startswith(most.full.photo.name)


def test_each_level_matters(load, all_off):
    """Each of the four levels moves pixels, all photos taken together."""
    model, some = load("pspnet"), list(all_off.values())[:4]
    moved = [sum(without(model, one.full, size).share for one in some) for size in (1, 2, 3, 6)]
    assert min(moved) > 0


def test_share_iou_and_swap_by_count():
    """On a made-up pair of answers, counted by hand: 20 pixels, 5 of them moved, 3 of those from cat to dog."""
    photo = Photo.from_pixels("x", np.zeros((4, 5, 3), np.uint8))
    before, after = np.full((4, 5), 8, np.uint8), np.full((4, 5), 8, np.uint8)
    before[3] = 0
    after[3] = 0
    after[0, :3] = 12
    after[3, :2] = 8
    trial = Trial((1,), Segmentation.from_labels(photo, before), Segmentation.from_labels(photo, after))
    assert trial.share == 5 / 20 and swap(trial) == "кошка → собака: 15,0 %" and trial.iou == 12 / 17
    same = Trial((1,), trial.full, trial.full)
    assert same.share == 0 and swap(same) == "ничего не изменилось" and same.iou == 1
    assert "ничего не изменилось" in context_table([same])
    with use_language("en"):
        assert "nothing changed" in context_table([same])


def test_padding_is_not_shown(load, default_photos):
    """A portrait photo covers part of what was pooled: its last column of cells is cut off in the figure."""
    found = pyramid(load("pspnet"), default_photos["officer"])
    assert found.part == (1.0, 328 / 352)
    image = pyramid_figure(found).axes[3].images[0].get_array()
    grey = np.asarray(image[..., :3]).astype(int)
    seams = [(n + 1) / 6 / found.part[1] * grey.shape[1] for n in range(5)]
    strength = found.strength(6)
    for n, seam in enumerate(seams):
        row = int(np.abs(np.diff(strength, axis=1))[:, n].argmax())
        y, x = int((row + 0.5) / 6 * grey.shape[0]), round(seam)
        jump = np.abs(grey[:, x + 2] - grey[:, x - 3]).sum(1)[y - 3 : y + 4].mean()
        assert jump > 15, (n, jump)


def test_tables_and_figures_say_the_same(cameraman, all_off):
    """Shares with one decimal in the language's way; all words of the figures in one language; small."""
    table = pyramid_table(cameraman).splitlines()
    assert table[0] == "Фото cameraman. IoU считается для класса «человек»."
    for trial, row in zip(cameraman.trials, table[3:], strict=True):
        assert row.split()[-3:] == [
            f"{100 * trial.share:.1f}".replace(".", ","),
            "%",
            f"{trial.iou:.2f}".replace(".", ","),
        ]
    assert table[-1].startswith("без всей пирамиды")
    with use_language("en"):
        assert "without 6×6" in pyramid_table(cameraman)
    drawn = pyramid_figure(cameraman)
    assert [ax.get_title().split("\n")[0] for ax in drawn.axes] == [
        f"{word} {size}×{size}" for word in ("карта", "вклад") for size in (1, 2, 3, 6)
    ]
    with use_language("en"):
        assert "person" in pyramid_figure(cameraman).legends[0].get_texts()[0].get_text()
    most = max(all_off.values(), key=lambda trial: trial.share)
    context, share = context_figure([*all_off.values()]), f"{100 * most.share:.1f}"
    assert [ax.get_title().split("\n")[0] for ax in context.axes] == [
        "с пирамидой",
        "без всей пирамиды",
        f"сменили класс: {share} %".replace(".", ","),
    ]
    assert len(svg(drawn)) < 120_000 and len(svg(context)) < 80_000
    with use_language("en"):
        assert f"changed class: {share} %" in context_figure([most]).axes[2].get_title()


def test_long_names_stay_in_their_panel():
    """The longest names of classes: no word of the figure lies on another or outside."""
    photo = Photo.from_pixels("x", np.full((300, 400, 3), 90, np.uint8))
    labels = np.where(np.arange(400) < 150, 20, 16).astype(np.uint8)[None].repeat(300, 0)
    full, result = Segmentation.from_labels(photo, labels), Segmentation.from_labels(photo, np.full_like(labels, 16))
    drawn = context_figure([Trial((1, 2, 3, 6), full, result)])
    FigureCanvasAgg(drawn).draw()
    assert drawn.axes[2].get_title().endswith("телевизор или монитор →\nкомнатное растение: 37,5 %")
    boxes = [ax.title.get_window_extent() for ax in drawn.axes] + [drawn.legends[0].get_window_extent()]
    for n, box in enumerate(boxes):
        assert drawn.bbox.x0 <= box.x0 and box.x1 <= drawn.bbox.x1 and box.y1 <= drawn.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[n + 1 :])


def test_nothing_found(load):
    """An empty sky: the background's probability and IoU, no class that changed, no error; no photos: it is said."""
    model = load("pspnet")
    found = pyramid(model, SKY)
    assert "«фон»" in pyramid_table(found) and svg(pyramid_figure(found))
    trials = [without(model, found.full)]
    assert "ничего не изменилось" in context_table(trials) and svg(context_figure(trials))
    assert "Показывать нечего" in context_figure([]).get_label()


def test_errors(load, default_photos):
    """No pyramid in a U-Net; no level of that size in the pyramid."""
    with pytest.raises(LabkitError, match=r"Unet.*load_model\(5\)"):
        find_pyramid(load("unet").network)
    model = load("pspnet")
    with pytest.raises(LabkitError, match=r"\[4\].*1, 2, 3, 6"):
        without(model, model.segment(SKY), 4)


def test_official_network():
    """The library's PSPNet of the official weights, its tensors random: the same four levels, and no padding."""
    model = random_official("pspnet_resnetd50b_ade20k", 64)
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    seen = pyramid(model, Photo.from_pixels("шум", noise))
    assert list(seen.pooled) == [1, 2, 3, 6] and seen.part == (1.0, 1.0)
    assert {size: tuple(one.shape) for size, one in seen.pooled.items()} == {n: (512, n, n) for n in (1, 2, 3, 6)}
    for size, vote in seen.votes.items():
        assert vote.shape == (64, 96) and np.abs(vote).max() > 0, size
    last = seen.trials[-1]
    largest = max(last.full.segments, key=lambda segment: segment.area)
    assert last.iou == iou(last.result.labels == largest.label_id, largest.mask) and last.share > 0
    with use_language("en"):
        assert pyramid_figure(seen)
    assert pyramid_table(seen)
