"""FCN's own parts: transposed convolutions that start bilinear, and the sums of the skips."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from labkit.evaluation.metrics import iou
from labkit.io.errors import LabkitError
from labkit.models.fcn import bilinear_upsampling, build


@pytest.mark.parametrize("factor", [2, 4, 8, 16, 32])
def test_starts_as_bilinear_interpolation(factor):
    """Inside the border the fresh layer interpolates as the library does; the side is o = (i - 1)·s + k - 2p."""
    layer = bilinear_upsampling(3, factor)
    x = torch.randn(1, 3, 6, 7)
    up = layer(x)
    expected = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    k, s, p = layer.kernel_size[0], layer.stride[0], layer.padding[0]
    assert up.shape == expected.shape and up.shape[2:] == ((6 - 1) * s + k - 2 * p, (7 - 1) * s + k - 2 * p)
    inside = (..., slice(factor, -factor), slice(factor, -factor))
    assert torch.allclose(up[inside], expected[inside], atol=1e-5)


def test_fresh_skips_add_nothing():
    """Skips start at zero (section 4.2): before training, FCN-8s is FCN-32s upsampled in steps."""
    network = build().eval()
    features = network.encoder(torch.randn(1, 3, 64, 96))
    scores = network.decoder.scores(features)
    twice = network.decoder.up16to8(network.decoder.up32to16(scores[32]))
    assert torch.allclose(scores[8], twice, atol=1e-6) and scores[16].shape[2:] == (4, 6)


def test_skips_sharpen(load, default_photos):
    """With trained weights the three nets differ, and 8s has the longest boundary: it follows finer detail."""
    model, photo = load("fcn"), default_photos["dog_shepherd"]
    lengths = []
    for finest in (32, 16, 8):
        mask = model.segment(photo, finest=finest).labels > 0
        lengths.append(int(np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])))
    assert len(set(lengths)) == 3 and lengths[2] > lengths[0]
    with pytest.raises(LabkitError, match="finest.*8, 16, 32"):
        model.segment(photo, finest=4)
    assert model.segment(photo).made_by["settings"]["finest"] == 8


def test_the_three_nets_lie_on_one_another(load, default_photos):
    """FCN-32s and FCN-16s are coarser than FCN-8s, not beside it: moved to any side they agree with it less."""
    model = load("fcn")
    for name in ("cameraman", "cat_kitten", "dog_shepherd", "sheep"):
        mask = model.segment(default_photos[name]).labels > 0
        for finest in (32, 16):
            coarse = model.segment(default_photos[name], finest=finest).labels > 0
            agreement = {
                move: iou(np.roll(coarse, move, (0, 1)), mask) for move in ((0, 0), (-8, -8), (8, 8), (-8, 0), (0, -8))
            }
            assert max(agreement, key=agreement.get) == (0, 0), (name, finest, agreement)
