"""Ground truth: what a person says is on the photo, to measure a model against.

Read from files next to the photo, in a folder of their own or where CVAT, Label Studio and Roboflow put them, the
first of these that is there: `NAME.json`, outlines as labelme writes them; `NAME.mask.png`, the label id or the colour
of each pixel; `NAME.CLASS.mask.png`, a mask of one class or, with a number after the class, of one object; any COCO
JSON, which may hold many photos. They belong to the upright photo.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import unquote

import numpy as np
from PIL import Image

from labkit.classes import IGNORE, VOC, LabelSet
from labkit.evaluation.entries import FILE_MB, Entries, low
from labkit.io.decode import Unreadable
from labkit.io.errors import LabkitError
from labkit.io.files import decoded, some
from labkit.io.kit import KIT_IMAGES, KIT_OUTLINES
from labkit.io.sources import IMAGE_SUFFIXES, beside, mask_folders, masked, read_file, state
from labkit.locale import text
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = ["find_ground_truth", "read_class_masks", "read_coco", "read_labelme", "read_mask", "stem"]

_LOSSLESS = ["PNG", "BMP", "TIFF", "GIF"]
_EXPORTED = {"images", "image", "jpegimages", "img", "photos", "data"}
"""A folder of this name has its masks beside it, not in it."""

_FOREIGN = re.compile(
    r"_?annotations\.(?:xml|csv|txt|createml\.json)|task-\d+-annotation-.*-tag-.*|project-\d+-at-.*\.(?:json|[ct]sv)"
    r"|via_.*csv",
    re.IGNORECASE,
)
_RENAMED = re.compile(r"(?:[0-9a-f]{8}-)?(.+?)(?:_(?:jpe?g|png|webp|bmp)\.rf\..+)?", re.IGNORECASE | re.DOTALL)
"""Label Studio writes a code before a photo's name, Roboflow one behind it."""


def find_ground_truth(photo: Photo, folder: str | Path | None = None, classes: LabelSet = VOC) -> Segmentation | None:
    """The ground truth of a photo, in `folder` or next to it; None where there is none. The kit's photos have theirs.

    The classes are VOC's and, where these will not do, those of `classes`. `made_by["objects"]` says whether objects of
    one class are told apart, `made_by["notes"]` what could not be read. LabkitError (a ValueError), naming the file,
    where one is there and nothing of it can be read.
    """
    if folder is None:
        if photo.path is None:
            return None
        folder = KIT_OUTLINES if photo.path.parent.resolve() == KIT_IMAGES else photo.path.parent
    folder = Path(folder)
    files: list[Path] = []
    for place, of_masks in _places(folder).items():
        if (found := _own(photo, inside := beside(place), of_masks, classes)) is not None:
            return found
        files += inside
    if (found := _of_coco(photo, folder, files, classes)) is not None:
        return found
    for path in files:
        with suppress(OSError, Unreadable):
            if _is_foreign(path, stem(photo)):
                raise Entries(path, photo).refused("foreign")
    return None


def _of_coco(photo: Photo, folder: Path, files: list[Path], classes: LabelSet) -> Segmentation | None:
    """What the first COCO JSON with objects of the photo says; others that have some, or are broken, are noted.

    LabkitError where there is something wrong and nothing else.
    """
    found: list[Segmentation] = []
    errors: list[LabkitError] = []
    for path in (path for path in files if path.suffix.lower() == ".json"):
        try:
            if _coco_record(path, strict=path.parent == folder) and (one := read_coco(path, photo, classes)):
                found.append(one)
        except LabkitError as error:
            errors.append(error)
    first, *others = sorted(found, key=lambda one: not one.segments) or [None]
    if errors and (first is None or not first.segments):
        raise errors[0]
    if first is not None:
        more = [one.made_by["annotation"] for one in others if one.segments]
        said = [text("annotations.several", taken=first.made_by["annotation"], others=some(more))] if more else []
        first.made_by["notes"] += [*map(str, errors), *said]
    return first


