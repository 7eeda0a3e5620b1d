"""The result of a model: one type for semantic, instance and prompted segmentation.

It is the panoptic form (Kirillov et al., 2019, section 3): a segment id for each pixel and a list of segments.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from labkit.classes import LABEL_SETS, VOC, LabelSet, label_set
from labkit.io.errors import LabkitError
from labkit.io.files import local
from labkit.io.rle import decode_mask, encode_mask
from labkit.locale import text
from labkit.photos import Photo

__all__ = ["MIN_SHARE", "Segment", "Segmentation", "box_of", "is_saved", "load_segmentation", "results_of"]

MIN_SHARE = 0.005  # what covers a smaller share of the photo is a few stray pixels and no object


@dataclass(frozen=True, eq=False)
class Segment:
    """One object, or all pixels of one class.

    `id` is at least 1; `score` lies in [0, 1]; `area` is in pixels; `box` is `x0, y0, x1, y1` in pixels with an
    exclusive end; `mask` is `HxW` bool and whole, also where another segment lies over it in `ids`.
    """

    id: int
    label_id: int
    label: str
    score: float
    mask: np.ndarray

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.mask))

    @property
    def box(self) -> tuple[int, int, int, int]:
        return box_of(self.mask)


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """`x0, y0, x1, y1` of what is set in an `HxW` bool mask, in pixels, the end exclusive; zeros where nothing is."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1) if len(rows) else (0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What a model says of a photo.

    `ids` is `HxW` int32, 0 where there is no segment; `confidence` is `HxW` float32 in [0, 1]; `classes` is None for a
    model that knows none; `made_by` says which model, weights, device and settings made it, in JSON's types.
    """

    photo: Photo
    ids: np.ndarray
    confidence: np.ndarray
    segments: list[Segment]
    classes: LabelSet | None = VOC
    made_by: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_labels(
        cls,
        photo: Photo,
        labels: np.ndarray,
        confidence: np.ndarray | None = None,
        classes: LabelSet = VOC,
        made_by: dict[str, Any] | None = None,
    ) -> Segmentation:
        """A semantic result: one segment a class that occurs, its score the mean confidence of its pixels.

        `labels` is `HxW` label ids (0 and 255 belong to no segment); without `confidence` every pixel has 1.
        """
        if confidence is None:
            confidence = np.ones(labels.shape, np.float32)
        ids = np.zeros(labels.shape, np.int32)
        segments = []
        present = np.flatnonzero(np.bincount(labels.ravel(), minlength=len(classes))[: len(classes)])
        for number, label_id in enumerate(present[present > 0].tolist(), start=1):
            mask = labels == label_id
            ids[mask] = number
            score = float(confidence[mask].mean(dtype=np.float64))
            segments.append(Segment(number, label_id, classes.names[label_id], score, mask))
        return cls(photo, ids, confidence.astype(np.float32, copy=False), segments, classes, made_by or {})

    @classmethod
    def nothing(cls, photo: Photo) -> Segmentation:
        """The result of a photo on which nothing was asked for or found."""
        size = photo.pixels.shape[:2]
        return cls(photo, np.zeros(size, np.int32), np.zeros(size, np.float32), [], None)

    @property
    def labels(self) -> np.ndarray:
        """The label id of each pixel, `HxW` uint8, 0 where there is no segment."""
        table = np.zeros(max((s.id for s in self.segments), default=0) + 1, np.uint8)
        for segment in self.segments:
            table[segment.id] = segment.label_id
        return table[self.ids]

    @property
    def largest(self) -> Segment | None:
        """The segment with the largest area, None where nothing was found."""
        return max(self.segments, key=lambda segment: segment.area, default=None)

    def mask_of(self, label: str) -> np.ndarray:
        """All pixels of a class (by its Russian or English name), `HxW` bool, whole masks joined."""
        if self.classes is None:
            raise ValueError("this model knows no classes; take the masks of its segments one by one")
        label_id = self.classes.id(label)
        masks = [segment.mask for segment in self.segments if segment.label_id == label_id]
        return np.logical_or.reduce(masks) if masks else np.zeros(self.ids.shape, bool)

    def record(self) -> dict[str, Any]:
        """The result in JSON's types, masks as COCO run-length encoding."""
        return {
            "photo": self.photo.name,
            "size": list(self.ids.shape),
            "made_by": {**self.made_by, "classes": self.classes.name} if self.classes is not None else self.made_by,
            "segments": [
                {
                    "id": segment.id,
                    "label_id": segment.label_id,
                    "label": segment.label,
                    "score": round(segment.score, 6),
                    "area": segment.area,
                    "box": list(segment.box),
                    "rle": encode_mask(segment.mask),
                }
                for segment in self.segments
            ],
        }

    def save(self, folder: str | Path) -> list[Path]:
        """Writes `NAME.json`, `NAME.ids.png` (16-bit) and, with classes, `NAME.classes.png`; returns their paths.

        The masks have the size of the photo in work, `size` in the JSON; where its file is larger, `file_size` says so.
        LabkitError where `NAME.json` is there and no such result: perhaps labelme's, with hours of somebody's work.
        """
        folder = local(folder)
        folder.mkdir(parents=True, exist_ok=True)
        stem = folder / self.photo.name
        paths = [Path(f"{stem}.json"), Path(f"{stem}.ids.png")]
        if paths[0].exists() and not is_saved(paths[0].read_bytes()):
            raise LabkitError(text("model.overwrites", path=paths[0]))
        file_size = self.photo.original_size or self.ids.shape
        scaled = {"file_size": list(file_size)} if file_size != self.ids.shape else {}
        record = json.dumps({**self.record(), **scaled}, ensure_ascii=False, indent=1)
        paths[0].write_text(record, encoding="utf-8")
        Image.fromarray(self.ids.astype(np.uint16)).save(paths[1])
        if self.classes is not None:
            image = Image.fromarray(self.labels)
            image.putpalette(bytes.fromhex("".join(color[1:] for color in self.classes.colors)))
            paths.append(Path(f"{stem}.classes.png"))
            image.save(paths[-1])
        return paths


