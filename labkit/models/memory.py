"""What happens when memory runs out: fewer at once, then a smaller working side, then the CPU, and it is said.

The kernel lives on in any case, and a photo for which nothing helps is named with what to do.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from labkit.io.errors import LabkitError
from labkit.locale import plural, text

if TYPE_CHECKING:
    from labkit.models.base import Model

__all__ = ["at_once", "fitting", "until_it_fits"]

_MIN_SIDE = 256  # below this working side a photo that does not fit a GPU goes to the CPU

_T = TypeVar("_T")


def until_it_fits(attempt: Callable[[], _T], model: Model, name: str, settings: dict[str, Any], photos: int = 1) -> _T:
    """What `attempt` gives; each time memory runs out the model is made smaller. LabkitError where it cannot be."""
    while True:
        try:
            return attempt()
        except RuntimeError as error:
            if not isinstance(error, torch.cuda.OutOfMemoryError) and "can't allocate memory" not in str(error):
                raise  # it is not about memory
            _free()
            if not _smaller(model, fitting(model, settings), photos):
                raise LabkitError(text("model.memory", name=name)) from error


def fitting(model: Model, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings, with no larger working side than memory has allowed since it ran out."""
    if model.max_side is None or "working_side" not in settings:
        return settings
    return {**settings, "working_side": min(settings["working_side"], model.max_side)}


def at_once(device: torch.device, megabytes: float, most: int) -> int:
    """How many photos (or prompts) of `megabytes` fit into two thirds of the GPU's free memory: 1 to `most`."""
    free, _ = torch.cuda.mem_get_info(device)
    return int(min(max(free * 2 / 3 / (megabytes * 1e6), 1), most))


def _smaller(model: Model, settings: dict[str, Any], photos: int) -> bool:
    """Makes the next attempt smaller, and says how; False where nothing is left to make smaller."""
    side, points = settings.get("working_side", 0), settings.get("points_per_side", 0) and model.points_at_once
    if photos > 1 and model.batch > 1:
        model.batch = min(model.batch, photos) // 2
        print(plural("model.memory_batch", model.batch))
    elif points > 1:
        model.points_at_once = points // 2
        print(plural("model.memory_points", model.points_at_once))
    elif side > _MIN_SIDE:
        model.max_side = max(_MIN_SIDE, round(side * 0.7))
        print(text("model.memory_side", side=model.max_side))
    elif model.device.type != "cpu":
        model.device, model.precision, model.max_side = torch.device("cpu"), torch.float32, None
        model.network.to(model.device)
        _free()
        print(text("model.memory_cpu"))
    else:
        return False
    return True


def _free() -> None:
    gc.collect()
    torch.cuda.empty_cache()
