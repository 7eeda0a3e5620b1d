"""The first minute of a report: every photo with its mask over it and what was found; the best and the worst marked."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from PIL import Image

from labkit.classes import LabelSet
from labkit.figures import overlay_image
from labkit.io.jpeg import data_address
from labkit.io.rle import decode_mask
from labkit.locale import number, percent, text
from labkit.photos import Photo
from labkit.report.checks import found_on
from labkit.report.consistency import read_image
from labkit.report.data import classes_of
from labkit.segmentation import MIN_SHARE, Segment, Segmentation

__all__ = ["overlaid", "wall"]

_SIDE, _LABELS = 320, 4


def wall(data: dict[str, Any], items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each photo its `name`, whether the sought object is on it, what was `found`, its `image` and a `mark`.

    `items` are what the page's viewers show. The mark says `which` photo is the best and which the worst, by the IoU
    with the ground truth where at least two photos have one, else by the model's own confidence; where a class is
    sought, of those on which it was found.
    """
    shown = {str(item.get("name")): item for item in reversed(items) if isinstance(item.get("photo"), str)}
    results = {result["photo"]: result for result in data["results"]}
    target = data["wanted"]["target"]
    found = found_on(data, target)
    marks = _marks(data, {name for name, ok in found.items() if ok or not target})
    return [
        {
            "name": name,
            "ok": bool(ok),
            "found": _found(results[name], data) if name in results else text("figures.nothing"),
            "image": _image(shown[name], results[name], data) if name in shown and name in results else None,
            **marks.get(name, {"which": "", "mark": ""}),
        }
        for name, ok in found.items()
    ]


def _found(result: dict[str, Any], data: dict[str, Any]) -> str:
    """What is on a photo, largest first: classes with their share of it, or how many objects; else what is small."""
    known, size = classes_of(data), tuple(result["size"])
    large: dict[str, Any] = {}
    small: Counter[str] = Counter()
    for segment in result["segments"]:
        label = known.label(segment["label_id"]) if known else text("checks.object")
        if segment["area"] < MIN_SHARE * math.prod(size):
            small[label] += 1
        else:  # objects of one class may lie over one another: their shares together would be too much
            large[label] = large.get(label, 0) | decode_mask(segment["rle"], size) if known else large.get(label, 0) + 1
    if small and not large:  # without shares: several together, or rounded, would not be below
        found = (label if known else f"{label}: {count}" for label, count in small.most_common(_LABELS))
        return text("checks.small", found=", ".join(found))
    shares = Counter({label: one.mean() if known else one for label, one in large.items()}).most_common(_LABELS)
    found = ", ".join(f"{label}: {percent(n) if known else n}" for label, n in shares)
    return found or text("figures.nothing_helps" if known else "figures.nothing")


def _marks(data: dict[str, Any], names: Collection[str]) -> dict[str, dict[str, str]]:
    """For the best and the worst of these photos, by name, which it is, and in words."""
    kind, told = "IoU", dict[str, list[tuple[float, int]]]()
    for row in (data.get("scores") or {}).get("photos", ()):
        told.setdefault(row["photo"], []).append((row["iou"], 1))
    if len(told) < 2:
        kind, found = text("report.confidence"), [result for result in data["results"] if result["segments"]]
        told = {result["photo"]: [(s["score"], s["area"]) for s in result["segments"]] for result in found}
    pairs = {name: np.transpose(rows) for name, rows in told.items() if name in names}
    values = {name: round(float(np.average(one, weights=by)), 2) for name, (one, by) in pairs.items()}  # as it is told
    if len(set(values.values())) < 2:
        return {}
    marks = {}
    for which, extreme in (("best", max), ("worst", min)):
        name = extreme(values, key=values.__getitem__)
        marks[name] = {"which": which, "mark": text(f"report.{which}", kind=kind, value=number(values[name], 2))}
    return marks


def _image(item: dict[str, Any], result: dict[str, Any], data: dict[str, Any]) -> str | None:
    """The photo with its segments over it as a small WebP; None where the item is not one that the kit has made."""
    try:
        return data_address(overlaid(read_image(item["photo"]), _SIDE, result, classes_of(data)), "WEBP", quality=75)
    except (KeyError, TypeError, ValueError):
        return None


def overlaid(image: Image.Image, side: int, result: dict[str, Any], labels: LabelSet | None) -> Image.Image:
    """A photo of at most `side` pixels with the segments of its `result` (as in the data) over it, the surest on top.

    Of masks that have no class, as SAM's, the smallest is on top. ValueError for masks that cannot be decoded.
    """
    image = image.convert("RGB")
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    pixels, size = np.array(image), tuple(result["size"])
    sides = zip(pixels.shape[:2], size, strict=True)
    nearest = np.ix_(*((np.arange(small) * side + side // 2) // small for small, side in sides))
    segments = [
        Segment(row["id"], row["label_id"], row["label"], row["score"], decode_mask(row["rle"], size)[nearest])
        for row in result["segments"]
    ]
    if labels and any(segment.label_id >= len(labels) for segment in segments):
        labels = None
    ids = np.zeros(pixels.shape[:2], np.int32)
    for segment in sorted(segments, key=lambda s: s.score if labels else -s.area):
        ids[segment.mask] = segment.id
    shown = Segmentation(Photo.from_pixels("photo", pixels), ids, np.ones(ids.shape), segments, labels)
    return Image.fromarray(overlay_image(shown, outline=max(1, side // 200)))
