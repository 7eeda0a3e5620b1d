"""The end of a notebook: its results as data, and a button that makes the report of what stands in the notebook."""

from __future__ import annotations

import html
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anywidget
import ipywidgets
from jinja2 import Environment

from labkit.io.colab import in_colab
from labkit.io.errors import LabkitError, one_line, told
from labkit.io.files import some, write_whole
from labkit.locale import keep_language, text
from labkit.photos import Photo
from labkit.report.answers import complete, outputs, report_data
from labkit.report.checks import Check
from labkit.report.data import MIME, digest, result_data, results_data
from labkit.report.provenance import Provenance
from labkit.segmentation import Segmentation, results_of
from labkit.variants import Variant, find_variant
from labkit.viewer.widget import awake, display_with_page

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["HandIn", "Written", "hand_in"]

_SAVE_SECONDS, _ASK_SECONDS = 8, 2
_WORDS = 12

_DONE = Environment(autoescape=True).from_string(
    '<div class="labkit-done"><p>{% for line in lines %}{{ line }}<br>{% endfor %}</p>'
    '<ul style="list-style: none; padding: 0">{% for check, title in checks %}'
    "<li>{{ '✓' if check.ok else '✗' }} <b>{{ title }}</b>: {{ check.reason }}</li>{% endfor %}</ul></div>"
)


def hand_in(
    variant: int | str | Variant,
    photos: Sequence[Photo],
    results: Sequence[Segmentation],
    student: str = "",
    group: str = "",
    wanted: int = 10,
    target: str = "",
    prompted: Sequence[Any] = (),
    scores: Any = None,
) -> None:
    """Displays where the results come from, with all that a report needs, and below it the button that writes one.

    `photos` are all that were loaded, `results` what the model said of them, `prompted` SAM's answers to prompts and
    what `labkit.prompt` answered, whose prompts are read when the button is pressed, `scores` the agreement with the
    student's own masks. `wanted` photos and on each the class `target` (empty: any object) are what is asked for.
    LabkitError where results or prompts are of other photos than these, perhaps of files that were there before, or
    where photos of several calls of `load_photos` have one name.
    """
    from IPython.display import display

    if not isinstance(wanted, int) or wanted < 0:
        raise LabkitError(text("photos.bad_size", name="photos_wanted", given=wanted, least=0, default=10))
    names = [photo.name for photo in photos]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise LabkitError(text("hand_in.same_names", names=some(twice)))
    results, known = results_of(results), {photo.name: photo.sha256 for photo in photos}
    shown = [one.photo for one in (*results, *prompted)]
    if others := dict.fromkeys(photo.name for photo in shown if known.get(photo.name) != photo.sha256):
        raise LabkitError(text("hand_in.other_photos", names=some([*others])))
    record = scores.record() if scores is not None else None
    prompts = _prompted(prompted)
    data = results_data(find_variant(variant), photos, results, student, group, wanted, target, prompts, record)
    facts = HandIn({**data, "digest": digest(data)}, prompted)
    display(facts)
    display_with_page(facts.button(), "", "")


class Written(NamedTuple):
    """A report that was written: of which notebook, saved when, and what it says at its end."""

    path: Path
    checks: list[Check]
    saved: datetime | None
    conclusions: str


