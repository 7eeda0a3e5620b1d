"""A whole course: fifty mixed files as Moodle gives them, graded with a roster and points, and looked at."""

import hashlib
import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from annotated import put
from book import ready, saved
from handed_in import CONCLUSIONS, OTHER, edited, hostile, notebook_of, page_of, resealed, zip_of

from labkit.grading import workers
from labkit.grading.grade import grade
from labkit.grading.kept import KEPT
from labkit.grading.rows import MIN_IOU
from labkit.grading.sources import find_sources, members
from labkit.locale import text, texts

MOODLE = "{} {}_{}_assignsubmission_file_/{}"
NAMES = [("Иванова", "Анна"), ("Петров", "Олег"), ("Сидорова", "Вера"), ("Ким", "Ян"), ("Ли", "Анна"), ("Оя", "Пеэтер")]
NAMES += [("Ёлкин", "Пётр"), ("Гусев", "Илья"), ("Щукина", "Яна"), ("Пустов", "Ян"), ("Тихая", "Ольга")]


def lay(folder: Path, sample) -> None:
    """The files of the course."""
    theirs = notebook_of(sample.other_photos, sample.other_results, "Петров Олег", 3, OTHER, " ".join(OTHER.values()))
    good, other = sample.page.encode(), page_of(theirs)
    mine = resealed(other, lambda data: data.update(student="Ким Ян")).encode()
    works: list[dict[str, bytes]] = [
        {"отчёт.html": good, "отчёт (1).html": good, "фото/моё 1.jpg": b"\xff\xd8"},
        {"лаба.html": other.encode()},
        {"variant_3_fcn.html": good},  # byte for byte Anna Ivanova's
        {"всё.zip": zip_of({"отчёт/отчёт.html": mine, "отчёт/фото.jpg": b"\xff\xd8"}, "cp866")},
        {"отчёт.rtf": b"{\\rtf1}", "отчёт.html.txt": good},
        {"отчёт.html": edited(other, lambda data: data.update(student="Оя Пеэтер", group="С-102")).encode()},
        {"мусор.zip": zip_of({"1.html": b"<p>", "2.bin": b"1", "3": b"", "4.zip": b"PK"})},
        {"отчёт": good},
        {"отчёт.webarchive": b"bplist"},
    ]
    works[0]["отчёт.ipynb"] = nbformat.writes(sample.notebook).encode()
    files = {MOODLE.format(*NAMES[n], 500 + n, name): one for n, own in enumerate(works) for name, one in own.items()}
    files |= {f"вне папок/{name}": made for name, (made, _) in hostile(sample.page).items()}
    files |= {"список.csv": b"a;b", "объявление.docx": b"PK"}
    put(folder, files)
    (folder / MOODLE.format(*NAMES[9], 509, "")).mkdir()
    assert len(files) >= 40


ROSTER = "Identifier,Full name,Email address,Grade,Last modified (submission),Feedback comments,Group,Variant\n"
ROSTER += "".join(  # of eleven students, one of whom has handed in nothing
    f'Participant {500 + n},{" ".join(name)},{n}@x.ru,,"Friday, 20 March 2026, 11:00 PM",,С-101,{1 if n == 1 else 3}\n'
    for n, name in enumerate(NAMES)
)
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
def course(sample, tmp_path_factory):
    """The folder, graded: its rows by number or file, and where the table is."""
    folder = tmp_path_factory.mktemp("лаба 3")
    lay(folder, sample)
    before = sorted(folder.rglob("*"))
    options = {"roster": folder.parent / "список.csv", "rubric": folder.parent / "баллы.toml", "wanted": 2}
    put(folder.parent, {"список.csv": ROSTER, "баллы.toml": RUBRIC})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "_WORKERS", 1)  # each loads torch
        rows = grade(folder, **options)
    assert [path for path in sorted(folder.rglob("*")) if "grades" not in path.parts] == before
    return {row.id or row.file: row for row in rows}, folder / "grades", folder, options


def kinds(row) -> set[str]:
    """What there is to say of a row."""
    return {remark.kind for remark in row.remarks}


def says(told: str, key: str) -> bool:
    """Whether a sentence is the text of a key, whatever its values."""
    parts = re.split(r"\{\w+\}", texts("ru")[key])
    return re.fullmatch(".*".join(map(re.escape, parts)), told) is not None


def test_each_student_is_a_row(course):
    """With the learning system's name and number; what he has handed in besides is named in it."""
    rows = course[0]
    names = {str(500 + n): " ".join(name) for n, name in enumerate(NAMES[:10])}
    assert {number: rows[number].name for number in names} == names
    assert rows["504"].problem and rows["506"].problem and rows["509"].problem == text("submission.empty_folder")
    assert len(rows["506"].beside) == 3 and rows["503"].problem is None
    told = [one.why for one in rows["500"].beside]
    assert len(told) == 3 and {text("people.same_data"), text("people.same_bytes")} < set(told)


