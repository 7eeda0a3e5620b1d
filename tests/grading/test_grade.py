"""`labkit grade` from inside: what a row says of a report, what is kept, what a bad file and a wrong call cost."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from annotated import put
from handed_in import notebook_of, page_of, resealed, zip_of

from labkit.__main__ import main
from labkit.grading import marks, reading
from labkit.grading.grade import grade
from labkit.grading.kept import KEPT
from labkit.grading.rows import MIN_IOU
from labkit.locale import text


def moved(result):
    """A result whose masks lie elsewhere: its own, mirrored."""
    segments = [replace(s, mask=np.ascontiguousarray(s.mask[:, ::-1])) for s in result.segments]
    return replace(result, ids=np.ascontiguousarray(result.ids[:, ::-1]), segments=segments)


def test_second_run_goes_on(sample, at_once, tmp_path):
    """What is done is taken from the first run, under another name too; what is asked otherwise is done anew."""
    put(tmp_path, {"а.html": sample.page})
    (first,) = grade(tmp_path, recompute=False)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "grades" / KEPT).iterdir()}
    (tmp_path / "а.html").rename(tmp_path / "ещё.html")
    (again,) = grade(tmp_path, recompute=False)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "grades" / KEPT).iterdir()} == kept
    assert again.sha256 == first.sha256 and again.link != first.link and again.checks == first.checks
    (other,) = grade(tmp_path, recompute=False, wanted=4, target="собака")
    assert {one.name for one in other.checks if not one.ok} == {"photos", "objects"}


def test_recomputed_masks(sample, at_once, tmp_path):
    """The models of the reports are run again: honest masks are their own, drawn ones are marked."""

    def uncarried(data):
        for photo in data["photos"]:
            photo["jpeg_sha256"] = None

    drawn = notebook_of(sample.photos, [moved(one) for one in sample.results], "Волков Ян", 3, {"Ну?": "Да"}, "Нашёл.")
    put(tmp_path, {"а.html": sample.page, "б.html": page_of(drawn), "в.html": resealed(sample.page, uncarried)})
    good, drawn, bare = grade(tmp_path, tmp_path / "таблица")
    told = [{"not_own_masks", "not_checked"} & {remark.kind for remark in row.remarks} for row in (good, drawn, bare)]
    assert told == [set(), {"not_own_masks"}, {"not_checked"}]
    assert good.iou >= MIN_IOU and all(photo.iou < MIN_IOU for photo in drawn.photos) and bare.iou is None


def test_a_hanging_file_costs_its_row(sample, tmp_path, monkeypatch):
    """A file over the time limit has a row that says so, and its neighbour is read."""
    put(tmp_path, dict.fromkeys(["а.html", "б.html"], sample.page))
    monkeypatch.setattr(reading, "_row", slow_row)
    monkeypatch.setattr(reading, "SECONDS", 3.0)
    one, two = grade(tmp_path, recompute=False)
    assert one.problem == text("grade.lost_slow") and two.problem is None


def slow_row(task):
    """Reads a file, but for the first."""
    while task.source.file == "а.html":
        pass
    return reading._made(task, task.source.path.read_bytes(), "0" * 64)


def test_a_zip_of_many_reports_costs_no_more_than_one_of_few(sample, at_once, tmp_path, monkeypatch):
    """Its reports share the seconds of one student; a file beside it has all that it had."""
    pages = {f"{n}.html": resealed(sample.page, lambda data, n=n: data.update(student=f"{n}")) for n in range(3)}
    put(tmp_path, {"всё.zip": zip_of({name: page.encode() for name, page in pages.items()}), "а.html": sample.page})
    limits: dict[str, list[float]] = {}

    def done(work, tasks, label, seconds, **_):
        for task in tasks:
            one = task[0] if isinstance(task, tuple) else task
            limits.setdefault(one.source.file, []).append(seconds(task))
        return list(map(work, tasks))

    monkeypatch.setattr(reading, "done", done)
    monkeypatch.setattr(reading, "_READING", 30.0)
    monkeypatch.setattr(reading, "_RUNNING", 0.0)
    rows = grade(tmp_path)
    assert limits == {"а.html": [30.0, 30.0], **{f"всё.zip/{name}": [10.0, 30.0] for name in pages}}
    assert len(rows) == 4 and all("не хватило времени" in str(row.remarks) for row in rows)


def test_command_line(sample, at_once, tmp_path, capsys):
    """The paths on stdout, a line for each unreadable file on stderr, exit code 1; 0 where all is well."""
    (tmp_path / "а.html").write_text(sample.page, encoding="utf-8")
    out = tmp_path / "т"
    command = ["grade", str(tmp_path), "--out", str(out), "--no-recompute", "--wanted", "2"]
    assert main([*command, "--anonymous"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(out / "grades.html")]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines() == [str(out / "grades.html"), str(out / "grades.csv")]
    (tmp_path / "б.html").write_text("<p>", encoding="utf-8")
    assert main(command) == 1
    assert capsys.readouterr().err.endswith(f"labkit: б.html: {text('submission.no_block')}\n")
    assert main([*command, "--anonymous"]) == 1
    rows = marks._block(out / "grades.html", "rows")["rows"]
    number = [row["file"] for row in rows].index("б.html") + 1
    told = text("gradebook.work", number=number)
    assert capsys.readouterr().err.endswith(f"labkit: {told}: {text('submission.no_block')}\n")


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is a signal here")
def test_interrupted(sample, tmp_path, root):
    """Ctrl-C: one line, exit code 1, no process left, and what was done is kept."""
    for n in range(60):
        put(tmp_path, {f"{n}.html": resealed(sample.page, lambda data, n=n: data.update(student=f"Студент {n}"))})
    process = subprocess.Popen(
        [sys.executable, "-m", "labkit", "grade", str(tmp_path), "--no-recompute"],
        cwd=root,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
    )
    kept = tmp_path / "grades" / KEPT
    deadline = time.monotonic() + 120
    while not any(kept.glob("*.json")) and time.monotonic() < deadline:
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
