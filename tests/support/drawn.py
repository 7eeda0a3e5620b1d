"""Photos and results to draw, and what can be read and seen in a figure."""

import base64
import io
import re
from collections.abc import Sequence
from itertools import count, repeat
from typing import Any
from xml.etree import ElementTree

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from labkit.classes import VOC, LabelSet
from labkit.figures import svg
from labkit.photos import Photo
from labkit.segmentation import Segment, Segmentation


def grey(height: int, width: int, name: str = "x") -> Photo:
    """A photo on which there is nothing."""
    return Photo.from_pixels(name, np.full((height, width, 3), 90, np.uint8))


def found(
    masks: Sequence[np.ndarray],
    labels: Sequence[int] | None = None,
    scores: Sequence[float] | None = None,
    ids: Sequence[int] | None = None,
    classes: LabelSet | None = VOC,
    made_by: dict[str, Any] | None = None,
    size: tuple[int, int] = (40, 60),
    name: str = "x",
) -> Segmentation:
    """A result of these masks (`HxW` bool) on a grey photo, the first on top: cats, if nothing else is said."""
    rows = list(zip(ids or count(1), labels or repeat(8), scores or count(1, -0.01), masks, strict=False))
    top = np.zeros(masks[0].shape if len(masks) else size, np.int32)
    for number, _, _, mask in reversed(rows):
        top[mask] = number
    names = (classes or VOC).names
    segments = [Segment(number, label, names[label], score, mask) for number, label, score, mask in rows]
    confidence = (top > 0).astype(np.float32)
    return Segmentation(grey(*top.shape, name), top, confidence, segments, classes, made_by or {})


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