def _places(folder: Path) -> dict[Path, bool]:
    """Where to look, each with whether it is a folder of masks: the folder and what lies around exported images.

    Those of masks lie in the folder, beside it or beside the images, divided as these are.
    """
    exported = [up for up in (folder, *folder.parents[:3]) if up.name.lower() in _EXPORTED]
    places = dict.fromkeys([folder, *(up.parent for up in exported)], False)
    for root, part in [(folder, Path()), *((up.parent, folder.relative_to(up)) for up in (folder, *exported))]:
        for masks in mask_folders(root):
            places |= {masks / part: True, masks: True}
    return places


def _own(photo: Photo, files: list[Path], of_masks: bool, classes: LabelSet) -> Segmentation | None:
    """What a photo has files of its own for in a folder."""
    own_stem, whole = stem(photo).casefold(), _normal(photo.path.name if photo.path else photo.name).casefold()
    by_name = {_normal(path.name).casefold(): path for path in files}
    own = by_name.get(f"{own_stem}.json", by_name.get(f"{whole}.json"))
    if own is not None and not _is_result(own) and _coco_record(own) is None:
        return read_labelme(own, photo, classes)
    for name, suffix in map(os.path.splitext, by_name):
        is_own = masked(name) == own_stem or (of_masks and name == own_stem)
        if is_own and suffix in IMAGE_SUFFIXES and by_name[name + suffix] != photo.path:
            return read_mask(by_name[name + suffix], photo, classes)
    masks = [path for name, path in by_name.items() if name.startswith(f"{own_stem}.") and _class_of(path, photo)]
    return read_class_masks(masks, photo, classes) if masks else None


def read_labelme(path: str | Path, photo: Photo, classes: LabelSet = VOC) -> Segmentation:
    """Labelme's JSON: polygons, rectangles, circles, masks; those of one class and one `group_id` are one object.

    So are those whose label has the same number, as in `cat-1`. Coordinates are scaled to the photo's working size. The
    label `__ignore__` is a place that shall not count; an outline of the background cuts a hole into those before it.
    """
    entries = Entries(Path(path), photo, classes)
    record = _json(entries)
    if not isinstance(record, dict) or not isinstance(record.get("shapes"), list):
        raise entries.refused("labelme")
    shapes = record["shapes"]
    entries.limit(len(shapes), sum(len(row["points"]) for row in shapes if _has_list(row, "points")))
    entries.sized(record.get("imageWidth"), record.get("imageHeight"))
    for number, row in enumerate(shapes, start=1):
        with entries.entry(number):
            label_id, count = entries.label(row["label"])
            if row.get("shape_type") == "mask":
                mask = entries.part(number, row["points"], row.get("mask"))
            else:
                mask = entries.shape(number, row.get("shape_type"), row["points"])
            group = row.get("group_id")
            entries.add(label_id, mask, group if group is not None else f"-{count}" if count else None)
    truth = entries.composed()
    if any(isinstance(row, dict) and str(row.get("description")).startswith("SAM") for row in shapes):
        truth.made_by["sam"] = True
    return truth


