"""Points from a small file: a mark is suggested for what holds, nothing else."""

from dataclasses import replace
from datetime import datetime

import pytest

from labkit.grading.rows import Row
from labkit.grading.rubric import Rubric, moment, read_rubric
from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.report.checks import NAMES, Check

ROW = Row(
    "а.html",
    checks=tuple(Check(name, name != "objects", "") for name in NAMES),
    answers=(("Раз?", "Да, видно"), ("Два?", ""), ("Три?", "Нет"), ("Четыре?", "Бывает")),
    at="2026-03-22T10:00",
)


@pytest.fixture
def write(tmp_path):
    """Writes a rubric and reads it."""

    def written(content: str, encoding: str = "utf-8") -> Rubric:
        path = tmp_path / "баллы.toml"
        path.write_text(content, encoding)
        return read_rubric(path)

    return written


def test_the_example_of_the_readme(write, root):
    """Seven checks of one point, but for the one that fails, two thirds of the answers, two days late."""
    example = (root / "README.ru.md").read_text("utf-8").partition("```toml\nmaximum")[2].partition("```")[0]
    row = write(f"maximum{example}").suggested(ROW)
    assert row.suggestion == "5.5" and "ответы (3 из 4) 1,5" in row.reckoned and "дней: 2 -2,0" in row.reckoned


@pytest.mark.parametrize(
    "rubric, row, mark",
    [
        (Rubric(), ROW, ""),
        (Rubric(10, checks={"run": 1}), Row("б.html", problem="пусто"), ""),
        (Rubric(3, checks={"run": 9}), ROW, "3"),
        (Rubric(10, 2, {"objects": 5}, {}), ROW, "2"),
        (Rubric(10, questions={"1": 2, "2": 3, "3": 0.5}), ROW, "2.5"),
        (Rubric(10, checks={"run": 5}, late=1), ROW, "5"),
        (Rubric(10, checks={"run": 5}, late=1), replace(ROW, at="", late=True), "4"),
    ],
    ids=["no rubric", "not read", "maximum", "minimum", "single questions", "in time", "late by the name only"],
)
def test_what_is_suggested(rubric, row, mark):
    """A sum between minimum and maximum; nothing without points, or for what was not read."""
    suggested = rubric.suggested(row)
    assert suggested.suggestion == mark and (suggested == row) == (not mark)


@pytest.mark.parametrize(
    "deadline, at, mark",
    [
        ("2026-03-20T23:59:00+03:00", "2026-03-20T20:58:00Z", "5"),
        ("2026-03-20T23:59:00+03:00", "2026-03-20 21:00:00 UTC", "4"),
        ("2026-03-20T23:59:00+03:00", "пятница, 20 марта 2026, 23:58", "5"),
        ("2026-03-20T23:59:00", "2026-03-21T00:30:00+05:00", "4"),
        ("2026-03-20", "2026-03-20T23:59", "5"),
        ("2026-03-20", "2026-03-21T00:01", "4"),
    ],
)
def test_deadlines(write, deadline, at, mark):
    """Times with zones are compared as they are, else as the place's; a day is a whole day; in whatever encoding."""
    rubric = write(f"# баллы\nmaximum = 10\nlate = 1\ndeadline = {deadline}\n[checks]\nrun = 5", "utf-16")
    assert rubric.suggested(Row("а.html", checks=ROW.checks, at=at)).suggestion == mark


def test_a_time_that_is_not_understood_is_told():
    """Or whoever came late would lose nothing in silence."""
    rubric = Rubric(10, checks={"run": 5}, late=1, deadline=datetime(2026, 3, 20))
    assert "«вчера вечером»" in rubric.suggested(Row("а.html", checks=ROW.checks, at="вчера вечером")).reckoned
    assert "«" not in rubric.suggested(Row("а.html", checks=ROW.checks, at="-")).reckoned


WRONG = {
    "": "maximum",
    "maximum = 10\n[checks]\nfoto = 1": "foto",
    "maximum = 'ten'": "maximum",
    "maximum = 10\nlate = nan": "late",
    "maximum = 10\ndeadline = 'завтра'": "deadline",
    "maximum = 10\n[questions]\nfirst = 1": "first",
    "maximum = 1\nchecks = 5": "checks",
    "maximum = 10\nminimum = 20": "minimum",
    "maximum = 10\nlate = -1": "late",
    "maximum = 1\nbonus = 2": "bonus",
    "не toml": "",
}


@pytest.mark.parametrize("content", WRONG)
def test_wrong_files(write, content):
    """What is not known or no number is refused, by name."""
    with pytest.raises(LabkitError, match=rf"баллы\.toml.*{WRONG[content]}"):
        write(content)


@pytest.mark.parametrize(
    "content, line",
    [("maximum = 10\nlate = 1,5\n[checks]\nrun = 1", 2), ("maximum = 10\n\nминимум", 3), ("maximum = 10\nrun", 2)],
)
def test_what_is_no_toml(write, content, line):
    """The line is named in the user's language, also where the file ends too early."""
    with pytest.raises(LabkitError) as told:
        write(content)
    assert f"({text('rubric.line', line=line)})" in str(told.value)


TIMES = ["2026-03-20T23:59", "пятница, 20 марта 2026, 23:59", "20 марта 2026 г., 23:59", "20.03.2026 23:59"]
TIMES += ["Friday, March 20, 2026, 11:59 PM", "Friday, 20 March 2026, 11:59 PM"]
NO_TIMES = ["", "-", "вчера", "32 March 2026, 10:00", "20 Foo 2026, 10:00", "20 марта 2026"]


@pytest.mark.parametrize("at", TIMES + NO_TIMES)
def test_times(at):
    """As Moodle writes them, in either language, and as ISO; what is none is none."""
    assert moment(at) == (datetime(2026, 3, 20, 23, 59) if at in TIMES else None)
