"""Reference masks: what a person says is on the photo, to measure a model against.

Read from files next to the photo, or in a folder of their own, the first of these that is there: `NAME.json`, outlines
as labelme writes them; `NAME.mask.png`, the label id of each pixel; `NAME.CLASS.mask.png`, a mask of one class or, with
a number after the class, of one object; any COCO JSON, which may hold many photos. They belong to the upright photo.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from functools import lru_cache
from glob import escape
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from labkit.classes import IGNORE, VOC, LabelSet
from labkit.evaluation.outlines import (
    JSON_MB,
    drawn,
    limited,
    normal,
    outline,
    places,
    png_mask,
    read_json,
    refused,
    run_mask,
    scale,
    stem,
)
from labkit.io.errors import LabkitError
from labkit.segmentation import Segment, Segmentation

if TYPE_CHECKING:
    from labkit.photos import Photo

__all__ = ["find_ground_truth", "read_class_masks", "read_coco", "read_labelme", "read_mask"]

_UNKNOWN = "__ignore__"
"""What labelme calls a place that shall not count."""

_ENDING = ".mask.png"

_Labelled = tuple[int | None, np.ndarray]
"""A label id, None for a place that shall not count, and its mask, `HxW` bool."""


def find_ground_truth(photo: Photo, folder: str | Path | None = None, classes: LabelSet = VOC) -> Segmentation | None:
    """The reference of a photo, in `folder` or next to it; None where there is none.

    `made_by["objects"]` says whether it tells objects of one class apart. LabkitError (a ValueError), naming the file,
    where one is there and cannot be read.
    """
    if folder is None and photo.path is None:
        return None
    folder = Path(folder) if folder is not None else photo.path.parent
    name = stem(photo)
    own, index = folder / f"{name}.json", folder / f"{name}{_ENDING}"
    if own.is_file() and not _is_result(own) and _coco_record(own) is None:
        return read_labelme(own, photo, classes)
    if index.is_file():
        return read_mask(index, photo, classes)
    if masks := _files(folder, f"{escape(name)}.*{_ENDING}"):
        return read_class_masks(masks, photo, classes)
    for path in _files(folder, "*.json"):
        if _coco_record(path) is not None and (reference := read_coco(path, photo, classes)) is not None:
            return reference
    return None


def read_labelme(path: str | Path, photo: Photo, classes: LabelSet = VOC) -> Segmentation:
    """Labelme's JSON: polygons, rectangles, circles, masks; those of one class and one `group_id` are one object.

    Coordinates are scaled to the photo's working size. The label `__ignore__` is a place that shall not count; an
    outline of the background cuts a hole into those before it.
    """
    path = Path(path)
    record = read_json(path)
    try:
        size = record["imageWidth"], record["imageHeight"]
        scaling = scale(path, photo, size)
        shapes = [(str(s["label"]), s.get("shape_type"), s["points"], s) for s in record["shapes"]]
        limited(path, len(shapes), sum(len(points) for _, _, points, _ in shapes))
    except (AttributeError, KeyError, TypeError) as error:
        raise refused(path, "labelme", error=repr(error)) from error
    labelled: dict[Any, _Labelled] = {}
    for number, (label, kind, points, row) in enumerate(shapes, start=1):
        label_id, group = _label_id(path, label, classes), row.get("group_id")
        if kind == "mask":
            mask = png_mask(path, number, points, row.get("mask"), size, photo)
        else:
            mask = drawn(path, number, outline(path, number, kind, points) * scaling, photo)
        key = ("shape", number) if group is None else ("group", str(group), label_id)
        labelled[key] = (label_id, labelled[key][1] | mask if key in labelled else mask)
    annotation = _composed(path, photo, labelled.values(), classes)
    if any(str(row.get("description")).startswith("SAM") for *_, row in shapes):
        annotation.made_by["sam"] = True
    return annotation


def read_coco(path: str | Path, photo: Photo, classes: LabelSet = VOC) -> Segmentation | None:
    """The objects of one photo in a COCO JSON, found by the stem of `file_name`; None where the file has none.

    Polygons, compressed and uncompressed RLE, scaled to the photo's working size. Categories count by name. Where
    `iscrowd` is 1 nobody says which object is where: the confidence there is 0 (Lin et al., 2014, section 4.3).
    """
    path = Path(path)
    record = _coco_record(path)
    if record is None:
        raise refused(path, "coco", error="images, annotations, categories")
    try:
        images = _images_of(photo, record["images"])
        if not images:
            return None
        if len(images) > 1:
            raise refused(path, "twice", photo=images[0]["file_name"])
        rows = [row for row in record["annotations"] if row["image_id"] == images[0]["id"]]
        names = {row["id"]: str(row["name"]) for row in record["categories"]}
        size = images[0]["width"], images[0]["height"]
        scale(path, photo, size)
        limited(path, len(rows), _points(rows))
        labelled: list[_Labelled] = []
        for number, row in enumerate(rows, start=1):
            label_id = None if row.get("iscrowd") else _label_id(path, names[row["category_id"]], classes)
            labelled.append((label_id, _coco_mask(path, number, row["segmentation"], size, photo)))
    except (AttributeError, KeyError, TypeError) as error:
        raise refused(path, "coco", error=repr(error)) from error
    return _composed(path, photo, labelled, classes)


def read_mask(path: str | Path, photo: Photo, classes: LabelSet = VOC) -> Segmentation:
    """An index PNG: the label id of each pixel, scaled to the photo's working size.

    Where nobody labelled (255) there is no segment and the confidence is 0, everywhere else it is 1. A mask of nothing
    but 0 and 255 says where something is and not what: it is refused, and the error says how to name the class.
    """
    path = Path(path)
    image = _read_png(path, photo)
    if image.mode not in ("L", "P"):
        raise refused(path, "mode", mode=image.mode)
    labels = np.array(image)
    values = set(np.unique(labels).tolist())
    if values <= {0, IGNORE} and IGNORE in values:
        raise refused(path, "binary", stem=stem(photo), ending=_ENDING)
    if unknown := sorted(values - {*classes.ids, IGNORE}):
        raise refused(path, "values", found=unknown, classes=classes.name, last=len(classes) - 1)
    known = (labels != IGNORE).astype(np.float32)
    made_by = {"reference": path.name, "objects": False}
    return Segmentation.from_labels(photo, labels, known, classes, made_by)


def read_class_masks(paths: Sequence[str | Path], photo: Photo, classes: LabelSet = VOC) -> Segmentation:
    """Masks of one class each, `NAME.CLASS.mask.png`, or of one object each, `NAME.CLASS.2.mask.png`.

    What is lighter than half of the lightest pixel is in the mask, so 0 and 1 will do as well as 0 and 255; what is
    transparent is not.
    """
    paths = [Path(path) for path in paths]
    limited(paths[0], len(paths))
    start = len(normal(stem(photo))) + 1
    labelled: list[_Labelled] = []
    numbers = []
    for path in paths:
        label, number = re.fullmatch(r"(.*?)[\s._-]*(\d*)", normal(path.name)[start : -len(_ENDING)]).groups()
        numbers.append(number)
        label_id = _label_id(path, label, classes)
        image = _read_png(path, photo)
        if image.mode in ("RGBA", "LA", "PA"):
            image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image.convert("RGBA"))
        grey = np.array(image.convert("L") if image.mode in ("RGB", "RGBA") else image).astype(np.int64)
        labelled.append((label_id, grey * 2 > max(grey.max(), 1)))
    return _composed(paths[0], photo, labelled, classes, objects=all(numbers))


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if path.is_file())  # opening a pipe would wait for ever


def _composed(
    path: Path, photo: Photo, labelled: Iterable[_Labelled], classes: LabelSet, objects: bool = True
) -> Segmentation:
    """The later of two objects lies on top in `ids`; nobody knows only where there is no object."""
    size = photo.pixels.shape[:2]
    ids, unknown = np.zeros(size, np.int32), np.zeros(size, bool)
    segments: list[Segment] = []
    for label_id, mask in labelled:
        if label_id is None:
            unknown |= mask
        elif label_id == 0:
            ids[mask] = 0
            for segment in segments:
                segment.mask[mask] = False
        elif mask.any():
            segments.append(Segment(len(segments) + 1, label_id, classes.names[label_id], 1.0, mask))
            ids[mask] = len(segments)
    confidence = (~unknown | (ids > 0)).astype(np.float32)
    made_by = {"reference": path.name, "objects": objects}
    return Segmentation(photo, ids, confidence, [s for s in segments if s.mask.any()], classes, made_by)


def _coco_mask(path: Path, number: int, row: Any, size: tuple[int, int], photo: Photo) -> np.ndarray:
    """The mask of one `segmentation`: a list of polygons, or RLE; `size` is the picture's width and height."""
    if not isinstance(row, list):
        return run_mask(path, number, row, size, photo)
    scaling = scale(path, photo, size)
    if not row or not all(isinstance(flat, list) and len(flat) % 2 == 0 for flat in row):
        raise refused(path, "points", number=number)
    polygons = [places(path, number, list(zip(flat[::2], flat[1::2], strict=True))) for flat in row]
    return np.logical_or.reduce([drawn(path, number, corners * scaling, photo) for corners in polygons])