class HandIn(Provenance):
    """The data of a report; a notebook shows them as a table of facts."""

    mime = MIME

    def __init__(self, data: dict[str, Any], prompted: Sequence[Any] = ()):
        super().__init__(data)
        self._prompted = prompted

    def write(self) -> Written:
        """Writes `variant_N.html` of the notebook as it was saved, into its folder.

        Nothing is run again: answers stay, and prompts are the ones that are there now. LabkitError where the notebook
        is not found, or was not saved after this run.
        """
        from labkit.report.page import render  # with nbconvert: 1.5 s, that a notebook without a report is spared

        variant = find_variant(self.data["variant_number"])
        source, saved = (None, _colab_notebook()) if in_colab() else self._notebook(variant)
        found = report_data(saved)
        dropped = source is None and found is None  # Colab's page may keep no data of a type that it does not know
        if not dropped and (found or {}).get("digest") != self.data["digest"]:
            raise LabkitError(text("hand_in.not_saved"))
        now = [result_data(result, self.data["made_by"]) for result in _prompted(self._prompted)]
        for output in outputs(saved):
            for hand in self._prompted:
                if hasattr(hand, "mark") and output.get("data", {}).get("text/html", "").startswith(hand.mark):
                    output.data["text/html"] = hand.page()
        path = (source.parent if source else Path.cwd()) / f"variant_{variant.number}.html"
        page, checks = render(saved, variant, facts={**self.data, "prompted": now})
        write_whole(path, page.encode())
        when = datetime.fromtimestamp(source.stat().st_mtime) if source else None
        return Written(path, checks, when, complete({}, saved)["conclusions"])

    def button(self) -> Any:
        """The button, and below it what became of it."""
        press = ipywidgets.Button(description=text("hand_in.button"), layout={"width": "auto"}, icon="file-text")
        press.add_class("labkit-live")  # it works where the saver cannot be loaded
        message, saver = ipywidgets.HTML(), _Saver()

        def pressed(_: Any) -> None:
            press.disabled, message.value = True, html.escape(text("hand_in.busy"))
            try:
                saved = self._save(saver)
                written = self.write()
                message.value = _told(written, saved)
                if in_colab():  # the file lies on a machine that will be gone: the browser gets it
                    from google.colab import files

                    files.download(str(written.path))
            except Exception as error:  # a traceback that nobody would see
                message.value = f"<b>{html.escape(told(error))}</b>"
            finally:
                press.disabled = False

        press.on_click(keep_language(pressed))
        return awake("labkit.hand_in", press, message, saver)

    def _save(self, saver: anywidget.AnyWidget) -> bool:
        """Asks the page to save the notebook; whether it has. Only a Jupyter server's pages can be asked.

        A page that is at an earlier save drops what it is asked, so it is asked again.
        """
        if not os.environ.get("JPY_SESSION_NAME") or in_colab():
            return in_colab()
        variant, end = find_variant(self.data["variant_number"]), time.monotonic() + _SAVE_SECONDS
        named, others = _notebooks(variant)
        before = {path: path.stat().st_mtime_ns for path in named + others}
        asked = 0.0
        while (now := time.monotonic()) < end:
            if now - asked > _ASK_SECONDS:
                saver.send({"save": True})
                asked = now
            time.sleep(0.05)
            with suppress(LabkitError, OSError):  # Jupyter empties the file before it writes it
                path, _ = self._notebook(variant)
                if path.stat().st_mtime_ns != before.get(path) and _read(path):
                    return True
        return False

    def _notebook(self, variant: Variant) -> tuple[Path, NotebookNode]:
        """The file that holds these data, else the one where they should be saved, and what is in it."""
        named, others = _notebooks(variant)
        for path in named + others:
            with suppress(LabkitError):
                notebook = _read(path)
                if (report_data(notebook) or {}).get("digest") == self.data["digest"]:
                    return path, notebook
        if not named:
            raise LabkitError(text("hand_in.not_found", name=variant.notebook, variant=variant.number))
        return named[0], _read(named[0])


class _Saver(anywidget.AnyWidget):
    """Nothing to be seen; it saves the notebook."""

    _esm = (Path(__file__).parent / "save.js").read_text("utf-8")


def _prompted(given: Sequence[Any]) -> list[Segmentation]:
    """Results, and those of what `labkit.prompt` answered, as they are now."""
    return [getattr(one, "result", one) for one in given if getattr(one, "prompts", True)]


def _told(written: Written, saved: bool) -> str:
    lines = [text("hand_in.written", path=written.path)]
    if written.saved:
        lines.append(text("hand_in.of" if saved else "hand_in.of_saved", time=f"{written.saved:%H:%M:%S}"))
    words = written.conclusions.split()
    begun = " ".join(words[:_WORDS]) + ("…" if len(words) > _WORDS else "")
    lines.append(text("hand_in.conclusions", words=begun) if words else text("hand_in.no_conclusions"))
    checks = [(check, text(f"checks.{check.name}")) for check in written.checks]
    return _DONE.render(lines=lines, checks=checks)


def _read(path: Path) -> NotebookNode:
    import nbformat

    try:
        return nbformat.read(path, 4)
    except (OSError, ValueError) as error:
        raise LabkitError(text("hand_in.unreadable", path=path, error=one_line(error.__cause__ or error))) from error


def _notebooks(variant: Variant) -> tuple[list[Path], list[Path]]:
    """Files that VS Code, the Jupyter server or the kit call this notebook; the folder's others, the last saved first.

    The server's name is that of when the kernel was started: a notebook that was renamed since is one of the others.
    """
    from IPython import get_ipython

    shell = get_ipython()
    names = [(shell.user_ns if shell else {}).get("__vsc_ipynb_file__"), os.environ.get("JPY_SESSION_NAME")]
    named = [Path(name) for name in names if name] + [Path.cwd() / variant.notebook]
    named = [path for path in dict.fromkeys(named) if path.suffix == ".ipynb" and path.is_file()]
    others = [path for path in Path.cwd().glob("*.ipynb") if path not in named]
    return named, sorted(others, key=lambda path: -path.stat().st_mtime_ns)


def _colab_notebook() -> NotebookNode:
    """The notebook as it stands in Colab's page."""
    import nbformat
    from google.colab import _message

    answer = _message.blocking_request("get_ipynb", timeout_sec=60)
    if not answer:
        raise LabkitError(text("hand_in.not_saved"))
    return nbformat.reads(json.dumps(answer["ipynb"]), 4)  # its texts are lists of lines until they are read
