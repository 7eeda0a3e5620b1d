"""Pictures that travel in a page; photos as small JPEGs, which the model then sees, so that masks can be made again."""

import base64
import io
import math
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from labkit.io.decode import opened

__all__ = ["MAX_BYTES", "MAX_REPORT_SIDE", "compact", "data_address"]

MAX_BYTES = 80_000
"""Ten photos of this size, in base64, are a third of a report."""

MAX_REPORT_SIDE = 1024

_STEPS = [(1.0, 90), (1.0, 80), *((part, 72) for part in (1.0, 0.85, 0.7, 0.6, 0.5)), (0.5, 50), (0.25, 50), (0.1, 30)]
"""Part of the side and quality, tried in turn; the models look at 384 to 512 pixels a side."""


def compact(pixels: np.ndarray, file: BinaryIO) -> tuple[np.ndarray, bytes]:
    """A JPEG of about a photo's pixels (`HxWx3` uint8 RGB) and exactly the pixels that are in it.

    The sides are those of `pixels`, or smaller where the JPEG would have more than `MAX_BYTES`. The open `file` that
    they are from is kept as it is where it is such a JPEG and nothing besides (EXIF, IPTC and what a phone hangs on
    behind the picture may say where it was taken).
    """
    file.seek(0)
    kept = file.read(MAX_BYTES + 1)
    if len(kept) <= MAX_BYTES and kept.startswith(b"\xff\xd8") and kept.endswith(b"\xff\xd9"):
        with opened(kept, ["JPEG"], math.inf) as image:
            told = {name for name, _ in image.applist} - {"APP0", "APP14"}  # type: ignore[attr-defined]
            if (image.format, image.mode) == ("JPEG", "RGB") and not told and np.array_equal(np.array(image), pixels):
                return pixels, kept
    image = Image.fromarray(pixels)
    for part, quality in _STEPS:
        size = tuple(max(1, round(side * part)) for side in image.size)
        buffer = io.BytesIO()
        image.resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= MAX_BYTES:
            break
    return np.array(Image.open(buffer)), buffer.getvalue()


def data_address(image: Image.Image, kind: str, **options: Any) -> str:
    """An image as a `data:` address, in a format of Pillow with its options."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
