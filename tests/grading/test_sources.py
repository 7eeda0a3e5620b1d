"""Handed-in files: what is found in a folder and its zips, and what is refused."""

import errno
import os
import zipfile
from pathlib import Path
from unittest.mock import Mock

import pytest
from annotated import put
from handed_in import zip_of

from labkit.grading import sources
from labkit.grading.kept import KEPT
from labkit.grading.sources import Source, content, find_sources, members
from labkit.io import zips
from labkit.io.errors import LabkitError, one_line
from labkit.locale import text


def lay(folder: Path, *names: str) -> None:
    """Files below a folder."""
    put(folder, dict.fromkeys(names, b"x"))


def listed(folder: Path, made: bytes) -> list[Source]:
    """What is in a zip."""
    path = folder / "а.zip"
    path.write_bytes(made)
    return members(Source(path.name, path))


def test_finds_files(tmp_path):
    """Every file in natural order, an empty folder too; no link, no pipe, no system's file, and no table of grades."""
    lay(tmp_path, "б/10.html", "б/9.HTM", "а.ipynb", "в.zip", "д.pdf", "фото.jpg", ".скрытый.html", "__MACOSX/а.html")
    lay(tmp_path / "grades", "grades.html", "handed/1.html", f"{KEPT}/1.html", "свой.html")
    lay(tmp_path, "отчёт.html.txt", "отчёт.webarchive", "отчёт.rtf", "отчёт", ".DS_Store", "._а.html")
    lay(tmp_path, "~$а.docx", ".~lock.а.csv#")
    lay(tmp_path, "Мак Анна/.DS_Store", "Мак Илья/__MACOSX/._а.html")
    (tmp_path / "Пустой Ян").mkdir()
    os.mkfifo(tmp_path / "труба.html")
    outer = tmp_path.parent / f"{tmp_path.name}-снаружи"
    lay(outer, "чужой.html")
    (tmp_path / "наружу.html").symlink_to(outer / "чужой.html")
    (tmp_path / "папка").symlink_to(outer)
    (tmp_path / "внутрь.html").symlink_to(tmp_path / "а.ipynb")
    (tmp_path / "никуда.html").symlink_to(tmp_path / "нет.html")
    found = find_sources(tmp_path)
    read = [".скрытый.html", "grades/свой.html", "а.ipynb", "б/9.HTM", "б/10.html", "в.zip"]
    assert [source.file for source in found if source.problem is None] == read
    foreign = {"д.pdf": ".pdf", "фото.jpg": ".jpg", "отчёт.html.txt": ".txt", "отчёт.rtf": ".rtf"}
    foreign |= {"отчёт.webarchive": ".webarchive", "отчёт": text("submission.no_suffix")}
    assert {source.file: source.problem for source in found if source.problem} == {
        **{name: text("submission.foreign", suffix=suffix) for name, suffix in foreign.items()},
        **dict.fromkeys(("Мак Анна", "Мак Илья", "Пустой Ян"), text("submission.empty_folder")),
        **dict.fromkeys(("наружу.html", "папка"), text("submission.link")),
        **dict.fromkeys(("никуда.html", "труба.html"), text("photos.not_file")),
    }


def test_a_folder_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    """Whoever's it is, nobody is left out in silence."""
    (tmp_path / "Ким Анна").mkdir()
    scandir = os.scandir

    def scan(path):
        if Path(path).name == "Ким Анна":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    told = text("submission.unreadable", error=text("files.closed"))
    assert [(one.file, one.problem) for one in find_sources(tmp_path)] == [("Ким Анна", told)]


def test_what_a_student_calls_a_table_is_none(tmp_path):
    """A folder of the learning system is never left out, whatever lies in it."""
    own, empty = (tmp_path / f"Ким Анна_{n}_assignsubmission_file_" for n in (7, 8))
    lay(tmp_path, f"{own.name}/{KEPT}/1.json", f"{empty.name}/{KEPT}/1.json", f"{own.name}/grades.html")
    found = {one.file: one.problem for one in find_sources(tmp_path)}
    assert found == {f"{own.name}/grades.html": None, empty.name: text("submission.empty_folder")}
    course = tmp_path / "lab-submissions"
    lay(course, f"lab-kim/{KEPT}/1.json", "README.html", "lab-kim/grades.html")
    assert [one.file for one in find_sources(course)] == ["lab-kim/grades.html", "README.html"]


