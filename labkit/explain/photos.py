"""Which of the student's photos shows a claim well, whatever photos they are."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.errors import LabkitError
from labkit.segmentation import Segmentation
from labkit.texts import text

__all__ = ["telling"]

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