def read_coco(path: str | Path, photo: Photo, classes: LabelSet = VOC) -> Segmentation | None:
    """The objects of one photo in a COCO JSON, found by the stem of `file_name`; None where the file has none.

    Polygons, compressed and uncompressed RLE, scaled to the photo's working size. Categories count by name. Where
    `iscrowd` is 1 nobody says which object is where: the confidence there is 0 (Lin et al., 2014, section 4.3). CVAT
    writes it of every mask that was painted, and of these it means nothing.
    """
    entries = Entries(Path(path), photo, classes)
    record = _coco_record(Path(path))
    if record is None or not all(isinstance(record.get(key), list) for key in ("images", "annotations", "categories")):
        raise entries.refused("coco")
    named = [row for row in record["images"] if isinstance(row, dict) and isinstance(row.get("file_name"), str)]
    if record["images"] and not named:
        raise entries.refused("coco")
    pictures = list({(_id(row, "id"), row["file_name"]): row for row in named}.values())
    images = _images_of(photo, pictures)
    if not images:
        return None
    if len(images) > 1:
        raise entries.refused("twice", photo=images[0]["file_name"])
    every = [row for row in record["annotations"] if isinstance(row, dict)]
    known, wanted = Counter(_id(row, "id") for row in pictures), _id(images[0], "id")
    rows = [row for row in every if _id(row, "image_id") == wanted]
    if rows and known[wanted] > 1:
        raise entries.refused("same_ids", id=wanted, photo=images[0]["file_name"])
    if lost := len(record["annotations"]) - sum(_id(row, "image_id") in known for row in every):
        entries.notes.append(str(entries.refused("lost", lost)))
    outlines = [row["segmentation"] for row in rows if _has_list(row, "segmentation")]
    entries.limit(len(rows), sum(len(flat) if isinstance(flat, list) else 1 for row in outlines for flat in row) // 2)
    if rows:
        entries.sized(images[0].get("width"), images[0].get("height"))
    names: dict[str, set[str]] = {}
    for row in (row for row in record["categories"] if isinstance(row, dict) and "name" in row):
        names.setdefault(_id(row, "id"), set()).add(str(row["name"]))
    means_nothing = all(map(_is_crowd, every))
    for number, row in enumerate(rows, start=1):
        with entries.entry(number):
            label_id, category = None, names.get(_id(row, "category_id"), set())
            if not _is_crowd(row) or "attributes" in row or means_nothing:
                if len(category) != 1:
                    raise entries.refused("category", number=number, id=str(row.get("category_id"))[:40])
                label_id, _ = entries.label(*category)
            outline = row.get("segmentation") or []
            mask = (entries.polygons if isinstance(outline, list) else entries.runs)(number, outline)
            entries.add(label_id, mask)
    return entries.composed()


def _is_crowd(row: dict[str, Any]) -> bool:
    return _id(row, "iscrowd") in ("1", "True")


def read_mask(path: str | Path, photo: Photo, classes: LabelSet = VOC) -> Segmentation:
    """An index PNG: the label id of each pixel, or its colour, scaled to the photo's working size.

    Colours are those of CVAT's `labelmap.txt` beside it, else PASCAL VOC's; label ids are those of Roboflow's
    `_classes.csv`, else VOC's, else those of `classes`. Objects are told apart where `SegmentationObject` lies beside
    `SegmentationClass`. Where nobody labelled (255) there is no segment and the confidence is 0, everywhere else it is
    1. A mask of nothing but 0 and 255 says where something is and not what: it is refused, and the error says how to
    name the class.
    """
    path = Path(path)
    entries = Entries(path, photo, classes)
    image = entries.image(path, _LOSSLESS)
    colors, ids = _key(entries)
    if image.mode in ("RGB", "RGBA") or (image.mode == "P" and (colors or (not ids and _has_voc_colors(image)))):
        labels = _by_color(entries, image.convert("RGB"), colors)
    elif image.mode in ("1", "L", "LA", "P"):
        labels = np.array(image if image.mode == "P" else image.convert("L"))
        if ids:
            if unlisted := sorted(set(np.unique(labels).tolist()) - ids.keys()):
                entries.notes.append(str(entries.refused("unlisted", found=some(list(map(str, unlisted)), 5))))
            labels = np.array([ids.get(value, IGNORE) for value in range(256)], np.uint8)[labels]
    else:
        raise entries.refused("mode", mode=image.mode)
    values = set(np.unique(labels).tolist())
    if not colors and not ids:
        if {IGNORE} <= values <= {0, IGNORE}:
            raise entries.refused("binary", stem=stem(photo))
        if values == {0}:
            entries.notes.append(str(entries.refused("blank")))
        if taken := low(values):
            entries.notes.append(str(entries.refused("taken_for", taken=taken, stem=stem(photo))))
    labelled_in = VOC if values <= {*VOC.ids, IGNORE} else entries.classes if colors or ids else classes
    if unknown := sorted(values - {*labelled_in.ids, IGNORE}):
        limits = {"classes": classes.name, "last": len(classes) - 1}
        raise entries.refused("values", found=unknown[:5], stem=stem(photo), **limits)
    of_objects = Path(*(re.sub("(?i)^segmentationclass", "SegmentationObject", part) for part in path.parent.parts))
    for file in beside(of_objects) if of_objects != path.parent else []:
        if file.stem == path.stem:
            return _with_objects(entries, labels, np.array(entries.image(file, _LOSSLESS)))
    known = (labels != IGNORE).astype(np.float32)
    return Segmentation.from_labels(photo, labels, known, labelled_in, entries.made_by(objects=False))


def _with_objects(entries: Entries, labels: np.ndarray, numbers: np.ndarray) -> Segmentation:
    """Each object, a number or a colour of its own, with the class that most of it has."""
    if numbers.ndim == 3:
        numbers = numbers[..., :3].astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])
    entries.add(None, labels == IGNORE)
    for number in np.unique(numbers[(labels > 0) & (labels != IGNORE)]).tolist():
        mask = (numbers == number) & (labels > 0) & (labels != IGNORE)
        entries.add(int(np.bincount(labels[mask]).argmax()), mask)
    return entries.composed()


