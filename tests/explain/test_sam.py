"""SAM: what is shown of the embedding, of prompts and of answers is what flowed; costs are counted by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from IPython.utils.capture import capture_output
from PIL import Image
from segment_anything import sam_model_registry
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from segment_anything.modeling.transformer import Attention
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from labkit.classes import VOC
from labkit.evaluation.annotations import find_ground_truth
from labkit.evaluation.metrics import iou
from labkit.explain.sam import (
    Cost,
    Embedding,
    Judged,
    Unnamed,
    answers_figure,
    component_colors,
    components,
    cost,
    draw_prompt,
    embedded,
    embedding_figure,
    embedding_table,
    encoded,
    encoded_figure,
    encoded_table,
    judged,
    named,
    object_of,
    prompts_for,
    ranking_figure,
    ranking_text,
    stranger,
    unnamed,
    unnamed_figures,
)
from labkit.figures import panels, svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.models.prompted import PromptedModel
from labkit.models.sam import OUTLINE_LOGIT
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation
from labkit.viewer.viewer import MARK


@pytest.fixture(scope="module")
def kitten(load, default_photos):
    """The embedding of the kitten's photo, 900x675."""
    return embedded(load("sam"), default_photos["cat_kitten"])


def test_embedding_is_what_prompts_use(kitten, load):
    """The hook's tensor is what the decoder gets; its shape is the prompt encoder's; the padding is left out."""
    network = load("sam").network
    assert torch.equal(torch.from_numpy(kitten.features), load("sam")._set.embedding[0][: len(kitten.features)])
    channels, rows, columns = kitten.features.shape
    assert (channels, rows) == (network.prompt_encoder.embed_dim, network.prompt_encoder.image_embedding_size[0])
    assert kitten.side == network.image_encoder.img_size and kitten.stride * columns == kitten.side
    assert kitten.part == (round(kitten.side * 3 / 4) / kitten.side, 1)
    assert kitten.places.shape == (channels, -(-rows * 3 // 4), columns)


def test_components_are_numpy_s_own(kitten):
    """The same maps and shares as by a singular value decomposition, up to the sign; the largest part is positive."""
    x = kitten.places.reshape(len(kitten.places), -1).T.astype(float)
    x = x - x.mean(0)
    u, s, axes = np.linalg.svd(x, full_matrices=False)
    shares, maps = components(kitten, 5)
    assert shares == pytest.approx((s**2 / (s**2).sum())[:5], rel=1e-6)
    assert (np.diff(shares) <= 0).all() and 0 < shares.sum() <= 1
    for n in range(3):
        sign = np.sign(axes[n, np.abs(axes[n]).argmax()])
        assert maps[n].ravel() == pytest.approx(sign * u[:, n] * s[n], rel=1e-3, abs=1e-3)


def test_components_tell_the_cat_from_the_garden(kitten, default_photos, root):
    """What the figure is there to show: one of the three components parts the outlined cat from what is around it."""
    cat = find_ground_truth(default_photos["cat_kitten"], root / "data" / "outlines").segments[0].mask
    _, maps = components(kitten)
    mask = np.array(Image.fromarray(cat).resize(maps.shape[2:0:-1])) > 0
    apart = [abs(m[mask].mean() - m[~mask].mean()) / np.sqrt((m[mask].var() + m[~mask].var()) / 2) for m in maps]
    assert max(apart) > 0.8


def test_colors():
    """Brightness rises with the first component, blue falls with the second, red against green follows the third."""
    ramp = np.linspace(-1, 1, 50)
    flat = np.zeros((1, 50))
    for place, (rises, falls) in enumerate([((0, 1, 2), ()), ((0, 1), (2,)), ((0,), (1,))]):
        maps = np.stack([ramp[None] if n == place else flat for n in range(3)])
        colors = component_colors(maps)[0].astype(int)
        assert all(colors[-1, c] > colors[0, c] for c in rises) and all(colors[-1, c] < colors[0, c] for c in falls)
    assert component_colors(np.zeros((1, 4, 5))).shape == (4, 5, 3)


def test_table_counts_every_number(kitten):
    """Sizes and their products, in both languages; a place stands for as many pixels as its stride, scaled."""
    table = embedding_table(kitten).replace(" ", "")
    channels, rows, columns = kitten.features.shape
    for shape in ((675, 900, 3), (3, kitten.side, kitten.side), (channels, rows, columns)):
        assert f"{'×'.join(map(str, shape))}{np.prod(shape)}" in table
    pixels = round(kitten.stride * 900 / kitten.side)
    with use_language("en"):
        assert f"{kitten.stride}×{kitten.stride} px of the input, about {pixels}×{pixels}" in embedding_table(kitten)


def test_figure(kitten):
    """The photo and as many squares as there are places, small in a report; the share of the variance is said."""
    drawn = embedding_figure(kitten)
    share = f"{100 * components(kitten)[0].sum():.0f} %"
    assert share in drawn.get_label() and f"{'×'.join(map(str, kitten.places.shape[1:]))}" in drawn.get_label()
    rows, columns = drawn.axes[1].images[0].get_size()
    assert rows / kitten.places.shape[1] == columns / kitten.places.shape[2] == int(columns / kitten.places.shape[2])
    written = svg(drawn)
    assert len(written) < 50_000 and written == svg(embedding_figure(kitten))
    assert re.search("[а-я]", drawn.get_label())
    with use_language("en"):
        assert not re.search("[а-я]", embedding_figure(kitten).get_label())


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (500, 3)])
def test_odd_photos(load, shape):
    """A photo of one pixel or one narrow strip has an embedding and a figure."""
    embedding = embedded(load("sam"), Photo.from_pixels("x", np.full((*shape, 3), 90, np.uint8)))
    assert np.isfinite(components(embedding)[1]).all() and svg(embedding_figure(embedding))


