"""SAM's embedding: what is shown of it is what flowed, and its cost is the operations that were counted by hand."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from IPython.utils.capture import capture_output
from PIL import Image
from segment_anything import sam_model_registry
from segment_anything.modeling.transformer import Attention
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from labkit.evaluation.annotations import find_ground_truth
from labkit.explain.embedding import (
    Components,
    Cost,
    Embedding,
    components,
    cost,
    cost_text,
    display_cost,
    display_embedding,
    embedded,
    embedding_figure,
    embedding_table,
    inside,
)
from labkit.figures import svg
from labkit.io.errors import LabkitError
from labkit.locale import use_language
from labkit.photos import Photo
from labkit.viewer.viewer import MARK


@pytest.fixture(scope="module")
def kitten(load, default_photos):
    """The embedding of the kitten's photo, 900x675."""
    return embedded(load("sam"), default_photos["cat_kitten"])


def test_embedding_is_what_prompts_use(kitten, load):
    """The hook's tensor is what the decoder gets; its shape is the prompt encoder's; the padding is left out."""
    network = load("sam").network
    assert torch.equal(torch.from_numpy(kitten.features), load("sam")._embedding[0])
    channels, rows, columns = kitten.features.shape
    assert (channels, rows) == (network.prompt_encoder.embed_dim, network.prompt_encoder.image_embedding_size[0])
    assert kitten.side == network.image_encoder.img_size and kitten.stride * columns == kitten.side
    assert kitten.size == (round(kitten.side * 3 / 4), kitten.side)
    assert kitten.places.shape == (channels, -(-rows * 3 // 4), columns)


def test_inside():
    """A place that the photo fills in part counts."""
    assert inside((600, 800), 800, (80, 80)) == (60, 80)
    assert inside((601, 800), 800, (80, 80)) == (61, 80)
    assert inside((800, 1), 800, (8, 8)) == (8, 1)


def test_components_are_numpy_s_own(kitten):
    """The same maps and shares as by a singular value decomposition, up to the sign; the largest part is positive."""
    x = kitten.places.reshape(len(kitten.places), -1).T.astype(float)
    x = x - x.mean(0)
    u, s, axes = np.linalg.svd(x, full_matrices=False)
    found = components(kitten, 5)
    assert found.shares == pytest.approx((s**2 / (s**2).sum())[:5], rel=1e-6)
    assert (np.diff(found.shares) <= 0).all() and 0 < found.shares.sum() <= 1
    for n in range(3):
        sign = np.sign(axes[n, np.abs(axes[n]).argmax()])
        assert found.maps[n].ravel() == pytest.approx(sign * u[:, n] * s[n], rel=1e-3, abs=1e-3)


def test_components_tell_the_cat_from_the_garden(kitten, default_photos, root):
    """What the figure is there to show: one of the three components parts the outlined cat from what is around it."""
    cat = find_ground_truth(default_photos["cat_kitten"], root / "data" / "outlines").segments[0].mask
    maps = components(kitten).maps
    mask = np.array(Image.fromarray(cat).resize(maps.shape[2:0:-1])) > 0
    apart = [abs(m[mask].mean() - m[~mask].mean()) / np.sqrt((m[mask].var() + m[~mask].var()) / 2) for m in maps]
    assert max(apart) > 1


def test_colors():
    """Brightness rises with the first component, blue falls with the second, red against green follows the third."""
    ramp = np.linspace(-1, 1, 50)
    flat = np.zeros((1, 50))
    for place, (rises, falls) in enumerate([((0, 1, 2), ()), ((0, 1), (2,)), ((0,), (1,))]):
        maps = np.stack([ramp[None] if n == place else flat for n in range(3)])
        colors = components_of(maps).colors()[0].astype(int)
        assert all(colors[-1, c] > colors[0, c] for c in rises) and all(colors[-1, c] < colors[0, c] for c in falls)
    assert components_of(np.zeros((1, 4, 5))).colors().shape == (4, 5, 3)


def components_of(maps):
    """Components with these maps."""
    return Components(np.ones(len(maps)) / len(maps), maps)


def test_table_counts_every_number(kitten):
    """Sizes and their products, in both languages; a place stands for as many pixels as its stride, scaled."""
    table = embedding_table(kitten).replace(" ", "")
    channels, rows, columns = kitten.features.shape
    for shape in ((675, 900, 3), (3, kitten.side, kitten.side), (channels, rows, columns)):
        assert f"{'×'.join(map(str, shape))}{np.prod(shape)}" in table
    pixels = round(kitten.stride * 900 / kitten.side)
    with use_language("en"):
        assert f"{kitten.stride}×{kitten.stride} px of the input, about {pixels}×{pixels}" in embedding_table(kitten)


def test_figure(kitten, shell):
    """The photo and as many squares as there are places, small in a report; the share of the variance is said."""
    drawn = embedding_figure(kitten)
    share = f"{100 * components(kitten).shares.sum():.0f} %"
    assert share in drawn.get_label() and f"{'×'.join(map(str, kitten.places.shape[1:]))}" in drawn.get_label()
    rows, columns = drawn.axes[1].images[0].get_size()
    assert rows / kitten.places.shape[1] == columns / kitten.places.shape[2] == int(columns / kitten.places.shape[2])
    written = svg(drawn)
    assert len(written) < 50_000 and written == svg(embedding_figure(kitten))
    assert re.search("[а-я]", drawn.get_label())
    with use_language("en"):
        assert not re.search("[а-я]", embedding_figure(kitten).get_label())
    with capture_output() as captured:
        display_embedding(kitten)
    assert "image/svg+xml" in captured.outputs[0].data


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (500, 3)])
def test_odd_photos(load, shape):
    """A photo of one pixel or one narrow strip has an embedding and a figure."""
    embedding = embedded(load("sam"), Photo.from_pixels("x", np.full((*shape, 3), 90, np.uint8)))
    assert np.isfinite(components(embedding).maps).all() and svg(embedding_figure(embedding))


def test_constant_embedding():
    """Where every place is the same no component has a share, and nothing is divided by zero."""
    embedding = Embedding(Photo.from_pixels("x", np.zeros((4, 4, 3), np.uint8)), np.ones((8, 2, 2)), 4, (4, 4))
    assert components(embedding).shares == pytest.approx([0, 0, 0])
    assert (components(embedding).colors() == components(embedding).colors()[0, 0]).all()


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
    assert (found.embedding, found.prompt) == (embedding, prompt) and len(attention) == 7
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
    found = Cost(5_210_000_000, 725_000_000, 0.123, 0.0456)
    assert found.ratio == pytest.approx(7.186, abs=1e-3)
    told = cost_text(found)
    assert "5,2" in told and "0,7" in told and "7,2" in told and "мс" not in told
    with use_language("en"):
        assert "7.2 prompts" in cost_text(found)
    with capture_output() as captured:
        display_cost(found)
    (output,) = captured.outputs
    assert output.data["text/plain"] == told
    assert MARK in output.data["text/html"] and "123 мс" in output.data["text/html"]
    assert "46 мс" in output.data["text/html"]


@pytest.mark.parametrize("ask", [embedded, cost])
def test_other_variants_are_refused(load, default_photos, ask):
    """With the model's name and what to load."""
    with pytest.raises(LabkitError, match=r"DeepLab.*load_model\(4\)"):
        ask(load("deeplab"), default_photos["sheep"])
