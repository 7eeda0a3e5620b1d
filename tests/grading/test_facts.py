"""One reading of a report for all: a field that is missing or contradicts another never helps."""

import copy
import html
import re
from collections.abc import Callable
from itertools import product
from types import SimpleNamespace

import nbformat
import pytest
from handed_in import CONCLUSIONS, WRITTEN, notebook_of, outside, page_of, resealed

from labkit.grading import facts
from labkit.grading.facts import asked_by, made_by, strict
from labkit.grading.submissions import read
from labkit.locale import language, text, texts, use_language
from labkit.models.official import SIDES
from labkit.report.checks import checks
from labkit.report.consistency import disagreements, viewer_items
from labkit.report.data import BLOCK, results_data
from labkit.report.provenance import setting_told
from labkit.variants import VARIANTS, find_variant
from labkit.weights.catalogue import OFFICIAL
from labkit.weights.find import EMBEDDED


@pytest.fixture(scope="module")
def honest(sample):
    """A good report as it is read."""
    return read(sample.page.encode())


@pytest.fixture
def data(honest):
    """Its data, to be changed."""
    return copy.deepcopy(honest.data)


QUOTED = [  # of the notebook of variant 3
    "Косинус, близкий к 1, значит, что изменился только масштаб ядра, а форма осталась.",
    "Что видно: карта растёт вместе со входом, и объект занимает в ней больше клеток.",
]


def failed(data, target="") -> set[str]:
    """The checks that do not hold."""
    return {one.name for one in checks(strict(data), wanted=3, target=target) if not one.ok}


def test_an_honest_report_stays_as_it_is(data):
    """What is read strictly is what was written, and all checks hold; conclusions of few words are one's own too."""
    assert strict(data) == data and failed(data) == set() and failed(data, "собака") == {"objects"}
    few = {**data, "conclusions": "Сеть хорошо нашла почти все объекты."}
    assert strict(few) == few and failed(few) == {"conclusions"}


@pytest.mark.parametrize("variant", [variant.number for variant in VARIANTS])
def test_what_the_notebooks_ask(variant):
    """Each variant's own notebook says how many questions, cells and sections a report has."""
    asked = asked_by(variant)
    assert len(asked.questions) >= 3 and asked.cells > 10 and len(asked.sections) > 6
    answers = [{"question": question, "answer": ""} for question in asked.questions]
    data = {"variant_number": variant, "answers": answers, "photos": []}
    assert facts.gone(data, asked.sections, ()) == []
    assert "«Цель»" in facts.gone(data, asked.sections[1:], ())[0]


@pytest.mark.parametrize("kind, name", [*product(["embedded"], EMBEDDED), *product(["official"], OFFICIAL)])
def test_usual_settings(data, load, kind, name):
    """What is known of them without torch is what the models have; for official weights no network is made."""
    release = OFFICIAL[name] if kind == "official" else None
    model = load(release.variant if release else name)
    settings = model.settings
    if release:
        about = {"weights": SimpleNamespace(release=release), "network": None}
        about |= {"_side": SIDES[release.variant]} if model.variant.kind == "semantic" else {}
        settings = type(model).settings.fget(SimpleNamespace(**about))
    usual = {name: setting.value for name, setting in settings.items()}

    def told(**changed) -> list[str]:
        made = {"variant": model.variant.name, "weights": f"{kind}/{name}", "settings": usual} | changed
        return facts.unusual({**data, "made_by": made})

    assert told() == [] and len(told(variant="x")) == len(usual)
    assert told(settings={name: value for name, value in usual.items() if name != "inside_threshold"}) == []
    for name, value in usual.items():
        assert told(settings={**usual, name: value / 2}) == [setting_told(name, value / 2, value)]


@pytest.mark.parametrize("value", [False, None, "8", 8.5, "8" * 500])
def test_settings_of_one_result(data, value):
    """Of whichever photo and type, and of no setting that there is."""
    data["results"][-1]["made_by"] |= {"settings": {"finest": value}}
    data["results"][0]["made_by"] |= {"settings": {"новая": 1}}
    told = facts.unusual(data)
    labels = {texts(language()).get(f"setting.{name}", name) for name in ("finest", "working_side", "новая")}
    assert {one.partition(":")[0] for one in told} == labels and max(map(len, told)) < 120


