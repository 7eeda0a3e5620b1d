"""COCO JSON: the objects of one photo among many."""

import json
import re
from collections import defaultdict
from functools import lru_cache
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import unquote

import numpy as np

from labkit.classes import VOC, LabelSet
from labkit.evaluation.entries import Entries, content, has_list, parsed, stem
from labkit.io.errors import LabkitError
from labkit.io.files import decoded, nfc, some
from labkit.io.folders import beside, state
from labkit.io.masks import photo_folders, renamed
from labkit.io.rle import run_lengths
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = ["coco_record", "pictures_of", "plain", "read_coco"]

_TABLES = ("images", "annotations", "categories")


def read_coco(path: Path, photo: Photo, classes: LabelSet = VOC) -> Segmentation | None:
    """The objects of one photo in a COCO JSON, found by the stem of `file_name`; None where the file has none.

    Polygons, compressed and uncompressed RLE, scaled to the photo's working size. Categories count by name. Where
    `iscrowd` is 1 nobody says which object is where: the confidence there is 0 (Lin et al., 2014, section 4.3). CVAT
    writes it of every mask that was painted, and of these it means nothing.
    """
    entries = Entries(path, photo, classes)
    record = coco_record(path)
    if not all(has_list(record, key) for key in _TABLES):
        raise entries.refused("coco")
    listed, every, categories = ([row for row in record[key] if isinstance(row, dict)] for key in _TABLES)
    pictures = {(_id(row, "id"), row["file_name"]): row for row in listed if isinstance(row.get("file_name"), str)}
    if record["images"] and not pictures:
        raise entries.refused("coco")
    if not (images := _images_of(photo, list(pictures.values()))):
        return None
    file, wanted = images[0]["file_name"], _id(images[0], "id")
    if len(images) > 1:
        raise entries.refused("twice", photo=file)
    rows = [row for row in every if _id(row, "image_id") in (wanted, file)]
    if any("segments_info" in row for row in rows):
        raise entries.refused("panoptic")
    if rows and [number for number, _ in pictures].count(wanted) > 1:
        raise entries.refused("same_ids", id=wanted, photo=file)
    ids = {part for picture in pictures for part in picture}
    if lost := len(record["annotations"]) - sum(_id(row, "image_id") in ids for row in every):
        entries.note("lost", lost)
    outlines = [row["segmentation"] for row in rows if has_list(row, "segmentation")]
    entries.limit(len(rows), sum(len(flat) if isinstance(flat, list) else 1 for row in outlines for flat in row) // 2)
    if rows:
        entries.sized(images[0].get("width"), images[0].get("height"))
    if rows and photo.path is not None and (here := photo.path.resolve().parent) not in entries.path.resolve().parents:
        parts = PureWindowsPath(nfc(file)).parts
        alike = (up / photo.path.name for up in photo_folders(here.parent) if up != here)
        others = [f"{path.parent.name}/{path.name}" for path in alike if path in beside(path.parent)]
        if others and (len(parts) == 1 or parts != photo.path.parts[-len(parts) :]):
            entries.note("shared", names=some(others))
    names: dict[str, set[str]] = defaultdict(set)
    for row in (row for row in categories if "name" in row):
        names[_id(row, "id")].add(str(row["name"]))
    named = set().union(*names.values())
    means_nothing = all(map(_is_crowd, every))
    for number, row in enumerate(rows, start=1):
        with entries.entry(number):
            if _is_crowd(row) and "attributes" not in row and not means_nothing:
                entries.note("crowd")
                label_ids = {None}
            else:
                category = _id(row, "category_id")
                label_ids = {entries.label(name)[0] for name in names.get(category, named & {category})}
            if len(label_ids) != 1:
                raise entries.refused("category", id=str(row.get("category_id"))[:40])
            label_id = label_ids.pop()
            for part in _parts(entries, row.get("segmentation")):
                with entries.entry():
                    entries.add(label_id, _mask(entries, part), group=number)
    return entries.composed()


def _is_crowd(row: dict[str, Any]) -> bool:
    return _id(row, "iscrowd") in ("1", "True")


def pictures_of(path: Path) -> list[PureWindowsPath]:
    """The names of the pictures that a COCO JSON lists; none of any other file."""
    record = coco_record(path, strict=False)
    rows = record["images"] if record is not None and has_list(record, "images") else []
    names = (str(row["file_name"]) for row in rows if isinstance(row, dict) and "file_name" in row)
    return [PureWindowsPath(nfc(unquote(name)).rpartition("?d=")[2]) for name in names]


def _images_of(photo: Photo, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows whose name has the photo's stem, also in other letters or as a tool changed it: the closest.

    What is called as another photo beside this one is that one's.
    """
    own_stem, folders = stem(photo), tuple(map(nfc, photo.path.parts)) if photo.path is not None else ("",)
    name = folders[-1]
    for read in (str, unquote):
        names = (nfc(read(row["file_name"])).rpartition("?d=")[2] for row in rows)  # Label Studio's, of own files
        files = list(map(PureWindowsPath, names))  # it knows both slashes
        for key in (str, str.casefold, renamed, plain):
            same = [n for n, file in enumerate(files) if key(file.stem) == key(own_stem)]
            if same and key is not str and photo.path is not None:
                others = {nfc(path.stem) for path in beside(photo.path.parent)} - {own_stem}
                same = [n for n in same if files[n].stem not in others]
            if same:
                exact = [n for n in same if files[n].name == name]
                tail = [n for n in exact if files[n].parts == folders[-len(files[n].parts) :]]
                return [rows[n] for n in tail if len(tail) == 1] or [rows[n] for n in exact or same]
    return []


def plain(name: str) -> str:
    """A stem without blanks and signs, in place of which Label Studio and Roboflow write others."""
    return re.sub(r"[\W_]+", "-", renamed(name).casefold()).strip("-") or name


def _id(row: dict[str, Any], key: str) -> str:
    """Some tools write an id as a word, some with zeros before it, some with a point and a zero."""
    given = str(row.get(key)).strip()
    number = re.fullmatch(r"0*(\d+)(?:\.0*)?", given)
    return number[1] if number else given


def _parts(entries: Entries, outline: Any) -> list[Any]:
    """The polygons or RLE of an object: one, or a list of both, also as text."""
    if isinstance(outline, str):
        outline = json.loads(outline)
    parts = outline if isinstance(outline, list) else [outline] * bool(outline)
    if parts and not any(isinstance(part, dict) or (isinstance(part, list) and len(part) != 2) for part in parts):
        parts = [parts]  # x, y, x, y, … or pairs of them
    if not any(parts):
        raise entries.refused("box")
    return list(filter(None, parts))


def _mask(entries: Entries, part: Any) -> np.ndarray:
    """The mask of a polygon or RLE; this is looked up only where the photo has pixels, so that no size takes memory."""
    if not isinstance(part, dict):
        flat = np.ravel(part)
        entries.limit(1, flat.size // 2)
        return entries.drawn(entries.pairs(flat if flat.size % 2 else flat.reshape(-1, 2)))
    width, height = entries.size
    try:
        runs = run_lengths(part, (height, width))
    except ValueError as error:
        sizes = {"given": str(part.get("size"))[:40], "width": width, "height": height, "pixels": width * height}
        raise entries.refused("rle", **sizes) from error
    x, y = entries.seen()
    return np.searchsorted(np.cumsum(runs), x[:, None] * height + y, side="right").T % 2 == 1


def coco_record(path: Path, strict: bool = True) -> dict[str, Any] | None:
    """What a COCO JSON holds, None for any other file; each is read once as long as it stays the same.

    LabkitError where it looks like it and cannot be read, unless it lies so far off that it is perhaps not ours.
    """
    try:
        return _record_of(path, state(path))
    except LabkitError:
        if strict:
            raise
        return None


@lru_cache(maxsize=4096)
def _record_of(path: Path, state: tuple[int, int]) -> dict[str, Any] | None:
    if '"annotations"' not in decoded(content(path)):
        return None
    record = parsed(path)
    return record if isinstance(record, dict) and {"images", "annotations"} <= record.keys() else None
