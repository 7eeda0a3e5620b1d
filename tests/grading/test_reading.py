"""A row: what it says of a report, and how little room it takes."""

import io
import json
import os
from dataclasses import asdict
from pathlib import Path
from unittest.mock import Mock

import nbformat
import pytest
from handed_in import resealed
from pictured import written
from PIL import Image

from labkit.grading import reading
from labkit.grading.reading import Task
from labkit.grading.rows import Row
from labkit.grading.sources import Source
from labkit.grading.submissions import read
from labkit.io.rle import encode_mask
from labkit.locale import plural


def made(content: str, file: str = "а.html") -> Row:
    """The row of a file alone."""
    return reading._made(Task(Source(file, Path(file)), Path("таблица")), content.encode(), "0" * 64)


@pytest.mark.parametrize("file", ["а.html", "а.ipynb"])
def test_the_ending_of_a_name_decides_nothing(sample, file):
    """A notebook that was renamed is read as what it is, and so is a page."""
    for content in (sample.page, nbformat.writes(sample.notebook)):
        row = made(content, file)
        assert row.problem is None and row.student == "Иванова Анна" and not row.remarks


def test_edited_and_sealed_again(sample):
    """A mask that was changed by somebody who has read the code is told, and the check of the run fails."""
    other = encode_mask(sample.results[0].segments[0].mask[:, ::-1])
    row = made(resealed(sample.page, lambda data: data["results"][0]["segments"][0].update(rle=other)))
    assert {"edited", "differs"} & {remark.kind for remark in row.remarks} == {"differs"}
    assert [one.name for one in row.checks if not one.ok] == ["run"]


def test_texts_that_do_not_count_are_told(sample):
    """Answers that are there twice, and conclusions in the notebook's words; of a question that is gone it is said."""

    def change(data):
        data["answers"] = data["answers"][1:]
        data["answers"][0]["answer"] = data["answers"][1]["answer"]
        data["conclusions"] = "Что видно: карта растёт вместе со входом, и объект занимает в ней больше клеток."

    row = made(resealed(sample.page, change))
    assert plural("facts.again", 2) in [remark.text for remark in row.remarks]
    assert {"answers", "conclusions"} <= {check.name for check in row.checks if not check.ok}


def test_no_more_photos_than_were_looked_at(sample, monkeypatch):
    """One photo saved sixty times is one photo: of so many those that nobody compares do not count."""
    one = read(sample.page.encode())
    image = Image.open(io.BytesIO(one.jpegs["моё 1"]))
    jpegs = {f"фото {n}": written(image, "JPEG", quality=35 + n) for n in range(60)}
    photo = one.data["photos"][0]
    photos = [{**photo, "name": name, "sha256": f"{n:064x}", "jpeg_sha256": None} for n, name in enumerate(jpegs)]
    many = one._replace(data={**one.data, "photos": photos}, jpegs=jpegs)
    monkeypatch.setattr(reading, "read", lambda *_: many)
    row = made(sample.page)
    assert "photos" in [check.name for check in row.checks if not check.ok] and len(row.photos) == 60


@pytest.mark.parametrize("name, leads", [("javascript:/б #1.html", "../javascript%3A/%D0%B1%20%231.html"), ("", "")])
def test_a_link_leads_to_a_file(tmp_path, monkeypatch, name, leads):
    """Whatever its name; from another disk of Windows the file is copied, without its name."""
    monkeypatch.setattr(os.path, "relpath", os.path.relpath if name else Mock(side_effect=ValueError("another disk")))
    task = Task(Source("а.html", tmp_path / name), tmp_path / "т")
    task.out.mkdir()
    assert reading._link(task, b"<p>", "0" * 64) == (leads or f"handed/{'0' * 16}.html")
    assert leads or (task.out / "handed" / f"{'0' * 16}.html").read_bytes() == b"<p>"


def test_a_row_is_small_whatever_a_report_holds(sample):
    """Of texts without end, of many photos and long names a row has a part, so that sixty of them fit into memory."""

    def endless(data):
        data["answers"] = [{"question": f"{n} " + "в" * 40_000, "answer": f"{n} " + "о" * 40_000} for n in range(180)]
        data["photos"] += [{**data["photos"][0], "name": f"{n}" + "ф" * 400, "sha256": f"{n:064x}"} for n in range(400)]

    page = resealed(sample.page, endless)
    row = made(page)
    assert row.problem is None and len(page.encode()) > 10_000_000
    assert sum(len(part) for pair in row.answers for part in pair) < 600_000
    assert len(json.dumps(asdict(row), ensure_ascii=False)) < 2_000_000