def test_a_good_report(course, sample):
    """All checks hold, its masks are the model's own, and what is known stands in the row."""
    row = course[0]["500"]
    assert row.problem is None and all(check.ok for check in row.checks) and row.iou >= MIN_IOU
    assert (row.student, row.group, row.variant, row.weights) == ("Иванова Анна", "С-101", 3, "embedded/fcn")
    assert [(p.name, p.sha256, p.found) for p in row.photos] == [(p.name, p.sha256, True) for p in sample.photos]
    assert all(1000 < len(p.thumbnail) < 6000 and len(p.look) == 5464 for p in row.photos)
    assert row.conclusions == CONCLUSIONS and len(row.answers) == 6 and row.suggestion == "9.5"
    assert not {"edited", "differs", "incomplete", "not_own_masks", "not_checked"} & kinds(row)


def test_what_each_is_told(course):
    """A copy is a copy on both rows, an edited report is edited, another name and another variant are said."""
    rows = course[0]
    assert {"same_file", "person"} <= kinds(rows["502"]) and "same_file" in kinds(rows["500"])
    assert "edited" in kinds(rows["505"])
    assert text("roster.variant", assigned=1, done=3) in [remark.text for remark in rows["501"].remarks]
    for kind in ("same_photos", "same_text"):
        (remark,) = [one for one in rows["503"].remarks if one.kind == kind]
        assert set(remark.others) == {rows["501"].file, rows["505"].file}


