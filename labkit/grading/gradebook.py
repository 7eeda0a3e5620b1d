"""The table of grades: `grades.html`, one page that sorts, filters and takes marks, and `grades.csv`.

Whatever students wrote travels as JSON and is put into the page as text; the page may load and run nothing else.
"""

import base64
import csv
import hashlib
import io
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from filelock import FileLock
from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from labkit.grading.kept import KEPT, unwritable
from labkit.grading.marks import Mark, Marks, guarded, key_of, read_earlier
from labkit.grading.people import Works
from labkit.grading.roster import Roster
from labkit.grading.rows import KINDS, MIN_IOU, Remark, Row, floored
from labkit.grading.rubric import Rubric
from labkit.io.files import capped, safe_name, write_whole
from labkit.locale import language, text, texts
from labkit.report.checks import NAMES
from labkit.variants import VARIANTS
from labkit.viewer.items import module
from labkit.viewer.viewer import script_json

__all__ = ["write_gradebook"]

_HERE = Path(__file__).parent
_NOBODY = Mark("", "", 0)
_OTHERS = 20  # files beside a report in a cell: Excel cuts one of more than 32,767 characters


def write_gradebook(
    works: Works, out: Path, roster: Roster | None = None, rubric: Rubric | None = None, anonymous: bool = False
) -> tuple[Path, Path]:
    """Writes `grades.html` and `grades.csv` into the folder `out` and returns their paths.

    Marks and comments that are in them already are kept, whichever of the two was written last; the page's seal too.
    With a `roster` that system's own table is filled in besides, and for each row with a mark or comment there is a
    page of feedback. `anonymous`: as long as no mark is there, the page hides names, and nothing else is written.
    LabkitError where they cannot be written; two that write into one folder wait for each other.
    """
    roster, rubric = roster or Roster(), rubric or Rubric()
    page, table = out / "grades.html", out / "grades.csv"
    path = page
    try:
        (out / KEPT).mkdir(parents=True, exist_ok=True)
        with FileLock(out / KEPT / "lock"):
            marks = Marks.settled(read_earlier(page, table), works.rows)
            given = [marks.given.get(key_of(row.sha256, row.file), _NOBODY) for row in works.rows]
            data = _about(works, marks, roster) | {"book": _book(page, works.rows), "anonymous": anonymous}
            style, script = (_HERE / "gradebook.css").read_text("utf-8"), module(_HERE / "js" / "gradebook.mjs")
            values = {"style": style, "script": f"{script}\nopenBook();\n", "data": data, "marks": marks.record()}
            files = {page: _rendered("gradebook", **values), out / "open.html": _rendered("open")}
            if not anonymous or any(mark.mark for mark in given):
                files |= {table: _csv(data["csv"], given, ";")} | _returned(works.rows, given, data["lms"], rubric, out)
            for path, content in files.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, content.encode("utf-8-sig" if path.suffix == ".csv" else "utf-8", "replace"))
    except OSError as error:
        raise unwritable(path, error) from error
    return page, table


def _returned(
    rows: Sequence[Row], marks: Sequence[Mark], lms: dict[str, Any], rubric: Rubric, out: Path
) -> dict[Path, str]:
    """What goes back to the learning system: its table, and pages of feedback, their folders called as Moodle's are."""
    if not lms["system"]:
        return {}
    files = {out / f"grades_{lms['system']}.csv": _csv(lms, marks, ",")}
    for row, mark in zip(rows, marks, strict=True):
        if mark.mark or mark.comment:
            name = row.name or row.student
            whose = f"{row.id}_assignsubmission_file_" if row.who.startswith("moodle:") else row.sha256[:8]
            maximum = rubric.maximum and _shown(f"{rubric.maximum:g}")
            about = {"row": row, "name": name, "maximum": maximum, "mark": _shown(mark.mark), "comment": mark.comment}
            files[out / "feedback" / f"{safe_name(name)}_{whose}" / "feedback.html"] = _rendered("feedback", **about)
    return files


def _rendered(name: str, /, **values: Any) -> str:
    pages = Environment(loader=PackageLoader("labkit.grading"), autoescape=True, keep_trailing_newline=True)
    pages.filters["sha256"] = lambda part: f"sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}"
    pages.filters["json"] = lambda data: Markup(script_json(data))
    return pages.get_template(f"{name}.html.j2").render(language=language(), text=text, **values)


def _book(page: Path, rows: Sequence[Row]) -> dict[str, str]:
    """The place and the seal of the marks that a browser keeps: an earlier page's, else made of all files together.

    These no student has: the same table finds its marks again, and nobody else's page, which a browser may let at the
    same store, can make marks up.
    """
    with suppress(OSError, ValueError, TypeError):
        book = re.search(r'"book": (\{"id": "[0-9a-f]{16}", "secret": "[0-9a-f]{48}"\})', page.read_text("utf-8"))
        return json.loads(book[1])
    files = "\n".join(sorted(key_of(row.sha256, row.file) for row in rows))
    digest = hashlib.sha256(files.encode("utf-8", "replace")).hexdigest()
    return {"id": digest[:16], "secret": digest[16:]}


