"""The report's page: one file that needs no network, the provenance at its top."""

import base64
import copy
import io
import tomllib
from datetime import datetime
from pathlib import Path

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from executed import ANSWER, CONCLUSIONS, executed, handed_in
from links import external_links
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from pictured import written
from PIL import Image

from labkit.figures import figure, overlay_image, svg
from labkit.locale import text
from labkit.report.checks import NAMES
from labkit.report.consistency import viewer_items
from labkit.report.data import BLOCK, MIME, digest, page_digest, parse, result_data
from labkit.report.page import ReportExporter, render
from labkit.report.provenance import provenance
from labkit.report.wall import overlaid, wall
from labkit.variants import find_variant
from labkit.viewer.viewer import page_part

VARIANT = find_variant("fcn")
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def handed(report_photos, report_results):
    """What is handed in."""
    return handed_in(3, report_photos, report_results, student="Иванова <b>", group="ИВТ-21", target="кошка")


@pytest.fixture(scope="module")
def notebook(handed, report_results):
    """An executed notebook: narrative, viewer, table, answers, a figure and a widget."""
    notebook = executed(handed, report_results)
    notebook.cells[0].source = "# Отчёт\n\n[статья](https://arxiv.org/abs/1411.4038)\n\n$x_1$"
    viewer = {WIDGET: {"model_id": "c0ffee" * 5, "version_major": 2, "version_minor": 0}, "text/html": "<p>записка</p>"}
    drawn = {"image/svg+xml": svg(figure(report_results[0]))}
    for number, data in enumerate((drawn, viewer), start=4):
        outputs = [new_output("display_data", data=data)]
        notebook.cells.append(new_code_cell("показать()", execution_count=number, outputs=outputs))
    return notebook


@pytest.fixture(scope="module")
def page(notebook):
    """The page of that notebook."""
    return render(notebook, VARIANT)[0]


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
    assert [node.text.strip() for node in drawn("text")][:3] == ["cat_kitten", "маска", "наложение"]
    assert all(image["xlink:href"].startswith("data:image/webp;base64,") for image in drawn("image"))


def test_what_plt_shows_is_small(notebook, report_photos):
    """An opaque PNG of a cell travels as WebP with words in its place; a clear or a broken one as it is."""
    longer, image = copy.deepcopy(notebook), Image.fromarray(report_photos[0].pixels)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    sent = ['"><script>', *(base64.b64encode(written(one)).decode() for one in (image, image.convert("RGB")))]
    wide = {"image/png": {"width": 99}}
    outputs = [new_output("display_data", data={"image/png": png}, metadata=wide) for png in sent]
    longer.cells.append(new_code_cell("plt.show()", execution_count=9, outputs=outputs))
    page = BeautifulSoup(render(longer, VARIANT)[0], "html.parser")
    broken, clear, opaque = page.select(".jp-RenderedImage img")
    assert [broken["src"], clear["src"]] == [f"data:image/png;base64,{png}" for png in sent[:2]]
    assert opaque["src"].startswith("data:image/webp;base64,") and len(opaque["src"]) < len(sent[2]) / 2
    assert {image["alt"] for image in (broken, clear, opaque)} == {"рисунок ячейки"} and opaque["width"] == "99"


