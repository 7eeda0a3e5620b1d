"""A model's settings as sliders that run it again: what a threshold or a working size does to the mask."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import ipywidgets

from labkit.io.errors import LabkitError, told
from labkit.locale import keep_language, text
from labkit.photos import Photo, place_of
from labkit.segmentation import Segmentation
from labkit.viewer.widget import ViewerWidget, awake, display_with_page

__all__ = ["Explorer", "control", "explore"]


def explore(
    model: Any, photos: Sequence[Photo | Segmentation] | Photo | Segmentation, start: Photo | str | None = None
) -> Explorer:
    """Displays a photo chooser, the settings of the model and its result, which follows them.

    Of results in place of photos none is computed again while the settings are as they were. `start` is the photo that
    is shown first, or its name. The answer's `result` and `settings` are the last that were shown. In a page without a
    kernel there is nothing: `show` stands there.
    """
    explorer = Explorer(model, [photos] if isinstance(photos, Photo | Segmentation) else photos, start)
    display_with_page(explorer.widget, "", repr(explorer))
    return explorer


class Explorer:
    """The controls of one model and its result; `wait` until it has followed them."""

    def __init__(self, model: Any, photos: Sequence[Photo | Segmentation], start: Photo | str | None = None):
        photos = list(photos)
        if not photos:
            raise LabkitError(text("viewer.none"))
        self.model, self.settings = model, dict(model.defaults)
        self._known = {n: one for n, one in enumerate(photos) if isinstance(one, Segmentation)}
        self.photos = [one.photo if isinstance(one, Segmentation) else one for one in photos]
        first = place_of(self.photos, start)
        names = [(f"{n + 1}. {photo.name}", n) for n, photo in enumerate(self.photos)]
        self.chooser = ipywidgets.Dropdown(options=names, value=first, description=text("viewer.choose"))
        self.controls = {name: control(text(f"setting.{name}"), row) for name, row in model.settings.items()}
        self.result = self._segment(first)
        self.viewer = ViewerWidget(self.result)
        self.widget = awake("labkit.explore", self.chooser, *self.controls.values(), self.viewer)
        self._runs, self._last = ThreadPoolExecutor(1), Future[None]()
        self._last.set_result(None)
        for part in (self.chooser, *self.controls.values()):
            part.observe(keep_language(self._changed), names="value")

    def wait(self, timeout: float | None = None) -> None:
        """Returns when the result has followed the controls."""
        self._last.result(timeout)

    def __repr__(self) -> str:
        return f"{self.result.photo.name}: {self.settings}"

    def _ipython_display_(self) -> None:
        """Nothing: `explore` has displayed it, also where it stands last in a cell."""

    def _changed(self, _change: Any) -> None:
        self._last.cancel()  # of many wishes only the last is run
        self._last = self._runs.submit(copy_context().run, self._follow)

    def _follow(self) -> None:
        self.viewer.busy()
        number, message = self.chooser.value, ""
        self.settings = {name: control.value for name, control in self.controls.items()}
        try:
            self.result = self._segment(number)
        except Exception as error:  # a thread's traceback nobody would see
            self.result = Segmentation.nothing(self.photos[number])
            message = told(error)
        self.viewer.update(self.result, message)

    def _segment(self, number: int) -> Segmentation:
        known = self._known.get(number)
        made_by = known.made_by if known else {}
        if known and (made_by.get("sha256"), made_by.get("settings")) == (self.model.weights.sha256, self.settings):
            return known
        return self.model.segment(self.photos[number], **self.settings)


def control(words: str, setting: Any, step: float = 0.01, words_width: int = 14) -> ipywidgets.DOMWidget:
    """The control of a `labkit.models.base.Setting`, which says its value when it is let go.

    Its words are `words_width` rem wide; a whole number moves by 1, another by `step`.
    """
    wide = {
        "description": words,
        "style": {"description_width": f"{words_width}rem"},
        "layout": ipywidgets.Layout(width=f"{words_width + 22}rem", max_width="100%"),
    }
    if setting.choices:
        return ipywidgets.Dropdown(options=list(setting.choices), value=setting.value, **wide)
    kind, by = (ipywidgets.IntSlider, 1) if isinstance(setting.value, int) else (ipywidgets.FloatSlider, step)
    return kind(value=setting.value, min=setting.low, max=setting.high, step=by, continuous_update=False, **wide)
