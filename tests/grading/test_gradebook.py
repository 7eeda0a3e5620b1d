"""The table of grades in a real browser: what it shows, what it keeps, and that nothing of a student's runs in it."""

import csv
import io
import os
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from book import ready, saved

from labkit.grading import gradebook
from labkit.grading.gradebook import write_gradebook
from labkit.grading.looks import thumbnail
from labkit.grading.marks import read_page, read_table
from labkit.grading.people import Works
from labkit.grading.rows import KINDS, PhotoRow, Remark, Row
from labkit.io.errors import LabkitError
from labkit.locale import text, texts, use_language
from labkit.report.checks import NAMES, Check
from labkit.variants import VARIANTS
from labkit.viewer.items import module

MARKUP = "<img src=x onerror=alert(1)>"
CLOSING = "</script><script>alert(2)</script><!-- <script>"
LONG = "слово " * 170
STUDENTS = ["Ёлкина Анна", "Белов Илья", "абрамов Пётр", MARKUP, "", "Яковлев Ян"]
SOURCE = Path(gradebook.__file__)
SCRIPT = module(SOURCE.parent / "js" / "gradebook.mjs")


def row_of(n: int, student: str, thumbnails: dict[str, str], crosses: int = 0) -> Row:
    """A report with the first `crosses` checks failed, and IoU from 0.991 on."""
    variant, pictures = VARIANTS[n % 6], enumerate(thumbnails.items())
    photos = [PhotoRow(name, "0" * 64, k != 3, min(1.0, 0.991 + k / 1000), None, one) for k, (name, one) in pictures]
    return Row(
        f"папка {n}/variant {n}.html",
        f"{n:064x}",
        f"../handed/variant%20{n}.html",
        student=student,
        group=f"ИВТ-{9 + n % 3}",
        date=f"2026-03-{28 - n % 28:02d}T14:05:11+03:00",
        variant=variant.number,
        variant_title=variant.title,
        weights=f"embedded/{variant.name}",
        checks=tuple(Check(name, k >= crosses, f"причина {name}") for k, name in enumerate(NAMES)),
        photos=tuple(photos),
        answers=(("**1.** Что такое порог?", "Число, ниже которого пиксель — фон."), ("Второй вопрос", "")),
        conclusions="Модель нашла котов.\nНа лошадях ошиблась.",
    )


@pytest.fixture(scope="module")
def rows(root):
    """Six reports: plain, with crosses, with every kind of remark, hostile, without a name, and one not read."""
    thumbnails = {path.stem: thumbnail(path.read_bytes()) for path in sorted((root / "data" / "images").glob("*.jpg"))}
    made = [row_of(n, student, thumbnails, crosses=2 * (n == 1)) for n, student in enumerate(STUDENTS)]
    others = (made[0].file, made[3].file, "нет такого.html")
    made[2] = made[2].with_remarks(*(Remark(kind, f"сказано о {kind}", others) for kind in KINDS[1:]))
    made[3] = replace(
        made[3].with_remarks(Remark("same_text", CLOSING, (made[2].file,))),
        group=CLOSING,
        variant_title=MARKUP,
        date=MARKUP,
        weights=MARKUP,
        checks=(Check("variant", False, CLOSING), *made[3].checks[1:]),
        photos=(PhotoRow(MARKUP, "", None, 0.12), PhotoRow(CLOSING, "", False, 0.9799)),
        answers=((CLOSING, LONG), (MARKUP, MARKUP)),
        conclusions=f"{LONG}\n{CLOSING}\ud800",
    )
    made[5] = Row("архив.zip/../../Яковлев.html", "f" * 64, problem=f"это не отчёт: {MARKUP}")
    return made


@pytest.fixture
def book(rows, tmp_path):
    """`grades.html` of the rows, and the folder that it is in."""
    page, _ = write_gradebook(Works(rows), tmp_path / "оценки")
    return page


@pytest.fixture
def opened(book, open_page):
    """The page of the rows in a browser."""
    return ready(open_page(book.read_text("utf-8")))


def seen(page) -> list[str]:
    """The ids of the rows that the filters leave."""
    return page.locator("tbody:visible").evaluate_all("(found) => found.map((one) => one.id)")


def give(page, n: int, mark: str, comment: str = "") -> None:
    """Gives the report of row `n` a mark and a comment."""
    page.locator(f"#row-{n} input").fill(mark)
    page.locator(f"#row-{n} textarea").fill(comment)


