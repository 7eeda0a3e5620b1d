"""What the student has written, wherever it stands, and how the notebook was run."""

import copy
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from labkit.report.answers import complete, pictures, report_data, words
from labkit.variants import VARIANTS


def read(*cells):
    """The answers and conclusions of text cells (and of code, given as cells)."""
    made = [new_markdown_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    data = complete({}, new_notebook(cells=made))
    return [row["answer"] for row in data["answers"]], data["conclusions"]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_the_kits_notebooks(root, variant):
    """Every question is found and no conclusions; an answer in place of its mark's dots is read whole, and alone."""
    notebook = nbformat.read(root / "notebooks" / variant.notebook, 4)
    data = complete({}, notebook)
    marks = sum(cell.source.count("*Ваш ответ:*") for cell in notebook.cells)
    assert len(data["answers"]) == marks >= 4 and data["conclusions"] == ""
    assert all(row["question"].startswith("**") and not row["answer"] for row in data["answers"])
    for cell in notebook.cells:
        cell.source = cell.source.replace(":* …", ":* Потому что граница.\n\nИ ещё **строка**.")
    answers = [row["answer"] for row in complete({}, notebook)["answers"]]
    assert len(answers) == sum(cell.source.count("*Ваш ответ") for cell in notebook.cells)
    assert set(answers) == {"Потому что граница.\n\nИ ещё **строка**."}


def test_questions_of_one_cell():
    """Each answer ends where the next question or heading begins."""
    cell = "## Вопросы\n\n**1.** Что?\n\n*Ваш ответ:* раз\n\n**2.** Где?\n\n*Ваш ответ:* …\n\n### Дальше\n\nтекст"
    rows = complete({}, new_notebook(cells=[new_markdown_cell(cell)]))["answers"]
    assert [tuple(row.values()) for row in rows] == [("**1.** Что?", "раз"), ("**2.** Где?", "")]


def test_answers_below():
    """Text in a cell of the student's own below the question, or below the conclusions, belongs to them."""
    question = "**Вопрос.** Что?\n\n*Ваш ответ:* …"
    assert read(question, "Ответ отдельно.", "## Дальше", "текст") == (["Ответ отдельно."], "")
    assert read(question, new_code_cell("1"), "не ответ") == ([""], "")
    conclusions = "## 10. Выводы\n\n*Заполните: что удалось.*\n\n…"
    assert read(conclusions, "Вышло.", "И ещё.") == ([], "Вышло.\n\nИ ещё.")
    assert read(conclusions, "### Итог\n\nВышло.", "## 11. Дальше") == ([], "### Итог\n\nВышло.")
    assert read(conclusions, "Было.", "### Вывод\n\nВышло.") == ([], "Было.\n\n### Вывод\n\nВышло.")
    assert read("# Вывод", f"Было.\n\n{conclusions} Вышло.") == ([], "Было.\n\n## 10. Выводы\n\n\n… Вышло.")
    copied = "**Ваш ответ:** Ответ отдельно."
    assert read(question, copied) == read(f"{question}\n\n{copied}") == (["Ответ отдельно."], "")
    assert read(f"{question} раз", copied)[0] == ["раз", "Ответ отдельно."]


def test_questions_with_a_condition():
    """A question for those who have masks of their own may stay open."""
    question = "**Вопрос.** Что?\n\n*Ваш ответ (если есть разметка):* "
    assert read(question + "…") == read(question + "—") == read(question + "...", "-") == ([], "")
    assert read(question + "Лапы.") == read(question + "…", "Лапы.") == (["Лапы."], "")


@pytest.mark.parametrize(
    "mark",
    ["*Ваш ответ: Лапы.*", "**Ваш ответ:** Лапы.", "Ваш ответ: Лапы.", "*Ваш ответ* : Лапы.", "_Ваш ответ:_ Лапы."],
)
def test_marks_that_were_edited(mark):
    """An answer is one without the asterisks of its mark, or within them; so are conclusions below another heading."""
    for condition in ("", " (по желанию)"):
        told = mark.replace("ответ", f"ответ{condition}")
        (answer,), _ = read(f"**Вопрос.** Что не видно?\n\n{told}")
        assert answer.strip("*") == "Лапы."
    for heading in ("# Выводы", "## 10. Выводы:", "### **Выводы**", "## Вывод.", "## ВЫВОДЫ"):
        assert read(f"{heading}\n\n*Заполните: что удалось.*\n\nВышло.") == ([], "Вышло.")
    assert read("## Вывод формулы\n\nТекст.", "Ваш ответ короток.") == ([], "")


@pytest.mark.parametrize("content", ["A" * 300_000, "attached"])
def test_pasted_pictures(content):
    """A picture in a text, in the manner of Colab or of Jupyter, has a short name there; nothing after it is lost."""
    inline = f"data:image/png;base64,{content}" if content[0] == "A" else "attachment:%D0%BA%D0%BE%D1%82%20(1).png"
    attached = {"кот (1).png": {"image/png": "AAAA"}}
    told = f"## 10. Выводы\n\nДо.\n\n![image.png]({inline})\n\nИ <img src='{inline}'> после."
    notebook = new_notebook(
        cells=[new_markdown_cell(told, attachments=attached), new_markdown_cell("![x](attachment:no)")]
    )
    for _ in range(2):  # the texts are read more than once
        said = complete({}, notebook)["conclusions"]
        assert said.startswith("До.\n\n![image.png](labkit-picture-1)") and "(no)" in said
        assert "И <img src='labkit-picture-2'> после." in said
    assert pictures(new_notebook(cells=[new_markdown_cell(told, attachments=attached)])) == {
        f"labkit-picture-{n}": inline if content[0] == "A" else "data:image/png;base64,AAAA" for n in (1, 2)
    }


def test_words():
    """Words have two letters, numbers a digit; dots, dashes and lone letters are none."""
    assert words("…") == words("— а , !!") == 0
    assert words("k = 4, s = 2, p = 1") == words("$k=4$, $s=2$, $p=1$") == 3
    assert words("Кошка выделена на 95 %, снято_вчера") == 6


def test_run(handed, notebook):
    """All cells in their order; one left out, one run again, one failed."""
    notebook = copy.deepcopy(notebook)
    assert complete({}, notebook)["run"] == {"cells": 3, "executed": 3, "in_order": True, "error": None}
    assert report_data(notebook) == handed.data
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[0].execution_count = 9
    assert not complete({}, notebook)["run"]["in_order"]
    code[0].execution_count = None
    assert complete({}, notebook)["run"]["executed"] == 2
    code[1].outputs.append(new_output("error", ename="ValueError", evalue="нет", traceback=[]))
    assert complete({}, notebook)["run"]["error"] == "ValueError: нет"
    assert complete({}, notebook, "остановлено")["run"]["error"] == "остановлено"


def test_many_blanks():
    """An answer with many blanks in it, as a stuck key writes them, is read at once and kept."""
    started = time.process_time()
    answers, _ = read(f"**Вопрос.** Что?\n\n*Ваш ответ:* … да{' ' * 30_000}нет …\n")
    assert answers[0].split() == ["да", "нет"] and time.process_time() - started < 2
