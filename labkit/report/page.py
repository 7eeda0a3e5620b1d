"""The executed notebook as one HTML file: no network, no kernel, code folded away, provenance at the top."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from labkit.report.provenance import MIME, Provenance
from labkit.texts import text
from labkit.variants import Variant

__all__ = ["drop_widgets", "external_links", "render", "write_page"]

_WIDGET = "application/vnd.jupyter.widget-view+json"
_CSS = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s;]+)""", re.IGNORECASE)
_REMOTE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_FETCHED = {"background", "data", "href", "poster", "src", "srcset", "xlink:href"}


def write_page(notebook: nbformat.NotebookNode, path: Path, variant: Variant, error: str | None = None) -> None:
    """Writes the report of an executed notebook; a half-written file is never left behind."""
    part = path.with_name(path.name + ".part")
    part.write_text(render(notebook, variant, error), encoding="utf-8")
    part.replace(path)


def render(notebook: nbformat.NotebookNode, variant: Variant, error: str | None = None) -> str:
    """The page as HTML text."""
    notebook = copy.deepcopy(notebook)
    facts = _take_provenance(notebook)
    drop_widgets(notebook)
    exporter = HTMLExporter(
        template_name="labkit",
        extra_template_basedirs=[str(Path(__file__).parent / "template")],
        require_js_url="",
        mathjax_url="",
        jquery_url="",
        mermaid_js_url="",
        widget_renderer_url="",
        embed_images=True,
        language_code=text("language"),
    )
    labels = {key: text(f"report.{key}") for key in ("show_code", "hide_code", "heading", "unfinished")}
    resources = {
        "metadata": {"name": f"{variant.number}. {variant.title}"},
        "labkit": {"labels": labels, "variant": variant, "error": error, "facts": facts.to_html() if facts else ""},
    }
    page, _ = exporter.from_notebook_node(notebook, resources)
    return page


def drop_widgets(notebook: nbformat.NotebookNode) -> None:
    """Takes widget views and their state, which mean nothing without a kernel, out of a notebook, in place."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
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


def _take_provenance(notebook: nbformat.NotebookNode) -> Provenance | None:
    """Moves the provenance out of the notebook's outputs, since the page shows it at the top."""
    found = None
    for cell in notebook.cells:
        for output in list(cell.get("outputs", [])):
            if "data" in output and MIME in output.data:
                found = Provenance(output.data[MIME])
                cell.outputs.remove(output)
    return found