def test_header(page, soup, notebook):
    """Student, group, variant and date, then the checks with tick or cross and reason, and what each photo shows."""
    rows = {row.th.text: row.td.text for row in soup.header.table("tr")}
    assert rows["Студент"] == "Иванова <b>" and rows["Группа"] == "ИВТ-21" and not soup.header.b
    assert datetime.strptime(rows["Дата"], "%d.%m.%Y, %H:%M").date() == datetime.now().date()
    (facts,) = soup.find_all(class_="labkit-facts")  # the whole table stands where the notebook shows it
    assert facts.find_parent("main") and facts.td.text == "Иванова <b>" and not facts.b
    assert [row["class"] for row in facts("tr")[:2]] == [["labkit-student"], ["labkit-group"]], "what CSS hides there"
    (first,), (by_photo,) = soup.header(class_="labkit-checks"), soup.header(class_="labkit-wall")
    found = render(notebook, VARIANT)[1]
    told = [" ".join(row.text.split()) for row in first("li")]
    assert told == [
        f"{'✓' if check.ok else '✗'} {text(f'checks.{check.name}')} "
        f"({text('checks.ok' if check.ok else 'checks.failed')}): {check.reason}"
        for check in found
    ]
    assert [check.name for check in found if not check.ok] == ["objects"] and len(told) == 8
    photos = [" ".join(row.text.split()) for row in by_photo("li")]
    assert photos[0].startswith("✓ cat_kitten (выполнено): кошка: 2") and photos[2].startswith("✗ officer")
    assert sorted(mark.text.split(":")[0] for mark in by_photo("em")) == ["лучшее", "худшее"]
    assert [image["alt"].split(":")[0] for image in by_photo("img")] == ["cat_kitten", "cat_yarn", "officer"]


def test_data_inside(page, notebook, handed):
    """The block holds what was handed in, what was written, and the checks; both seals are whole."""
    data = parse(*BLOCK.findall(page))
    assert data["results"] == handed.data["results"] and data["answers"][0]["answer"] == ANSWER
    assert [check["name"] for check in data["checks"]] == list(NAMES)
    assert data["digest"] == digest(data) and data["page_sha256"] == page_digest(page)
    assert MIME not in page and page.count("labkit-report-1") == 1


def test_comparison(outlined):
    """A page of all variants has the student but no checks and no data block."""
    facts = new_output("display_data", data=provenance([outlined], "Ли")._repr_mimebundle_())
    page, found = render(new_notebook(cells=[new_code_cell("1", execution_count=1, outputs=[facts])]), None)
    soup = BeautifulSoup(page, "html.parser")
    assert found == [] and not BLOCK.search(page) and soup.header.h1.text == "Сравнение шести вариантов"
    assert [row.td.text for row in soup.header("tr")] == ["Ли", "—"], "no one model's weights"
    assert not soup.header.find(class_="labkit-checks")
    named = new_notebook(metadata={"title": "Вариант 3. FCN-8s"})
    assert "<h1>Вариант 3. FCN-8s</h1>" in render(named, None)[0]


def test_code_is_folded_away(soup):
    """The code is in the page, hidden until the button shows it."""
    button = soup.header.find("button", id="labkit-code")
    assert button.text == button["data-show"] == "Показать код" and button["data-hide"] == "Скрыть код"
    assert "labkit-fold" in soup.body["class"]
    code = soup.select(".jp-CodeCell > .jp-Cell-inputWrapper pre")
    assert [cell.text.strip() for cell in code[-2:]] == ["показать()"] * 2
    assert "body.labkit-fold .jp-CodeCell > .jp-Cell-inputWrapper { display: none; }" in str(soup.head)


@pytest.mark.parametrize("state", [None, {}, {"state": {}}, {"application/vnd.jupyter.widget-state+json": {}}])
def test_widgets_give_way_to_their_notes(notebook, page, soup, state):
    """Their sentence stays, whatever metadata there is: Colab's has no `state`, which nbconvert does not survive."""
    assert soup.main.find("p", string="записка") and WIDGET not in page and "c0ffee" * 5 not in page
    notebook = copy.deepcopy(notebook)
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": state}
    assert BLOCK.sub("", render(notebook, VARIANT)[0]) == BLOCK.sub("", page)
    assert "widgets" in notebook.metadata  # the notebook itself is left as it was


def test_a_run_that_stopped(soup):
    """A page without any outputs too: it says where, at the top and as text, and has crosses and data."""
    page, found = render(new_notebook(cells=[new_code_cell("1 / 0")]), VARIANT, "ячейка с кодом № 1: <b>")
    header = BeautifulSoup(page, "html.parser").header
    assert header.find(class_="labkit-error").text == "Выполнение остановилось: ячейка с кодом № 1: <b>"
    assert header.button and not any(check.ok for check in found)
    assert parse(BLOCK.findall(page)[0])["run"]["error"] == "ячейка с кодом № 1: <b>"
    assert not soup.find(class_="labkit-error")


