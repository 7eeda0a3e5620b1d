"""What the prompt encoder makes of prompts: vectors by hand, drawn maps, and segment_anything's own encoder."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from IPython.utils.capture import capture_output
from PIL import Image
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.metrics import innermost, iou
from labkit.explain.answers import answers_figure, judged
from labkit.explain.embedding import cost, embedded, embedding_figure
from labkit.explain.encoded_prompts import (
    display_encoded,
    draw_prompt,
    encoded,
    encoded_figure,
    encoded_table,
    object_of,
    prompts_for,
)
from labkit.figures import panels, svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.models.prompted import PromptedModel
from labkit.models.sam import OUTLINE_LOGIT
from labkit.photos import Photo
from labkit.segmentation import Segmentation


@pytest.fixture(scope="module")
def kitten(default_photos, root):
    """The outlined kitten as a result."""
    return find_ground_truth(default_photos["cat_kitten"], root / "data" / "outlines")


@pytest.fixture(scope="module")
def rows(load, kitten):
    """The prompts of all kinds for the kitten, encoded by our SAM, by kind."""
    return {row.kind: row for row in encoded(load("sam"), kitten)}


@pytest.fixture(scope="module")
def published(load):
    """A small Sam of segment_anything's own parts, random: it draws nothing, as the official ones."""
    torch.manual_seed(0)
    network = Sam(
        ImageEncoderViT(img_size=64, patch_size=16, embed_dim=32, depth=1, num_heads=2, out_chans=32, use_rel_pos=True),
        PromptEncoder(32, (4, 4), (64, 64), mask_in_chans=16),
        MaskDecoder(
            transformer_dim=32, transformer=TwoWayTransformer(depth=1, embedding_dim=32, num_heads=2, mlp_dim=32)
        ),
    )
    return PromptedModel(network, load("sam").weights, torch.device("cpu"))


def test_number_of_vectors(rows):
    """One a point and two a box; a lone point also gets the vector that says that there is no box."""
    assert {kind: len(row.tokens) for kind, row in rows.items()} == {
        "point": 2,
        "box": 2,
        "point_box": 3,
        "contour": 2,
    }
    assert np.array_equal(rows["point_box"].tokens[1:], rows["box"].tokens)
    assert np.array_equal(rows["point_box"].tokens[0], rows["point"].tokens[0])


def test_vectors_are_place_plus_kind(rows, load, kitten):
    """A vector is the code of the place, sines and cosines of random frequencies, plus the learned one of the kind."""
    encoder = load("sam").network.prompt_encoder
    side = load("sam").network.image_encoder.img_size
    ((x, y),) = rows["point"].asked["points"]
    x0, y0, x1, y1 = rows["box"].asked["box"]
    scale = np.array([side / 900, round(675 * side / 900) / 675])

    def place(x, y):
        angles = 2 * np.pi * ((2 * ((np.array([x, y]) * scale + 0.5) / side) - 1) @ frequencies)
        return np.concatenate([np.sin(angles), np.cos(angles)])

    frequencies = encoder.pe_layer.positional_encoding_gaussian_matrix.numpy()
    kinds = [kind.weight[0].numpy() for kind in encoder.point_embeddings]  # background, object, two corners
    near = {"abs": 1e-3}
    assert rows["point"].tokens[0] == pytest.approx(place(x, y) + kinds[1], **near)
    assert rows["point"].tokens[1] == pytest.approx(encoder.not_a_point_embed.weight[0].numpy(), **near)
    assert rows["box"].tokens[0] == pytest.approx(place(x0, y0) + kinds[2], **near)
    assert rows["box"].tokens[1] == pytest.approx(place(x1, y1) + kinds[3], **near)


