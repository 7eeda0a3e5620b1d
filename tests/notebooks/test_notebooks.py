"""The committed notebooks: executed, tidy, in Russian, and stable from run to run. nbval runs them besides."""

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
    """Every code cell has run, from the first to the last, none ended with an error; some are held to their output."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [o for cell in code for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"]
    checked = [cell for cell in code if "NBVAL_CHECK_OUTPUT" in cell.source]
    assert checked and all(cell.outputs for cell in checked)


def test_outputs_are_stable(notebook):
    """No widget ids, no cell times, no addresses, no absolute paths; below 2 MB in git."""
    assert steady(copy.deepcopy(notebook)) == notebook
    written = nbformat.writes(notebook)
    assert len(written.encode()) < 2_000_000
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


def test_setup_without_kit_says_what_to_do(notebook):
    """Above the setup cell stands what its error means where the kit cannot be installed, and what to write where."""
    at = next(n for n, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    assert "LABKIT = " in notebook.cells[at].source
    assert "ModuleNotFoundError" in notebook.cells[at - 1].source and "`LABKIT`" in notebook.cells[at - 1].source


def test_the_model_in_the_students_hands(notebook):
    """A variant loads the weights into the library's network by itself, in at most 15 lines, and checks the mask."""
    cells = {cell.id: cell.source for cell in notebook.cells}
    if "by-hand" in cells:
        lines = [line for line in cells["by-hand"].splitlines() if line.strip()]
        assert len(lines) <= 15 and "load_state_dict" in cells["by-hand"] and lines[-1].endswith(">= 0.99")
    else:
        assert "labkit.comparison" in str(notebook.cells)


def test_at_most_four_questions_must_be_answered(notebook):
    """The others say in brackets that they need not, and the opening says where the four are."""
    asked = sum(cell.source.count("*Ваш ответ:*") for cell in notebook.cells if cell.cell_type == "markdown")
    assert asked == 4 and "четыре" in notebook.cells[0].source


def test_sections_go_by_their_names(notebook):
    """A report leaves some of them out, and would count 1, 2, 5; nor does it open with what a student is to do."""
    assert not [cell.source for cell in notebook.cells if re.search(r"^#+ \d", cell.source, re.MULTILINE)]
    assert "screen" in notebook.cells[0].metadata.tags


@pytest.mark.parametrize("name", ["upload", "chosen-text", "viewer-text", "facts-text"])
def test_cells_of_all_variants_are_alike(name):
    """What the notebooks say in common they say in the same words."""
    cells = [cell for path in NOTEBOOKS for cell in nbformat.read(path, 4).cells if cell.id == name]
    assert len(cells) >= 6 and len({cell.source for cell in cells}) == 1


def test_a_per_cent_sign_stays_with_its_number(notebook):
    """A space that does not break stands between them: no line of a report begins with "%"."""
    assert not [c.source for c in notebook.cells if c.cell_type == "markdown" and re.search(r"[\d*] %", c.source)]


def test_an_annotation_that_cannot_be_read_stops_nothing(notebook):
    """The cells ask for ground truth in the way that raises nothing."""
    assert not [cell.source for cell in notebook.cells if "find_ground_truth" in cell.source]


def test_nothing_needs_the_clone(notebook):
    """No cell names a folder of the clone, and none begins with the first photo, whichever that is."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert "../data" not in code and "photos[0]" not in code
