"""BatchNorm folding leaves the function as it is."""

import pytest
import torch
from torch import nn

from labkit.models import SEMANTIC, build_network
from labkit.models.folding import fold_batchnorm


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