def test_drawn_maps_show_the_prompts(rows, load, kitten):
    """The point's map is highest at the point, the box's parts inside from outside, the contour's is the object."""
    network = load("sam").network
    size = network.prompt_encoder.mask_input_size
    step = network.image_encoder.img_size / size[0] * 900 / network.image_encoder.img_size
    assert {row.drawn.shape for row in rows.values()} == {size}
    ((x, y),) = rows["point"].asked["points"]
    row, column = np.unravel_index(rows["point"].drawn.argmax(), size)
    assert abs((column + 0.5) * step - x) < 20 and abs((row + 0.5) * step - y) < 20
    assert rows["point"].drawn.min() >= 0
    inside = [round(edge / step) for edge in rows["box"].asked["box"]]
    box = rows["box"].drawn[inside[1] : inside[3], inside[0] : inside[2]]
    assert np.median(box) == OUTLINE_LOGIT / 2 and rows["box"].drawn.min() == -OUTLINE_LOGIT / 2
    heights, widths = (np.minimum(((np.arange(n) + 0.5) * step).astype(int), 899) for n in size)
    shown = heights < 675
    drawn = rows["contour"].drawn[shown] > 0
    assert iou(drawn, kitten.segments[0].mask[np.ix_(heights[shown], widths)]) > 0.85
    assert not (rows["contour"].drawn[~shown] > 0).any()


def test_dense_map_is_the_encoder_s(rows, load):
    """The map is what the encoder's convolutions make of the drawn one, of the embedding's size."""
    encoder = load("sam").network.prompt_encoder
    for row in rows.values():
        with torch.inference_mode():
            expected = encoder.mask_downscaling(torch.from_numpy(row.drawn)[None, None])[0]
        assert torch.allclose(torch.from_numpy(row.dense), expected, atol=1e-4)
        assert row.dense.shape == (encoder.embed_dim, *encoder.image_embedding_size)


def test_published_encoder_draws_nothing(published, kitten):
    """Without a mask the map of segment_anything's own encoder is one vector everywhere; a contour is a mask."""
    rows = {row.kind: row for row in encoded(published, kitten)}
    assert [len(rows[kind].tokens) for kind in ("point", "box", "point_box", "contour")] == [2, 2, 3, 2]
    none = published.network.prompt_encoder.no_mask_embed.weight[0].numpy()
    for kind in ("point", "box", "point_box"):
        assert rows[kind].drawn is None
        assert np.array_equal(rows[kind].dense, np.broadcast_to(none[:, None, None], (32, 4, 4)))
    assert rows["contour"].drawn.shape == (16, 16) and rows["contour"].dense.std((1, 2)).max() > 0
    with use_language("en"):
        table = encoded_table(list(rows.values())).splitlines()
    assert all("no mask: one vector everywhere" in line for line in table[2:5]) and "of the prompt's map" in table[5]
    assert svg(encoded_figure(kitten, list(rows.values())))


def test_published_network_has_the_other_parts(published, kitten):
    """Its embedding, its cost and its three answers are shown by the same functions."""
    embedding = embedded(published, kitten.photo)
    assert embedding.features.shape == (32, 4, 4) and embedding.stride == 16 and svg(embedding_figure(embedding))
    found = cost(published, kitten.photo)
    assert found.embedding > 0 and found.prompt > 0
    (row,) = judged(published, [kitten])
    assert len(row.true) == len(row.predicted) == len(row.answer.segments) and svg(answers_figure(row))


def test_table(rows):
    """A row a prompt with its number of vectors and what they are."""
    lines = encoded_table(list(rows.values())).splitlines()[2:]
    assert [line.split("  ")[0] for line in lines] == ["точка", "рамка", "точка и рамка", "контур"]
    shape = "×".join(map(str, rows["box"].dense.shape))
    assert lines[2].split("  ")[1:] != [] and "точка объекта, два угла рамки" in lines[2]
    assert "«рамки нет»" in lines[0] and all(shape in line for line in lines)


def test_figure(rows, kitten, shell):
    """Each prompt on the photo and on its own map, small in a report, and the colours' meaning beside them."""
    rows = list(rows.values())
    drawn = encoded_figure(kitten, rows)
    photo, *maps, bar = drawn.axes
    assert len(maps) == 4 and len(photo.patches) == 3 and len(photo.lines) == 2
    assert [len(ax.lines) for ax in maps] == [1, 0, 1, 0] and [len(ax.patches) for ax in maps] == [0, 1, 1, 1]
    assert [tick.get_text() for tick in bar.get_yticklabels()] == [f"−{OUTLINE_LOGIT:g}", "0", f"{OUTLINE_LOGIT:g}"]
    ((x, y),) = rows[0].asked["points"]
    width = maps[0].images[0].get_size()[1]
    assert maps[0].lines[0].get_xydata()[0] == pytest.approx((np.array([x, y]) + 0.5) * width / 900 - 0.5)
    with use_language("en"):
        assert "point and box: 3 vectors" in encoded_figure(kitten, rows).get_label()
    written = svg(drawn)
    assert len(written) < 60_000 and written == svg(encoded_figure(kitten, rows))
    with capture_output() as captured:
        display_encoded(kitten, rows)
    assert "image/svg+xml" in captured.outputs[0].data


