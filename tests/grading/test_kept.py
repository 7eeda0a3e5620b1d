"""What is kept between runs: only what this kit and this instructor made, never what the folder says."""

import errno
import os
from unittest.mock import Mock

import pytest

from labkit.grading import kept as keeping
from labkit.grading.kept import KEPT, chosen, kept, secret, unwritable
from labkit.io.errors import one_line
from labkit.locale import text


@pytest.fixture
def out(tmp_path):
    """A folder for a table."""
    (tmp_path / KEPT).mkdir()
    return tmp_path


def test_made_once(out):
    """The same options are worked out once, others again; what comes back is what was made."""
    made = {"a": [1, "б"]}
    assert kept(out, ["row", 1], lambda: made) == kept(out, ["row", 1], lambda: pytest.fail("again")) == made
    assert kept(out, ["row", 2], lambda: {"a": 2}) == {"a": 2} and len(list((out / KEPT).iterdir())) == 2
    for value in (1, 2):  # what may become better is not kept
        assert kept(out, ["own"], lambda value=value: value, lambda made: made > 2) == value


@pytest.mark.parametrize("forged", ['{"a": 5}', '\n{"a": 5}', "0" * 64 + '\n{"a": 5}', ""])
def test_what_was_laid_there_is_not_believed(out, forged):
    """A record without this instructor's seal, or whose content was changed, is made anew."""
    kept(out, ["row"], lambda: {"a": 1})
    (path,) = (out / KEPT).iterdir()
    path.write_text(forged)
    assert kept(out, ["row"], lambda: {"a": 2}) == {"a": 2}
    seal, _, content = path.read_text().partition("\n")
    path.write_text(f"{seal}\n{content.replace('2', '5')}")
    assert kept(out, ["row"], lambda: {"a": 3}) == {"a": 3}


def test_another_kit_and_another_instructor_begin_anew(out, monkeypatch):
    """Records are bound to the kit's own code and to the key in the instructor's settings."""
    kept(out, ["row"], lambda: {"a": 1})
    monkeypatch.setattr(keeping, "_kit", lambda: "другой набор")
    assert kept(out, ["row"], lambda: {"a": 2}) == {"a": 2}
    monkeypatch.setattr(keeping, "secret", lambda: b"other")
    assert kept(out, ["row"], lambda: {"a": 3}) == {"a": 3}


def test_the_key_is_the_instructor_s_own(settings_folder):
    """It lies in the settings folder, for nobody else to read, and stays the same."""
    path = settings_folder / "labkit" / "grading.key"
    assert len(secret()) == 32 and path.read_bytes() == secret()
    assert os.name == "nt" or path.stat().st_mode & 0o077 == 0


def test_a_sample_that_cannot_be_foreseen(monkeypatch):
    """The same photos in each run of one instructor, others for another, and for another report."""
    names = [f"фото {n}" for n in range(10)]
    first = chosen("отчёт", names, 3)
    assert first == chosen("отчёт", names[::-1], 3) and len(first) == 3
    others = {frozenset(chosen(f"отчёт {n}", names, 3)) for n in range(20)}
    monkeypatch.setattr(keeping, "secret", lambda: b"other")
    assert len(others) > 10 and {frozenset(chosen(f"отчёт {n}", names, 3)) for n in range(20)} != others


def test_a_full_disk_costs_only_the_record(out, monkeypatch):
    """What cannot be kept is given all the same."""
    monkeypatch.setattr(keeping, "write_whole", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    assert kept(out, ["row"], lambda: {"a": 1}) == {"a": 1} and not any((out / KEPT).iterdir())


WHY = {"full": [errno.ENOSPC], "closed": [errno.EACCES, errno.EROFS, errno.ENOTDIR], "busy": [errno.EBUSY]}


@pytest.mark.parametrize("number, key", [(number, key) for key, numbers in WHY.items() for number in numbers])
def test_why_nothing_can_be_written(tmp_path, number, key):
    """A full disk, a closed folder and a file that another program holds are named as what they are."""
    path = tmp_path / "grades.csv"
    error = OSError(number, os.strerror(number))
    said = text(f"grade.unwritable_{key}", path=path, folder=tmp_path, error=one_line(error))
    assert str(unwritable(path, error)) == said
