"""The viewer's JavaScript: its own tests, where there is a node to run them."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest


def test_javascript(root):
    """`node --test` passes, and has run every test that stands in the file."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    path = root / "tests" / "viewer" / "viewer.test.mjs"
    command = [node, "--test", "--test-reporter=tap", str(path)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = len(re.findall(r"^test\(", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert wanted > 20 and f"# pass {wanted}\n" in done.stdout, done.stdout
