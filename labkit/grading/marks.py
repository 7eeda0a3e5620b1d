"""Marks and comments that a table of grades already holds, so that grading again loses none."""

import csv
import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from labkit.grading.roster import read_csv
from labkit.grading.rows import Row
from labkit.io.errors import LabkitError
from labkit.locale import in_each_language, text

__all__ = ["Mark", "Marks", "bare", "guarded", "key_of", "read_earlier", "read_page", "read_table"]

_BLOCK = '<script type="application/json" id="labkit-{}">(.*?)</script>'
_NUMBER = re.compile(r"(\d{1,6}(\.\d{1,4})?)?", re.ASCII)  # as the page reads them
_BEGINS = r"""(?=['" \t\u00a0]*[=+\-@＝＋－＠]|[\t\r])"""
_FORMULA, _GUARDED = (re.compile(rf"(?:^|(?<=[,;\t\r\n])){sign}{_BEGINS}") for sign in ("", "'"))


@dataclass(frozen=True)
class Mark:
    """A mark ("" or digits with a point), a comment, and when they were given: milliseconds since 1970.

    `who` and `name` are the student's, for the day when his file is another one.
    """

    mark: str
    comment: str
    at: float
    who: str = ""
    name: str = ""


@dataclass(frozen=True)
class Marks:
    """The marks of a table's rows by key; by the row's key besides an `earlier` one of another file of the student;
    and those that belong to no row any more. No mark is ever dropped."""

    given: Mapping[str, Mark] = field(default_factory=dict)
    earlier: Mapping[str, Mark] = field(default_factory=dict)
    orphans: Mapping[str, Mark] = field(default_factory=dict)

    @classmethod
    def settled(cls, known: Mapping[str, Mark], rows: Sequence[Row]) -> "Marks":
        """The marks that are known, each put where its file is now."""
        given = dict(known)
        by_key = {key_of(row.sha256, row.file): row for row in rows}
        free = {key: mark for key, mark in given.items() if key not in by_key}
        contents = [row.sha256 for row in rows]
        earlier = {}
        for key, row in by_key.items():
            same = [old for old in free if row.sha256 and old.startswith(f"{row.sha256} ")]
            moved = [old for old in same if free[old].who == row.who]
            if contents.count(row.sha256) == 1:
                moved += [old for old in same if not (_by_system(free[old].who) and _by_system(row.who))]
            if key not in given and moved:
                given[key] = replace(free.pop(moved[0]), who=row.who)
                del given[moved[0]]
            if before := [mark for mark in free.values() if row.who and mark.who == row.who]:
                earlier[key] = max(before, key=lambda mark: mark.at)
        gone = {row.who for row in rows if row.who}
        return cls(given, earlier, {key: mark for key, mark in free.items() if mark.who not in gone})

    def record(self) -> dict[str, Any]:
        """The block that the page holds."""
        saved = max((mark.at for mark in self.given.values()), default=0)
        return {"saved": saved, "marks": {key: asdict(mark) for key, mark in self.given.items()}}


def _by_system(who: str) -> bool:
    """Whether a learning system says whose a row is: what one has handed in is nobody else's."""
    return ":" in who and not who.startswith("file:")


def key_of(sha256: str, file: str) -> str:
    """A mark belongs to a file and to what was in it."""
    return f"{sha256} {file}"


def guarded(cell: str) -> str:
    """A cell of which no spreadsheet takes any part for a formula, whatever it parts cells by: `'` before each."""
    return _FORMULA.sub("'", cell)


def bare(cell: str) -> str:
    """What was in a cell before `guarded`."""
    return _GUARDED.sub("", cell)


def read_earlier(page: Path, table: Path) -> dict[str, Mark]:
    """The marks of an earlier page, and those of the table that someone has changed since, by key."""
    marks, people = read_page(page), {}
    with suppress(KeyError, TypeError):
        people = {key_of(row["sha256"], row["file"]): str(row["who"]) for row in _block(page, "rows")["rows"]}
    for key, mark in read_table(table, marks).items():
        before = marks.get(key)
        if before is None or (mark.at > before.at and (mark.mark, mark.comment) != (before.mark, before.comment)):
            marks[key] = mark
    return {key: replace(mark, who=mark.who or people.get(key, "")) for key, mark in marks.items()}


def _block(path: Path, name: str) -> Any:
    """What a page holds as JSON under this name; nothing where there is no such page, or it is damaged."""
    with suppress(OSError, ValueError, RecursionError, TypeError):
        return json.loads(re.search(_BLOCK.format(name), path.read_text(encoding="utf-8"), re.DOTALL)[1])
    return {}


def read_page(path: Path) -> dict[str, Mark]:
    """The marks in a `grades.html`, by key; none where there is no such page. LabkitError where it is damaged: what
    was typed there would be lost."""
    marks, block = {}, _block(path, "marks")
    if not block and path.exists() and path.stat().st_size:
        raise LabkitError(text("grade.page", path=path))
    with suppress(AttributeError, KeyError, TypeError):
        for key, one in block["marks"].items():
            mark, comment, at = one["mark"], one["comment"], one["at"]
            if _NUMBER.fullmatch(mark) and isinstance(comment, str) and type(at) in (int, float) and math.isfinite(at):
                marks[key] = Mark(mark, comment, at, str(one.get("who", "")), str(one.get("name", "")))
    return marks


def read_table(path: Path, known: Mapping[str, Mark] | None = None) -> dict[str, Mark]:
    """The marks in a `grades.csv`, as this kit or Excel wrote it, by key; none where there is no such table.

    A table does not say when they were given: not after it was written. What is no number stays, in the comment, and
    so does the mark that is `known`. LabkitError where a column is missing: what stands in the table would be lost.
    """
    marks: dict[str, Mark] = {}
    try:
        changed = path.stat().st_mtime * 1000
        head, *rows = read_csv(path.read_bytes()) or [[]]
    except OSError:
        return marks
    except csv.Error:
        head, rows = [], [[]]
    keys = [f"gradebook.{key}" for key in ("student", "mark", "comment", "file")]
    named = {text(key): in_each_language(text, key).values() for key in keys} | {"sha256": ["sha256"]}
    titles = [title.strip() for title in head]
    places = [next((n for n, title in enumerate(titles) if title in of), -1) for of in named.values()]
    if rows and min(places) < 0:
        absent = [name for name, place in zip(named, places, strict=True) if place < 0]
        raise LabkitError(text("grade.table", path=path, names=", ".join(absent)))
    for row in rows:
        cells = [bare(cell) for cell in row] + [""] * len(head)
        student, mark, comment, file, digest = (cells[place] for place in places)
        key, number = key_of(digest, file or student), mark.strip().replace(",", ".")
        if not _NUMBER.fullmatch(number):
            before = (known or {}).get(key)
            number, comment = before.mark if before else "", f"[{mark.strip()}] {comment}".strip()
        if number or comment:
            marks[key] = Mark(number, comment, changed, "", student)
    return marks
