"""A whole course: forty mixed files as Moodle gives them, graded with a roster and points, and looked at."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import nbformat
import pytest
from handed_in import OTHER, edited, hostile, notebook_of, page_of, resealed, sample, zip_of  # noqa: F401

from labkit.grading.grade import grade
from labkit.grading.kept import KEPT
from labkit.grading.submissions import find_sources, members
from labkit.locale import text

MOODLE = "{} {}_{}_assignsubmission_file_/{}"
NAMES = [("Иванова", "Анна"), ("Петров", "Олег"), ("Сидорова", "Вера"), ("Ким", "Ян"), ("Ли", "Анна"), ("Оя", "Пеэтер")]
NAMES += [("Ёлкин", "Пётр"), ("Гусев", "Илья"), ("Щукина", "Яна"), ("Пустов", "Ян"), ("Тихая", "Ольга")]


def lay(folder: Path, pages: dict[str, str], sample) -> None:  # noqa: F811
    """The files of the course."""
    good, other = pages["good"].encode(), pages["other"].encode()
    mine = resealed(pages["other"], lambda data: data.update(student="Ким Ян")).encode()
    files: dict[str, bytes] = {}

    def put(n: int, name: str, content: bytes) -> None:
        files[MOODLE.format(*NAMES[n], 500 + n, name)] = content

    put(0, "отчёт.html", good)
    put(0, "отчёт (1).html", good)
    put(0, "отчёт.ipynb", nbformat.writes(sample.notebook).encode())
    put(0, "фото/моё 1.jpg", b"\xff\xd8")
    put(1, "лаба.html", other)
    put(2, "variant_3_fcn.html", good)  # byte for byte Anna Ivanova's
    put(3, "всё.zip", zip_of({"отчёт/отчёт.html": mine, "отчёт/фото.jpg": b"\xff\xd8"}))
    put(4, "отчёт.rtf", b"{\\rtf1}")
    put(4, "отчёт.html.txt", good)
    put(5, "отчёт.html", edited(pages["other"], lambda d: d.update(student="Оя Пеэтер", group="С-102")).encode())
    put(6, "мусор.zip", zip_of({"1.html": b"<p>", "2.bin": b"1", "3": b"", "4.zip": b"PK"}))
    put(7, "отчёт", good)
    put(8, "отчёт.webarchive", b"bplist")
    for name, (made, _) in list(hostile(pages["good"]).items())[:24]:
        files[f"вне папок/{name}"] = made
    files["список.csv"] = b"a;b"
    files["объявление.docx"] = b"PK"
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / MOODLE.format(*NAMES[9], 509, "")).mkdir()
    assert len(files) + 1 == 40


def roster() -> str:
    """Moodle's worksheet of eleven students, one of whom has handed in nothing."""
    head = "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    head += "Last modified (submission),Last modified (grade),Feedback comments,Group,Variant\n"
    when = '"Friday, 20 March 2026, 11:00 PM"'
    lines = [
        f"Participant {500 + n},{last} {first},{n}@x.ru,Submitted,,10.00,Yes,{when},-,,С-101,{1 if n == 1 else 3}\n"
        for n, (last, first) in enumerate(NAMES)
    ]
    return head + "".join(lines)


RUBRIC = """maximum = 10
deadline = 2026-03-20T12:00:00
late = 0.5
[checks]
variant = 1
photos = 2
results = 2
objects = 2
[questions]
all = 3
"""


@pytest.fixture(scope="module")
def course(sample, tmp_path_factory):  # noqa: F811
    """The folder, graded: its rows by number or file, and where the table is."""
    folder = tmp_path_factory.mktemp("лаба 3")
    theirs = notebook_of(sample.other_photos, sample.other_results, "Петров Олег", 3, OTHER, " ".join(OTHER.values()))
    lay(folder, {"good": sample.page, "other": page_of(theirs)}, sample)
    (folder.parent / "список.csv").write_text(roster(), "utf-8")
    (folder.parent / "баллы.toml").write_text(RUBRIC, "utf-8")
    options = {"roster": folder.parent / "список.csv", "rubric": folder.parent / "баллы.toml", "wanted": 2}
    rows = grade(folder, **options)
    return {row.id or row.file: row for row in rows}, folder / "grades", folder, options


def kinds(row) -> set[str]:
    """What there is to say of a row."""
    return {remark.kind for remark in row.remarks}