def given(page, n: int) -> tuple[str, str]:
    """The mark and the comment of row `n`."""
    row = page.locator(f"#row-{n}")
    return row.locator("input").input_value(), row.locator("textarea").input_value()


def load(page, name: str, content: bytes) -> str:
    """Gives the page a file of marks; what it says to that."""
    before = page.locator(".message").inner_text()
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "text/plain", "buffer": content})
    page.wait_for_function("was => ![was, ''].includes(document.querySelector('.message').textContent)", arg=before)
    return page.locator(".message").inner_text()


def table_of(content: bytes) -> list[dict[str, str]]:
    """A saved CSV as rows by title."""
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";"))


def test_shows_every_row(opened):
    """Names, groups, variants, dates, least IoU, thumbnails, and a link that a page cannot reach back through."""
    assert opened.locator("tbody .name").count() == 6
    cells = opened.locator("#row-0 > tr > *").all_inner_texts()
    assert cells[0].startswith("Ёлкина Анна") and "variant 0.html" in cells[0]
    assert cells[1] == "ИВТ-9" and cells[2] == "1 DeepLabV3+" and cells[3].split() == ["28.03.2026", "14:05"]
    assert cells[5] == "0,991" and opened.locator("#row-0 .strip img").count() == 10
    assert opened.locator("#row-0 .strip img").first.evaluate("(image) => image.naturalWidth") == 96
    link = opened.locator("#row-0 a.source")
    assert link.get_attribute("href") == "open.html#../handed/variant%200.html"
    assert link.get_attribute("target") == "_blank" and "noopener" in link.get_attribute("rel")
    assert opened.locator("iframe, embed, object, frame").count() == 0
    summary = opened.locator(".summary").inner_text()
    for said in ("Файлов: 6", "вариант 1: 1", "не прочитано: 1", "не всё выполнено: 2", "с замечаниями: 3"):
        assert said in summary


def test_checks_are_told_apart_without_colour(opened):
    """Crosses and ticks are other signs, failed checks are named; a reason is seen on hover and in the details."""
    row = opened.locator("#row-1")
    assert row.locator(".signs").inner_text().split() == ["✗"] * 2 + ["✓"] * 6
    assert row.locator(".signs").get_attribute("aria-label") == "выполнено 6 из 8"
    assert row.locator(".failed li").all_inner_texts() == [text(f"checks.{name}") for name in NAMES[:2]]
    assert "причина variant" in row.locator(".cross").first.get_attribute("title")
    row.locator(".name").focus()
    opened.keyboard.press("Enter")
    assert row.locator(".name").get_attribute("aria-expanded") == "true"
    details = row.locator(".details").inner_text()
    assert all(f"причина {name}" in details for name in NAMES)
    for part in ("1. Что такое порог?", "Число, ниже которого", "На лошадях ошиблась.", "embedded/unet", f"{1:064x}"):
        assert part in details
    assert details.count("IoU 0,99") == 9 and "IoU 1,000" in details and details.count("не найдено") == 1
    opened.keyboard.press("Enter")
    assert not row.locator(".details").is_visible()


def test_remarks_lead_to_the_other_rows(opened):
    """Each kind has its badge and sentence; a link uncovers a row that a filter hides."""
    row = opened.locator("#row-2")
    badges = row.locator("td.remarks .badge").all_inner_texts()
    assert badges == [text(f"grade.{kind}") for kind in KINDS[1:]]
    assert "сказано о edited" in row.locator("td.remarks").inner_text()
    assert row.locator("td.remarks a").count() == 2 * len(badges)  # what is not in the table is no link
    opened.get_by_label(text("gradebook.search")).fill("абрамов")
    assert seen(opened) == ["row-2"]
    row.locator("td.remarks a", has_text="Ёлкина").first.click()
    assert len(seen(opened)) == 6 and opened.url.endswith("#row-0")


def test_what_is_wrong_with_a_work_is_said(opened):
    """A low IoU in sign and words, never rounded up; of a file that was not read the reason, and room for a mark."""
    cell = opened.locator("#row-3 td.iou")
    assert cell.locator("strong").inner_text() == "▼ 0,120" and "ниже 0,980" in cell.inner_text()
    opened.locator("#row-3 .name").click()
    assert "▼ 0,979" in opened.locator("#row-3 .details").inner_text()
    assert opened.locator("#row-0 td.iou strong").count() == 0
    row = opened.locator("#row-5")
    assert row.locator("th").inner_text().split("\n") == ["Яковлев.html", "архив.zip/../../Яковлев.html"]
    assert row.locator(".badge").inner_text() == text("grade.unreadable")
    assert MARKUP in row.locator("td.remarks").inner_text()
    assert row.locator("a").count() == 0 and row.locator("input").is_enabled()


