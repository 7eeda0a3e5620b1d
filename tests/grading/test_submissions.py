"""What is read of a handed-in file, and what its seals say."""

import copy
import re

import nbformat
import pytest
from handed_in import edited, outside, resealed

from labkit.grading.gradebook import write_gradebook
from labkit.grading.people import Works
from labkit.grading.submissions import read
from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.report.consistency import disagreements
from labkit.report.data import MIME


def test_reads_a_page(sample):
    """A report as it was written: whole, its data, its photos, and page and data agree."""
    one = read(sample.page.encode())
    assert one.edited == () and one.data["student"] == "Иванова Анна"
    assert one.jpegs == {photo.name: photo.jpeg for photo in sample.photos}
    assert disagreements(one.data, one.items, one.page) == []
    assert "labkit-report-1" not in one.page  # or the table would be found in the data


def test_reads_a_notebook(sample):
    """By what is in it, whatever its ending: it says the same as its report; only what its kernel put out is sealed."""
    one = read(nbformat.writes(sample.notebook).encode())
    page = read(sample.page.encode())
    assert one.edited == () and disagreements(one.data, one.items, one.page) == []
    for key in ("photos", "results", "answers", "conclusions", "run", "summary"):
        assert one.data[key] == page.data[key]
    assert one.jpegs == page.jpegs

    notebook = copy.deepcopy(sample.notebook)
    notebook.cells[-1].outputs[0].data[MIME]["results"][0]["segments"][0]["score"] = 0.999
    changed = read(nbformat.writes(notebook).encode())
    assert changed.edited == ("data",) and disagreements(changed.data, changed.items, changed.page)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old"])
def test_another_way_to_write_text(sample, encoding, ends):
    """A mail program's line ends and a Windows editor's encoding are no edits."""
    one = read(sample.page.replace("\n", ends).encode(encoding))
    assert one.edited == () and len(one.jpegs) == len(sample.photos)
    assert disagreements(one.data, one.items, one.prose) == []


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
def test_a_page_that_was_not_written_to_its_end(sample, kept):
    """It is told from a page that is no report, wherever it breaks off."""
    with pytest.raises(LabkitError, match=text("submission.cut")):
        read(sample.page.encode()[: int(kept * len(sample.page.encode()))])
    with pytest.raises(LabkitError, match=text("submission.no_block")):
        read(b"<!doctype html><html><body>labkit</body></html>")


def test_a_saved_table_of_grades_is_no_report(tmp_path):
    """As a browser saves it a second time, `grades (1).html`: what is in it is to be loaded, not to be asked for."""
    page, _ = write_gradebook(Works([]), tmp_path)
    with pytest.raises(LabkitError, match=re.escape(text("submission.marks"))):
        read(page.read_bytes())


def test_seals(sample):
    """Each seal says what was changed; a report without them is not trusted either."""
    line = sample.results[0].photo.name

    def better(data):
        data["conclusions"] += " И ещё."

    def bare(data):
        del data["digest"], data["page_sha256"]

    assert read(edited(sample.page, better).encode()).edited == ("data",)
    assert read(outside(sample.page, line, "другое").encode()).edited == ("page",)
    assert read(edited(sample.page, bare).encode()).edited == ("unsealed",)
    assert read(resealed(sample.page, better).encode()).edited == ()


def test_the_same_photo_twice(sample):
    """Two photos of the same bytes are both carried."""
    page = resealed(sample.page, lambda data: data["photos"].append({**data["photos"][0], "name": "копия"}))
    one = read(page.encode())
    assert one.jpegs["копия"] == one.jpegs[sample.photos[0].name]
