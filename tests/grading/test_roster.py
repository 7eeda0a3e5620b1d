"""A learning system's table: who is in it, who is absent, and the same table back with marks."""

import csv
import io

import pytest

from labkit.grading import gradebook
from labkit.grading.marks import Mark, Marks, key_of
from labkit.grading.people import Works
from labkit.grading.roster import read_roster
from labkit.grading.rows import Row
from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.report.checks import Check

MOODLE = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments,Group,Variant\n"
    'Participant 512,Иванов Пётр,p@x.ru,Submitted,,10.00,Yes,"Friday, 20 March 2026, 11:59 PM",-,,С-101,3\n'
    "Participant 513,Ким Анна,a@x.ru,Submitted,,10.00,Yes,-,-,,С-101,1\n"
    "Participant 514,Ли Ян,l@x.ru,No submission,,10.00,Yes,-,-,,С-102,2\n"
)
CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Лаба 3 (991)\n"
    "    Points Possible,,,,,10\n"
    '"Ivanov, Petr",4711,,petr,С-101,\n'
    '"Kim, Anna",4712,,anna,С-101,7\n'
)


@pytest.fixture
def roster(tmp_path):
    """A roster of some text."""

    def made(content: str, encoding: str = "utf-8"):
        path = tmp_path / "список.csv"
        path.write_bytes(content.encode(encoding))
        return read_roster(path)

    return made


def row(who: str = "", name: str = "", **more) -> Row:
    """A student's work."""
    return Row(f"{who or name}.html", "1" * 64, who=who, id=who.partition(":")[2], name=name, **more)


def test_moodle(roster):
    """Its worksheet gives numbers, names, groups, assigned variants and when a work came."""
    found = roster(MOODLE)
    assert found.system == "moodle" and [one.id for one in found.students] == ["512", "513", "514"]
    first = found.students[0]
    assert (first.name, first.email, first.group, first.variant) == ("Иванов Пётр", "p@x.ru", "С-101", 3)
    assert first.at.startswith("Friday") and found.head[found.mark] == "Grade"


@pytest.mark.parametrize("more", [[""] * 4, [",Current Score,Final Grade", ",(read only),(read only)", ",,", ",,"]])
def test_canvas(roster, more):
    """Its gradebook gives numbers and names; the line of maximal points is no student, and its sums take no marks."""
    found = roster("\n".join(map("".join, zip(CANVAS.splitlines(), more, strict=True))))
    assert found.system == "canvas" and [one.name for one in found.students] == ["Ivanov, Petr", "Kim, Anna"]
    assert found.head[found.mark] == "Лаба 3 (991)" and found.feedback == -1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1251", "cp866"])
@pytest.mark.parametrize(
    "table",
    [
        "Идентификатор;Полное имя;Оценка\nУчастник 7;Ли Ян;\n",
        "оценка;ПОЛНОЕ  ИМЯ;Примечание;Идентификатор\n;Ли Ян;;Участник 7\n",
        "sep=;\r\nОценка;Полное имя;Идентификатор\r\n;Ли Ян;Участник 7\r\n",
        "Вариант\tИдентификатор\tПолное имя\tОценка\n3\tУчастник 7\tЛи Ян\t\n",
        'Идентификатор,ФИО,Последнее изменение (отправка),Оценка\nУчастник7,Ли Ян,"пятница, 20 марта 2026, 23:59",\n',
        'Студент,ID,Раздел,Оценка (17)\n"Points Possible",,,10\nЛи Ян,7,С-101,\n"Student, Test",9,С-101,\n',
    ],
    ids=["plain", "other order and case", "Excel's first line", "tabs", "other words", "Canvas"],
)
def test_russian_headings(roster, table, encoding):
    """In whatever order, case and encoding, also without a byte-order mark."""
    found = roster(table, encoding)
    assert [(one.id, one.name) for one in found.students] == [("7", "Ли Ян")] and "ценка" in found.head[found.mark]


def test_a_student_in_two_lines(roster):
    """Who stands in the table twice, under one number, has handed in on both lines."""
    found = roster("Identifier,Full name,Grade,Group\nParticipant 7,Ли Ян,,А\nParticipant 7,Ли Ян,,Б\n")
    works = [row("moodle:7", "Ли Ян")]
    assert found.places(works) == {0: 0, 1: 0} and not found.absent(works)


def test_hidden_names(roster):
    """Where Moodle hides them its worksheet has none: works are found by their numbers."""
    found = roster("Identifier,Status,Grade,Feedback comments\nParticipant 7,,,\nParticipant 8,,,\n")
    assert found.system == "moodle" and found.places([row("moodle:7", "Участник")]) == {0: 0}
    assert [one.name for one in found.absent([row("moodle:7", "Участник")])] == ["Participant 8"]


ASSIGNED = {"вариант 3": 3, "№ 4": 4, "unet": 2, "Mask-RCNN": 6, **dict.fromkeys(["U-Net", "13", "2 или 5", ""])}


@pytest.mark.parametrize("cell, variant", ASSIGNED.items())
def test_assigned_variants(roster, cell, variant):
    """A number or a name; what is none, or says two, assigns nothing."""
    (student,) = roster(f"Identifier,Full name,Grade,Variant\nParticipant 1,Ли Ян,,{cell}\n").students
    assert student.variant == variant


@pytest.mark.parametrize(
    "content", ["", "PK\3\4\0\0\x1b[31m", "a,b\n1,2\n", "Student,ID\nx,1\n", CANVAS.replace("Лаба 3 (991)", "А,Б")]
)
def test_other_tables(roster, content):
    """What is neither is refused in one line, and so is a gradebook that does not say which column to fill in."""
    with pytest.raises(LabkitError) as error:
        roster(content)
    assert "список.csv" in str(error.value) and str(error.value).isprintable()


