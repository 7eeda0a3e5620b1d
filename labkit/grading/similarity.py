"""The same photos or the same text in two reports: marked in the rows of both."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from labkit.grading.rows import Remark, Row
from labkit.io.files import some
from labkit.locale import plural, text

__all__ = ["NEAR", "SAME", "with_pairs"]

NEAR = 5
"""Two photos whose looks differ in at most so many of 64 bits are one, saved again; so they are if one is mirrored.

Of the 1554 photos of the training data seven pairs lie so near, and each is one photo twice; mirrored, none does. Of
photos that were scaled to 0.3 to 1.6 of their side and saved at qualities of 40 to 90, mirrored or not, 99 in a hundred
do.
"""

SAME = 0.6
"""Texts with so many of their five-word phrases in common (Jaccard) are not each its author's own."""

_PHRASE = 5
_MIN_TEXT, _MIN_ANSWER = 20, 25
"""Words: of all that is written in a report, or of one answer; of less nothing can be said."""

_MAX_WORDS = 50_000
_some = partial(some, limit=8)


def with_pairs(rows: Sequence[Row], kit: Mapping[str, str | None] | None = None) -> list[Row]:
    """The rows, each with remarks on what it has in common with others.

    `kit` are the photos that travel with the kit, sha256 to look, which may be in any report.
    """
    common: list[dict[int, _Common]] = [defaultdict(_Common) for _ in rows]
    of_kit = _photos(rows, kit or {}, common)
    _texts(rows, common)
    remarks = [_remarks(n, rows, common[n]) for n in range(len(rows))]
    for n, names in of_kit.items():
        remarks[n].append(Remark("kit_photos", text("grade.kit_told", names=_some(names))))
    return [row.with_remarks(*remarks[n]) for n, row in enumerate(rows)]


@dataclass
class _Common:
    """What a report has in common with another: names of its photos, the part of its text in [0, 1], answers."""

    photos: tuple[str, ...] = ()
    text: float = 0.0
    answers: tuple[str, ...] = ()


def _photos(
    rows: Sequence[Row], kit: Mapping[str, str | None], common: list[dict[int, _Common]]
) -> dict[int, list[str]]:
    """Fills `common` in; returns the names of the kit's own photos by row."""
    of_kit: dict[int, list[str]] = defaultdict(list)
    known = _hashes([look for look in kit.values() if look])
    photos: list[tuple[int, str, str]] = []
    looks: list[str] = []
    for n, row in enumerate(rows):
        for photo in row.photos:
            if photo.sha256 in kit or (photo.look and _near(known, _hashes([photo.look])[0]).any()):
                of_kit[n].append(photo.name)
            else:
                photos.append((n, photo.name, photo.sha256))
                looks.append(photo.look or "0" * 32)
    owners, hashes = np.array([row[0] for row in photos]), _hashes(looks)
    bits = np.array([int(own).bit_count() for own in hashes[:, 0]])
    distinctive = (bits >= 8) & (bits <= 56)  # of an even picture most bits are the same
    by_hash: dict[str, set[int]] = defaultdict(set)
    for n, _, digest in photos:
        by_hash[digest].add(n)
    for place, (n, name, digest) in enumerate(photos):
        others = set(by_hash[digest])
        if distinctive[place]:
            others |= set(owners[distinctive & _near(hashes, hashes[place])].tolist())
        for other in others - {n}:
            common[n][other].photos += (name,)
    return of_kit


def _hashes(looks: Sequence[str]) -> np.ndarray:
    """The hashes of photos and of their mirror images, `Nx2` uint64."""
    return np.array([[int(look[:16], 16), int(look[16:], 16)] for look in looks], np.uint64).reshape(-1, 2)


