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


def executed(
    handed: HandIn, results: Sequence[Segmentation], answer: str = ANSWER, conclusions: str = CONCLUSIONS
) -> nbformat.NotebookNode:
    """A notebook with results, a table, a question, conclusions and the data."""
    outputs = [
        [new_output("display_data", data={"text/html": page_part(results), "text/plain": summary(results)})],
        [new_output("stream", text=summary(results) + "\n")],
        [new_output("display_data", data=handed._repr_mimebundle_())],
    ]
    sources = ["labkit.show(results)", "print(labkit.summary(results))", "labkit.hand_in(3, photos, results)"]
    code = [
        new_code_cell(source, execution_count=n, outputs=made)
        for n, (source, made) in enumerate(zip(sources, outputs, strict=True), start=1)
    ]
    question = f"## 9. Вопросы\n\n**1.** Какие пиксели исчезают первыми?\n\n*Ваш ответ:* {answer}"
    told = f"## 10. Выводы\n\n*Заполните: что удалось выделить и почему.*\n\n{conclusions}"
    cells = [new_markdown_cell("# Вариант 3. FCN"), *code[:2], new_markdown_cell(question), new_markdown_cell(told)]
    return new_notebook(cells=[*cells, code[2]], metadata={"language_info": {"name": "python"}})
