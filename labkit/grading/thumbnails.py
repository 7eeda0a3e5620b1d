"""Small pictures of our own for the table of grades."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from labkit.classes import LABEL_SETS, label_set
from labkit.figures import overlay_image
from labkit.grading.looks import open_jpeg
from labkit.io.rle import decode_mask
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation

__all__ = ["SIDE", "thumbnail"]

SIDE = 96
"""The longest side of a thumbnail, in pixels."""


def thumbnail(jpeg: bytes, result: dict[str, Any] | None = None, classes: str | None = None) -> str:
    """A photo with the masks of its `result` (as in the data) over it, as the `data:` address of a JPEG.

    ValueError where photo or masks cannot be decoded.
    """
    image = open_jpeg(jpeg, side=2 * SIDE)
    image.thumbnail((SIDE, SIDE))
    pixels = np.array(image)
    if result is not None:
        pixels = overlay_image(_small(pixels, result, classes), outline=1)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=55)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _small(pixels: np.ndarray, result: dict[str, Any], classes: str | None) -> Segmentation:
    """The result on a photo of these pixels: of each mask the nearest ones, smaller masks over larger ones."""
    size = height, width = tuple(result["size"])
    rows, columns = (
        (np.arange(small) * side + side // 2) // small
        for small, side in zip(pixels.shape[:2], (height, width), strict=True)
    )
    ids = np.zeros(pixels.shape[:2], np.int32)
    labels = label_set(classes) if classes in LABEL_SETS else None
    segments = []
    for row in sorted(result["segments"], key=lambda row: -row["area"]):
        mask = decode_mask(row["rle"], size)[np.ix_(rows, columns)]
        ids[mask] = row["id"]
        segments.append(Segment(row["id"], row["label_id"], row["label"], row["score"], mask))
        if labels is not None and row["label_id"] >= len(labels):
            labels = None
    photo = Photo.from_pixels("photo", pixels)
    return Segmentation(photo, ids, np.ones(ids.shape, np.float32), segments, labels)
