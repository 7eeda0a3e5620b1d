"""Training scenes: crops in which every object is known, with objects of other photos pasted in.

What a crop is to the semantic variants, a scene is to Mask R-CNN and SAM: pixels, the number of the object at each
pixel, and what each object is. Copy-paste: Ghiasi et al. (2021).
"""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageFilter
from torchvision.ops import masks_to_boxes

from labkit.classes import IGNORE
from labkit.evaluation.dataset import Dataset, Instance
from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.training.crops import PASTE_FROM, CopyPaste, draw_member, finish, is_pet, jitter

__all__ = ["Scene", "Scenes", "mask_boxes"]

_BALANCE = 0.6  # classes are drawn ~ (objects)^this: 1 as often as they occur, 0 all alike
_PET = 0.2  # how much rarer a pet is drawn than another object of its area
_LEAST = 24  # an object of fewer visible pixels counts as not labelled


class Scene(NamedTuple):
    """`pixels` is `3xSxS` uint8; `numbers` `SxS` uint8 (0 no object, 255 not labelled); `labels` 256 label ids."""

    pixels: torch.Tensor
    numbers: torch.Tensor
    labels: torch.Tensor

    def objects(self) -> list[int]:
        """The numbers that are visible."""
        return [n for n in torch.unique(self.numbers).tolist() if 0 < n < IGNORE]


class Scenes(CopyPaste):
    """An endless stream of `Scene`.

    A share `centred` of the scenes is centred on an object. With `by_class` that is one of a VOC class, drawn
    ~ (objects)^0.6, and objects without a VOC class are background; without it every object counts, drawn ~ area^0.5.
    `pasted` is the chance of each of three objects to be pasted in.
    """

    def __init__(
        self,
        dataset: Dataset,
        side: int,
        scales: tuple[int, int],
        by_class: bool,
        centred: float = 0.6,
        pasted: float = 0.25,
        seed: int = 0,
    ):
        super().__init__(dataset, side, scales, seed)
        self._centred, self._pasted = centred, pasted
        self._objects: dict[int, list[Instance]] = defaultdict(list)
        self._labels: dict[str, np.ndarray] = {name: np.zeros(256, np.uint8) for name in dataset.names}
        unwanted: dict[str, list[int]] = defaultdict(list)
        for instance in dataset.instances():
            if by_class and not instance.label_id:
                unwanted[instance.name].append(instance.number)
                continue
            self._labels[instance.name][instance.number] = instance.label_id
            self._objects[instance.label_id if by_class else 0].append(instance)
        if not self._objects:
            raise LabkitError(text("dataset.no_instances", path=dataset.root))
        self._chances = None if by_class else _chances(self._objects[0])
        for name in dataset.names:
            numbers = dataset.instance_numbers(name)
            if is_pet(name):
                numbers = _close_ring(numbers)
            numbers[np.isin(numbers, unwanted[name])] = 0
            self._numbers[name] = numbers
        large = {label: [one for one in group if one.area >= PASTE_FROM] for label, group in self._objects.items()}
        self._pasteable = {label: group for label, group in large.items() if group}

    def draw(self, rng: np.random.Generator) -> Scene:
        """One scene."""
        if rng.random() < self._centred:
            _, instance = draw_member(rng, self._objects, _BALANCE, self._chances)
            x0, y0, x1, y1 = instance.box
            name, centre, spread = instance.name, ((x0 + x1) / 2, (y0 + y1) / 2), 0.2
        else:
            (name, centre), spread = self._anywhere(rng), 0.0
        image, numbers = self._cut(rng, name, self._numbers[name], centre, spread)
        image, labels = jitter(rng, image), self._labels[name].copy()
        for _ in range(rng.binomial(3, self._pasted) if self._pasteable else 0):
            _, instance = draw_member(rng, self._pasteable, _BALANCE)
            number = int(numbers[numbers < IGNORE].max(initial=0)) + 1
            if number < IGNORE:
                labels[number] = instance.label_id
                longest = self.side * np.exp(rng.uniform(np.log(0.06), np.log(0.7)))
                image, numbers = self._paste(rng, (image, numbers), instance, longest, number)
        counts = np.bincount(numbers.ravel(), minlength=256)
        numbers = np.where((counts < _LEAST)[numbers], np.uint8(IGNORE), numbers)
        pixels, numbers = finish(rng, image, numbers)
        return Scene(pixels, numbers, torch.from_numpy(labels))


def _chances(objects: list[Instance]) -> np.ndarray:
    """How often each object is drawn, ~ area^0.5; a pet a fifth of that."""
    chances = np.array([one.area**0.5 * (_PET if is_pet(one.name) else 1.0) for one in objects])
    return chances / chances.sum()


def mask_boxes(masks: torch.Tensor) -> torch.Tensor:
    """The boxes (`Nx4` float, xyxy, exclusive end) of masks `NxSxS` bool, none of them empty."""
    return masks_to_boxes(masks) + torch.tensor([0.0, 0.0, 1.0, 1.0], device=masks.device)


def _close_ring(numbers: np.ndarray) -> np.ndarray:
    """A pet's outline lies in the middle of a band of 255: the inner half goes to the animal, the outer to the rest."""
    inside, band = numbers == 1, numbers == IGNORE
    grown = Image.fromarray(inside.astype(np.uint8) * 255)
    for _ in range(20):
        if (band & (np.asarray(grown) > 0)).sum() * 2 >= band.sum():
            break
        grown = grown.filter(ImageFilter.MaxFilter(3))
    return (np.asarray(grown) > 0).astype(np.uint8)
