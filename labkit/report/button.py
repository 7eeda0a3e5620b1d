"""The end of a notebook: its results as data, and a button that makes the report of what stands in the notebook."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.photos import Photo
from labkit.report.answers import report_data
from labkit.report.checks import Check
from labkit.report.data import MIME, digest, results_data
from labkit.report.provenance import Provenance
from labkit.segmentation import Segmentation
from labkit.variants import Variant, find_variant
from labkit.viewer.widget import display_with_page

__all__ = ["HandIn", "hand_in"]


def hand_in(
    variant: int | str | Variant,
    photos: Sequence[Photo],
    results: Sequence[Segmentation],
    student: str = "",
    group: str = "",
    wanted: int = 10,
    target: str = "",
    prompted: Sequence[Segmentation] = (),
    scores: Any = None,
) -> None:
    """Displays where the results come from, with all that a report needs, and below it the button that writes one.

    `photos` are all that were loaded, `results` what the model said of them, `prompted` SAM's answers to prompts,
    `scores` the agreement with the student's own masks. `wanted` photos and on each the class `target` (empty: any
    object) are what the assignment asks for.
    """
    from IPython.display import display

    record = scores.record() if scores is not None else None
    prompted = [getattr(one, "result", one) for one in prompted if getattr(one, "prompts", True)]
    data = results_data(find_variant(variant), photos, results, student, group, wanted, target, prompted, record)
    facts = HandIn({**data, "digest": digest(data)})
    display(facts)
    display_with_page(facts.button(), "", "")


class HandIn(Provenance):
    """The data of a report; a notebook shows them as a table of facts."""

    mime = MIME

    def write(self, notebook: str | Path | None = None) -> tuple[Path, list[Check]]:
        """Writes `variant_N.html` of the notebook as it was saved, into its folder; returns the path and the checks.

        Nothing is run again: answers and what was made by hand stay. LabkitError where the notebook is not found, or
        was not saved after this run.
        """
        from labkit.report.page import write_page

        variant = find_variant(self.data["variant_number"])
        saved, folder = _saved(variant, notebook)
        facts = report_data(saved)
        if facts is None and notebook is None and _in_colab():  # whose page may keep no data of a type it does not know
            own = nbformat.v4.new_output("display_data", data={MIME: self.data})
            saved.cells.append(nbformat.v4.new_code_cell("", outputs=[own]))
            facts = self.data
        if (facts or {}).get("digest") != self.data["digest"]:
            raise LabkitError(text("hand_in.not_saved"))
        path = folder / f"variant_{variant.number}.html"
        return path, write_page(saved, path, variant)

    def button(self) -> Any:
        """The button, and below it what became of it."""
        import ipywidgets

        press = ipywidgets.Button(description=text("hand_in.button"), layout={"width": "auto"}, icon="file-text")
        message = ipywidgets.HTML()

        def pressed(_: Any) -> None:
            press.disabled, message.value = True, html.escape(text("hand_in.busy"))
            try:
                path, checks = self.write()
                message.value = _summary(path, checks)
                _download(path)
            except (LabkitError, OSError) as error:
                message.value = f"<b>{html.escape(str(error))}</b>"
            finally:
                press.disabled = False

        press.on_click(pressed)
        return ipywidgets.VBox([press, message])


def _summary(path: Path, checks: Sequence[Check]) -> str:
    rows = "".join(
        f"<li>{'✓' if check.ok else '✗'} <b>{html.escape(text(f'checks.{check.name}'))}</b>: "
        f"{html.escape(check.reason)}</li>"
        for check in checks
    )
    done = html.escape(text("hand_in.written", path=path))
    return f'<p>{done}</p><ul style="list-style: none; padding: 0">{rows}</ul>'


def _saved(variant: Variant, notebook: str | Path | None) -> tuple[nbformat.NotebookNode, Path]:
    """The notebook that this kernel runs, as it was saved, and its folder."""
    if notebook is None and _in_colab():
        return _colab_notebook(), Path.cwd()
    path = Path(notebook) if notebook is not None else _path(variant)
    try:
        return nbformat.read(path, 4), path.parent
    except (OSError, ValueError) as error:
        raise LabkitError(text("hand_in.unreadable", path=path, error=error)) from error


def _path(variant: Variant) -> Path:
    """Where the notebook lies: as VS Code or the Jupyter server say, else under its own name in the current folder."""
    from IPython import get_ipython

    shell = get_ipython()
    names = [(shell.user_ns if shell else {}).get("__vsc_ipynb_file__"), os.environ.get("JPY_SESSION_NAME")]
    for path in [Path(name) for name in names if name] + [Path.cwd() / variant.notebook]:
        if path.suffix == ".ipynb" and path.is_file():
            return path
    raise LabkitError(text("hand_in.not_found", name=variant.notebook, variant=variant.number))


def _in_colab() -> bool:
    try:
        import google.colab  # noqa: F401
    except ImportError:
        return False
    return True


def _colab_notebook() -> nbformat.NotebookNode:
    """The notebook as it stands in Colab's page."""
    from google.colab import _message

    answer = _message.blocking_request("get_ipynb", timeout_sec=60)
    if not answer:
        raise LabkitError(text("hand_in.not_saved"))
    return nbformat.reads(json.dumps(answer["ipynb"]), 4)  # its texts are lists of lines until they are read


def _download(path: Path) -> None:
    """In Colab the file lies on a machine that will be gone: the browser gets it."""
    if _in_colab():
        from google.colab import files

        files.download(str(path))
