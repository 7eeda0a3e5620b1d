"""Whose a file is: what the learning system's folders say, not what the file says of itself."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from rapidfuzz import fuzz

from labkit.grading.facts import word_list
from labkit.grading.rows import Beside, Remark, Row
from labkit.io.decode import IMAGE_SUFFIXES
from labkit.locale import text

if TYPE_CHECKING:
    from labkit.grading.sources import Source

__all__ = ["REPORTS", "Person", "Works", "folded", "heard", "named", "owner_of", "person_of", "stem_of", "works"]

REPORTS = (".html", ".htm", ".ipynb")
_COMPANIONS = (*IMAGE_SUFFIXES, ".css", ".csv", ".js", ".json", ".md", ".py", ".safetensors", ".toml", ".txt")
"""What may lie beside a report and is none by mistake, but where its name says that it was one: `.html.txt`."""

_MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_[a-z]+(?![a-z])")
_CANVAS = re.compile(
    r"(?P<name>[^\W\d_]([^\W_]|[-'’. ])*)_(?P<late>LATE_)?(?P<id>(?!20\d\d_\d\d?_\d)\d+)"
    r"_((?!20\d\d_)\d{3,}_.+|text\.html)",
    re.IGNORECASE,
)
"""Its numbers are long: `lab_2_3_fcn.html` is a student's own name for a file."""

_CLASSROOM = re.compile(r"(?P<lab>.+)-(submissions|\d\d-\d\d-\d{4}(-\d\d){3})")
_CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
_SOUNDS = "a b v g d e e zh z i i k l m n o p r s t u f kh ts ch sh sh  y  e iu ia".split(" ")
_LATIN = str.maketrans(dict(zip(_CYRILLIC, _SOUNDS, strict=True)))
_SPELLINGS = [("shch|sch", "sh"), ("kh", "h"), ("x", "ks"), ("[jy]", "i"), ("io", "e"), (r"(.)\1+", r"\1")]
"""What one and the same is written as in Latin, and as what it counts, one after the other."""

_ALIKE = 75  # per cent from which on two spellings are one name: Юлия is yulia, iuliia and julija
_NOBODY = {"participant", "uchastnik", "ucastnik"}  # what Moodle calls a student whose name it hides
_AGAIN = re.compile(r"( ?\(\d+\)| ?[-–—] ?(копия|copy)( ?\(?\d+\)?)?)+$", re.IGNORECASE)


class Person(NamedTuple):
    """A student as the learning system names him: `system` is moodle, canvas or github, `id` its own number or name;
    `late` is whether the name of the file says that it came late.
    """

    system: str
    id: str
    name: str
    late: bool = False


def person_of(file: str) -> Person | None:
    """Who handed a file in, by its path; None where no learning system has laid it there. The outermost name counts:
    what is within a student's folder or zip he may call as he likes.

    Moodle names a folder or, without folders, a file `Name_PARTICIPANT_assignsubmission_file_`, Canvas a file
    `name_[LATE_]USER_SUBMISSION_file` or `name_[LATE_]USER_text.html`; `gh classroom clone` makes a folder
    `LAB-submissions/LAB-user`, GitHub's assistant `LAB-MM-DD-YYYY-HH-MM-SS/LAB-user`.

    >>> person_of("Иванов Пётр_512_assignsubmission_file_/отчёт.html")
    Person(system='moodle', id='512', name='Иванов Пётр', late=False)
    """
    parts = file.split("/")
    for part, inner in zip(parts, [*parts[1:], ""], strict=True):
        if found := _MOODLE.match(part):
            return Person("moodle", found["id"], found["name"])
        if (not inner or part.lower().endswith(".zip")) and (found := _CANVAS.fullmatch(part)):
            return Person("canvas", found["id"], found["name"], bool(found["late"]))
        if (found := _CLASSROOM.fullmatch(part)) and inner.startswith(f"{found['lab']}-"):
            name = inner.removeprefix(f"{found['lab']}-")
            return Person("github", name, name)
    return None


def owner_of(folder: str, source: Source) -> Hashable:
    """Whose a source of a folder of that name is: the learning system's student's, else no other's than its file's."""
    person = person_of(f"{folder}/{source.file}")
    return (person.system, person.id) if person else source.path


class Works(NamedTuple):
    """All that a folder holds: a row for each student's work, and what is nobody's and no report."""

    rows: Sequence[Row]
    beside: Sequence[Beside] = ()


def works(folder: str, sources: Sequence[Source], rows: Sequence[Row]) -> Works:
    """Each student's files as one row, the best of them; `rows` are those of the `sources` of a folder of that name.

    Without a learning system's folders one student's are those of one name, whatever their endings, where the reports
    do not say that they are of different students; those that name nobody must say the same in all else. Of a zip
    without a report there is one row.
    """
    groups: dict[tuple[str, Hashable], list[Row]] = defaultdict(list)
    people = [person_of(f"{folder}/{row.file}") for row in rows]
    said: dict[Person | None, set[str]] = defaultdict(set)
    for person, row in zip(people, rows, strict=True):
        said[person] |= {_of_itself(row)} - {""}
    for source, row, person in zip(sources, rows, people, strict=True):
        if person and (person.system != "canvas" or len(said[person]) < 2):  # "lab_3_12_a.html" of two is no Canvas's
            row = replace(row, who=f"{person.system}:{person.id}", id=person.id, name=person.name, late=person.late)
            groups["person", row.who].append(row)
        elif row.problem is not None and (source.members or source.path.suffix.lower() == ".zip"):
            groups["zip", source.path].append(row)
        else:
            groups["file", stem_of(row.file)].append(row)
    readable = {source.path for source, row in zip(sources, rows, strict=True) if row.problem is None}
    made: list[Row] = []
    beside: list[Beside] = []
    for (kind, key), group in groups.items():
        if key in readable or (kind == "file" and all(map(_companion, group))):
            beside += _beside(group)
        else:
            made += [_rubbish(group)] if kind == "zip" else _merged(group)
    return Works(made, beside)


