"""SAM by hand: what is clicked on a photo becomes prompts, kept in Python and in a file that a report repeats."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from labkit.io.errors import LabkitError, one_line, told
from labkit.io.files import decoded, local, write_whole
from labkit.locale import text
from labkit.photos import Photo, photos_of
from labkit.segmentation import Segmentation
from labkit.viewer.viewer import page_part
from labkit.viewer.widget import ViewerWidget, awake, display_with_page

__all__ = ["Prompter", "prompt"]

_KEYS = ("points", "point_labels", "box", "polygon")


def prompt(model: Any, photo: Photo, keep: str | Path | None = "prompts.json") -> Prompter:
    """Displays a photo to be clicked on: points (right click or Shift: background), boxes, contours.

    `model` is a loaded SAM. What was asked is in the answer's `points`, `point_labels`, `boxes` and `polygon`, what
    SAM said in its `result`. It is kept in the file `keep` (None: not at all) by photo, and asked again at the next
    run: so a report, which nobody clicks in, shows the same. LabkitError for another model or a damaged file.
    """
    hand = Prompter(model, photo, keep)
    display_with_page(hand.widget, hand.page(), repr(hand))
    return hand


class Prompter:
    """The prompts for one photo and SAM's answer; `widget` is what is clicked on, `mark` how its `page` begins.

    `points` are `[x, y]` in pixels of the photo, `point_labels` for each 1 (in the object) or 0 (in the background),
    `boxes` has the box `[x0, y0, x1, y1]`, since SAM takes one at a time, or nothing, `polygon` is the contour or None.
    """

    def __init__(self, model: Any, photo: Photo, keep: str | Path | None = None):
        if not hasattr(model, "prompt"):
            raise LabkitError(text("prompt.model", given=model.variant.title if hasattr(model, "variant") else model))
        photos_of([photo])
        self.model, self.photo = model, photo
        self._keep = local(keep) if keep is not None else None
        name = hashlib.sha256(f"{type(self).__name__} {photo.name} {photo.sha256}".encode()).hexdigest()[:16]
        self.mark = f'<div data-labkit-prompts="{name}">'
        self.prompts = self._read()
        self.result, message = self._answer()
        self.viewer = ViewerWidget(self.result, self._asked, self.prompts)
        self.viewer.message = message
        self.widget = awake("labkit.prompt", self.viewer)

    def page(self) -> str:
        """What a page without a kernel shows: the answer as it is now."""
        shown = page_part([self.result]) if self.prompts else f"<p><em>{text('prompt.none')}</em></p>"
        return f"{self.mark}{shown}</div>"

    points = property(lambda self: self.prompts.get("points", []))
    point_labels = property(lambda self: self.prompts.get("point_labels", []))
    boxes = property(lambda self: [self.prompts["box"]] if "box" in self.prompts else [])
    polygon = property(lambda self: self.prompts.get("polygon"))

    def __repr__(self) -> str:
        return f"{self.photo.name}: {json.dumps(self.prompts)}"

    def _ipython_display_(self) -> None:
        """Nothing: `prompt` has displayed it, also where it stands last in a cell."""

    def _asked(self, asked: dict[str, Any]) -> None:
        self.prompts = {key: asked[key] for key in _KEYS if asked.get(key)}
        self.result, message = self._answer()
        self.viewer.update(self.result, message)
        self._write()

    def _answer(self) -> tuple[Segmentation, str]:
        """SAM's answer, or an empty result and what to say."""
        if not self.prompts:
            return Segmentation.nothing(self.photo), ""
        try:
            if self.model.photo is not self.photo:
                self.model.set_photo(self.photo)
            return self.model.prompt(**self.prompts), ""
        except LabkitError as error:
            return Segmentation.nothing(self.photo), str(error)

    def _read(self) -> dict[str, Any]:
        kept = self._kept().get(self.photo.name, {})
        return {key: kept[key] for key in _KEYS if kept.get(key) and kept.get("sha256") == self.photo.sha256}

    def _write(self) -> None:
        if self._keep is None:
            return
        kept = self._kept()
        kept.pop(self.photo.name, None)
        if self.prompts:
            kept[self.photo.name] = {"sha256": self.photo.sha256, **self.prompts}
        write_whole(self._keep, json.dumps(kept, ensure_ascii=False, indent=1).encode())

    def _kept(self) -> dict[str, Any]:
        try:
            kept = json.loads(decoded(self._keep.read_bytes())) if self._keep and self._keep.exists() else {}
            if isinstance(kept, dict) and all(isinstance(row, dict) for row in kept.values()):
                return kept
            raise ValueError(text("prompt.no_kept"))
        except OSError as error:
            raise LabkitError(told(error)) from error
        except (ValueError, RecursionError) as error:
            raise LabkitError(text("prompt.kept", path=self._keep, error=one_line(error))) from error