def _near(hashes: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Which of the photos (`Nx2`) look as one does (its 2 hashes), or as its mirror image: `N` bool."""
    differing = np.ascontiguousarray(hashes[:, [0, 0, 1]] ^ one[[0, 1, 0]])
    return (np.unpackbits(differing.view(np.uint8).reshape(-1, 3, 8), axis=2).sum(2) <= NEAR).any(1)


def _texts(rows: Sequence[Row], common: list[dict[int, _Common]]) -> None:
    whole, parts = [], []
    for row in rows:
        answers: dict[str, list[str]] = defaultdict(list)
        for question, answer in (*row.answers, ("", row.conclusions)):
            answers[" ".join(_words(question))] += _words(answer)
        every = [word for words in answers.values() for word in words]
        whole.append(_phrases(every) if len(every) >= _MIN_TEXT else frozenset())
        parts.append({q: _phrases(words) for q, words in answers.items() if len(words) >= _MIN_ANSWER})
    for n in range(len(rows)):
        for other in range(n):
            shared = len(whole[n] & whole[other])
            if shared == 0:
                continue
            if shared >= SAME * (len(whole[n]) + len(whole[other]) - shared):
                for one, two in ((n, other), (other, n)):
                    common[one][two].text = shared / len(whole[one])
                continue
            for question in sorted(parts[n].keys() & parts[other].keys()):
                mine, theirs = parts[n][question], parts[other][question]
                both = len(mine & theirs)
                if both >= SAME * (len(mine) + len(theirs) - both):
                    for one, two in ((n, other), (other, n)):
                        common[one][two].answers += (question,)


def _words(prose: str) -> list[str]:
    return re.findall(r"[^\W_]+", prose[: 20 * _MAX_WORDS].casefold().replace("ё", "е"))[:_MAX_WORDS]


def _phrases(words: Sequence[str]) -> frozenset[int]:
    return frozenset(hash(tuple(words[n : n + _PHRASE])) for n in range(max(1, len(words) - _PHRASE + 1)))


def _remarks(n: int, rows: Sequence[Row], common: dict[int, _Common]) -> list[Remark]:
    row = rows[n]
    again = [other for other in sorted(common) if _person(row) and _person(rows[other]) == _person(row)]
    others = [other for other in sorted(common) if other not in again]
    remarks = []
    if again:
        files = _some([rows[other].file for other in again])
        kind = "same_photos" if any(common[other].photos for other in again) else "same_text"
        remarks.append(_remark(kind, text("pairs.again", files=files), rows, again))
    by_photos = _grouped({other: common[other].photos for other in others})
    if by_photos:
        sentences = [
            plural(
                "pairs.photos",
                len(names),
                total=len(row.photos),
                names=_some(names),
                files=_some([rows[other].file for other in group]),
            )
            for names, group in by_photos
        ]
        matches = sorted(other for _, group in by_photos for other in group)
        remarks.append(_remark("same_photos", _some(sentences, between="; "), rows, matches))
    whole = sorted((other for other in others if common[other].text), key=lambda other: -common[other].text)
    by_answers = _grouped({other: common[other].answers for other in others})
    if whole or by_answers:
        percent = [f"{rows[other].file} ({common[other].text:.0%})" for other in whole]
        sentences = [text("pairs.text", files=_some(percent))] if whole else []
        sentences += [
            text(
                "pairs.answers",
                questions=_some([_asked(row, question) for question in questions]),
                files=_some([rows[other].file for other in group]),
            )
            for questions, group in by_answers
        ]
        matches = sorted({*whole, *(other for _, group in by_answers for other in group)})
        remarks.append(_remark("same_text", _some(sentences, between="; "), rows, matches))
    return remarks


def _grouped(common: Mapping[int, tuple[str, ...]]) -> list[tuple[tuple[str, ...], list[int]]]:
    """The rows that have the same in common, those with the most first."""
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for other, names in common.items():
        if names:
            groups[names].append(other)
    return sorted(groups.items(), key=lambda item: (-len(item[0]), item[1]))


def _remark(kind: str, sentence: str, rows: Sequence[Row], others: Sequence[int]) -> Remark:
    return Remark(kind, sentence, tuple(rows[other].file for other in others))


def _person(row: Row) -> tuple[str, ...]:
    """Who has handed a report in, empty where it does not say."""
    name = " ".join(sorted(_words(row.student)))
    return (name, " ".join(_words(row.group))) if name else ()


def _asked(row: Row, question: str) -> str:
    """A question as it is written, cut short; the empty one is the conclusions."""
    if not question:
        return text("pairs.conclusions")
    title = next(q for q, _ in row.answers if " ".join(_words(q)) == question).replace("*", "").strip()
    return f"«{title if len(title) <= 60 else title[:59] + '…'}»"
