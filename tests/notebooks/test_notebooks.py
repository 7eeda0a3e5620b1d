"""The committed notebooks: executed, tidy, in Russian, and stable from run to run. nbval runs them besides."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import nbformat
import pytest

from tools.refresh import steady

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    """Each notebook in turn."""
    return nbformat.read(request.param, 4)


def test_executed_in_order(notebook):
    """Every code cell has run, from the first to the last, and none ended with an error."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [o for cell in code for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"]


def test_outputs_are_stable(notebook):
    """No widget ids, no cell times, no addresses, no absolute paths."""
    assert steady(copy.deepcopy(notebook)) == notebook
    written = nbformat.writes(notebook)
    assert not re.search(r"0x[0-9a-f]{8,}|/home/|/root/|/tmp/|C:\\\\|model_id", written)


def test_parameters_and_report(notebook):
    """One tagged parameters cell with the documented names; the report's data are the last cell."""
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    for name in ("student", "group", "photos_path", "target", "weights", "device"):
        assert re.search(rf"^{name} = ", tagged[0].source, re.MULTILINE)
    last = notebook.cells[-1].source
    assert "labkit.provenance" in last or ("labkit.hand_in" in last and "photos_wanted = 10" in tagged[0].source)
    assert "for_report=True" in str(notebook.cells)


def test_small(notebook):
    """A notebook in git stays below 2 MB."""
    assert len(nbformat.writes(notebook).encode()) < 2_000_000


def test_checked_output(notebook):
    """At least one cell is held to its output, and that output is there."""
    checked = [cell for cell in notebook.cells if "NBVAL_CHECK_OUTPUT" in cell.source]
    assert checked and all(cell.outputs for cell in checked)


def test_setup_without_kit_says_what_to_do(notebook, tmp_path, monkeypatch):
    """Away from the kit and with no address the setup cell stops with the next step."""
    setup = next(cell.source for cell in notebook.cells if "LABKIT_URL" in cell.source and cell.cell_type == "code")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="LABKIT_URL"):
        exec(setup, {})
