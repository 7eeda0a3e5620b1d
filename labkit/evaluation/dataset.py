"""A folder of labelled photos, in the layout of the kit's training data.

images/NAME.jpg        the photo
semantic/NAME.png      8-bit label id of each pixel (255: not labelled)
instances/NAME.png     8-bit instance number of each pixel (optional; 255: not labelled)
instances.csv          one row an instance: image, instance, voc_id, area_px, x0, y0, x1, y1, ... (optional)
train.txt, val.txt     names, one a line
partial.txt            names of photos on which only some classes are labelled (optional): there a pixel without an
                       object is background only where the semantic labels say so
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from labkit.classes import IGNORE, VOC
from labkit.io.errors import LabkitError
from labkit.locale import text

__all__ = ["Dataset", "Instance", "read_split"]


@dataclass(frozen=True)
class Instance:
    """One labelled object: `number` in the instance image of photo `name`; `box` is `x0, y0, x1, y1`, exclusive end."""

    name: str
    number: int
    label_id: int
    area: int
    box: tuple[int, int, int, int]


def read_split(path: Path) -> list[str]:
    """The names listed in a split file; LabkitError where it holds none."""
    names = path.read_text(encoding="utf-8").split()
    if not names:
        raise LabkitError(text("dataset.empty", path=path))
    return names


class Dataset:
    """The photos of one split. Raises LabkitError, naming the path, where the layout is not as above."""

    def __init__(self, root: str | Path, split: str | Path):
        """`split` names a file in the folder or anywhere, with or without `.txt`; several, joined by commas."""
        self.root = Path(root)
        self.names: list[str] = []
        for file in [split] if isinstance(split, Path) else split.split(","):
            self.names += self._read(Path(file))
        partial = self.root / "partial.txt"
        self.partial = frozenset(read_split(partial) if partial.exists() else ())

    def _read(self, split: Path) -> list[str]:
        if split.suffix == "":
            split = split.with_suffix(".txt")
        if not split.is_absolute() and not split.exists():
            split = self.root / split
        for needed in (self.root / "images", self.root / "semantic", split):
            if not needed.exists():
                raise LabkitError(text("dataset.layout", path=needed))
        names = read_split(split)
        missing = [name for name in names if not self.image_path(name).exists()]
        if missing:
            raise LabkitError(text("dataset.photo", split=split, name=missing[0], path=self.image_path(missing[0])))
        return names

    def __len__(self) -> int:
        return len(self.names)

    def image_path(self, name: str) -> Path:
        return self.root / "images" / f"{name}.jpg"

    def image(self, name: str) -> Image.Image:
        """The photo as an RGB image."""
        with Image.open(self.image_path(name)) as image:
            return image.convert("RGB")

    def semantic(self, name: str) -> np.ndarray:
        """The label id of each pixel, `HxW` uint8, 255 where nobody labelled.

        LabkitError for other ids or a size that is not the photo's.
        """
        path = self.root / "semantic" / f"{name}.png"
        if not path.exists():
            raise LabkitError(text("dataset.layout", path=path))
        with Image.open(path) as image:
            labels = np.array(image)
        unknown = np.setdiff1d(labels, [*range(len(VOC)), IGNORE])
        if labels.ndim != 2 or len(unknown):
            raise LabkitError(text("dataset.labels", path=path, found=unknown[:5].tolist(), last=len(VOC) - 1))
        with Image.open(self.image_path(name)) as photo:
            size = (photo.height, photo.width)
        if labels.shape != size:
            raise LabkitError(text("dataset.size", name=name, photo=size, labels=labels.shape))
        return labels

    def instance_numbers(self, name: str) -> np.ndarray:
        """The instance number of each pixel, `HxW` uint8, 0 where there is none, 255 where nobody labelled."""
        with Image.open(self.root / "instances" / f"{name}.png") as image:
            numbers = np.array(image)
        if name in self.partial:
            numbers[(numbers == 0) & (self.semantic(name) == IGNORE)] = IGNORE
        return numbers

    def instances(self) -> list[Instance]:
        """Every instance of this split, in the order of `instances.csv`; an empty list without that file."""
        path = self.root / "instances.csv"
        if not path.exists():
            return []
        wanted = set(self.names)
        with path.open(encoding="utf-8", newline="") as file:
            return [
                Instance(
                    row["image"],
                    int(row["instance"]),
                    int(row["voc_id"]),
                    int(row["area_px"]),
                    tuple(int(row[key]) for key in ("x0", "y0", "x1", "y1")),
                )
                for row in csv.DictReader(file)
                if row["image"] in wanted
            ]
