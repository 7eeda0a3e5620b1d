"""Training crops: class-balanced, at several scales, with objects of other photos pasted in.

Balance: the class of a crop is drawn with probability ~ (photos that show it)^0.35 and the crop is centred on it.
Copy-paste: Ghiasi et al. (2021), "Simple Copy-Paste"; the class of a pasted object is drawn ~ (objects)^0.2.
Both teach the rare classes and make them look more frequent than they are, so both fade out as training goes on: the
last crops are nearly those of the photos themselves, drawn in proportion to their pixels, as the score counts them.
"""

from collections import defaultdict

import numpy as np
import torch
from PIL import Image, ImageFilter

from labkit.classes import IGNORE, VOC
from labkit.evaluation.dataset import Dataset, Instance
from labkit.training.loop import Stream

__all__ = ["Crops", "cut", "draw_class", "finish", "jitter", "paste", "patch_of"]

_BALANCED = (0.75, 0.25)
_PASTED = (0.45, 0.12)
"""Shares at the start and at the end: crops drawn by class; chances of each of two objects to be pasted."""

_MIN_CLASS_PIXELS = 200
_MIN_OBJECT_PIXELS = 900


class Crops(Stream):
    """An endless stream of `(pixels, labels)`: `3xSxS` uint8 and `SxS` uint8 (255: ignored).

    `side` is S; the photo's longest side is scaled to between `scales[0]` and `scales[1]` pixels first.
    """

    def __init__(self, dataset: Dataset, side: int = 256, scales: tuple[int, int] = (232, 560), seed: int = 0):
        super().__init__(seed)
        self.dataset, self.side, self.scales = dataset, side, scales
        self._photos = {name: dataset.image(name) for name in dataset.names}
        self._labels = {name: dataset.semantic(name) for name in dataset.names}
        self._by_class: dict[int, list[str]] = defaultdict(list)
        for name, labels in self._labels.items():
            counts = np.bincount(labels.ravel(), minlength=256)
            for label_id in range(1, len(VOC)):
                if counts[label_id] >= _MIN_CLASS_PIXELS:
                    self._by_class[label_id].append(name)
        self._objects: dict[int, list[Instance]] = defaultdict(list)
        for instance in dataset.instances():
            if instance.label_id and instance.area >= _MIN_OBJECT_PIXELS:
                self._objects[instance.label_id].append(instance)
        self._numbers = {
            name: dataset.instance_numbers(name)
            for name in {i.name for objects in self._objects.values() for i in objects}
        }
        sizes = [self._labels[name].size * (0.5 if name.startswith("pet_") else 1.0) for name in dataset.names]
        self._photo_weights = np.array(sizes)
        self._photo_weights /= self._photo_weights.sum()

    def draw(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """One crop."""
        label_id, progress = None, self.progress.item()
        balanced, pasted = (start + (end - start) * progress for start, end in (_BALANCED, _PASTED))
        if self._by_class and rng.random() < balanced:
            label_id = draw_class(rng, self._by_class, 0.35)
            name = self._by_class[label_id][rng.integers(len(self._by_class[label_id]))]
        else:
            name = self.dataset.names[rng.choice(len(self.dataset.names), p=self._photo_weights)]
        image, labels = self._crop(rng, name, label_id)
        image = jitter(rng, image)
        if self._objects:
            for _ in range(rng.binomial(2, pasted)):
                image, labels = self._paste(rng, image, labels)
        return finish(rng, image, labels)

    def _crop(self, rng, name: str, label_id: int | None) -> tuple[Image.Image, np.ndarray]:
        photo, labels = self._photos[name], self._labels[name]
        height, width = labels.shape
        centre = rng.uniform(0, width), rng.uniform(0, height)
        if label_id is not None:
            rows, columns = np.nonzero(labels[::4, ::4] == label_id)
            if len(rows) == 0:
                rows, columns = np.array([height // 8]), np.array([width // 8])
            pick = rng.integers(len(rows))
            centre = columns[pick] * 4, rows[pick] * 4
        return cut(rng, photo, labels, self.side, self.scales, centre, spread=0 if label_id is None else 1 / 6)

    def _paste(self, rng, image: Image.Image, labels: np.ndarray) -> tuple[Image.Image, np.ndarray]:
        label_id = draw_class(rng, self._objects, 0.2)
        objects = self._objects[label_id]
        instance = objects[rng.integers(len(objects))]
        longest = self.side * rng.uniform(0.22, 0.75)
        patch, alpha = patch_of(self._photos[instance.name], self._numbers[instance.name], instance, longest)
        return paste(rng, image, labels, patch, alpha, label_id)


def cut(
    rng: np.random.Generator,
    photo: np.ndarray,
    labels: np.ndarray,
    side: int,
    scales: tuple[int, int],
    centre: tuple[float, float],
    spread: float = 0.0,
) -> tuple[Image.Image, np.ndarray]:
    """A square of a photo (`HxWx3` uint8) and of its labels (`HxW` uint8) near `centre` (x, y), at a random scale.

    The photo's longest side becomes `scales[0]` to `scales[1]` pixels, stretched by up to 12 %; `spread` moves the
    centre by a share of the square. Beyond the photo lie grey pixels and the label 255.
    """
    height, width = labels.shape
    low, high = scales
    scale = np.exp(rng.uniform(np.log(low), np.log(high))) / max(height, width)
    stretch = np.exp(rng.uniform(-0.12, 0.12))
    crop_w, crop_h = side / (scale * stretch), side / (scale / stretch)
    x0 = _place(rng, centre[0] + rng.normal(0, 1) * spread * crop_w, crop_w, width)
    y0 = _place(rng, centre[1] + rng.normal(0, 1) * spread * crop_h, crop_h, height)
    left, top = int(np.floor(min(x0, 0))), int(np.floor(min(y0, 0)))
    right, bottom = int(np.ceil(max(x0 + crop_w, width))), int(np.ceil(max(y0 + crop_h, height)))
    window = (x0 - left, y0 - top, x0 - left + crop_w, y0 - top + crop_h)
    if (left, top, right, bottom) != (0, 0, width, height):
        pad = ((-top, bottom - height), (-left, right - width))
        photo = np.pad(photo, (*pad, (0, 0)), constant_values=127)
        labels = np.pad(labels, pad, constant_values=IGNORE)
    size = (side, side)
    image = Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR, box=window)
    return image, np.array(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST, box=window))


def patch_of(
    photo: np.ndarray, numbers: np.ndarray, instance: Instance, longest: float
) -> tuple[Image.Image, Image.Image]:
    """An object cut out, its longest side so many pixels or enlarged 2.5 times, and where it covers (`L`, 0 or 255)."""
    x0, y0, x1, y1 = instance.box
    mask = (numbers[y0:y1, x0:x1] == instance.number).astype(np.uint8) * 255
    scale = min(longest / max(mask.shape), 2.5)
    size = (max(8, round((x1 - x0) * scale)), max(8, round((y1 - y0) * scale)))
    patch, alpha = (
        Image.fromarray(part).resize(size, Image.Resampling.BILINEAR) for part in (photo[y0:y1, x0:x1], mask)
    )
    return patch, alpha


def paste(
    rng: np.random.Generator, image: Image.Image, labels: np.ndarray, patch: Image.Image, alpha: Image.Image, label: int
) -> tuple[Image.Image, np.ndarray]:
    """An object pasted anywhere, up to a quarter outside: `patch` where `alpha` is set, `label` into `labels`."""
    patch = jitter(rng, patch)
    if rng.random() < 0.5:
        patch, alpha = (i.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for i in (patch, alpha))
    x = int(rng.uniform(-0.25 * patch.width, image.width - 0.75 * patch.width))
    y = int(rng.uniform(-0.25 * patch.height, image.height - 0.75 * patch.height))
    image = image.copy()
    image.paste(patch, (x, y), alpha.filter(ImageFilter.GaussianBlur(0.7)))
    cover = Image.new("L", image.size)
    cover.paste(alpha, (x, y))
    return image, np.where(np.asarray(cover) > 127, np.uint8(label), labels)


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


def draw_class(rng: np.random.Generator, groups: dict[int, list], power: float) -> int:
    """A key of `groups`, drawn with probability ~ (members)^power."""
    ids = list(groups)
    weights = np.array([len(groups[i]) for i in ids], float) ** power
    return ids[rng.choice(len(ids), p=weights / weights.sum())]


def _place(rng, centre: float, extent: float, available: int) -> float:
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
