"""Outlines as labelme writes them."""

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np

from labkit.classes import VOC, LabelSet
from labkit.evaluation.entries import MAX_PIXELS, MAX_SIDE, ODD, Entries, has_list, parsed
from labkit.io.decode import opened
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = ["MADE", "read_labelme"]

MADE = "SAM, labkit.annotate"  # what describes a shape that the kit itself has written

_CORNERS = {"polygon": None, "rectangle": (2, 4), "circle": (2,)}
_CORNERS |= dict.fromkeys(("oriented_rectangle", "rotation", "quadrilateral"), (4,))
"""How many points a labelme shape of each kind has; None: any number. X-AnyLabeling's rectangles have four."""


def read_labelme(path: Path, photo: Photo, classes: LabelSet = VOC) -> Segmentation:
    """Labelme's JSON: polygons, rectangles, circles, masks; those of one class and one `group_id` are one object.

    So are those whose label has the same number, as in `cat-1`. Coordinates are scaled to the photo's working size. The
    label `__ignore__` is a place that shall not count; an outline of the background cuts a hole into those before it.
    """
    entries = Entries(path, photo, classes)
    record = parsed(path)
    if not has_list(record, "shapes"):
        raise entries.refused("labelme")
    shapes = record["shapes"]
    entries.limit(len(shapes), sum(len(row["points"]) for row in shapes if has_list(row, "points")))
    entries.sized(record.get("imageWidth"), record.get("imageHeight"))
    for number, row in enumerate(shapes, start=1):
        with entries.entry(number):
            label_id, count = entries.label(row["label"])
            mask = _part(entries, row) if row.get("shape_type") == "mask" else _shape(entries, row)
            group = row.get("group_id")
            entries.add(label_id, mask, group if group is not None else f"-{count}" if count else None)
    said = {str(row.get("description")) for row in shapes if isinstance(row, dict)}
    entries.oriented = MADE in said  # by clicks on the photo as it is seen
    truth = entries.composed()
    if any(one.startswith("SAM") for one in said):
        truth.made_by["sam"] = True
    return truth


def _shape(entries: Entries, row: dict[str, Any]) -> np.ndarray:
    """The mask of a labelme shape that is drawn."""
    kind, corners = row.get("shape_type") or "polygon", entries.pairs(row["points"])
    counts = _CORNERS.get(str(kind), ())
    if counts is not None and len(corners) not in counts:
        raise entries.refused("shape", kind=str(kind)[:40], count=len(corners))
    if kind == "rectangle":
        (left, top), (right, bottom) = corners.min(0), corners.max(0)
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    elif kind == "circle":  # the centre and a point on it
        angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
        around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        corners = corners[0] + np.hypot(*(corners[1] - corners[0])) * around
    return entries.drawn(corners)


def _part(entries: Entries, row: dict[str, Any]) -> np.ndarray:
    """A labelme shape of kind `mask`: a PNG in base64, from one corner to another, both in."""
    corners = entries.pairs(row["points"])
    if len(corners) != 2 or (np.abs(corners) > MAX_SIDE).any():
        raise entries.refused("shape", kind="mask", count=len(corners))
    (left, top), (right, bottom) = corners.astype(int)
    try:
        png = base64.b64decode(re.sub(r"^data:[^,]*,|\s", "", row["mask"]), validate=True)
        with opened(png, ["PNG"], MAX_PIXELS) as image:
            if image.size != (right - left + 1, bottom - top + 1):
                raise ValueError
            part = np.array(image.convert("I")) != 0
    except ODD as error:
        raise entries.refused("part") from error
    height, width = part.shape
    x, y = entries.seen()
    rows, columns = np.clip(y - top + 1, 0, height + 1), np.clip(x - left + 1, 0, width + 1)
    return np.pad(part, 1)[np.ix_(rows, columns)]
