"""Marks and comments that a table of grades already holds, so that grading again loses none."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.locale import in_each_language, text

__all__ = ["MARKS", "Mark", "bare", "guarded", "key_of", "read_page", "read_table"]

MARKS = re.compile(r'<script type="application/json" id="labkit-marks">(.*?)</script>', re.DOTALL)
"""The block of marks in a page; a page that was saved with marks has them here."""

_NUMBER = re.compile(r"(\d{1,6}(\.\d{1,4})?)?")
_FORMULA = re.compile(r"'*\s*[=+\-@\t\r＝＋－＠]")


@dataclass(frozen=True)
class Mark:
    """A mark ("" or digits with a point), a comment, and when they were given: milliseconds since 1970."""

    mark: str
    comment: str
    at: float


def key_of(sha256: str, file: str) -> str:
    """A mark belongs to a file and to what was in it."""
    return f"{sha256} {file}"


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: `'` stands before what begins as one."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def bare(cell: str) -> str:
    """What was in a cell before `guarded`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell


def read_page(path: Path) -> dict[str, Mark]:
    """The marks in a `grades.html`, by key; none where there is no such page."""
    try:
        block = MARKS.search(path.read_text(encoding="utf-8"))
        entries = json.loads(block[1])["marks"].items() if block else ()
        return {key: Mark(one["mark"], one["comment"], one["at"]) for key, one in entries if _valid(one)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def read_table(path: Path) -> dict[str, Mark]:
    """The marks in a `grades.csv`, as this kit or Excel wrote it, by key; none where there is no such table.

    A table does not say when they were given: not after it was written.
    """
    try:
        content, changed = path.read_bytes(), path.stat().st_mtime * 1000
        try:
            table = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            table = content.decode("cp1251")  # Excel's own CSV in Russia
        separator = max(";,\t", key=table.partition("\n")[0].count)
        head, *rows = csv.reader(io.StringIO(table, newline=""), delimiter=separator)
        mark, comment, file = (_column(head, name) for name in ("mark", "comment", "file"))
        digest = head.index("sha256")
        marks = {}
        for row in rows:
            if len(row) > max(mark, comment, file, digest):
                number = row[mark].strip().replace(",", ".")
                entry = Mark(number if _NUMBER.fullmatch(number) else "", bare(row[comment]), changed)
                if entry.mark or entry.comment:
                    marks[key_of(row[digest], bare(row[file]))] = entry
        return marks
    except (OSError, ValueError, csv.Error):
        return {}


def _column(head: list[str], name: str) -> int:
    """Where a column is, in whichever language its title is; ValueError where it is not."""
    titles = in_each_language(text, f"gradebook.{name}").values()
    return [title in titles for title in head].index(True)


def _valid(one: Any) -> bool:
    mark, comment, at = one["mark"], one["comment"], one["at"]
    return (
        isinstance(mark, str)
        and isinstance(comment, str)
        and _NUMBER.fullmatch(mark) is not None
        and type(at) in (int, float)
        and math.isfinite(at)
    )
