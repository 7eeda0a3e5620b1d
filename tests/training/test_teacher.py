"""The teacher's convolutions: read without running anything, put into our networks, and answering as they did."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labkit.io.errors import LabkitError
from labkit.models import build_network
from labkit.training.teacher import load_encoder, measure, read_teacher, start_deeplab


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A file of the teacher's form with random numbers of the right shapes."""
    rng = np.random.default_rng(0)
    encoder = build_network("deeplab").encoder
    shapes = [module.weight.shape for module in encoder.modules() if isinstance(module, nn.Conv2d)]
    heads = {62: (256, 320, 1, 1), 63: (256, 320, 1, 1), 67: (256, 512, 1, 1), 68: (21, 256, 1, 1)}
    numbers = [k for k in range(62) if k % 6 != 5][: len(shapes)]  # the graph counts its additions too: gaps
    arrays = {}
    for k, shape in [*zip(numbers, shapes, strict=True), *heads.items()]:
        fan = int(np.prod(shape[1:]))
        arrays[f"{k}_w"] = rng.normal(0, (2 / fan) ** 0.5, shape).astype(np.float16)
        arrays[f"{k}_b"] = rng.normal(0, 0.1, shape[0]).astype(np.float16)
    path = tmp_path_factory.mktemp("teacher") / "teacher.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture
def taught(file):
    """Our DeepLab, started from the file, and what the file holds."""
    state, network = read_teacher(file), build_network("deeplab")
    load_encoder(network.encoder, state)
    return network.eval(), state, start_deeplab(network, state)


@torch.inference_mode()
def test_encoder_computes_the_folded_convolutions(taught):
    """The stride-2 features are the first three convolutions: ReLU6 after two of them, none after the third."""
    network, state, _ = taught
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    y = F.conv2d(x, state["0_w"], state["0_b"], 2, 1).clamp(0, 6)
    y = F.conv2d(y, state["1_w"], state["1_b"], 1, 1, groups=32).clamp(0, 6)
    y = F.conv2d(y, state["2_w"], state["2_b"])
    assert (network.encoder(x)[1] - y).abs().max() < 1e-4 * y.abs().max()


@torch.inference_mode()
def test_deeplab_answers_as_the_teacher(taught):
    """On features that are the same everywhere no edge counts: the logits are the teacher's head's own."""
    network, state, _ = taught
    features = [torch.rand(1, channels, 1, 1) for channels in network.encoder.out_channels]
    cell = features[-1]
    each = F.conv2d(cell, state["62_w"], state["62_b"]).relu()
    pooled = F.conv2d(cell, state["63_w"], state["63_b"]).relu()
    joined = F.conv2d(torch.cat([pooled, each], 1), state["67_w"], state["67_b"]).relu()
    wanted = F.conv2d(joined, state["68_w"], state["68_b"])
    sides = [64, 32, 16, 8, 4, 4]
    maps = [feature.expand(-1, -1, side, side) for feature, side in zip(features, sides, strict=True)]
    logits = network.segmentation_head(network.decoder(maps))
    middle = logits[:, :, 32, 32, None, None]
    assert logits.shape == (1, 21, 64, 64) and (middle - wanted).abs().max() < 1e-3 * wanted.abs().max()


@torch.no_grad()
def test_measured_norms_answer_alike_in_training(taught):
    """After `measure` eval mode answers as before, and a batch's own statistics give nearly the same."""
    network, _, norms = taught
    x = torch.rand(2, 3, 96, 96) * 2 - 1

    def branch(mode: bool) -> torch.Tensor:
        return deepcopy(network.decoder.aspp[0].convs[0]).train(mode)(network.encoder(x)[-1])

    plain, unmeasured = branch(False), branch(True)
    assert (unmeasured - plain).abs().mean() > 0.2 * plain.abs().mean()
    logits = network(x)
    measure(norms, lambda: network(x))
    assert torch.allclose(network(x), logits, atol=1e-3 * float(logits.abs().max()))
    assert (branch(True) - plain).abs().mean() < 0.02 * plain.abs().mean()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04K\x01."])
def test_another_file_is_refused(tmp_path, content):
    """A file that is no archive of arrays, or a pickle, is named and nothing in it is run."""
    path = tmp_path / "teacher.npz"
    path.write_bytes(content)
    with pytest.raises(LabkitError, match="teacher.npz"):
        read_teacher(path)


def test_missing_convolutions_are_refused(tmp_path):
    """An archive of other arrays says which is missing."""
    path = tmp_path / "teacher.npz"
    np.savez(path, weights=np.zeros(3))
    with pytest.raises(LabkitError, match="teacher.npz.*0_b"):
        read_teacher(path)
