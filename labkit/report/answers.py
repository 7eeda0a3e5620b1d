"""What a notebook says besides its results: the student's answers and conclusions, and how it was run."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from labkit.report.data import MIME

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["FILLERS", "complete", "outputs", "outputs_text", "pictures", "report_data", "split_conclusions", "words"]

# with a condition in brackets the question may stay open; who writes within its asterisks has answered too
_ANSWER = re.compile(r"(?:^[*_ ]*|\*)Ваш ответ( \([^)]*\))?[*_]* ?:[*_]*", re.MULTILINE)
_NEXT = re.compile(r"^(?:\*\*(?:Вопрос|\d+)\.|#+ )", re.MULTILINE)
_CONCLUSIONS = re.compile(r"^#+[ \d.*_]*Выводы?[\s*_:.]*$", re.MULTILINE | re.IGNORECASE)
_PROMPT = re.compile(r"^\*Заполните:.*?\*\s*$", re.MULTILINE | re.DOTALL)
# where a picture was pasted into a text: Colab writes all of it there, others name an attachment of the cell
_PICTURE = re.compile(r"""attachment:((?:[^\s()<>"']|\([^\s()]*\))+)|data:image/[\w.+-]+;base64,[\w+/=]+""")
_MAX_CHARACTERS = 100_000

FILLERS = "\u115f\u1160\u3164\uffa0"  # letters that are blank


def report_data(notebook: NotebookNode) -> dict[str, Any] | None:
    """The data that the notebook's last `labkit.hand_in` has put out; None where it was not run."""
    records = [output["data"][MIME] for output in outputs(notebook) if MIME in output.get("data", {})]
    return records[-1] if records else None


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    """All outputs of a notebook's cells."""
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def complete(data: dict[str, Any], notebook: NotebookNode, error: str | None = None) -> dict[str, Any]:
    """The data with `answers`, `conclusions` and `run` of the notebook; `error` is where its run stopped."""
    rows, conclusions, _ = _texts(notebook)
    answers = [{key: row[key] for key in ("question", "answer")} for row in rows if not row["open"]]
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    ran = [count for cell in code if (count := cell.get("execution_count"))]
    failed = [o for cell in code for o in cell.get("outputs", []) if o.get("output_type") == "error"]
    if failed and error is None:
        error = f"{failed[0].get('ename')}: {failed[0].get('evalue')}"[:1000]
    run = {"cells": len(code), "executed": len(ran), "in_order": ran == sorted(set(ran)), "error": error}
    return {**data, "answers": answers, "conclusions": conclusions, "run": run}


def outputs_text(notebook: NotebookNode) -> str:
    """What the code cells have put out, one after the other, as a page shows it: HTML, or text where there is none."""
    parts = []
    for output in outputs(notebook):
        data = output.get("data", {})
        parts += filter(None, (output.get("text"), data.get("text/html") or data.get("text/plain")))
    return "\n".join("".join(part) for part in parts)


def pictures(notebook: NotebookNode) -> dict[str, str]:
    """The addresses of the pictures that were pasted into the texts, by the short names that now stand there instead.

    Of one that its cell does not have, since only the text was copied, the name is left.
    """
    found: dict[str, str] = {}

    def put(match: re.Match[str]) -> str:
        address = match[0]
        if match[1]:
            kinds = attached.get(match[1]) or attached.get(unquote(match[1]))
            if not kinds:
                return match[1]
            kind, content = next(iter(kinds.items()))
            address = f"data:{kind};base64,{''.join(content)}"
        name = f"labkit-picture-{len(found) + 1}"
        found[name] = address
        return name

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            attached = cell.get("attachments") or {}
            cell.source = _PICTURE.sub(put, "".join(cell.source))
    return found


def words(prose: str) -> int:
    """How many words of two letters (no fillers) and numbers there are, one that comes again counted twice at most."""
    found = re.findall(rf"[^\W_{FILLERS}]{{2,}}|\d", prose.casefold())
    return sum(min(2, count) for count in Counter(found).values())


def split_conclusions(notebook: NotebookNode) -> str:
    """Takes the conclusions, with their heading, out of a notebook, in place, and returns them as Markdown.

    The questions that may stay open and did, from their beginning on, are taken out with them.
    """
    rows, conclusions, told = _texts(notebook)
    for row in rows:
        if row["open"]:
            row["cell"].source = row["cell"].source.replace(row["source"], "")
    for cell in told:
        heading = _CONCLUSIONS.search(cell.source)
        cell.source = cell.source[: heading.start()] if heading and cell is told[0] else ""
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type != "markdown" or cell.source.strip()]
    return conclusions


def _texts(notebook: NotebookNode) -> tuple[list[dict[str, Any]], str, list[NotebookNode]]:
    """The questions with their answers and cells, the conclusions, and the cells in which these stand."""
    pictures(notebook)
    answers: list[dict[str, Any]] = []
    conclusions, deeper, told = "", "", []
    taking: str | None = None  # what a text cell without a heading, which the student has added, belongs to
    for cell in notebook.cells:
        source = cell.source = "".join(cell.source)
        if taking == "answer" and not answers[-1]["answer"] and (again := _ANSWER.match(source)):
            source = source[again.end() :]  # its mark was copied into a cell of the student's own
        if cell.cell_type != "markdown":
            taking = None
        elif taking == "conclusions" and (source.startswith(deeper) or not source.startswith("#")):
            conclusions, told = _bare(f"{conclusions}\n\n{_PROMPT.sub('', source)}"), [*told, cell]
        elif heading := _CONCLUSIONS.search(source):
            conclusions, told, taking = _bare(_PROMPT.sub("", source[heading.end() :])), [cell], "conclusions"
            deeper = "#" * (len(heading[0]) - len(heading[0].lstrip("#")) + 1)
        elif _ANSWER.search(source):
            answers += [{**row, "cell": cell} for row in _answers(source)]
            taking = "answer"
        elif taking == "answer" and not source.startswith("#"):
            answer = _bare(f"{answers[-1]['answer']}\n\n{source}")
            answers[-1] |= {"answer": answer, "open": answers[-1]["open"] and not words(answer)}
        else:
            taking = None
    return answers, conclusions, told


def _answers(source: str) -> list[dict[str, Any]]:
    """Each question of a cell with what stands after its mark, up to the next question or heading."""
    rows, end = [], 0
    for mark in _ANSWER.finditer(source):
        if mark.start() < end:  # within the answer before
            continue
        asked = source[: mark.start()]
        start = max((at.start() for at in _NEXT.finditer(asked, end) if at[0][0] == "*"), default=end)
        following = _NEXT.search(source, mark.end())
        end = following.start() if following else len(source)
        question, answer = " ".join(asked[start:].split())[:2000], _bare(_ANSWER.sub("", source[mark.end() : end]))
        is_open = bool(mark[1]) and not words(answer)
        rows.append({"question": question, "answer": answer, "open": is_open, "source": source[start:end]})
    return rows


def _bare(prose: str) -> str:
    """Without the dots that stand for an answer which is still to come."""
    return re.sub(r"^[\s…]+|(?<![\s…])[\s…]+$", "", prose)[:_MAX_CHARACTERS]
