"""The pages' JavaScript: its own tests, where there is a node to run them, and files that join to one module."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import labkit
from labkit.viewer.items import module

FOLDERS = {"viewer": "mount.mjs", "grading": "gradebook.mjs"}  # rooms with scripts, and what a page begins with


@pytest.mark.parametrize("room", FOLDERS)
def test_javascript(root, room):
    """`node --test` passes, and has run every test that stands in the file."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    (path,) = (root / "tests" / room).glob("*.test.mjs")
    command = [node, "--test", "--test-reporter=tap", str(path)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = len(re.findall(r"^test\(", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert wanted > 5 and f"# pass {wanted}\n" in done.stdout, done.stdout


@pytest.mark.parametrize("room, entry", FOLDERS.items())
def test_files_join_to_one_module(room, entry):
    """Each file is carried, but for indents, comments, imports and `export`; no name occurs twice or is renamed."""
    package = Path(labkit.__file__).parent
    carried = module(package / room / "js" / entry)
    paths = {*(package / room / "js").glob("*.mjs"), package / "viewer" / "js" / "page.mjs"}
    code = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    named = re.compile(r"^(?:export )?(?:async )?(?:function|class|const|let) ([\w$]+)", re.MULTILINE)
    names = named.findall(code)
    assert len(names) == len(set(names)) > 30 and set(names) <= set(named.findall(carried))
    assert not re.search("^import .* as ", code, re.MULTILINE) and not re.search(r"\bimport\b", carried)
    lines = {*carried.splitlines()}
    written = [re.sub("^export (?!default)", "", line.strip()) for line in code.splitlines()]
    left = [line for line in written if lines.isdisjoint((line, line.partition(" // ")[0]))]
    assert left and all(line == "" or line.startswith(("//", "/*", "*", "import {")) for line in left)
