"""Ground truth by SAM's clicks: objects with names, in the labelme file by which results are scored.

It stands above `viewer` and `models`, and nothing but the command line may import it.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
from PIL import Image

from labkit.classes import VOC, label_set
from labkit.evaluation.annotations import labelme_file
from labkit.evaluation.entries import file_name, joint, parsed
from labkit.evaluation.labelme import MADE, read_labelme
from labkit.figures import named_segments
from labkit.io.errors import LabkitError
from labkit.io.files import local, write_whole
from labkit.io.jpeg import data_address
from labkit.locale import keep_language, text
from labkit.models import load_model
from labkit.photos import Photo, photos_of
from labkit.segmentation import Segment, Segmentation
from labkit.viewer.prompt_widget import Prompter
from labkit.viewer.widget import awake, display_with_page

__all__ = ["Annotator", "annotate"]

_CLASSES = joint(VOC, label_set("COCO"))
"""What an object may be called: as the scores will read it."""

_load_once = cache(load_model)


def annotate(photo: Photo, label: str = "", model: Any = None, folder: str | Path | None = None) -> Annotator:
    """Displays a photo on which SAM outlines what is clicked on, one object after the other, each with a name.

    `label` is the name to begin with, Russian or English, of a class of PASCAL VOC or COCO; `model` a loaded SAM (None:
    one is loaded). Objects are written to `NAME.json` (labelme) beside the photo or in `folder`, where
    `labkit.evaluation.scores` finds them; objects that are there stay. LabkitError where the file is no labelme file.
    """
    hand = Annotator(photo, label, model, folder)
    display_with_page(hand.widget, hand.page(), repr(hand))
    return hand


class Annotator(Prompter):
    """The objects of one photo that have names, and the one that is being outlined."""

    def __init__(self, photo: Photo, label: str = "", model: Any = None, folder: str | Path | None = None):
        photos_of([photo])
        if folder is None and (photo.path is None or not photo.path.parent.is_dir()):
            raise LabkitError(text("annotate.folder", name=photo.name))
        self.path = labelme_file(photo, local(photo.path.parent if folder is None else folder))
        names = tuple(map(VOC.label, VOC.ids[1:]))
        field = {"description": text("annotate.name"), "continuous_update": False}
        self._name = ipywidgets.Combobox(value=label, options=names, **field)
        self._load(photo)
        super().__init__(model or _load_once(4), photo)
        add = ipywidgets.Button(description=text("annotate.add"), button_style="primary", layout={"width": "auto"})
        drop = ipywidgets.Button(description=text("annotate.drop"), layout={"width": "auto"})
        add.on_click(keep_language(lambda _: self.viewer.attempt(self.add)))
        drop.on_click(keep_language(lambda _: self.viewer.attempt(self.drop)))
        again = keep_language(lambda _: self.viewer.attempt(lambda: self._asked(self.prompts)))
        self._name.observe(again, names="value")
        self._state = ipywidgets.HTML()
        row = ipywidgets.HBox([self._name, add, drop], layout={"flex_flow": "row wrap"})
        self.widget = awake("labkit.annotate", row, self.viewer, self._state)
        self._tell()

    @property
    def objects(self) -> list[str]:
        """The names of the objects in the file, in its order."""
        return [shape["label"] for shape in self._record["shapes"]]

    def page(self) -> str:
        """What a page without a kernel says: the objects, and how they were made.

        It shows none: a report whose viewers show other masks than its results looks as if it had been edited.
        """
        note = text("annotate.page" if self.objects else "annotate.none", file=self.path.name, names=self._names)
        return f"{self.mark}<p><em>{html.escape(note)}</em></p></div>"

    def add(self) -> None:
        """Writes what is outlined now under the name that stands in the field; the next object begins."""
        name = self._name.value
        if self._mask is None:
            self.viewer.message = text("annotate.nothing")
        elif not _label_id(name):
            key = "annotate.unknown" if name.strip() else "annotate.unnamed"
            self.viewer.message = text(key, name=name, valid=", ".join(self._name.options))
        else:
            shape = _shape(name.strip(), self._mask, self.photo)
            self._rewrite(lambda shapes: [*shapes, shape])

    def drop(self) -> None:
        """Takes the last object out of the file."""
        self._rewrite(lambda shapes: shapes[:-1])

    def __repr__(self) -> str:
        return f"{self.photo.name}: {', '.join(self.objects) or '—'}"

    def _answer(self) -> tuple[Segmentation, str]:
        """The objects of the file, and over them SAM's one answer to the prompts."""
        self.prompts = {**self.prompts, "answers": 1} if self.prompts else {}
        answer, message = super()._answer()
        self.prompts.pop("answers", None)
        mask = self._mask = answer.segments[0].mask if answer.segments else None
        saved, name = self._saved, self._name.value
        if mask is None:
            return saved, message
        number, label_id = max((segment.id for segment in saved.segments), default=0) + 1, _label_id(name)
        segments = [*saved.segments, Segment(number, label_id, name, 1.0, mask)]
        ids = np.where(mask, number, saved.ids).astype(np.int32)
        classes = _CLASSES if label_id else None  # no name yet: numbers
        return Segmentation(saved.photo, ids, (ids > 0).astype(np.float32), segments, classes), message

    def _load(self, photo: Photo) -> None:
        """The file's objects as the scores will read them."""
        height, width = photo.original_size
        record = {"version": "5.5.0", "flags": {}, "shapes": [], "imagePath": file_name(photo), "imageData": None}
        self._record: dict[str, Any] = {**record, "imageHeight": height, "imageWidth": width}
        self._saved = Segmentation.nothing(photo)
        if self.path.exists():
            self._saved, self._record = read_labelme(self.path, photo, _CLASSES), parsed(self.path)

    def _rewrite(self, change: Callable[[list], list]) -> None:
        """Changes the objects of the file as it is now: another cell or another program may have written it since."""
        self._load(self.photo)
        if shapes := change(self._record["shapes"]):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            record = {**self._record, "shapes": shapes}
            write_whole(self.path, json.dumps(record, ensure_ascii=False, indent=1).encode())
        else:
            self.path.unlink(missing_ok=True)
        self._load(self.photo)
        self.viewer.asked = {"serial": -len(shapes)}
        self._asked({})
        self._tell()

    @property
    def _names(self) -> str:
        return ", ".join(name for _, name in named_segments(self._saved)) or "—"

    def _tell(self) -> None:
        self._state.value = html.escape(text("annotate.state", file=self.path.name, names=self._names))


def _label_id(name: str) -> int:
    """0 for the background's name and for one that neither VOC nor COCO has."""
    return _CLASSES.id(name) if name in _CLASSES else 0


def _shape(label: str, mask: np.ndarray, photo: Photo) -> dict[str, Any]:
    """A labelme shape of the kind `mask`, in pixels of the photo's file."""
    image = Image.fromarray(mask).resize(photo.original_size[::-1], Image.Resampling.NEAREST)
    x0, y0, x1, y1 = image.getbbox()
    return {
        "label": label,
        "points": [[x0, y0], [x1 - 1, y1 - 1]],
        "group_id": None,
        "description": MADE,
        "shape_type": "mask",
        "flags": {},
        "mask": data_address(image.crop((x0, y0, x1, y1)), "PNG", optimize=True).partition(",")[2],
    }
