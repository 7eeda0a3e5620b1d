"""A model's settings as sliders that run it again: what a threshold or a working size does to the mask."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextvars import copy_context
from typing import Any

import ipywidgets

from labkit.io.errors import LabkitError
from labkit.locale import keep_language, text
from labkit.photos import Photo
from labkit.segmentation import Segmentation
from labkit.viewer.widget import ViewerWidget, display_with_page

__all__ = ["Explorer", "explore"]


def explore(
    model: Any, photos: Sequence[Photo | Segmentation] | Photo | Segmentation, start: Photo | None = None
) -> Explorer:
    """Displays a photo chooser, the settings of the model and its result, which follows them.

    Of results in place of photos none is computed again while the settings are as they were. `start` is the photo that
    is shown first. The answer's `result` and `settings` are the last that were shown. In a page without a kernel there
    is nothing: `show` stands there.
    """
    explorer = Explorer(model, [photos] if isinstance(photos, (Photo, Segmentation)) else list(photos), start)
    display_with_page(explorer.widget, "", repr(explorer))
    return explorer


class Explorer:
    """The controls of one model and its result; `wait` until it has followed them."""

    def __init__(self, model: Any, photos: Sequence[Photo | Segmentation], start: Photo | None = None):
        if not photos:
            raise LabkitError(text("viewer.none"))
        self.model, self.photos = model, [one.photo if isinstance(one, Segmentation) else one for one in photos]
        self._known = {id(one.photo): one for one in photos if isinstance(one, Segmentation)}
        first = next((n for n, photo in enumerate(self.photos) if photo is start), 0)
        names = [(f"{n}. {photo.name}", n - 1) for n, photo in enumerate(self.photos, start=1)]
        self.chooser = ipywidgets.Dropdown(options=names, value=first, description=text("viewer.choose"))
        self.controls = {name: _control(name, setting) for name, setting in model.settings.items()}
        self.settings: dict[str, Any] = dict(model.defaults)
        self.result: Segmentation = self._segment(self.photos[first], self.settings)
        self.viewer = ViewerWidget(self.result)
        self.widget = ipywidgets.VBox([self.chooser, *self.controls.values(), self.viewer])
        self._lock = threading.Lock()
        self._wanted: tuple[Photo, dict[str, Any]] | None = None
        self._worker: threading.Thread | None = None
        changed = keep_language(self._changed)
        for control in (self.chooser, *self.controls.values()):
            control.observe(changed, names="value")

    def wait(self, timeout: float | None = None) -> None:
        """Returns when the result has followed the controls."""
        worker = self._worker
        if worker is not None:
            worker.join(timeout)

    def __repr__(self) -> str:
        return f"{self.result.photo.name}: {self.settings}"

    def _ipython_display_(self) -> None:
        """Nothing: `explore` has displayed it, also where it stands last in a cell."""

    def _segment(self, photo: Photo, settings: dict[str, Any]) -> Segmentation:
        """The result that is known already, where its settings were these, else a new one."""
        known = self._known.get(id(photo))
        if known is not None and known.made_by.get("settings") == settings:
            return known
        return self.model.segment(photo, **settings)

    def _changed(self, _change: Any) -> None:
        """Notes what is wanted now; a run that is under way is finished, then only the last wish is run."""
        settings = {name: control.value for name, control in self.controls.items()}
        with self._lock:
            self._wanted = (self.photos[self.chooser.value], settings)
            if self._worker is None:
                self._worker = threading.Thread(target=copy_context().run, args=(self._work,), daemon=True)
                self._worker.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                wanted, self._wanted = self._wanted, None
                if wanted is None:
                    self._worker = None
                    return
            self.viewer.busy()
            photo, settings = wanted
            message = ""
            try:
                result = self._segment(photo, settings)
            except Exception as error:  # a thread's traceback nobody would see
                result = Segmentation.nothing(photo)
                message = str(error) or type(error).__name__
            self.result, self.settings = result, settings
            self.viewer.update(result, message)


def _control(name: str, setting: Any) -> ipywidgets.DOMWidget:
    """A setting's control; it says its value when it is let go."""
    wide = {
        "description": text(f"setting.{name}"),
        "style": {"description_width": "14rem"},
        "layout": ipywidgets.Layout(width="36rem", max_width="100%"),
    }
    if setting.choices:
        return ipywidgets.Dropdown(options=list(setting.choices), value=setting.value, **wide)
    kind = ipywidgets.IntSlider if isinstance(setting.value, int) else ipywidgets.FloatSlider
    step = 1 if isinstance(setting.value, int) else 0.01
    return kind(value=setting.value, min=setting.low, max=setting.high, step=step, continuous_update=False, **wide)
