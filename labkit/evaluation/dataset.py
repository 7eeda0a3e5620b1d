"""A folder of labelled photos, in the layout of the kit's training data.

images/NAME.jpg        the photo; any other common format will do
semantic/NAME.png      8-bit label id of each pixel (255: not labelled)
instances/NAME.png     8-bit instance number of each pixel (optional; 255: not labelled)
instances.csv          one row an instance: image, instance, voc_id, area_px, x0, y0, x1, y1, ... (optional)
train.txt, val.txt     names, one a line
partial.txt            names of photos on which only some classes are labelled (optional): there a pixel without an
                       object is background only where the semantic labels say so

Photos and masks are upright, as everywhere in the kit. Text files may come from any editor or spreadsheet.
"""

import csv
import re
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import BinaryIO, TypeVar

import numpy as np
from PIL import Image, ImageOps

from labkit.classes import IGNORE, VOC
from labkit.evaluation.masks import LOW, by_palette, low
from labkit.io.decode import IMAGE_SUFFIXES, ORIENTATION, decode, layout, turn_hidden, why
from labkit.io.errors import LabkitError
from labkit.io.files import decoded, nfc, some
from labkit.io.sources import shown
from labkit.locale import text
from labkit.photos import MAX_PIXELS

__all__ = ["Dataset", "Instance"]

T = TypeVar("T")

_COLUMNS = ("instance", "voc_id", "area_px", "x0", "y0", "x1", "y1")
_HEAD = re.compile("|#.*|sep=.*|(?:images?|photo|file)?[ _]?(?:name|id)?s?|имя|файл|фото", re.IGNORECASE)
"""What stands above names."""

_SPLITS = {"train", "training", "val", "valid", "validation", "test"}
_UNSCALED = 1 << 20


@dataclass(frozen=True)
class Instance:
    """One labelled object: `number` in the instance image of photo `name`; `box` is `x0, y0, x1, y1`, exclusive end."""

    name: str
    number: int
    label_id: int
    area: int
    box: tuple[int, int, int, int]


