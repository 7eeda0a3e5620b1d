"""Pairs of reports: the same photos, the same text, and no more than that."""

import base64
import hashlib
import os
import random
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
from handed_in import OTHER, WRITTEN
from pictured import written
from PIL import Image, ImageOps

from labkit.grading import similarity
from labkit.grading.looks import alike, look
from labkit.grading.rows import PhotoRow, Row
from labkit.grading.similarity import compared
from labkit.locale import text
from labkit.variants import find_variant


def prose(seed: int, words: int = 40) -> str:
    """Words that nobody else writes."""
    chance = random.Random(seed)
    return " ".join("".join(chance.choices("абвгдежзийклмнопрстуфхцчшщъыьэюя", k=6)) for _ in range(words))


def row(file: str, photos: tuple[PhotoRow, ...] = (), answers=(), conclusions: str = "", student: str = "") -> Row:
    """A report of a student who is called as the file is."""
    digest = hashlib.sha256(file.encode()).hexdigest()
    return Row(file, digest, student=student or file, photos=photos, answers=answers, conclusions=conclusions)


def told(rows: list[Row], kit=None) -> dict[str, list[tuple[str, str, tuple[str, ...]]]]:
    """What the remarks say, by file."""
    said = compared(rows, kit)
    return {one.file: [(r.kind, r.text, r.others) for r in remarks] for one, remarks in zip(rows, said, strict=True)}


def resaved(path, change=lambda image: image, factor: float = 1.0, quality: int = 70) -> bytes:
    """A photo that was changed, of another size and quality."""
    with Image.open(path) as image:
        size = (round(image.width * factor), round(image.height * factor))
        return written(change(image.convert("RGB").resize(size, Image.Resampling.LANCZOS)), "JPEG", quality=quality)


def cropped(left: float, top: float, right: float, bottom: float):
    """Cuts so much of the width or height off."""
    shares = np.array([left, top, 1 - right, 1 - bottom])
    return lambda image: image.crop(tuple((shares * (image.size * 2)).round().astype(int).tolist()))


