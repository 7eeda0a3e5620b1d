"""Colab: what it ships stays as it is, and a notebook that arrives there alone installs the kit and runs."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import requires, version
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
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
STACK = ("ipykernel==6.17.1", "ipython==7.34.0", "jupyter-client==7.4.9")
"""What a kernel of Colab is made of, years older than what JupyterLab installs, besides its packages."""
VIEW = "application/vnd.jupyter.widget-view+json"
NOTEBOOKS = sorted(path.stem for path in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def colab_packages(root: Path) -> list[str]:
    """The lines NAME==VERSION of what Colab ships and labkit asks for."""
    lines = (root / "tests" / "colab_packages.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def asked_for(package: str, extras: set[str]) -> list[Requirement]:
    """What the version of a package that is installed here requires where it is installed in Colab."""
    found = map(Requirement, requires(package) or [])
    return [r for r in found if not r.marker or any(r.marker.evaluate({**COLAB, "extra": e}) for e in extras | {""})]


def test_nothing_that_colab_ships_is_moved(root):
    """Down from labkit's dependencies, all that Colab has satisfies all who ask; what it lacks is just this."""
    shipped = dict(line.split("==") for line in colab_packages(root))
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
    lacking = "papermill pytorchcv segment-anything segmentation-models-pytorch"
    assert installed == {*lacking.split(), "pebble", "rapidfuzz"}
    assert asked == shipped.keys() and asked.issuperset(NEEDED)


def setup_cell(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The first code cell, which installs the kit."""
    return next(cell for cell in notebook.cells if cell.cell_type == "code")


def test_one_short_setup_cell(root):
    """It is the same in all notebooks, of about eight lines, and says where to install from."""
    found = {setup_cell(nbformat.read(root / "notebooks" / f"{name}.ipynb", 4)).source for name in NOTEBOOKS}
    (source,) = found
    lines = [line for line in source.splitlines() if line]
    assert len(lines) <= 10 and lines[0].startswith("LABKIT = ") and lines[1].startswith("USE_DRIVE = False")


@pytest.fixture(scope="module")
def repository(root, tmp_path_factory) -> str:
    """The address of a git repository that holds the working tree as it is, for pip."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "core.compression=0"]
    kit = tmp_path_factory.mktemp("kit") / "kit.git"
    subprocess.run([*git, "init", "--quiet", "--bare", kit], check=True)
    tree = [f"--git-dir={kit}", f"--work-tree={root}", "-c", "core.bare=false"]
    for command in (["add", "."], ["commit", "--quiet", "-m", "kit"]):
        subprocess.run([*git, *tree, *command], cwd=root, check=True)
    return f"git+{kit.as_uri()}"


@pytest.fixture(scope="module", params=["installed", "colab"])
def kernel(request, root, tmp_path_factory):
    """A kernel of an environment of its own, and where its packages are.

    "installed" sees all packages installed here but labkit, and no network; "colab" has nothing but what Colab has of
    what labkit asks for, in Colab's versions, and the notebook fetches the rest as it does there.
    """
    place = tmp_path_factory.mktemp(request.param)
    folder, alone, interpreter = place / "environment", request.param == "installed", os.environ.get("LABKIT_COLAB")
    if alone:
        if importlib.util.find_spec("pip") is None or Version(version("setuptools")) < Version("77"):
            pytest.skip("pip and setuptools 77 or newer are needed to install without a network")
        packages = [path for path in sys.path if path.endswith("-packages")]
        if any(Path(path, "labkit").exists() for path in packages):
            pytest.skip("labkit itself is among the installed packages; install it with `pip install -e .`")
    elif not interpreter:
        pytest.skip("LABKIT_COLAB=PYTHON, best a 3.13, builds Colab's environment with it: 3 GB from the network")
    venv = [sys.executable, "-m", "venv", "--without-pip"] if alone else [interpreter, "-m", "venv"]
    subprocess.run([*venv, folder], check=True)
    (own,) = folder.glob("Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if alone:
        (own / "shared.pth").write_text("\n".join(packages))  # the .pth files in there, labkit's too, stay shut
    else:
        shipped = [line.partition("+")[0] for line in colab_packages(root)]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *shipped, *STACK], check=True)
    spec = {"argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "alone"}
    kernels = place / "jupyter" / "kernels" / "alone"
    kernels.mkdir(parents=True)
    (kernels / "kernel.json").write_text(json.dumps(spec))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(place / "jupyter"))
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.delenv("PYTHONPATH", raising=False)
        patch.setenv("PYTHONNOUSERSITE", "1")
        if alone:
            for name in ("PIP_NO_INDEX", "PIP_NO_DEPS", "PIP_NO_COMPILE"):
                patch.setenv(name, "1")
            patch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip takes this variable for the value of `build_isolation`
        manager = KernelManager(kernel_name="alone")
        manager.start_kernel(extra_arguments=["--log-level=40"])  # it warns of its own loopback port
        yield manager, own
        manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_alone(root, tmp_path, repository, kernel, name):
    """In an empty folder a notebook installs the kit, takes its photos, and runs to its end; every widget has a state.

    A page like Colab's draws a widget from this state alone. One kernel serves all, which forgets every name between
    two notebooks: that each has enough of its own imports is nbval's to say.
    """
    manager, packages = kernel
    notebook = nbformat.read(root / "notebooks" / f"{name}.ipynb", 4)
    setup = setup_cell(notebook)
    setup.source = setup.source.replace('LABKIT = ".."', f'LABKIT = "{repository}"')
    parameters = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    parameters.source += '\nweights, device = "embedded", "cpu"'
    few = 'photos_path = [str(path) for path in sorted(KIT_IMAGES.iterdir()) if "kitten" in path.name]'
    chosen = nbformat.v4.new_code_cell(f"from labkit.io.kit import KIT_IMAGES\n{few}")
    notebook.cells.insert(notebook.cells.index(parameters) + 1, chosen)
    notebook.cells.append(nbformat.v4.new_code_cell("print(labkit.__file__, KIT_IMAGES)"))
    notebook.cells.insert(0, nbformat.v4.new_code_cell(f"%reset -f\n%cd -q {tmp_path}"))
    client = NotebookClient(notebook, manager, timeout=300)
    client.execute()
    client.kc.stop_channels()
    printed = "".join(output.text for output in notebook.cells[-1].outputs)  # a kernel may send it in parts
    installed, photos = map(Path, printed.split())
    assert installed == packages / "labkit" / "__init__.py" and photos == packages / "labkit" / "data" / "images"
    assert list(tmp_path.iterdir()) == []
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = {data[VIEW]["model_id"] for data in outputs if VIEW in data}
    state = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert shown and shown <= state.keys()
    assert all(model["state"]["_esm"] for model in state.values() if model["model_module"] == "anywidget")