class Dataset:
    """The photos of one split. Raises LabkitError, naming the path, where the layout is not as above."""

    def __init__(self, root: str | Path, split: str | Path):
        """`split` names a file in the folder or anywhere, with or without `.txt`; several, joined by commas."""
        self.root = Path(root)
        self._said: set[str] = set()
        self._files: dict[str, dict[str, Path]] = {}
        for folder, suffixes in (("images", IMAGE_SUFFIXES), ("semantic", {".png"}), ("instances", {".png"})):
            files = sorted((self.root / folder).glob("*"), reverse=True)  # .jpg before .png
            found = [file for file in files if file.suffix.lower() in suffixes]
            known = self._files[folder] = {nfc(file.stem): file for file in found}
            if twins := [file.name for file in found if known[nfc(file.stem)] != file]:
                self._say("dataset.twins", path=self.root / folder, names=some(twins))
        parts = [split] if isinstance(split, Path) else map(Path, re.split(r"\s*,\s*", split.strip()))
        self.names = list(dict.fromkeys(name for part in parts for name in self._read(part)))
        partial = self.root / "partial.txt"
        self.partial = frozenset(_read_split(partial, self._files["images"]) if partial.exists() else ())
        self._checked = False
        self._layouts: dict[str, tuple[tuple[int, int], int]] = {}

    def _read(self, split: Path) -> list[str]:
        split = split.with_suffix(".txt") if split.name and not split.suffix else split
        split = split if split.is_file() else self.root / split
        for needed in (self.root / "images", self.root / "semantic", split):
            if not needed.exists() or (needed == split and split.is_dir()):
                raise LabkitError(text("dataset.layout", path=needed))
        names = _read_split(split, self._files["images"])
        if missing := [shown(name)[:80] for name in names if name not in self._files["images"]]:
            path = self.root / "images" / f"{missing[0]}.jpg"
            raise LabkitError(text("dataset.photo", split=split, name=missing[0], path=path))
        return names

    def __len__(self) -> int:
        return len(self.names)

    def image(self, name: str) -> np.ndarray:
        """The upright photo, `HxWx3` uint8 RGB."""
        return _opened(self._files["images"][name], lambda file: decode(file, _UNSCALED, MAX_PIXELS).pixels)

    def semantic(self, name: str) -> np.ndarray:
        """The label id of each pixel, `HxW` uint8, 255 where nobody labelled.

        LabkitError for other ids or a size that is not the photo's, and where the masks of the whole split have only 0
        and 255: what is white there is meant as an object, and would count as not labelled. As what ids up to 5 count
        is said: they are perhaps somebody's own.
        """
        labels, path = self._mask("semantic", name), self.root / "semantic"
        if unknown := sorted(set(np.unique(labels).tolist()) - {*range(len(VOC)), IGNORE}):
            raise LabkitError(text("dataset.labels", path=path / f"{name}.png", found=unknown[:5], last=len(VOC) - 1))
        if not self._checked:
            values: set[int] = set()
            for one in self.names:
                values |= set(np.unique(self._mask("semantic", one)).tolist())
                if max(values - {IGNORE}, default=0) > LOW:
                    break
            if values <= {0, IGNORE}:
                raise LabkitError(text("dataset.binary", path=path))
            if taken := low(values):
                self._say("dataset.taken_for", path=path, taken=taken)
            self._checked = True
        return labels

    def instance_numbers(self, name: str) -> np.ndarray:
        """The instance number of each pixel, `HxW` uint8, 0 where there is none, 255 where nobody labelled.

        Numbers that only one of `instances.csv` and the mask has are said.
        """
        numbers = self._mask("instances", name)
        shown = set(np.unique(numbers).tolist()) - {0, IGNORE}
        listed = {number for number in range(1, IGNORE) if (name, number) in self._instances}
        for key, odd in (("dataset.lost", listed - shown), ("dataset.unlisted", shown - listed)):
            if odd and self._instances:
                self._say(key, path=self.root / "instances" / name, numbers=some(list(map(str, sorted(odd)))))
        if name in self.partial:
            numbers[(numbers == 0) & (self.semantic(name) == IGNORE)] = IGNORE
        return numbers

    def _mask(self, folder: str, name: str) -> np.ndarray:
        path = self._files[folder].get(name)
        if path is None:
            raise LabkitError(text("dataset.layout", path=self.root / folder / f"{name}.png"))
        image, is_oriented = _opened(path, _png)
        if image.mode not in ("1", "L", "P") and not (image.mode[0] == "I" and image.getextrema()[1] <= IGNORE):
            raise LabkitError(text("dataset.mode", path=path, mode=image.mode))
        by_color = by_palette(image) if folder == "semantic" and image.mode == "P" else None
        mask, (size, orientation) = np.array(image) if by_color is None else by_color, self._layout(name)
        if mask.shape != size:
            key = "dataset.turned" if mask.shape == size[::-1] else "dataset.size"
            raise LabkitError(text(key, name=f"{folder}/{name}.png", photo=size, labels=mask.shape))
        if turn_hidden(orientation, size == size[::-1]) and not is_oriented:
            self._say("dataset.mirrored", path=path.parent)
        return mask.astype(np.uint8)

    def _say(self, key: str, **values: object) -> None:
        """What a person should know and costs nothing, once."""
        if (said := text(key, **values)) not in self._said:
            self._said.add(said)
            print(said, file=sys.stderr)

    def _layout(self, name: str) -> tuple[tuple[int, int], int]:
        if name not in self._layouts:
            self._layouts[name] = _opened(self._files["images"][name], layout)
        return self._layouts[name]

    def instances(self) -> list[Instance]:
        """Every instance of this split, in the order of `instances.csv`; an empty list without that file."""
        return list(self._instances.values())

    @cached_property
    def _instances(self) -> dict[tuple[str, int], Instance]:
        path = self.root / "instances.csv"
        if not path.exists():
            return {}
        wanted, found = {_key(name): name for name in self.names}, dict[tuple[str, int], Instance]()
        known, lost = set(map(_key, self._files["images"])), []
        for line, row in _rows(path):
            given = _name(row.get("image", ""))
            if given and _key(given) not in known:
                lost.append(given)
            elif name := wanted.get(_key(given)):
                (height, width), _ = self._layout(name)
                try:
                    numbers = (re.sub(r"\s", "", row[key]).replace(",", ".") for key in _COLUMNS)
                    number, label_id, area, x0, y0, x1, y1 = (int(float(given)) for given in numbers)
                    box = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
                    valid = 0 < number < IGNORE and 0 <= label_id < len(VOC) and box[0] < box[2] and box[1] < box[3]
                    one = Instance(name, number, label_id, area, box)
                    if not valid or found.setdefault((name, number), one) != one:
                        raise ValueError
                except (KeyError, OverflowError, ValueError) as error:
                    raise LabkitError(text("dataset.row", path=path, line=line)) from error
        if lost:
            self._say("dataset.rows", path=path, count=len(lost), names=some(list(map(shown, dict.fromkeys(lost))), 3))
        return found


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table with the columns of `instances.csv`, each with the number of its line."""
    lines = decoded(path.read_bytes()).splitlines()
    above = 1 if lines and re.fullmatch('"?sep=."?', lines[0]) else 0  # Excel's
    delimiter = max(",;\t|", key=lines[above].count) if lines[above:] else ","
    head: list[str] = []
    for line, given in enumerate(lines[above:] or [""], start=above + 1):
        try:  # each line by itself: a stray quote would take all that follow it for one name
            cells = next(csv.reader([given], delimiter=delimiter, strict=True), [])
        except csv.Error as error:
            raise LabkitError(text("dataset.row", path=path, line=line)) from error
        if head and cells:
            yield line, dict(zip(head, cells, strict=False))
        elif not head:
            head = [name.strip().lower() for name in cells]
            if missing := [name for name in ("image", *_COLUMNS) if name not in head]:
                raise LabkitError(text("dataset.columns", path=path, missing=", ".join(missing)))


def _read_split(path: Path, known: Collection[str]) -> list[str]:
    """The names of a split file, spelled as the `known` ones: one a line, between commas, or a column of a table."""
    spelled = {_key(name): name for name in known}
    names: list[str] = []
    splits: set[str] = set()
    for line in decoded(path.read_bytes()).splitlines():
        whole, unflagged = _name(line), _name(re.sub(r"\s-?[01]$", "", line))
        cells = [_name(cell) for cell in re.split("[,;\t]", line.strip(" []"))]
        found = [name for name in (whole, unflagged) if _key(name) in spelled][:1]
        found = found or [cell for cell in cells if _key(cell) in spelled]
        if not found and not _HEAD.fullmatch(cells[0]):
            found = [whole]
        names += cells if len(found) > 1 else found
        splits |= {cell.lower() for cell in cells} & _SPLITS if found else set()
    if len(splits) > 1:
        raise LabkitError(text("dataset.splits", path=path, names=", ".join(sorted(splits))))
    if not (names := list(dict.fromkeys(spelled.get(_key(name), name) for name in names if name))):
        raise LabkitError(text("dataset.empty", path=path))
    return names


def _name(given: str) -> str:
    """A photo's name as lists have it, perhaps with its folder, its ending and signs that are not seen."""
    name = PureWindowsPath(nfc(given).strip("\ufeff\u200b\0\x1a").strip(" \"'\u00a0")).name
    return name[: -len(suffix)] if (suffix := PureWindowsPath(name).suffix).lower() in IMAGE_SUFFIXES else name


def _key(name: str) -> str:
    return name.casefold().replace("\u00a0", " ")


def _png(file: BinaryIO) -> tuple[Image.Image, bool]:
    """A mask as upright as its own EXIF tells, and whether it does."""
    image = Image.open(file, formats=["PNG"])
    return ImageOps.exif_transpose(image), ORIENTATION in image.getexif()


def _opened(path: Path, read: Callable[[BinaryIO], T]) -> T:
    try:
        with path.open("rb") as file:
            return read(file)
    except Exception as error:  # Pillow raises nearly every kind for a damaged file
        raise LabkitError(f"{path}: {why(error)}.") from error
