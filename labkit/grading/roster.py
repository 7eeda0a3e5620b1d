"""A learning system's table of students: who was to hand in what; filled in, it is what that system takes back."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labkit.grading.facts import word_list
from labkit.grading.people import heard
from labkit.grading.rows import Remark, Row
from labkit.io.errors import LabkitError, one_line
from labkit.io.files import decoded
from labkit.io.sources import shown
from labkit.locale import text
from labkit.variants import find_variant

__all__ = ["Roster", "Student", "read_csv", "read_roster"]

_COLUMNS = {
    "moodle": {
        "id": ("identifier", "идентификатор"),
        "name": ("full name", "полное имя", "фио", "имя и фамилия"),
        "mark": ("grade", "оценка"),
        "email": ("email address", "адрес электронной почты"),
        "at": ("last modified (submission)", "последнее изменение (ответ)", "последнее изменение (отправка)"),
        "feedback": ("feedback comments", "отзыв в виде комментария", "отзыв"),
        "group": ("group", "группа"),
        "variant": ("variant", "вариант"),
    },
    "canvas": {
        "id": ("id",),
        "name": ("student", "студент"),
        "email": ("sis login id",),
        "group": ("group", "группа", "section", "раздел"),
        "variant": ("variant", "вариант"),
    },
}
"""What the columns of either table are called, by what they hold; group and variant an instructor may have added."""

_NEEDED, _CANVAS_FIXED = {"moodle": "mark", "canvas": "name"}, {"sis user id", "integration id", "root account"}


@dataclass(frozen=True)
class Student:
    """One line of the table: its number there, and what it says."""

    line: int
    id: str
    name: str
    email: str = ""
    group: str = ""
    variant: int | None = None
    at: str = ""


@dataclass(frozen=True)
class Roster:
    """The table as it was, `system` moodle, canvas or empty where there is none, and where marks and feedback go."""

    system: str = ""
    head: Sequence[str] = ()
    lines: Sequence[Sequence[str]] = ()
    students: Sequence[Student] = ()
    mark: int = -1
    feedback: int = -1

    def places(self, rows: Sequence[Row]) -> dict[int, int]:
        """Which row is whose: the row's number by the student's line. What a report says of itself, be it without the
        patronymic, with initials or in Latin, counts only where it is not in the learning system's folders, and where
        nobody else says the same.
        """
        return self._matched(rows)[0]

    def checked(self, rows: Sequence[Row]) -> list[Row]:
        """The rows with name and group as the table has them, and a remark on another variant or on nobody's work."""
        placed, named, _ = self._matched(rows)
        whose = {placed[one.line]: one for one in self.students if one.line in placed}
        return [_known(row, whose.get(n), n in named) if self.system else row for n, row in enumerate(rows)]

    def absent(self, rows: Sequence[Row]) -> list[Student]:
        """Who has handed nothing in; of namesakes all, where they have fewer works than there are of them."""
        placed, _, enough = self._matched(rows)
        return [student for student in self.students if student.line not in placed.keys() | enough]

    def _matched(self, rows: Sequence[Row]) -> tuple[dict[int, int], set[int], set[int]]:
        """What `places` answers; the rows that only a name tells; and the lines for which there are enough of these."""
        by_line = {one.line: f"{self.system}:{one.id}" for one in self.students if one.id}
        ids = set(by_line.values())
        names = [(one.line, _read(one.name)) for one in self.students]
        said = [(n, _read(row.name or row.student)) for n, row in enumerate(rows) if row.who not in ids]
        pairs = [(line, n) for line, name in names for n, own in said if any(map(_one_name, own, name))]
        works, lines = Counter(line for line, _ in pairs), Counter(n for _, n in pairs)
        placed = {line: n for line, n in pairs if works[line] == lines[n] == 1}
        whose = {row.who: n for n, row in enumerate(rows)}
        placed |= {line: whose[who] for line, who in by_line.items() if who in whose}  # a table may name one twice
        return placed, set(lines), {line for line, n in pairs if works[line] >= lines[n]}


