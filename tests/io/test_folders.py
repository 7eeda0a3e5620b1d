"""Folders on the disk and in a zip."""

import shutil

import pytest
from annotated import put

from labkit.io.decode import Unreadable
from labkit.io.folders import beside, read_file


@pytest.mark.parametrize("zipped", [False, True])
def test_files_beside_a_photo(tmp_path, zipped):
    """Those of its folder alone, also in a zip, each readable up to a limit."""
    folder = tmp_path / "a"
    put(folder, {"фото/1.json": None, "фото/2.json": "{}" * 1000, "фото/inner/b.json": None, "c.json": None})
    inside = (shutil.make_archive(tmp_path / "a", "zip", folder) and tmp_path / "a.zip") if zipped else folder
    files = beside(inside / "фото")
    assert sorted(file.name for file in files) == ["1.json", "2.json"] and beside(inside / "нет") == []
    assert read_file(inside / "фото/2.json", 1) == b"{}" * 1000 and read_file(inside / "фото/1.json", 1) == b""
    with pytest.raises(Unreadable):
        read_file(inside / "фото/2.json", 0.001)
