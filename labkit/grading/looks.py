"""What a photo looks like: its thumbnail, and whether two are one, cropped, turned, mirrored, inverted or framed.

Two steps. Coarse: 16x16 pixels of one photo's crops against the other one in its eight positions, all pairs at once, by
their correlation. Fine: what is left of 64x64 pixels without their slow changes, turned and scaled a little, shifted
against each other by phase (the correlation theorem); other photos of like make do not agree in that.
"""

import base64
from collections.abc import Hashable, Sequence
from itertools import product
from typing import Any

import numpy as np
from PIL import Image
from scipy import fft, ndimage

from labkit.classes import LabelSet
from labkit.io.decode import opened
from labkit.io.jpeg import data_address
from labkit.report.consistency import MAX_PIXELS
from labkit.report.wall import overlaid

__all__ = ["alike", "look", "thumbnail"]

_THUMBNAIL_SIDE, SIDE, _COARSE_SIDE = 96, 64, 16
"""Pixels: the longest side of a thumbnail, and the sides of what is compared."""

_CUTS = ((0, 0), (0, 0.15), (0.15, 0), (0.075, 0.075))
"""What may be cut off at the two ends of a side; a step between is within what a correlation bears."""

_WINDOWS = [(SIDE * x0, SIDE * y0, SIDE * (1 - x1), SIDE * (1 - y1)) for (x0, x1), (y0, y1) in product(_CUTS, repeat=2)]
_WARPS = sorted(product((-3, 0, 3), (0.95, 1, 1.05), (0.95, 1, 1.05)), key=lambda warp: warp != (0, 1, 1))
"""Degrees, and the scales of both sides; first as it is."""

_COARSE, _HOPELESS, _FINE = 0.75, 0.2, 0.78
"""Correlations from which on a pair is looked at closely, is not given up at the first look, and is one photo.

Of 25 photos, each turned by 3 degrees, cropped by up to 15 % or framed, and saved at a quality of 60, 99 in a hundred
lie above 0.79. Of 1500 photos of the training data two pairs do: one photo twice, and two of one moment.
"""

_EVEN = 6.0  # the deviation of grey values below which a line is a frame's, and a picture shows nothing


def _open(jpeg: bytes, mode: str, side: int) -> Image.Image:
    """A JPEG of at most `MAX_PIXELS`, decoded at no less than `side` pixels a side; ValueError for anything else."""
    with opened(jpeg, ["JPEG"], MAX_PIXELS) as image:
        image.draft(mode, (side, side))  # the decoder itself halves it, once or more
        return image.convert(mode)


def look(jpeg: bytes) -> str | None:
    """A photo's grey values without its frame, 64x64 bytes in base64. None for what is no JPEG."""
    try:
        grey = _open(jpeg, "L", 3 * SIDE).resize((3 * SIDE, 3 * SIDE), Image.Resampling.BOX)
    except ValueError:
        return None
    pixels = np.asarray(grey, np.float32)
    for _ in range(2):
        lively = np.flatnonzero(pixels.std(1) >= _EVEN)
        if len(lively) > SIDE:
            pixels = pixels[lively[0] : lively[-1] + 1]
        pixels = pixels.T
    small = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX)
    return base64.b64encode(np.asarray(small).round().clip(0, 255).astype(np.uint8).tobytes()).decode()


def alike(looks: Sequence[str | None], owners: Sequence[Hashable], close: int = 8) -> set[tuple[int, int]]:
    """The pairs (smaller place first) of photos that are one, among those of different owners; of each photo so many
    others are looked at closely, the most promising ones.
    """
    pixels = {n: np.frombuffer(base64.b64decode(one), np.uint8) for n, one in enumerate(looks) if one}
    pictures = {n: one.reshape(SIDE, SIDE).astype(np.float32) for n, one in pixels.items() if one.std() >= _EVEN}
    if not pictures:
        return set()
    places, owner = list(pictures), np.array([hash(owners[n]) for n in pictures])
    turned = np.concatenate([_units(_turns(_window(one, _WINDOWS[0], _COARSE_SIDE))) for one in pictures.values()]).T
    pairs = set()
    for row, place in enumerate(places):
        crops = _units([_window(pictures[place], window, _COARSE_SIDE) for window in _WINDOWS])
        scores = np.abs(crops @ turned).reshape(len(_WINDOWS), len(places), 8)
        best = scores.max((0, 2)) * (owner != owner[row])
        looked = 0
        for column in best.argsort()[::-1]:
            if best[column] < _COARSE or looked == close:
                break
            other = places[column]
            pair = min(place, other), max(place, other)
            if pair not in pairs and looks[place] != looks[other]:
                looked += 1
                window, turn = np.unravel_index(scores[:, column].argmax(), (len(_WINDOWS), 8))
                crop = _window(pictures[place], _WINDOWS[window], SIDE)
                if _agreement(crop, _turns(pictures[other])[turn]) < _FINE:
                    continue
            pairs.add(pair)
    return pairs


def _agreement(crop: np.ndarray, other: np.ndarray) -> float:
    """How far the details of a crop are those of another photo in its position, in [0, 1]."""
    ours, best = _details(crop), 0.0
    for warp in _WARPS:
        shifts = fft.irfft2(ours * _details(_warped(other, *warp)).conj(), s=(SIDE, SIDE))
        best = max(best, float(np.abs(np.roll(shifts, (5, 5), (0, 1))[:11, :11]).max()))
        if best < _HOPELESS or best >= _FINE:
            break
    return best


def _details(pixels: np.ndarray) -> np.ndarray:
    fine = ndimage.gaussian_filter(pixels - ndimage.gaussian_filter(pixels, 4, mode="nearest"), 0.7)
    fine = np.sign(fine) * np.abs(fine) ** 0.3 * _FADE  # or a single strong edge would make two portraits one
    fine -= fine.mean()
    return fft.rfft2(fine / max(np.linalg.norm(fine), 1e-6))


_FADE = np.sqrt(np.outer(*[np.hanning(SIDE + 2)[1:-1]] * 2)).astype(np.float32)


def _warped(pixels: np.ndarray, degrees: float, across: float, down: float) -> np.ndarray:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix, middle = np.array([[cos * down, -sin], [sin, cos * across]]), np.full(2, SIDE / 2 - 0.5)
    return ndimage.affine_transform(pixels, matrix, middle - matrix @ middle, order=1, mode="nearest")


def _window(pixels: np.ndarray, box: tuple[float, float, float, float], side: int) -> np.ndarray:
    how = Image.Resampling.BILINEAR if side == SIDE else Image.Resampling.BOX
    return np.asarray(Image.fromarray(pixels).resize((side, side), how, box=box))


def _turns(pixels: np.ndarray) -> list[np.ndarray]:
    return [np.rot90(pixels, quarter)[:, ::way] for quarter in range(4) for way in (1, -1)]


def _units(pictures: Sequence[np.ndarray]) -> np.ndarray:
    rows = np.stack([picture.ravel() for picture in pictures]).astype(np.float32)
    rows -= rows.mean(1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def thumbnail(jpeg: bytes, result: dict[str, Any] | None = None, labels: LabelSet | None = None) -> str:
    """A photo with the masks of its `result` (as in the data) over it, as the `data:` address of a JPEG of our own.

    ValueError where photo or masks cannot be decoded.
    """
    image = _open(jpeg, "RGB", 2 * _THUMBNAIL_SIDE)
    if result is None:
        image.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
    else:
        image = overlaid(image, _THUMBNAIL_SIDE, result, labels)
    return data_address(image, "JPEG", quality=55)