NAMED = ["Анна Иванова", "ИВАНОВА  анна", "Иванова Аннa"]
SHOWN = [("Иванова Анна", name) for name in (*NAMED, "", "Иванов Анна", "Ким Ян", "<b>Анна")]


@pytest.mark.parametrize("said, shown", [*SHOWN, ("С-101", "С-102"), ("embedded/fcn", "official/fcn_resnet50_coco")])
def test_the_table_on_the_page(sample, said, shown):
    """Names those of the data, in whatever order, case and alphabet, and their weights, or is told."""
    page = re.sub(rf"(<td>[^<]*){re.escape(said)}", lambda found: found[1] + html.escape(shown), sample.page)
    one = read(page.encode())
    told = facts.other_facts(one.data, one.page)
    assert page != sample.page
    assert (told == {}) if shown in NAMED else (shown in "".join(told.values()) and len(told) == 1)


def test_what_is_deleted_counts(data):
    """A question that was taken out of the notebook is one that is not answered, a cell one that has not been run."""
    last, questions = len(asked_by(3).questions) - 1, list(asked_by(3).questions)
    data["answers"] = data["answers"][last : last + 1]
    answers = strict(data)["answers"]  # each has the number that the notebook gives it
    assert failed(data) == {"answers"} and len(answers) == len(questions)
    assert all(row["question"].endswith(question) for row, question in zip(answers, questions, strict=True))
    assert [n for n, row in enumerate(answers) if row["answer"]] == [last]
    data["run"] = {**data["run"], "cells": 1, "executed": 1}
    assert failed(data) == {"answers", "run"}


HIDDEN = ["\u200b", "\u00ad", "\u0301", "\u3164"]
SAID: list[Callable[[int], str]] = [
    lambda n: ["Сеть  ошиблась на краях.", "сеть ошиблась на краях"][n % 2],
    lambda n: f"Сеть ошиблась на тонких краях предмета {n}.",
    lambda n: f"{n + 1}) сеть ошиблась на тонких краях предмета",
    lambda n: "Сеть ошиблась на тонких краях " + ["предмета", "кота", "коня", "пса", "овцы", "лица"][n],
    lambda n: "Сеть ошиблась на тонких краях предмета".replace("аеоикс"[n], "ы", 1),
    lambda n: ["Вот:", "Итак,", "Думаю,", "Вижу:", "Да,", "Ну,"][n] + " сеть ошиблась на тонких краях предмета",
    lambda n: f"Сеть ошиблась на {'краях'.replace('а', 'a') if n % 2 else 'краях'}",
    *(lambda n, sign=sign: f"Сеть ошиб{sign * n}лась на краях" for sign in HIDDEN),
]


@pytest.mark.parametrize("said", SAID)
def test_one_answer_for_all_counts_once(data, said):
    """A case, number, word or letter that is another one, or what nobody sees, makes no other answer of it."""
    for n, row in enumerate(data["answers"]):
        row["answer"] = said(n)
    assert sum(bool(row["answer"]) for row in strict(data)["answers"]) == 1 and "answers" in failed(data)


@pytest.mark.parametrize(
    "said, fails",
    [
        ({"conclusions": "Отлично! " * 20}, {"conclusions"}),  # a word or two, however often
        ({"conclusions": "сеть Сеть, модель " * 10}, {"conclusions"}),
        ({0: CONCLUSIONS}, {"conclusions"}),  # the words of an answer
        ({"conclusions": " ".join(QUOTED[::-1])}, {"conclusions"}),  # the notebook's, in whatever order
        ({"conclusions": " ".join([*QUOTED[::-1], CONCLUSIONS])}, set()),  # who quotes it and concludes has concluded
        ({1: QUOTED[0]}, {"answers"}),
        ({1: f"{QUOTED[0]} Да, у усов."}, set()),
        ({0: slice(4, 64)}, {"answers"}),  # of the question itself
        ({0: slice(-9, None)}, set()),  # a word of it
        ({n: HIDDEN[n % 4] * (2 + n) for n in range(6)}, {"answers"}),  # what nobody sees
    ],
)
def test_texts_that_say_nothing(data, said, fails):
    """They are neither answers nor conclusions; what the student has added to them is."""
    for place, words in said.items():
        if place == "conclusions":
            data["conclusions"] = words
        else:
            row = data["answers"][place]
            row["answer"] = row["question"][words] if isinstance(words, slice) else words
    assert failed(data) == fails