def test_constant_embedding():
    """Where every place is the same no component has a share, and nothing is divided by zero."""
    embedding = Embedding(Photo.from_pixels("x", np.zeros((4, 4, 3), np.uint8)), np.ones((8, 2, 2)), 4, (1, 1))
    shares, maps = components(embedding)
    colors = component_colors(maps)
    assert shares == pytest.approx([0, 0, 0]) and (colors == colors[0, 0]).all()


def test_cost_is_counted_by_hand(load, default_photos):
    """Two operations a weight and a place: of the convolutions, linear layers, attention, masks and places' codes."""
    model = load("sam")
    network, places = model.network, model.network.prompt_encoder.image_embedding_size
    counted = []

    def count(module, given, output):
        if isinstance(module, nn.Linear):
            counted.append(module.weight.numel() * output.numel() // module.out_features)
        elif isinstance(module, nn.ConvTranspose2d):
            counted.append(module.weight.numel() * given[0].shape[-2] * given[0].shape[-1])
        elif isinstance(module, nn.Conv2d):
            counted.append(module.weight.numel() * output.shape[-2] * output.shape[-1])

    def count_attention(module, given, named, output):  # queries times keys, and the weights times values
        counted.append(2 * named["q"].shape[1] * named["k"].shape[1] * module.internal_dim)

    hooks = [module.register_forward_hook(count) for module in network.modules()]
    attention = [m for m in network.modules() if isinstance(m, Attention)]
    hooks += [module.register_forward_hook(count_attention, with_kwargs=True) for module in attention]
    width, codes = network.prompt_encoder.embed_dim, network.prompt_encoder.pe_layer
    frequencies = codes.positional_encoding_gaussian_matrix.numel()
    model.set_photo(default_photos["sheep"])
    embedding = 2 * (sum(counted) + frequencies * places[0] * places[1])
    counted.clear()
    model.prompt(points=[(400, 300)])
    tokens, mask_side = 2, network.prompt_encoder.mask_input_size[0]
    masks = network.mask_decoder.num_mask_tokens * width // 8 * mask_side**2
    prompt = 2 * (sum(counted) + tokens * frequencies + masks)
    for hook in hooks:
        hook.remove()
    found = cost(model, default_photos["sheep"])
    assert (found.embedding, found.prompt) == (embedding, prompt) and attention
    assert found.embedding > 3 * found.prompt, "the dear step and the cheap one"
    assert found.embedding_seconds > 0 and found.prompt_seconds > 0
    assert cost(model, default_photos["cat_chelsea"]).prompt == found.prompt, "of a photo of any size"


def test_cost_of_the_published_network():
    """What the notebook says of ViT-H, counted in the same way on tensors without values."""
    with torch.device("meta"):
        network = sam_model_registry["vit_h"]()
        photo, places, tokens = torch.zeros(1, 3, 1024, 1024), torch.zeros(1, 256, 64, 64), torch.zeros(1, 2, 256)
        with torch.no_grad(), FlopCounterMode(display=False) as embedding:
            network.image_encoder(photo)
        with torch.no_grad(), FlopCounterMode(display=False) as prompt:
            network.mask_decoder(places, places, tokens, places, True)
    assert round(embedding.get_total_flops() / 1e9) == 5961 and round(prompt.get_total_flops() / 1e9, 1) == 3.6


def test_cost_in_words(shell):
    """The ratio as it is; milliseconds only in the part of the output that git does not keep."""
    from IPython.display import display

    found = Cost(5_210_000_000, 725_000_000, 0.123, 0.0456)
    told = str(found)
    assert "5,2" in told and "0,7" in told and "7,2" in told and "мс" not in told
    with use_language("en"):
        assert "7.2 prompts" in str(found)
    with capture_output() as captured:
        display(found)
    (output,) = captured.outputs
    assert output.data["text/plain"] == told
    assert MARK in output.data["text/html"] and "123 мс" in output.data["text/html"]
    assert "46 мс" in output.data["text/html"]


@pytest.mark.parametrize("ask", [embedded, cost])
def test_other_variants_are_refused(load, default_photos, ask):
    """With the model's name and what to load."""
    with pytest.raises(LabkitError, match=r"DeepLab.*load_model\(4\)"):
        ask(load("deeplab"), default_photos["sheep"])


@pytest.fixture(scope="module")
def outlined_kitten(default_photos, root):
    """The outlined outlined_kitten as a result."""
    return find_ground_truth(default_photos["cat_kitten"], root / "data" / "outlines")


@pytest.fixture(scope="module")
def rows(load, outlined_kitten):
    """The prompts of all kinds for the outlined_kitten, encoded by our SAM, by kind."""
    return {row.kind: row for row in encoded(load("sam"), outlined_kitten)}


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


def test_vectors_are_place_plus_kind(rows, load, outlined_kitten):
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


def test_drawn_maps_show_the_prompts(rows, load, outlined_kitten):
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
    assert iou(drawn, outlined_kitten.segments[0].mask[np.ix_(heights[shown], widths)]) > 0.85
    assert not (rows["contour"].drawn[~shown] > 0).any()


def test_dense_map_is_the_encoder_s(rows, load):
    """The map is what the encoder's convolutions make of the drawn one, of the embedding's size."""
    encoder = load("sam").network.prompt_encoder
    for row in rows.values():
        with torch.inference_mode():
            expected = encoder.mask_downscaling(torch.from_numpy(row.drawn)[None, None])[0]
        assert torch.allclose(torch.from_numpy(row.dense), expected, atol=1e-4)
        assert row.dense.shape == (encoder.embed_dim, *encoder.image_embedding_size)


def test_published_encoder_draws_nothing(published, outlined_kitten):
    """Without a mask the map of segment_anything's own encoder is one vector everywhere; a contour is a mask."""
    rows = {row.kind: row for row in encoded(published, outlined_kitten)}
    assert [len(rows[kind].tokens) for kind in ("point", "box", "point_box", "contour")] == [2, 2, 3, 2]
    none = published.network.prompt_encoder.no_mask_embed.weight[0].numpy()
    for kind in ("point", "box", "point_box"):
        assert rows[kind].drawn is None
        assert np.array_equal(rows[kind].dense, np.broadcast_to(none[:, None, None], (32, 4, 4)))
    assert rows["contour"].drawn.shape == (16, 16) and rows["contour"].dense.std((1, 2)).max() > 0
    with use_language("en"):
        table = encoded_table(list(rows.values())).splitlines()
    assert all("no mask: one vector everywhere" in line for line in table[2:5]) and "of the prompt's map" in table[5]
    assert svg(encoded_figure(outlined_kitten, list(rows.values())))


def test_published_network_has_the_other_parts(published, outlined_kitten):
    """Its embedding, its cost and its three answers are shown by the same functions."""
    embedding = embedded(published, outlined_kitten.photo)
    assert embedding.features.shape == (32, 4, 4) and embedding.stride == 16 and svg(embedding_figure(embedding))
    found = cost(published, outlined_kitten.photo)
    assert found.embedding > 0 and found.prompt > 0
    (row,) = judged(published, [outlined_kitten], outlined_kitten.photo.path.parents[1] / "outlines")
    assert len(row.true) == len(row.predicted) == len(row.answer.segments) and svg(answers_figure(row))


def test_table(rows):
    """A row a prompt with its number of vectors and what they are."""
    lines = encoded_table(list(rows.values())).splitlines()[2:]
    assert [line.split("  ")[0] for line in lines] == ["точка", "рамка", "точка и рамка", "контур"]
    shape = "×".join(map(str, rows["box"].dense.shape))
    assert lines[2].split("  ")[1:] != [] and "точка объекта, два угла рамки" in lines[2]
    assert "«рамки нет»" in lines[0] and all(shape in line for line in lines)


def test_figure_encoded_prompts(rows, outlined_kitten):
    """Each prompt on the photo and on its own map, small in a report, and the colours' meaning beside them."""
    rows = list(rows.values())
    drawn = encoded_figure(outlined_kitten, rows)
    photo, *maps, bar = drawn.axes
    assert len(maps) == 4 and len(photo.patches) == 3 and len(photo.lines) == 2
    assert [len(ax.lines) for ax in maps] == [1, 0, 1, 0] and [len(ax.patches) for ax in maps] == [0, 1, 1, 1]
    assert [tick.get_text() for tick in bar.get_yticklabels()] == [f"−{OUTLINE_LOGIT:g}", "0", f"{OUTLINE_LOGIT:g}"]
    ((x, y),) = rows[0].asked["points"]
    assert maps[0].lines[0].get_xydata()[0] == pytest.approx([x + 0.5, y + 0.5])
    with use_language("en"):
        assert "point and box, 3 vectors" in encoded_figure(outlined_kitten, rows).get_label()
    written = svg(drawn)
    assert len(written) < 60_000 and written == svg(encoded_figure(outlined_kitten, rows))


def test_marks_on_a_narrow_photo():
    """The picture stands in the middle of its panel then; the axes count the photo's pixels all the same."""
    image = Image.new("RGB", (10, 100))
    (ax,) = panels([image], ["x"], 1, 1.0, size=(200, 20)).axes
    draw_prompt(ax, {"points": [[0, 0], [19, 199]], "point_labels": [1, 0], "box": [0, 0, 20, 200]})
    left, right, bottom, top = ax.images[0].get_extent()
    assert left == pytest.approx(20 - right) and left < 0 and (top, bottom) == (0, 200)
    assert (right - left) / 200 == pytest.approx(np.divide(*ax.images[0].get_size()[::-1]))
    first, second = (line.get_xydata()[0] for line in ax.lines)
    assert first == pytest.approx([0.5, 0.5]) and second == pytest.approx([19.5, 199.5])
    assert [line.get_marker() for line in ax.lines] == ["*", "X"]
    assert ax.patches[0].get_bbox().extents == pytest.approx([0, 0, 20, 200])


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


def test_other_variants_are_refused_encoded_prompts(load, outlined_kitten):
    """With the model's name and what to load."""
    with pytest.raises(LabkitError, match=r"U-Net.*load_model\(4\)"):
        encoded(load("unet"), outlined_kitten)


NAMES = ("cat_kitten", "sheep", "horses")


def made(predicted: list[float], true: list[float] | None) -> Judged:
    """Answers with these scores on a photo of 1x100; the outline is its left half."""
    photo = Photo.from_pixels("x", np.full((1, 100, 3), 90, np.uint8))
    place = np.arange(100)[None]
    masks = [place < round(50 * share) for share in (true if true is not None else [0.5] * len(predicted))]
    segments = [Segment(n, 0, "object", s, m) for n, (s, m) in enumerate(zip(predicted, masks, strict=True), 1)]
    made_by = {"prompts": {"points": [[10.0, 0.0]], "point_labels": [1]}}
    answer = Segmentation(photo, np.ones((1, 100), np.int32), np.ones((1, 100)), segments, None, made_by)
    return Judged(answer, place < 50 if true is not None else None)


NAMES = ("cat_kitten", "sheep", "horses")


@pytest.fixture(scope="module")
def asked(default_photos):
    """Results on which nothing was found: where there is an outline, they are not needed."""
    return [Segmentation.nothing(default_photos[name]) for name in NAMES]


@pytest.fixture(scope="module")
def answered(load, asked, root):
    """The answers to a point on each outlined object."""
    return judged(load("sam"), asked, root / "data" / "outlines")


def test_only_outlined_photos_are_asked_about(answered, root):
    """The horses have no outline; the photo whose answers differ most comes first."""
    assert sorted(row.answer.photo.name for row in answered) == ["cat_kitten", "sheep"]
    for row in answered:
        cat = find_ground_truth(row.answer.photo, root / "data" / "outlines").segments[0]
        assert np.array_equal(row.outline, cat.mask)
        ((x, y),) = row.answer.made_by["prompts"]["points"]
        assert cat.mask[int(y), int(x)] and row.answer.made_by["settings"]["answers"] == 3
    first, last = (max(row.true) - min(row.true) for row in answered)
    assert first >= last and made([0.9, 0.8], [0.9, 0.1]).spread > made([0.9, 0.8], [0.8, 0.7]).spread
    assert made([], None).spread == 0


def test_numbers(answered, load):
    """Predicted: as segment_anything's decoder says, best first; true: the IoU with the outline."""
    row, model = answered[0], load("sam")
    model.set_photo(row.answer.photo)
    again = model.prompt(points=row.answer.made_by["prompts"]["points"])
    assert row.predicted == [s.score for s in again.segments] == sorted(row.predicted, reverse=True)
    assert row.true == [iou(s.mask, row.outline) for s in again.segments]
    assert 1 <= len(row.true) <= 3


def test_the_claim(answered):
    """On a large animal one of three answers is the animal, and the network knows that it is good."""
    for row in answered:
        assert max(row.true) > 0.6 and row.predicted[0] > 0.5


def test_without_outlines(load, default_photos, root):
    """One photo is asked about, at the innermost point of what was found on it; the true IoU is not known."""
    photo = Photo.from_pixels("моё фото", default_photos["cat_kitten"].pixels)
    found = find_ground_truth(default_photos["cat_kitten"], root / "data" / "outlines")
    found = Segmentation(photo, found.ids, found.confidence, found.segments)
    (row,) = judged(load("sam"), [Segmentation.nothing(Photo.from_pixels("y", photo.pixels[::-1].copy())), found])
    ((x, y),) = row.answer.made_by["prompts"]["points"]
    assert row.answer.photo is photo and found.segments[0].mask[int(y), int(x)]
    assert row.outline is None and row.true == [] and len(row.predicted) >= 1
    assert "labelme" in ranking_text([row])
    with use_language("en"):
        assert "labelme" in ranking_text([row])


def test_ranking_text():
    """By hand: on one photo of three the first answer is clearly worse than the best."""
    answered = [
        made([0.9, 0.8, 0.7], [0.8, 0.82, 0.5]),
        made([0.6, 0.5], [0.4, 0.9]),
        made([0.3], [0.6]),
        made([0.3], None),
    ]
    told = ranking_text(answered)
    assert "на 1 из 3 фото" in told and "0,05" in told
    assert "первого ответа 0,60" in told and "лучшего из трёх 0,77" in told and "для первого 0,60" in told
    with use_language("en"):
        assert "1 of 3 photos" in ranking_text(answered) and "0.77" in ranking_text(answered)


def test_answers_figure(answered):
    """A panel an answer with both numbers, the point on each; small in a report and the same at every run."""
    row = answered[0]
    drawn = answers_figure(row)
    assert len(drawn.axes) == 1 + len(row.true) and all(len(ax.lines) == 1 for ax in drawn.axes)
    for ax, predicted, true in zip(drawn.axes[1:], row.predicted, row.true, strict=True):
        assert f"{predicted:.2f}".replace(".", ",") in ax.get_title()
        assert f"{true:.2f}".replace(".", ",") in ax.get_title()
    with use_language("en"):
        assert f"{row.true[0]:.2f}" in answers_figure(row).get_label()
    written = svg(drawn)
    assert len(written) < 60_000 and written == svg(answers_figure(row))


def test_answers_figure_without_outline_or_answer():
    """Only the predicted IoU then, or that nothing was found."""
    with use_language("en"):
        assert answers_figure(made([0.4], None)).axes[1].get_title() == "answer 1: 0.40"
    assert "ничего не найдено" in answers_figure(made([], None)).get_label()


def test_ranking_figure():
    """Every answer is a mark at its two numbers, each rank with a shape of its own; without an outline it is said."""
    rows = [made([0.9, 0.8, 0.7], [0.8, 0.82, 0.5]), made([0.6], [0.4])]
    ax = ranking_figure(rows).axes[0]
    first, second, third = ax.lines[1:]
    assert first.get_xydata() == pytest.approx(np.array([[0.9, 0.8], [0.6, 0.4]]))
    assert second.get_xydata() == pytest.approx(np.array([[0.8, 0.82]]))
    assert len({line.get_marker() for line in (first, second, third)}) == 3
    written = svg(ranking_figure(rows))
    places = [float(x) for x in re.findall(r"rotate\(-90 ([0-9.]+)", written)]
    assert places and min(places) > 7, "the axis's name is not cut off"
    assert len(written) < 20_000 and "labelme" in ranking_figure([made([0.4], None)]).get_label()


def test_other_variants_are_refused_answers(load, asked):
    """With the model's name and what to load; without asked that is said."""
    with pytest.raises(LabkitError, match=r"PSPNet.*load_model\(4\)"):
        judged(load("pspnet"), asked)
    with pytest.raises(LabkitError):
        judged(load("sam"), [])


BOXES = {"astronaut": [320, 345, 507, 512], "cat_yarn": [370, 205, 560, 385]}
"""The helmet and the ball of yarn, as in the notebook."""


@pytest.fixture(scope="module")
def strangers(load, default_photos):
    """What SAM makes of the boxes, by photo."""
    results = [Segmentation.nothing(default_photos[name]) for name in ("sheep", *BOXES)]
    return {row.answer.photo.name: row for row in unnamed(load("sam"), load("deeplab"), results, BOXES)}


def ellipse(shape: tuple[int, int], box: list[int]) -> np.ndarray:
    """The ellipse in a box."""
    strangers, columns = np.ogrid[: shape[0], : shape[1]]
    x0, y0, x1, y1 = box
    return ((columns - (x0 + x1) / 2) / (x1 - x0)) ** 2 + ((strangers - (y0 + y1) / 2) / (y1 - y0)) ** 2 < 0.25


def found(masks: list[np.ndarray], scores: list[float], classes=None, label_id: int = 0) -> Segmentation:
    """A result with these masks on a grey photo."""
    photo = Photo.from_pixels("серое", np.full((*masks[0].shape, 3), 90, np.uint8))
    segments = [Segment(n, label_id, "x", s, m) for n, (s, m) in enumerate(zip(scores, masks, strict=True), 1)]
    ids = np.zeros(masks[0].shape, np.int32)
    for segment in segments:
        ids[segment.mask] = segment.id
    return Segmentation(photo, ids, np.ones(ids.shape, np.float32), segments, classes, {"variant": "deeplab"})


def test_the_claim_zero_shot(strangers):
    """SAM outlines the helmet and the yarn; the network of 20 classes says background and cat."""
    assert list(strangers) == ["astronaut", "cat_yarn"]
    for name, row in strangers.items():
        assert row.answer.made_by["prompts"]["box"] == BOXES[name]
        assert iou(row.segment.mask, ellipse(row.answer.ids.shape, BOXES[name])) > 0.5
    assert next(iter(named(strangers["astronaut"].segment.mask, strangers["astronaut"].semantic))) == 0
    assert next(iter(named(strangers["cat_yarn"].segment.mask, strangers["cat_yarn"].semantic))) == VOC.id("cat")


def test_named():
    """Shares of the mask's pixels, the largest first; all of them together are the mask."""
    labels = np.zeros((10, 10), np.uint8)
    labels[:, 4:] = VOC.id("dog")
    semantic = Segmentation.from_labels(Photo.from_pixels("x", np.zeros((10, 10, 3), np.uint8)), labels)
    mask = np.zeros((10, 10), bool)
    mask[:, 1:] = True
    assert named(mask, semantic) == pytest.approx({VOC.id("dog"): 6 / 9, 0: 3 / 9})
    assert list(named(mask, semantic)) == [VOC.id("dog"), 0]
    assert named(np.zeros((10, 10), bool), semantic) == {}


def test_stranger():
    """The best of what lies in the background, is large enough and no backdrop."""
    shape = (100, 100)
    known, free, speck, edge, half = np.zeros((5, *shape), bool)
    known[10:40, 10:40] = free[50:80, 50:80] = speck[90:94, 90:94] = True
    edge[60:, 60:] = half[20:50, 20:50] = True
    semantic = found([known], [0.9], VOC, VOC.id("cat"))
    result = found([known, speck, edge, half, free], [0.9, 0.8, 0.7, 0.6, 0.5])
    assert stranger(result, semantic).mask is free
    assert stranger(found([known, speck], [0.9, 0.8]), semantic) is None


def test_unknown_photos(load, default_photos):
    """Where no photo has a box, the best stranger of the automatic mode; where there is none, nothing."""
    photo = default_photos["astronaut"]
    helmet, person = (ellipse((512, 512), box) for box in (BOXES["astronaut"], [100, 150, 250, 400]))
    segments = [Segment(1, 0, "object", 0.9, person), Segment(2, 0, "object", 0.4, helmet)]
    ids = np.where(helmet, 2, np.where(person, 1, 0)).astype(np.int32)
    result = Segmentation(photo, ids, np.ones(ids.shape, np.float32), segments, None, {"variant": "sam"})
    nothing = Segmentation.nothing(default_photos["sheep"])
    (row,) = unnamed(load("sam"), load("deeplab"), [nothing, result], {"нет такого": [0, 0, 9, 9]})
    assert row.segment is segments[1] and row.answer is result
    assert svg(unnamed_figures([row])[0])
    assert unnamed(load("sam"), load("deeplab"), [nothing], {}) == []


def test_figure_zero_shot(strangers):
    """The mask with its prompt, and the shares as counted; small in a report; no figure is said in words."""
    row = strangers["cat_yarn"]
    drawn = unnamed_figures([row])[0]
    label_id, share = next(iter(named(row.segment.mask, row.semantic).items()))
    assert f"{VOC.label(label_id)} {100 * share:.0f} %" in drawn.axes[1].get_title()
    assert f"{row.segment.score:.2f}".replace(".", ",") in drawn.axes[0].get_title()
    assert len(drawn.axes[0].patches) == 1
    with use_language("en"):
        assert "cat" in unnamed_figures([row])[0].axes[1].get_title()
    written = svg(drawn)
    assert len(written) < 40_000 and written == svg(unnamed_figures([row])[0])
    assert "другой сети" in unnamed_figures([])[0].get_label()


def test_long_names():
    """The longest names of classes are cut, not drawn over each other."""
    mask = np.ones((50, 60), bool)
    row = Unnamed(found([mask], [0.5]), Segment(1, 0, "object", 0.5, mask), found([mask], [1.0], VOC, 20))
    (last,) = unnamed_figures([row])[0].axes[1].get_title().splitlines()[1:]
    assert last.startswith("телевизор") and len(last) < 22


def test_other_variants_are_refused_zero_shot(load):
    """With the model's name and what to load."""
    with pytest.raises(LabkitError, match=r"FCN.*load_model\(4\)"):
        unnamed(load("fcn"), load("deeplab"), [], {})
