"""Executed notebooks without a kernel: the outputs are those that the kit's own functions make."""

from collections.abc import Sequence
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from labkit.figures import summary
from labkit.report.button import HandIn
from labkit.report.data import digest, results_data
from labkit.segmentation import Segmentation
from labkit.variants import find_variant
from labkit.viewer.viewer import page_part

ANSWER = "Сначала исчезают пиксели у границы: там сеть сомневается."
CONCLUSIONS = "Кошки выделены хорошо, ошибки у тонких деталей: усы и лапы сеть сгладила, шаг признаков велик."


def handed_in(variant: int | str, photos: Sequence[Any], results: Sequence[Segmentation], **said: Any) -> HandIn:
    """What the last cell displays."""
    data = results_data(find_variant(variant), photos, results, **{"wanted": len(photos), **said})
    return HandIn({**data, "digest": digest(data)})


def code_cells(results: Sequence[Segmentation], data: dict[str, Any]) -> list[nbformat.NotebookNode]:
    """The cells with the results, with their table, and with the bundle of data that the last one displays."""
    table = summary(results)
    outputs = {
        "labkit.show(results)": new_output("display_data", {"text/html": page_part(results), "text/plain": table}),
        "print(labkit.summary(results))": new_output("stream", text=f"{table}\n"),
        "labkit.hand_in(3, photos, results)": new_output("display_data", data),
    }
    return [new_code_cell(source, execution_count=n, outputs=[o]) for n, (source, o) in enumerate(outputs.items(), 1)]


def executed(handed: HandIn, results: Sequence[Segmentation]) -> nbformat.NotebookNode:
    """A notebook with results, a table, a question, conclusions and the data."""
    *shown, last = code_cells(results, handed._repr_mimebundle_())
    question = f"## 9. Вопросы\n\n**1.** Какие пиксели исчезают первыми?\n\n*Ваш ответ:* {ANSWER}"
    told = f"## 10. Выводы\n\n*Заполните: что удалось выделить и почему.*\n\n{CONCLUSIONS}"
    prose = map(new_markdown_cell, ("# Вариант 3. FCN", question, told))
    return new_notebook(cells=[next(prose), *shown, *prose, last], metadata={"language_info": {"name": "python"}})