CHANGES = {
    "as it is": lambda image: image,
    "cropped at the left": cropped(0.15, 0, 0, 0),
    "cropped at a corner": cropped(0, 0.15, 0.15, 0),
    "cropped all around": cropped(0.07, 0.08, 0.07, 0.07),
    "turned by 3": lambda image: image.rotate(3, Image.Resampling.BICUBIC),
    "turned by 90": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "turned by 180": lambda image: image.transpose(Image.Transpose.ROTATE_180),
    "mirrored": ImageOps.mirror,
    "flipped": ImageOps.flip,
    "mirrored and cropped": lambda image: cropped(0, 0.1, 0.1, 0)(ImageOps.mirror(image)),
    "with a white frame": lambda image: ImageOps.expand(image, image.width // 12, "white"),
    "with a black frame": lambda image: ImageOps.expand(image, image.width // 10, "black"),
    "inverted": ImageOps.invert,
}


def test_same_bytes():
    """Photos of the same sha256 are marked on both rows, and nothing else is, nor are two files that cannot be read."""
    same, own = PhotoRow("кот", "1" * 64), PhotoRow("пёс", "2" * 64)
    rows = [row("а", (same, own)), row("б", (PhotoRow("кошка", "1" * 64),)), row("в", (PhotoRow("лев", "3" * 64),))]
    assert compared([*rows, *[Row("г", "", problem="файл пуст")] * 2])[3:] == [[], []] and compared([]) == []
    assert told(rows) == {
        "а": [("same_photos", text("pairs.photos", count=1, total=2, names="кот", files="б"), ("б",))],
        "б": [("same_photos", text("pairs.photos", count=1, total=1, names="кошка", files="а"), ("а",))],
        "в": [],
    }


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_same_photo(default_photos, change):
    """A photo that was changed, scaled and saved again is found by its look; two other photos are none."""
    paths = [photo.path for photo in default_photos.values()]
    first = [look(path.read_bytes()) for path in paths]
    copies = [look(resaved(path, change, 0.6, 60)) for path in paths]
    pairs = alike(first + copies, ["а"] * len(first) + ["б"] * len(copies))
    assert {(one, other - len(first)) for one, other in pairs} == {(n, n) for n in range(len(paths))}


@pytest.mark.skipif("LABKIT_PHOTOS" not in os.environ, reason="LABKIT_PHOTOS names a folder of many photos")
def test_no_false_pair_among_many_photos():
    """Of fifteen hundred photos of the training data one is there twice, and two were taken within a moment."""
    paths = sorted(Path(os.environ["LABKIT_PHOTOS"]).glob("*.jpg"))[:1500]
    looks = [look(path.read_bytes()) for path in paths]
    known = {("feral_416.jpg", "feral_857.jpg"), ("msrc_4_2_s.jpg", "msrc_4_3_s.jpg")}
    assert {(paths[one].name, paths[other].name) for one, other in alike(looks, paths)} <= known


def test_even_pictures_are_not_alike():
    """Two pictures of a single colour look the same, which says nothing."""
    even = [base64.b64encode(bytes([grey]) * 64 * 64).decode() for grey in (255, 90)]
    assert alike(even, ["а", "б"]) == set()


def test_photos_of_the_kit(default_photos):
    """They may be in any report, known by bytes or, saved again, by look: that is said, and they make no pair."""
    kit = similarity._kit_photos()
    assert set(kit) == {photo.sha256 for photo in default_photos.values()} and None not in kit.values()
    assert len(set(kit.values())) == 10
    again = look(resaved(default_photos["astronaut"].path))
    mine = (PhotoRow("мой", "1" * 64, look=again), PhotoRow("набор", list(kit)[1]))
    rows = told([row("а", mine), row("б", mine)], kit)
    assert rows == {one: [("kit_photos", text("grade.kit_told", names="мой, набор"), ())] for one in ("а", "б")}


def test_the_same_text():
    """Text that was copied, in part or with other capitals, is marked; of one's own is not, nor a few words."""
    mine, other = prose(1, 60), prose(2, 60)
    words = mine.split()
    copied = " ".join(words[:50]).upper() + ".\n\n" + prose(3, 8)
    rows = told([row("а", conclusions=mine), row("б", conclusions=copied), row("в", conclusions=other)])
    assert rows["а"] == [("same_text", text("pairs.text", files="б (72\xa0%)"), ("б",))]
    assert rows["б"][0][2] == ("а",) and rows["в"] == []
    short = told([row("а", conclusions="Сеть работает хорошо."), row("б", conclusions="Сеть работает хорошо.")])
    assert short == {"а": [], "б": []}


DISGUISES = {
    "latin letters": lambda words: [word.translate(str.maketrans("аеорсху", "aeopcxy")) for word in words],
    "rare letters": lambda words: [word.translate(str.maketrans("аеоктмнврсу", "ɑᴇօᴋᴛᴍʜʙᴘᴄү")) for word in words],
    "inserted": lambda words: [part for n, word in enumerate(words) for part in ((word, "же") if n % 2 else (word,))],
    "unseen marks": lambda words: [f"{word[:2]}\u200b{word[2:]}" for word in words],
    "accents": lambda words: [f"{word[:3]}\u0301{word[3:]}" for word in words],
    "order": lambda words: words[30:] + words[:30],
    "left out": lambda words: [word for n, word in enumerate(words) if n % 5],
    "swapped": lambda words: [words[n ^ 1] for n in range(len(words))],
    "any order": sorted,
}


@pytest.mark.parametrize("disguised", DISGUISES.values(), ids=DISGUISES)
def test_disguised_text(disguised):
    """A text stays the same text, whatever letters look alike, and whatever words are put between."""
    mine = prose(1, 60)
    rows = told([row("а", conclusions=mine), row("б", conclusions=" ".join(disguised(mine.split())))])
    assert [kind for kind, *_ in rows["а"]] == ["same_text"]


def test_texts_on_one_question_are_no_copies():
    """Two students who answer the same question with the same terms have each his own text."""
    mine, other = list(WRITTEN.values()), list(OTHER.values())
    rows = told([row("а", conclusions=" ".join(mine)), row("б", conclusions=" ".join(other))])
    assert rows == {"а": [], "б": []}


def test_the_same_file_of_another_student():
    """Byte for byte one file in two students' folders is a copy, whoever it names; in his own it is not."""
    one = replace(row("Иванов_1_assignsubmission_file_/а.html", student="Анна"), who="moodle:1", id="1", name="Иванов")
    two = replace(one, file="Петров_2_assignsubmission_file_/б.html", who="moodle:2", id="2", name="Петров")
    rows = told([one, two])
    assert rows[one.file] == [("same_file", text("pairs.copy", files=f"{two.file} (Петров)"), (two.file,))]
    assert rows[two.file][0][2] == (one.file,)
    again = told([one, replace(one, file="Иванов_1_assignsubmission_file_/в.html")])
    assert again[one.file][0][1] == text("pairs.again", files="Иванов_1_assignsubmission_file_/в.html")


def test_one_answer():
    """One long answer that is in two reports is marked by its question, whatever stands around it."""
    long, question = prose(1, 30), "**1.** Где сеть ошиблась?"
    rows = [
        row("а", answers=((question, long), ("**2.** Почему?", prose(2))), conclusions=prose(3)),
        row("б", answers=((question, long + " Да."), ("**2.** Почему?", prose(4))), conclusions=prose(5)),
        row("в", answers=((question, prose(6)), ("**2.** Почему?", long)), conclusions=prose(7)),
    ]
    marked = told(rows)
    said = text("pairs.answers", questions="«1. Где сеть ошиблась?»", files="б")
    assert said in marked["а"][0][1] and marked["а"][0][2] == ("б", "в")


@pytest.mark.parametrize("parts", [2, 3])
def test_an_answer_that_was_split(parts):
    """What was copied into answers to other questions, among much of one's own, is the same text all the same."""
    copied, size = prose(1, 60).split(), 60 // parts
    own = [(f"**{n}.** Где?", f"{prose(n + 2, 30)} {' '.join(copied[n * size :][:size])}") for n in range(parts)]
    rows = [row("а", answers=[("**9.** Что?", " ".join(copied))], conclusions=prose(9)), row("б", answers=own)]
    marked = {file: [(kind, others) for kind, _, others in one] for file, one in told(rows).items()}
    assert marked == {"а": [("same_text", ("б",))], "б": [("same_text", ("а",))]}


def test_who_quotes_the_notebook_copies_nobody(root):
    """What its texts say may stand in any report; what each says of it is his own."""
    notebook = nbformat.read(root / "notebooks" / find_variant(3).notebook, 4)
    quoted = max((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), key=len)
    rows = [replace(row(name, conclusions=f"{quoted}\n{prose(n)}"), variant=3) for n, name in enumerate("аб")]
    assert compared(rows) == [[], []] and compared([replace(one, variant=None) for one in rows]) != [[], []]


def test_many_at_once():
    """A photo and a text that went round are told in one remark each, which names all."""
    photo, words = PhotoRow("кот", "1" * 64), prose(1)
    rows = told([row(f"{n}", (photo,), conclusions=words) for n in range(12)])
    photos, texts = rows["0"]
    assert photos[0] == "same_photos" and photos[2] == tuple(str(n) for n in range(1, 12))
    assert photos[1] == text("pairs.photos", count=1, total=1, names="кот", files="1, 2, 3, 4, 5, 6, 7, 8, … и ещё 3")
    assert texts[0] == "same_text" and len(texts[2]) == 11 and "и ещё 3" in texts[1]


def test_one_student_twice():
    """The page and the notebook of one student are no copy, but it is said that there are two."""
    photo = PhotoRow("кот", "1" * 64)
    names = {"а.html": "Анна Иванова", "а.ipynb": "иванова анна"}
    rows = [row(file, (photo,), conclusions=prose(1), student=student) for file, student in names.items()]
    assert told(rows)["а.html"] == [("same_photos", text("pairs.again", files="а.ipynb"), ("а.ipynb",))]
