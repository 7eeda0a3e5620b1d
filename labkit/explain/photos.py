"""Which of the student's photos shows a claim well, whatever photos they are, and what of the input a photo is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.models.semantic import network_input
from labkit.segmentation import Segmentation

__all__ = ["photo_part", "telling"]

_SHARE = 1 / 3


def telling(results: Sequence[Segmentation]) -> Segmentation:
    """The result whose largest segment covers nearest to a third of its photo: neither a speck nor all of it.

    Where nothing was found on any photo, the first. LabkitError for no results at all.
    """
    if not results:
        raise LabkitError(text("figures.no_results"))

    def distance(result: Segmentation) -> float:
        return abs(max((s.area for s in result.segments), default=0) / result.ids.size - _SHARE)

    return min(results, key=distance)


def photo_part(model: Any, result: Segmentation, padded: tuple[int, int]) -> tuple[float, float]:
    """The photo's share of the height and width of the network's input of size `padded`: the rest is padding."""
    if model.weights.release is not None:  # the official networks get no padding
        return (1.0, 1.0)
    height, width = network_input(result.photo.pixels, result.made_by["settings"]["working_side"]).shape[1:]
    return height / padded[0], width / padded[1]
