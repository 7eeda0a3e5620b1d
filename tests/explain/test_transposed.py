"""Transposed convolution: the lecture's steps against torch's own layer, and the network's learned kernels."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from labkit.explain.hooks import recorded
from labkit.explain.transposed import learned_kernel, learned_steps, transposed_steps
from labkit.io.errors import LabkitError

GRID = list(product(range(1, 7), range(1, 6), range(1, 5), range(5)))


def test_as_torch_for_all_combinations():
    """Size and values for inputs 1 to 6, kernels 1 to 5, strides 1 to 4 and all valid paddings; the rest is refused."""
    rng = np.random.default_rng(0)
    valid = 0
    for i, k, s, p in GRID:
        x, w = rng.normal(size=(i, i)), rng.normal(size=(k, k))
        side = (i - 1) * s + k - 2 * p
        if p > k - 1 or side < 1:
            with pytest.raises(LabkitError, match=f"k = {k}"):
                transposed_steps(x, w, s, p)
            continue
        valid += 1
        layer = nn.ConvTranspose2d(1, 1, k, stride=s, padding=p, bias=False).double()
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(w))
            expected = layer(torch.from_numpy(x)[None, None])[0, 0].numpy()
        steps = transposed_steps(x, w, s, p)
        assert steps.output.shape == expected.shape == (side, side)
        assert np.abs(steps.output - expected).max() < 1e-5
        assert (steps.zeros, steps.border) == (s - 1, k - p - 1)
        assert steps.inserted.shape == ((i - 1) * s + 1,) * 2
        assert steps.padded.shape == ((i - 1) * s + 1 + 2 * steps.border,) * 2
    assert valid == sum(p < k and (i - 1) * s + k - 2 * p >= 1 for i, k, s, p in GRID) > 250


def test_by_hand():
    """Each number of the input, put down as a kernel at every second place; a side need not be square."""
    steps = transposed_steps(np.array([[1, 2]]), np.array([[1, 2], [3, 4]]), 2, 0)
    assert steps.output.tolist() == [[1, 2, 2, 4], [3, 4, 6, 8]]
    assert steps.inserted.tolist() == [[1, 0, 2]]
    assert steps.padded.tolist() == [[0, 0, 0, 0, 0], [0, 1, 0, 2, 0], [0, 0, 0, 0, 0]]


def test_the_kernel_has_to_be_turned():
    """Without the rotation by 180 degrees the numbers are others, unless the kernel is symmetric."""
    x, w = np.arange(9.0).reshape(3, 3), np.arange(9.0).reshape(3, 3)
    turned = transposed_steps(x, np.rot90(w, 2), 2, 1).output
    assert not np.allclose(transposed_steps(x, w, 2, 1).output, turned)
    even = w + np.rot90(w, 2)
    assert np.allclose(transposed_steps(x, even, 2, 1).output, transposed_steps(x, np.rot90(even, 2), 2, 1).output)


@pytest.mark.parametrize(
    "i, k, s, p, words",
    [
        (3, 3, 2, 3, "от 0 до k − 1 = 2"),
        (3, 3, 2, -1, "от 0 до k − 1 = 2"),
        (3, 3, 0, 1, "s ≥ 1"),
        (3, 0, 1, 0, "k ≥ 1"),
        (1, 3, 4, 2, "p не больше 1"),
        (2, 5, 1, 3, "p не больше 2"),
    ],
)
def test_refused_with_what_is_valid(i, k, s, p, words):
    """A padding above k - 1, a stride of 0 and an output without pixels; what is named as valid works."""
    with pytest.raises(LabkitError, match=words):
        transposed_steps(np.ones((i, i)), np.ones((k, k)), s, p)
    if "не больше" in words:
        assert transposed_steps(np.ones((i, i)), np.ones((k, k)), s, int(words[-1])).output.size


@pytest.mark.parametrize("name", ["dog_shepherd", "officer", "cat_chelsea"])
def test_learned_steps_are_the_network(load, default_photos, name):
    """Where no cell outside of the window takes part, the output is what the network computed on this photo."""
    model, photo = load("fcn"), default_photos[name]
    decoder = model.network.decoder
    with recorded({"scores": decoder.score32, "up": decoder.up32to16}) as seen:
        largest = max(model.segment(photo).segments, key=lambda segment: segment.area)
    scores, up = seen["scores"][0][0, largest.label_id], seen["up"][0][0, largest.label_id]
    steps = learned_steps(model, photo, learned_kernel(model, largest.label))
    assert steps.given.shape == (3, 3) and steps.output.shape == (6, 6)
    assert steps.given.max() == pytest.approx(scores.max().item(), abs=1e-4)
    row, column = np.unravel_index((scores - steps.given[0, 0]).abs().argmin().item(), scores.shape)
    true = up[2 * row + 1 : 2 * row + 5, 2 * column + 1 : 2 * column + 5].numpy()
    assert np.allclose(steps.output[1:5, 1:5], true, atol=1e-3)


def test_learned_kernels_stay_near_bilinear(load):
    """Training moved each kernel by a seventh to a quarter of its norm, its form hardly: no cosine below 0.97."""
    weight = load("fcn").network.decoder.up32to16.weight[:, 0].double()
    ramp = torch.tensor([0.25, 0.75, 0.75, 0.25], dtype=torch.double)
    start = ramp[:, None] * ramp
    for label in range(21):
        kernel = learned_kernel(load("fcn"), label)
        assert np.allclose(kernel.bilinear, start) and np.array_equal(kernel.learned, weight[label])
        assert kernel.moved == pytest.approx((torch.dist(weight[label], start) / start.norm()).item())
        cosine = torch.cosine_similarity(weight[label].flatten(), start.flatten(), dim=0).item()
        assert kernel.likeness == pytest.approx(cosine)
        assert 0.14 < kernel.moved < 0.25 and kernel.likeness > 0.97
    assert learned_kernel(load("fcn"), "собака").label == learned_kernel(load("fcn"), 12).label == "dog"