@pytest.mark.parametrize("encoding", [None, "cp866", "cp1251", "utf-8"])
def test_cyrillic_names_in_a_zip(tmp_path, encoding):
    """Names are right whatever wrote them, in a zip in a zip too, and each file is the one of its name."""
    files = {"Иванов Пётр_7/отчёт.html": b"<p>1", "Ёлкина/Лаба 3.ipynb": b"{}"}
    inner = zip_of(files, encoding)
    (tmp_path / "а.zip").write_bytes(zip_of({**files, "Группа С-101/все.zip": inner, "фото.jpg": b"x"}, encoding))
    (source,) = find_sources(tmp_path)
    found = [one for one in members(source) if one.problem is None]
    wanted = [*files, *(f"Группа С-101/все.zip/{name}" for name in files)]
    assert sorted(one.file for one in found) == sorted(f"а.zip/{name}" for name in wanted)
    for one in found:
        assert content(one) == next(made for name, made in files.items() if one.file.endswith(name))


def test_limits_of_a_zip(tmp_path, monkeypatch):
    """How many members, how many reports, how much together."""
    made = zip_of({f"{n}.html": b"<p>" * 400_000 for n in range(4)})

    def problems(module, limit, value):
        monkeypatch.setattr(module, limit, value)
        return [one.problem for one in listed(tmp_path, made)]

    assert problems(sources, "_TOTAL_MB", 2) == [None, *[text("photos.zip_total", limit=2)] * 3]
    monkeypatch.undo()
    assert problems(sources, "_MEMBERS", 2) == [None, None, text("submission.many", limit=2)]
    assert problems(zips, "MAX_MEMBERS", 3) == [text("photos.zip_members", count=4, limit=3)]


def test_one_budget_for_all_nested_zips(tmp_path, monkeypatch):
    """What a zip's zips hold counts as its own: their number gives no more room."""
    inner = zip_of({f"{n}.html": b"<p>" * 200_000 for n in range(3)})
    made = zip_of({f"{n}.zip": inner for n in range(3)})
    monkeypatch.setattr(sources, "_MEMBERS", 4)
    assert [one.problem for one in listed(tmp_path, made)] == [*[None] * 4, text("submission.many", limit=4)]
    monkeypatch.setattr(sources, "_TOTAL_MB", 2)
    monkeypatch.setattr(sources, "_MEMBERS", 2000)
    problems = [one.problem for one in listed(tmp_path, made)]
    assert problems.count(None) == 3 and set(problems) == {None, text("photos.zip_total", limit=2)}


def test_a_damaged_zip_in_a_zip_costs_only_itself(tmp_path):
    """Its neighbours are listed, and it is a row with its problem."""
    inner = zip_of({"а.html": b"<p>" * 100})
    made = bytearray(zip_of({"а.html": b"<p>", "б.zip": inner, "в.html": b"<p>"}))
    made[made.index(b"PK\x03\x04", 40) + 40] ^= 0xFF
    rows = [(one.file, one.problem is None) for one in listed(tmp_path, made)]
    assert rows == [("а.zip/а.html", True), ("а.zip/б.zip", False), ("а.zip/в.html", True)]


ERRORS = [
    PermissionError(errno.EACCES, "Permission denied", "/курс/Иванова Анна/отчёт.html"),
    zipfile.BadZipFile("Bad CRC-32 for file 'Иванова.html'"),
    zipfile.BadZipFile("File name in directory 'Иванова.html' and header b'\\x00' differ."),
    RuntimeError("""File "Иванова's.html" is encrypted"""),
]


@pytest.mark.parametrize("error", ERRORS, ids=str)
def test_an_error_names_no_student(tmp_path, monkeypatch, error):
    """What cannot be read is said without the name of its file, which stands in the row where names are shown."""
    monkeypatch.setattr(Path, "open", Mock(side_effect=error))
    with pytest.raises(LabkitError) as told:
        content(Source("а.html", tmp_path / "а.html"))
    said = "…" if isinstance(error, RuntimeError) else one_line(error)
    assert said in str(told.value) and "Иванова" not in str(told.value)


def test_zip_that_lies_about_its_size(tmp_path):
    """A member that would unpack to more than its header says gives no more, and is refused."""
    made = bytearray(zip_of({"а.html": bytes(9_000_000)}))
    for mark, at in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        place = made.rindex(mark) + at
        made[place : place + 4] = (1000).to_bytes(4, "little")
    (one,) = listed(tmp_path, made)
    with pytest.raises(LabkitError, match="не читается"):
        content(one)


def test_names_are_unique(tmp_path):
    """Two members of one name are two files."""
    with zipfile.ZipFile(tmp_path / "а.zip", "w") as archive, pytest.warns(UserWarning):
        archive.writestr("о.html", "<p>1")
        archive.writestr("о.html", "<p>2")
    found = sources.distinct(members(Source("а.zip", tmp_path / "а.zip")))
    assert [(one.file, content(one)) for one in found] == [("а.zip/о.html", b"<p>1"), ("а.zip/о.html (2)", b"<p>2")]
