"""What a report says, read once and strictly: checks, recomputation and table have the same facts.

Where two fields contradict each other, or one is missing, what counts is what the student gains least by.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rapidfuzz import fuzz

from labkit.classes import LABEL_SETS, VOC
from labkit.io.files import some
from labkit.locale import in_each_language, text
from labkit.report.answers import FILLERS, complete
from labkit.report.answers import words as count_words
from labkit.report.checks import FEW, MIN_WORDS, titled
from labkit.report.data import classes_of
from labkit.report.provenance import setting_told
from labkit.segmentation import MIN_SHARE
from labkit.variants import find_variant
from labkit.weights.catalogue import OFFICIAL
from labkit.weights.find import EMBEDDED

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["LATER", "as_prose", "asked_by", "gone", "headings", "made_by", "other_facts", "own_words", "phrases"]
__all__ += ["prose_of", "strict", "unseen", "untrue", "unusual", "word_list"]

_NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
_OPTIONAL = {"screen", "ground-truth"}  # tags of cells that a report may be without
_OF_ALL = ("variant", "weights", "sha256", "classes")  # fields of `made_by` in which all results of a report are one
_PHRASE = 5  # words
_PART = 0.8  # of the words of an answer: a link's address and the like are in no page's text

_ALIKE, _MIN_ALIKE, _MIN_COPIED, _MAX_COMPARED, _MAX_ASKED = 85, 20, 30, 1000, 600
"""Per cent from which on two answers are one; characters that an answer has at least of which that can be said, and
one that is not the student's if it stands in the question; how many of an answer and of a question are compared.
"""

_MAX_TAGS, _MAX_TITLES, _MAX_PROSE = 200_000, 1000, 2_000_000
"""Of a page, and characters of its text; a report has some thousands. What follows is not read, and so is missed."""

_UNSHOWN = re.compile(
    r"!\[[^\[\]]*\]\([^()]*\)|\]\([^()]*\)|</?[A-Za-z][^<>]*>|<!--[^<>]*-->|^[ \t>*+-]*\d+[.)][ \t]", re.MULTILINE
)
"""Of an answer in Markdown: a picture, where a link leads, a tag, a comment, and the number of a list's line."""

_LINE, _LINES = re.compile(r"(.*\S) {2,}<?([\d.,]+)\s?% {2,}([\d.,]+)\s*"), 3
"""A line of the table of results: what was found, its share and score; of each photo it has at least so many."""

_OF_OBJECTS = dict.fromkeys(("score_threshold", "nms_threshold", "mask_threshold"), 0.5)
_OF_OBJECTS |= {"cross_nms_threshold": 0.7, "max_detections": 100, "inside_threshold": 0.8}
LATER = {"inside_threshold": 1.0}
"""Settings that reports of before have not, and the values that leave a result as it was without them."""

_USUAL: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "deeplab": ({"working_side": 480}, {"working_side": 520}),
    "unet": ({"working_side": 480}, {"working_side": 512}),
    "fcn": ({"working_side": 480, "finest": 8}, {"working_side": 520}),
    "sam": (
        {"points_per_side": 12, "score_threshold": 0.4, "stability_threshold": 0.7, "nms_threshold": 0.7},
        {"points_per_side": 32, "score_threshold": 0.88, "stability_threshold": 0.95, "nms_threshold": 0.7},
    ),
    "pspnet": ({"working_side": 480}, {"working_side": 480}),
    "mask_rcnn": ({"working_side": 576, **_OF_OBJECTS}, {"working_side": 1333, **_OF_OBJECTS, **LATER}),
}
"""The settings of the embedded and of the official networks when nothing is said, as they are known without torch."""

