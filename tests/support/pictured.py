"""Small pictures, as files of any kind, and what is seen in them again."""

import io

import numpy as np
from PIL import Image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
ORIENTATION = 0x0112


def scene(width: int = 48, height: int = 32) -> Image.Image:
    """White, with a red block at the upper left and a blue one at the lower left."""
    image = Image.new("RGB", (width, height), WHITE)
    image.paste(RED, (0, 0, width // 3, height // 2))
    image.paste(BLUE, (0, height // 2, width // 3, height))
    return image


def written(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def close(pixels: np.ndarray, expected: np.ndarray | tuple, tolerance: int = 6) -> bool:
    """Whether colours agree up to the loss of JPEG."""
    return np.abs(pixels.astype(int) - np.asarray(expected, int)).max() <= tolerance