def test_nothing_of_a_student_is_markup(opened, book):
    """Hostile names and answers are text; there is no script but the page's own, no image but JPEGs."""
    opened.get_by_role("button", name=text("gradebook.expand_all")).click()
    shown = opened.locator("#row-3").inner_text()
    assert shown.count(MARKUP) >= 6 and shown.count("</script>") >= 5 and LONG.strip() in shown
    sources = opened.locator("img").evaluate_all("(found) => found.map((image) => image.src)")
    assert len(sources) == 80 and all(re.fullmatch(r"data:image/jpeg;base64,[\w+/=]+", one) for one in sources)
    assert opened.locator("script").count() == 3
    assert opened.evaluate("() => document.querySelectorAll('[onerror], [onload], [onclick]').length") == 0
    page = book.read_text(encoding="utf-8")
    bare = re.sub(r"(?s)<script type=.application/json.*?</script>", "", page)
    assert page.count("</script>") == 3 and "alert" not in bare


def test_the_page_may_run_only_its_own_script(chromium, book, tmp_path):
    """Even if markup came in, the page's policy would stop scripts, handlers, frames and what is elsewhere."""
    hostile = "<script>window.hurt = 1</script><img src=x onerror='window.hurt = 1'><iframe src='x.html'></iframe>"
    path = tmp_path / "hostile.html"
    path.write_text(book.read_text(encoding="utf-8").replace("<main></main>", f"<main></main>{hostile}"), "utf-8")
    page = chromium.new_page()
    blocked: list[str] = []
    page.on("console", lambda message: blocked.append(message.text))
    page.goto(path.as_uri())
    ready(page)
    assert page.evaluate("() => window.hurt") is None
    for what in ("script", "image", "x.html"):
        assert [one for one in blocked if what in one and "Content Security Policy" in one], (what, blocked)
    page.close()


ORDERS = {  # of each column, pressed once, and once more
    "student": ([3, 2, 4, 1, 0, 5], None),  # <, абрамов, без имени, Белов, Ёлкина, Яковлев.html
    "group": ([3, 0, 1, 4, 2, 5], None),  # ИВТ-9 before ИВТ-10
    "variant": ([0, 1, 2, 3, 4, 5], [4, 3, 2, 1, 0, 5]),
    "date": ([3, 4, 2, 1, 0, 5], None),
    "checks": ([1, 3, 0, 2, 4, 5], None),
    "iou": ([3, 0, 1, 2, 4, 5], None),
    "remarks": ([2, 3, 5, 0, 1, 4], None),  # most remarks first
    "photos": ([3, 0, 1, 2, 4, 5], None),
    "mark": ([0, 4, 1, 2, 3, 5], [1, 4, 0, 2, 3, 5]),
    "comment": ([0, 4, 1, 2, 3, 5], None),
}


def test_sorts_by_every_column(opened):
    """A header sorts, and once more the other way; who has no value comes last; the header says how it is sorted."""
    give(opened, 4, "5", "я")
    give(opened, 0, "4.5", "а")
    give(opened, 1, "10")
    assert opened.locator("thead th").count() == len(ORDERS) and opened.locator("[aria-sort]").count() == 0
    for column, orders in ORDERS.items():
        for order, sign in zip(filter(None, orders), ("ascending", "descending"), strict=False):
            opened.locator(f"thead th.{column} button").click()
            said = "descending" if column in ("checks", "remarks") else sign
            assert seen(opened) == [f"row-{n}" for n in order], column
            assert opened.locator("[aria-sort]").evaluate("(one) => [one.className, one.ariaSort]") == [column, said]
    opened.set_viewport_size({"width": 400, "height": 900})
    opened.locator(".filters .order select").select_option(label="Вариант: по убыванию")
    assert opened.locator("th.variant").get_attribute("aria-sort") == "descending"


FILTERS: list[tuple[dict[str, str | bool], list[int]]] = [
    ({"search": "елкина"}, [0]),
    ({"search": "сказано EDITED"}, [2]),
    ({"search": "нет такого слова"}, []),
    ({"variant": "2"}, [1]),
    ({"group": "=ИВТ-10"}, [1, 4]),
    ({"group": "=ИВТ-10", "crosses": True}, [1]),
    ({"group": "="}, [5]),
    ({"remarks": True}, [2, 3, 5]),
    ({"unmarked": True}, [1, 2, 3, 4, 5]),
    ({}, [0, 1, 2, 3, 4, 5]),
]


