"""BatchNorm folded into the convolutions before it: the same function with fewer passes over memory."""

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["fold_batchnorm"]


def fold_batchnorm(network: nn.Module) -> nn.Module:
    """Folds every BatchNorm that directly follows a convolution, in place; `network` must be in eval mode.

    For frozen statistics BN(Wx) = (γ/σ·W)x + (β - γμ/σ) (Ioffe and Szegedy, 2015, section 3.1).
    """
    if network.training:
        raise ValueError("the network is in training mode; call network.eval() before folding")
    for parent in list(network.modules()):
        before = None
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d) and before is not None:
                owner, key = before
                setattr(owner, key, fuse_conv_bn_eval(getattr(owner, key), child))
                setattr(parent, name, getattr(child, "act", nn.Identity()))  # timm's BatchNorm carries its activation
            before = _convolution_at_the_end(parent, name, child)
    return network


def _convolution_at_the_end(parent: nn.Module, name: str, child: nn.Module) -> tuple[nn.Module, str] | None:
    """Where the convolution is that makes the output of `child`, if there is one."""
    if isinstance(child, nn.Conv2d):
        return parent, name
    if isinstance(child, nn.Sequential) and len(child) and isinstance(child[-1], nn.Conv2d):
        return child, str(len(child) - 1)
    return None
