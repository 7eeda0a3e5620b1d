"""ASPP's branches: each is what it is called, and switching one off is as if its weights were zero."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from IPython.utils.capture import capture_output
from official import random_official
from torch import nn
from torchvision.models.segmentation import deeplabv3

from labkit.explain.aspp import (
    aspp_figure,
    aspp_table,
    branches,
    branches_of,
    display_aspp,
    find_aspp,
    shares,
)
from labkit.explain.hooks import recorded
from labkit.explain.photos import photo_part
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.photos import Photo

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
    assert np.array_equal(cameraman.none.labels, labels(range(5)))
    for place in (0, 3, 4):
        assert np.array_equal(cameraman.alone[place].labels, labels(set(range(5)) - {place}))
        assert np.array_equal(cameraman.without[place].labels, labels({place}))


def test_shares_add_up_to_the_output(load, default_photos, cameraman):
    """The sum of what the branches add, the bias and ReLU are ASPP's own output; the maps are the shares' norms."""
    model = load("deeplab")
    aspp = find_aspp(model.network)
    watched = {str(n): part for n, part in enumerate(aspp.convs)}
    with recorded({"aspp": aspp, **watched}) as seen:
        model.segment(default_photos["cameraman"])
    parts = shares(aspp, [seen[name][0] for name in watched])
    total = sum(parts) + aspp.project[0].bias[:, None, None]
    assert torch.allclose(total.relu(), seen["aspp"][0], atol=1e-4)
    assert all(np.allclose(m, p[0].norm(dim=0), atol=1e-5) for m, p in zip(cameraman.maps, parts, strict=True))
    assert np.ptp(cameraman.maps[4]) < 1e-3 and np.ptp(cameraman.maps[0]) > 3  # the mean is one answer for all cells


def test_the_claim(cameraman):
    """On this photo no branch does it alone, and no one of them is missed: together they are more than each."""
    alone = [cameraman.agreement(result) for result in cameraman.alone]
    without = [cameraman.agreement(result) for result in cameraman.without]
    assert np.allclose(alone, [0.54, 0, 0.01, 0.46, 0], atol=0.015)
    assert np.allclose(without, [0.96, 0.98, 0.97, 0.98, 0.97], atol=0.015)
    assert cameraman.agreement(cameraman.none) == 0 and cameraman.agreement(cameraman.full) == 1


@pytest.mark.parametrize("name", ["bird_kingfisher", "cat_chelsea", "sheep"])
def test_the_claim_on_other_photos(load, default_photos, name):
    """As the notebook says: rates 6 and 12 and the mean find nothing alone, and without any one it is nearly all there.

    What comes alone, if anything, comes from the 1x1 convolution and rate 18, most of whose weights lie off the map.
    """
    found = branches(load("deeplab"), default_photos[name])
    alone = [found.agreement(result) for result in found.alone]
    assert max(alone[1], alone[2], alone[4]) < 0.05 and max(alone) < 0.96
    assert min(found.agreement(result) for result in found.without) > 0.7


def test_table_and_figure(cameraman):
    """Both languages; every number that the table prints stands in the figure too; all panels are there."""
    table = aspp_table(cameraman).splitlines()
    assert "cameraman" in table[0] and "«человек»" in table[0] and "0,00" in table[-1]
    assert table[3].split() == ["1×1", "0,54", "0,96"] and table[6].split() == ["rate", "18", "0,46", "0,98"]
    with use_language("en"):
        english = aspp_table(cameraman)
    assert "mean of the map" in english and "0.54" in english and "person" in english
    drawn = aspp_figure(cameraman)
    assert [len(ax.images) for ax in drawn.axes] == [1] * 12
    words = svg(drawn)
    for said in ("rate 18", "IoU 0,46", "вклад до", "«человек», как в полном ответе", "потеряно", "лишнее"):
        assert said in words
    with use_language("en"):
        assert "IoU 0.46" in svg(aspp_figure(cameraman))
    assert len(words) < 90_000


def test_maps_share_one_scale(cameraman):
    """The colour of a cell says how much a branch adds, whichever branch it is: the brightest cell is the largest."""
    drawn = aspp_figure(cameraman)
    brightness = [np.asarray(ax.images[0].get_array(), int)[..., :3].sum(-1).max() for ax in drawn.axes[7:]]
    peaks = [values.max() for values in cameraman.maps]
    assert np.argsort(brightness).tolist() == np.argsort(peaks).tolist()


def test_nothing_found(load):
    """A photo on which nothing is found has branches all the same: two empty masks agree."""
    found = branches(load("deeplab"), Photo.from_pixels("серое", np.full((300, 200, 3), 120, np.uint8)))
    assert not found.full.segments and found.agreement(found.none) == 1
    assert "«объекты»" in aspp_table(found) and svg(aspp_figure(found))


def test_photo_part(load, default_photos):
    """328 of 352 columns are the photo's: the rest is padding."""
    model = load("deeplab")
    result = model.segment(default_photos["officer"])
    assert photo_part(model, result, (384, 352)) == (1, 328 / 352)


def test_official(default_photos):
    """Torchvision's DeepLabV3 as the kit loads it, its weights random: five branches over the whole input."""
    model = random_official("deeplabv3_mobilenet_v3_large", 96)
    found = branches(model, default_photos["cameraman"])
    assert found.named == (OURS[0], ("atrous", 12), ("atrous", 24), ("atrous", 36), OURS[4])
    assert {values.shape for values in found.maps} == {(6, 6)} and found.part == (1, 1)
    assert found.agreement(found.full) == 1 and svg(aspp_figure(found))


def test_display(shell, cameraman):
    """A figure."""
    with capture_output() as captured:
        display_aspp(cameraman)
    assert "rate 12" in captured.outputs[0].data["image/svg+xml"]


def test_other_networks(load, default_photos):
    """A network without ASPP is named with what to load."""
    with pytest.raises(LabkitError, match="load_model\\(1\\)"):
        branches(load("fcn"), default_photos["cameraman"])
