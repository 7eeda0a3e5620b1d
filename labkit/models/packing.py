"""Weights in a byte each: how SAM, four times as large as the others, fits into a file of their size.

Each row of a large matrix or kernel has a scale of its own, so that its largest weight is 127 (per-channel symmetric
quantisation: Krishnamoorthi, 2018, arXiv:1806.08342, section 2.1). The network computes in floats all the same.
"""

import torch

__all__ = ["packed", "unpacked"]

_LEAST = 60_000
"""Smaller tensors, most of the first stages, stay as they are: what these get wrong grows through all the others."""

_SCALE = ".scale"


def packed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Float32 tensors by name with the large ones as int8 and a scale for each row, all else float16.

    A scale is a bfloat16: 127 of it are a float32 to the bit, so that what was packed before comes out the same.
    """
    small: dict[str, torch.Tensor] = {}
    for name, tensor in state.items():
        small[name] = tensor.half()
        if tensor.ndim > 1 and tensor.numel() >= _LEAST:
            rows = tensor.float().flatten(1)
            scale = (rows.abs().amax(1) / 127).clamp(min=1e-30).bfloat16()
            codes = (rows / scale.float()[:, None]).round().clamp(-127, 127)
            small[name], small[name + _SCALE] = codes.to(torch.int8).view(tensor.shape), scale
    return small


def unpacked(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of `packed` in float32, and of any other file as they are."""
    scales = {name.removesuffix(_SCALE): scale for name, scale in state.items() if name.endswith(_SCALE)}
    whole = {name: tensor.float() for name, tensor in state.items() if not name.endswith(_SCALE)}
    for name, scale in scales.items():
        whole[name] *= scale.float().view(-1, *[1] * (whole[name].ndim - 1))
    return whole
