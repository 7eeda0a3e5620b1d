"""What a handed-in file holds: a page or a notebook, read with limits, and nothing in it ever run or rendered."""

import codecs
import json
from typing import Any, NamedTuple

from labkit.grading.facts import as_prose, headings, prose_of
from labkit.io.errors import LabkitError, one_line
from labkit.locale import text
from labkit.report.answers import complete, outputs_text, report_data
from labkit.report.consistency import MAX_PIXELS, carried_photos, viewer_items
from labkit.report.data import BLOCK, OPENING, digest, page_digest, parse

__all__ = ["Submission", "read"]

_MASK_PIXELS = 20_000_000_000
"""Of all masks of a report together: what takes some twenty seconds to decode. Ten photos of SAM have 1e9."""

_MARKS = 'id="labkit-marks"'  # in a table of grades that an instructor has saved


class Submission(NamedTuple):
    """What a file holds: its `data` as `schema.json` describes them, the viewers' `items`, and as `page` the HTML
    around the data, or the outputs of a notebook; which seal is broken ("data", "page") or missing ("unsealed"); the
    photos that it carries, by name; what can be read in it, cells included, and the headings of its sections.
    """

    data: dict[str, Any]
    items: list[dict[str, Any]]
    page: str
    edited: tuple[str, ...]
    jpegs: dict[str, bytes]
    prose: str
    sections: list[str]


def read(content: bytes) -> Submission:
    """A handed-in file, a notebook or a page by what is in it. LabkitError says in one sentence why it is none."""
    try:
        if not content.strip():
            raise LabkitError(text("submission.empty"))
        encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        written = content.decode(encoding, "replace")  # a Windows editor's, too; what is no text is seen by the seals
        written = written.replace("\r\n", "\n").replace("\r", "\n")  # Git on Windows, and older editors
        data, page, edited, *told = (_notebook if written.lstrip().startswith(("{", "[")) else _page)(written)
        total = 0
        for result in (*data["results"], *data["prompted"]):  # before any mask is decoded
            height, width = result["size"]
            if height * width > MAX_PIXELS:
                raise LabkitError(text("submission.pixels", width=width, height=height, limit=MAX_PIXELS))
            total += height * width * len(result["segments"])
        if total > _MASK_PIXELS:
            raise LabkitError(text("submission.masks"))
        run = {"cells": 0, "executed": 0, "in_order": False, "error": None}
        data = {"answers": [], "conclusions": "", "run": run, **data}
        items = viewer_items(page)
        return Submission(data, items, page, edited, carried_photos(data, items), *told)
    except RecursionError:
        raise LabkitError(text("submission.deep")) from None


def _page(page: str) -> tuple[dict[str, Any], str, tuple[str, ...], str, list[str]]:
    count, block = page.count(OPENING), BLOCK.search(page)
    if count > 1:
        raise LabkitError(text("submission.two_blocks"))
    if block is None:  # the data stand last: of a report of which the end is gone they are all gone
        is_cut = count or ("labkit" in page and "</html" not in page)
        raise LabkitError(text(f"submission.{'cut' if is_cut else 'marks' if _MARKS in page else 'no_block'}"))
    data = _parsed(block[1])
    made = {"data": ("digest", digest(data)), "page": ("page_sha256", page_digest(page))}
    edited = {name if key in data else "unsealed" for name, (key, seal) in made.items() if data.get(key) != seal}
    page = page[: block.start()] + page[block.end() :]
    return data, page, tuple(sorted(edited)), as_prose(page), headings(page)


def _notebook(content: str) -> tuple[dict[str, Any], str, tuple[str, ...], str, list[str]]:
    """Of a notebook the data that its kernel put out are sealed, and nothing else."""
    import nbformat  # a second and more, that a page is spared

    try:
        notebook = nbformat.reads(content, as_version=4)
        data, shown = report_data(notebook), outputs_text(notebook)
        told, prose = complete({}, notebook), prose_of(notebook)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # what is no notebook fails in every manner
        raise LabkitError(text("submission.notebook", error=one_line(error.__cause__ or error))) from error
    if data is None:
        raise LabkitError(text("submission.not_run"))
    data = _parsed(json.dumps(data))
    edited = () if data.get("digest") == digest(data) else ("data" if "digest" in data else "unsealed",)
    return _parsed(json.dumps(data | told)), shown, edited, f"{prose}\n{as_prose(shown)}", headings(prose)


def _parsed(content: str) -> dict[str, Any]:
    try:
        return parse(content)
    except ValueError as error:
        raise LabkitError(text("submission.data", error=one_line(error))) from error
