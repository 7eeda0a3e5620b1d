"""Folding BatchNorm and rewriting depthwise convolutions leave the function as it is."""

import pytest
import torch
from torch import nn

from labkit.models import SEMANTIC, build_network
from labkit.models.folding import fold_batchnorm, speed_up_depthwise


@pytest.mark.parametrize("name", SEMANTIC)
def test_folds_everything_and_changes_nothing(name):
    """No BatchNorm is left in any variant, and the logits agree with random statistics."""
    torch.manual_seed(0)
    network = build_network(name)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.8, 1.2)
    network.eval()
    x = torch.randn(1, 3, 96, 64)
    with torch.inference_mode():
        before = network(x)
        after = fold_batchnorm(network)(x)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert (before - after).abs().max() <= 1e-4 * before.abs().max()


def test_refuses_training_mode():
    """Running statistics still move in training mode, so folding then would be wrong."""
    with pytest.raises(ValueError, match="eval"):
        fold_batchnorm(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))


def test_leaves_other_norms_alone():
    """A BatchNorm that no convolution feeds stays."""
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)).eval()
    assert isinstance(fold_batchnorm(network)[2], nn.BatchNorm2d)


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(6, 6, 3, padding=18, dilation=18, groups=6),
        nn.Conv2d(6, 6, 3, padding=(5, 7), dilation=(5, 7), groups=6, bias=False),
        nn.Conv2d(6, 12, 7, padding=3, groups=6, bias=False),
        nn.Conv2d(6, 18, 3, padding=6, dilation=6, stride=2, groups=6),
    ],
    ids=["atrous", "two rates", "two outputs a channel", "both"],
)
def test_depthwise_is_the_same_function(convolution):
    """What is rewritten gives the same numbers, is still found as a convolution, and says the same of itself."""
    network = nn.Sequential(convolution).eval()
    x = torch.randn(2, 6, 24, 31).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        before, said = network(x), repr(network[0]).partition("(")[2]
        assert speed_up_depthwise(network)[0] is convolution and type(convolution) is not nn.Conv2d
        torch.testing.assert_close(network(x), before)
    assert isinstance(convolution, nn.Conv2d) and repr(convolution).partition("(")[2] == said


def test_other_convolutions_stay():
    """Dense and grouped ones, narrow depthwise ones, and those with another padding than zeros."""
    others = [
        nn.Conv2d(6, 6, 3, padding=18, dilation=18),
        nn.Conv2d(6, 6, 3, padding=18, dilation=18, groups=2),
        nn.Conv2d(6, 6, 3, padding=1, groups=6),
        nn.Conv2d(6, 12, 3, padding="same", groups=6),
        nn.Conv2d(1, 8, 3, padding=1),
        nn.Conv2d(6, 6, 3, padding=6, dilation=6, groups=6, padding_mode="reflect"),
        nn.Conv2d(6, 12, 3, padding=1, groups=6, padding_mode="reflect"),
    ]
    assert all(type(module) is nn.Conv2d for module in speed_up_depthwise(nn.Sequential(*others)))


@pytest.mark.parametrize(("name", "count"), [("deeplab", 3), ("fcn", 1)])
def test_variants_with_slow_depthwise_convolutions(name, count):
    """DeepLab's three atrous branches and FCN's fc6 are rewritten."""
    network = speed_up_depthwise(build_network(name))
    assert sum(isinstance(m, nn.Conv2d) and type(m) is not nn.Conv2d for m in network.modules()) >= count