def test_own_questions_are_told(data):
    """Easy questions in the place of the notebook's, and photos that are only named."""
    count = len(asked_by(3).questions)
    data["answers"] = [{"question": f"Сколько будет {n} + {n}?", "answer": f"Сумма {2 * n}"} for n in range(count)]
    told = facts.gone(data, asked_by(3).sections, [photo["name"] for photo in data["photos"][1:]])
    assert len(told) == 2 and told[0].count("«") == count and data["photos"][0]["name"] in told[1]


def test_one_photo_ten_times_counts_once(data):
    """By its bytes, its name, what is carried of it, and by its look."""
    data["photos"] = [data["photos"][0]] + [{**data["photos"][0], "name": f"копия {n}"} for n in range(9)]
    assert "photos" in failed(data)
    for key, left in (("name", 1), ("sha256", 1), ("jpeg_sha256", 10)):
        for n, photo in enumerate(data["photos"]):
            photo[key] = f"копия {n - 1}" if key == "name" else f"{n:064x}"
        assert len(strict(data)["photos"]) == left
    assert len(strict(data, {f"копия {n}" for n in range(9)})["photos"]) == 1
    data["photos"] = [{**photo, "name": "одно имя"} for photo in data["photos"]]
    assert len(strict(data)["photos"]) == 1


DEEPLAB = {"variant": "deeplab", "weights": "embedded/deeplab", "sha256": EMBEDDED["deeplab"]}


@pytest.mark.parametrize("common, first, last", [({}, DEEPLAB, {}), (DEEPLAB, {}, {}), ({}, DEEPLAB, DEEPLAB)])
def test_results_of_two_models_are_neither_s(data, common, first, last):
    """Whichever of them says so: a result, or a report, that names the asked model does not speak for the others."""
    own = {key: data["made_by"][key] for key in DEEPLAB}
    data["made_by"] |= common
    for result, made in zip(data["results"], (first, own, last), strict=True):
        result["made_by"] |= made
    assert {"variant", "weights"} <= failed(data)


@pytest.mark.parametrize("weights, known", [("", "embedded/fcn"), (" ", "embedded/fcn"), ("мои", "мои")])
@pytest.mark.parametrize("classes", ["", "ничего"])
def test_weights_of_another_name(data, weights, known, classes):
    """What they are called opens no way round their classes; without a name their hash says which they are."""
    data["made_by"] |= {"classes": classes, "weights": weights}
    assert made_by(data)["weights"] == known and failed(data, "самолёт") == {"objects"}


@pytest.mark.parametrize("key, lost", [("variant", "variant"), ("weights", ""), ("sha256", "weights"), ("classes", "")])
def test_a_missing_field_is_never_the_lenient_case(data, key, lost):
    """Without it less holds than with it, never more; classes are those that the weights know."""
    del data["made_by"][key]
    assert made_by(data)["classes"] == made_by(data | {"made_by": data["made_by"] | {"classes": "COCO"}})["classes"]
    assert {lost} - {""} <= failed(data) and "objects" in failed(data, "самолёт")


def test_texts_of_the_page_are_those_of_the_data(sample, honest):
    """An answer or conclusions that the page does not show are told, by the question; a whole report lacks nothing."""
    assert facts.unseen(honest.data, honest.prose) == []
    assert facts.gone(honest.data, honest.sections, honest.jpegs) == []
    said = list(WRITTEN.values())[1]
    changed = read(resealed(outside(sample.page, said.split(";")[0][:40], "Ничего")).encode())
    assert "Что изменилось с порогом" in facts.unseen(changed.data, changed.prose)[0]
    changed = {**honest.data, "conclusions": "Совсем другое"}
    assert facts.unseen(changed, honest.prose) == [text("facts.conclusions")]


def test_markdown_is_read_as_it_is_shown(sample):
    """Links, tables, emphasis, code and pictures of an honest answer are no difference."""
    picture = "![снимок экрана.png](data:image/png;base64,iVBORw0K)"
    answer = "Сеть **не** видит `усов`: [статья](https://example.org/a?b=1), формула $a < b$ и\n\n- раз\n- два"
    answer += "\n\n1. первое <!-- себе --> место\n2. второе\n\n> 1) третье\n> 2) четвёртое"
    answers = {"Почему?": answer, "Где?": picture}
    written = notebook_of(sample.photos, sample.results, answers=answers, conclusions=f"# {CONCLUSIONS}\n\n1. И ещё.")
    for content in (page_of(written), nbformat.writes(written)):
        one = read(content.encode())
        assert facts.unseen(one.data, one.prose) == []


