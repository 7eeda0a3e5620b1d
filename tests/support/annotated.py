"""Annotations as people and their tools write them."""

import base64
import json
import struct
import zlib
from dataclasses import replace

import numpy as np
from pictured import written
from PIL import Image

from labkit.photos import Photo


def put(folder, files):
    """Writes files by their names: pictures, masks `HxW`, text, bytes; None is an empty file."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, np.ndarray):
            content = Image.fromarray(content)
        if isinstance(content, Image.Image):
            content.save(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content or b"")


def write_shapes(path, *shapes, size=(100, 80)):
    """A labelme file of shapes; `size` is width and height."""
    record = {"imageWidth": size[0], "imageHeight": size[1], "shapes": shapes}
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def coco_record(*annotations, size=(100, 80), names=("cat", "собака"), files=("x.jpg",)):
    """What a COCO file says; each annotation gives its category's place in `names`, and is of the first picture."""
    return {
        "images": [{"id": 7 + n, "file_name": f, "width": size[0], "height": size[1]} for n, f in enumerate(files)],
        "categories": [{"id": 40 + n, "name": name} for n, name in enumerate(names)],
        "annotations": [
            {"id": n, "image_id": 7, "category_id": 40 + place, "segmentation": mask, "iscrowd": 0, **more}
            for n, (place, mask, more) in enumerate(annotations)
        ],
    }


def write_coco(path, *annotations, changes=(), **more):
    """Such a file, with what `changes` in it."""
    path.write_text(json.dumps({**coco_record(*annotations, **more), **dict(changes)}), encoding="utf-8")
    return path


def block(left, top, right, bottom, size=(80, 100)):
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


CAT = block(10, 10, 60, 50)
CAT_SHAPE = {"label": "cat", "points": [[10, 10], [59, 10], [59, 49], [10, 49]]}  # the same by labelme's outline


def runs_of(mask):
    """Uncompressed RLE: columns first, zeros first."""
    changes = np.flatnonzero(np.diff(mask.T.ravel(), prepend=False))
    return {"size": list(mask.shape), "counts": np.diff([0, *changes, mask.size]).tolist()}


CAT_ROW = (0, runs_of(CAT), {})  # the same in a COCO file


def header(width, height, path):
    """A PNG of so many pixels of which only the header is there."""
    path.write_bytes(png_bytes(width, height, 8, 0, b"\0" * 1000))
    return path


def png_bytes(width, height, bits, color, rows):
    """A PNG as told, of which Pillow writes few and checks all: `rows` are what would be compressed."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def base64_png(part):
    """A mask as labelme writes it."""
    return base64.b64encode(written(Image.fromarray(part.astype(np.uint8)))).decode()


def blank(name="x", width=100, height=80, path=None):
    """A grey photo, `path` being where it was read from."""
    return replace(Photo.from_pixels(name, np.full((height, width, 3), 127, np.uint8)), path=path)