def test_what_is_fetched():
    """The tests' own eye sees what a page loads, and leaves links, embedded data and mere text."""
    fetched = style, script, image = ["https://a.org/x.css", "https://a.org/x.js", "//a.org/x.png"]
    loading = f'<style>@import url({style});</style><script src="{script}"></script>'
    loading += f'<p style="background: url({image})">'
    links = '<a href="https://a.org">статья</a><img src="data:image/png;base64,//8=">'
    told = "<pre>&lt;script src=https://a.org/x.js&gt;</pre><style>p { background: url(#a) }</style>"
    assert external_links(f"<html><body>{links}{loading}{told}</body></html>") == fetched


def test_conclusions_stand_at_the_top(soup):
    """They are in the first minute of a report and not once more at its end; what asked for them is nowhere."""
    assert CONCLUSIONS in soup.header.find(class_="labkit-conclusions").text
    assert CONCLUSIONS not in soup.main.text and "Заполните" not in soup.text and "Выводы" not in soup.main.text


def test_pasted_pictures(notebook):
    """Pictures in conclusions and answers are in the page, each cell's own; one that is missing costs only itself."""
    longer, pngs = copy.deepcopy(notebook), ["iVBORw0K", "iVBORw0L"]
    text = "![image.png](attachment:image.png) и ![](attachment:gone.png)"
    cells = [cell for cell in longer.cells if "Выводы" in cell.source or "*Ваш ответ:*" in cell.source]
    for cell, png in zip(cells, pngs, strict=True):
        cell.source += f"\n\n{text}"
        cell.attachments = {"image.png": {"image/png": png}}
    page = render(longer, VARIANT)[0]
    tree = BeautifulSoup(page, "html.parser")
    for where, png in zip((tree.main, tree.find(class_="labkit-conclusions")), pngs, strict=True):
        assert [one["src"] for one in where.select("img[alt='image.png']")] == [f"data:image/png;base64,{png}"]
    data = parse(BLOCK.search(page)[1])
    assert data["conclusions"].endswith("![image.png](labkit-picture-2) и ![](gone.png)")
    assert data["page_sha256"] == page_digest(page)


def test_wall(report_photos, report_results):
    """Each photo with its mask; of those with what is sought the best and the worst, by IoU, else by confidence."""
    rows = [{"photo": photo.name, "iou": iou} for photo, iou in zip(report_photos, (0.5, 0.9, 0.25), strict=True)]
    shown = viewer_items(page_part(report_results))
    data = handed_in(3, report_photos, report_results).data
    told = wall({**data, "scores": {"photos": rows}}, shown)
    assert [row["mark"] for row in told] == ["", "лучшее: IoU 0,90", "худшее: IoU 0,25"]
    assert sum("уверенность" in row["mark"] for row in wall(data, shown)) == 2
    cats = wall({**data, "wanted": {"photos": 3, "target": "кошка"}, "scores": {"photos": rows}}, shown)
    assert [row["mark"] for row in cats] == ["худшее: IoU 0,50", "лучшее: IoU 0,90", ""], "an officer is no cat"
    alike = [{**row, "iou": iou} for row, iou in zip(rows, (0.5, 0.504, 0.496), strict=True)]
    assert {row["mark"] for row in wall({**data, "scores": {"photos": alike}}, shown)} == {""}, "all are told as 0,50"
    for row, result in zip(told, report_results, strict=True):
        image = Image.open(io.BytesIO(base64.b64decode(row["image"].partition(",")[2]))).convert("RGB")
        whole = Image.fromarray(overlay_image(result)).resize(image.size)
        assert max(image.size) == 320 and np.abs(np.asarray(image).astype(int) - np.asarray(whole)).mean() < 8
    assert [row["image"] for row in wall(data, [])] == [None] * 3
    for segment in data["results"][0]["segments"]:
        segment["area"] = 100
    data["results"][1]["segments"] *= 2  # twice the same object covers no more
    small = "найдено только мелкое, меньше 0,5 % фото: кошка"
    assert [row["found"] for row in wall(data, [])[:2]] == [small, told[1]["found"]]


