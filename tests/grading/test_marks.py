"""Marks that are there already: read from page and table, kept through whatever happens to the files."""

import json
import re
from dataclasses import replace

import pytest

from labkit.grading.grade import grade
from labkit.grading.gradebook import write_gradebook
from labkit.grading.marks import Mark, Marks, bare, guarded, key_of, read_earlier, read_table
from labkit.grading.people import Works
from labkit.grading.roster import read_csv
from labkit.grading.rows import Beside, Row
from labkit.io.errors import LabkitError

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
RENAMED, MOVED = replace(ROW, file="группа/переименован.html"), replace(ROW, file="другая папка/группа/а.html")
NEW = replace(ROW, sha256="2" * 64, file="группа/а (1).html")
COPY = replace(ROW, file="б/б.html", who="moodle:8")
STRANGER = Row("в.html", "3" * 64, who="moodle:9")
KEY, RENAMED_KEY, MOVED_KEY, NEW_KEY, COPY_KEY = (key_of(r.sha256, r.file) for r in (ROW, RENAMED, MOVED, NEW, COPY))
MARK = Mark("6", "хорошо", 5, "moodle:7", "Анна")
KNOWN, OLDER, OTHER = {KEY: MARK}, {"old x": replace(MARK, at=1)}, {COPY_KEY: replace(MARK, mark="2", who="moodle:8")}


@pytest.mark.parametrize(
    "known, rows, settled",
    [
        (KNOWN, [ROW], Marks(KNOWN)),
        (KNOWN, [RENAMED], Marks({RENAMED_KEY: MARK})),
        (KNOWN, [MOVED], Marks({MOVED_KEY: MARK})),
        # a new file of the student has no mark yet, but shows the latest one, which stays for the next run too
        (KNOWN | OLDER, [NEW], Marks(KNOWN | OLDER, {NEW_KEY: MARK})),
        # a mark goes to no other student of the learning system, whatever became of the first, in whatever order
        (KNOWN, [COPY, RENAMED], Marks({RENAMED_KEY: MARK})),
        (OTHER | KNOWN, [RENAMED], Marks(OTHER | {RENAMED_KEY: MARK}, orphans=OTHER)),
        (KNOWN, [COPY], Marks(KNOWN, orphans=KNOWN)),
        (KNOWN, [STRANGER], Marks(KNOWN, orphans=KNOWN)),
    ],
    ids=["same", "renamed", "moved", "new file", "copy", "the other is gone", "a copy is left", "gone"],
)
def test_marks_go_with_files(known, rows, settled):
    """Each mark is where its file is now, or listed as nobody's, and none is dropped."""
    marks = Marks.settled(known, rows)
    assert marks == settled and marks.record()["marks"].keys() == settled.given.keys()


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


@pytest.mark.parametrize(
    "table, absent",
    [
        ("Студент;Оценка;Комментарий;Файл\nАнна;5;;а.html\n", "sha256"),
        ("Студент;Балл;Файл;sha256\nАнна;5;а.html;ab\n", "Оценка, Комментарий"),
        ("Группа 1;;;;\nСтудент;Оценка;Комментарий;Файл;sha256\nАнна;5;;а.html;ab\n", "Студент, Оценка"),
        ("<html>\n</html>", "Студент, Оценка"),
        (f"Студент;Оценка;Комментарий;Файл;sha256\nАнна;5;{'х' * 200_000};а.html;ab\n", "Студент, Оценка"),
    ],
    ids=["without a column", "another heading", "a title above", "another file", "a cell beyond csv's limit"],
)
def test_a_table_whose_marks_cannot_be_read(tmp_path, table, absent):
    """It is told, with the columns that are missing, and not written over: the marks in it would be lost."""
    (tmp_path / "grades.csv").write_text(table, "utf-8")
    with pytest.raises(LabkitError, match=rf"grades\.csv.*столбцов {absent}"):
        write_gradebook(Works([ROW]), tmp_path)
    assert (tmp_path / "grades.csv").read_text("utf-8") == table


@pytest.mark.parametrize(
    "harm", [lambda page: page[:-100], lambda page: page.decode().encode("utf-16"), lambda page: b"["]
)
def test_a_page_whose_marks_cannot_be_read(tmp_path, harm):
    """One that was cut off or saved by an editor is told before the work, and not written over."""
    (tmp_path / "in" / "grades").mkdir(parents=True)
    (tmp_path / "in" / "а.html").write_text("нет отчёта", "utf-8")
    path, _ = write_gradebook(Works([ROW]), tmp_path / "in" / "grades")
    page = path.read_bytes()
    place = page.index(b"</script>", page.index(b'id="labkit-marks"'))
    path.write_bytes(harmed := harm(page[: place + 100]))
    with pytest.raises(LabkitError, match=r"grades\.html не прочесть"):
        grade(tmp_path / "in")
    assert path.read_bytes() == harmed


@pytest.mark.parametrize(
    "table, marks",
    [
        ("", {}),
        ("Student ;Mark;Comment;File;sha256 \n\n;;;;\nАнна;5;;а.html;ab\n", {"ab а.html": "5"}),
        ("Студент;Оценка;Комментарий;Файл;sha256\nАнна;5\nОлег;4;да\n", {" Анна": "5", " Олег": "4"}),
    ],
    ids=["empty", "spaces and empty rows", "short rows"],
)
def test_odd_tables(tmp_path, table, marks):
    """What can be read is read; a row that says no file keeps its mark by the name."""
    (tmp_path / "grades.csv").write_text(table, "utf-8")
    assert {key: one.mark for key, one in read_table(tmp_path / "grades.csv").items()} == marks


def test_many_files_beside_a_report(tmp_path):
    """The table names the first of them: it stays one that csv and Excel read."""
    beside = [Beside(f"фото/{n:03}.jpg", "х" * 100) for n in range(2000)]
    _, table = write_gradebook(Works([replace(ROW, beside=beside)]), tmp_path)
    cells = [cell for row in read_csv(table.read_bytes()) for cell in row]
    assert max(map(len, cells)) < 32_768
