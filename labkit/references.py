"""Reference masks: what a person says is on the photo, to measure a model against.

Read from a file next to the photo (or in a folder of their own): `NAME.json`, outlines as labelme writes them, or
`NAME.mask.png`, the label id of each pixel.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from labkit.classes import IGNORE, VOC, LabelSet
from labkit.segmentation import Segment, Segmentation

if TYPE_CHECKING:
    from labkit.images import Photo

__all__ = ["find_reference", "read_labelme", "read_mask"]


def find_reference(photo: Photo, folder: str | Path | None = None, classes: LabelSet = VOC) -> Segmentation | None:
    """The reference of a photo, in `folder` or next to it; None where there is none.

    ValueError, naming the file, where one is there and cannot be read.
    """
    if folder is None and photo.path is None:
        return None
    folder = Path(folder) if folder is not None else photo.path.parent
    stem = photo.path.stem if photo.path is not None else photo.name
    for path, read in ((folder / f"{stem}.json", read_labelme), (folder / f"{stem}.mask.png", read_mask)):
        if path.exists():
            return read(path, photo, classes)
    return None


def read_labelme(path: str | Path, photo: Photo, classes: LabelSet = VOC) -> Segmentation:
    """Outlines in labelme's JSON: one segment a polygon; its coordinates are scaled to the photo's working size."""
    path = Path(path)
    height, width = photo.pixels.shape[:2]
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        scale_x, scale_y = width / record["imageWidth"], height / record["imageHeight"]
        shapes = [(str(s["label"]), [(x * scale_x, y * scale_y) for x, y in s["points"]]) for s in record["shapes"]]
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OSError) as error:
        raise ValueError(f"{path} is no labelme file ({error!r}); it needs shapes, imageWidth, imageHeight") from error
    ids = np.zeros((height, width), np.int32)
    segments = []
    for number, (label, points) in enumerate(shapes, start=1):
        if len(points) < 3:
            raise ValueError(f"{path}: the outline {number} ({label}) has {len(points)} points; 3 or more make a mask")
        try:
            label_id = classes.id(label)
        except ValueError as error:
            raise ValueError(f"{path}: the outline {number}: {error}") from error
        canvas = Image.new("1", (width, height))
        ImageDraw.Draw(canvas).polygon(points, fill=1)
        mask = np.array(canvas)
        ids[mask] = number
        segments.append(Segment(number, label_id, classes.names[label_id], 1.0, mask))
    return Segmentation(photo, ids, np.ones(ids.shape, np.float32), segments, classes, {"reference": path.name})


def read_mask(path: str | Path, photo: Photo, classes: LabelSet = VOC) -> Segmentation:
    """An index PNG: the label id of each pixel, scaled to the photo's working size.

    Where nobody labelled (255) there is no segment and the confidence is 0, everywhere else it is 1.
    """
    path = Path(path)
    height, width = photo.pixels.shape[:2]
    try:
        with Image.open(path) as image:
            if image.mode not in ("L", "P"):
                raise ValueError(f"its mode is {image.mode}; label ids are 8-bit grey or palette")
            labels = np.array(image.resize((width, height), Image.Resampling.NEAREST))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is no label mask: {error}") from error
    if unknown := sorted(set(np.unique(labels).tolist()) - set(range(len(classes))) - {IGNORE}):
        raise ValueError(f"{path} has the labels {unknown}; {classes.name} has 0 to {len(classes) - 1}, and 255")
    known = (labels != IGNORE).astype(np.float32)
    return Segmentation.from_labels(photo, labels, known, classes, made_by={"reference": path.name})
