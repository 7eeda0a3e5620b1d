"""The report's page: one file that needs no network, the provenance at its top."""

from __future__ import annotations

import copy

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from labkit.figures import figure, svg
from labkit.report.page import external_links, render, write_page
from labkit.report.provenance import MIME, provenance
from labkit.variants import find_variant

VARIANT = find_variant("fcn")
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def notebook(outlined):
    """An executed notebook: narrative, provenance, a figure and a widget."""
    facts = provenance([outlined], "Иванова <b>")._repr_mimebundle_()
    viewer = {WIDGET: {"model_id": "0" * 32, "version_major": 2, "version_minor": 0}, "text/html": "<p>записка</p>"}
    drawn = {"image/svg+xml": svg(figure(outlined))}
    cells = [new_markdown_cell("# Отчёт\n\n[статья](https://arxiv.org/abs/1411.4038)\n\n$x_1$")]
    for data in (facts, drawn, viewer):
        outputs = [new_output("display_data", data=data)]
        cells.append(new_code_cell("показать()", execution_count=1, outputs=outputs))
    return new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})


@pytest.fixture(scope="module")
def page(notebook):
    """The page of that notebook."""
    return render(notebook, VARIANT)


@pytest.fixture(scope="module")
def soup(page):
    """The page as a tree."""
    return BeautifulSoup(page, "html.parser")


def test_needs_no_network(page, soup):
    """Nothing is fetched; links to papers stay."""
    assert external_links(page) == []
    assert soup.find("a", href="https://arxiv.org/abs/1411.4038")
    assert not [script for script in soup("script") if "src" in script.attrs]


def test_says_what_it_is(soup):
    """Title, heading, language and character set are there, and what was said in the notebook."""
    assert soup.title.text == "3. FCN-8s" and soup.header.h1.text == "Вариант 3: FCN-8s"
    assert soup.html["lang"] == "ru" and soup.meta["charset"] == "utf-8"
    assert soup.main.h1.text.startswith("Отчёт")


def test_figures_are_drawings(soup):
    """A figure is in the page as SVG, with text that can be searched and its photos inside."""
    drawn = soup.main.svg
    assert [node.text.strip() for node in drawn("text")][:3] == ["cat_chelsea", "маска", "наложение"]
    assert all(image["xlink:href"].startswith("data:image/jpeg;base64,") for image in drawn("image"))


def test_provenance_stands_at_the_top(page, soup):
    """It is shown once, in the header, escaped; the cell's own table is gone."""
    (facts,) = soup.find_all(class_="labkit-facts")
    assert facts.parent.name == "header" and facts.td.text == "Иванова <b>" and not facts.b
    assert MIME not in page and page.index("</header>") < page.index("<main>")


def test_code_is_folded_away(soup):
    """The code is in the page, hidden until the button shows it."""
    button = soup.header.find("button", id="labkit-code")
    assert button.text == button["data-show"] == "Показать код" and button["data-hide"] == "Скрыть код"
    assert "labkit-fold" in soup.body["class"]
    assert [cell.text.strip() for cell in soup.select(".jp-CodeCell > .jp-Cell-inputWrapper pre")] == ["показать()"] * 3
    assert "body.labkit-fold .jp-CodeCell > .jp-Cell-inputWrapper { display: none; }" in str(soup.head)


def test_widgets_give_way_to_their_notes(page, soup):
    """Without a kernel a widget shows nothing: what is left is the sentence in its place."""
    assert soup.main.find("p", string="записка") and WIDGET not in page and "0" * 32 not in page


def test_error_banner(notebook, soup):
    """A run that stopped says where, at the top and as text; one that did not has no banner."""
    stopped = BeautifulSoup(render(notebook, VARIANT, "ячейка с кодом № 2: ValueError: <b>"), "html.parser")
    banner = stopped.header.find(class_="labkit-error")
    assert banner.text == "Выполнение остановилось: ячейка с кодом № 2: ValueError: <b>"
    assert not soup.find(class_="labkit-error")


@pytest.mark.parametrize("state", [{}, {"state": {}}, {"application/vnd.jupyter.widget-state+json": {}}])
def test_odd_widget_state(notebook, page, state):
    """Colab writes widget metadata without `state`, which nbconvert by itself does not survive."""
    notebook = copy.deepcopy(notebook)
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": state}
    assert render(notebook, VARIANT) == page
    assert "widgets" in notebook.metadata  # the notebook itself is left as it was


def test_no_provenance():
    """A notebook that stopped before its provenance, or has no outputs at all, makes a page too."""
    page = render(new_notebook(cells=[new_code_cell("1 / 0")]), VARIANT, "ячейка с кодом № 1")
    header = BeautifulSoup(page, "html.parser").header
    assert header.find(class_="labkit-error") and not header.table and header.button


def test_write_page(notebook, tmp_path):
    """One file in UTF-8, nothing beside it; a failing export leaves the former report as it was."""
    path = tmp_path / "отчёт.html"
    write_page(notebook, path, VARIANT)
    written = path.read_bytes()
    assert written.decode("utf-8") == render(notebook, VARIANT)
    with pytest.raises(AttributeError):
        write_page(nbformat.NotebookNode(metadata={}), path, VARIANT)
    assert path.read_bytes() == written and list(tmp_path.iterdir()) == [path]


FETCHED = {
    "<script src=https://a.org/x.js></script>": "https://a.org/x.js",
    '<SCRIPT async SRC="//a.org/x.js"></SCRIPT>': "//a.org/x.js",
    "<link rel=stylesheet href=//a.org/x.css>": "//a.org/x.css",
    "<img alt='1 > 0' src='http://a.org/x.png'>": "http://a.org/x.png",
    '<img srcset="x.png 1x, https://a.org/x.png 2x">': "https://a.org/x.png 2x",
    "<video poster=https://a.org/x.png></video>": "https://a.org/x.png",
    '<object data="https://a.org/x.svg"></object>': "https://a.org/x.svg",
    '<svg><image xlink:href="https://a.org/x.png"/></svg>': "https://a.org/x.png",
    "<iframe srcdoc='<script src=&quot;https://a.org/x.js&quot;></script>'></iframe>": "https://a.org/x.js",
    "<style>p { background: url( 'https://a.org/x.png' ) }</style>": "https://a.org/x.png",
    '<style>@import "https://a.org/x.css";</style>': "https://a.org/x.css",
    "<style>@import url(//a.org/x.css);</style>": "//a.org/x.css",
    '<p style="background: url(https://a.org/x.png)">': "https://a.org/x.png",
}


@pytest.mark.parametrize("snippet, address", FETCHED.items())
def test_finds_what_is_fetched(snippet, address):
    """Each way in which a page can fetch something, in any spelling."""
    assert external_links(f"<html><body><p>текст</p>{snippet}</body></html>") == [address]


@pytest.mark.parametrize(
    "snippet",
    [
        '<a href="https://a.org">статья</a>',
        '<svg xmlns="http://www.w3.org/2000/svg"><use xlink:href="#m1"/></svg>',
        '<img src="data:image/png;base64,//8=">',
        "<p>background: url(https://a.org/x.png)</p>",
        "<pre>&lt;script src=https://a.org/x.js&gt;</pre>",
        "<!-- <script src=https://a.org/x.js></script> -->",
        "<style>p { background: url(#a) } /* https://a.org */</style>",
        "<script>// see https://a.org</script>",
    ],
)
def test_leaves_what_is_not_fetched(snippet):
    """Links that lead away, names of formats, embedded data and mere text."""
    assert external_links(snippet) == []
