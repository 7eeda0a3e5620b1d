"""The executed notebook as one HTML file: no network, no kernel, code folded away, checks at the top, data inside."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

from labkit.classes import LABEL_SETS, label_set
from labkit.io.files import write_whole
from labkit.locale import language, text
from labkit.report.answers import complete, outputs, outputs_text, report_data
from labkit.report.checks import Check, checks, found_on
from labkit.report.consistency import disagreements, viewer_items
from labkit.report.data import MIME, block, results_data, sealed
from labkit.report.provenance import MIME as FACTS
from labkit.segmentation import MIN_SHARE
from labkit.variants import Variant

__all__ = ["drop_widgets", "external_links", "render", "write_page"]

_WIDGET = "application/vnd.jupyter.widget-view+json"
_TEMPLATES = Path(__file__).parent / "template"
_SHOWN = 4
_CSS = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s;]+)""", re.IGNORECASE)
_REMOTE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_FETCHED = {"background", "data", "href", "poster", "src", "srcset", "xlink:href"}


def write_page(
    notebook: nbformat.NotebookNode, path: Path, variant: Variant | None, error: str | None = None
) -> list[Check]:
    """Writes the report of an executed notebook and returns its checks; a half-written file is never left behind."""
    page, found_checks = render(notebook, variant, error)
    write_whole(path, page.encode())
    return found_checks


def render(
    notebook: nbformat.NotebookNode, variant: Variant | None, error: str | None = None
) -> tuple[str, list[Check]]:
    """The page as HTML text, and the checks that stand in it.

    A page without a `variant` (the comparison of all) has neither checks nor data.
    """
    notebook = copy.deepcopy(notebook)
    facts, found_checks, data = _facts(notebook), [], None
    if variant is not None:
        data = complete(report_data(notebook) or results_data(variant, [], []), notebook, error)
        shown = outputs_text(notebook)
        found_checks = checks(data, disagreements(data, viewer_items(shown), shown))
        data["checks"] = [asdict(check) for check in found_checks]
        facts = data
    _drop_data(notebook)
    drop_widgets(notebook)
    exporter = HTMLExporter(
        template_name="labkit",
        extra_template_basedirs=[str(_TEMPLATES)],
        require_js_url="",
        mathjax_url="",
        jquery_url="",
        mermaid_js_url="",
        widget_renderer_url="",
        embed_images=True,
        language_code=language(),
    )
    name = f"{variant.number}. {variant.title}" if variant else text("report.comparison")
    resources = {"metadata": {"name": name}, "labkit": _labels(variant, error, facts, found_checks)}
    page, _ = exporter.from_notebook_node(notebook, resources)
    if data is not None:
        body, end, rest = page.rpartition("</body>")
        page = f"{body}{block(sealed(data, page))}{end}{rest}"
    return page, found_checks


def _labels(variant: Variant | None, error: str | None, facts: dict[str, Any], found_checks: Sequence[Check]) -> dict:
    heading = f"{text('report.heading')} {variant.number}: {variant.title}" if variant else text("report.comparison")
    keys = {"show_code": "report.show_code", "hide_code": "report.hide_code", "unfinished": "report.unfinished"}
    keys |= {"checks": "checks.heading", "ok": "checks.ok", "failed": "checks.failed", "photos": "checks.by_photo"}
    shown = {key: facts.get(key) for key in ("student", "group")}
    shown["date"] = _date(str(facts.get("date") or ""))
    css = (_TEMPLATES / "labkit" / "report.css").read_text(encoding="utf-8")
    css = css.replace("PRINTED", json.dumps(text("report.printed"), ensure_ascii=False))
    return {
        "css": f"{css}{HtmlFormatter(style='default').get_style_defs('.highlight')}",
        "title": heading,
        "error": error,
        "labels": {name: text(key) for name, key in keys.items()},
        "rows": [(text(f"report.{key}"), value or "—") for key, value in shown.items()] if facts else [],
        "checks": [{**asdict(check), "title": text(f"checks.{check.name}")} for check in found_checks],
        "photos": _photos(facts) if found_checks else [],
    }


def _photos(data: dict[str, Any]) -> list[tuple[str, bool, str]]:
    """For each photo its name, whether the sought object was found, and what was found, largest first."""
    detected = found_on(data, data["wanted"]["target"])
    classes = data["made_by"].get("classes")
    shares: dict[str, Counter[str]] = {}
    for result in data["results"]:
        height, width = result["size"]
        counts = shares[result["photo"]] = Counter()
        for segment in result["segments"]:
            if segment["area"] >= MIN_SHARE * height * width:
                known = classes in LABEL_SETS
                label = label_set(classes).label(segment["label_id"]) if known else ""
                counts[label or text("checks.object")] += segment["area"] / (height * width) if known else 1
    rows = []
    for name, ok in detected.items():
        counts = shares.get(name, Counter()).most_common(_SHOWN)
        what = [f"{label}: {value:.0%}" if isinstance(value, float) else f"{label}: {value}" for label, value in counts]
        rows.append((name, bool(ok), ", ".join(what) or text("figures.nothing")))
    return rows


def _date(date: str) -> str:
    try:
        return datetime.fromisoformat(date).strftime("%d.%m.%Y, %H:%M")
    except ValueError:
        return date


def drop_widgets(notebook: nbformat.NotebookNode) -> None:
    """Takes widget views and their state, which mean nothing without a kernel, out of a notebook, in place."""
    notebook.metadata.pop("widgets", None)
    for output in outputs(notebook):
        output.get("data", {}).pop(_WIDGET, None)


def external_links(page: str) -> list[str]:
    """The addresses that a browser would fetch from a network to show the page: must be empty."""
    parser = _Links()
    parser.feed(page)
    parser.close()
    return parser.found


class _Links(HTMLParser):
    """Finds remote addresses in tags that load something (an `<a>` only leads there), in CSS and in inner pages."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.in_style = tag == "style"
        for name, value in attrs:
            if name == "style":
                self.found += _CSS.findall(value or "")
            elif name == "srcdoc":
                self.found += external_links(value or "")
            elif name in _FETCHED and tag not in ("a", "area"):
                addresses = (value or "").split(",") if name == "srcset" else [value or ""]
                self.found += [address.strip() for address in addresses if _REMOTE.match(address)]

    def handle_data(self, data: str) -> None:
        if self.in_style:
            self.found += _CSS.findall(data)

    def handle_endtag(self, tag: str) -> None:
        self.in_style = False


def _facts(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """What the first table of facts in a notebook says of the student."""
    return next((facts for output in outputs(notebook) if (facts := output.get("data", {}).get(FACTS))), {})


def _drop_data(notebook: nbformat.NotebookNode) -> None:
    """Takes the data out of the outputs: they stand in the page once, in the block."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind in (MIME, FACTS):
                output.get("data", {}).pop(kind, None)
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if output.get("data", True)]
