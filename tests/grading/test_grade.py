"""The whole of `labkit grade`: a folder of good, wrong, edited, copied and hostile reports becomes a table."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from urllib.parse import unquote

import nbformat
import numpy as np
import pytest
from handed_in import CONCLUSIONS, OTHER, edited, hostile, notebook_of, outside, page_of, resealed, sample, zip_of  # noqa: F401

from labkit.__main__ import main
from labkit.grading import grade as grading
from labkit.grading.grade import grade
from labkit.grading.kept import KEPT
from labkit.grading.rows import MIN_IOU, Row
from labkit.grading.submissions import Source
from labkit.io.errors import LabkitError
from labkit.io.rle import encode_mask
from labkit.locale import text

OTHER_CONCLUSIONS = (
    "Лошади и человек найдены, но сеть рисует их округлыми пятнами. Ошибки собраны у ног и там, где гривы закрывают "
    "забор; я взял бы сеть с более тонкими признаками и снимал бы против ровного фона."
)


def moved(result):
    """A result whose masks lie elsewhere: its own, mirrored."""
    segments = [replace(s, mask=np.ascontiguousarray(s.mask[:, ::-1])) for s in result.segments]
    return replace(result, ids=np.ascontiguousarray(result.ids[:, ::-1]), segments=segments)


@pytest.fixture(scope="module")
def folder(sample, tmp_path_factory):  # noqa: F811
    """What a course has handed in."""
    page, folder = sample.page, tmp_path_factory.mktemp("курс")
    other = notebook_of(sample.other_photos, sample.other_results, "Петров Олег", 3, OTHER, OTHER_CONCLUSIONS)
    lazy = notebook_of(sample.other_photos, sample.other_results, "Сидорова Вера", 3, {"Почему?": "…"}, CONCLUSIONS)
    wrong = notebook_of(sample.other_photos, sample.other_results, "Кузнецов Пётр", 1, OTHER, OTHER_CONCLUSIONS)
    drawn = notebook_of(
        sample.photos, [moved(one) for one in sample.results], "Волков Ян", 3, {"Ну?": "Да"}, "Всё нашлось."
    )
    line = next(line for line in page.splitlines() if line.startswith(sample.photos[0].name) and "%" in line)

    def score(data):
        data["results"][0]["segments"][0]["score"] = 0.999

    def mask(data):
        first = data["results"][0]["segments"][0]
        first["rle"] = encode_mask(sample.results[0].segments[0].mask[:, ::-1])

    files = {
        "хороший.html": page,
        "хороший.ipynb": nbformat.writes(sample.notebook),
        "чужой вариант.html": page_of(wrong, 1),
        "таблица.html": outside(page, line, line.replace("%", "1%")),
        "оценка.html": edited(page, score),
        "маска.html": edited(page, mask),
        "маска с печатью.html": resealed(page, mask),
        "нарисованный.html": page_of(drawn),
        "списанные выводы.html": page_of(lazy),
        "вложено/группа.zip": zip_of(
            {"Петров Олег_12_file/отчёт.html": page_of(other).encode(), "Петров Олег_12_file/фото.jpg": b"\xff"},
            "cp866",
        ),
    }
    for name, (made, _) in hostile(page).items():
        files[f"вредные/{name}"] = made
    for name, made in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(made if isinstance(made, bytes) else made.encode())
    return folder


@pytest.fixture(scope="module")
def graded(folder):
    """The table of that folder, masks not computed again."""
    before = sorted(folder.rglob("*"))
    rows = {row.file: row for row in grade(folder, recompute=False)}
    assert [path for path in sorted(folder.rglob("*")) if "grades" not in path.parts] == before
    return rows


@pytest.fixture
def at_once(monkeypatch):
    """Everything in this process, where processes are not what is tested: they take seconds to start."""
    monkeypatch.setattr(
        grading, "in_workers", lambda work, tasks, *_: [(n, work(task)) for n, task in enumerate(tasks)]
    )


def kinds(row: Row) -> set[str]:
    """What there is to say of a row."""
    return {remark.kind for remark in row.remarks}


def failed(row: Row) -> set[str]:
    """The checks that do not hold."""
    return {check.name for check in row.checks if not check.ok}


def test_good_report(graded, sample):  # noqa: F811
    """All checks hold; what is known stands in the row; page and notebook of one student are one row."""
    row = graded["хороший.html"]
    assert row.problem is None and failed(row) == set() and row.student == "Иванова Анна" and row.group == "С-101"
    assert (row.variant, row.weights, row.link) == (
        3,
        "embedded/fcn",
        "../%D1%85%D0%BE%D1%80%D0%BE%D1%88%D0%B8%D0%B9.html",
    )
    assert [(p.name, p.sha256, p.found) for p in row.photos] == [(p.name, p.sha256, True) for p in sample.photos]
    assert all(1000 < len(p.thumbnail) < 6000 and len(p.look) == 5464 for p in row.photos)
    assert row.conclusions == CONCLUSIONS and len(row.answers) == 4
    assert not {"edited", "differs", "incomplete"} & kinds(row) and row.suggestion == ""
    (book,) = row.beside
    assert (book.file, book.why) == ("хороший.ipynb", text("people.same_data")) and "хороший.ipynb" not in graded


def test_wrong_variant(graded):
    """The model of another variant than the notebook's."""
    assert failed(graded["чужой вариант.html"]) == {"variant"}


