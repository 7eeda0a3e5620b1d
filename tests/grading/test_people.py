"""Whose a file is: the layouts of learning systems, one row a student, nothing left out."""

from pathlib import Path

import pytest

from labkit.grading.people import named, person_of, stem_of, works
from labkit.grading.rows import Remark, Row
from labkit.grading.sources import Source
from labkit.locale import text
from labkit.report.checks import Check


@pytest.mark.parametrize(
    "file, expected",
    [
        ("курс/Иванов Пётр_512_assignsubmission_file_/отчёт.html", ("moodle", "512", "Иванов Пётр")),
        ("курс/Иванов Пётр_512_assignsubmission_file/папка/отчёт.html", ("moodle", "512", "Иванов Пётр")),
        ("курс/Иванов Пётр_512_assignsubmission_file_отчёт.html", ("moodle", "512", "Иванов Пётр")),
        ("Participant 3_77_assignsubmission_onlinetext_/onlinetext.html", ("moodle", "77", "Participant 3")),
        ("курс/архив.zip/О_Хара Анна_9_assignsubmission_file_/а.ipynb", ("moodle", "9", "О_Хара Анна")),
        ("курс/ivanovpetr_4711_900123_variant_3.html", ("canvas", "4711", "ivanovpetr")),
        ("курс/ivanovpetr_LATE_4711_900123_variant_3-1.html", ("canvas", "4711", "ivanovpetr")),
        ("lab-3-submissions/lab-3-octocat/отчёт.html", ("github", "octocat", "octocat")),
        ("курс/ivanovpetr_late_4711_900123_а.html", ("canvas", "4711", "ivanovpetr")),
        ("Ким-О’Нил Анна Ильинична_12_assignsubmission_file_/а.html", ("moodle", "12", "Ким-О’Нил Анна Ильинична")),
        ("курс/иванов-петров_late_4711_900123_а.html", ("canvas", "4711", "иванов-петров")),
        ("курс/o'connoranna_4711_900123_а.html", ("canvas", "4711", "o'connoranna")),
        ("lab-3-03-20-2026-10-20-30/lab-3-octo-cat/о.html", ("github", "octo-cat", "octo-cat")),
        ("Ли Ян_7_assignsubmission_file_/а.zip/Ким Анна_8_assignsubmission_file_/а.html", ("moodle", "7", "Ли Ян")),
        ("курс/liyan_4711_900123_а.zip/kimanna_4712_900124_а.html", ("canvas", "4711", "liyan")),
        ("lab-3-submissions/lab-3-octocat/kimanna_4712_900124_а.html", ("github", "octocat", "octocat")),
        ("курс/variant_3_12_34.html", None),
        ("курс/lab-3_12_34_а.html", None),
        ("курс/report_1_2_3.html", None),
        ("курс/отчёт_12_2026_3.html", None),
        ("курс/ivanovpetr2_4711_900123_а.html", ("canvas", "4711", "ivanovpetr2")),
        ("курс/ivanovpetr_4711_text.html", ("canvas", "4711", "ivanovpetr")),
        ("С-101-Иванов Пётр 2_7_assignsubmission_file_/а.html", ("moodle", "7", "С-101-Иванов Пётр 2")),
        ("Ли Ян_7_assignsubmission_onlinetext.html", ("moodle", "7", "Ли Ян")),
        ("курс/отчёт_2026_03_12.html", None),
        ("lab-3-submissions/README.md", None),
        ("курс/variant_3_fcn.html", None),
        ("курс/Иванов Пётр/отчёт.html", None),
        ("курс/Иванов_3_file/отчёт.html", None),
    ],
)
def test_learning_systems(file, expected):
    """Moodle's folders and files, Canvas's files and GitHub Classroom's folders name a student; other names do not."""
    person = person_of(file)
    assert (person and (person.system, person.id, person.name)) == expected
    assert bool(person and person.late) == ("LATE" in file.upper())


@pytest.mark.parametrize("name", ["отчёт (1).html", "отчёт.ipynb", "отчёт - копия.html", "отчёт (2) (1).html", "отчёт"])
def test_second_copies(name):
    """What a browser or a file manager adds to a name is no part of it."""
    assert stem_of(f"а/{name}") == "а/отчёт" and stem_of("а/отчёт-1.html") == "а/отчёт-1"


def folder(files: dict[str, Row | str]):
    """The works of a folder: what each file was read as, or why it was not."""
    rows = [row if isinstance(row, Row) else Row(file, problem=row) for file, row in files.items()]
    sources = []
    for file, row in zip(files, rows, strict=True):
        place, inside, _ = file.partition(".zip/")
        sources.append(Source(file, Path(place + ".zip" if inside else file), (0,) if inside else (), row.problem))
    return works("курс", sources, rows)


def read(file: str, student: str = "Анна Ким", **more) -> Row:
    """A file that was read."""
    return Row(file, **{"sha256": file, "student": student, "checks": (Check("photos", True, ""),), **more})


