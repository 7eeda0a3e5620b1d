"""SAM's figures: components as colours, prompts for an object, prompts and answers where they belong."""

import re

import numpy as np
import pytest
import torch
from drawn import found, grey
from PIL import Image

from labkit.explain.prompts import draw_prompts
from labkit.explain.sam import (
    component_colors,
    embedding_figure,
    encoded_figure,
    object_of,
    prompts_for,
    ranking_figure,
    sam_part,
    stranger,
)
from labkit.figures import panels, svg
from labkit.models.sam import OUTLINE_LOGIT
from labkit.segmentation import Segmentation


def test_colors():
    """Brightness rises with the first component, blue falls with the second, red against green follows the third."""
    ramp = np.linspace(-1, 1, 50)
    flat = np.zeros((1, 50))
    for place, (rises, falls) in enumerate([((0, 1, 2), ()), ((0, 1), (2,)), ((0,), (1,))]):
        maps = np.stack([ramp[None] if n == place else flat for n in range(3)])
        colors = component_colors(maps)[0].astype(int)
        assert all(colors[-1, c] > colors[0, c] for c in rises) and all(colors[-1, c] < colors[0, c] for c in falls)
    assert component_colors(np.zeros((1, 4, 5))).shape == (4, 5, 3)


def test_embedding_figure(default_photos):
    """The photo and as many squares as there are places; a component's sign does not matter."""
    maps = torch.randn(3, 48, 64, generator=torch.Generator().manual_seed(0))
    one, other = (embedding_figure(default_photos["cat_kitten"], m, "карта") for m in (maps, -maps))
    squares = [np.asarray(drawn.axes[1].images[0].get_array()) for drawn in (one, other)]
    assert np.array_equal(*squares) and squares[0].shape[1] % 64 == 0
    assert one.axes[1].get_title() == "карта" and len(svg(one)) < 60_000


def test_part_of_the_input(load):
    """The longer side fills the encoder's square, the shorter one its share of it."""
    assert sam_part(load("sam"), grey(60, 120)) == (0.5, 1)


def test_prompts_on_the_photo_and_on_their_maps(default_photos):
    """Each prompt on the photo and on its own panel: its map where one was drawn, else grey."""
    photo = default_photos["cat_kitten"]
    logits = torch.full((128, 128), -OUTLINE_LOGIT)
    logits[:, :64] = OUTLINE_LOGIT
    asked = {
        "точка": ({"points": [[300, 400]], "point_labels": [1]}, None),
        "рамка": ({"box": [9, 9, 400, 600]}, logits),
    }
    drawn = encoded_figure(photo, asked, (0.75, 1))
    whole, point, box, bar = drawn.axes
    assert len(whole.lines) == len(point.lines) == 1 and len(whole.patches) == len(box.patches) == 1
    pixels = np.asarray(box.images[0].get_array(), int)[..., :3].sum(-1)
    assert pixels[:, 5].min() > pixels[:, -5].max() and len(np.unique(np.asarray(point.images[0].get_array()))) == 1
    assert bar.get_ylabel() == "логиты" and len(svg(drawn)) < 60_000


def test_marks_on_a_narrow_photo():
    """The picture stands in the middle of its panel then; the axes count the photo's pixels all the same."""
    image = Image.new("RGB", (10, 100))
    (ax,) = panels([image], ["x"], 1, 1.0, size=(200, 20)).axes
    draw_prompts(ax, {"points": [[0, 0], [19, 199]], "point_labels": [1, 0], "box": [0, 0, 20, 200]})
    left, right, bottom, top = ax.images[0].get_extent()
    assert left == pytest.approx(20 - right) and left < 0 and (top, bottom) == (0, 200)
    assert (right - left) / 200 == pytest.approx(np.divide(*ax.images[0].get_size()[::-1]))
    first, second = (line.get_xydata()[0] for line in ax.lines)
    assert first == pytest.approx([0.5, 0.5]) and second == pytest.approx([19.5, 199.5])
    assert [line.get_marker() for line in ax.lines] == ["*", "X"]
    assert ax.patches[0].get_bbox().extents == pytest.approx([0, 0, 20, 200])


def test_prompts_for_any_mask(load):
    """A speck, a strip, all of the photo and two parts make prompts that the model takes."""
    model, masks = load("sam"), np.zeros((4, 40, 60), bool)
    model.set_photo(grey(40, 60))
    masks[0, 3, 4] = masks[1, 7] = masks[2] = masks[3, :10, :10] = masks[3, 15:39, 20:50] = True
    for mask in masks:
        asked = prompts_for(mask)
        assert list(asked) == ["point", "box", "point_box", "contour"]
        for prompt in asked.values():
            model.prompt(**prompt)
    assert min(x for x, _ in prompts_for(masks[3])["contour"]["polygon"]) > 19, "the largest part"


def test_nothing_found(default_photos):
    """Then the prompts are about the middle of the photo."""
    mask = object_of(Segmentation.nothing(default_photos["cat_chelsea"]))
    assert mask.shape == (300, 451) and mask[150, 225] and not mask[0].any() and 0.2 < mask.mean() < 0.3
    assert object_of(Segmentation.nothing(grey(1, 1))).all()


def test_the_object_that_is_prompted_for():
    """The surest of the large ones, be it not the largest; the largest where all are small."""
    floor, dog, speck, dot = np.zeros((4, 100, 100), bool)
    floor[50:] = dog[20:50, 20:50] = speck[:10, :10] = dot[:2, 50:52] = True
    assert object_of(found([floor, dog, speck], scores=[0.8, 0.9, 0.99])) is dog
    assert object_of(found([dot, speck], scores=[0.99, 0.5])) is speck


def test_ranking_figure():
    """Every answer is a mark at its two numbers, each rank with a shape of its own; none: a sentence."""
    drawn = ranking_figure([[0.9, 0.8, 0.7], [0.6]], [[0.8, 0.82, 0.5], [0.4]])
    first, second, third = drawn.axes[0].lines[1:]
    assert first.get_xydata() == pytest.approx(np.array([[0.9, 0.8], [0.6, 0.4]]))
    assert second.get_xydata() == pytest.approx(np.array([[0.8, 0.82]]))
    assert len({line.get_marker() for line in (first, second, third)}) == 3
    written = svg(drawn)
    places = [float(x) for x in re.findall(r"rotate\(-90 ([0-9.]+)", written)]
    assert places and min(places) > 7, "the axis's name is not cut off"
    assert len(written) < 20_000 and "нужна разметка" in svg(ranking_figure([], []))


def test_stranger():
    """The best of what lies in the background, is large enough and no backdrop."""
    shape = (100, 100)
    known, free, speck, edge, half = np.zeros((5, *shape), bool)
    known[10:40, 10:40] = free[50:80, 50:80] = speck[90:94, 90:94] = True
    edge[60:, 60:] = half[20:50, 20:50] = True
    semantic = found([known])
    result = found([known, speck, edge, half, free])
    assert stranger(result, semantic).mask is free
    assert stranger(found([known, speck]), semantic) is None