_LOOK_ALIKE = str.maketrans(
    "aeopcxyukmthb3\u03b1\u03bf\u03c1\u03b5\u03c4\u03ba\u0456\u03c7\u03c2\u04af"
    "\u0585\u0251\u1d0f\u1d04\u1d0b\u1d1b\u1d0d\u029c\u0299\u1d00\u1d07\u1d18",
    "аеорсхуикмтнвзаореткихсуоаосктмнваер",
)
_NO_PROSE = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|template).*?(?:</\1[^>]*(?:>|\Z)|\Z)|<[a-z/!?][^>]*(?:>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
"""Of a page: comments, scripts, styles and tags, to their ends or the page's. "a < b" is text, as in a browser."""


class Asked(NamedTuple):
    """What a variant's own notebook has: its questions that must be answered, code cells, sections, and phrases."""

    questions: tuple[str, ...] = ()
    cells: int = 0
    sections: tuple[str, ...] = ()
    phrases: frozenset[tuple[str, ...]] = frozenset()


class _Node(dict[str, Any]):
    """A part of a notebook that is known to be good: to import nbformat takes each process a second and more."""

    __getattr__ = dict.__getitem__


@cache
def asked_by(variant: int) -> Asked:
    """Of the kit's notebook; nothing where the kit came without its notebooks."""
    path = _NOTEBOOKS / find_variant(variant).notebook
    if not path.is_file():
        return Asked()
    notebook: Any = json.loads(path.read_bytes(), object_hook=_Node)
    for cell in notebook.cells:
        cell["source"] = "".join(cell.source)
    data, said = complete({}, notebook), frozenset(phrases(word_list(prose_of(notebook))))
    notebook["cells"] = [cell for cell in notebook.cells if not _OPTIONAL & set(cell.metadata.get("tags", ()))]
    sections = [title for title in headings(prose_of(notebook)) if title != "Выводы"]  # these have a check of their own
    return Asked(tuple(row["question"] for row in data["answers"]), data["run"]["cells"], tuple(sections), said)


def phrases(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Each five words that follow one another, in whatever order."""
    return [tuple(sorted(words[n : n + _PHRASE])) for n in range(len(words) - _PHRASE + 1)]


def own_words(words: Sequence[str], variant: int | None) -> list[str]:
    """The words without the phrases of the variant's own notebook, which anybody may quote."""
    known = asked_by(variant).phrases if variant else ()
    quoted = {n + k for n, one in enumerate(phrases(words)) if one in known for k in range(_PHRASE)}
    return [word for n, word in enumerate(words) if n not in quoted]


def prose_of(notebook: NotebookNode) -> str:
    """What a notebook's texts say."""
    return "\n".join(str(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")


def headings(prose: str) -> list[str]:
    """The titles of the sections of a text in Markdown or HTML."""
    found = [part.partition("</h2")[0].partition(">")[2] for part in prose.split("<h2", _MAX_TITLES)[1:]]
    return [as_prose(title).strip("¶ ") for title in re.findall("^## (.+)", prose, re.MULTILINE) + found]


def made_by(data: dict[str, Any], *results: dict[str, Any]) -> dict[str, Any]:
    """How these results of a report were made, all of them unless some are given.

    What they say otherwise than their report, they say themselves; a field in which they differ has all its values:
    that is no model's. Embedded weights without a name are known by their hash. Weights of the catalogue know the
    classes that it says, others VOC's where they name none that there are; only SAM, of all results, has none.
    """
    made = [data["made_by"] | result["made_by"] for result in results or data["results"]] or [data["made_by"]]
    common = data["made_by"] | (made[0] if results else {})
    for key in _OF_ALL:
        said = dict.fromkeys(str(one.get(key, "")) for one in made)
        common |= {key: ", ".join(said)} if "".join(said) else {}
    if not common.get("weights", "").strip() and common.get("sha256") in EMBEDDED.values():
        common["weights"] = next(f"embedded/{one}" for one, sha256 in EMBEDDED.items() if sha256 == common["sha256"])
    name = common.get("weights", "")
    release = OFFICIAL.get(name.removeprefix("official/"))
    if common.get("variant") == "sam":
        common.pop("classes", None)
    elif release is not None:
        common["classes"] = release.classes
    elif name.startswith("embedded/") or common.get("classes") not in LABEL_SETS:
        common["classes"] = VOC.name
    return common


def unusual(data: dict[str, Any]) -> list[str]:
    """The settings of a report's results that are not the usual ones of their weights, or are missing, each once."""
    told: dict[str, None] = {}
    for result in data["results"]:
        made = made_by(data, result)
        usual = _USUAL.get(made.get("variant", ""), ({}, {}))[made.get("weights", "").startswith("official/")]
        for name, value in (dict.fromkeys(n for n in usual if n not in LATER) | made.get("settings", {})).items():
            if isinstance(value, bool) or value != usual.get(name):
                shown = "—" if value is None else value if isinstance(value, float) else str(value)[:40]
                told[setting_told(name[:40], shown, usual.get(name, "—"))] = None
    return list(told)


def strict(data: dict[str, Any], repeated: Collection[str] = ()) -> dict[str, Any]:
    """The data as they are checked: every photo and every answer once, nothing left out that the notebook asks for, and
    in its order.

    `repeated` are the names of photos that look as others of the report do.
    """
    asked = asked_by(data["variant_number"])
    photos: list[dict[str, Any]] = []
    seen: set[str] = set()
    for photo in data["photos"]:
        marks = {photo["name"], photo["sha256"], photo["jpeg_sha256"] or photo["sha256"]}
        if not marks & seen and photo["name"] not in repeated:
            photos.append(photo)
        seen |= marks
    names = {photo["name"] for photo in photos}
    said: list[str] = []

    def once(prose: str, question: str = "", least: int = 1) -> str:
        words = _folded(prose[: 4 * _MAX_COMPARED])[:_MAX_COMPARED]
        asked = _folded(question[: 4 * _MAX_ASKED])[:_MAX_ASKED]
        long = [one for one in said if min(len(one), len(words)) >= _MIN_ALIKE]
        again = any(fuzz.ratio(words, one, score_cutoff=_ALIKE) for one in long)
        again = again or (count_words(prose) > FEW and words in said)
        if _MIN_COPIED < len(words) <= len(asked):
            again = again or fuzz.partial_ratio(words, asked, score_cutoff=_ALIKE) > 0
        own = own_words(every := word_list(prose), data["variant_number"])
        again = again or (len(words) > _MIN_COPIED and len(own) < len(every) and count_words(" ".join(own)) < least)
        said.append(words)
        return "" if again else prose

    answers = [{**row, "answer": once(row["answer"], row["question"])} for row in data["answers"]]
    fewer = max(0, len(asked.questions) - len(answers))
    answers += [{"question": question, "answer": ""} for question in _absent(data)[:fewer]]
    folded = {row["question"]: _folded(row["question"]) for row in answers}
    known = dict(enumerate(map(_folded, asked.questions)))
    answers.sort(key=lambda row: next((n for n, one in known.items() if one in folded[row["question"]]), len(known)))
    return {
        **data,
        "made_by": made_by(data),
        "photos": photos,
        "results": [result for result in data["results"] if result["photo"] in names],
        "answers": answers,
        "conclusions": once(data["conclusions"], "", MIN_WORDS),
        "run": {**data["run"], "cells": max(data["run"]["cells"], asked.cells)},
    }


def untrue(data: dict[str, Any]) -> list[str]:
    """That the table of results is not that of the segments, in a sentence, by the photos of which that can be said.

    A line of it is a segment's if share and score are, as they are rounded, and the name in either language.
    """
    labels, told = classes_of({"made_by": made_by(data)}), _told(data)
    wrong = list(told.keys() - {result["photo"] for result in data["results"]})

    def is_of(line: tuple[str, float, float], segment: dict[str, Any]) -> bool:
        (name, share, score), label = line, segment["label_id"]
        known = [*labels.names[label : label + 1], *labels.names_ru[label : label + 1]] if labels else [name]
        return abs(share - segment["share"]) <= 0.51 and abs(score - segment["score"]) <= 0.0051 and name in known

    for result in data["results"]:
        pixels, lines = result["size"][0] * result["size"][1], told[result["photo"]]
        own = [{**one, "share": 100 * one["area"] / pixels} for one in result["segments"]]
        own.sort(key=lambda one: -one["area"])
        least = min(_LINES, sum(one["share"] >= 100 * MIN_SHARE for one in own) or len(own))
        fits = all(any(is_of(line, one) for one in own) for line in lines)
        if not fits or not all(any(is_of(line, one) for line in lines) for one in own[:least]):
            wrong.append(result["photo"])
    return _sentences({"table": wrong})


def _told(data: dict[str, Any]) -> dict[str, list[tuple[str, float, float]]]:
    """What the printed table says of each photo: names of what was found, shares in per cent, scores."""
    names = sorted((result["photo"] for result in data["results"]), key=len, reverse=True)
    told: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    photo = ""
    for line in filter(None, map(_LINE.fullmatch, data["summary"].splitlines())):
        begun = next((name for name in names if line[1].startswith(name)), "")
        photo = begun if line[1][0] != " " else photo
        with suppress(ValueError):
            share, score = (float(part.replace(",", ".")) for part in line.groups()[1:])
            told[photo].append((line[1].removeprefix(begun).strip(" 0123456789"), share, score))
    return told


def unseen(data: dict[str, Any], page: str) -> list[str]:
    """The texts of the data that the page does not show, a sentence each; `page` are its words (`as_prose`)."""

    def words(prose: str) -> list[str]:
        return word_list(html.unescape(_UNSHOWN.sub(" ", prose)))

    def is_there(said: str) -> bool:
        lines = list(map(words, said.splitlines()))
        return sum(len(line) for line in lines if f" {' '.join(line)} " in shown) >= _PART * sum(map(len, lines))

    shown = f" {' '.join(words(page))} "
    answers = [titled(row["question"]) for row in data["answers"] if not is_there(row["answer"])]
    return _sentences({"answers": answers, "conclusions": [] if is_there(data["conclusions"]) else [""]})


def gone(data: dict[str, Any], sections: Collection[str], photos: Collection[str]) -> list[str]:
    """What is not in a report of these sections and photos, a sentence each: sections, questions, photos."""
    absent = {
        "sections": list(map(titled, _missing(asked_by(data["variant_number"]).sections, sections))),
        "questions": list(map(titled, _absent(data))),
        "photos": [photo["name"] for photo in data["photos"] if photo["name"] not in photos],
    }
    return _sentences(absent)


def other_facts(data: dict[str, Any], page: str) -> dict[str, str]:
    """What tables of a page say of student, group and weights otherwise than the data, a sentence each."""
    said = {**data, "weights": data["made_by"].get("weights", "")}
    told = {}
    for key in ("student", "group", "weights"):
        titles = "|".join(map(re.escape, in_each_language(text, f"report.{key}").values()))
        for cell in set(re.findall(rf"<th[^<>]*>(?:{titles})</th>\s*<td[^<>]*>([^<]*)<", page)):
            shown = html.unescape(cell).strip(" —")
            if sorted(word_list(shown)) != sorted(word_list(said[key])):
                told[key] = text("facts.other", title=text(f"report.{key}"), shown=shown[:200], said=said[key][:200])
    return told


def _sentences(absent: dict[str, list[str]]) -> list[str]:
    return [text(f"facts.{what}", names=some(names, 5)) for what, names in absent.items() if names]


def _absent(data: dict[str, Any]) -> list[str]:
    """The questions of the notebook that the report does not have."""
    return _missing(asked_by(data["variant_number"]).questions, [row["question"] for row in data["answers"]])


def _missing(wanted: Iterable[str], there: Iterable[str]) -> list[str]:
    """Those texts that are in none of the others."""
    known = "\n".join(map(_folded, there))
    return [one for one in wanted if _folded(one) not in known]


def as_prose(page: str) -> str:
    """The text of a page, without its scripts and styles; nothing of it is run, and it takes one pass."""
    page = "<".join(page.split("<", _MAX_TAGS)[:_MAX_TAGS])
    return html.unescape(_NO_PROSE.sub(" ", page)[:_MAX_PROSE])


def _folded(prose: str) -> str:
    return " ".join(word_list(prose))


def word_list(prose: str) -> list[str]:
    """The words of a text as read: without case, accents and unseen signs, other alphabets' letters by their looks."""
    bare = unicodedata.normalize("NFKD", prose.casefold())
    unseen = {ord(c): None for c in set(bare) if c in FILLERS or unicodedata.category(c) in ("Mn", "Cf")}
    return re.findall(r"[^\W_]+", bare.translate({**_LOOK_ALIKE, **unseen}))
