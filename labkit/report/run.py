"""From a variant and a folder of photos to the executed notebook and the report."""

import asyncio
import hashlib
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from tqdm import tqdm

from labkit.io.errors import LabkitError
from labkit.io.files import local, make_writable, write_whole
from labkit.locale import language, text
from labkit.photos import load_photos
from labkit.report.checks import Check
from labkit.report.page import render
from labkit.variants import Variant, find_variant
from labkit.weights.find import find_weights

__all__ = ["Report", "make_report", "report_of", "run_notebook"]

_WRITTEN = "labkit_sources"  # where a notebook's metadata have the sha256 of its cells' sources as they were written
_GRACE = 10.0  # seconds to answer Ctrl-C: a kernel that is interrupted between two messages loses one, and waits


@dataclass(frozen=True)
class Report:
    """The files that were written, and the checks in the page; `error` says where the run stopped, None if nowhere."""

    html: Path
    notebook: Path
    error: str | None
    checks: tuple[Check, ...]


def make_report(
    variant: int | str | Variant,
    photos: str | Path | None = None,
    weights: str | Path = "auto",
    device: str = "auto",
    out: str | Path = "reports",
    student: str = "",
    group: str = "",
    wanted: int | None = None,
    target: str | None = None,
) -> Report:
    """Runs the variant's notebook and writes `variant_N.html` and `variant_N.ipynb` into `out`.

    `wanted` photos, on each the class `target`, are what the report's checks ask for (None: as the notebook says).
    A failing cell or Ctrl-C leaves a report that shows where it stopped. LabkitError, before anything runs, for wrong
    arguments: what a student would otherwise meet as a traceback in the middle of a notebook.
    """
    row = find_variant(variant)
    found = find_weights(row, weights)
    weights = found.path.resolve() if local(weights).is_file() else weights
    parameters: dict[str, Any] = {"weights": str(weights), "device": device, "student": student, "group": group}
    asked = {"photos_wanted": wanted, "target": target}
    parameters |= {name: value for name, value in asked.items() if value is not None}
    if photos is not None:
        load_photos(photos, quiet=True)
        parameters["photos_path"] = str(local(photos).resolve())
    return report_of(row.notebook, parameters, Path(out) / f"variant_{row.number}", row.title, row)


def report_of(name: str, parameters: dict[str, Any], stem: Path, title: str, variant: Variant | None = None) -> Report:
    """Runs a notebook with its parameters and writes page and notebook, named `stem` but for their endings."""
    source = _find_notebook(name)
    make_writable(stem.parent)
    notebook = parameterize_notebook(load_notebook_node(str(source)), parameters)
    error = run_notebook(notebook, source.parent, title)
    html, written = stem.with_suffix(".html"), stem.with_suffix(".ipynb")
    _keep_edited(written)
    notebook.metadata[_WRITTEN] = _sources(notebook)
    write_whole(written, nbformat.writes(notebook).encode())
    page, checks = render(notebook, variant, error)
    write_whole(html, page.encode())
    return Report(html, written, error, tuple(checks))


def _keep_edited(path: Path) -> None:
    """Gives a notebook that was edited since it was written here another name: answers may be in it."""
    if not path.exists():
        return
    with suppress(Exception):  # nbformat raises nearly every kind; what it cannot read may be dear all the same
        notebook = nbformat.read(path, 4)
        if notebook.metadata.get(_WRITTEN) == _sources(notebook):
            return
    kept = next(free for n in count(2) if not (free := path.with_stem(f"{path.stem} ({n})")).exists())
    path.rename(kept)
    print(text("report.kept", path=path, kept=kept.name), file=sys.stderr)


def _sources(notebook: nbformat.NotebookNode) -> str:
    return hashlib.sha256("\0".join(cell.source for cell in notebook.cells).encode()).hexdigest()


def _find_notebook(name: str) -> Path:
    """A notebook, by file name, in the clone that this package lies in, or in `notebooks/` here."""
    for place in (Path(__file__).parents[2], Path.cwd()):
        if (path := place / "notebooks" / name).is_file():
            return path
    raise LabkitError(text("report.no_notebook", name=name))


def run_notebook(notebook: nbformat.NotebookNode, folder: Path, title: str) -> str | None:
    """Executes a notebook in place, in `folder`; returns None, or where and why it stopped, in one line."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        timeout=3600,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
        coalesce_streams=True,  # or lines fall apart as the clock has it
        extra_arguments=["--log-level=40"],  # the kernel warns of its own loopback port
    )
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    ran: list[int] = []
    with tqdm(total=len(code), desc=title, leave=False, disable=None) as bar:
        client.on_cell_execute = lambda cell_index, **_: (ran.append(cell_index), bar.update())
        try:
            _execute(client, {**os.environ, "PYTHONPATH": path, "LABKIT_LANGUAGE": language()})
        except CellExecutionError as error:
            reason = f"{error.ename}: {' '.join(str(error.evalue).split())}"
            if error.ename == "KeyboardInterrupt":
                reason = text("cli.interrupted")
        except _Stopped:
            reason = text("cli.interrupted")
        except (CellTimeoutError, DeadKernelError) as error:
            reason = str(error).splitlines()[0]
        else:
            return None
    return text("report.stopped", cell=len(ran), reason=reason)


class _Stopped(Exception):
    """Ctrl-C came between two cells."""


def _execute(client: NotebookClient, environment: dict[str, str]) -> None:
    """Runs the notebook in a thread: in the main one nbclient would answer Ctrl-C by dropping the cell's output."""
    stopped = 0.0  # when Ctrl-C was first pressed

    def check(**_: Any) -> None:
        if stopped:
            raise _Stopped

    client.on_cell_start = check
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(copy_context().run, client.execute, env=environment)
        while not run.done():
            try:
                wait([run], timeout=0.5)
                if stopped and time.monotonic() - stopped > _GRACE and (kernel := client.km) and kernel.has_kernel:
                    asyncio.run(kernel.provisioner.kill())
            except KeyboardInterrupt:
                stopped = stopped or time.monotonic()
                if (kernel := client.km) and kernel.has_kernel:  # the other thread lets go of it
                    asyncio.run(kernel.interrupt_kernel())
        try:
            run.result()
        except CellExecutionError:
            raise
        except Exception:  # a kernel that is interrupted while it starts dies, and nbclient stumbles over that
            if stopped:
                raise _Stopped from None
            raise
