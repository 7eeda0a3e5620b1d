"""What every loaded model is: its settings, one photo or a set of them in, `Segmentation` out."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

from labkit import __version__
from labkit.classes import VOC, LabelSet, label_set
from labkit.io.errors import LabkitError, one_line
from labkit.io.progress import track
from labkit.locale import text
from labkit.models.folding import fold_batchnorm, speed_up_depthwise
from labkit.models.memory import fitting, until_it_fits
from labkit.photos import Photo, photos_of
from labkit.segmentation import Segmentation
from labkit.weights.find import Weights

__all__ = ["Model", "Results", "Setting", "checked", "for_each", "versions"]


@dataclass(frozen=True)
class Setting:
    """A setting's value when nothing is said, and what is valid: the range `low` to `high`, or one of `choices`."""

    value: float
    low: float = 0.0
    high: float = 1.0
    choices: tuple[float, ...] = ()

    def check(self, name: str, given: Any) -> None:
        """LabkitError, with what is valid, for another type (a whole number where `value` is one) or another value."""
        kinds = int if isinstance(self.value, int) else (int, float)
        fits = isinstance(given, kinds) and not isinstance(given, bool)
        if self.choices and not (fits and given in self.choices):
            raise LabkitError(text("model.choice", name=name, given=given, valid=", ".join(map(str, self.choices))))
        if not self.choices and not (fits and self.low <= given <= self.high):
            valid = {"low": self.low, "high": self.high, "value": self.value}
            raise LabkitError(text("model.range", name=name, given=given, **valid))


def checked(settings: dict[str, Setting], given: dict[str, Any]) -> dict[str, Any]:
    """What is given and, of the other settings, their own values; LabkitError names what is valid."""
    if unknown := given.keys() - settings.keys():
        raise LabkitError(text("model.setting", given=", ".join(sorted(unknown)), valid=", ".join(settings)))
    for name, value in given.items():
        settings[name].check(name, value)
    return {name: setting.value for name, setting in settings.items()} | given


class Results(list[Segmentation]):
    """The segmentations of a set; `failed` has the name and the reason of each photo that could not be done."""

    def __init__(self) -> None:
        super().__init__()
        self.failed: list[tuple[str, str]] = []


class Model(ABC):
    """A loaded model: `segment(photo)` for one photo, `segment_all(photos)` for a set.

    `network` is folded and owned by the model; `batch` is how many photos of one size go through it together.
    `precision` is the dtype of the convolutions and matrix products: float16 on a GPU, where the kind of model bears
    it (`half`), else float32. `max_side` is the largest working side for which memory sufficed, once it did not.
    """

    classes: LabelSet | None = VOC
    batch = points_at_once = 1
    half = True
    max_side: int | None = None

    def __init__(self, network: nn.Module, weights: Weights, device: torch.device):
        self.variant, self.weights, self.device = weights.variant, weights, device
        if weights.release:
            self.classes = label_set(weights.release.classes) if weights.release.classes else None
        network = speed_up_depthwise(fold_batchnorm(network.eval())).requires_grad_(False)
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.precision = torch.float16 if self.half and device.type == "cuda" else torch.float32

    @property
    @abstractmethod
    def settings(self) -> dict[str, Setting]:
        """The settings of `segment` by name."""

    @property
    def defaults(self) -> dict[str, Any]:
        """The settings of `segment` and their values when nothing is said."""
        return checked(self.settings, {})

    @abstractmethod
    def _predict(self, photos: Sequence[Photo], settings: dict[str, Any]) -> list[Segmentation]:
        """The results of photos of one size; `made_by` is written afterwards."""

    def segment(self, photo: Photo, **settings: Any) -> Segmentation:
        """Segments one photo; settings as in `defaults`, LabkitError names the valid ones."""
        return self.segment_batch([photo], **settings)[0]

    @torch.inference_mode()
    def segment_batch(self, photos: Sequence[Photo], **settings: Any) -> list[Segmentation]:
        """Segments photos of one size together, as many at once as memory bears."""
        settings, photos = checked(self.settings, settings), photos_of(photos)
        started = time.perf_counter()

        def attempt() -> list[Segmentation]:
            fits = fitting(self, settings)
            with self._mixed():
                results = [r for group in _same_size(photos, self.batch) for r in self._predict(group, fits)]
            seconds = round((time.perf_counter() - started) / len(photos), 4)
            for result in results:
                result.made_by.update(self._made_by(fits), seconds=seconds)
            return results

        return until_it_fits(attempt, self, photos[0].name, settings, len(photos))

    def _mixed(self) -> torch.autocast:
        """Half precision where the model has it (Micikevicius et al., 2018).

        float16, not bfloat16: with the 8 bits of the latter's mantissa up to 1.5 % of a photo's pixels change class.
        """
        return torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)

    def segment_all(self, photos: Sequence[Photo], **settings: Any) -> Results:
        """Segments a set with a progress bar; a photo that fails is named and stops none of the others.

        On a GPU, neighbours of one size go through the network together; on a CPU one at a time is faster.
        """
        checked(self.settings, settings)
        return for_each(_same_size(photos_of(photos), self.batch), lambda group: self.segment_batch(group, **settings))

    def _made_by(self, settings: dict[str, Any]) -> dict[str, Any]:
        return {
            "variant": self.variant.name,
            "weights": self.weights.name,
            "weights_reason": self.weights.reason,
            "sha256": self.weights.sha256,
            **({"classes": self.classes.name} if self.classes is not None else {}),
            "device": str(self.device),
            "precision": str(self.precision).removeprefix("torch."),
            "settings": settings,
            "versions": dict(versions(self.variant.name, self.weights.release is not None)),
        }


def for_each(groups: list[list[Photo]], segment: Callable[[list[Photo]], list[Segmentation]]) -> Results:
    """What `segment` says of groups of photos, with a progress bar; a photo that fails is named and stops no other."""
    results = Results()

    def add(group: list[Photo]) -> None:
        try:
            results.extend(segment(group))
        except Exception as error:  # whatever one photo does, the others are still segmented
            if len(group) == 1:
                results.failed.append((group[0].name, one_line(error)))
                return
            for photo in group:
                add([photo])

    for group in track(groups, text("model.progress")):
        add(group)
    for name, reason in results.failed:
        print(text("model.failed", name=name, reason=reason))
    return results


@cache
def versions(variant: str, official: bool = False) -> dict[str, str]:
    """The versions of what computes the masks of a variant."""
    own = {"sam": ["segment-anything"], "mask_rcnn": ["torchvision"]}.get(variant, [])
    if official:
        own = own or ["pytorchcv" if variant == "pspnet" else "torchvision"]
    names = ("torch", "segmentation-models-pytorch", "timm", *own)
    return {"labkit": __version__, **{name: version(name) for name in names}}


def _same_size(photos: Sequence[Photo], most: int) -> list[list[Photo]]:
    groups: list[list[Photo]] = []
    for photo in photos:
        fits = groups and len(groups[-1]) < most and groups[-1][0].pixels.shape == photo.pixels.shape
        groups[-1].append(photo) if fits else groups.append([photo])
    return groups
