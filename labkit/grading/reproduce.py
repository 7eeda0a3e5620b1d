"""The masks of a report made again: the weights that it names, run on the photos that it carries.

What a report says is believed nowhere: weights are the catalogue's and never downloaded for it, settings have bounds,
seconds are counted.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from labkit.grading.facts import LATER, made_by
from labkit.grading.rows import LISTED
from labkit.grading.tolerance import agreement, detects, exact, tolerant
from labkit.io.errors import LabkitError, one_line
from labkit.io.files import some
from labkit.io.jpeg import MAX_REPORT_SIDE
from labkit.io.rle import decode_mask, encode_mask
from labkit.locale import text
from labkit.photos import Photo
from labkit.segmentation import Segmentation
from labkit.variants import find_variant
from labkit.weights.catalogue import releases_of
from labkit.weights.download import cached
from labkit.weights.find import EMBEDDED, is_former

if TYPE_CHECKING:
    from labkit.models.base import Model

__all__ = ["Recomputed", "own_iou"]

_SECONDS, _SECONDS_A_PHOTO, _MAX_SECONDS = 30.0, 20.0, 600.0
"""Of the processor, what a report may take, models being loaded among it; SAM's automatic mode takes 7 a photo."""

_MAX_SETTINGS = {"working_side": 1333, "points_per_side": 32, "max_detections": 200}
"""Settings beyond the values that our models and the releases come with take too long to check."""

_MAX_NUMBERS, _MAX_COORDINATE = 2000, 100_000  # so many numbers in a prompt, each of them not larger
_ENOUGH = 0.99  # masks that agree so well to the pixel need no second look


@dataclass(frozen=True)
class Recomputed:
    """What the models say of a report: `iou` of its masks with their own by the photo's name, in [0, 1]; `reason`, a
    sentence on what could not be computed and why, None where all was; `final`, whether another run would say no more;
    `missing`, the photos where the model itself does not find what the report has found.
    """

    iou: dict[str, float]
    reason: str | None = None
    final: bool = True
    missing: Sequence[str] = ()


class _Unchecked(Exception):
    """Why a photo's masks cannot be computed anew."""

    def __init__(self, key: str, **values: Any):
        super().__init__(text(f"recompute.{key}", **values))
        self.final = key not in ("failed", "not_here", "time")


def own_iou(
    data: dict[str, Any],
    jpegs: dict[str, bytes],
    device: str = "cpu",
    seconds: float = _MAX_SECONDS,
    target: str = "",
    sample: Callable[[Sequence[str]], Collection[str]] = set,
) -> Recomputed:
    """Runs the weights that a report names on the photos that it carries, with its settings and prompts.

    `data` are checked against the schema, `jpegs` what `carried_photos` found. Masks are compared to the pixel, and
    where `agreement` says less than 0.99 without what rounding may change (`tolerant`); of several results on a photo
    the smallest IoU counts. An object of the class `target` is looked for in the model's own result (`detects`). Only
    weights of the catalogue are taken, embedded or in the cache: nothing is downloaded. All photos together have 30
    seconds of the processor and 20 a photo, `seconds` and 10 minutes at most. SAM's automatic mode, which is
    dear, is run on a `sample` of the photos. One photo's failure costs only that photo.
    """
    results = _in_turn(data, jpegs, sample)
    if not results:
        return Recomputed({}, text("recompute.nothing"))
    seconds = min(_SECONDS + _SECONDS_A_PHOTO * len({one["photo"] for one in results}), seconds, _MAX_SECONDS)
    run = _Run(jpegs, device, seconds, target)
    ious: dict[str, float] = {}
    reasons: dict[str, dict[str, None]] = {}
    final = True
    for result in results:
        name = result["photo"]
        try:
            ious[name] = min(run.iou(result), ious.get(name, 1.0))
        except Exception as error:  # whatever a report makes a model do, the other photos are still checked
            reason = error if isinstance(error, _Unchecked) else _Unchecked("failed", error=one_line(error, 200))
            final = final and reason.final
            reasons.setdefault(str(reason), {})[name] = None
    what = "; ".join(f"{some(list(which), LISTED)} — {reason}" for reason, which in reasons.items())
    return Recomputed(ious, text("recompute.unchecked", what=what) if what else None, final, tuple(run.missing))


def _in_turn(
    data: dict[str, Any], jpegs: dict[str, bytes], sample: Callable[[Sequence[str]], Collection[str]]
) -> list[dict[str, Any]]:
    """The results, each with how it was made: answers to prompts first, which are cheap; in an order nobody chose."""
    results, dear = [], set()
    for result in data["results"] + data["prompted"]:
        how = made_by(data, result)
        results.append({**result, "made_by": how})
        if how.get("variant") == "sam" and "prompts" not in how and "settings" not in result["made_by"]:
            dear.add(result["photo"])
    dear -= set(sample(sorted(dear)))

    def turn(result: dict[str, Any]) -> tuple[bool, bytes, str]:
        name = result["photo"]
        return "prompts" not in result["made_by"], hashlib.sha256(jpegs.get(name, b"")).digest(), name

    return sorted((one for one in results if "prompts" in one["made_by"] or one["photo"] not in dear), key=turn)