def test_hostile_files(course, sample):
    """Each is named in its row and costs nobody anything; what they say stays text, and can be written."""
    rows = course[0]
    for name, (_, key) in hostile(sample.page).items():
        where = f"вне папок/{name}"
        (row,) = [row for file, row in rows.items() if file == where or file.startswith(f"{where}/")] or [
            row for row in rows.values() if where in [one.file for one in row.beside]
        ]
        assert (row.problem is None) == (key is None) and (row.link is None) == (key is not None), name
        told = [row.problem or "", *(one.why for one in row.beside)]
        assert all("\n" not in one and len(one) < 400 for one in told), (name, told)
        assert key is None or any(says(one, key) for one in told), (name, told)
        json.dumps(asdict(row), ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert rows["вне папок/разметка.html"].student.startswith("<script>")
    assert rows["вне папок/суррогаты.html"].student == "\ufffdвонави"
    assert "differs" in kinds(rows["вне папок/png.html"])


def test_everything_is_accounted_for(course):
    """Each file of the folder, and each member of a zip, has a row or a line."""
    rows, out, folder, _ = course
    data = json.loads((out / "grades.html").read_text("utf-8").split('id="labkit-rows">')[1].split("</script>")[0])
    named = {one["file"] for row in data["rows"] for one in (row, *row["beside"])}
    named |= {one[0] for one in data["beside"]}
    for source in find_sources(folder):
        inside = [source.file, *(one.file for one in (members(source) if source.zip else ()))]
        assert any(file in named for file in inside) and (len(inside) == 1 or set(inside[1:]) <= named), source.file
    assert [one[0] for one in data["absent"]] == ["Тихая Ольга"] and len(rows) == len(data["rows"])


def test_in_a_browser(open_page, course):
    """A row for each, links that lead to files, and nothing of the students' has run."""
    rows, out, *_ = course
    page = opened(open_page, course)
    assert page.locator("tbody[id^=row-]").count() == len(rows)
    assert "попался" not in page.title() and page.locator("img[src=x], main script").count() == 0
    links = page.eval_on_selector_all("th a[href]", "all => all.map((a) => a.getAttribute('href'))")
    files = {out / unquote(link.removeprefix("open.html#")) for link in links}
    zipped = rows["503"]  # it is copied next to the table as it is, but for its name
    assert zipped.link == f"handed/{zipped.sha256[:16]}.html" and zipped.student == "Ким Ян"
    assert hashlib.sha256((out / zipped.link).read_bytes()).hexdigest() == zipped.sha256
    assert len(files) == sum(row.problem is None for row in rows.values()) and all(path.is_file() for path in files)


def opened(open_page, course, name="grades.html", **options):
    """The table in a browser, from its own folder."""
    page = open_page("<!doctype html><title>x</title>", **options)
    page.goto((course[1] / name).as_uri())
    return ready(page)


def field(page, number: str):
    """The mark of the student of a number."""
    return page.locator(f"tbody:has(th [title*='_{number}_']) td.mark input")


@pytest.mark.parametrize("locale", ["ru-RU", "en-US"])
def test_a_mark_with_a_comma(open_page, course, locale):
    """8,5 is 8.5 in whatever browser, on the page and in both tables."""
    page = opened(open_page, course, locale=locale)
    mark = field(page, "500")
    mark.press_sequentially("8,5")
    assert mark.input_value() == "8,5"
    for button, cell in (("save_csv", ";8,5;"), ("save_moodle", ",8.5,")):
        assert cell in saved(page, button).decode("utf-8-sig")


def test_what_is_no_number_is_refused_in_sight(open_page, course):
    """It stays in the field, is said, and the mark before it stays too."""
    page = opened(open_page, course)
    mark = page.locator("#row-1 td.mark input")
    mark.fill("7")
    mark.fill("зачёт")
    assert mark.input_value() == "зачёт" and mark.get_attribute("aria-invalid") == "true"
    assert "зачёт" in page.locator("#row-1 .wrong").inner_text() and "Не числа" in page.locator(".state").inner_text()
    assert '"mark":"7"' in saved(page, "save_page").decode("utf-8")


def test_suggestions_are_taken_or_not(open_page, course):
    """One by one or all at once, and never over a mark."""
    page = opened(open_page, course)
    field(page, "500").fill("3")
    page.get_by_role("button", name=text("gradebook.accept")).click()
    assert field(page, "500").input_value() == "3"
    values = page.locator("td.mark input").evaluate_all("(found) => found.map((one) => one.value).filter(Boolean)")
    assert len(values) == sum(bool(row.suggestion) for row in course[0].values()) and "9,5" in values


def test_the_next_run(open_page, course, sample, at_once):
    """Marks stay with a renamed folder; a new report says what the old one had; whose work is gone is listed."""
    page = opened(open_page, course)
    type_all = "(all) => all.forEach((one, n) => { one.value = n % 9; one.dispatchEvent(new Event('input')) })"
    page.locator("tbody td.mark input").evaluate_all(type_all)
    rows, out, folder, options = course
    given = {number: n % 9 for n, number in enumerate(rows)}
    (out / "grades.html").write_bytes(saved(page, "save_page"))
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
    assert [field(page, n).input_value() for n in ("500", "501", "502")] == [str(given["500"]), "", str(given["502"])]
    cell = field(page, "501").locator("..")
    assert text("gradebook.earlier", mark=given["501"]) in cell.inner_text()
    assert "разметка.html" in page.locator("details.orphans").inner_html()
    feedback = out / "feedback" / MOODLE.format(*NAMES[0], 500, "feedback.html")
    assert f"<strong>{given['500']}</strong>" in feedback.read_text("utf-8")


def test_names_are_hidden_until_marks_are_saved(open_page, course, at_once):
    """Before, no name, file or group is on the page or beside it; after that all of them."""
    _, out, folder, options = course
    hidden = out / "тайно"
    shutil.copytree(out / KEPT, hidden / KEPT)  # what was read is read
    grade(folder, recompute=False, anonymous=True, out=hidden, **options)
    page = opened(open_page, course, "тайно/grades.html")
    page.get_by_role("button", name=text("gradebook.expand_all")).click()
    shown = page.locator("main").inner_html() + " ".join(path.name for path in hidden.rglob("*"))
    told = [name for last, _ in NAMES for name in (last, "assignsubmission", "С-101") if name in shown]
    assert not told and {path.name for path in hidden.iterdir()} == {"grades.html", "open.html", "handed", KEPT}
    assert page.get_by_role("button", name=re.compile("CSV|Moodle")).count() == 0
    reveal = page.get_by_role("button", name=text("gradebook.reveal"), exact=True)
    assert reveal.is_disabled()
    page.locator("#row-0 td.mark input").fill("5")
    assert reveal.is_disabled()
    content = saved(page, "save_page")
    reveal.click()
    assert "Иванова Анна" in page.locator("main").inner_text()
    assert page.locator("#row-0 td.mark input").input_value() == "5"
    (hidden / "grades.html").write_bytes(content)
    grade(folder, recompute=False, anonymous=True, out=hidden, **options)
    assert {"grades.csv", "grades_moodle.csv"} < {path.name for path in hidden.iterdir()}


def test_names_in_texts_are_hidden_too(open_page, sample, tmp_path, at_once):
    """Who signs the conclusions, an answer or a photo's file is not known by that, in whatever case and alphabet."""
    signed, named = "Выполнила ИВАНОВА Анна; спасибо Анне Ивановой. ", "ivanova_anna_1"

    def sign(data):
        data["conclusions"] = signed + data["conclusions"]
        data["answers"][0]["answer"] += signed
        data["photos"][0]["name"] = named
        data["results"][1]["photo"] = "Кот Ивановой"
        data["made_by"] |= {"weights": "ivanova.safetensors", "sha256": "0" * 64}

    (tmp_path / "а.html").write_text(resealed(sample.page, sign), "utf-8")
    grade(tmp_path, recompute=False, anonymous=True)
    page = opened(open_page, (None, tmp_path / "grades"))
    page.get_by_role("button", name=text("gradebook.expand_all")).click()
    shown = page.locator("main").inner_html().casefold()
    assert "спасибо … …" in shown and not re.findall("иванов|анн[ае]|ivanova?|anna", shown)
    assert text("gradebook.photo", number=1) in shown


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


@pytest.mark.parametrize("address", ["javascript:document.title='попался'", "https://x.org/", "//x/y", "/etc/passwd"])
def test_only_files_beside_the_table_are_opened(open_page, course, address):
    """The frame takes no other address."""
    page = open_page("<!doctype html><title>x</title>")
    page.goto(f"{(course[1] / 'open.html').as_uri()}#{address}")
    assert not page.locator("iframe").get_attribute("src") and "попался" not in page.title()
