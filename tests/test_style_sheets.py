"""Style sheets: what browsers of before 2024 do not know has something that stands for it."""

import re
from pathlib import Path

import pytest

import labkit

_NEW = re.compile(r"light-dark\(|color-mix\(|oklch\(")
_VARIABLE = re.compile(r"(--[\w-]+): ")
SHEETS = sorted(Path(labkit.__file__).parent.rglob("*.css"))


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_every_browser_has_colours(sheet):
    """Newer functions of colours stand in `@supports`, in variables that every browser has a value of."""
    css = sheet.read_text("utf-8")
    blocks = re.findall(r"^@supports [^\n]+\{\n(.*?)^\}", css, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^@supports [^\n]+\{\n.*?^\}", "", css, flags=re.MULTILINE | re.DOTALL)
    assert not _NEW.search(rest)
    for block in blocks:
        assert all(_VARIABLE.search(line) for line in block.splitlines() if _NEW.search(line))
        assert set(_VARIABLE.findall(block)) <= set(_VARIABLE.findall(rest))


def test_sheets_are_there():
    """The sheets of the viewer, the report and the table of grades are read."""
    assert {"viewer.css", "report.css", "gradebook.css"} <= {sheet.name for sheet in SHEETS}