def _read(name: str) -> tuple[list[str], list[str]]:
    """A name as it is seen and as it is heard."""
    return word_list(name), heard(name)


def _one_name(one: Sequence[str], other: Sequence[str]) -> bool:
    short, long = sorted((set(one), set(other)), key=len)
    same = short == long != set() or (len(short) > 1 and short <= long)
    return same or _initialed(one, other) or _initialed(other, one)


def _initialed(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether a name has initials, in their order, for what the other has in full: П. С. Иванов is Иванов Пётр."""
    initials, rest = [word for word in one if len(word) == 1], [word for word in other if word not in one]
    full = set(one) - set(initials)
    return bool(initials and rest and full) and full <= set(other) and all(map(str.startswith, rest, initials))


def _known(row: Row, student: Student | None, is_of_several: bool) -> Row:
    if student is None:
        return row.with_remarks(Remark("person", text("roster.several" if is_of_several else "roster.unknown")))
    row = replace(row, name=student.name, id=student.id, at=student.at, group=row.group or student.group)
    if not (student.variant and row.variant and student.variant != row.variant):
        return row
    return row.with_remarks(Remark("person", text("roster.variant", assigned=student.variant, done=row.variant)))


def read_csv(content: bytes) -> list[list[str]]:
    """The cells of a CSV as Moodle, Canvas, this kit or Excel wrote it; csv.Error where it is none."""
    table = re.sub(r"\A\ufeff?sep=.\r?\n", "", decoded(content))  # a line of Excel's own
    separator = max(";,\t", key=table.partition("\n")[0].count)
    return list(csv.reader(io.StringIO(table, newline=""), delimiter=separator))


def read_roster(path: Path) -> Roster:
    """Moodle's offline grading worksheet or Canvas's gradebook. LabkitError where the file is neither."""
    try:
        titles, *lines = [row for row in read_csv(path.read_bytes()) if any(row)] or [[]]
    except (OSError, csv.Error) as error:
        raise LabkitError(text("roster.unreadable", path=path, error=one_line(error))) from error
    titles = [title.strip() for title in titles]
    head = [" ".join(title.casefold().split()) for title in titles]
    lines = [[*line, *[""] * len(head)][: len(head)] for line in lines]
    for system, columns in _COLUMNS.items():
        places = {key: head.index(name) for key, names in columns.items() for name in names[::-1] if name in head}
        if {"id", _NEEDED[system]} <= places.keys():
            break
    else:
        raise LabkitError(text("roster.unknown_table", path=path, head=shown(", ".join(titles)[:200])))
    if system == "canvas":
        marks = [n for n, title in enumerate(head) if title not in _CANVAS_FIXED and n not in places.values()]
        marks = [n for n in marks if re.search(r"\(\d+\)$", head[n])] or marks  # sums, which are read only, have no id
        if len(marks) != 1:
            columns = ", ".join(titles[n] for n in marks[:10]) or "—"
            raise LabkitError(text("roster.columns", path=path, columns=columns))
        (places["mark"],) = marks
    students = [_student(n, line, places) for n, line in enumerate(lines)]
    if system == "canvas":  # "Points Possible" is the second line, and a teacher's own view the last
        students = [one for one in students if one.id and one.name.casefold() != "student, test"]
    return Roster(system, titles, lines, students, places["mark"], places.get("feedback", -1))


def _student(number: int, line: Sequence[str], places: dict[str, int]) -> Student:
    cells: dict[str, Any] = {key: line[n].strip() for key, n in places.items()}
    cells.setdefault("name", cells["id"])  # where Moodle hides names
    digits = re.search(r"\d+", cells["id"])
    cells["id"] = digits[0] if digits else ""  # Moodle's is "Participant 512" in whichever language
    numbers = re.findall(r"\d+", variant := cells.pop("variant", ""))
    with suppress(LabkitError):  # it is a number, or a name; or none, or several
        cells["variant"] = find_variant(numbers[0] if len(numbers) == 1 else variant).number
    return Student(number, **{key: cells[key] for key in cells.keys() - {"mark", "feedback"}})