def _images_of(photo: Photo, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a COCO file whose name has the photo's stem; where some have its whole name, only these."""
    files = [(PureWindowsPath(normal(row["file_name"])), row) for row in rows]  # it knows both slashes
    same = [(file, row) for file, row in files if file.stem == normal(stem(photo))]
    whole = [row for file, row in same if photo.path is not None and file.name == normal(photo.path.name)]
    return whole or [row for _, row in same]


def _points(rows: list[dict[str, Any]]) -> int:
    polygons = [flat for row in rows if isinstance(row["segmentation"], list) for flat in row["segmentation"]]
    return sum(len(flat) for flat in polygons) // 2


def _coco_record(path: Path) -> dict[str, Any] | None:
    """What a COCO JSON holds, None for any other file; each is read once as long as it stays the same."""
    state = path.stat()
    return _coco_of(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4096)
def _coco_of(path: Path, changed: int, size: int) -> dict[str, Any] | None:
    if size <= JSON_MB * 1_000_000 and b'"annotations"' not in path.read_bytes():
        return None
    record = read_json(path)
    return record if isinstance(record, dict) and {"images", "annotations", "categories"} <= record.keys() else None


def _is_result(path: Path) -> bool:
    """Whether it is what `Segmentation.save` wrote, which says what a model thinks and nothing of what is there."""
    data = path.read_bytes() if path.stat().st_size <= JSON_MB * 1_000_000 else b""
    return b'"made_by"' in data and b'"rle"' in data and b'"shapes"' not in data


def _read_png(path: Path, photo: Photo) -> Image.Image:
    """A mask at the photo's working size, with no value that it did not have."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=["PNG"]) as image:
                scale(path, photo, image.size)
                height, width = photo.pixels.shape[:2]
                return image.resize((width, height), Image.Resampling.NEAREST)
    except LabkitError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise refused(path, "pixels", limit=Image.MAX_IMAGE_PIXELS // 1_000_000) from error
    except Exception as error:  # Pillow raises nearly every kind for a damaged file
        raise refused(path, "png", error=error) from error


def _label_id(path: Path, label: str, classes: LabelSet) -> int | None:
    if label == _UNKNOWN:
        return None
    try:
        return classes.id(label)
    except ValueError as error:
        valid = ", ".join(map(classes.label, classes.ids))
        raise refused(path, "label", label=label[:80], classes=classes.name, valid=valid) from error
