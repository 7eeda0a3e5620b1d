"""A row: what it says of a report, and how little room it takes."""

import json
from dataclasses import asdict
from pathlib import Path

from handed_in import resealed

from labkit.grading import reading
from labkit.grading.reading import Task
from labkit.grading.rows import Row
from labkit.grading.sources import Source
from labkit.io.rle import encode_mask


def made(page: str) -> Row:
    """The row of a page alone."""
    return reading._made(Task(Source("а.html", Path("а.html")), Path("таблица")), page.encode(), "0" * 64)


def test_edited_and_sealed_again(sample):
    """A mask that was changed by somebody who has read the code is told, and the check of the run fails."""

    def change(data):
        data["results"][0]["segments"][0]["rle"] = encode_mask(sample.results[0].segments[0].mask[:, ::-1])

    row = made(resealed(sample.page, change))
    assert {"edited", "differs"} & {remark.kind for remark in row.remarks} == {"differs"}
    assert [one.name for one in row.checks if not one.ok] == ["run"]


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
