"""The end of a notebook: data in its output, and the report of what was saved."""

import json
import re
import sys
import types
from unittest.mock import Mock

import nbformat
import pytest
from executed import CONCLUSIONS, executed, handed_in
from IPython.utils.capture import capture_output
from links import external_links
from nbformat.v4 import new_code_cell, new_output

import labkit
from labkit.io.errors import LabkitError
from labkit.photos import Photo
from labkit.report.button import HandIn
from labkit.report.data import BLOCK, MIME, digest, parse
from labkit.viewer.prompt_widget import Prompter


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Where the notebook is found: under its own name in the current folder, since nothing says where its file lies."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    return tmp_path / "variant_3_fcn.ipynb"


def data_of(page):
    """The data in a report."""
    return parse(BLOCK.findall(page.read_text(encoding="utf-8"))[0])


def test_displays(shell, report_photos, report_results, load):
    """The facts with the data, scores and answers to prompts among them, and a button; the text has no masks."""
    load(4).set_photo(report_photos[0])
    answer = load(4).prompt(box=(245, 125, 655, 615))
    scores, asked = types.SimpleNamespace(record=lambda: {"iou": 0.5}), {"wanted": 3, "target": "кошка"}
    with capture_output() as shown:
        labkit.hand_in(3, report_photos, report_results, "Ли", "ИВТ-21", **asked, prompted=[answer], scores=scores)
    facts, button = shown.outputs
    data = facts.data[MIME]
    assert data["wanted"] == {"photos": 3, "target": "кошка"} and data["digest"] == digest(data)
    assert data["prompted"][0]["made_by"]["prompts"]["box"] and data["scores"] == {"iou": 0.5}
    assert facts.data["text/plain"].startswith("Студент: Ли") and "rle" not in facts.data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in button.data and button.data["text/html"] == ""


def test_results_of_other_photos(shell, report_photos, report_results):
    """A file that was replaced, its photo loaded again, and results of before, or of more photos: nothing is shown.

    Nor where only the prompts are of before: the model would be asked them on another photo.
    """
    photos, (first, *_) = list(report_photos), report_photos
    photos[0] = Photo.from_pixels(first.name, first.pixels[::-1])
    said = f"по другим фото: {first.name}\\. .*segment_all"
    for now in (photos, photos[1:]):
        with capture_output() as shown, pytest.raises(LabkitError, match=said):
            labkit.hand_in(3, now, report_results)
        with pytest.raises(LabkitError, match=said):
            labkit.hand_in(3, now, report_results[1:], prompted=report_results[:1])
        assert not shown.outputs
    labkit.hand_in(3, report_photos, report_results[1:])


def test_photos_of_one_name(report_photos, report_results):
    """Two calls of load_photos put together: their results would be taken for each other's."""
    other = Photo.from_pixels(report_photos[0].name, report_photos[0].pixels[::-1])
    with pytest.raises(LabkitError, match=f"под одним именем: {other.name}\\. .*списком"):
        labkit.hand_in(3, [*report_photos, other], report_results)


@pytest.mark.parametrize("wanted", ["10", -1, 2.5, None])
def test_photos_wanted_are_a_number(report_photos, report_results, wanted):
    """Else the button would stop at it, long after the cell that it stands in."""
    with pytest.raises(LabkitError, match="photos_wanted = .*нужно целое число не меньше 0, например 10"):
        labkit.hand_in(3, report_photos, report_results, wanted=wanted)


@pytest.mark.parametrize("how", ["server", "code", "name"])
def test_writes_what_was_saved(handed, notebook, path, monkeypatch, shell, how):
    """Found by Jupyter's variable, VS Code's name or its own: the report beside it has its answers; nothing is run."""
    if how != "name":
        path = path.with_name("моя работа.ipynb")
    nbformat.write(notebook, path)
    if how == "server":
        monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    elif how == "code":
        shell.user_ns["__vsc_ipynb_file__"] = str(path)
    report, checks, *_ = handed.write()
    assert report == path.with_name("variant_3.html") and external_links(report.read_text(encoding="utf-8")) == []
    assert data_of(report)["student"] == handed.data["student"] and all(check.ok for check in checks)