def test_short_answers_may_be_the_same(data):
    """As the notebook's own check has it: two numbers, or that there was nothing to mark; a longer text counts once."""
    for said, counted in (("32", 2), ("Не делал.", 2), ("Не делал, не было разметки.", 1)):
        for row in data["answers"][:2]:
            row["answer"] = said
        assert sum(bool(row["answer"]) for row in strict(data)["answers"][:2]) == counted


@pytest.mark.parametrize(
    "change",
    [
        lambda summary: "<",
        lambda summary: summary.replace("0,9", "1,0"),
        lambda summary: summary.replace("4", "6"),
        lambda summary: summary.replace("кошка", "собака"),
        lambda summary: "\n".join(summary.splitlines()[:-1]),
        lambda summary: f"{summary}\nмоё 4  кошка    43 %     0,95",
    ],
    ids=["none", "scores", "shares", "names", "a photo less", "a photo more"],
)
def test_the_printed_table_is_that_of_the_masks(data, change):
    """In data and page alike it may say nothing else, in whatever language."""
    assert facts.untrue(data) == []
    data["summary"] = change(data["summary"])
    assert facts.untrue(data)


def test_an_english_table(sample):
    """Of whichever model, objects without a class too."""
    with use_language("en"):
        english = results_data(find_variant(3), sample.photos, sample.results)
    assert "kitten" not in english["summary"] and "cat" in english["summary"] and facts.untrue(english) == []
    unnamed = {**english, "made_by": {**english["made_by"], "variant": "sam"}}
    assert facts.untrue({**unnamed, "summary": english["summary"].replace("cat", "object 1")}) == []


def test_prose_takes_no_scripts():
    """What no reader sees is no text of the page, and however many tags begin, it is read once."""
    page = "<p>да &amp; нет<script>ответ<b></script> ещё<style>.x</style><STYLE>z</STYLE><!-- <b>y --> конец"
    assert facts.as_prose(page).split() == ["да", "&", "нет", "ещё", "конец"]
    assert facts.as_prose("<script>" * 300_000).isspace()


@pytest.mark.parametrize(
    "part", ["слово ", "<p>а", "<h2>а", "&#1;", "<a ", "<!--", "<th>Студент</th><td>а<", "<script></scrip"]
)
def test_endless_pages_take_no_endless_work(data, part):
    """Of whatever a page has millions of, a part is read; a report has some thousands."""
    page = part * 1_000_000
    assert len(facts.as_prose(page)) <= 2_000_000 and len(facts.headings(page)) <= 1000
    assert len(facts.other_facts(data, page)) <= 1


def test_every_viewer_and_every_table_counts(sample, honest):
    """One that agrees with the data does not make up for another that does not."""
    data, items, name = honest.data, honest.items, honest.data["results"][0]["photo"]
    assert disagreements(data, items, honest.page) == []
    for key, changed in (("others", {"segments": []}), ("photo", {"photo": items[1]["photo"]})):
        told = disagreements(data, [*items, {**items[0], **changed}], honest.page)
        assert told == [text(f"consistency.{key}", name=name, names=name)]
    told = disagreements(data, [{**items[0], "segments": []}, *items[1:]], honest.page)
    assert told == [text("consistency.masks", name=name)]
    better = data["summary"].replace("0.", "1.").replace("%", "9%")
    assert better != data["summary"]
    assert disagreements(data, items, f"<pre>{better}</pre>{honest.page}") != []
    assert viewer_items(BLOCK.sub("", sample.page)) == items


@pytest.mark.parametrize("sign", ["\u0301", "\u00ad", "\u200b", "\u061c", "\u180e", "\ufe0f", "\u3164", "\u1160"])
def test_unseen_signs_are_in_no_word(sign):
    """Accents, format characters and blank letters, whatever their block, neither part a word nor make another."""
    assert facts.word_list(f"К{sign}от {sign} спит") == facts.word_list("кот спит") == ["кот", "спит"]
