"""Training crops: class-balanced, at several scales, with objects of other photos pasted in.

Balance: the class of a crop is drawn with probability ~ (photos that show it)^0.35 and the crop is centred on it.
Copy-paste: Ghiasi et al. (2021), "Simple Copy-Paste"; the class of a pasted object is drawn ~ (objects)^0.2.
Both teach the rare classes and make them look more frequent than they are, so both fade out as training goes on: the
last crops are nearly those of the photos themselves, drawn in proportion to their pixels, as the score counts them.
"""

from collections import defaultdict
from typing import TypeVar

import numpy as np
import torch
from PIL import Image, ImageFilter

from labkit.classes import IGNORE, VOC
from labkit.evaluation.dataset import Dataset, Instance
from labkit.training.loop import Stream

__all__ = ["PASTE_FROM", "CopyPaste", "Crops", "draw_member", "finish", "is_pet", "jitter"]

PASTE_FROM = 900  # least area, in pixels, of an object that is pasted

_BALANCED = (0.75, 0.25)
_PASTED = (0.45, 0.12)
"""Shares at the start and at the end: crops drawn by class; chances of each of two objects to be pasted."""

_MIN_CLASS_PIXELS = 200

T = TypeVar("T")
Square = tuple[Image.Image, np.ndarray]  # a square of a photo and its labels (`SxS` uint8, 255: not labelled)


class CopyPaste(Stream):
    """Squares of `side` pixels, cut out of photos and pasted into.

    A photo's longest side is scaled to between `scales[0]` and `scales[1]` pixels first.
    """

    def __init__(self, dataset: Dataset, side: int, scales: tuple[int, int], seed: int):
        super().__init__(seed)
        self.dataset, self.side, self.scales = dataset, side, scales
        self._photos = {name: dataset.image(name) for name in dataset.names}
        self._numbers: dict[str, np.ndarray] = {}
        self._weights = np.array([0.5 if is_pet(name) else 1.0 for name in dataset.names])

    def _anywhere(self, rng: np.random.Generator) -> tuple[str, tuple[float, float]]:
        """A photo, drawn by its weight, and a place (x, y) on it."""
        name = self.dataset.names[rng.choice(len(self._weights), p=self._weights / self._weights.sum())]
        height, width = self._photos[name].shape[:2]
        return name, (rng.uniform(0, width), rng.uniform(0, height))

    def _cut(
        self, rng: np.random.Generator, name: str, labels: np.ndarray, centre: tuple[float, float], spread: float = 0.0
    ) -> Square:
        """A square of a photo and of its labels (`HxW` uint8) near `centre` (x, y), at a random scale.

        It is stretched by up to 12 %; `spread` moves the centre by a share of the square. Beyond the photo lie grey
        pixels and the label 255.
        """
        photo, (height, width) = self._photos[name], labels.shape
        scale = np.exp(rng.uniform(*np.log(self.scales))) / max(height, width)
        stretch = np.exp(rng.uniform(-0.12, 0.12))
        crop_w, crop_h = self.side / (scale * stretch), self.side / (scale / stretch)
        x0 = _start(rng, centre[0] + rng.normal(0, 1) * spread * crop_w, crop_w, width)
        y0 = _start(rng, centre[1] + rng.normal(0, 1) * spread * crop_h, crop_h, height)
        left, top = int(np.floor(min(x0, 0))), int(np.floor(min(y0, 0)))
        right, bottom = int(np.ceil(max(x0 + crop_w, width))), int(np.ceil(max(y0 + crop_h, height)))
        pad = ((-top, bottom - height), (-left, right - width))
        photo = np.pad(photo, (*pad, (0, 0)), constant_values=127)
        labels = np.pad(labels, pad, constant_values=IGNORE)
        size, window = (self.side, self.side), (x0 - left, y0 - top, x0 - left + crop_w, y0 - top + crop_h)
        image = Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR, box=window)
        return image, np.array(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST, box=window))

    def _paste(
        self, rng: np.random.Generator, square: Square, instance: Instance, longest: float, label: int
    ) -> Square:
        """An object pasted anywhere, up to a quarter outside, its `label` into the labels.

        Its longest side has so many pixels, or is enlarged 2.5 times.
        """
        image, labels = square
        x0, y0, x1, y1 = instance.box
        mask = (self._numbers[instance.name][y0:y1, x0:x1] == instance.number).astype(np.uint8) * 255
        scale = min(longest / max(mask.shape), 2.5)
        size = (max(8, round((x1 - x0) * scale)), max(8, round((y1 - y0) * scale)))
        parts = (self._photos[instance.name][y0:y1, x0:x1], mask)
        patch, alpha = (Image.fromarray(part).resize(size, Image.Resampling.BILINEAR) for part in parts)
        patch = jitter(rng, patch)
        if rng.random() < 0.5:
            patch, alpha = (part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for part in (patch, alpha))
        x = int(rng.uniform(-0.25 * patch.width, image.width - 0.75 * patch.width))
        y = int(rng.uniform(-0.25 * patch.height, image.height - 0.75 * patch.height))
        image = image.copy()
        image.paste(patch, (x, y), alpha.filter(ImageFilter.GaussianBlur(0.7)))
        cover = Image.new("L", image.size)
        cover.paste(alpha, (x, y))
        return image, np.where(np.asarray(cover) > 127, np.uint8(label), labels)


