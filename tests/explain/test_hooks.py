"""Hooks: what they record is what flowed, and afterwards the network is as it was."""

from __future__ import annotations

import torch
from torch import nn

from labkit.explain.hooks import changed, recorded


class Parts(nn.Module):
    """Two convolutions and a dict of both, one of them called twice."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 1, 1), nn.Identity()

    def forward(self, x):
        a = self.first(x)
        return {"sum": self.second(a) + self.first(x), "both": (a, [a])}


def test_recorded_calls_in_order():
    """Each call is kept, as a copy that does not hold the graph."""
    net, x = Parts(), torch.rand(1, 1, 2, 2)
    with recorded({"first": net.first, "all": net}) as seen:
        out = net(x)
    assert len(seen["first"]) == 2 and len(seen["all"]) == 1
    assert torch.equal(seen["first"][0], out["both"][0]) and not seen["first"][0].requires_grad
    assert torch.equal(seen["all"][0]["both"][1][0], out["both"][0])
    out["both"][0].detach().zero_()
    assert seen["first"][0].abs().sum() > 0


def test_half_precision_is_recorded_as_float():
    """What flowed in half precision is kept as float32."""
    net = nn.Identity()
    with recorded({"it": net}) as seen:
        net(torch.ones(2, dtype=torch.bfloat16))
    assert seen["it"][0].dtype == torch.float32


def test_changed_and_back():
    """A part switched off takes its share away while the block runs, also where the block fails."""
    net, x = Parts(), torch.rand(1, 1, 2, 2)
    before = net(x)["sum"]
    with changed(net.second, torch.zeros_like):
        assert torch.allclose(net(x)["sum"], before / 2)
    try:
        with changed(net.second, torch.zeros_like), recorded({"it": net.first}):
            raise KeyError
    except KeyError:
        pass
    assert torch.equal(net(x)["sum"], before)
    assert not net.second._forward_hooks and not net.first._forward_hooks