class _Run:
    """One report's turn: what is asked of the models, and the time that is left."""

    def __init__(self, jpegs: dict[str, bytes], device: str, seconds: float, target: str):
        self.jpegs, self.device, self.seconds, self.target = jpegs, device, seconds, target
        self.end = time.process_time() + seconds
        self.missing: dict[str, None] = {}
        self._photo: Photo | None = None
        self._slowest: dict[bool, float] = {}  # answers to prompts, and the others

    def in_time(self, needed: float = 0.0) -> None:
        if time.process_time() + needed > self.end:
            raise _Unchecked("time", seconds=round(self.seconds))

    def iou(self, result: dict[str, Any]) -> float:
        """A result's IoU with the model's own; _Unchecked says why there is none."""
        started, asked = time.process_time(), "prompts" in result["made_by"]
        self.in_time(self._slowest.get(asked, 0.0))
        photo = self.photo(result)
        labels = [segment["label_id"] for segment in result["segments"]]
        masks = [self.mask(segment["rle"], photo) for segment in result["segments"]]
        model = self.model(result["made_by"])
        own = self.answer(model, photo, result["made_by"])
        value = agreement(labels, masks, exact(own), own.ids.size)
        if value < _ENOUGH:
            self.in_time()
            value = agreement(labels, masks, tolerant(model, photo, own), own.ids.size)
        if not asked and not detects(model, photo, own, self.target):
            self.missing[result["photo"]] = None
        self._slowest[asked] = max(self._slowest.get(asked, 0.0), time.process_time() - started)
        return value

    def photo(self, result: dict[str, Any]) -> Photo:
        """The photo that a result is of, the same one while its results follow one another."""
        jpeg = self.jpegs.get(result["photo"])
        if jpeg is None:
            raise _Unchecked("absent")
        if self._photo is None or self._photo.jpeg is not jpeg:
            with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
                if max(image.size) > MAX_REPORT_SIDE or image.mode != "RGB":
                    raise _Unchecked("photo")
                self._photo = Photo(result["photo"], np.array(image), jpeg=jpeg)
        if self._photo.pixels.shape[:2] != tuple(result["size"]):
            raise _Unchecked("photo")
        return self._photo

    def mask(self, rle: dict[str, Any], photo: Photo) -> dict[str, Any]:
        self.in_time()
        try:
            return encode_mask(decode_mask(rle, photo.pixels.shape[:2]))
        except ValueError:
            raise _Unchecked("masks") from None

    def model(self, made_by: dict[str, Any]) -> Model:
        """The model that a report names, where its weights are the catalogue's and lie here."""
        name, sha256 = str(made_by.get("weights", "")), made_by.get("sha256")
        try:
            variant = find_variant(str(made_by.get("variant", "")))
        except LabkitError:
            raise _Unchecked("model") from None
        release = next((row for row in releases_of(variant) if name == f"official/{row.name}"), None)
        if release is not None:
            if (file := cached(release)) is None:
                raise _Unchecked("not_here", name=name, release=release.name)
            weights, expected = str(file.path), file.sha256
        elif name == f"embedded/{variant.name}":
            weights, expected = "embedded", EMBEDDED[variant.name]
        else:
            raise _Unchecked("unknown", name=name or "—")
        if sha256 != expected:
            raise _Unchecked("former" if is_former(variant.name, sha256) else "sha256", name=name)
        return _loaded(variant.name, weights, self.device)

    def answer(self, model: Model, photo: Photo, made_by: dict[str, Any]) -> Segmentation:
        """What the model itself says, to prompts or with settings that it has and that are not too dear."""
        settings = made_by.get("settings", {})
        if "prompts" in made_by:
            if model.variant.kind != "prompted":
                raise _Unchecked("model")
            prompts = _prompts(made_by["prompts"], photo)
            if model.photo is not photo:
                model.set_photo(photo)
            return model.prompt(**prompts, answers=settings.get("answers"))
        valid = model.settings
        settings = {name: value for name, value in LATER.items() if name in valid} | settings
        for name, value in settings.items():
            try:
                valid[name].check(name, value)
            except (KeyError, LabkitError):
                raise _Unchecked("setting", name=name[:40], value=str(value)[:40]) from None
            if value > _MAX_SETTINGS.get(name, value):
                raise _Unchecked("dear", name=name, value=value, most=_MAX_SETTINGS[name])
        if "points_per_side" in valid and False not in self._slowest:
            self.in_time(_forecast(model, photo, settings))
        return model.segment(photo, **settings)


def _prompts(told: dict[str, Any], photo: Photo) -> dict[str, Any]:
    """What was asked of SAM, with the mask decoded."""
    try:
        for name in ("points", "point_labels", "box", "polygon"):
            numbers = np.asarray(told.get(name, ()), float)
            if numbers.size > _MAX_NUMBERS or (abs(numbers) > _MAX_COORDINATE).any():
                raise ValueError(f"{numbers.size} numbers")
        return {**told, "mask": decode_mask(told["mask"], photo.pixels.shape[:2])} if "mask" in told else told
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise _Unchecked("prompts") from None


def _forecast(model: Model, photo: Photo, settings: dict[str, Any]) -> float:
    """About how many seconds SAM's automatic mode will take: the cost of a point is that of 8 of a grid of 9."""
    started = time.process_time()
    model.segment(photo, **{**settings, "points_per_side": 1})
    middle = time.process_time()
    model.segment(photo, **{**settings, "points_per_side": 3})
    one, nine = middle - started, time.process_time() - middle
    return one + max(0.0, nine - one) / 8 * ({**model.defaults, **settings}["points_per_side"] ** 2 - 1)


@lru_cache(maxsize=6)
def _loaded(variant: str, weights: str, device: str) -> Model:
    from labkit.models import load_model

    return load_model(variant, weights, device)
