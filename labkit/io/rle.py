"""Masks as COCO's run lengths: columns first, zeros first; the one place where they are written and read."""

import re
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

__all__ = ["decode_mask", "encode_mask", "run_lengths"]


def encode_mask(mask: np.ndarray) -> dict[str, Any]:
    """A mask (`HxW` bool) as COCO run-length encoding in JSON's types."""
    rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(rle["size"]), "counts": rle["counts"].decode("ascii")}


def decode_mask(rle: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    """The mask (`HxW` bool) of a run-length encoding; ValueError where its runs do not fill a mask of `size` (H, W)."""
    runs = run_lengths(rle, size)
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(size[::-1]).T


def run_lengths(rle: Any, size: tuple[int, int]) -> np.ndarray:
    """The run lengths, `N` integers, of an encoding, compressed or not, from a file that nobody vouches for.

    pycocotools writes what it is told, beyond the mask's end too; here the runs are looked at before there is a mask.
    Counts may be numbers, words or a text of them. ValueError where they do not fill a mask of `size` (H, W).
    """
    try:
        if list(map(float, rle.get("size", size))) != [*size]:
            raise ValueError(f"the mask is {rle['size']} and not {[*size]}")
        counts = rle["counts"]
        if isinstance(counts, str) and re.search(r"[\s,]|]$", counts):  # which no compressed ones have
            counts = re.findall(r"[^\s,[\]]+", counts)
        runs = _decompressed(counts) if isinstance(counts, str) else np.array(counts).astype(float)
    except (AttributeError, KeyError, OverflowError, TypeError) as error:
        raise ValueError("this is no run-length encoding") from error
    pixels = size[0] * size[1]
    whole = runs.ndim == 1 and runs.size > 0 and (runs == np.rint(runs)).all()
    if not whole or runs.min() < 0 or runs.max() > pixels or runs.sum() != pixels:
        raise ValueError(f"the runs of the mask do not fill {size[0]}x{size[1]} pixels")
    return runs.astype(np.int64)


def _decompressed(counts: str) -> np.ndarray:
    """As COCO's `rleFrString` reads them: five bits a character, the lowest first, the sixth says that more follow."""
    digits = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    last = digits & 32 == 0
    if len(digits) == 0 or digits.min() < 0 or digits.max() > 63 or not last[-1]:
        raise ValueError("the runs of the mask are damaged")
    starts = np.flatnonzero(np.concatenate([[True], last[:-1]]))
    place = np.arange(len(digits)) - np.repeat(starts, np.diff([*starts, len(digits)]))
    if place.max() > 8:
        raise ValueError("a run of the mask is longer than any mask")
    runs = np.add.reduceat((digits & 31) << 5 * place, starts)
    runs -= np.where(digits[last] & 16, 1 << 5 * (place[last] + 1), 0)
    for parity in (1, 2):  # from the fourth on, each run is written as its difference to the last but one
        runs[parity::2] = runs[parity::2].cumsum()
    return runs
