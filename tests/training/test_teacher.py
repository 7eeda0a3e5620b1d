"""The teacher's convolutions: read without running anything, put into our networks, and answering as they did."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from labkit.io.errors import LabkitError
from labkit.models import build_network
from labkit.training.teacher import Teacher, load_encoder, read_teacher, start_heads
from labkit.weights.find import embedded_path

state = pytest.fixture(scope="module")(lambda teacher_file: read_teacher(teacher_file))


@torch.inference_mode()
def test_encoder_computes_the_folded_convolutions(state):
    """The stride-2 features are the first three convolutions: ReLU6 after two of them, none after the third."""
    encoder = build_network("deeplab").encoder.eval()
    load_encoder(encoder, state)
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    y = F.conv2d(x, state["0_w"], state["0_b"], 2, 1).clamp(0, 6)
    y = F.conv2d(y, state["1_w"], state["1_b"], 1, 1, groups=32).clamp(0, 6)
    y = F.conv2d(y, state["2_w"], state["2_b"])
    assert (encoder(x)[1] - y).abs().max() < 1e-4 * y.abs().max()


@torch.inference_mode()
def test_head_joins_each_place_with_the_mean_of_all(state):
    """The logits of one place are those of the head's formula, written out."""
    teacher = Teacher(state)
    x = torch.rand(1, 3, 96, 64) * 2 - 1
    features = teacher.encoder(x)[-1]
    weights = {k: (state[f"{k}_w"][:, :, 0, 0], state[f"{k}_b"]) for k in (62, 63, 67, 68)}

    def layer(k, vector):
        return weights[k][0] @ vector + weights[k][1]

    pooled = layer(63, features[0].mean((1, 2))).relu()
    place = layer(62, features[0, :, 4, 1]).relu()
    wanted = layer(68, layer(67, torch.cat([pooled, place])).relu())
    assert torch.allclose(teacher(x)[0, :, 4, 1], wanted, atol=1e-3 * float(wanted.abs().max()))


@torch.inference_mode()
@pytest.mark.parametrize("name, stride", [("deeplab", 16), ("pspnet", 16), ("fcn", 32)])
def test_decoders_start_as_the_teacher(state, name, stride):
    """On features that are the same everywhere DeepLab, PSPNet and FCN answer as the teacher."""
    network = build_network(name).eval()
    start_heads({name: network}, state)
    features = [torch.rand(1, channels, 1, 1) for channels in network.encoder.out_channels]
    sides = [256 // min(2**level, stride) for level in range(6)]
    maps = [one.expand(-1, -1, side, side).contiguous() for one, side in zip(features, sides, strict=True)]
    wanted = Teacher(state).head(features[-1])
    middle = network.segmentation_head(network.decoder(maps))[:, :, 128, 128, None, None]
    assert (middle - wanted).abs().max() < 1e-3 * wanted.abs().max()


@torch.inference_mode()
def test_unet_carries_the_scores_of_the_teacher_up(state):
    """Down to stride 4 its first 21 channels are the teacher's scores, lifted, at places that the encoder has kept."""
    network = build_network("unet").eval()
    start_heads({"unet": network}, state)
    load_encoder(network.encoder, state)
    x, seen = torch.rand(1, 3, 128, 128) * 2 - 1, []
    for block in network.decoder.blocks[:3]:
        block.register_forward_hook(lambda _module, _inputs, output: seen.append(output[:, :21]))
    network(x)
    wanted = Teacher(state).head(network.encoder(x)[-1])
    for level, carried in enumerate(seen, 1):
        ours = carried[:, :, :: 2**level, :: 2**level]
        difference = (ours - ours.mean(1, keepdim=True)) - (wanted - wanted.mean(1, keepdim=True))
        assert difference[..., :-1, :-1].abs().max() < 0.02 * wanted.abs().max()


def test_maps_are_probabilities_on_the_square(state):
    """A photo of any shape gives 21 maps of 48 x 48 cells, each cell's summing to one."""
    maps = Teacher(state).maps(np.full((40, 90, 3), 90, np.uint8))
    assert maps.shape == (21, 48, 48) and torch.allclose(maps.sum(0), torch.ones(48, 48), atol=1e-4)


OTHERS = ["nothing", "own weights", "one array", "other arrays", "fewer convolutions"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04K\x01.", *OTHERS])
def test_another_file_is_refused(teacher_file, tmp_path, content):
    """What is no archive of the teacher's arrays is named and never run; who means own weights is told how."""
    path, said = tmp_path / "teacher.npz", "teacher.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "own weights":
        path.write_bytes(embedded_path("fcn").read_bytes())
    elif content == "one array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif content == "other arrays":
        np.savez(path, weights=np.zeros(3))
        said = "teacher.npz.*0_b"  # which of them is missing
    elif content == "fewer convolutions":
        with np.load(teacher_file) as whole:
            np.savez(path, **{name: whole[name] for name in whole.files if not name.startswith("1_")})
    with pytest.raises(LabkitError, match=f"{said}.*embedded, encoder.*--resume"):
        read_teacher(path)