def test_filters(opened):
    """Text, variant, group, crosses, remarks, marks; together, counted, and all cleared at once."""
    controls = {one: opened.locator(f".filters .{one} :is(input, select)") for one in ("search", "variant", "group")}
    controls |= {one: opened.get_by_label(text(f"gradebook.only_{one}")) for one in ("crosses", "remarks", "unmarked")}
    give(opened, 0, "5")
    for chosen, left in FILTERS:
        for name, value in chosen.items():
            one = controls[name]
            one.check() if value is True else one.fill(value) if name == "search" else one.select_option(value)
        assert seen(opened) == [f"row-{n}" for n in left], chosen
        assert opened.locator(".shown").inner_text() == f"Показано: {len(left)} из 6"
        assert opened.get_by_text(text("gradebook.nothing")).is_visible() == (not left)
        opened.get_by_role("button", name=text("gradebook.clear")).click()


def test_marks_are_kept_in_the_browser(opened):
    """Another tab, or the next day, has them; until they are in a file the page warns before it closes."""
    leaves = "() => dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    assert opened.evaluate(leaves) is True
    give(opened, 0, "4.5", "хорошо\n<b>но</b>")
    assert opened.evaluate(leaves) is False
    assert opened.locator(".state").inner_text() == "Не сохранено в файл: 1."
    assert "без оценки: 5" in opened.locator(".summary").inner_text()
    opened.wait_for_function("() => localStorage.length === 1 && Object.values(localStorage)[0].includes('но')")
    other = opened.context.new_page()
    other.goto(opened.url)
    assert given(ready(other), 0) == ("4,5", "хорошо\n<b>но</b>")
    assert "взято оценок и комментариев: 1" in other.locator(".message").inner_text()
    saved(other, "save_page")
    assert other.evaluate(leaves) is True


def test_the_browser_goes_back_to_the_table(opened):
    """Every row has its own comment again, however they were sorted, and the filters that are shown do act."""
    for n in range(len(STUDENTS)):
        give(opened, n, "", f"о работе {n}")
    opened.locator("thead .student button").click()
    opened.locator("input[type=search]").fill("белов")
    found = seen(opened)
    assert 0 < len(found) < len(STUDENTS)
    saved(opened, "save_page")
    opened.goto("about:blank")
    opened.go_back()
    opened.wait_for_function("() => document.querySelector('.state')?.textContent")
    assert opened.locator("input[type=search]").input_value() == "белов"
    opened.wait_for_function("() => document.querySelectorAll('tbody:not([hidden])').length === 1")
    assert seen(opened) == found
    assert [given(opened, n)[1] for n in range(len(STUDENTS))] == [f"о работе {n}" for n in range(len(STUDENTS))]


def test_marks_of_another_page_are_not_believed(opened):
    """What a student's page may write into a store that all files share has no seal, and is not taken."""
    give(opened, 0, "2")
    opened.wait_for_function("() => localStorage.length === 1")
    opened.evaluate(
        """() => {
          const place = localStorage.key(0);
          const [seal, text] = JSON.parse(localStorage.getItem(place));
          localStorage.setItem(place, JSON.stringify([seal, text.replace('"mark":"2"', '"mark":"5"')]));
        }"""
    )
    other = opened.context.new_page()
    other.goto(opened.url)
    assert given(ready(other), 0) == ("", "")


def test_a_browser_that_keeps_nothing(open_page, book):
    """It is said, and the marks are in the saved page all the same."""
    page = open_page("<!doctype html><title>x</title>")
    page.context.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } })")
    page.goto(book.as_uri())
    ready(page)
    give(page, 1, "3")
    page.wait_for_function("() => document.querySelector('.state').textContent.includes('не запоминает')")
    assert '"mark":"3"' in saved(page, "save_page").decode("utf-8")


