"""Colab: what it ships stays as it is, and a notebook that arrives there alone fetches the kit and runs."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import types
import venv
from importlib.metadata import requires, version
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

COLAB = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
}
NEEDED = ("torch", "torchvision", "numpy", "ipywidgets")
FIND_SPEC = importlib.util.find_spec


def asked_for(package: str, extras: set[str]) -> list[Requirement]:
    """What the version of a package that is installed here requires where it is installed in Colab."""
    found = map(Requirement, requires(package) or [])
    return [r for r in found if not r.marker or any(r.marker.evaluate({**COLAB, "extra": e}) for e in extras | {""})]


def test_nothing_that_colab_ships_is_moved(root):
    """Down from labkit's dependencies, all that Colab has satisfies all who ask; what it lacks is just this."""
    lines = (root / "tests" / "colab_packages.txt").read_text(encoding="utf-8").splitlines()
    shipped = dict(line.split("==") for line in lines if not line.startswith("#"))
    block = (root / "pyproject.toml").read_text(encoding="utf-8").split("dependencies = [", 1)[1].split("]", 1)[0]
    waiting = [("labkit", Requirement(found)) for found in re.findall(r'"([^"]+)"', block)]
    installed, asked = set(), set()
    while waiting:
        who, requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in shipped:
            asked.add(name)
            assert requirement.specifier.contains(Version(shipped[name]).public, prereleases=True), (who, requirement)
        elif name not in installed:
            installed.add(name)
            waiting += [(name, further) for further in asked_for(name, requirement.extras)]
    scoring = {"lightning-utilities", "torchmetrics"}
    assert installed == {"papermill", "pytorchcv", "segment-anything", "segmentation-models-pytorch", *scoring}
    assert asked == shipped.keys() and asked.issuperset(NEEDED)


@pytest.fixture(scope="module")
def setup(root):
    """The setup cell, the same in all notebooks."""
    found = set()
    for path in (root / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, 4).cells
        found.add(next(c.source for c in cells if c.cell_type == "code" and "LABKIT_URL" in c.source))
    assert len(found) == 1
    return found.pop()


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """An empty folder to stand in, on a machine that seems to have no labkit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "labkit" else FIND_SPEC(name))
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return tmp_path


@pytest.fixture
def git():
    """git, which a machine may lack."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    return ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "core.compression=0"]


def with_url(setup: str, url: str) -> str:
    """The cell with the address that a student has written into it."""
    assert 'LABKIT_URL = ""' in setup
    return setup.replace('LABKIT_URL = ""', f'LABKIT_URL = "{url}"')


def test_what_the_setup_runs(setup, alone, monkeypatch):
    """One clone and one pip that upgrades nothing and holds on to what must stay; a second run clones no more."""
    commands = []

    def run(command, **_):
        commands.append(command)
        if command[0] == "git":
            Path(command[-1], "labkit").mkdir(parents=True)

    monkeypatch.setattr(subprocess, "run", run)
    for _ in range(2):
        exec(with_url(setup, "https://example.org/kit.git"), {})
    clone, pip, again = commands
    assert clone[:2] == ["git", "clone"] and clone[-2:] == ["https://example.org/kit.git", "labkit-kit"]
    assert pip == again and pip[:4] == [sys.executable, "-m", "pip", "install"]
    assert pip[4:] == ["--quiet", "./labkit-kit", *(f"{name}=={version(name)}" for name in NEEDED)]


@pytest.mark.parametrize("asked", [False, True])
def test_drive_only_if_asked(setup, tmp_path, monkeypatch, capsys, asked):
    """In Colab the Drive is mounted where `USE_DRIVE` says so, and the path to write is shown; else it is let be."""
    mounted = []
    colab = types.ModuleType("google.colab")
    colab.drive = types.SimpleNamespace(mount=mounted.append)
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    monkeypatch.chdir(tmp_path)
    assert "USE_DRIVE = False" in setup
    exec(setup.replace("USE_DRIVE = False", f"USE_DRIVE = {asked}"), {})
    assert mounted == (["/content/drive"] if asked else [])
    assert ('photos_path = "/content/drive/MyDrive/' in capsys.readouterr().out) == asked


def test_drive_away_from_colab(setup, tmp_path, monkeypatch):
    """Elsewhere `USE_DRIVE` does nothing."""
    monkeypatch.chdir(tmp_path)
    exec(setup.replace("USE_DRIVE = False", "USE_DRIVE = True"), {})


