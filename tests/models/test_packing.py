"""Weights in a byte each: how far they are from what they were, and that packing twice changes nothing more."""

import torch

from labkit.models.packing import packed, unpacked


def test_large_tensors_take_a_byte_a_weight():
    """Each weight moves by less than a step of its row; small tensors and vectors are rounded to float16 alone."""
    torch.manual_seed(0)
    rows = torch.randn(300, 50, 3, 3) * torch.logspace(-9, 2, 300)[:, None, None, None]
    rows[7] = 0
    state = {"large": rows, "small": torch.randn(8, 8), "vector": torch.randn(100_000)}
    small = packed(state)
    assert small["large"].dtype == torch.int8 and small["small"].dtype == small["vector"].dtype == torch.float16
    whole = unpacked(small)
    assert whole.keys() == state.keys() and all(tensor.dtype == torch.float32 for tensor in whole.values())
    steps = rows.abs().amax((1, 2, 3)) / 127
    assert ((whole["large"] - rows).abs().amax((1, 2, 3)) <= 0.8 * steps).all()
    assert torch.equal(whole["small"], state["small"].half().float())


def test_packed_twice():
    """Fine-tuned from a packed file and packed again without a step, the weights are the same."""
    torch.manual_seed(0)
    once = packed({"x": torch.randn(600, 200)})
    again = packed(unpacked(once))
    assert all(torch.equal(once[name], again[name]) for name in once) and once.keys() == again.keys()


def test_other_files_are_unpacked_as_they_are():
    """A file in which nothing is packed comes out in float32."""
    state = {"x": torch.randn(3, 3).half()}
    assert torch.equal(unpacked(state)["x"], state["x"].float())
