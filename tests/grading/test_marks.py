"""Marks that are there already: read from page and table, kept through whatever happens to the files."""

import json
import re
from dataclasses import replace

import pytest

from labkit.grading.marks import Mark, Marks, bare, guarded, key_of, read_earlier
from labkit.grading.rows import Row

FORMULAS = ["=1", "+1", "-1", "@a", "\t=1", "\r=1", " =1", "＝1", "'=1"]


@pytest.mark.parametrize("before", ["", "a,", "a; ", "a\t", "a\n", 'a,"'])
@pytest.mark.parametrize("cell", FORMULAS)
def test_guarded_cells_come_back(cell, before):
    """No part of a cell is a formula for a reader of commas, semicolons or tabs, and what was added is taken away."""
    cell = before + cell
    for separators in (",\n", ";\n", "\t\n"):
        for part in re.split(f"[{separators}]", guarded(cell)):
            assert not re.match(r"[\"\s]*[=+\-@＝]", part), (cell, part)
    assert bare(guarded(cell)) == cell


ROW = Row("группа/а.html", "1" * 64, who="moodle:7", student="Анна")
MARK = Mark("6", "хорошо", 5, "moodle:7", "Анна")
KEY = key_of(ROW.sha256, ROW.file)


@pytest.mark.parametrize(
    "row",
    [ROW, replace(ROW, file="группа/переименован.html"), replace(ROW, file="другая папка/группа/а.html")],
    ids=["the same", "another name", "another folder"],
)
def test_the_mark_goes_with_the_file(row):
    """A file that was renamed or moved keeps its mark, and there is one of it."""
    marks = Marks.settled({KEY: MARK}, [row])
    assert dict(marks.given) == {key_of(row.sha256, row.file): MARK} and not marks.earlier and not marks.orphans


def test_a_new_file_of_the_student():
    """It has no mark yet, but shows the earlier one, which stays for the next run too."""
    new = replace(ROW, sha256="2" * 64, file="группа/а (1).html")
    marks = Marks.settled({KEY: MARK, "old x": replace(MARK, at=1)}, [new])
    assert marks.earlier == {key_of(new.sha256, new.file): MARK} and KEY in marks.given and not marks.orphans
    assert key_of(new.sha256, new.file) not in marks.given


def test_a_copy_in_another_folder_takes_nobody_s_mark():
    """Of two students with the same file each has his own mark."""
    copy = replace(ROW, file="б/б.html", who="moodle:8")
    marks = Marks.settled({KEY: MARK}, [copy, replace(ROW, file="а/другое.html")])
    assert dict(marks.given) == {key_of(ROW.sha256, "а/другое.html"): MARK}


def test_of_two_with_one_file_each_keeps_his_mark():
    """Whatever became of the other: a mark goes to no other student of the learning system, in whatever order."""
    other = replace(MARK, mark="2", who="moodle:8")
    marks = Marks.settled({key_of("1" * 64, "б.html"): other, KEY: MARK}, [replace(ROW, file="в.html")])
    assert marks.given[key_of("1" * 64, "в.html")].mark == "6" and marks.orphans == [key_of("1" * 64, "б.html")]
    copied = replace(ROW, file="б.html", who="moodle:8")
    assert Marks.settled({KEY: MARK}, [copied]).orphans == [KEY]


def test_orphans_are_listed():
    """A mark whose student is gone is told, and not dropped."""
    marks = Marks.settled({KEY: MARK}, [Row("в.html", "3" * 64, who="moodle:9")])
    assert marks.orphans == [KEY] and marks.given == {KEY: MARK} and marks.record()["marks"][KEY]["mark"] == "6"


@pytest.mark.parametrize(
    "written, mark, comment",
    [
        ("8,5;", "8.5", ""),
        ("зачёт;да", "6", "[зачёт] да"),
        ("8,5/10;", "6", "[8,5/10]"),
        ("９;", "6", "[９]"),  # the page reads no other digits than 0 to 9
    ],
)
def test_what_is_no_number_stays(tmp_path, written, mark, comment):
    """A table in which somebody wrote words instead of a mark loses none of them, nor the mark from before."""
    page, table = tmp_path / "grades.html", tmp_path / "grades.csv"
    block = json.dumps({"marks": {KEY: {"mark": "6", "comment": "", "at": 1}}})
    page.write_text(f'<script type="application/json" id="labkit-marks">{block}</script>', "utf-8")
    table.write_text(f"Студент;Оценка;Комментарий;Файл;sha256\nАнна;{written};{ROW.file};{ROW.sha256}\n", "utf-8")
    (found,) = read_earlier(page, table).values()
    assert (found.mark, found.comment) == (mark, comment)
