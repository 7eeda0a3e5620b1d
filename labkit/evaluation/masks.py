"""Masks as pictures: label ids or colours, one file a photo, or one file a class or an object."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from labkit.classes import IGNORE, VOC, LabelSet, label_set
from labkit.evaluation.entries import Entries, content, stem
from labkit.io.decode import IMAGE_SUFFIXES
from labkit.io.files import decoded, nfc, some
from labkit.io.folders import beside
from labkit.io.masks import KEYS
from labkit.photos import Photo
from labkit.segmentation import Segmentation

__all__ = ["LOSSLESS", "LOW", "by_palette", "class_of", "low", "read_class_masks", "read_mask"]

LOW = 5
"""Label ids up to this are perhaps those of somebody's own few classes."""

_CITYSCAPES = (7, 8, 11, 12, 13, 17, *range(19, 29), 31, 32, 33)
"""The label ids of the classes on which Cityscapes is trained, in their order; what is lower counts nowhere."""

LOSSLESS = ["PNG", "BMP", "TIFF", "GIF"]


def low(values: set[int]) -> str:
    """The classes that the label ids of masks count as, where none is higher than `LOW`; nothing for other masks."""
    return _named(values, VOC) if max(values - {IGNORE}, default=0) <= LOW else ""


def _named(values: set[int], classes: LabelSet) -> str:
    return some([f"{n} ({classes.label(n)})" for n in sorted(values - {0, IGNORE})])


def read_mask(path: Path, photo: Photo, classes: LabelSet = VOC) -> Segmentation:
    """An index PNG: the label id of each pixel, or its colour, scaled to the photo's working size.

    Colours are those of CVAT's `labelmap.txt` or `label_colors.txt` beside it, else PASCAL VOC's; label ids are the
    lines of `label_colors.txt`, those of Roboflow's `_classes.csv` or labelme's `class_names.txt`, Cityscapes' where
    the file is named so, else VOC's, else those of `classes`. Objects are told apart where `SegmentationObject` lies
    beside `SegmentationClass`, `instanceIds` beside `labelIds`. Where nobody labelled (255) there is no segment and the
    confidence is 0, everywhere else it is 1. A mask of nothing but 0 and 255 says where something is and not what: it
    is refused, and the error says how to name the class.
    """
    entries = Entries(path, photo, classes)
    image = entries.image(path, LOSSLESS)
    colors, ids = _key(entries)
    if image.mode in ("RGB", "RGBA") or (image.mode == "P" and colors):
        labels = _by_color(entries, image.convert("RGB"), colors)
    elif image.mode == "P" and not ids and (named := by_palette(image)) is not None:
        labels, colors = named, _voc_colors()
    elif image.mode in ("1", "L", "LA", "P") or (image.mode.startswith("I") and image.getextrema()[1] <= IGNORE):
        labels = np.array(image if image.mode[0] in "PI" else image.convert("L")).astype(np.uint8)
        colors = {}
        if ids:
            if unlisted := sorted(set(np.unique(labels).tolist()) - ids.keys()):
                entries.note("unlisted", found=some(list(map(str, unlisted)), 5), classes=entries.classes.name)
            labels = np.array([ids.get(value, IGNORE) for value in range(256)], np.uint8)[labels]
    else:
        raise entries.refused("mode", mode=image.mode)
    values = set(np.unique(labels).tolist())
    if values == {IGNORE} and (colors or ids) and not entries.notes:
        raise entries.refused("nothing", classes=entries.classes.name)
    labelled_in = VOC if values <= {*VOC.ids, IGNORE} else entries.classes if colors or ids else classes
    if unknown := sorted(values - {*labelled_in.ids, IGNORE}):
        raise entries.refused("values", found=unknown[:5], classes=classes.name, last=len(classes) - 1)
    if not colors and not ids:
        if {IGNORE} <= values <= {0, IGNORE}:
            raise entries.refused("binary")
        if taken := low(values) if labelled_in is VOC else _named(values, labelled_in):
            entries.note("taken_for", taken=taken, classes=labelled_in.name)
    of_objects = Path(*(re.sub("(?i)^segmentationclass", "SegmentationObject", part) for part in path.parts))
    of_objects = of_objects.with_stem(re.sub("(?i)labelids", "instanceIds", of_objects.stem))
    beside_it = [file for file in beside(of_objects.parent) if file.stem == of_objects.stem and of_objects != path]
    numbers = np.array(entries.image(beside_it[0], LOSSLESS)) if beside_it else labels
    if numbers.ndim == 3:  # a colour of its own for each object
        numbers = numbers[..., :3].astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])[: numbers.shape[2]]
    entries.classes, known = labelled_in, (labels > 0) & (labels != IGNORE)
    entries.add(None, labels == IGNORE)
    for number in np.unique(numbers[known]).tolist():
        mask = (numbers == number) & known
        entries.add(int(np.bincount(labels[mask]).argmax()), mask)  # the class that most of it has
    return entries.composed(objects=bool(beside_it))


