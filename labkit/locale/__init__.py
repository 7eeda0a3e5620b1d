"""Everything that a student reads: `ru.toml` and `en.toml` have the same keys, and the context has a language."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

__all__ = ["LANGUAGES", "in_each_language", "keep_language", "language", "use_language"]
__all__ += ["number", "percent", "plural", "text", "texts"]

LANGUAGES = ("ru", "en")

_P = ParamSpec("_P")
_R = TypeVar("_R")

_LANGUAGE = ContextVar("labkit_language", default=os.environ.get("LABKIT_LANGUAGE") or "ru")


def language() -> str:
    """The language of the context: `use_language`'s, else `LABKIT_LANGUAGE`'s, else Russian; ValueError as there."""
    return _known(_LANGUAGE.get())


def use_language(name: str) -> _Used:
    """Sets the language of the context, `"ru"` or `"en"` (ValueError names these); by `with`, until its block ends."""
    return _Used(_known(name))


class _Used:
    """A language in use since this was made; leaving the block brings back the one before it."""

    def __init__(self, name: str):
        self._name, self._before = name, _LANGUAGE.get()
        _LANGUAGE.set(name)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        _LANGUAGE.set(self._before)

    def __repr__(self) -> str:
        return f"use_language({self._name!r})"


def keep_language(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function, speaking the language of this moment whenever it is called and in whatever thread."""
    name = language()

    @wraps(function)
    def speaking(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with use_language(name):
            return function(*args, **kwargs)

    return speaking


def in_each_language(function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> dict[str, _R]:
    """What a function says in each language, by language."""
    said = {}
    for name in LANGUAGES:
        with use_language(name):
            said[name] = function(*args, **kwargs)
    return said


def text(key: str, /, **values: object) -> str:
    """The text of a key in the language of the context, `values` filled in; KeyError for a key that there is not."""
    return texts(language())[key].format(**values)


def plural(key: str, count: int, /, **values: object) -> str:
    """As `text`, in the form that goes with `count`, which is filled in too; a text without forms is one for all.

    >>> [plural("checks.results_all", count) for count in (1, 2, 5, 21)]
    ['1 результат', '2 результата', '5 результатов', '21 результат']
    """
    name = language()
    said = texts(name)[key]
    form = said if isinstance(said, str) else said[_FORM[name](count)]
    return form.format(count=count, **values)


def number(value: float, digits: int) -> str:
    """A number for a reader, with a decimal comma in Russian.

    >>> number(0.4567, 2)
    '0,46'
    """
    return f"{value:.{digits}f}".replace(".", "," if language() == "ru" else ".")


def percent(share: float) -> str:
    """A share in [0, 1] for a reader, in whole per cent; with two decimals below one, so that what is small is seen.

    These are cut, not rounded: what is below half a per cent is never told as half a per cent.

    >>> [percent(share) for share in (0, 0.0002, 0.004, 0.00499, 0.33)]
    ['0\xa0%', '0,02\xa0%', '0,40\xa0%', '0,49\xa0%', '33\xa0%']
    """
    told = number(100 * share, 0)
    if 0 < share < 0.01:
        told = ("<" if share < 0.0001 else "") + number(max(1, int(1e4 * share + 1e-6)) / 100, 2)
    return f"{told}\xa0%" if language() == "ru" else f"{told}%"


@cache
def texts(name: str) -> dict[str, str | dict[str, str]]:
    """All texts of a language by key, as `checks.answers`; one with plural forms is a table of CLDR's names of them."""
    path = Path(__file__).with_name(f"{_known(name)}.toml")
    wings = tomllib.loads(path.read_text("utf-8"))
    return {f"{wing}.{key}": said for wing, table in wings.items() for key, said in table.items()}


def _known(name: str) -> str:
    if name not in LANGUAGES:
        raise ValueError(f"нет языка {name!r} (no such language); есть (valid): {', '.join(LANGUAGES)}")
    return name


def _russian_form(count: int) -> str:
    if count % 10 == 1 and count % 100 != 11:
        return "one"
    return "few" if count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14) else "many"


_FORM = {"ru": _russian_form, "en": lambda count: "one" if count == 1 else "other"}
