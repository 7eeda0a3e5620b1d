"""Runs the committed notebooks again, in place, with outputs that differ only where a result does.

python -m tools.refresh notebooks/*.ipynb
"""

import sys
from pathlib import Path

import nbformat

from labkit.report.data import MIME
from labkit.report.page import drop_widgets
from labkit.report.run import run_notebook
from labkit.viewer.viewer import MARK

__all__ = ["refresh", "steady"]


def refresh(path: Path) -> str | None:
    """Executes one notebook and writes it back; returns where it stopped, None if it did not (then it is written)."""
    notebook = nbformat.read(path, 4)
    if error := run_notebook(notebook, path.parent, path.stem):
        return error
    nbformat.write(steady(notebook), path)
    return None


def steady(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Takes out what changes at every run (widget ids and state, times of cells, the interpreter's version), and bulk.

    A viewer carries its photos once more and a report's data its masks; git keeps the tables, the next run brings
    the rest back.
    """
    drop_widgets(notebook)
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.pop("transient", None)
            output.get("data", {}).pop(MIME, None)
            if MARK in output.get("data", {}).get("text/html", ""):
                del output.data["text/html"]
    return notebook


if __name__ == "__main__":
    failed = {path: error for path in map(Path, sys.argv[1:]) if (error := refresh(path))}
    for path, error in failed.items():
        print(f"{path}: {error}", file=sys.stderr)
    sys.exit(1 if failed else 0)