def test_clone_fails(setup, alone, git, capsys):
    """A wrong address: git's own words, then what to do; nothing is left, so that the next run starts afresh."""
    with pytest.raises(SystemExit, match="Проверьте LABKIT_URL") as stop:
        exec(with_url(setup, (alone / "nothing").as_uri()), {})
    assert stop.value.__suppress_context__ and "does not" in capsys.readouterr().out
    assert not (alone / "labkit-kit").exists()


def test_no_git(setup, alone, monkeypatch):
    """A machine without git gets the same sentence, not a traceback."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="Не удалось скачать набор"):
        exec(with_url(setup, "https://example.org/kit.git"), {})


def test_install_fails(setup, alone, git, monkeypatch, capsys):
    """A repository that is no package: pip's own words, then what to do."""
    (alone / "kit").mkdir()
    (alone / "kit" / "notes.txt").write_text("no package")
    for command in (["init", "--quiet"], ["add", "-A"], ["commit", "--quiet", "-m", "kit"]):
        subprocess.run([*git, *command], cwd=alone / "kit", check=True)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SystemExit, match="Не удалось установить labkit"):
        exec(with_url(setup, (alone / "kit").as_uri()), {})
    assert "labkit-kit" in capsys.readouterr().out


@pytest.fixture
def repository(root, alone, git):
    """The address of a git repository that holds the working tree as it is; of the weights, for speed, only FCN's."""
    kit = alone / "kit.git"
    subprocess.run([*git, "init", "--quiet", "--bare", kit], check=True)
    subprocess.run([*git, f"--git-dir={kit}", "config", "core.compression", "0"], check=True)
    files = [".", ":!labkit/weights/embedded/*.safetensors"], ["labkit/weights/embedded/fcn.safetensors"]
    for command in (*(["add", *some] for some in files), ["commit", "--quiet", "-m", "kit"]):
        tree = [f"--git-dir={kit}", f"--work-tree={root}", "-c", "core.bare=false"]
        subprocess.run([*git, *tree, *command], cwd=root, check=True)
    return kit.as_uri()


@pytest.fixture
def kernel(alone, monkeypatch):
    """A kernel of an environment of its own that sees all packages installed here but labkit; answers its folder."""
    if FIND_SPEC("pip") is None or Version(version("setuptools")) < Version("77"):
        pytest.skip("pip and setuptools 77 or newer are needed to install without a network")
    packages = [path for path in sys.path if path.endswith("-packages")]
    if any(Path(path, "labkit").exists() for path in packages):
        pytest.skip("labkit itself is among the installed packages; install it with `pip install -e .`")
    folder = alone / "environment"
    venv.create(folder, symlinks=os.name != "nt")
    (own,) = folder.glob("Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages")
    (own / "shared.pth").write_text("\n".join(packages))  # the .pth files in there, an editable labkit's too, stay shut
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    spec = {"argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "alone"}
    kernels = alone / "jupyter" / "kernels" / "alone"
    kernels.mkdir(parents=True)
    (kernels / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(alone / "jupyter"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    for name in ("PYTHONNOUSERSITE", "PIP_NO_INDEX", "PIP_NO_DEPS", "PIP_NO_COMPILE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip takes this variable for the value of `build_isolation`
    return own


def test_a_notebook_alone(root, alone, setup, repository, kernel):
    """In a folder that holds nothing else a notebook fetches the kit, installs it, and runs to its end; no restart."""
    notebook = nbformat.read(root / "notebooks" / "variant_3_fcn.ipynb", 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    at = next(n for n, cell in enumerate(notebook.cells) if cell.source == setup)
    notebook.cells[at].source = with_url(setup, repository)
    notebook.cells.insert(at + 1, nbformat.v4.new_code_cell(notebook.cells[at].source))
    parameters = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    two = ["../data/images/cat_kitten.jpg", "../data/images/horses.jpg"]
    parameters.source += f'\nphotos_path, weights, device = {two}, "embedded", "cpu"'
    shown = "print(labkit.__file__)\nprint([photo.photo.name for photo in results])"
    notebook.cells.append(nbformat.v4.new_code_cell(shown))
    folder = alone / "folder"
    folder.mkdir()
    resources = {"metadata": {"path": str(folder)}}
    quiet = ["--log-level=40"]  # the kernel warns of its own loopback port
    NotebookClient(notebook, timeout=300, kernel_name="alone", resources=resources, extra_arguments=quiet).execute()
    installed, found = notebook.cells[-1].outputs[0].text.splitlines()
    assert Path(installed) == kernel / "labkit" / "__init__.py" and found == "['cat_kitten', 'horses']"
    assert [path.name for path in folder.iterdir()] == ["labkit-kit"]
    table = next(cell for cell in notebook.cells if "labkit.summary(results)" in cell.source)
    assert "кошка" in table.outputs[0].text and "лошадь" in table.outputs[0].text