def test_each_student_is_a_row(course):
    """With the learning system's name and number; what he has handed in besides is named in it."""
    rows = course[0]
    assert {number: rows[number].name for number in map(str, range(500, 510))} == {
        str(500 + n): " ".join(name) for n, name in enumerate(NAMES[:10])
    }
    anna = rows["500"]
    assert anna.problem is None and anna.iou >= 0.98 and len(anna.beside) == 3
    assert rows["504"].problem and rows["506"].problem and rows["509"].problem == text("submission.empty_folder")
    assert len(rows["506"].beside) == 3 and rows["503"].problem is None


def test_what_each_is_told(course):
    """A copy is a copy on both rows, an edited report is edited, another name and another variant are said."""
    rows = course[0]
    assert {"same_file", "person"} <= kinds(rows["502"]) and "same_file" in kinds(rows["500"])
    assert "edited" in kinds(rows["505"]) and "edited" not in kinds(rows["500"])
    assert text("roster.variant", assigned=1, done=3) in [remark.text for remark in rows["501"].remarks]
    assert "same_photos" in kinds(rows["503"]) and rows["500"].suggestion == "9.5"


def test_everything_is_accounted_for(course):
    """Each file of the folder, and each member of a zip, has a row or a line."""
    rows, out, folder, _ = course
    data = json.loads((out / "grades.html").read_text("utf-8").split('id="labkit-rows">')[1].split("</script>")[0])
    named = {row["file"] for row in data["rows"]} | {one[0] for row in data["rows"] for one in row["beside"]}
    named |= {one[0] for one in data["beside"]}
    for source in find_sources(folder):
        inside = [source.file, *(one.file for one in (members(source) if source.zip else ()))]
        assert any(file in named for file in inside) and (len(inside) == 1 or set(inside[1:]) <= named), source.file
    assert [one[0] for one in data["absent"]] == ["Тихая Ольга"] and len(rows) == len(data["rows"])


def test_what_goes_back_to_moodle(course):
    """The same columns and lines, marks still empty."""
    filled = (course[1] / "grades_moodle.csv").read_text("utf-8-sig")
    assert list(csv.reader(io.StringIO(filled))) == list(csv.reader(io.StringIO(roster())))


def test_two_graders_in_one_folder(course, monkeypatch):
    """What one has written the other one finds, and no half of a file lies about."""
    out = course[1]
    before = (out / "grades.html").read_bytes()
    assert not list(out.rglob("*.part")) and (out / KEPT / "lock").exists()
    import filelock

    with filelock.FileLock(out / KEPT / "lock"):
        assert (out / "grades.html").read_bytes() == before


def opened(open_page, course, name="grades.html"):
    """The table in a browser, from its own folder."""
    page = open_page("<!doctype html><title>x</title>")
    page.goto((course[1] / name).as_uri())
    page.wait_for_selector("tbody")
    page.wait_for_function("() => document.querySelector('.state').textContent !== ''")
    return page


def field(page, number: str):
    """The mark of the student of a number."""
    return page.locator(f"tbody:has(th [title*='_{number}_']) td.mark input")


@pytest.mark.parametrize("locale", ["ru-RU", "en-US"])
def test_a_mark_with_a_comma(open_page, course, locale, chromium):
    """8,5 is 8.5 in whatever browser, on the page and in both tables."""
    page = chromium.new_page(locale=locale)
    page.goto((course[1] / "grades.html").as_uri())
    page.wait_for_selector("tbody")
    mark = field(page, "500")
    mark.fill("")
    mark.press_sequentially("8,5")
    assert mark.input_value() == "8,5"
    for button, cell in (("save_csv", ";8,5;"), ("save_moodle", ",8.5,")):
        with page.expect_download() as download:
            page.get_by_role("button", name=text(f"gradebook.{button}")).click()
        assert cell in Path(download.value.path()).read_text("utf-8-sig")
    page.close()


def test_what_is_no_number_is_refused_in_sight(open_page, course):
    """It stays in the field, is said, and the mark before it stays too."""
    page = opened(open_page, course)
    mark = page.locator("#row-1 td.mark input")
    mark.fill("7")
    mark.fill("зачёт")
    assert mark.input_value() == "зачёт" and mark.get_attribute("aria-invalid") is not None
    assert "зачёт" in page.locator("#row-1 .wrong").inner_text() and "Не числа" in page.locator(".state").inner_text()
    with page.expect_download() as download:
        page.get_by_role("button", name=text("gradebook.save_page")).click()
    assert '"mark":"7"' in Path(download.value.path()).read_text("utf-8")


