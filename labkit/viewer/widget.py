"""The viewer as a widget, for what needs the kernel: new results come from Python, prompts go back to it."""

import html
from collections.abc import Callable
from typing import Any

import anywidget
import ipywidgets
import traitlets

from labkit.io.errors import told
from labkit.locale import keep_language, text, use_language
from labkit.photos import Photo
from labkit.segmentation import Segmentation
from labkit.viewer.items import item_of, module, viewer_data
from labkit.viewer.viewer import FIT

__all__ = ["ViewerWidget", "awake", "display_with_page"]

_VIEW = "application/vnd.jupyter.widget-view+json"

_NOTES = """<style>.labkit-asleep, .jupyter-widgets-disconnected .labkit-done { display: none }
.jupyter-widgets-disconnected .labkit-asleep { display: block; font-weight: 600 }
.labkit-missing { display: none; animation: labkit-late 1s 15s both }
.widget-box:not(:has(.labkit-live)) .labkit-missing { display: block }
@keyframes labkit-late { from { visibility: hidden; height: 0 } to { visibility: visible; height: auto } }</style>
<p class="labkit-asleep" role="status">ASLEEP</p><p class="labkit-missing" role="status">MISSING</p>"""


def display_with_page(widget: Any, page: str, plain: str, kind: str = "text/html") -> None:
    """Displays a widget where a kernel runs, and HTML, or another `kind`, in a page where none does."""
    from IPython.display import display

    if hasattr(widget, "_repr_mimebundle_"):
        bundle = widget._repr_mimebundle_()
    else:  # ipywidgets 7, which would display itself and nothing else
        bundle = {_VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}}
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    display({**data, kind: page, "text/plain": plain}, metadata=metadata, raw=True)


def awake(call: str, *parts: Any) -> ipywidgets.VBox:
    """The parts below each other; above them, once their kernel is gone, a sentence names the cell that wakes them.

    Another one says what to do where no part has come to life in 15 seconds: VS Code and Colab fetch anywidget's code
    from a network. Classes tell: ipywidgets mark what has no kernel, each of our modules what is alive
    (`labkit-live`). What has the class `labkit-done` goes with the kernel.
    """
    said = _NOTES.replace("ASLEEP", html.escape(text("prompt.asleep", call=call)))
    said = said.replace("MISSING", html.escape(text("prompt.missing")))
    return ipywidgets.VBox([ipywidgets.HTML(FIT + said), *parts])


class ViewerWidget(anywidget.AnyWidget):
    """Shows one result at a time; with `on_ask` it takes points, boxes and contours."""

    _esm = module()
    data = traitlets.Dict().tag(sync=True)
    photos: Any = traitlets.List().tag(sync=True)
    items: Any = traitlets.List().tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)
    asks = traitlets.Bool(False).tag(sync=True)
    asked = traitlets.Dict().tag(sync=True)

    def __init__(self, result: Segmentation, on_ask: Callable[[dict], None] | None = None, start: dict | None = None):
        super().__init__(data=viewer_data(), asks=on_ask is not None, asked=start or {})
        self._photo: Photo | None = None
        self.update(result)
        if on_ask is not None:
            self.observe(keep_language(lambda change: self.attempt(lambda: on_ask(change["new"]))), names="asked")

    def attempt(self, work: Callable[[], None]) -> None:
        """Does what a click asks for; of what goes wrong the message tells, since its traceback nobody would see."""
        try:
            work()
        except Exception as error:
            self.message = told(error)

    def update(self, result: Segmentation, message: str = "") -> None:
        """Shows another result; the photo travels again only where it is another one."""
        item = item_of(result, photo=result.photo is not self._photo)
        photo = item.pop("photo")
        with self.hold_sync():
            if photo is not None:
                self.photos = [photo]
            self.items = [item]
            self.message = message
        self._photo = result.photo

    def busy(self) -> None:
        """Says that a result is on its way."""
        with use_language(self.data["language"]):
            self.message = text("viewer.busy")