@pytest.mark.parametrize(
    "file, expected",
    [
        ("таблица.html", {"edited", "differs"}),
        ("оценка.html", {"edited", "differs"}),
        ("маска.html", {"edited", "differs"}),
        ("маска с печатью.html", {"differs"}),
    ],
)
def test_edited_by_hand(graded, file, expected):
    """A number in the table, a score, a mask: what was changed is said, and the check of the run fails."""
    row = graded[file]
    assert {"edited", "differs"} & kinds(row) == expected and "run" in failed(row)


def test_copied(graded):
    """Photos and text of another student are marked on both rows; what is one's own is not."""
    rows = graded
    lazy = {r.kind: r for r in rows["списанные выводы.html"].remarks}
    assert "хороший.html" in lazy["same_text"].others and text("pairs.conclusions") in lazy["same_text"].text
    inside = "вложено/группа.zip/Петров Олег_12_file/отчёт.html"
    assert inside in lazy["same_photos"].others
    theirs = {r.kind: r for r in rows[inside].remarks}
    assert set(theirs["same_photos"].others) == {"списанные выводы.html", "чужой вариант.html"}
    assert theirs["same_text"].others == ("чужой вариант.html",)


def test_member_of_a_zip(graded, folder, sample):  # noqa: F811
    """It is copied next to the table as it is, so that it can be opened."""
    row = graded["вложено/группа.zip/Петров Олег_12_file/отчёт.html"]
    (copy,) = (folder / "grades" / "handed").iterdir()
    assert unquote(row.link) == f"handed/{copy.name}" and copy.name.endswith("_отчёт.html")
    assert b"labkit-report-1" in copy.read_bytes() and row.student == "Петров Олег"