def _by_color(entries: Entries, image: Image.Image, colors: dict[tuple[int, ...], int]) -> np.ndarray:
    """Label ids by the colours of classes, without any by VOC's own; what has only greys holds the ids themselves."""
    found, places = np.unique(np.array(image).reshape(-1, 3), axis=0, return_inverse=True)
    known = colors or _voc_colors()
    if unknown := [color for color in map(tuple, found.tolist()) if color not in known]:
        if not colors and (found == found[:, :1]).all():
            return np.array(image)[..., 0]
        raise entries.refused("colors", found=some(list(map(str, unknown)), 3))
    ids = np.array([known[tuple(color)] for color in found.tolist()], np.uint8)
    return ids[places].reshape(image.size[::-1])


def _has_voc_colors(image: Image.Image) -> bool:
    """Whether a palette's colours say what its numbers do not: an editor puts the ones that are there in any order."""
    colors = {color for _, color in image.convert("RGB").getcolors() or ()}
    return len(colors) == len(image.getcolors() or ()) and colors <= _voc_colors().keys()


def _voc_colors() -> dict[tuple[int, ...], int]:
    """PASCAL VOC's own colours: the bits of a label id, three at a time, from the highest bit of each channel down."""

    def channel(label_id: int, lowest: int) -> int:
        return sum((label_id >> 3 * place + lowest & 1) << 7 - place for place in range(3))

    return {tuple(channel(label_id, n) for n in range(3)): label_id for label_id in (*VOC.ids, IGNORE)}


def _key(entries: Entries) -> tuple[dict[tuple[int, ...], int], dict[int, int]]:
    """The label ids of colours by CVAT's `labelmap.txt`, and of values by Roboflow's `_classes.csv`, here or above.

    A class that the kit does not know is noted and counts as not labelled.
    """
    key: dict[tuple[int, ...], int] = {}
    for path in (file for up in entries.path.parents[:3] for file in beside(up)):
        if path.name.lower() in ("labelmap.txt", "_classes.csv"):
            for line in decoded(read_file(path, FILE_MB)).splitlines():
                row = re.match(r"(?P<label>[^#:]+):(?P<value>\d+,\d+,\d+)", line)
                if row := row or re.match(r'[\s"]*(?P<value>\d+)[\s"]*[,;\t][\s"]*(?P<label>[^,;\t"]+)', line):
                    value = tuple(map(int, row["value"].split(",")))
                    key[value] = IGNORE
                    with entries.entry(0):
                        label_id, _ = entries.label(row["label"])
                        key[value] = IGNORE if label_id is None else label_id
    return {k: n for k, n in key.items() if len(k) == 3}, {k[0]: n for k, n in key.items() if len(k) == 1}


def read_class_masks(paths: Sequence[str | Path], photo: Photo, classes: LabelSet = VOC) -> Segmentation:
    """Masks of one class each, `NAME.CLASS.mask.png`, or of one object each, `NAME.CLASS.2.mask.png`.

    What is lighter than half of the lightest pixel is in the mask, so 0 and 1 will do as well as 0 and 255; of one that
    is partly transparent, what is not.
    """
    entries = Entries(Path(paths[0]), photo, classes)
    entries.limit(len(paths))
    numbers = []
    for place, path in enumerate(map(Path, paths), start=1):
        entries.path = path
        with entries.entry(place):
            label_id, number = entries.label(_class_of(path, photo))
            image = entries.image(path, [*_LOSSLESS, "JPEG", "WEBP"])
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                alpha = image.convert("RGBA").getchannel("A")
                image = alpha if alpha.getextrema() != (255, 255) else image.convert("RGB")
            grey = np.array(image.convert("L") if image.mode in ("RGB", "RGBA") else image).astype(np.int64)
            entries.add(label_id, grey * 2 > max(grey.max(), 1))
            numbers.append(number)
    return entries.composed(objects=all(numbers))