def results_of(given: Segmentation | Iterable[Segmentation]) -> list[Segmentation]:
    """One result or several as a list."""
    return [given] if isinstance(given, Segmentation) else list(given)


def is_saved(content: bytes) -> bool:
    """Whether this is a JSON file that `Segmentation.save` wrote."""
    return b'"made_by"' in content and b'"segments"' in content and b'"shapes"' not in content


def load_segmentation(path: str | Path, photo: Photo) -> Segmentation:
    """Reads what `save` wrote (the path of the JSON file) for its photo.

    The files keep one score a segment, so that is the confidence of its pixels. ValueError, naming the file, where it
    is another photo's, of another size, broken or not there.
    """
    path = local(path)
    try:
        return _load(path, photo)
    except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        reason = error if isinstance(error, (ValueError, OSError)) else repr(error)
        raise ValueError(f"{path} is no segmentation of this photo ({reason}); write it again with `save`") from error


def _load(path: Path, photo: Photo) -> Segmentation:
    size = photo.pixels.shape[:2]
    record = json.loads(path.read_text(encoding="utf-8"))
    if (record["photo"], *record["size"]) != (photo.name, *size):
        made_for = f"{record['photo']}, {record['size']}"
        raise ValueError(f"it was made for {made_for}; this photo is {photo.name}, {list(size)}")
    segments = [
        Segment(row["id"], row["label_id"], row["label"], float(row["score"]), decode_mask(row["rle"], size).copy("C"))
        for row in record["segments"]
    ]
    with Image.open(path.with_name(path.name.removesuffix(".json") + ".ids.png")) as image:
        ids = np.array(image).astype(np.int32)
    if ids.shape != size:
        raise ValueError(f"the ids are {list(ids.shape)}")
    if unknown := set(np.unique(ids).tolist()) - {0, *(s.id for s in segments)}:
        raise ValueError(f"the ids {sorted(unknown)[:5]} are no segments")
    confidence = np.zeros(size, np.float32)
    for segment in segments:
        confidence[ids == segment.id] = segment.score
    made_by = record["made_by"]
    classes = label_set(made_by["classes"]) if made_by.get("classes") in LABEL_SETS else None
    return Segmentation(photo, ids, confidence, segments, classes, made_by)
