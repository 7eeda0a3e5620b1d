"""The report in a real browser: accessible, and a clean document when it is printed."""

import re
from dataclasses import replace

import numpy as np
import pytest
from browser import View
from executed import executed, handed_in
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from labkit.figures import figure, svg
from labkit.report.page import render
from labkit.report.provenance import provenance
from labkit.variants import VARIANTS, find_variant
from labkit.viewer.viewer import page_part


@pytest.fixture(scope="module")
def html(report_photos, report_results):
    """A report with every kind of cell: three viewers (the last of clicks), tables, figures, code, text, a warning."""
    notebook = executed(handed_in(3, report_photos, report_results, student="Иванова Анна"), report_results)
    figures = [new_output("display_data", data={"image/svg+xml": svg(figure(one))}) for one in report_results]
    told = new_output("stream", name="stderr", text="UserWarning: \x1b[31mкрасное\x1b[0m\n")
    again = new_output("display_data", data={"text/html": page_part(report_results[:2])})
    told_last = next(cell for cell in notebook.cells if "Выводы" in cell.source)
    told_last.source += "\n\n| Пересечение_по_объединению | доля площади на фото, % |\n| --- | --- |\n| 0,9 | 43 |"
    asked = {"text/html": f'<div data-labkit-prompts="1">{page_part(report_results[2:])}</div>'}
    clicked = new_output("display_data", data=asked)
    notebook.cells[1:1] = [
        new_markdown_cell(
            "## 6. Результаты\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n[статья](https://arxiv.org) `код`"
        ),
        new_code_cell(f"for photo in photos:  # {'по одному ' * 20}\n    photo", execution_count=1, outputs=figures),
        new_code_cell("1", execution_count=2, outputs=[told]),
        new_code_cell("labkit.show(results[:2])", execution_count=3, outputs=[again]),
        new_code_cell("labkit.prompt(model, photo)", execution_count=4, outputs=[clicked]),
    ]
    return render(notebook, find_variant(3))[0]


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("folded", [True, False])
def test_accessible(open_page, html, width, folded):
    """axe finds nothing of moderate impact or more, code folded and shown, at both widths; the viewer is alive.

    On a phone figures stay so large that they can be read, and rows of a table whole: both are scrolled in their place.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(html, viewport={"width": width, "height": 900})
    page.wait_for_function("document.querySelector('[data-labkit]').shadowRoot?.querySelector('canvas')")
    shown = View(page)
    before = shown.pixels("overlay")
    shown.set("opacity", 1)
    assert np.abs(shown.pixels("overlay") - before).mean() > 2
    if not folded:
        page.click("#labkit-code")
    found = axe.run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] != "minor"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    stops = "[...document.querySelectorAll('main [tabindex]')].filter((e) => e.scrollWidth <= e.clientWidth).length"
    assert page.evaluate(stops) == 0, "Tab goes to what can be used"
    cell = page.locator(".labkit-conclusions td").first.evaluate("(cell) => getComputedStyle(cell).borderTopWidth")
    assert cell == "1px", "a table is one in the conclusions too"
    assert page.locator("svg[role=img]").first.bounding_box()["width"] > 550
    table = page.locator("main pre", has_text="──").first
    assert table.evaluate("(pre) => getComputedStyle(pre).whiteSpace") == "pre"


def test_printed(open_page, html):
    """No buttons, no viewer but that of clicks, which has no figure; every figure whole on its page, small code."""
    page = open_page(html)
    page.wait_for_function("document.querySelector('[data-labkit]').shadowRoot?.querySelector('canvas')")
    printed = page.pdf(prefer_css_page_size=True)
    pages = [tuple(map(float, box)) for box in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)]
    assert 2 <= len(pages) <= 8 and all(size == pytest.approx((595, 842), abs=1) for size in pages)
    page.emulate_media(media="print")
    hidden = [*page.locator(".jp-OutputArea-output > [data-labkit]").all(), page.locator("#labkit-code")]
    assert len(hidden) == 3 and not any(one.is_visible() for one in hidden)
    clicked = page.locator("[data-labkit-prompts] > [data-labkit]")
    assert clicked.locator("canvas").count() == sum(one.is_visible() for one in clicked.locator("canvas").all()) == 3
    assert not any(one.is_visible() for one in clicked.locator("button, input").all())
    assert page.locator("svg[role=img]").count() == 3
    sizes = "(p) => [p, p.querySelector('code')].map((e) => parseFloat(getComputedStyle(e).fontSize))"
    words, code = page.locator("p:has(> code)").first.evaluate(sizes)
    assert code < words
    kept = "(svg) => getComputedStyle(svg).breakInside"
    assert all(one.evaluate(kept) == "avoid" for one in page.locator("svg[role=img]").all())


@pytest.mark.parametrize("code", ["```python\nprint('{}')\n```", "```\n{}\n```", "    {}"])
def test_a_wide_line_of_code_is_folded_on_paper(open_page, report_photos, report_results, code):
    """A student's own code fits the width of a sheet: a browser would make all of the report smaller for it."""
    notebook = executed(handed_in(3, report_photos, report_results), report_results)
    notebook.cells.append(new_markdown_cell(code.format("слово_" * 40)))
    page = open_page(render(notebook, find_variant(3))[0], viewport={"width": 688, "height": 1000})
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 688


def test_facts_of_all_models(open_page, report_results):
    """The table of where six models' results come from is as wide as the page, whole."""
    kinds = [
        {"variant": one.name, "weights": f"embedded/{one.name}", "sha256": one.name[0] * 64, "settings": {"size": 480}}
        for one in VARIANTS
    ]
    facts = provenance([replace(report_results[0], made_by=made_by) for made_by in kinds])
    told = new_output("display_data", data=facts._repr_mimebundle_())
    page = open_page(render(new_notebook(cells=[new_code_cell("1", execution_count=1, outputs=[told])]), None)[0])
    table = page.locator(".labkit-facts")
    assert table.locator("td").count() > 20
    assert table.evaluate("(table) => table.parentElement.scrollWidth - table.parentElement.clientWidth") == 0