def _class_of(path: Path, photo: Photo) -> str:
    """What stands between a photo's name and `.mask.png`; nothing where it is no mask of one class."""
    name = _normal(path.name)
    named = re.fullmatch(r"\.(.+)\.mask\.(\w+)", name[len(stem(photo)) :], re.IGNORECASE)
    return named[1] if named and f".{named[2].lower()}" in IMAGE_SUFFIXES else ""


def _images_of(photo: Photo, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a COCO file whose name has the photo's stem; where some have its whole name, only these.

    A name in other letters, or one that Label Studio or Roboflow has changed, counts where no other does.
    """
    files = [PureWindowsPath(_normal(unquote(row["file_name"]))) for row in rows]  # it knows both slashes
    own_stem, name = stem(photo), _normal(photo.path.name) if photo.path is not None else ""
    same: list[int] = []
    for key in (str, str.casefold, lambda file_stem: _RENAMED.fullmatch(file_stem)[1]):
        same = same or [n for n, file in enumerate(files) if key(file.stem) == key(own_stem)]
    whole = [n for n in same if files[n].name == name]
    return [rows[n] for n in whole or same]


def _id(row: dict[str, Any], key: str) -> str:
    """Some tools write an id as a word, some with zeros before it, some with a point and a zero."""
    given = str(row.get(key)).strip()
    number = re.fullmatch(r"0*(\d+)(?:\.0*)?", given)
    return number[1] if number else given


def _has_list(row: Any, key: str) -> bool:
    return isinstance(row, dict) and isinstance(row.get(key), list)


def _json(entries: Entries) -> Any:
    try:
        return json.loads(decoded(entries.content()))
    except json.JSONDecodeError as error:
        raise entries.refused("json", line=error.lineno, column=error.colno) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; lists in lists in lists
        raise entries.refused("json", line=1, column=1) from error


def _coco_record(path: Path, strict: bool = True) -> dict[str, Any] | None:
    """What a COCO JSON holds, None for any other file; each is read once as long as it stays the same.

    LabkitError where it looks like it and cannot be read, unless it lies so far off that it is perhaps not ours.
    """
    try:
        return _coco_of(path, state(path))
    except LabkitError:
        if strict:
            raise
        return None


@lru_cache(maxsize=4096)
def _coco_of(path: Path, state: tuple[int, int]) -> dict[str, Any] | None:
    entries = Entries(path, _NO_PHOTO)
    if '"annotations"' not in decoded(entries.content()):
        return None
    record = _json(entries)
    return record if isinstance(record, dict) and {"images", "annotations"} <= record.keys() else None


def _is_result(path: Path) -> bool:
    """Whether it is what `Segmentation.save` wrote, which says what a model thinks and nothing of what is there."""
    content = Entries(path, _NO_PHOTO).content()
    return b'"made_by"' in content and b'"rle"' in content and b'"shapes"' not in content


def _is_foreign(path: Path, own: str) -> bool:
    """Whether it is an annotation in a format that is not read.

    XML, YOLO's, CreateML's, and the own formats of Label Studio, VIA and Datumaro.
    """
    is_json = path.suffix.lower() == ".json"
    if is_json and _coco_record(path, strict=False):
        return False
    if _FOREIGN.fullmatch(path.name):
        return True
    if is_json:
        content = read_file(path, FILE_MB)
        via = b'"_via_img_metadata"' in content or b'"shape_attributes"' in content
        return via or (b'"annotations"' in content and (b'"data"' in content or b'"items"' in content))
    if path.stem == own and path.suffix.lower() == ".txt":
        rows = [line.split() for line in decoded(read_file(path, FILE_MB)).splitlines() if line.strip()]
        return bool(rows) and all(len(row) > 4 and all(re.fullmatch(r"-?[\d.]+", n) for n in row) for row in rows)
    return path.stem == own and path.suffix.lower() == ".xml"


_NO_PHOTO = Photo("", np.zeros((1, 1, 3), np.uint8))


def stem(photo: Photo) -> str:
    """What a photo's masks are named after: its file's stem, whatever it is called in its set."""
    return _normal(photo.path.stem if photo.path is not None else photo.name)


def _normal(name: str) -> str:
    """macOS writes the й of a file name as two characters."""
    return unicodedata.normalize("NFC", name)
