"""The same photos or the same text in two reports: marked in the rows of both."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, combinations

from rapidfuzz.distance import LCSseq

from labkit.grading.facts import own_words, phrases, word_list
from labkit.grading.looks import alike, look
from labkit.grading.people import folded
from labkit.grading.rows import Remark, Row
from labkit.grading.workers import SECONDS, Lost, done
from labkit.io.decode import IMAGE_SUFFIXES
from labkit.io.files import some
from labkit.io.kit import KIT_IMAGES
from labkit.locale import percent, plural, text
from labkit.report.checks import titled

__all__ = ["compare", "compared"]

_SAME, _SAME_WORDS, _SAME_PHRASES = 0.6, 0.8, 20
"""Texts with so many of their five-word phrases in common (Jaccard), or of their words in one order, or so many in
whatever order, are not each its author's own; nor are two in which so many phrases stand anywhere, as in 24 words that
were copied. What the notebook says counts in neither.
"""

_MIN_TEXT, _MIN_ANSWER, _MAX_WORDS = 20, 25, 10_000  # fewer in a report or answer say nothing; more are not read
_KIT = -1  # in the place of a row: the photos that travel with the kit
_Names = dict[int, tuple[str, ...]]  # of photos or questions, by the row in which they are too
_some = partial(some, limit=8)


def compare(rows: Sequence[Row]) -> list[Row]:
    """The rows with remarks on what they have in common, worked out beside: texts may be made to take long."""
    bare = [replace(row, photos=tuple(replace(photo, thumbnail=None) for photo in row.photos)) for row in rows]
    (answer,) = done(partial(compared, kit=_kit_photos()), [bare], seconds=lambda rows: SECONDS + len(rows) ** 2 / 10)
    if isinstance(answer, Lost):
        failed = Remark("not_checked", text("grade.not_compared", reason=answer))
        return [row.with_remarks(failed) for row in rows]
    return [row.with_remarks(*remarks) for row, remarks in zip(rows, answer, strict=True)]


def _kit_photos() -> dict[str, str | None]:
    """The sha256 and the look of the photos that travel with the kit, where they are there."""
    paths = [path for path in sorted(KIT_IMAGES.glob("*")) if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    return {hashlib.sha256(raw).hexdigest(): look(raw) for raw in (path.read_bytes() for path in paths)}


def compared(rows: Sequence[Row], kit: Mapping[str, str | None] | None = None) -> list[list[Remark]]:
    """For each row the remarks on what it has in common with others'; `kit` are the kit's photos, sha256 to look."""
    common = zip(_photos(rows, kit or {}), *_texts(rows), strict=True)
    return [_remarks(n, rows, *one) for n, one in enumerate(common)]


def _photos(rows: Sequence[Row], kit: Mapping[str, str | None]) -> list[_Names]:
    """For each row the names of its photos by the other row that has them, or by _KIT: these count nowhere else."""
    photos = [(n, photo) for n, row in enumerate(rows) for photo in row.photos]
    owners = [n for n, _ in photos] + [_KIT] * len(kit)
    by_hash: dict[str, set[int]] = defaultdict(set, {sha256: {_KIT} for sha256 in kit})
    for n, photo in photos:
        by_hash[photo.sha256].add(n)
    same = {(place, other) for place, (_, photo) in enumerate(photos) for other in by_hash[photo.sha256]}
    for one, other in alike([photo.look for _, photo in photos] + list(kit.values()), owners):
        same |= {(one, owners[other]), (other, owners[one])}
    of_kit = {place for place, other in same if other == _KIT}
    common: list[_Names] = [defaultdict(tuple) for _ in rows]
    for place, other in sorted(same):
        if place < len(photos) and other != owners[place] and (other == _KIT) == (place in of_kit):
            common[owners[place]][other] += (photos[place][1].name,)
    return common


def _texts(rows: Sequence[Row]) -> tuple[list[dict[int, float]], list[_Names]]:
    """For each row by the other one the part of its whole text in [0, 1], or else the answers, that are in both."""
    whole, parts = [], []
    for row in rows:
        answers: dict[str, list[str]] = defaultdict(list)
        for question, answer in (*row.answers, ("", row.conclusions)):
            answers[" ".join(_words(question))] += own_words(_words(answer), row.variant)
        every = [word for words in answers.values() for word in words]
        whole.append(_Prose(every if len(every) >= _MIN_TEXT else []))
        parts.append({q: _Prose(words) for q, words in answers.items() if len(words) >= _MIN_ANSWER})
    shares: list[dict[int, float]] = [{} for _ in rows]
    asked: list[_Names] = [{} for _ in rows]
    for n, other in combinations(range(len(rows)), 2):
        if share := whole[n].alike(whole[other]):
            shares[n][other] = shares[other][n] = share
            continue
        both = sorted(parts[n].keys() & parts[other].keys())
        if same := tuple(question for question in both if parts[n][question].alike(parts[other][question])):
            asked[n][other] = asked[other][n] = same
        elif (count := len(whole[n].phrases & whole[other].phrases)) >= _SAME_PHRASES:
            shares[n][other], shares[other][n] = (count / len(whole[one].phrases) for one in (n, other))
    return shares, asked


class _Prose:
    """The words of a text as numbers, the same in one order for all texts, and its phrases."""

    def __init__(self, words: Sequence[str]):
        self.words = list(map(hash, words))
        self.ordered = sorted(self.words)
        self.phrases = set(map(hash, phrases(words)))

    def alike(self, other: "_Prose") -> float:
        """What the texts have in common, in [0, 1], 0 where that is too little: phrases in whatever order, or words in
        one order, with others between them, or in any (2 LCS / (n + m))."""
        both, length = len(self.phrases & other.phrases), max(1, len(self.words) + len(other.words))
        share = both / max(1, len(self.phrases) + len(other.phrases) - both)
        if share >= _SAME:
            return share
        for one, two, least in ((self.words, other.words, _SAME), (self.ordered, other.ordered, _SAME_WORDS)):
            share = LCSseq.similarity(one, two) * 2 / length
            if share >= least:
                return share
        return 0.0


def _words(prose: str) -> list[str]:
    return word_list(prose[: 20 * _MAX_WORDS])[:_MAX_WORDS]


def _remarks(n: int, rows: Sequence[Row], photos: _Names, shares: dict[int, float], answers: _Names) -> list[Remark]:
    row, remarks, of_kit = rows[n], [], photos.pop(_KIT, ())

    def tell(kind: str, sentence: str, others: Iterable[int] = ()) -> None:
        remarks.append(Remark(kind, sentence, tuple(rows[other].file for other in others)))

    def files(others: Iterable[int]) -> str:
        return _some([rows[other].file for other in others])

    copies = [k for k, other in enumerate(rows) if k != n and row.sha256 and other.sha256 == row.sha256]
    again = sorted(other for other in {*photos, *shares, *answers, *copies} if _one_person(row, rows[other]))
    if again:
        kind = "same_text" if photos.keys().isdisjoint(again) else "same_photos"
        tell(kind, text("pairs.again", files=files(again)), again)
    told = {*again, *copies}
    if copies := [other for other in copies if other not in again]:
        tell("same_file", text("pairs.copy", files=_some([_called(rows[other]) for other in copies])), copies)
    by_photos = _grouped(photos, told)
    sentences = [
        plural("pairs.photos", len(names), total=len(row.photos), names=_some(names), files=files(group))
        for names, group in by_photos.items()
    ]
    if sentences:
        tell("same_photos", _some(sentences, between="; "), sorted(chain(*by_photos.values())))
    whole = sorted(shares.keys() - told, key=lambda other: (-shares[other], other))
    parts = [f"{_called(rows[other])} ({percent(shares[other])})" for other in whole]
    sentences = [text("pairs.text", files=_some(parts))] if whole else []
    by_answers = _grouped(answers, told)
    titles = {" ".join(_words(asked)): titled(asked) for asked, _ in row.answers} | {"": text("pairs.conclusions")}
    for questions, group in by_answers.items():
        asked = _some([titles[question] for question in questions])
        sentences.append(text("pairs.answers", questions=asked, files=files(group)))
    if sentences:
        tell("same_text", _some(sentences, between="; "), sorted(chain(whole, *by_answers.values())))
    if of_kit:
        tell("kit_photos", text("grade.kit_told", names=_some(of_kit)))
    return remarks


def _grouped(common: _Names, told: set[int]) -> dict[tuple[str, ...], list[int]]:
    """The rows that have the same in common, those with the most first, without those that are `told` already."""
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for other in sorted(common.keys() - told):
        groups[common[other]].append(other)
    return dict(sorted(groups.items(), key=lambda item: (-len(item[0]), item[1])))


def _one_person(one: Row, other: Row) -> bool:
    """Whether two rows are of one student: the learning system decides, what a file says of itself only without it."""
    if one.id or other.id:
        return bool(one.who) and one.who == other.who
    return bool(folded(one.student)) and folded(one.student, one.group) == folded(other.student, other.group)


def _called(row: Row) -> str:
    return f"{row.file} ({row.name})" if row.name else row.file