def test_renamed_since(handed, notebook, report_photos, report_results, path, monkeypatch):
    """A notebook that has another name than when its kernel was started is known by its results; others stay apart."""
    nbformat.write(executed(handed_in(3, report_photos, report_results, student="Другая"), report_results), path)
    (path.parent / "чужое.ipynb").write_text("{", encoding="utf-8")
    monkeypatch.setenv("JPY_SESSION_NAME", str(path.with_name("Untitled.ipynb")))
    renamed = path.with_name("Иванов, лабораторная 4.ipynb")
    saver = Mock(send=lambda message: nbformat.write(notebook, renamed))  # the page saves it
    assert handed._save(saver) and data_of(handed.write().path)["student"] == handed.data["student"]
    path.unlink()
    assert handed._save(saver) and handed.write().saved


def test_page_that_is_at_an_earlier_save(handed, notebook, path, monkeypatch):
    """A page drops what it is asked while it still saves: it is asked again."""
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    monkeypatch.setattr("labkit.report.button._ASK_SECONDS", 0.1)
    nbformat.write(notebook, path)
    pages = iter([lambda: None, lambda: nbformat.write(notebook, path)])
    assert handed._save(Mock(send=lambda message: next(pages)()))


def test_prompts_of_the_moment(report_photos, report_results, load, path):
    """What was clicked after the last cell had run is in the report, data and viewer; the saved notebook stays."""
    hand = Prompter(load(4), report_photos[0])
    facts = handed_in(3, report_photos, report_results)
    late = HandIn(facts.data, [hand])
    notebook = executed(facts, report_results)
    notebook.cells[0] = new_code_cell("hand = labkit.prompt(model, photos[0])", execution_count=1)
    notebook.cells[0].outputs = [new_output("display_data", data={"text/html": hand.page()})]
    nbformat.write(notebook, path)
    assert "Подсказок пока нет" in late.write().path.read_text(encoding="utf-8")
    hand.viewer.asked = {"points": [[470, 330]], "point_labels": [1], "serial": 1}
    report = late.write().path
    (prompted,), page = data_of(report)["prompted"], report.read_text(encoding="utf-8")
    assert prompted["made_by"]["prompts"]["points"] == [[470, 330]] and len(prompted["segments"]) == 3
    assert "Подсказок пока нет" not in page and page.count("data-labkit-prompts") == 1


def test_not_saved(handed, report_photos, report_results, path):
    """A file with the results of another run, or none, is not taken for this one; no file is written."""
    other = handed_in(3, report_photos, report_results, student="Другая")
    nbformat.write(executed(other, report_results), path)
    with pytest.raises(LabkitError, match="Ctrl"):
        handed.write()
    path.write_text("{", encoding="utf-8")
    with pytest.raises(LabkitError, match="не читается"):
        handed.write()
    assert list(path.parent.iterdir()) == [path]


def test_colab(handed, notebook, path, monkeypatch):
    """In Colab the page gives the notebook, and the browser gets the report."""
    downloaded, colab = [], types.ModuleType("google.colab")
    lines = json.loads(nbformat.writes(notebook))  # as in a file, texts are lists of lines
    assert isinstance(lines["cells"][0]["source"], list)
    colab._message = types.SimpleNamespace(blocking_request=lambda kind, timeout_sec: {"ipynb": lines})
    colab.files = types.SimpleNamespace(download=downloaded.append)
    monkeypatch.setitem(sys.modules, "google", types.SimpleNamespace(colab=colab))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    button = handed.button()
    button.children[1].click()
    assert downloaded == [str(path.with_name("variant_3.html"))] and "Отчёт записан" in button.children[2].value
    for cell in lines["cells"]:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(MIME, None)
    report, checks, *_ = handed.write()  # the page has dropped the data of a type that it does not know
    assert data_of(report)["student"] == handed.data["student"] and all(check.ok for check in checks)
    colab._message.blocking_request = lambda kind, timeout_sec: None
    with pytest.raises(LabkitError, match="Ctrl"):
        handed.write()


def test_button(handed, notebook, path):
    """Pressed too early it says what to do, and can be pressed again."""
    _, button, said, _ = handed.button().children
    button.click()
    assert re.search(r"не найден.*variant_3_fcn\.ipynb.*labkit report 3", said.value) and not button.disabled
    assert list(path.parent.iterdir()) == []
    nbformat.write(notebook, path)
    button.click()
    assert "✓ <b>Выводы написаны" in said.value and path.with_name("variant_3.html").exists()
    assert f"«{' '.join(CONCLUSIONS.split()[:12])}…»" in said.value and "сохранённая в " in said.value
