"""Pairs of reports: the same photos, the same text, and no more than that."""

from __future__ import annotations

import io
import random
import time

import pytest
from PIL import Image, ImageOps

from labkit.grading.rows import PhotoRow, Row
from labkit.grading.similarity import with_pairs
from labkit.grading.thumbnails import look
from labkit.io.files import some
from labkit.locale import text

ALPHABET = [chr(code) for code in range(ord("а"), ord("я") + 1)]


def prose(seed: int, words: int = 40) -> str:
    """Words that nobody else writes."""
    chance = random.Random(seed)
    return " ".join("".join(chance.choices(ALPHABET, k=6)) for _ in range(words))


def row(file: str, photos: tuple[PhotoRow, ...] = (), answers=(), conclusions: str = "", student: str = "") -> Row:
    """A report of a student who is called as the file is."""
    return Row(file, "0" * 64, student=student or file, photos=photos, answers=answers, conclusions=conclusions)


def told(rows: list[Row]) -> dict[str, list[tuple[str, str, tuple[str, ...]]]]:
    """What the remarks say, by file."""
    return {one.file: [(r.kind, r.text, r.others) for r in one.remarks] for one in rows}


def resaved(path, factor: float = 1.0, quality: int = 70, mirrored: bool = False) -> bytes:
    """A photo of another size and quality."""
    buffer = io.BytesIO()
    with Image.open(path) as image:
        size = (round(image.width * factor), round(image.height * factor))
        again = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        (ImageOps.mirror(again) if mirrored else again).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def paths(root):
    """The kit's photos."""
    return sorted((root / "data" / "images").glob("*.jpg"))


def test_same_bytes():
    """Photos of the same sha256 are marked on both rows, and nothing else is."""
    same, own = PhotoRow("кот", "1" * 64), PhotoRow("пёс", "2" * 64)
    rows = [row("а", (same, own)), row("б", (PhotoRow("кошка", "1" * 64),)), row("в", (PhotoRow("лев", "3" * 64),))]
    assert told(with_pairs(rows)) == {
        "а": [("same_photos", text("pairs.photos", count=1, total=2, names="кот", files="б"), ("б",))],
        "б": [("same_photos", text("pairs.photos", count=1, total=1, names="кошка", files="а"), ("а",))],
        "в": [],
    }


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_same_look(paths, mirrored):
    """A photo that was scaled, mirrored and saved again is found by its look; two other photos are none."""
    first = [PhotoRow(path.stem, f"{n:064x}", look=look(path.read_bytes())) for n, path in enumerate(paths)]
    copies = [look(resaved(path, 0.6, 60, mirrored)) for path in paths]
    second = [PhotoRow(path.stem, f"{n + 99:064x}", look=copies[n]) for n, path in enumerate(paths)]
    rows = told(with_pairs([row("а", tuple(first)), row("б", tuple(second))]))
    names = some([path.stem for path in paths], 8)
    assert rows["а"] == [("same_photos", text("pairs.photos", count=10, total=10, names=names, files="б"), ("б",))]
    apart = told(with_pairs([row(one.name, (one,)) for one in first]))
    assert not any(apart.values())


def test_even_pictures_are_not_alike():
    """Two pictures of a single colour look the same, which says nothing."""
    looks = []
    for color in ("white", "navy"):
        buffer = io.BytesIO()
        Image.new("RGB", (64, 64), color).save(buffer, "JPEG")
        looks.append(look(buffer.getvalue()))
    rows = with_pairs([row(str(n), (PhotoRow("фон", str(n) * 64, look=one),)) for n, one in enumerate(looks)])
    assert not any(told(rows).values())