def test_small_photo_with_objects(load, default_photos):
    """Objects over one another have the order and the colours that they have in the figures."""
    result = load(6).segment(default_photos["horses"], score_threshold=0.3)
    image = overlaid(Image.fromarray(result.photo.pixels), 320, result_data(result, {}), result.classes)
    whole = Image.fromarray(overlay_image(result)).resize(image.size)
    assert len(result.segments) > 2 and np.abs(np.asarray(image).astype(int) - np.asarray(whole)).mean() < 8


def test_what_stays_in_the_notebook(notebook):
    """Cells with the tag `screen`, and a question that may stay open and did; what is said before it is in a report."""
    longer = copy.deepcopy(notebook)
    asked = "Что видно: край.\n\n**Вопрос.** Почему {}?\n\n*Ваш ответ (по желанию):* {}"
    told = [("так", "…"), ("иначе", "Из-за шага."), ("ниже", "…")]
    longer.cells.append(new_markdown_cell("Нажмите кнопку.", metadata={"tags": ["screen"]}))
    longer.cells += [new_markdown_cell(asked.format(*one)) for one in told]
    longer.cells.append(new_markdown_cell("Ответ в своей ячейке."))
    page = render(longer, VARIANT)[0]
    text = BeautifulSoup(page, "html.parser").main.text
    assert text.count("Что видно") == 3 and "Почему так" not in text and "Почему иначе" in text
    assert "Почему ниже" in text and "Ответ в своей ячейке" in text and "Нажмите кнопку" not in page


@pytest.mark.parametrize("key, told", [("", []), ("photos", [{"photo": "cat_yarn", "iou": 0.5}]), ("notes", ["пуст"])])
def test_nothing_is_said_of_scores_without_ground_truth(notebook, handed, key, told):
    """Cells with the tag `ground-truth` are in a report where something was measured, or could not be read."""
    longer = copy.deepcopy(notebook)
    longer.cells.append(new_markdown_cell("Матрица ошибок.", metadata={"tags": ["ground-truth"]}))
    facts = {**handed.data, "scores": {"photos": [], "notes": [], key: told}}
    assert ("Матрица ошибок" in render(longer, VARIANT, facts=facts)[0]) == bool(told)


def test_nbconvert(notebook, tmp_path):
    """`jupyter nbconvert --to labkit` writes the same page, whose variant is the one of the notebook's data."""
    path = tmp_path / "своя.ipynb"
    nbformat.write(notebook, path)
    page, resources = ReportExporter().from_filename(str(path))
    assert resources["output_extension"] == ".html"
    assert BLOCK.sub("", page) == BLOCK.sub("", render(nbformat.read(path, 4), VARIANT)[0])
    entry = tomllib.loads(Path("pyproject.toml").read_text())["project"]["entry-points"]["nbconvert.exporters"]
    assert entry == {"labkit": f"{ReportExporter.__module__}:{ReportExporter.__name__}"}


def test_nbconvert_of_a_notebook_that_was_not_run(notebook, outlined, caplog):
    """Its page is said to be no report; that of the comparison of all models, which has no data ever, is not."""
    facts = new_output("display_data", data=provenance([outlined])._repr_mimebundle_())
    comparison = new_notebook(cells=[new_code_cell("1", outputs=[facts])])
    for given, said in ((notebook, False), (comparison, False), (new_notebook(cells=[new_code_cell("1")]), True)):
        caplog.clear()
        ReportExporter().from_notebook_node(given)
        assert (text("report.no_data") in caplog.messages) == said
