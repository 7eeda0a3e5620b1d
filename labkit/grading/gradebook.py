"""The table of grades: `grades.html`, one page that sorts, filters and takes marks, and `grades.csv`.

Whatever students wrote travels as JSON and is put into the page as text; the page may load and run nothing else.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from labkit.grading.marks import Mark, guarded, key_of, read_page, read_table
from labkit.grading.rows import KINDS, MIN_IOU, Remark, Row, floored
from labkit.io.errors import LabkitError
from labkit.io.files import write_whole
from labkit.locale import language, text, texts
from labkit.report.checks import NAMES
from labkit.variants import VARIANTS
from labkit.viewer.viewer import script_json

__all__ = ["write_gradebook"]

_HERE = Path(__file__).parent
_THUMBNAIL = re.compile(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+")
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d:\d\d)")
_ROWS, _MARKS = "labkit-rows", "labkit-marks"
_NAME, _TEXT = 200, 20_000
"""Characters: longer ones are cut in the table, the report has them all."""


def write_gradebook(rows: Sequence[Row], out: Path) -> tuple[Path, Path]:
    """Writes `grades.html` and `grades.csv` into the folder `out` and returns their paths.

    Marks and comments that are in them already are kept, whichever of the two was written last; the page's seal too.
    LabkitError where they cannot be written.
    """
    page, table = out / "grades.html", out / "grades.csv"
    marks = _earlier(page, table)
    head, cells = _cells(rows)
    saved = max((mark.at for mark in marks.values()), default=0)
    book = _book(page) or _new_book(rows)
    table_data = {"head": head, "rows": cells, "mark": _mark_column(head)}
    data = {**_about(), "book": book, "csv": table_data, "rows": [_record(row) for row in rows]}
    kept = {"saved": saved, "marks": {key: asdict(mark) for key, mark in marks.items()}}
    _write(page, _page(data, kept))
    _write(table, _table(rows, head, cells, marks), "utf-8-sig")
    return page, table


def _write(path: Path, content: str, encoding: str = "utf-8") -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content.encode(encoding, "replace"))
    except OSError as error:
        raise LabkitError(text("gradebook.unwritable", path=path, error=error)) from error


# ---- What there was before ------------------------------------------------------------------------------------------


def _earlier(page: Path, table: Path) -> dict[str, Mark]:
    """The marks of an earlier page, and those of the table that someone has changed since."""
    marks = read_page(page)
    for key, mark in read_table(table).items():
        before = marks.get(key)
        if before is None or (mark.at > before.at and (mark.mark, mark.comment) != (before.mark, before.comment)):
            marks[key] = mark
    return marks


def _book(page: Path) -> dict[str, str] | None:
    """The place and the seal of the marks that a browser keeps for an earlier page."""
    try:
        match = re.search(r'"book": (\{"id": "[0-9a-f]{16}", "secret": "[0-9a-f]{48}"\})', page.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return json.loads(match[1]) if match else None


def _new_book(rows: Sequence[Row]) -> dict[str, str]:
    """Made of all files together, which no student has: the same table finds its marks again, and nobody else's page,
    which a browser may let at the same store, can make marks up.
    """
    digest = hashlib.sha256("\n".join(sorted(key_of(row.sha256, row.file) for row in rows)).encode("utf-8", "replace"))
    return {"id": digest.hexdigest()[:16], "secret": digest.hexdigest()[16:]}


# ---- The page -------------------------------------------------------------------------------------------------------


def _page(data: dict[str, Any], marks: dict[str, Any]) -> str:
    style = (_HERE / "gradebook.css").read_text("utf-8")
    script = (_HERE / "gradebook.js").read_text("utf-8") + "\nopenBook();\n"
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="{language()}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(text("gradebook.heading"))}</title>
<style>{style}</style>
</head>
<body>
<main></main>
<noscript><p>{html.escape(text("gradebook.no_javascript"))}</p></noscript>
<script type="application/json" id="{_ROWS}">{script_json(data)}</script>
<script type="application/json" id="{_MARKS}">{script_json(marks)}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _about() -> dict[str, Any]:
    """What the page needs besides the rows."""
    words = {key.removeprefix("gradebook."): word for key, word in texts(language()).items() if "gradebook." in key}
    return {
        "language": language(),
        "words": words,
        "own": MIN_IOU,
        "variants": [[variant.number, variant.title] for variant in VARIANTS],
        "kinds": {kind: text(f"grade.{kind}") for kind in KINDS},
        "checks": {name: text(f"checks.{name}") for name in NAMES},
    }


def _record(row: Row) -> dict[str, Any]:
    """A row as the page has it."""
    return {
        "file": row.file,
        "sha256": row.sha256,
        "link": _address(row.link),
        "problem": row.problem is not None,
        "student": _cut(row.student, _NAME),
        "group": _cut(row.group, _NAME),
        "date": _cut(row.date, _NAME),
        "shown": _date(row.date),
        "variant": row.variant,
        "model": _cut(row.variant_title, _NAME),
        "weights": _cut(row.weights, _NAME),
        "iou": row.iou,
        "checks": [{"name": one.name, "ok": one.ok, "reason": _cut(one.reason)} for one in row.checks],
        "remarks": [{"kind": one.kind, "text": _cut(one.text), "others": one.others} for one in _remarks(row)],
        "photos": [
            {"name": _cut(one.name, _NAME), "found": one.found, "iou": one.iou, "thumbnail": _thumbnail(one.thumbnail)}
            for one in row.photos
        ],
        "answers": [[_cut(question), _cut(answer)] for question, answer in row.answers],
        "conclusions": _cut(row.conclusions),
    }


def _remarks(row: Row) -> tuple[Remark, ...]:
    """The remarks of a row; that it could not be read is one."""
    if row.problem is None or any(remark.kind == "unreadable" for remark in row.remarks):
        return row.remarks
    return (Remark("unreadable", row.problem), *row.remarks)


def _address(link: str | None) -> str | None:
    """A link (percent-encoded) that leads to a file beside the table; None for any other."""
    if not link or link.startswith(("/", "\\")) or ":" in link.split("/")[0]:
        return None
    return quote(link, safe="/%", errors="replace")


def _thumbnail(address: str | None) -> str | None:
    return address if address and _THUMBNAIL.fullmatch(address) else None


def _date(date: str) -> str:
    """A date to be read: "12.03.2026 14:05" in Russian; as it is where it is none."""
    match = _DATE.match(date)
    if match is None:
        return _cut(date, 40)
    year, month, day, time = match.groups()
    return f"{day}.{month}.{year} {time}" if language() == "ru" else f"{year}-{month}-{day} {time}"


def _cut(prose: str, limit: int = _TEXT) -> str:
    return prose if len(prose) <= limit else prose[: limit - 1] + "…"


# ---- The table ------------------------------------------------------------------------------------------------------


def _cells(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """The titles and the cells of `grades.csv`, marks and comments still empty."""

    def word(name: str) -> str:
        return text(f"gradebook.{name}")

    titles = [text(f"checks.{name}") for name in NAMES]
    head = [word(name) for name in ("student", "group", "variant", "model", "date")] + titles
    head += [word(name) for name in ("failures", "iou", "remarks", "mark", "comment", "file")] + ["sha256"]
    cells = []
    for row in rows:
        held = {check.name: check.ok for check in row.checks}
        failures = [f"{text(f'checks.{one.name}')}: {one.reason}" for one in row.checks if not one.ok]
        remarks = [f"{text(f'grade.{one.kind}')}: {one.text}" for one in _remarks(row)]
        iou = "" if row.iou is None else floored(row.iou)
        line = [row.student, row.group, str(row.variant or ""), row.variant_title, _date(row.date)]
        line += [word("yes" if held[name] else "no") if name in held else "" for name in NAMES]
        line += ["\n".join(failures), iou, "\n".join(remarks), "", "", row.file, row.sha256]
        cells.append([guarded(_cut(cell).replace("\0", "").replace("\r\n", "\n")) for cell in line])
    return head, cells


def _mark_column(head: Sequence[str]) -> int:
    """Where the marks are; the comments are next to them."""
    return head.index(text("gradebook.mark"))


def _table(
    rows: Sequence[Row],
    head: Sequence[str],
    cells: Sequence[Sequence[str]],
    marks: Mapping[str, Mark],
) -> str:
    place = _mark_column(head)
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=";", lineterminator="\r\n")
    writer.writerow(head)
    for row, line in zip(rows, cells, strict=True):
        line = list(line)
        if mark := marks.get(key_of(row.sha256, row.file)):
            shown = mark.mark.replace(".", ",") if language() == "ru" else mark.mark
            line[place : place + 2] = [shown, guarded(mark.comment)]
        writer.writerow(line)
    return buffer.getvalue()
