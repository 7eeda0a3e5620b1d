"""What a report says, read once and strictly: checks, recomputation and table have the same facts.

Where two fields contradict each other, or one is missing, what counts is what the student gains least by.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from labkit.classes import VOC
from labkit.io.files import some
from labkit.locale import plural, text
from labkit.report.answers import FILLERS, complete
from labkit.variants import find_variant
from labkit.weights.catalogue import OFFICIAL

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["Asked", "as_prose", "asked_by", "gone", "made_by", "strict", "titled", "unseen", "word_list"]

_NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

_PART = 0.8
"""Of the words of an answer: a link's address and the like are in no page's text."""

_COPIED = 30
"""Characters of an answer that is not the student's if they stand in the question."""

_UNSHOWN = re.compile(r"\]\([^()]*\)|</?[A-Za-z][^<>]*>")
"""Of an answer in Markdown: where a link leads, and a tag."""

_OF_ALL = {"variant", "weights", "sha256", "classes"}
"""Fields of `made_by` in which all results of a report are one."""

_LOOK_ALIKE = str.maketrans("aeopcxyukmthb3\u03b1\u03bf\u03c1\u03b5\u03c4\u03ba\u0456", "аеорсхуикмтнвзаоретки")
_NO_PROSE = re.compile(r"<(script|style).*?(?:</\1[^>]*(?:>|\Z)|\Z)|<[a-z/!?][^>]*(?:>|\Z)", re.DOTALL | re.IGNORECASE)
"""Of a page: scripts, styles and tags, to their ends or the page's. "a < b" is text, as in a browser."""


class Asked(NamedTuple):
    """What a variant's own notebook has: its questions that must be answered, code cells and sections."""

    questions: tuple[str, ...] = ()
    cells: int = 0
    sections: int = 0


@cache
def asked_by(variant: int) -> Asked:
    """Of the kit's notebook; nothing where the kit came without its notebooks."""
    import nbformat

    path = _NOTEBOOKS / find_variant(variant).notebook
    if not path.is_file():
        return Asked()
    notebook = nbformat.read(path, as_version=4)
    data = complete({}, notebook)
    return Asked(tuple(row["question"] for row in data["answers"]), data["run"]["cells"], told_in(notebook)[1])


def told_in(notebook: NotebookNode) -> tuple[str, int]:
    """What a notebook's texts say, and into how many sections their headings part it."""
    prose = "\n".join(str(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    return prose, len(re.findall("^## ", prose, re.MULTILINE))


def made_by(data: dict[str, Any]) -> dict[str, Any]:
    """How the results of a report were made; of what a result says otherwise than its report, what it says itself.

    Weights of the catalogue know the classes that the catalogue says, others VOC's if they say nothing; only SAM, whose
    results are all by SAM, has none.
    """
    common = dict(data["made_by"])
    for result in data["results"]:
        common |= {key: result["made_by"][key] for key in result["made_by"].keys() & _OF_ALL}
    name = str(common.get("weights", ""))
    release = OFFICIAL.get(name.removeprefix("official/"))
    if common.get("variant") == "sam":
        common.pop("classes", None)
    elif release is not None:
        common["classes"] = release.classes
    elif name.startswith("embedded/") or not common.get("classes"):
        common["classes"] = VOC.name
    return common


def strict(data: dict[str, Any], repeated: Collection[str] = ()) -> dict[str, Any]:
    """The data as they are checked: every photo and every answer once, nothing left out that the notebook asks for.

    `repeated` are the names of photos that look as others of the report do.
    """
    asked = asked_by(data["variant_number"])
    photos: list[dict[str, Any]] = []
    known: set[str] = set()
    for photo in data["photos"]:
        marks = {photo["name"], photo["sha256"], photo["jpeg_sha256"] or photo["sha256"]}
        if not marks & known and photo["name"] not in repeated:
            photos.append(photo)
        known |= marks
    names = {photo["name"] for photo in photos}
    said: set[str] = set()

    def once(prose: str, question: str = "") -> str:
        words = _folded(prose)
        again = words in said or (len(words) > _COPIED and words in _folded(question))
        said.add(words)
        return "" if again else prose

    answers = [{**row, "answer": once(row["answer"], row["question"])} for row in data["answers"]]
    fewer = max(0, len(asked.questions) - len(answers))
    answers += [{"question": question, "answer": ""} for question in _absent(data)[:fewer]]
    return {
        **data,
        "made_by": made_by(data),
        "photos": photos,
        "results": [result for result in data["results"] if result["photo"] in names],
        "answers": answers,
        "conclusions": once(data["conclusions"]),
        "run": {**data["run"], "cells": max(data["run"]["cells"], asked.cells)},
    }


def unseen(data: dict[str, Any], page: str) -> list[str]:
    """The texts of the data that the page does not show, and what of the notebook is not there, a sentence each.

    `page` are the words of the page (`as_prose`).
    """
    words = f" {' '.join(_shown(page))} "
    gone = [titled(row["question"]) for row in data["answers"] if not _in(row["answer"], words)]
    sentences = [text("facts.answers", names=some(gone, 5))] if gone else []
    if not _in(data["conclusions"], words):
        sentences.append(text("facts.conclusions"))
    return sentences


def gone(data: dict[str, Any], sections: int, photos: Collection[str]) -> list[str]:
    """What is not in a report that has so many sections and carries these photos, a sentence each: sections and
    questions of the notebook, photos.
    """
    fewer = asked_by(data["variant_number"]).sections - sections
    sentences = [plural("facts.sections", fewer)] if fewer > 0 else []
    if questions := _absent(data):
        sentences.append(text("facts.questions", names=some(list(map(titled, questions)), 5)))
    if absent := [photo["name"] for photo in data["photos"] if photo["name"] not in photos]:
        sentences.append(text("facts.photos", names=some(absent, 5)))
    return sentences


def _absent(data: dict[str, Any]) -> list[str]:
    """The questions of the notebook that the report does not have."""
    there = "\n".join(_folded(row["question"]) for row in data["answers"])
    return [question for question in asked_by(data["variant_number"]).questions if _folded(question) not in there]


def as_prose(page: str) -> str:
    """The text of a page, without its scripts and styles; nothing of it is run, and it takes one pass."""
    return html.unescape(_NO_PROSE.sub(" ", page))


def _in(said: str, words: str) -> bool:
    lines = [_shown(line) for line in said.splitlines()]
    shown = sum(len(line) for line in lines if f" {' '.join(line)} " in words)
    return shown >= _PART * sum(map(len, lines))


def _shown(prose: str) -> list[str]:
    return word_list(html.unescape(_UNSHOWN.sub(" ", prose)))


def _folded(prose: str) -> str:
    """A text as it is compared (`word_list`)."""
    return " ".join(word_list(prose))


def word_list(prose: str) -> list[str]:
    """The words of a text as they are read: neither case nor accents count, nor what cannot be seen, and letters of
    other alphabets go by their looks.
    """
    bare = unicodedata.normalize("NFKD", prose.casefold()).translate(_LOOK_ALIKE)
    seen = (c for c in bare if c not in FILLERS and unicodedata.category(c) not in ("Mn", "Cf"))
    return re.findall(r"[^\W_]+", "".join(seen))


def titled(question: str) -> str:
    """A question as it is named in a sentence: bare, and cut short."""
    bare = " ".join(question.replace("*", "").split())
    return f"«{bare if len(bare) <= 60 else bare[:59] + '…'}»"
