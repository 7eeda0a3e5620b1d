"""The executed notebook as one HTML file: no network, no kernel, code folded away, the results at the top, data inside.

Also without the kit's commands: `jupyter nbconvert --to labkit notebook.ipynb`.
"""

import copy
import json
import re
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter
from traitlets import Any as Anything

from labkit.io.drawing import as_webp
from labkit.locale import language, text
from labkit.report.answers import complete, outputs, outputs_text, pictures, report_data, split_conclusions
from labkit.report.checks import Check, checks
from labkit.report.consistency import disagreements, viewer_items
from labkit.report.data import block, results_data, sealed
from labkit.report.provenance import MIME as FACTS
from labkit.report.provenance import Provenance
from labkit.report.wall import wall
from labkit.variants import Variant, find_variant

__all__ = ["ReportExporter", "drop_widgets", "render"]

_WIDGET = "application/vnd.jupyter.widget-view+json"
_TEMPLATES = Path(__file__).parent / "template"
_MEASURED = "ground-truth"  # a cell with this tag shows nothing where no photo has annotations
_FACTS = ("student", "group", "date", "weights", "device", "target", "settings")
_OFFLINE = ("require_js_url", "mathjax_url", "jquery_url", "mermaid_js_url", "widget_renderer_url")


def render(
    notebook: nbformat.NotebookNode, variant: Variant | None, error: str | None = None, facts: Any = None
) -> tuple[str, list[Check]]:
    """The page as HTML text, and the checks that stand in it; `facts` are the data in place of the notebook's own.

    A page without a `variant` (the comparison of all) has neither checks nor data; the notebook names it.
    """
    exporter = ReportExporter(variant=variant, error=error, facts=facts)
    page, resources = exporter.from_notebook_node(notebook)
    return page, resources["labkit"]["found"]


class ReportExporter(HTMLExporter):
    """nbconvert's exporter of the report; by itself it takes the variant that the notebook's data name."""

    export_from_notebook = "labkit"
    variant, error, facts = Anything(""), Anything(), Anything()

    def __init__(self, **options: Any):
        page = {"template_name": "labkit", "extra_template_basedirs": [str(_TEMPLATES)], "embed_images": True}
        super().__init__(**{**dict.fromkeys(_OFFLINE, ""), **page, "language_code": language(), **options})
        self.register_filter("as_webp", as_webp)

    @property
    def default_config(self) -> Any:
        """nbconvert's own, and cells with the tag `screen`, which tell a student what to do, left out."""
        config = super().default_config.copy()
        config.TagRemovePreprocessor.remove_cell_tags = {"screen"}
        return config

    def from_notebook_node(self, nb: Any, resources: Any = None, **options: Any) -> tuple[str, dict[str, Any]]:
        """The page, and the resources with the checks in `["labkit"]["found"]`."""
        notebook, resources = copy.deepcopy(nb), resources or {}
        pasted = pictures(notebook)
        facts, variant = self.facts or report_data(notebook), self.variant
        if variant == "":
            variant = find_variant(facts["variant_number"]) if facts else None
        title = notebook.metadata.get("title") or text("report.comparison")
        if variant:
            title = f"{text('report.heading')} {variant.number}: {variant.title}"
        labkit: dict[str, Any] = {"title": title, "text": text, "error": self.error, "found": [], "css": _css()}
        data = None
        if variant is not None:
            facts = data = complete(facts or results_data(variant, [], []), notebook, self.error)
            shown = outputs_text(notebook)
            items = viewer_items(shown)
            labkit["found"] = checks(data, disagreements(data, items, shown))
            data["checks"] = [asdict(check) for check in labkit["found"]]
            labkit["photos"] = wall(data, items)
            if not any((data["scores"] or {}).get(key) for key in ("photos", "notes")):
                notebook.cells = [cell for cell in notebook.cells if _MEASURED not in cell.metadata.get("tags", ())]
        else:  # of many models: who, and no one model's weights
            kept = (output.get("data", {}).get(FACTS) for output in outputs(notebook))
            facts = {key: value for key, value in (facts or next(filter(None, kept), {})).items() if key in _FACTS}
            if not facts and self.variant == "":
                self.log.warning(text("report.no_data"))
        labkit |= {"rows": _rows(facts) if facts else [], "conclusions": split_conclusions(notebook)}
        drop_widgets(notebook)
        name = f"{variant.number}. {variant.title}" if variant else title
        metadata = {**resources.get("metadata", {}), "name": name}
        resources = {**resources, "metadata": metadata, "labkit": labkit}
        page, resources = super().from_notebook_node(notebook, resources, **options)
        page = re.sub(r"labkit-picture-\d+", lambda name: pasted.get(name[0], name[0]), page)
        if data is not None:
            body, end, rest = page.rpartition("</body>")
            page = f"{body}{block(sealed(data, page))}{end}{rest}"
        return page, resources


def _css() -> str:
    css = (_TEMPLATES / "labkit" / "report.css").read_text(encoding="utf-8")
    css = css.replace("PRINTED", json.dumps(text("report.printed"), ensure_ascii=False))
    return css + HtmlFormatter().get_style_defs(".highlight")


def _rows(data: dict[str, Any]) -> list[tuple[str, str]]:
    """Who, when, with what: names and values."""
    values: dict[str, Any] = {key: each[0] for key, each in Provenance(data).values().items()}
    values["target"], values["date"] = (data.get("wanted") or {}).get("target"), data.get("date")
    with suppress(ValueError):
        values["date"] = datetime.fromisoformat(str(values["date"])).strftime("%d.%m.%Y, %H:%M")
    always = ("student", "group")
    return [(text(f"report.{key}"), values[key] or "—") for key in _FACTS if values[key] or key in always]


def drop_widgets(notebook: nbformat.NotebookNode) -> None:
    """Takes widget views and their state, which mean nothing without a kernel, out of a notebook, in place."""
    notebook.metadata.pop("widgets", None)
    for output in outputs(notebook):
        output.get("data", {}).pop(_WIDGET, None)