def test_marks_on_a_narrow_photo():
    """The picture stands in the middle of its panel then, and the marks on it."""
    image = Image.new("RGB", (10, 100))
    (ax,) = panels([image], ["x"], 1, 1.0).axes
    asked = {"points": [[0, 0], [19, 199]], "point_labels": [1, 0], "box": [0, 0, 20, 200]}
    draw_prompt(ax, asked, image, 20)
    left = (ax.images[0].get_size()[1] - 10) // 2
    first, second = (line.get_xydata()[0] for line in ax.lines)
    assert first == pytest.approx([left - 0.25, -0.25]) and second == pytest.approx([left + 9.25, 99.25])
    assert [line.get_marker() for line in ax.lines] == ["*", "X"]
    assert ax.patches[0].get_bbox().extents == pytest.approx([left - 0.5, -0.5, left + 9.5, 99.5])


def test_innermost():
    """The centre of the largest square inside, also of a shape whose middle is not in it."""
    mask = np.zeros((60, 80), bool)
    mask[10:31, 20:41] = True
    assert innermost(mask) == (30, 20)
    mask[5:60, 60:64] = True  # thin, and longer
    assert innermost(mask) == (30, 20)
    ring = np.ones((41, 41), bool)
    ring[5:36, 5:36] = False
    x, y = innermost(ring)
    assert ring[y, x]
    assert innermost(np.ones((1, 1), bool)) == (0, 0)
    assert innermost(np.eye(5) > 0) == (2, 2)


def test_innermost_is_as_far_inside_as_can_be(kitten):
    """Against every pixel's distance to the outside, by erosion one pixel at a time."""
    mask = np.pad(kitten.segments[0].mask, 1)
    x, y = innermost(kitten.segments[0].mask)
    left, steps = torch.from_numpy(mask)[None, None].float(), 0
    while True:
        smaller = -torch.nn.functional.max_pool2d(-left, 3, 1, 1)
        if not smaller.any():
            break
        left, steps = smaller, steps + 1
    assert left[0, 0, y + 1, x + 1] == 1 and steps > 20


def test_prompts_for_any_mask(load):
    """A speck, a strip, all of the photo and two parts make prompts that the model takes."""
    shape = (40, 60)
    photo = Photo.from_pixels("x", np.full((*shape, 3), 90, np.uint8))
    model = load("sam")
    model.set_photo(photo)
    masks = np.zeros((4, *shape), bool)
    masks[0, 3, 4] = masks[1, 7] = masks[2] = masks[3, :10, :10] = masks[3, 15:39, 20:50] = True
    for mask in masks:
        asked = prompts_for(mask)
        assert list(asked) == ["point", "box", "point_box", "contour"]
        for prompt in asked.values():
            model.prompt(**prompt)
    assert min(x for x, _ in prompts_for(masks[3])["contour"]["polygon"]) > 19, "the largest part"


def test_nothing_found(load, default_photos):
    """Then the prompts are about the middle of the photo."""
    result = Segmentation.nothing(default_photos["cat_chelsea"])
    mask = object_of(result)
    assert mask.shape == (300, 451) and mask[150, 225] and not mask[0].any() and 0.2 < mask.mean() < 0.3
    assert object_of(Segmentation.nothing(Photo.from_pixels("x", np.zeros((1, 1, 3), np.uint8)))).all()
    assert len(encoded(load("sam"), result)) == 4


def test_other_variants_are_refused(load, kitten):
    """With the model's name and what to load."""
    with pytest.raises(LabkitError, match=r"U-Net.*load_model\(4\)"):
        encoded(load("unet"), kitten)
