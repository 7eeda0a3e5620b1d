"""A sample set of handed-in reports, made on the fly: good, wrong, edited, copied, hostile."""

import base64
import io
import json
import random
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from annotated import png_bytes
from executed import code_cells
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image

from labkit.grading.facts import asked_by
from labkit.photos import Photo, PhotoSet, load_photos
from labkit.report.data import BLOCK, MIME, OPENING, block, digest, results_data, sealed
from labkit.report.page import render
from labkit.segmentation import Segmentation
from labkit.variants import find_variant

WRITTEN = {
    "Где сеть ошиблась и почему?": (
        "Сеть приняла тень от головы за продолжение шерсти, потому что контраст на границе там почти нулевой, а более "
        "подробные признаки в этом месте шумят; на светлом фоне такого не было ни разу."
    ),
    "Что изменилось с порогом?": "При пороге выше половины пропадают усы, уши и узкая полоса вдоль контура.",
}

OTHER = {
    "Где сеть ошиблась и почему?": "На лошадях пропали тонкие ноги: при шаге восемь они уже одной клетки карты оценок.",
    "Что изменилось с порогом?": "Сначала ушли края, потом почти весь хвост; у людей с порогом не меняется ничего.",
}

CONCLUSIONS = (
    "Полносвёрточная сеть нашла животных на всех фото. Хуже всего ей дались края: они сглажены, а тонкие детали "
    "пропали. Помогло бы обучение на фото с большим разрешением и другой шаг последнего слоя."
)


