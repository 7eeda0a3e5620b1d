"""Masks as coloured pixels: the overlay and the mask, in NumPy, for figures and viewer alike."""

from __future__ import annotations

from itertools import chain, cycle, zip_longest

import numpy as np

from labkit.classes import VOC
from labkit.segmentation import Segmentation

__all__ = ["colors_of", "mask_image", "overlay_image", "rgb", "visible_ids"]


def rgb(color: str) -> tuple[int, int, int]:
    """`#rrggbb` as three numbers in [0, 255]."""
    return tuple(bytes.fromhex(color[1:]))


def colors_of(result: Segmentation) -> dict[int, str]:
    """The colour of each segment id: its class's for the first segment of a class, one not yet used for the others.

    When the palette is used up it starts over; neighbours in the list differ all the same.
    """
    palette, classes = VOC.colors[1:], {}
    if result.classes is not None:
        first = {s.label_id: s.id for s in reversed(result.segments)}
        classes = {number: result.classes.colors[label_id] for label_id, number in first.items()}
    turn = chain((color for color in palette if color not in classes.values()), cycle(palette))
    colors: dict[int, str] = {}
    before = None
    for segment, after in zip_longest(result.segments, result.segments[1:]):
        beside = (before, classes.get(after.id) if after else None)
        before = classes.get(segment.id) or next(color for color in turn if color not in beside)
        colors[segment.id] = before
    return colors


def visible_ids(result: Segmentation, threshold: float = 0.0) -> np.ndarray:
    """`ids` without the pixels whose confidence is below `threshold` (in [0, 1]): `HxW` int32."""
    return np.where(result.confidence >= threshold, result.ids, 0)


def mask_image(result: Segmentation, threshold: float = 0.0) -> np.ndarray:
    """The segments in their colours on black, `HxWx3` uint8."""
    return _table(result)[visible_ids(result, threshold)]


def overlay_image(result: Segmentation, opacity: float = 0.5, threshold: float = 0.0, outline: int = 2) -> np.ndarray:
    """The segments over the photo, `HxWx3` uint8; `opacity` in [0, 1], `outline` in pixels (0: none)."""
    ids = visible_ids(result, threshold)
    colors, photo = _table(result)[ids], result.photo.pixels
    image = photo.copy()
    inside = ids > 0
    image[inside] = (photo[inside] * (1 - opacity) + colors[inside] * opacity).astype(np.uint8)
    edge = _borders(ids, outline) & inside
    image[edge] = colors[edge]
    return image


def _table(result: Segmentation) -> np.ndarray:
    table = np.zeros((max((s.id for s in result.segments), default=0) + 1, 3), np.uint8)
    for number, color in colors_of(result).items():
        table[number] = rgb(color)
    return table


def _borders(ids: np.ndarray, width: int) -> np.ndarray:
    """The pixels within `width` of another segment, `HxW` bool."""
    edge = np.zeros(ids.shape, bool)
    for axis in (0, 1):
        for step in range(1, min(width + 1, ids.shape[axis])):
            forward, back = [slice(None)] * 2, [slice(None)] * 2
            forward[axis], back[axis] = slice(step, None), slice(None, -step)
            differs = ids[tuple(forward)] != ids[tuple(back)]
            edge[tuple(forward)] |= differs
            edge[tuple(back)] |= differs
    return edge
