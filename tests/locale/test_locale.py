"""The texts: both languages whole, nothing in them that the code does not say, and the language of the context."""

import ast
import multiprocessing
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from string import Formatter

import pytest

import labkit
from labkit.grading.workers import done
from labkit.locale import LANGUAGES, keep_language, language, number, plural, text, texts, use_language

FORMS = {"ru": ["one", "few", "many"], "en": ["one", "other"]}


def forms(said: str | dict[str, str]) -> list[str]:
    """A text's forms, or the one that it has."""
    return [said] if isinstance(said, str) else list(said.values())


def placeholders(template: str) -> set[str]:
    """The names of the values that a text takes."""
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


@pytest.fixture(scope="module")
def code(root):
    """The library's syntax trees, the calls in its templates among them."""
    python, pages = ([path.read_text("utf-8") for path in (root / "labkit").rglob(f"*.{e}")] for e in ("py", "j2"))
    return [ast.parse(one) for one in (*python, *re.findall(r'text\("[^"]+"\)', "".join(pages)))]


def called(code, names=("text", "plural", "Unreadable", "_refusal")) -> tuple[set[str], set[str]]:
    """The keys given to these functions: whole ones, and patterns of those made of parts."""
    keys, patterns = set(), set()
    for tree in code:
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") in names and node.args):
                continue
            key = node.args[0]
            if isinstance(key, ast.Constant):
                keys.add(key.value)
            elif isinstance(key, ast.JoinedStr):
                parts = (re.escape(p.value) if isinstance(p, ast.Constant) else "(.+)" for p in key.values)
                patterns.add("".join(parts))
    return keys, patterns


def test_same_keys_and_placeholders():
    """Russian and English have the same keys, in alphabetical order, and take the same values in every form."""
    assert list(texts("ru")) == list(texts("en")) == sorted(texts("ru"))
    for key in texts("ru"):
        taken = [placeholders(form) for name in LANGUAGES for form in forms(texts(name)[key])]
        assert all(one == taken[0] for one in taken), key


def test_forms_are_those_of_the_language():
    """A text that counts has each form of its language, and says the count."""
    for name in LANGUAGES:
        counting = {key: said for key, said in texts(name).items() if not isinstance(said, str)}
        assert len(counting) > 5
        for key, said in counting.items():
            assert list(said) == FORMS[name] and all("{count}" in form for form in said.values()), key


def test_languages_are_what_they_say():
    """Every Russian text is in Cyrillic and no English one is."""
    for key in texts("ru"):
        assert all(re.search("[а-яё]", form) for form in forms(texts("ru")[key])), key
        assert not any(re.search("[а-яё]", form, re.IGNORECASE) for form in forms(texts("en")[key])), key


def test_every_key_that_is_used_exists(code):
    """No call of `text` can end in a KeyError."""
    keys, patterns = called(code)
    assert len(keys) > 40 and len(patterns) >= 3
    assert keys <= texts("ru").keys()
    for pattern in patterns:
        assert any(re.fullmatch(pattern, key) for key in texts("ru")), pattern


def test_what_has_forms_is_said_by_plural(code):
    """`text` gets none of them, and `plural` all."""
    counting = {key for name in LANGUAGES for key, said in texts(name).items() if not isinstance(said, str)}
    plain, _ = called(code, ("text", "Unreadable", "_refusal"))
    keys, patterns = called(code, ("plural",))
    assert not counting & plain
    assert all(key in keys or any(re.fullmatch(pattern, key) for pattern in patterns) for key in counting)


def test_every_key_is_used(code):
    """The table holds nothing that is dead: each key, or the part that completes it, is a string in the code.

    The words of the viewer and of the table of grades are used in their JavaScript (tests/viewer,
    tests/grading), the settings are named by the models.
    """
    patterns = called(code)[1]
    strings = {node.value for tree in code for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    for key in texts("ru"):
        if key.startswith(("viewer.", "gradebook.")):
            continue
        matches = [match for pattern in patterns if (match := re.fullmatch(pattern, key))]
        assert key in strings or any(strings >= set(match.groups()) for match in matches), key


def test_fills_in_values():
    """Values go in as they are, braces and all, beside a count too; a text needs no forms; Russian is the default."""
    assert text("weights.taken", name="{x}", reason="<b>") == "Веса: {x} (<b>)"
    with use_language("en"):
        assert text("weights.taken", name="a", reason="b") == "Weights: a (b)"
    assert plural("checks.conclusions_told", 3, least=10) == "3 слова под заголовком «Выводы», нужно не меньше 10"
    assert [plural("photos.loaded", n) for n in (1, 2)] == ["Загружено 1 фото", "Загружено 2 фото"]


@pytest.mark.parametrize(
    "noun, counts",
    {"результат": (1, 21, 101), "результата": (2, 22, 1004), "результатов": (0, 5, 11, 12, 25, 111, 112)}.items(),
)
def test_plural(noun, counts):
    """A noun agrees with its number, by CLDR's rules for Russian and English."""
    for count in counts:
        assert plural("checks.results_all", count) == f"{count} {noun}"
        with use_language("en"):
            assert plural("checks.results_all", count) == f"{count} {'result' if count == 1 else 'results'}"


def test_number():
    """A comma in Russian, a point in English."""
    assert (number(0.5, 2), number(-3, 0)) == ("0,50", "-3")
    with use_language("en"):
        assert number(0.5, 2) == "0.50"


def test_use_language_nests_and_restores():
    """Also when a block is left by an error, and after what is said in each; without a block the language stays."""
    with use_language("en"):
        assert labkit.locale.in_each_language(text, "figures.photo") == {"ru": "фото", "en": "photo"}
        assert language() == "en"
        with pytest.raises(RuntimeError), use_language("ru"):
            assert language() == "ru" and text("figures.photo") == "фото"
            raise RuntimeError
        assert language() == "en"
    assert language() == "ru"
    said = labkit.use_language("en")
    assert language() == "en" and text("figures.photo") == "photo" and repr(said) == "use_language('en')"


@pytest.mark.parametrize("name", ["de", "", "EN", None])
def test_unknown_language(name):
    """The error names the valid ones, and the language stays what it was."""
    with use_language("en"):
        with pytest.raises(ValueError, match="ru, en"):
            use_language(name)
        assert language() == "en"


@pytest.mark.parametrize("given, said", [("en", "photo"), ("", "фото"), ("de", "ValueError.*ru, en")])
def test_language_from_the_environment(given, said, root, monkeypatch):
    """`LABKIT_LANGUAGE` sets the default; empty, it counts as not set; unknown, it is an error at the first text."""
    monkeypatch.setenv("LABKIT_LANGUAGE", given)
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    command = "from labkit.locale import text; print(text('figures.photo'))"
    done = subprocess.run([sys.executable, "-c", command], cwd=root, capture_output=True, encoding="utf-8")
    assert re.search(said, done.stdout + done.stderr)


def in_a_thread(function) -> str:
    """What a function gives in a new thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_thread():
    """A new thread has the default; a copied context and `keep_language` bring along the language."""
    with use_language("en"):
        kept = keep_language(language)
        assert in_a_thread(language) == "ru"
        assert in_a_thread(partial(copy_context().run, language)) == "en"
    assert kept() == in_a_thread(kept) == "en" and language() == "ru"


def spoken(_: int) -> str:
    """A task for a process."""
    return language()


def test_worker_processes_speak_the_language():
    """They are told when they start."""
    with use_language("en"):
        assert done(spoken, [0]) == ["en"]
    assert multiprocessing.active_children() == []