def test_the_saved_page_is_the_page_with_marks(opened, open_page):
    """Opened elsewhere it shows them, sorts, and can be changed and saved once more."""
    comment = f"{CLOSING} «ё» {LONG}"
    give(opened, 3, "4.5", comment)
    opened.locator("#row-3 .name").click()  # what is open does not get into the file
    first = saved(opened, "save_page").decode("utf-8")
    assert opened.locator(".state").inner_text() == text("gradebook.saved")
    again = ready(open_page(first))
    assert given(again, 3) == ("4,5", comment) and again.locator(".details").count() == 0
    give(again, 0, "5")
    second = saved(again, "save_page").decode("utf-8")
    third = ready(open_page(second))
    assert given(third, 3) == ("4,5", comment) and given(third, 0) == ("5", "")
    assert len(second) - len(first) < 400 and second.count("</script>") == 3


def test_the_saved_table(opened, book):
    """It is the table that Python wrote, and the marks: `;`, a decimal comma, and no formula in any cell."""
    plain = table_of((book.parent / "grades.csv").read_bytes())
    give(opened, 0, "4.5", '=HYPERLINK(1)\n-2 балла; «ё» "да"')
    give(opened, 5, "0", "-1 за выводы")
    marked = table_of(saved(opened, "save_csv"))
    mark, comment = text("gradebook.mark"), text("gradebook.comment")
    assert marked[0][mark] == "4,5" and marked[0][comment] == "'=HYPERLINK(1)\n'-2 балла; «ё» \"да\""
    assert marked[5][mark] == "0" and marked[5][comment] == "'-1 за выводы"
    for one in marked:
        one[mark] = one[comment] = ""
    assert marked == plain


@pytest.mark.parametrize("kind", ["page", "csv", "excel"])
def test_loads_earlier_marks(opened, open_page, book, rows, kind):
    """From a saved page or CSV, also as Excel saves it; rows that are gone are counted and not lost."""
    give(opened, 0, "4.5", "-1, но хорошо")
    give(opened, 1, "3")
    content = saved(opened, "save_page" if kind == "page" else "save_csv")
    if kind == "excel":
        content = content.decode("utf-8-sig").replace("слово ", "").encode("cp1251", "replace")
    page, _ = write_gradebook(Works([rows[2], rows[0]]), book.parent / "заново")
    fresh = ready(open_page(page.read_text(encoding="utf-8")))
    give(fresh, 0, "5")
    message = load(fresh, "grades.old", content)
    assert "загружено оценок и комментариев: 1; нет в этой таблице: 1; не число: 0" in message
    assert given(fresh, 1) == ("4,5", "-1, но хорошо") and given(fresh, 0) == ("5", "")
    page.write_bytes(saved(fresh, "save_page"))
    assert sorted(mark.mark for mark in read_page(page).values()) == ["3", "4.5", "5"]


@pytest.mark.parametrize("content", [b"", b"\0\xff\xfe", "<html>нет".encode(), b"a;b\n1;2", b'"' * 1000])
def test_refuses_what_holds_no_marks(opened, content):
    """Another file changes nothing, and the message says what would be right."""
    give(opened, 0, "4")
    assert "оценок в файле нет" in load(opened, "чужой.csv", content)
    assert given(opened, 0) == ("4", "")


def test_grading_again_keeps_the_marks(opened, book, rows):
    """A saved page put in the place of the table, or a table filled in with Excel, goes on into the next one."""
    give(opened, 0, "4.5", "из страницы")
    book.write_bytes(saved(opened, "save_page"))
    table = book.parent / "grades.csv"
    before = re.search(r'"book": \{.*?\}', book.read_text(encoding="utf-8"))[0]
    write_gradebook(Works(rows[:5]), book.parent)
    assert before in book.read_text(encoding="utf-8")
    kept = table_of(table.read_bytes())
    assert kept[0]["Оценка"] == "4,5" and kept[0]["Комментарий"] == "из страницы"
    lines = table.read_text(encoding="utf-8-sig").replace("из страницы", "из Excel")
    table.write_bytes(lines.encode("cp1251", "replace"))
    late = time.time() + 60
    os.utime(table, (late, late))
    write_gradebook(Works(rows), book.parent)
    marks = read_page(book)
    assert [(mark.mark, mark.comment) for mark in marks.values()] == [("4.5", "из Excel")]
    assert read_table(table).keys() == marks.keys()


@pytest.mark.parametrize("content", ["", '<script type="application/json" id="labkit-marks">{"marks":5}</script>'])
def test_broken_earlier_files_cost_nothing(rows, tmp_path, content):
    """They are replaced where no mark can be in them."""
    (tmp_path / "grades.html").write_text(content)
    (tmp_path / "grades.csv").write_text(content or "[")
    page, table = write_gradebook(Works(rows), tmp_path)
    assert "labkit-rows" in page.read_text(encoding="utf-8") and len(table_of(table.read_bytes())) == 6