def test_photos_of_the_kit(paths):
    """They may be in any report, saved again too: that is said, and they make no pair."""
    kit = {"a" * 64: look(paths[0].read_bytes()), "b" * 64: look(paths[1].read_bytes())}
    mine = (PhotoRow("мой", "1" * 64, look=look(resaved(paths[0]))), PhotoRow("набор", "b" * 64))
    rows = told(with_pairs([row("а", mine), row("б", mine)], kit))
    assert rows == {one: [("kit_photos", text("grade.kit_told", names="мой, набор"), ())] for one in ("а", "б")}


def test_the_same_text():
    """Text that was copied, in part or with other capitals, is marked; of one's own is not, nor a few words."""
    mine, other = prose(1, 60), prose(2, 60)
    words = mine.split()
    copied = " ".join(words[:50]).upper() + ".\n\n" + prose(3, 8)
    rows = told(with_pairs([row("а", conclusions=mine), row("б", conclusions=copied), row("в", conclusions=other)]))
    assert rows["а"] == [("same_text", text("pairs.text", files="б (82%)"), ("б",))]
    assert rows["б"][0][2] == ("а",) and rows["в"] == []
    short = told(
        with_pairs([row("а", conclusions="Сеть работает хорошо."), row("б", conclusions="Сеть работает хорошо.")])
    )
    assert short == {"а": [], "б": []}


def test_one_answer():
    """One long answer that is in two reports is marked by its question, whatever stands around it."""
    long, question = prose(1, 30), "**1.** Где сеть ошиблась?"
    rows = [
        row("а", answers=((question, long), ("**2.** Почему?", prose(2))), conclusions=prose(3)),
        row("б", answers=((question, long + " Да."), ("**2.** Почему?", prose(4))), conclusions=prose(5)),
        row("в", answers=((question, prose(6)), ("**2.** Почему?", long)), conclusions=prose(7)),
    ]
    marked = told(with_pairs(rows))
    said = text("pairs.answers", questions="«1. Где сеть ошиблась?»", files="б")
    assert marked["а"] == [("same_text", said, ("б",))] and marked["в"] == []


def test_many_at_once():
    """A photo and a text that went round are told in one remark each, which names all."""
    photo, words = PhotoRow("кот", "1" * 64), prose(1)
    rows = told(with_pairs([row(f"{n}", (photo,), conclusions=words) for n in range(12)]))
    photos, written = rows["0"]
    assert photos[0] == "same_photos" and photos[2] == tuple(str(n) for n in range(1, 12))
    assert photos[1] == text("pairs.photos", count=1, total=1, names="кот", files="1, 2, 3, 4, 5, 6, 7, 8, … и ещё 3")
    assert written[0] == "same_text" and len(written[2]) == 11 and "и ещё 3" in written[1]


def test_one_student_twice():
    """The page and the notebook of one student are no copy, but it is said that there are two."""
    photo = PhotoRow("кот", "1" * 64)
    rows = [
        row("а.html", (photo,), (), prose(1), "Анна Иванова"),
        row("а.ipynb", (photo,), (), prose(1), "иванова анна"),
    ]
    assert told(with_pairs(rows))["а.html"] == [("same_photos", text("pairs.again", files="а.ipynb"), ("а.ipynb",))]


def test_unreadable_rows():
    """A row of a broken file stays as it is; so does a table of nothing."""
    broken = Row("б", "", problem="файл пуст")
    assert with_pairs([row("а"), broken, broken])[1:] == [broken, broken] and with_pairs([]) == []


def test_two_hundred_reports():
    """Pairs of a whole course, each with ten photos and a thousand words, in a few seconds; long texts cost no more."""
    chance = random.Random(0)
    rows = [
        row(
            f"{n}",
            tuple(PhotoRow(f"{k}", f"{n * 10 + k:064x}", look=f"{chance.getrandbits(128):032x}") for k in range(10)),
            tuple((f"Вопрос {k}", prose(n * 10 + k, 100)) for k in range(8)),
            prose(n, 200 if n else 400_000),
        )
        for n in range(200)
    ]
    start = time.process_time()
    assert not any(told(with_pairs(rows)).values())
    assert time.process_time() - start < 20
