"""The progress bar: it lets everything through and leaves nothing that changes from run to run."""

import nbformat
import pytest
from nbclient import NotebookClient

from labkit.io.progress import in_notebook, track


@pytest.fixture(scope="module")
def outputs(root):
    """What cells that use a bar leave in a notebook: one that runs twice through, one that fails halfway."""
    run = "list(track('abc', '<b>метка</b>'))"
    cells = ["from labkit.io.progress import *; print(in_notebook())", run, run]
    cells += ["for n in track([1, 0], 'деление'): 1 / n"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, resources={"metadata": {"path": str(root)}}, allow_errors=True).execute()
    return [cell.outputs for cell in notebook.cells]


def test_in_a_terminal(capfd):
    """Every item in its order; where the output is no terminal nothing is written."""
    assert list(track(["а", "б"], "метка")) == ["а", "б"] and list(track([], "метка")) == []
    assert capfd.readouterr() == ("", "") and not in_notebook()


def test_in_a_notebook(outputs):
    """One output that ends at its last state, its label escaped, the same at each run, beside the cell's result."""
    assert outputs[0][0].text == "True\n"
    bar, result = outputs[1]
    assert bar.data["text/html"] == '&lt;b&gt;метка&lt;/b&gt;: <progress value="3" max="3"></progress> 3 / 3'
    assert result.data["text/plain"] == "['a', 'b', 'c']" and bar == outputs[2][0]


def test_an_error_stops_the_bar(outputs):
    """The error of the loop's body goes on; the bar stays at what was done."""
    bar, error = outputs[3]
    assert bar.data["text/html"].endswith("1 / 2") and error.ename == "ZeroDivisionError"