def _by_color(entries: Entries, image: Image.Image, colors: dict[tuple[int, ...], int]) -> np.ndarray:
    """Label ids by the colours of classes, without any by VOC's own; what has only greys holds the ids themselves."""
    found, places = np.unique(np.array(image).reshape(-1, 3), axis=0, return_inverse=True)
    known = {(0, 0, 0): 0, **colors} if colors else _voc_colors()
    if unknown := [color for color in map(tuple, found.tolist()) if color not in known]:
        if not colors and (found == found[:, :1]).all():
            return np.array(image)[..., 0]
        raise entries.refused("colors", found=some(list(map(str, unknown)), 3))
    ids = np.array([known[tuple(color)] for color in found.tolist()], np.uint8)
    return ids[places].reshape(image.size[::-1])


def by_palette(image: Image.Image) -> np.ndarray | None:
    """The label ids of a picture whose palette has VOC's colours; None for another.

    They say what its numbers do not: an editor puts the ones that are there in any order.
    """
    known, used = _voc_colors(), {number for _, number in image.getcolors()}
    palette = dict(enumerate(map(tuple, np.reshape(image.getpalette("RGB"), (-1, 3)).tolist())))
    colors = [palette.get(number) for number in used]
    if len(set(colors)) < len(colors) or not set(colors) <= known.keys():
        return None
    return np.array([known.get(palette.get(number), 0) for number in range(256)], np.uint8)[np.array(image)]


def _voc_colors() -> dict[tuple[int, ...], int]:
    """PASCAL VOC's own colours: the bits of a label id, three at a time, from the highest bit of each channel down."""
    ids = np.array([*VOC.ids, IGNORE])
    bits = ids[:, None, None] >> np.arange(9).reshape(3, 3) & 1
    return dict(zip(map(tuple, (bits << [[7], [6], [5]]).sum(1).tolist()), ids.tolist(), strict=True))


def _key(entries: Entries) -> tuple[dict[tuple[int, ...], int], dict[int, int]]:
    """The label ids of colours and of values, by the lists here or above; an unknown class is noted."""
    key: dict[tuple[int, ...], int] = {}
    for path in (file for up in entries.path.parents[:3] for file in beside(up)):
        pattern = KEYS.get(path.name.lower())
        lines = decoded(content(path)).splitlines() if pattern else []
        for number, line in enumerate(lines, start=-1 if lines and lines[0].strip() == "__ignore__" else 0):
            if row := re.match(pattern or "", line):
                value = tuple(map(int, re.findall(r"\d+", row["value"]))) or (number,)
                values = {value, (number,)} if path.name.lower() == "label_colors.txt" else {value}
                key |= dict.fromkeys(values, IGNORE)
                with entries.entry(0):
                    label_id, _ = entries.label(row["label"])
                    key |= dict.fromkeys(values, IGNORE if label_id is None else label_id)
    named = re.search("_gt(?:fine|coarse)_label(train)?ids", entries.path.stem, re.IGNORECASE)
    if named and not key:
        key |= {(n,): IGNORE for n in range(0 if named[1] else 7)} | {(IGNORE,): IGNORE}
        for place, value in enumerate(_CITYSCAPES):
            if (name := label_set("Cityscapes").names[place + 1]) in entries.classes:
                key[place if named[1] else value,] = entries.classes.id(name)
    return {k: n for k, n in key.items() if len(k) == 3}, {k[0]: n for k, n in key.items() if len(k) == 1}


def read_class_masks(paths: Sequence[Path], photo: Photo, classes: LabelSet = VOC) -> Segmentation:
    """Masks of one class each, `NAME.CLASS.mask.png`, or of one object each, `NAME.CLASS.2.mask.png`.

    What is lighter than half of the lightest pixel is in the mask, so 0 and 1 will do as well as 0 and 255; of one that
    is partly transparent, what is not.
    """
    entries = Entries(paths[0], photo, classes)
    entries.limit(len(paths))
    numbers = []
    for place, path in enumerate(paths, start=1):
        entries.path = path
        with entries.entry(place):
            label_id, number = entries.label(class_of(path, photo))
            image = entries.image(path, [*LOSSLESS, "JPEG", "WEBP"])
            if image.has_transparency_data:
                alpha = image.convert("RGBA").getchannel("A")
                image = alpha if alpha.getextrema() != (255, 255) else image.convert("RGB")
            is_grey = image.mode[0] in "1LIF"  # numbers of a palette say nothing of how light its colours are
            grey = np.array(image if is_grey else image.convert("L")).astype(np.int64)
            mask = grey * 2 > max(grey.max(), 1)
            if label_id and mask[[0, 0, -1, -1], [0, -1, 0, -1]].all():
                entries.note("inverted")
            entries.add(label_id, mask)
            numbers.append(number)
    return entries.composed(objects=all(numbers))


def class_of(path: Path, photo: Photo) -> str:
    """What stands between a photo's name and `.mask.png`; nothing where it is no mask of one class."""
    name = nfc(path.name)
    named = re.fullmatch(r"(?:\.jpe?g|\.png)?\.(.+)\.mask\.(\w+)", name[len(stem(photo)) :], re.IGNORECASE)
    return named[1] if named and f".{named[2].lower()}" in IMAGE_SUFFIXES else ""
