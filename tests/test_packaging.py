"""What the project's own files promise: floors and no pins, tested versions, photos, files that travel along."""

import json
import re
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

from labkit.weights.find import EMBEDDED, embedded_path


@pytest.fixture(scope="module")
def told(root) -> dict:
    """What pyproject.toml says."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def read(root, name: str) -> list[str]:
    """The lines of a requirements file, without comments and options."""
    lines = (root / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def test_floors_not_pins(root, told):
    """Python, which is above its own, and dependencies have a floor and nothing else: no environment is taken apart."""
    assert told["project"]["requires-python"] == ">=3.11" and sys.version_info >= (3, 11)
    for requirement in map(Requirement, [*told["project"]["dependencies"], *read(root, "requirements.txt")]):
        assert [s.operator for s in requirement.specifier] == [">="], requirement


def test_tested_versions_meet_the_floors(root, told):
    """constraints.txt names a version of every dependency, at or above its floor."""
    tested = dict(line.lower().split("==") for line in read(root, "constraints.txt"))
    asked = [*told["project"]["dependencies"], *told["project"]["optional-dependencies"]["heic"]]
    for name in ("requirements.txt", "requirements-dev.txt"):
        asked += read(root, name)
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(tested[requirement.name]), requirement


def test_what_travels_with_the_package(root, told):
    """All that is no Python, the weights among it, and the ten photos with their outlines are package data."""
    data, package = told["tool"]["setuptools"]["package-data"], root / "labkit"
    for path in (path.relative_to(package) for path in package.rglob("*.*") if "__pycache__" not in path.parts):
        assert path.suffix == ".py" or path.name == "README.md" or any(map(path.match, data["labkit"])), path
    assert data["labkit.data"] == ["images/*", "outlines/*"] and '"labkit.data"' in (root / "setup.py").read_text()
    files = {path.name for path in (root / "labkit" / "weights" / "embedded").iterdir()}
    assert {f"{name}.safetensors" for name in EMBEDDED} | {"MODEL_CARD.md"} <= files
    photos = sorted((root / "data" / "images").iterdir())
    listed = (root / "data" / "README.md").read_text(encoding="utf-8")
    assert len(photos) == 10 and all(photo.name in listed for photo in photos)


def test_the_model_card_names_the_files(root):
    """The table of MODEL_CARD.md has the size and the sha256 of each file that travels."""
    card = (root / "labkit" / "weights" / "embedded" / "MODEL_CARD.md").read_text(encoding="utf-8")
    for name, digest in EMBEDDED.items():
        size = f"{embedded_path(name).stat().st_size:,}"
        assert re.search(rf"^\| `{name}\.safetensors` \| [\d.]+ M \| {size} \| `{digest}` \|$", card, re.MULTILINE)


def test_ci_runs_what_the_readme_says(root):
    """.ci/run installs what the system may lack, then calls `make lint` and `make test`, which the README names."""
    lines = (root / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if re.match("make|python|npm", line)] == lines[-2:] == ["make lint", "make test"]
    readme = (root / "README.md").read_text(encoding="utf-8")
    assert "make test" in readme and "make lint" in readme


def test_what_stands_above_the_environment(root):
    """Node takes JupyterLab's scripts in .venv for what they are; photos of iPhones open without another command."""
    assert json.loads((root / "package.json").read_text()).get("type", "commonjs") == "commonjs"
    assert "-e .[heic]" in (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
