"""Annotations as people and their tools write them."""

import base64
import io
import json
import struct
import zlib
from dataclasses import replace

import numpy as np
from PIL import Image

from labkit.photos import Photo


def write_outline(path, points, label="cat", size=(100, 80)):
    """A labelme file of one outline; `size` is width and height."""
    return write_shapes(path, {"label": label, "points": points}, size=size)


def write_shapes(path, *shapes, size=(100, 80)):
    """A labelme file of shapes."""
    record = {"imageWidth": size[0], "imageHeight": size[1], "shapes": shapes}
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def write_coco(path, *annotations, size=(100, 80), names=("cat", "собака"), files=("x.jpg",)):
    """A COCO file; each annotation gives the place of its category in `names`, and belongs to the first picture."""
    record = {
        "images": [{"id": 7 + n, "file_name": f, "width": size[0], "height": size[1]} for n, f in enumerate(files)],
        "categories": [{"id": 40 + n, "name": name} for n, name in enumerate(names)],
        "annotations": [
            {"id": n, "image_id": 7, "category_id": 40 + place, "segmentation": mask, "iscrowd": 0, **more}
            for n, (place, mask, more) in enumerate(annotations)
        ],
    }
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def block(left, top, right, bottom, size=(80, 100)):
    """A mask of one block."""
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


CAT = block(10, 10, 60, 50)
CAT_SHAPE = {"label": "cat", "points": [[10, 10], [59, 10], [59, 49], [10, 49]]}
"""The same by labelme's outline."""


def runs_of(mask):
    """Uncompressed RLE, counted by hand: columns first, zeros first."""
    flat = mask.T.ravel().astype(int).tolist()
    runs, value = [0], 0
    for pixel in flat:
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return {"size": list(mask.shape), "counts": runs}


def header(width, height, path):
    """A PNG of so many pixels of which only the header is there."""
    path.write_bytes(header_bytes(width, height))
    return path


def header_bytes(width, height):
    """What is in such a file."""
    return png_bytes(width, height, 8, 0, b"\0" * 1000)


def png_bytes(width, height, bits, color, rows):
    """A PNG as told, of which Pillow writes few and checks all: `rows` are what would be compressed."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def base64_png(part):
    """A mask as labelme writes it."""
    file = io.BytesIO()
    Image.fromarray(part.astype(np.uint8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def blank(name="x", width=100, height=80, path=None):
    """A grey photo, `path` being where it was read from."""
    return replace(Photo.from_pixels(name, np.full((height, width, 3), 127, np.uint8)), path=path)
