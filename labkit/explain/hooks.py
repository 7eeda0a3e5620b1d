"""What several lectures need of a network and of photos: hooks into it, the photo that tells most, boundary IoU."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from labkit.evaluation.metrics import eroded, iou
from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.models.semantic import network_input
from labkit.segmentation import Segmentation

__all__ = ["Trial", "boundary", "boundary_iou", "changed", "find_part", "largest_label", "on_photo", "photo_part"]
__all__ += ["recorded", "telling", "trial_without", "window"]


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
            stack.enter_context(module.register_forward_hook(keeper(name)))
        yield outputs


def _kept(output: Any) -> Any:
    if isinstance(output, torch.Tensor):
        return output.detach().to("cpu", torch.float32 if output.is_floating_point() else output.dtype, copy=True)
    if isinstance(output, Mapping):
        return {name: _kept(value) for name, value in output.items()}
    if isinstance(output, (list, tuple)) and not hasattr(output, "_fields"):
        return type(output)(map(_kept, output))
    return output


def changed(module: nn.Module, change: Callable[[Any], Any]) -> AbstractContextManager:
    """While the block runs, `module` returns `change(output)`."""
    return module.register_forward_hook(lambda module, given, output: change(output))


@dataclass(frozen=True, eq=False)
class Trial:
    """An answer (`result`) with the parts `off` of a network switched off, beside the `full` one.

    Measured is the class of the largest segment of the full answer (the background where nothing was found), by its
    mask there or by another one, `truth` (`HxW` bool); only where `known` (`HxW` bool), if that is given.
    """

    off: tuple[int, ...]
    full: Segmentation
    result: Segmentation
    truth: np.ndarray | None = None
    known: np.ndarray | None = None

    @property
    def label(self) -> str:
        return self.full.classes.label(largest_label(self.full))

    @property
    def masks(self) -> tuple[np.ndarray, np.ndarray]:
        """The class's mask in the answer and the one that it is measured by, both `HxW` bool."""
        mask, full = (one.labels == largest_label(self.full) for one in (self.result, self.full))
        return mask if self.known is None else mask & self.known, full if self.truth is None else self.truth

    @property
    def iou(self) -> float:
        return iou(*self.masks)

    @property
    def boundary_iou(self) -> float:
        return boundary_iou(*self.masks)

    @property
    def moved(self) -> np.ndarray:
        """The pixels whose class is another than in the full answer, `HxW` bool."""
        return self.full.labels != self.result.labels

    @property
    def share(self) -> float:
        """Their share of the photo, in [0, 1]."""
        return float(self.moved.mean())


def trial_without(model: Any, full: Segmentation, parts: Mapping[int, nn.Module], off: Sequence[int]) -> Trial:
    """Segments the photo of the answer `full` once more; meanwhile those of the `parts` that are `off` give zeros."""
    with ExitStack() as stack:
        for place in off:
            stack.enter_context(changed(parts[place], torch.zeros_like))
        return Trial(tuple(off), full, model.segment(full.photo))


def find_part(network: nn.Module, kinds: type | tuple[type, ...], missing: str, **words: Any) -> Any:
    """The first module of these types in a network.

    LabkitError where there is none: the text `missing`, with the network's type as `given` and with `words`.
    """
    for module in network.modules():
        if isinstance(module, kinds):
            return module
    raise LabkitError(text(missing, **{"given": type(network).__name__, **words}))


def telling(results: Sequence[Segmentation]) -> Segmentation:
    """The result whose largest segment covers nearest to a third of its photo: neither a speck nor all of it.

    Where nothing was found on any photo, the first. LabkitError for no results at all.
    """
    if not results:
        raise LabkitError(text("figures.no_results"))
    return min(results, key=lambda one: abs((one.largest.area if one.largest else 0) / one.ids.size - 1 / 3))


def largest_label(result: Segmentation) -> int:
    """The label id of the largest segment; 0, the background's, where nothing was found."""
    return result.largest.label_id if result.largest else 0


def photo_part(model: Any, result: Segmentation, padded: tuple[int, int]) -> tuple[float, float]:
    """The photo's share of the height and width of the network's input of size `padded`: the rest is padding."""
    if model.weights.release is not None:  # the official networks get no padding
        return (1.0, 1.0)
    height, width = network_input(result.photo.pixels, result.made_by["settings"]["working_side"]).shape[1:]
    return height / padded[0], width / padded[1]


def on_photo(values: Any, part: tuple[float, float]) -> Any:
    """Of a map (`…xRxK`, an array or a tensor) what lies on the photo, `part` of its height and width."""
    rows, columns = (math.ceil(side * share - 1e-9) for side, share in zip(values.shape[-2:], part, strict=True))
    return values[..., :rows, :columns]


def window(mask: np.ndarray) -> tuple[slice, slice]:
    """The part of the photo around a mask (`HxW` bool), a twelfth of its sides wider; all of it for an empty mask."""
    parts = []
    for axis in (1, 0):
        inside = np.flatnonzero(mask.any(axis))
        first, last = (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, mask.shape[1 - axis])
        margin = max(4, (last - first) // 12)
        parts.append(slice(max(0, first - margin), last + margin))
    return parts[0], parts[1]


def boundary(mask: np.ndarray, share: float = 0.02) -> np.ndarray:
    """The pixels of a mask (`HxW` bool) within d pixels of its contour, as `HxW` bool; the image's edge is contour too.

    d is `share` of the image's diagonal, rounded, at least 1. Distance is the larger of the two offsets (Chebyshev), as
    in the authors' code, which erodes d times with a 3x3 square: here once with a square of 2d + 1.
    ValueError where `share` is not in (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"the share is {share}; it must lie above 0 and at most at 1, as 0.02 for 2 % of the diagonal")
    d = max(1, round(share * math.hypot(*mask.shape)))
    return mask.astype(bool) & ~eroded(mask, d)


def boundary_iou(mask: np.ndarray, reference: np.ndarray, share: float = 0.02) -> float:
    """Intersection over union of the two masks' boundaries (Cheng et al., 2021, arXiv:2103.16562).

    |(G_d and G) and (P_d and P)| / |(G_d and G) or (P_d and P)|, where G_d is what lies within d of G's contour.
    Both are `HxW` bool. Two empty masks agree: 1.0. Raises ValueError where the shapes differ or as `boundary` does.
    """
    return iou(boundary(mask, share), boundary(reference, share))