def students_photos(folder: Path, source: Path, names: Sequence[str], turned: bool = False) -> PhotoSet:
    """Photos that are nobody else's: parts of the kit's, mirrored if `turned`, loaded for a report."""
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        with Image.open(source / f"{name}.jpg") as image:
            width, height = image.size
            part = image.convert("RGB").crop((width // 4, height // 5, width - 1, height - height // 12))
            part.thumbnail((512, 512))
            if turned:
                part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            part.save(folder / f"моё {number + 1}.jpg", quality=88)
    return load_photos(folder, for_report=True, quiet=True)


def notebook_of(
    photos: Sequence[Photo],
    results: Sequence[Segmentation],
    student: str = "Иванова Анна",
    variant: int = 3,
    answers: dict[str, str] = WRITTEN,
    conclusions: str = CONCLUSIONS,
    wanted: int = 2,
) -> nbformat.NotebookNode:
    """An executed notebook, with as many questions, cells and sections as the variant's own has."""
    data = json.loads(json.dumps(results_data(find_variant(variant), photos, results, student, "С-101", wanted)))
    cells = code_cells(results, {MIME: {**data, "digest": digest(data)}, "text/plain": "сведения"})
    asked = asked_by(variant)
    said = random.Random(student)  # nobody else says the same
    more = {q: " ".join("".join(said.choices("абвгдежзиклмн", k=6)) for _ in range(5)) for q in asked.questions}
    cells[1:1] = [new_code_cell("pass") for _ in range(asked.cells - len(cells))]
    for number, cell in enumerate(cells, start=1):
        cell.execution_count = number
    rows = enumerate({**more, **answers}.items(), start=1)
    questions = "\n\n".join(f"**{n}.** {question}\n\n*Ваш ответ:* {answer}" for n, (question, answer) in rows)
    sections = "\n\n".join(f"## {title}" for title in asked.sections)
    texts = [new_markdown_cell(questions), new_markdown_cell(f"## 11. Выводы\n\n{conclusions}")]
    return new_notebook(cells=[new_markdown_cell(f"# Отчёт\n\n{sections}"), *cells[:-1], *texts, cells[-1]])


def page_of(notebook: nbformat.NotebookNode, variant: int = 3) -> str:
    """The report of a notebook, as `labkit report` writes it."""
    return render(notebook, find_variant(variant))[0]


def edited(page: str, change: Callable[[dict[str, Any]], None], seal: bool = False) -> str:
    """The page with other data in its block; the seals stay as they were, or are made anew."""
    data = json.loads(BLOCK.search(page)[1])
    change(data)
    data = sealed(data, BLOCK.sub("", page)) if seal else data
    return BLOCK.sub(lambda _: block(data), page)


def resealed(page: str, change: Callable[[dict[str, Any]], None] = lambda data: None) -> str:
    """The page, which may have been changed, with other data and new seals: by somebody who has read the code."""
    return edited(page, change, seal=True)


def outside(page: str, old: str, new: str) -> str:
    """The page with something else in it, its data as they were."""
    found = BLOCK.search(page)
    before, after = page[: found.start()], page[found.end() :]
    assert old in before + after
    return before.replace(old, new) + found[0] + after.replace(old, new)


def zip_of(files: dict[str, bytes], encoding: str | None = None) -> bytes:
    """A zip; with `encoding` its names are in that, and nothing says so."""

    class Named(zipfile.ZipInfo):
        def _encodeFilenameFlags(self) -> tuple[bytes, int]:
            return self.filename.encode(encoding), self.flag_bits

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            info = Named(name) if encoding else zipfile.ZipInfo(name)
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def hostile(page: str) -> dict[str, tuple[bytes, str | None]]:
    """Files that mean no good, made of a good report's page, and the key of what is said of each; None if it is read.

    In a zip, what is said of its only file.
    """
    data = json.loads(BLOCK.search(page)[1])
    whole = page.encode()
    script = "<script>document.title = 'попался'</script>"
    layer = re.compile(r'"layers": \["data:image/png;base64,[^"]*"')
    large = base64.b64encode(png_bytes(40_000, 25_000, 8, 2, bytes(100))).decode()
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    svg = f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l0 "л">{lol}]><svg><text>&l9;</text></svg>'
    encrypted = bytearray(zip_of({"отчёт.html": whole}))
    encrypted[encrypted.rindex(b"PK\x01\x02") + 8] |= 1
    broken = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "outputs": [7]}]}'

    def with_data(**changed: Any) -> str:
        return resealed(page, lambda data: data.update(changed))

    def with_part(part: str) -> str:
        return resealed(page.replace("</main>", f"{part}</main>", 1))

    def huge(data: dict[str, Any]) -> None:
        data["results"][0]["size"] = data["photos"][0]["size"] = [40_000, 25_000]

    def many(data: dict[str, Any]) -> None:
        data["results"][0]["size"] = [2000, 2000]
        data["results"] = [{**data["results"][0], "segments": data["results"][0]["segments"] * 1000}] * 10

    named = with_data(student="ЗДЕСЬ\u202eвонави", conclusions="\x00\x1b[31m слово")
    files: dict[str, tuple[str | bytes, str | None]] = {
        "разметка.html": (with_data(student=script, group="\"><img src=x onerror='x'>", conclusions=script), None),
        "скрипт.html": (with_part(script), None),
        "суррогаты.html": (named.replace("ЗДЕСЬ", r"\ud83d"), None),
        "лол.html": (with_part(svg), None),
        "png.html": (resealed(layer.sub(f'"layers": ["data:image/png;base64,{large}"', page, count=1)), None),
        "секунды.html": (re.sub(r'"seconds":[\d.]+', '"seconds":1e999', page), None),
        "просмотры.html": (with_part('mountMarked("0123456789abcdef", {' * 100_000), None),
        "матрёшка.html": (page.replace('"scores":null', '"scores":' + '{"a":' * 900 + "1" + "}" * 900), None),
        "пустой.html": (" \n", "submission.empty"),
        "чужой.html": ("<!doctype html><title>Блог</title><p>Просто страница", "submission.no_block"),
        "двойной.html": (page.replace("</body>", block(data) + "</body>"), "submission.two_blocks"),
        "открытия.html": (page.replace("</main>", OPENING * 200_000 + "</main>"), "submission.two_blocks"),
        "обрыв.html": (page[: page.index(OPENING) + len(OPENING) + 500], "submission.cut"),
        "не-json.html": (BLOCK.sub(OPENING + "{'a': 1}</script>", page), "submission.data"),
        "глубокий.html": (BLOCK.sub(OPENING + "[" * 200_000 + "]" * 200_000 + "</script>", page), "submission.data"),
        "не-по-схеме.html": (with_data(variant_number=7), "submission.data"),
        "гигапиксель.html": (resealed(page, huge), "submission.pixels"),
        "маски.html": (resealed(page, many), "submission.masks"),
        "большой.html": (page + " " * 31_000_000, "submission.large"),
        "картинка.html": (png_bytes(40_000, 25_000, 8, 2, bytes(100)), "submission.no_block"),
        "бомба.zip": (zip_of({"отчёт.html": bytes(29_000_000)}), "photos.zip_ratio"),
        "тяжёлый.zip": (zip_of({"отчёт.html": bytes(31_000_000)}), "photos.zip_member_size"),
        "пароль.zip": (bytes(encrypted), "photos.zip_encrypted"),
        "побег.zip": (zip_of({"../../побег.html": whole}), "submission.climbs"),
        "корень.zip": (zip_of({"/etc/побег.html": whole}), "submission.climbs"),
        "матрёшка.zip": (zip_of({"а.zip": zip_of({"б.zip": zip_of({"отчёт.html": whole})})}), "submission.nested"),
        "битый.zip": (zip_of({"отчёт.html": whole})[:-40], "photos.bad_zip"),
        "порча.zip": (zip_of({"отчёт.html": whole}).replace(b"PK\x03\x04", b"PK\x03\x05", 1), "submission.unreadable"),
        "без отчёта.zip": (zip_of({"фото.jpg": b"\xff\xd8"}), "submission.foreign"),
        "не тетрадь.ipynb": ("{}", "submission.notebook"),
        "чужая.ipynb": (nbformat.writes(new_notebook(cells=[new_code_cell("1 / 0")])), "submission.not_run"),
        "кривая.ipynb": (broken, "submission.notebook"),
        "глубокая.ipynb": ("[" * 200_000, "submission.deep"),
        "отчёт.rar": (b"Rar!", "submission.foreign"),
        '<img src=x onerror="x">.html': ("<p>имя с разметкой", "submission.no_block"),
    }
    return {name: (made if isinstance(made, bytes) else made.encode(), key) for name, (made, key) in files.items()}


@pytest.fixture(scope="session")
def sample(root, load, tmp_path_factory) -> SimpleNamespace:
    """A good report of FCN on three photos and what it was made of, and two photos and results of another student."""
    folder, source = tmp_path_factory.mktemp("сданное"), root / "data" / "images"
    photos = students_photos(folder / "а", source, ["cat_kitten", "dog_shepherd", "sheep"])
    others = students_photos(folder / "б", source, ["horses", "officer"], turned=True)
    results, other_results = (load(3).segment_all(one) for one in (photos, others))
    notebook = notebook_of(photos, results)
    made = {"photos": photos, "results": results, "notebook": notebook, "page": page_of(notebook)}
    return SimpleNamespace(**made, other_photos=others, other_results=other_results)