def test_hostile_files(graded, sample):  # noqa: F811
    """Each is named in its row and costs nobody anything; what they say stays text, and can be written."""
    rows = graded
    for name, (_, key) in hostile(sample.page).items():
        where = f"вредные/{name}"
        (row,) = [row for file, row in rows.items() if file == where or file.startswith(f"{where}/")] or [
            row for row in rows.values() if where in [one.file for one in row.beside]
        ]
        assert (row.problem is None) == (key is None) and (row.link is None) == (key is not None), name
        json.dumps(asdict(row), ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert rows["вредные/разметка.html"].student.startswith("<script>")
    assert rows["вредные/суррогаты.html"].student == "\ufffdвонави"
    assert "differs" in kinds(rows["вредные/png.html"])


def test_tables_are_written(graded, folder):
    """Both files are there, and a second run does not take them for reports."""
    page = (folder / "grades" / "grades.html").read_text(encoding="utf-8")
    assert "<script>document.title" not in page and (folder / "grades" / "grades.csv").stat().st_size > 1000
    assert not [file for file in graded if file.startswith("grades")]


def test_in_a_browser(graded, folder, open_page):
    """The table of them all, opened: a row for each file, links that lead to files, and nothing of theirs has run."""
    page = open_page((folder / "grades" / "grades.html").read_text(encoding="utf-8"))
    page.wait_for_selector("tbody[id^=row-]")
    assert page.locator("tbody[id^=row-]").count() == len(graded)
    assert "попался" not in page.title() and page.locator("img[src=x], main script").count() == 0
    links = page.eval_on_selector_all("tbody a[href]", "all => all.map((a) => a.getAttribute('href'))")
    files = [folder / "grades" / unquote(link.removeprefix("open.html#")) for link in links if not link.startswith("#")]
    readable = [row for row in graded.values() if row.problem is None]
    assert len(set(files)) == len(readable) and all(path.is_file() for path in files)


def test_second_run_goes_on(graded, folder, at_once):
    """What is done is taken from the first run, under another name too; a changed file is read anew."""
    kept = {path: path.stat().st_mtime_ns for path in (folder / "grades" / KEPT).iterdir()}
    (folder / "хороший.html").rename(folder / "ещё.html")
    try:
        rows = {row.file: row for row in grade(folder, recompute=False)}
    finally:
        (folder / "ещё.html").rename(folder / "хороший.html")
    assert {path: path.stat().st_mtime_ns for path in (folder / "grades" / KEPT).iterdir()} == kept
    assert (
        rows["ещё.html"].sha256 == graded["хороший.html"].sha256
        and rows["ещё.html"].link != graded["хороший.html"].link
    )
    rows = {row.file: row for row in grade(folder, recompute=False, wanted=3, target="собака")}
    assert "objects" in failed(rows["хороший.html"]) and "photos" in failed(rows["списанные выводы.html"])


def test_recomputed_masks(sample, folder, at_once, tmp_path):  # noqa: F811
    """The models of the reports are run again: honest masks are their own, drawn ones are marked."""
    for name in ("хороший.html", "нарисованный.html"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())

    def uncarried(data):
        for photo in data["photos"]:
            photo["jpeg_sha256"] = None

    (tmp_path / "без фото.html").write_text(resealed(sample.page, uncarried), encoding="utf-8")
    rows = {row.file: row for row in grade(tmp_path, tmp_path / "таблица")}
    good, drawn, bare = (rows[name] for name in ("хороший.html", "нарисованный.html", "без фото.html"))
    assert good.iou >= MIN_IOU and not {"not_own_masks", "not_checked"} & kinds(good)
    assert all(photo.iou < MIN_IOU for photo in drawn.photos) and "not_own_masks" in kinds(drawn)
    assert bare.iou is None and "not_checked" in kinds(bare)


def test_photos_of_the_kit(default_photos):
    """They are known by their bytes and by their look."""
    kit = grading._kit_photos()
    assert set(kit) == {photo.sha256 for photo in default_photos.values()} and None not in kit.values()
    assert len(set(kit.values())) == 10


def test_a_hanging_file_costs_its_row(sample, tmp_path, monkeypatch):  # noqa: F811
    """A file over the time limit has a row that says so, and its neighbour is read."""
    (tmp_path / "а.html").write_text(sample.page, encoding="utf-8")
    (tmp_path / "б.html").write_text(sample.page, encoding="utf-8")
    monkeypatch.setattr(grading, "_row", slow_row)
    monkeypatch.setattr(grading, "_SECONDS", 5.0)
    one, two = grade(tmp_path, recompute=False)
    assert one.problem == text("grade.lost_slow") and two.problem is None


def slow_row(task):
    """Reads a file, but for the first."""
    while task.source.file == "а.html":
        pass
    return grading._made(task, task.source.path.read_bytes(), "0" * 64)


def test_a_row_is_small_whatever_a_report_holds(sample):  # noqa: F811
    """Of texts without end, of many photos and long names a row has a part, so that sixty of them fit into memory."""

    def endless(data):
        data["answers"] = [{"question": f"{n} " + "в" * 40_000, "answer": f"{n} " + "о" * 40_000} for n in range(180)]
        data["photos"] += [{**data["photos"][0], "name": f"{n}" + "ф" * 400, "sha256": f"{n:064x}"} for n in range(400)]

    page = resealed(sample.page, endless).encode()
    task = grading._Task(Source("а.html", Path("а.html")), Path("таблица"))
    row = grading._made(task, page, "0" * 64)
    assert row.problem is None and len(page) > 20_000_000 / 2
    assert len(json.dumps(asdict(row), ensure_ascii=False)) < 2_000_000


def test_wrong_calls(tmp_path, capsys):
    """No folder, nothing in it, no such class: one line, exit code 2, and nothing is written."""
    assert main(["grade", str(tmp_path / "нет")]) == 2
    assert main(["grade", str(tmp_path)]) == 2
    (tmp_path / "а.html").write_text("<p>")
    assert main(["grade", str(tmp_path), "--target", "единорог"]) == 2
    assert main(["grade", str(tmp_path), "--roster", str(tmp_path / "а.html")]) == 2
    assert main(["grade", str(tmp_path), "--rubric", str(tmp_path / "нет.toml")]) == 2
    assert capsys.readouterr().err.count("\n") == 5 and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(LabkitError):
        grade(tmp_path / "а.html")


def test_command_line(sample, at_once, tmp_path, capsys):  # noqa: F811
    """The paths on stdout, a line for each unreadable file on stderr, exit code 1; 0 where all is well."""
    (tmp_path / "а.html").write_text(sample.page, encoding="utf-8")
    out = tmp_path / "т"
    assert main(["grade", str(tmp_path), "--out", str(out), "--no-recompute", "--wanted", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(out / "grades.html"), str(out / "grades.csv")]
    (tmp_path / "б.html").write_text("<p>", encoding="utf-8")
    assert main(["grade", str(tmp_path), "--out", str(out), "--no-recompute", "--wanted", "2"]) == 1
    assert capsys.readouterr().err.endswith(f"labkit: б.html: {text('submission.no_block')}\n")


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is a signal here")
def test_interrupted(sample, tmp_path, root):  # noqa: F811
    """Ctrl-C: one line, exit code 1, no process left, and what was done is kept."""
    for n in range(60):
        made = resealed(sample.page, lambda data, n=n: data.update(student=f"Студент {n}"))
        (tmp_path / f"{n}.html").write_text(made, encoding="utf-8")
    command = [sys.executable, "-m", "labkit", "grade", str(tmp_path), "--no-recompute"]
    process = subprocess.Popen(
        command,
        cwd=root,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
    )
    kept = tmp_path / "grades" / KEPT
    deadline = time.monotonic() + 120
    while not (kept.is_dir() and any(kept.glob("*.json"))) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and error.splitlines()[-1] == f"labkit: {text('cli.interrupted')}"
    assert "Traceback" not in error and any(kept.glob("*.json")) and not (tmp_path / "grades" / "grades.html").exists()
    while left(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left(process.pid)


def left(group: int) -> bool:
    """Whether any process of a group still runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