def test_who_is_absent_and_who_did_another_variant(roster):
    """By number, or by name where no folder gives numbers; a stranger is told."""
    found = roster(MOODLE)
    ivanov, kim = row("moodle:512", "Иванов Пётр", variant=4), Row("б.html", student="анна ким", variant=1)
    rows = found.checked([ivanov, kim, row(name="Чужой")])
    told = [text("roster.variant", assigned=3, done=4)], [], [text("roster.unknown")]
    assert tuple([remark.text for remark in one.remarks] for one in rows) == told
    assert (rows[1].name, rows[1].id, rows[1].group) == ("Ким Анна", "513", "С-101")
    assert [one.name for one in found.absent(rows)] == ["Ли Ян"]


@pytest.mark.parametrize("said", ["Пётр Иванов", "иванов  петр сергеевич", "Иванов", "Пётр"])
def test_names(roster, said):
    """In whatever order and with a patronymic or not, but a single word is nobody's name, nor one that two have."""
    whose = {0: 0} if " " in said else {}
    assert roster(MOODLE).places([Row("а.html", student=said)]) == whose
    assert roster(MOODLE.replace("Иванов Пётр", "Иванов Пётр Сергеевич")).places([Row("а.html", student=said)]) == whose
    assert roster(MOODLE.replace("Ким Анна", "Иванов Пётр")).places([Row("а.html", student=said)]) == {}


@pytest.mark.parametrize(
    "listed, said, same",
    [
        ("Иванов Пётр Сергеевич", "Иванов П.С.", True),
        ("Пётр Иванов", "П. С. Иванов", True),
        ("Иванов П.", "Иванов Пётр Сергеевич", True),
        ("Иванов Семён", "Иванов П.С.", False),
        ("Иванов Пётр Андреевич", "Иванов П.С.", False),
        ("Сидоров Пётр", "Иванов П.", False),
        ("Щербаков Дмитрий Юрьевич", "Dmitry Shcherbakov", True),
        ("Хохлов Алексей", "Khokhlov Alexey", True),
        ("Julia Fyodorova", "Фёдорова Юлия", True),
        ("Иванова Алина", "Ivanova Arina", False),
        ("Иванов Пётр", "Ivanova Petra", False),
    ],
)
def test_names_are_written_in_many_ways(roster, listed, said, same):
    """With initials, or in Latin letters however they are spelled; another student's name is another name."""
    found, rows = roster(MOODLE.replace("Иванов Пётр", listed)), [Row("а.html", student=said)]
    assert found.places(rows) == ({0: 0} if same else {})
    assert len(found.absent(rows)) == (2 if same else 3)


def test_what_a_report_says_of_itself_takes_nobody_s_line(roster):
    """A file that names a student is not his where the learning system has his own, or where two files name him."""
    found = roster(MOODLE)
    own, stranger = row("moodle:512", "Иванов Пётр"), Row("б.html", student="Пётр Иванов")
    assert found.places([stranger, own]) == {0: 1} and found.places([stranger]) == {0: 0}
    assert found.places([stranger, Row("в.html", student="Иванов Пётр")]) == {}
    assert [one.text for one in found.checked([stranger, own])[0].remarks] == [text("roster.several")]


def test_several_of_one_name(roster):
    """Whose each is nobody can say, but all of them are in the table, and absent is who has no work at all."""
    twice, namesakes = roster(MOODLE), roster(MOODLE.replace("Ким Анна", "Иванов Пётр"))
    one, other = Row("1.html", student="Иванов Пётр"), Row("2.html", student="Иванов П.")
    for found, rows, absent in (
        (twice, [one, other], ["Ким Анна", "Ли Ян"]),
        (namesakes, [one, other], ["Ли Ян"]),
        (namesakes, [one], ["Иванов Пётр", "Иванов Пётр", "Ли Ян"]),
    ):
        told = [[remark.text for remark in row.remarks] for row in found.checked(rows)]
        assert told == [[text("roster.several")]] * len(rows)
        assert [student.name for student in found.absent(rows)] == absent


@pytest.mark.parametrize("table, system, first", [(MOODLE, "moodle", 512), (CANVAS, "canvas", 4711)])
def test_the_same_table_back(roster, tmp_path, table, system, first):
    """Filled in, it has the system's own columns and lines; what got no mark stays as it was."""
    found = roster(table)
    failed = Check("photos", False, "мало")
    rows = found.checked([row(f"{system}:{first}", checks=(failed,)), row(f"{system}:{first + 1}")])
    out = tmp_path / "grades"
    out.mkdir()
    marks = Marks({key_of(rows[0].sha256, rows[0].file): Mark("8.5", "=хорошо", 1.0)}).record()
    block = f'<script type="application/json" id="labkit-marks">{gradebook.script_json(marks)}</script>'
    (out / "grades.html").write_text(block, "utf-8")
    gradebook.write_gradebook(Works(rows), out, found)
    filled = list(csv.reader(io.StringIO((out / f"grades_{system}.csv").read_text("utf-8-sig"))))
    before = list(csv.reader(io.StringIO(table)))
    line = next(cells for cells in before if str(first) in " ".join(cells))
    line[found.mark] = "8.5"
    if found.feedback >= 0:
        line[found.feedback] = "'=хорошо"
    assert filled == before
    (feedback,) = (out / "feedback").rglob("feedback.html")
    assert "8,5" in feedback.read_text("utf-8") and "мало" in feedback.read_text("utf-8")
    if system == "moodle":
        assert feedback.parent.name == "Иванов Пётр_512_assignsubmission_file_"