def _companion(row: Row) -> bool:
    """Whether a file only lies beside a report, as photos do."""
    stem, suffix = os.path.splitext(row.file.lower())
    return suffix in _COMPANIONS and not stem.endswith(REPORTS)


def _beside(rows: Iterable[Row]) -> tuple[Beside, ...]:
    return tuple(Beside(row.file, row.problem or "") for row in rows)


def _rubbish(rows: Sequence[Row]) -> Row:
    """The row of a zip in which there is no report."""
    first, problems = rows[0], {row.problem for row in rows if not _companion(row)}
    if len(rows) == len(problems) == 1:
        return first
    problem = problems.pop() if len(problems) == 1 else text("submission.nothing")
    zip_ = first.file[: first.file.lower().index(".zip") + 4]
    return Row(zip_, problem=problem, beside=_beside(rows))


def _merged(rows: Sequence[Row]) -> list[Row]:
    """The rows of files that lie together: one, or one for each of the students that the reports name."""
    good: dict[str, list[Row]] = defaultdict(list)
    bad: list[Row] = []
    unnamed: dict[Hashable, str] = {}
    for row in rows:
        who, said = row.who or _of_itself(row), (row.answers, row.conclusions, *(photo.sha256 for photo in row.photos))
        if not who and row.problem is None:  # `variant_1 (1).html` out of another letter is another student's
            who = unnamed.setdefault(said, f"file:{row.file if unnamed else stem_of(row.file)}")
        row = replace(row, who=who or f"file:{stem_of(row.file)}")
        (good[row.who] if row.problem is None else bad).append(row)
    broken = [row for row in bad if not _companion(row)][:1]
    bad.sort(key=lambda row: row.file)
    if not good:
        (row,) = broken or [replace(bad[0], problem=text("submission.no_report"))]
        return [replace(row, beside=_beside(one for one in bad if one not in broken))]
    stems = {os.path.splitext(row.file)[0] for same in good.values() for row in same}
    # a numbered one that cannot be read may be another student's, where no learning system says whose it is
    alone = [row for row in bad if not (row.id or _companion(row) or os.path.splitext(row.file)[0] in stems)]
    bad = [row for row in bad if row not in alone]
    made: list[Row] = []
    for same in good.values():
        # the latest, as a page, and without a browser's `(1)`
        main = max(same, key=lambda row: (row.date, row.file[-6:].lower() != ".ipynb", -len(row.file)))
        again = tuple(Beside(row.file, _again(row, main), row.link) for row in same if row is not main)
        made.append(replace(main, beside=again if made else again + _beside(bad)))
    return made + alone


def _of_itself(row: Row) -> str:
    """Whose a report says that it is; a group alone is nobody."""
    return folded(row.student, row.group) if folded(row.student) else ""


def named(row: Row) -> Row:
    """The row, with a remark where the report names somebody else than the learning system does.

    A word of the name is enough, in whatever alphabet and grammar; GitHub's user names and "Participant 7" are none.
    """
    known = _spelled(row.name)
    if not row.student or not known - _NOBODY or row.who == f"github:{row.name}":
        return row
    said, whole = _spelled(row.student), "".join(known)  # Canvas's file names have a name in one word
    long = [word for word in said if len(word) > 3]  # shorter ones are spelled too differently
    if not long or said & known or any(fuzz.partial_ratio(word, whole) >= _ALIKE for word in long):
        return row
    return row.with_remarks(Remark("person", text("people.other_name", student=row.student, name=row.name)))


def _spelled(name: str) -> set[str]:
    """The words of a name in Latin letters, as they are heard."""
    bare = unicodedata.normalize("NFC", name.casefold()).translate(_LATIN)
    return set(re.findall("[a-z]{2,}", unicodedata.normalize("NFKD", bare)))


def heard(name: str) -> list[str]:
    """The words of a name, the same ones however they are spelled: Юлия is iulia, and so are Yuliya and Julia."""
    words = " ".join(sorted(_spelled(name)))
    for spelling, sound in _SPELLINGS:
        words = re.sub(spelling, sound, words)
    return words.split()


def _again(row: Row, main: Row) -> str:
    if row.sha256 == main.sha256:
        return text("people.same_bytes")
    same = (row.checks, row.answers, row.conclusions) == (main.checks, main.answers, main.conclusions)
    passed = sum(check.ok for check in row.checks)
    key = "people.same_data" if same else "people.other_data"
    return text(key, date=row.date[:16].replace("T", " "), passed=passed, count=len(row.checks))


def stem_of(file: str) -> str:
    """A path without its ending and without what a browser adds to a second copy: `отчёт (1).html` is `отчёт`."""
    folder, _, name = file.rpartition("/")
    return f"{folder}/{_AGAIN.sub('', name.rpartition('.')[0] or name)}"


def folded(*names: str) -> str:
    """Names to be compared: neither case nor order, nor ё."""
    return " ".join(" ".join(sorted(word_list(name))) for name in names).strip()