def test_the_table_of_python(book, rows):
    """Every row with its checks in words; newlines stay in their cells and no cell is a formula."""
    formula = replace(rows[0], student="=1+1", group="+7", file="-x.html", conclusions="", variant_title="@a")
    _, table = write_gradebook(Works([*rows, formula]), book.parent)
    content = table.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf") and content.endswith(b"\r\n")
    found = table_of(content)
    assert [row["Студент"] for row in found[:3]] == STUDENTS[:3] and found[0]["Дата"] == "28.03.2026 14:05"
    assert found[0][text("gradebook.iou")] == "0,991" and found[3][text("gradebook.iou")] == "0,120"
    assert [found[1][text(f"checks.{name}")] for name in NAMES] == ["нет"] * 2 + ["да"] * 6
    assert found[1][text("gradebook.failures")].count("\n") == 1
    assert MARKUP in found[5][text("gradebook.remarks")] and found[5]["Вариант"] == ""
    assert [found[6][name] for name in ("Студент", "Группа", "Модель", "Файл")] == ["'=1+1", "'+7", "'@a", "'-x.html"]
    for row in found:
        assert not [cell for cell in row.values() if re.match(r"\s*[=+\-@\t\r]", cell)]


def test_english(rows, tmp_path, open_page):
    """All of the page is in the language that is asked for."""
    use_language("en")
    page, table = write_gradebook(Works(rows[:2]), tmp_path / "en")
    opened = ready(open_page(page.read_text(encoding="utf-8")))
    assert opened.locator("h1").inner_text() == text("gradebook.heading")
    assert opened.locator("#row-0 td.iou").inner_text() == "0.991"
    assert not re.search("[а-я]", opened.locator("thead").inner_text() + opened.locator(".bar").first.inner_text())
    assert table_of(table.read_bytes())[0]["Date"] == "2026-03-28 14:05"


def test_an_unwritable_table_is_said(rows, tmp_path):
    """As when it is open in Excel: the message names the file."""
    (tmp_path / "grades.csv").mkdir()
    with pytest.raises(LabkitError, match="grades.csv"):
        write_gradebook(Works(rows), tmp_path)


@pytest.mark.parametrize("width, scheme", [(1280, "light"), (1280, "dark"), (400, "light")])
def test_accessible(open_page, book, width, scheme):
    """axe finds nothing serious, details open, at the width of a desk and of a telephone."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    viewport = {"width": width, "height": 900}
    page = ready(open_page(book.read_text(encoding="utf-8"), viewport=viewport, color_scheme=scheme))
    page.get_by_role("button", name=text("gradebook.expand_all")).click()
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], one["impact"], one["nodes"][0]["html"][:200]) for one in found] == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_prints_what_is_written(opened):
    """On paper a comment is whole text, and nothing stands there to be pressed."""
    give(opened, 0, "5", LONG)
    opened.emulate_media(media="print")
    opened.set_viewport_size({"width": 1040, "height": 740})
    assert not opened.locator(".bar").first.is_visible() and not opened.locator("textarea").first.is_visible()
    comment = opened.locator("td.comment").first.evaluate("(cell) => getComputedStyle(cell, '::after').content")
    assert comment.count("слово") == 170
    heads = "(all) => all.map((one) => getComputedStyle(one).display)"  # of a button each page but the first has none
    assert set(opened.locator("thead button").evaluate_all(heads)) == {"contents"}
    whole = "(all) => all.every((one) => one.scrollWidth <= one.clientWidth + 1)"
    assert opened.locator(".source, .model, td.date span").evaluate_all(whole)
    assert opened.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_every_word_is_used():
    """The page's words are all said by its script, or by Python."""
    code = SCRIPT + SOURCE.read_text(encoding="utf-8")
    names = {key.removeprefix("gradebook.") for key in texts("ru") if key.startswith("gradebook.")}
    assert len(names) > 40
    for name in names - {"save_moodle", "save_canvas", "of", "no_javascript"}:
        assert re.search(rf'["(.]{name}"|\b{name}: {{ of:', code), name


def test_the_script_makes_no_markup():
    """Only text nodes and attributes: none of the ways in which a string becomes HTML or code."""
    ways = r"innerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|outerHTML\s*=|srcdoc"
    assert not re.search(ways, SCRIPT)