def test_one_student_is_one_row():
    """His page, its second copy, his notebook and his photos; the page is the row, the others are named in it."""
    names = ["а.html", "а (1).html", "а.ipynb", "фото.jpg", "а.html.txt"]
    files = {f"Ким Анна_5_assignsubmission_file_/{name}": None for name in names}
    made = {f: read(f, sha256="1" if "html" in f else "2") for f in list(files)[:3]}
    done = folder({**made, **dict.fromkeys(list(files)[3:], "не отчёт")})
    (row,) = done.rows
    assert row.file.endswith("/а.html") and (row.who, row.id, row.name) == ("moodle:5", "5", "Ким Анна")
    told = {one.file.rpartition("/")[2]: one.why for one in row.beside}
    assert told == {
        "а (1).html": text("people.same_bytes"),
        "а.ipynb": text("people.same_data"),
        "фото.jpg": "не отчёт",
        "а.html.txt": "не отчёт",
    }
    assert not done.beside and row.remarks == ()


def test_of_two_reports_the_later_one():
    """A student's new report is the row, and the old one says what it had."""
    old, new = read("а.html", date="2026-03-01T10:00"), read("а (1).html", date="2026-03-02T10:00", conclusions="да")
    (row,) = folder({"а.html": old, "а (1).html": new}).rows
    assert row.file == "а (1).html"
    assert row.beside[0].why == text("people.other_data", date="2026-03-01 10:00", passed=1, count=1)


def test_what_cannot_be_read_may_be_another_student_s():
    """A numbered page out of another letter has its own row; a notebook of the same name has none."""
    files = {"о.html": read("о.html"), "о.ipynb": "не выполнена", "о (1).html": "оборван", "о (1).jpg": "фото"}
    first, second = folder(files).rows
    assert (first.student, [one.file for one in first.beside]) == ("Анна Ким", ["о (1).jpg", "о.ipynb"])
    assert (second.file, second.problem) == ("о (1).html", "оборван")
    place = "Ким Анна_5_assignsubmission_file_/"
    own = {place + name: read(place + name) if isinstance(made, Row) else made for name, made in files.items()}
    (row,) = folder(own).rows
    assert len(row.beside) == 3


@pytest.mark.parametrize("files", [("о.html", "о.ipynb"), ("Анна/lab_3_1234_fcn.html", "Илья/lab_3_1234_fcn.html")])
def test_reports_of_two_students(files):
    """They are two rows, in files of one name or called as Canvas's, which in Canvas's own zip are of one student."""
    done = folder({file: read(file, student) for file, student in zip(files, ("Анна", "Илья"), strict=True)})
    assert [(row.student, row.id) for row in done.rows] == [("Анна", ""), ("Илья", "")]
    assert len(folder({file: read(file) for file in files}).rows) == 1


@pytest.mark.parametrize("group", ["", "С-101"])
def test_reports_without_a_name(group):
    """Out of several letters they are several students', though a browser has numbered them; the same is one's."""
    names = ["о.html", "о.ipynb", "о (1).html", "о (1).ipynb", "о (2).html"]
    rows = folder({n: read(n, "", group=group, conclusions=n.rpartition(".")[0]) for n in names}).rows
    whose = {row.file: [one.file for one in row.beside] for row in rows}
    assert whose == {"о.html": ["о.ipynb"], "о (1).html": ["о (1).ipynb"], "о (2).html": []}
    assert len({row.who for row in rows}) == 3
    assert len(folder({name: read(name, "", group=group, sha256="1") for name in names}).rows) == 1


@pytest.mark.parametrize(
    "name, student, other",
    [
        ("Петров Олег", "Анна Ким", True),
        ("petrovoleg", "Иванова Анна", True),
        ("Дмитриев Алексей", "Кузнецов Андрей", True),
        ("Ivanov, Petr", "Сидорова Ольга", True),
        ("Петров Олег Ильич", "олег  ПЕТРОВ", False),
        ("Ёлкин Пётр", "Елкин Петр", False),
        ("ivanovpetr", "Иванов Пётр", False),
        ("Ivanov, Petr", "Пётр Иванов", False),
        ("Юлия Щукина", "Yuliya Schukina", False),
        ("Lee, Yan", "Ли Ян", False),
        ("Иванова Анна", "Иванова А. С.", False),
        ("Петров Олег", "Пeтpoв Олег", False),
        ("Участник", "Ким Анна", False),
        ("Participant 7", "Ким Анна", False),
        ("octocat", "Ким Анна", False),
        ("Петров Олег", "", False),
    ],
)
def test_another_name_in_the_report(name, student, other):
    """A report that names somebody else than the learning system does is told."""
    row = named(read("а.html", student, name=name, who=f"{'github' if name == 'octocat' else 'canvas'}:{name}"))
    told = Remark("person", text("people.other_name", student=student, name=name))
    assert row.remarks == ((told,) if other else ())


def test_what_lies_beside():
    """A folder or zip of photos only is a row in its place; photos beside a report in a zip, or a list, are lines."""
    files = ["Ли Ян_8_assignsubmission_file_/а.jpg", "Ян Ли_9_assignsubmission_file_/а.html.txt"]
    files += ["список.csv", "хороший.zip/фото.jpg"]
    good = {"хороший.zip/а.html": read("хороший.zip/а.html")}
    done = folder({**dict.fromkeys(files, "не отчёт"), **good, "я.zip/фото.jpg": "не отчёт"})
    problems = [("Ли Ян", text("submission.no_report")), ("Ян Ли", "не отчёт")]  # one was meant as a report
    problems += [("", None), ("", text("submission.nothing"))]
    assert [(row.name, row.problem) for row in done.rows] == problems
    assert [one.file for one in done.beside] == files[2:]
