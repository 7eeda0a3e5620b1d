"""Photos to draw on, and what can be read and seen in a figure."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from labkit.figures import svg
from labkit.photos import Photo


def grey(height: int, width: int, name: str = "x") -> Photo:
    """A photo on which there is nothing."""
    return Photo.from_pixels(name, np.full((height, width, 3), 90, np.uint8))


def words(drawn: Figure | str) -> list[str]:
    """What a reader can read (and search, and copy) in a figure or its SVG."""
    written = re.sub("<!DOCTYPE[^>]*>", "", drawn if isinstance(drawn, str) else svg(drawn))
    nodes = ElementTree.fromstring(written).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(node.itertext()).strip() for node in nodes]


def pictures(drawn: str) -> list[np.ndarray]:
    """The pixels of the pictures in an SVG, `HxWx3` int."""
    found = re.findall(r'href="data:image/(\w+);base64,([^"]+)"', drawn)
    assert all(kind == "webp" for kind, _ in found)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int) for _, data in found]
