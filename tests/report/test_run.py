"""Running a notebook into a report: whole, with a failing cell, interrupted, and with wrong arguments."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest
from links import external_links
from nbformat.v4 import new_code_cell, new_notebook

from labkit.photos import load_photos
from labkit.report.data import BLOCK, page_digest, parse
from labkit.report.run import make_report, run_notebook
from labkit.variants import find_variant
from labkit.weights.find import EMBEDDED


@pytest.fixture(scope="module")
def two_photos(tmp_path_factory, root):
    """A folder of two photos whose names need care."""
    folder = tmp_path_factory.mktemp("мои фото")
    shutil.copy(root / "data" / "images" / "cat_kitten.jpg", folder / "кот & <b>Ко.jpg")
    shutil.copy(root / "data" / "images" / "officer.jpg", folder / "два слова.jpg")
    return folder


def test_report_of_own_photos(two_photos, tmp_path):
    """The page stands alone, has the student, the hashes and the results at hand, and names are text."""
    named = {"student": "Анна <Ли>", "group": "ИВТ-1", "wanted": 2, "target": "кошка"}
    report = make_report(3, two_photos, "embedded", "cpu", tmp_path, **named)
    assert report.error is None and report.html.name == "variant_3.html" and report.notebook.name == "variant_3.ipynb"
    page = report.html.read_text(encoding="utf-8")
    assert external_links(page) == [] and report.html.stat().st_size < 3_000_000
    title = page[page.index('<header class="labkit-title">') : page.index("</header>")]
    assert "Анна &lt;Ли&gt;" in title and "ИВТ-1" in title and "FCN-8s" in title and "embedded/fcn" in title
    data = parse(BLOCK.findall(page)[0])
    assert data["page_sha256"] == page_digest(page) and data["wanted"] == {"photos": 2, "target": "кошка"}
    failed = [check.name for check in report.checks if not check.ok]
    assert failed == ["objects", "conclusions", "answers"]  # an officer is no cat, and nothing was written
    facts = page[page.index('<table class="labkit-facts">') :]
    assert EMBEDDED["fcn"] in facts
    for photo in load_photos(two_photos, quiet=True):
        assert photo.sha256 in facts
    assert "<b>Ко" not in page and "кошка" in page and "человек" in page
    assert not list(tmp_path.glob("*.part"))
    executed = nbformat.read(report.notebook, 4)
    assert all(cell.execution_count for cell in executed.cells if cell.cell_type == "code")


def test_failing_cell_leaves_a_report(tmp_path, monkeypatch, two_photos, root):
    """Where a cell fails the page shows the results before it and says where it stopped."""
    notebook = nbformat.read(root / "notebooks" / find_variant(5).notebook, 4)
    position = next(n for n, cell in enumerate(notebook.cells) if "labkit.show" in cell.source)
    notebook.cells.insert(position, new_code_cell("1 / 0"))
    nbformat.write(notebook, tmp_path / "broken.ipynb")
    monkeypatch.setattr("labkit.report.run._find_notebook", lambda name: tmp_path / "broken.ipynb")
    report = make_report(5, two_photos, "embedded", "cpu", tmp_path / "out")
    assert "ZeroDivisionError: division by zero" in report.error
    page = report.html.read_text(encoding="utf-8")
    assert 'class="labkit-error"' in page and "кошка" in page
    assert page.count("ZeroDivisionError") > 1  # in the title and under its cell
    number = 1 + sum(cell.cell_type == "code" for cell in notebook.cells[:position])
    assert f"№ {number + 1}:" in report.error  # one more: the cell of the given parameters


def test_edited_notebooks_are_kept(tmp_path, monkeypatch, capsys):
    """A notebook beside the report that somebody has written into gets another name; one that is only old does not."""
    monkeypatch.setattr("labkit.report.run.run_notebook", lambda *_: None)
    written = make_report(1, weights="embedded", device="cpu", out=tmp_path).notebook
    notebook = nbformat.read(written, 4)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Other"}
    notebook.cells[1].metadata["collapsed"] = True
    nbformat.write(notebook, written)
    make_report(1, weights="embedded", device="cpu", out=tmp_path)
    assert [path.name for path in tmp_path.glob("*.ipynb")] == ["variant_1.ipynb"]
    kept = []
    for n, content in ((2, "*Ваш ответ:* мой"), (3, None)):
        notebook.cells[-1].source += content or ""
        nbformat.write(notebook, written) if content else written.write_text("{", "utf-8")
        kept.append(written.read_bytes())
        make_report(1, weights="embedded", device="cpu", out=tmp_path)
        assert f"variant_1 ({n}).ipynb" in capsys.readouterr().err
    assert [(tmp_path / f"variant_1 ({n}).ipynb").read_bytes() for n in (2, 3)] == kept
    assert written.exists() and "мой" not in written.read_text("utf-8")


def test_interrupt_leaves_a_report(tmp_path, two_photos, root):
    """Ctrl-C while the notebook runs: exit code 1 and a page that says so."""
    process = subprocess.Popen(
        [sys.executable, "-m", "labkit", "report", "1", "--photos", str(two_photos), "--out", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
    )
    while not _children(process.pid):  # the kernel is up
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(2.0)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 1, error
    assert "остановлено с клавиатуры" in error and "Traceback" not in error
    assert "variant_1.html" in out
    assert "остановлено с клавиатуры" in (tmp_path / "variant_1.html").read_text(encoding="utf-8")


def test_a_kernel_that_does_not_stop(tmp_path, monkeypatch):
    """One that never answers Ctrl-C is ended, and what stood before it is kept."""
    monkeypatch.setattr("labkit.report.run._GRACE", 0.5)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs the tests in the background has it ignored
    deaf = "import pathlib, time\npathlib.Path('up').touch()\nwhile True:\n    try:\n        time.sleep(60)\n"
    deaf += "    except KeyboardInterrupt:\n        pass"
    notebook = new_notebook(cells=[new_code_cell("print(1)"), new_code_cell(deaf)])

    def press() -> None:
        while not (tmp_path / "up").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    assert "остановлено с клавиатуры" in run_notebook(notebook, tmp_path, "")
    assert "".join(output.text for output in notebook.cells[0].outputs) == "1\n"


def test_dead_kernel_is_said(tmp_path):
    """A kernel that dies (out of memory, say) is an error with a cell number, not a traceback."""
    notebook = new_notebook(cells=[new_code_cell("x = 1"), new_code_cell("import os; os._exit(9)")])
    assert "№ 2" in run_notebook(notebook, tmp_path, "dead")


def _children(pid: int) -> str:
    tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
    if not tasks:
        pytest.skip("this system does not tell the children of a process")
    return "".join(task.read_text() for task in tasks).strip()
