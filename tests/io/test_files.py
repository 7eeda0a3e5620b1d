"""Files that are whole or as they were, names that every disk takes, lists that stay short."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labkit.cli import main
from labkit.io.errors import LabkitError
from labkit.io.files import capped, decoded, make_writable, safe_name, some, write_whole
from labkit.locale import text
from labkit.photos import Photo, load_photos
from labkit.segmentation import Segmentation, load_segmentation
from labkit.weights.find import embedded_path, find_weights


def test_whole_or_as_it_was(tmp_path):
    """A file is replaced at once; where that fails nothing half is left, and an earlier one stays."""
    path = tmp_path / "а.json"
    write_whole(path, b"1")
    write_whole(path, b"2")
    assert path.read_bytes() == b"2"
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_whole(tmp_path / "folder", b"3")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder", "а.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_full_disk(tmp_path, monkeypatch, capsys):
    """The error names the file, so that the command line says what to do."""
    (tmp_path / f"a.{os.getpid()}.part").symlink_to("/dev/full")
    monkeypatch.setattr("labkit.cli.weights.run", lambda **_: write_whole(tmp_path / "a", b"1"))
    assert main(["weights"]) == 2 and not any(tmp_path.iterdir())
    error = capsys.readouterr().err
    assert f"записать {tmp_path / 'a'} ({text('files.full')}). Проверьте" in error


def test_writable_folder(tmp_path):
    """It is made, and left empty; what cannot be one is an error."""
    make_writable(tmp_path / "a" / "b")
    make_writable(tmp_path / "a" / "b")
    assert not any((tmp_path / "a" / "b").iterdir())
    (tmp_path / "file").touch()
    for wrong in ("file", "file/below"):
        with pytest.raises(OSError):
            make_writable(tmp_path / wrong)


def test_safe_names():
    """Nothing that a disk or a terminal stumbles over, й in one letter, never empty, never too long."""
    names = {"кот 1": "кот 1", "a/b\\c:d\x1b": "a_b_c_d_", "и\u0306": "й", "  ": "photo", "": "photo"}
    names |= {"я" * 300: "я" * 120, "😺" * 300: "😺" * 60, "Con": "Con_", "aux.кот": "aux_.кот", "console": "console"}
    assert {name: safe_name(name) for name in names} == names


def test_short_lists():
    """What is more than fits is counted."""
    names = [str(n) for n in range(12)]
    assert some(names[:10]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9" and some(names, 2, "; ") == "0; 1; … и ещё 10"
    assert capped(names, 12) == names and capped([], 1) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1251", "cp866"])
def test_texts_of_any_editor(encoding):
    """Read as they were written, with a byte-order mark or without."""
    for said in ("image;voc_id\nкот;8", "кошка", "a", ""):
        assert decoded(said.encode(encoding)) == said


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder that ~ means; the current one is another."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def test_home_folder(home):
    """~ is it; a file whose name begins with one is itself, and nobody's home is a path that is not there."""
    for path in (home / "дом.png", home.parent / "~1.png"):
        Image.new("RGB", (8, 8)).save(path)
    assert [photo.name for photo in load_photos(["~/дом.png", "~1.png"], quiet=True)] == ["дом", "~1"]
    with pytest.raises(LabkitError, match="~ivan/фото — такого файла или папки нет"):
        load_photos("~ivan/фото")


def test_results_in_the_home_folder(home):
    """What is saved there is there, not in a folder called ~ beside the notebook, and is read back by the same path."""
    photo = Photo.from_pixels("кот", np.zeros((8, 8, 3), np.uint8))
    Segmentation.nothing(photo).save("~/out")
    assert (home / "out" / "кот.json").is_file() and not (home.parent / "~").exists()
    assert load_segmentation("~/out/кот.json", photo).photo is photo
    shutil.copy(embedded_path("fcn"), home / "мои.safetensors")
    assert find_weights(3, "~/мои.safetensors").path == home / "мои.safetensors"
