"""A folder of handed-in reports becomes a table: each is read, checked anew and compared with the others."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from labkit.classes import LABEL_SETS, label_set
from labkit.comparison.figures import class_name
from labkit.grading.gradebook import write_gradebook
from labkit.grading.kept import KEPT, secret, unwritable
from labkit.grading.marks import read_earlier
from labkit.grading.people import named, owner_of, works
from labkit.grading.reading import Task, read_all, rerun
from labkit.grading.roster import Roster, read_roster
from labkit.grading.rows import Row
from labkit.grading.rubric import Rubric, read_rubric
from labkit.grading.similarity import compare
from labkit.grading.sources import Source, distinct, find_sources, members
from labkit.grading.workers import Lost, done
from labkit.io.errors import LabkitError
from labkit.locale import text

__all__ = ["grade"]


def grade(
    folder: str | Path,
    out: str | Path | None = None,
    recompute: bool = True,
    wanted: int | None = None,
    target: str | None = None,
    device: str = "cpu",
    full: bool = False,
    roster: str | Path | None = None,
    rubric: str | Path | None = None,
    anonymous: bool = False,
) -> list[Row]:
    """Reads all that was handed in below `folder` and writes `grades.html` and `grades.csv` into `out`.

    `out` is `folder`/grades unless given. `wanted` photos and the `target` class are each report's own unless given.
    With `recompute` the models that the reports name are run on the photos that they carry, on `device`; SAM's
    automatic mode on a few of them that nobody can foresee, on all where `full`. What is done stays in `out`: a second
    run goes on where the first one was stopped. `roster` is a learning system's table of students, which is filled in
    besides, with a page of feedback for each; `rubric` gives points; `anonymous` hides names until marks are saved.
    Answers the rows in the table's order. LabkitError where there is no such folder, nothing in it, no such class, or
    a file that is none of these.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise LabkitError(text("grade.no_folder", folder=folder))
    if target and not any(target in label_set(name) for name in LABEL_SETS):
        class_name(target)  # says which there are
    students = read_roster(Path(roster)) if roster is not None else Roster()
    points = read_rubric(Path(rubric)) if rubric is not None else Rubric()
    out = Path(out) if out is not None else folder / "grades"
    sources = _all_sources(folder)
    if not sources:
        raise LabkitError(text("grade.nothing", folder=folder))
    try:
        (out / KEPT).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(out / KEPT, error) from error
    secret()
    read_earlier(out / "grades.html", out / "grades.csv")  # one whose marks would be lost is told before the work
    name = folder.resolve().name
    owners = {source: owner_of(name, source) for source in sources}
    among = Counter(owner for source, owner in owners.items() if source.problem is None)
    tasks = {one.file: Task(one, out, wanted, target, device, full, among[owner]) for one, owner in owners.items()}
    found = works(name, sources, read_all(list(tasks.values())))
    rows = rerun(found.rows, tasks) if recompute else found.rows
    rows = [points.suggested(named(row)) for row in students.checked(compare(rows))]
    if anonymous:  # places say nothing of whose a row is
        rows.sort(key=lambda row: row.sha256)
    write_gradebook(found._replace(rows=rows), out, students, points, anonymous)
    return rows


def _all_sources(folder: Path) -> list[Source]:
    sources = find_sources(folder)
    zips = [source for source in sources if source.zip]
    inside = dict(zip(zips, done(members, zips), strict=True))
    for source, found in inside.items():
        if isinstance(found, Lost):
            inside[source] = [replace(source, problem=found)]
    return distinct([one for source in sources for one in inside.get(source, [source])])