class Crops(CopyPaste):
    """An endless stream of `(pixels, labels)`: `3xSxS` uint8 and `SxS` uint8 (255: ignored); S is `side`."""

    def __init__(self, dataset: Dataset, side: int = 256, scales: tuple[int, int] = (232, 560), seed: int = 0):
        super().__init__(dataset, side, scales, seed)
        self._labels = {name: dataset.semantic(name) for name in dataset.names}
        self._weights *= [labels.size for labels in self._labels.values()]
        self._by_class: dict[int, list[str]] = defaultdict(list)
        for name, labels in self._labels.items():
            counts = np.bincount(labels.ravel(), minlength=256)[: len(VOC)]
            for label_id in np.flatnonzero(counts[1:] >= _MIN_CLASS_PIXELS) + 1:
                self._by_class[label_id].append(name)
        self._objects: dict[int, list[Instance]] = defaultdict(list)
        for instance in dataset.instances():
            if instance.label_id and instance.area >= PASTE_FROM:
                self._objects[instance.label_id].append(instance)
                if instance.name not in self._numbers:
                    self._numbers[instance.name] = dataset.instance_numbers(instance.name)

    def draw(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """One crop."""
        balanced, pasted = (start + (end - start) * self.progress.item() for start, end in (_BALANCED, _PASTED))
        if self._by_class and rng.random() < balanced:
            label_id, name = draw_member(rng, self._by_class, 0.35)
            image, labels = self._crop(rng, name, label_id)
        else:
            name, centre = self._anywhere(rng)
            image, labels = self._cut(rng, name, self._labels[name], centre)
        square = jitter(rng, image), labels
        for _ in range(rng.binomial(2, pasted) if self._objects else 0):
            label_id, instance = draw_member(rng, self._objects, 0.2)
            square = self._paste(rng, square, instance, self.side * rng.uniform(0.22, 0.75), label_id)
        return finish(rng, *square)

    def _crop(self, rng: np.random.Generator, name: str, label_id: int) -> Square:
        """A crop around a pixel of a class."""
        row, column = rng.choice(np.argwhere(self._labels[name] == label_id))
        return self._cut(rng, name, self._labels[name], (column, row), spread=1 / 6)


def is_pet(name: str) -> bool:
    """Whether a photo is of the Oxford-IIIT Pet dataset: a pet fills its photo and is learned soon."""
    return name.startswith("pet_")


def draw_member(
    rng: np.random.Generator, groups: dict[int, list[T]], power: float, chances: np.ndarray | None = None
) -> tuple[int, T]:
    """A key of `groups`, drawn ~ (members)^power, and one of its members, by `chances` or all alike."""
    keys = list(groups)
    weights = np.array([len(groups[key]) for key in keys], float) ** power
    key = keys[rng.choice(len(keys), p=weights / weights.sum())]
    return key, groups[key][rng.choice(len(groups[key]), p=chances)]


def finish(rng: np.random.Generator, image: Image.Image, labels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Now and then blurred, grey or mirrored: `3xSxS` and `SxS` uint8."""
    if rng.random() < 0.1:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
    pixels = np.array(image)
    if rng.random() < 0.05:
        pixels[:] = pixels.mean(axis=2, keepdims=True).astype(np.uint8)
    if rng.random() < 0.5:
        pixels, labels = pixels[:, ::-1], labels[:, ::-1]
    return (
        torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))),
        torch.from_numpy(np.ascontiguousarray(labels)),
    )


def _start(rng: np.random.Generator, centre: float, extent: float, available: int) -> float:
    """Where a window of this extent starts: inside the photo where it fits, else anywhere that shows all of it."""
    if extent >= available:
        return rng.uniform(available - extent, 0)
    return float(np.clip(centre - extent / 2, 0, available - extent))


def jitter(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Random brightness, contrast and colour balance."""
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.93, 1.07, 3)
    offset = rng.uniform(-18, 18)
    saturation = rng.uniform(0.6, 1.3)
    pixels = np.asarray(image).astype(np.float32)
    grey = pixels.mean(axis=2, keepdims=True)
    pixels = (grey + (pixels - grey) * saturation - 127) * gain + 127 + offset
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