def _about(works: Works, marks: Marks, roster: Roster) -> dict[str, Any]:
    """All that the page shows but the marks, and the tables that it saves with them."""
    words = {key.removeprefix("gradebook."): word for key, word in texts(language()).items() if "gradebook." in key}
    head, cells = _cells(works.rows)
    places = roster.places(works.rows)
    return {
        "language": language(),
        "words": words,
        "own": MIN_IOU,
        "variants": [[variant.number, variant.title] for variant in VARIANTS],
        "kinds": {kind: text(f"grade.{kind}") for kind in KINDS},
        "checks": {name: text(f"checks.{name}") for name in NAMES},
        "csv": {
            "head": head,
            "lines": cells,
            "of": list(range(len(cells))),
            "mark": head.index(text("gradebook.mark")),
            "feedback": head.index(text("gradebook.comment")),
            "comma": language() == "ru",
        },
        "lms": {**asdict(replace(roster, students=())), "of": list(map(places.get, range(len(roster.lines))))},
        "absent": [[one.name, one.group, one.email] for one in roster.absent(works.rows)],
        "beside": [[one.file, one.why] for one in works.beside],
        "orphans": [[one.name, key.partition(" ")[2], one.mark, one.comment] for key, one in marks.orphans.items()],
        "rows": [_record(row, marks.earlier.get(key_of(row.sha256, row.file))) for row in works.rows],
    }


def _record(row: Row, earlier: Mark | None = None) -> dict[str, Any]:
    photos = tuple(replace(one, look=None) for one in row.photos)
    return {
        **asdict(replace(row, photos=photos, remarks=_remarks(row))),
        "iou": row.iou,
        "problem": row.problem is not None,
        "shown": _date(row.date),
        "earlier": earlier and {"mark": earlier.mark, "comment": earlier.comment},
    }


def _remarks(row: Row) -> tuple[Remark, ...]:
    """The remarks of a row; that it could not be read is one."""
    return row.remarks if row.problem is None else (Remark("unreadable", row.problem), *row.remarks)


def _date(date: str) -> str:
    """A date to be read: "12.03.2026 14:05" in Russian; as it is where it is none."""
    match = re.match(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d:\d\d)", date)
    return match.expand(r"\3.\2.\1 \4" if language() == "ru" else r"\1-\2-\3 \4") if match else date


def _cells(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """The titles and the cells of `grades.csv`, marks and comments still empty."""
    before = ("student", "id", "group", "variant", "model", "date")
    after = ("failures", "iou", "remarks", "suggestion", "mark", "comment", "file", "others")
    keys = [*map("gradebook.{}".format, before), *map("checks.{}".format, NAMES), *map("gradebook.{}".format, after)]
    cells = []
    for row in rows:
        held = {check.name: check.ok for check in row.checks}
        failures = [f"{text(f'checks.{one.name}')}: {one.reason}" for one in row.checks if not one.ok]
        remarks = [f"{text(f'grade.{one.kind}')}: {one.text}" for one in _remarks(row)]
        iou = "" if row.iou is None else floored(row.iou)
        line = [row.name or row.student, row.id, row.group, str(row.variant or ""), row.variant_title, _date(row.date)]
        line += [text("gradebook.yes" if held[name] else "gradebook.no") if name in held else "" for name in NAMES]
        line += ["\n".join(failures), iou, "\n".join(remarks), _shown(row.suggestion), "", "", row.file]
        others = capped([f"{one.file}: {one.why}" for one in row.beside], _OTHERS)
        line += ["\n".join(others), row.sha256]
        cells.append([guarded(cell.replace("\0", "").replace("\r\n", "\n")) for cell in line])
    return [*map(text, keys), "sha256"], cells


def _csv(table: dict[str, Any], marks: Sequence[Mark], separator: str) -> str:
    """A table of the page with the marks in it; what has none stays as it was."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=separator, lineterminator="\r\n")
    writer.writerow(table["head"])
    for line, of in zip(table["lines"], table["of"], strict=True):
        line, mark = list(line), _NOBODY if of is None else marks[of]
        if mark.mark:
            line[table["mark"]] = _shown(mark.mark) if "comma" in table else mark.mark
        if mark.comment and table["feedback"] >= 0:
            line[table["feedback"]] = guarded(mark.comment)
        writer.writerow(line)
    return buffer.getvalue()


def _shown(mark: str) -> str:
    return mark.replace(".", ",") if language() == "ru" else mark
