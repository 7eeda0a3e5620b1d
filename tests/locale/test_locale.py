"""The table of texts: both languages whole, and nothing in it that the code does not say."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from string import Formatter

import pytest

from labkit.locale import TEXTS, text


def placeholders(template: str) -> set[str]:
    """The names of the values that a text takes."""
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


@pytest.fixture(scope="module")
def code(root):
    """The library's syntax trees, the table's own file apart."""
    paths = [path for path in (root / "labkit").rglob("*.py") if path.name != "texts.py"]
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths]


def called(code) -> tuple[set[str], set[str]]:
    """The keys given to `text` or `Unreadable`: whole ones, and patterns of those made of parts."""
    keys, patterns = set(), set()
    for tree in code:
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            if node.func.id not in ("text", "Unreadable", "_refusal"):
                continue
            key = node.args[0]
            if isinstance(key, ast.Constant):
                keys.add(key.value)
            elif isinstance(key, ast.JoinedStr):
                parts = (re.escape(p.value) if isinstance(p, ast.Constant) else "(.+)" for p in key.values)
                patterns.add("".join(parts))
    return keys, patterns


def test_same_keys_and_placeholders():
    """Russian and English have the same keys, in alphabetical order, and take the same values."""
    assert list(TEXTS["ru"]) == list(TEXTS["en"]) == sorted(TEXTS["ru"])
    for key in TEXTS["ru"]:
        assert placeholders(TEXTS["ru"][key]) == placeholders(TEXTS["en"][key]), key


def test_languages_are_what_they_say():
    """Every Russian text is in Cyrillic and no English one is."""
    for key in TEXTS["ru"].keys() - {"language"}:
        assert re.search("[а-яё]", TEXTS["ru"][key]), key
        assert not re.search("[а-яё]", TEXTS["en"][key], re.IGNORECASE), key


def test_every_key_that_is_used_exists(code):
    """No call of `text` can end in a KeyError."""
    keys, patterns = called(code)
    assert len(keys) > 40 and len(patterns) >= 3
    assert keys <= TEXTS["ru"].keys()
    for pattern in patterns:
        assert any(re.fullmatch(pattern, key) for key in TEXTS["ru"]), pattern


def test_every_key_is_used(code):
    """The table holds nothing that is dead: each key, or the part that completes it, is a string in the code.

    The words of the viewer and of the table of grades are used in their JavaScript (tests/test_viewer.py,
    tests/test_gradebook.py), the settings are named by the models.
    """
    patterns = called(code)[1]
    strings = {node.value for tree in code for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    for key in TEXTS["ru"]:
        if key.startswith(("viewer.", "gradebook.")):
            continue
        matches = [match for pattern in patterns if (match := re.fullmatch(pattern, key))]
        assert key in strings or any(strings >= set(match.groups()) for match in matches), key


def test_fills_in_values():
    """Values go in as they are, braces and all; Russian is the default."""
    assert text("weights.taken", name="{x}", reason="<b>") == "Веса: {x} (<b>)"
    assert text("weights.taken", "en", name="a", reason="b") == "Weights: a (b)"


def test_unknown_language():
    """The error names the valid ones."""
    with pytest.raises(ValueError, match="ru, en"):
        text("figures.photo", "de")


@pytest.mark.parametrize("given, expected", [("en", "photo"), ("", "фото")])
def test_language_from_the_environment(given, expected, root, monkeypatch):
    """`LABKIT_LANGUAGE` sets the default; empty, it counts as not set."""
    monkeypatch.setenv("LABKIT_LANGUAGE", given)
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    command = "from labkit.locale import text; print(text('figures.photo'))"
    done = subprocess.run([sys.executable, "-c", command], cwd=root, capture_output=True, encoding="utf-8")
    assert done.stdout.strip() == expected
