"""Looking into a network while it runs, and changing what a part of it says: forward hooks, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

__all__ = ["changed", "recorded"]


@contextmanager
def recorded(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, list[Any]]]:
    """Keeps what modules return while the block runs: by name, a list with the output of each call, in order.

    Tensors come to the CPU as float32, also inside of lists, tuples and dicts.
    """
    outputs: dict[str, list[Any]] = {name: [] for name in modules}

    def keeper(name: str) -> Callable:
        return lambda module, given, output: outputs[name].append(_kept(output))

    with ExitStack() as stack:
        for name, module in modules.items():
            stack.callback(module.register_forward_hook(keeper(name)).remove)
        yield outputs


@contextmanager
def changed(module: nn.Module, change: Callable[[Any], Any]) -> Iterator[None]:
    """While the block runs, `module` returns `change(output)`; with `torch.zeros_like` it is switched off."""
    hook = module.register_forward_hook(lambda module, given, output: change(output))
    try:
        yield
    finally:
        hook.remove()


def _kept(output: Any) -> Any:
    if isinstance(output, torch.Tensor):
        kept = output.detach().to("cpu", torch.float32) if output.is_floating_point() else output.detach().cpu()
        return kept.clone()
    if isinstance(output, Mapping):
        return {name: _kept(value) for name, value in output.items()}
    if isinstance(output, (list, tuple)):
        return type(output)(map(_kept, output)) if not hasattr(output, "_fields") else output
    return output