def test_suggestions_are_taken_or_not(open_page, course):
    """One by one or all at once, and never over a mark."""
    page = opened(open_page, course)
    page.locator("#row-0 td.mark input").fill("3")
    page.get_by_role("button", name=text("gradebook.accept")).click()
    assert page.locator("#row-0 td.mark input").input_value() == "3"
    values = page.locator("td.mark input").evaluate_all("(found) => found.map((one) => one.value).filter(Boolean)")
    assert len(values) == sum(bool(row.suggestion) for row in course[0].values()) and "9,5" in values


def test_the_next_run(open_page, course, sample):  # noqa: F811
    """Marks stay with a renamed folder; a new report says what the old one had; whose work is gone is listed."""
    page = opened(open_page, course)
    type_all = "(all) => all.forEach((one, n) => { one.value = n % 9; one.dispatchEvent(new Event('input')) })"
    page.locator("tbody td.mark input").evaluate_all(type_all)
    with page.expect_download() as download:
        page.get_by_role("button", name=text("gradebook.save_page")).click()
    rows, out, folder, options = course
    given = {number: n % 9 for n, number in enumerate(rows)}
    (out / "grades.html").write_bytes(Path(download.value.path()).read_bytes())
    moved = folder / "группа 1"
    moved.mkdir()
    for path in list(folder.glob("*_assignsubmission_file_")):
        path.rename(moved / path.name)
    new = resealed(sample.page, lambda data: data.update(conclusions=data["conclusions"] + " Добавлено."))
    (moved / MOODLE.format(*NAMES[1], 501, "лаба.html")).write_text(new, "utf-8")
    (folder / "вне папок" / "разметка.html").unlink()
    again = {row.id: row for row in grade(folder, recompute=False, **options) if row.id}
    assert again.keys() >= {"500", "501"}
    page = opened(open_page, course)
    assert field(page, "500").input_value() == str(given["500"]) and field(page, "502").input_value() == str(
        given["502"]
    )
    assert field(page, "501").input_value() == ""
    cell = field(page, "501").locator("..")
    assert text("gradebook.earlier", mark=given["501"]) in cell.inner_text()
    assert "разметка.html" in page.locator("details.orphans").inner_html()
    feedback = out / "feedback" / MOODLE.format(*NAMES[0], 500, "feedback.html")
    assert f"<strong>{given['500']}</strong>" in feedback.read_text("utf-8")


def test_names_are_hidden_until_marks_are_saved(open_page, course):
    """No name, file or group is on the page before; after that all of them."""
    grade(course[2], recompute=False, anonymous=True, out=course[1].parent / "grades" / "тайно", **course[3])
    page = opened(open_page, course, "тайно/grades.html")
    shown = page.locator("main").inner_text()
    assert not [name for last, _ in NAMES if (name := last) in shown] and "assignsubmission" not in shown
    reveal = page.get_by_role("button", name=text("gradebook.reveal"), exact=True)
    assert reveal.is_disabled()
    page.locator("#row-0 td.mark input").fill("5")
    assert reveal.is_disabled()
    with page.expect_download():
        page.get_by_role("button", name=text("gradebook.save_page")).click()
    reveal.click()
    assert "Иванова Анна" in page.locator("main").inner_text()
    assert page.locator("#row-0 td.mark input").input_value() == "5"


def test_a_page_that_is_opened_reaches_no_marks(open_page, course):
    """A student's page runs in a frame without an origin: what the browser keeps for the table is out of its reach."""
    out = course[1]
    page = opened(open_page, course)
    page.evaluate("() => localStorage.setItem('labkit-x', 'mine')")
    script = "try { localStorage.clear(); parent.document.title = 'попался' } catch (e) { document.title = e.name }"
    (out / "handed" / "злой отчёт.html").write_text(f"<h1>отчёт</h1><script>{script}</script>", "utf-8")
    page.goto(f"{(out / 'open.html').as_uri()}#handed/%D0%B7%D0%BB%D0%BE%D0%B9%20%D0%BE%D1%82%D1%87%D1%91%D1%82.html")
    frame = page.frame_locator("iframe")
    assert frame.locator("h1").inner_text() == "отчёт" and "попался" not in page.title()
    page.goto((out / "grades.html").as_uri())
    assert page.evaluate("() => localStorage.getItem('labkit-x')") == "mine"


@pytest.mark.parametrize(
    "address", ["javascript:document.title='попался'", "https://example.org/", "//x/y", "/etc/passwd"]
)
def test_only_files_beside_the_table_are_opened(open_page, course, address):
    """The frame takes no other address."""
    page = open_page("<!doctype html><title>x</title>")
    page.goto(f"{(course[1] / 'open.html').as_uri()}#{address}")
    assert not page.locator("iframe").get_attribute("src") and "попался" not in page.title()
