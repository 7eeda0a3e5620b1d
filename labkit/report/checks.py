"""The checks of a report: what the assignment asks for, each with a tick or a cross and the reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.io.errors import LabkitError
from labkit.io.files import some
from labkit.locale import plural, text
from labkit.report.answers import words
from labkit.report.data import classes_of
from labkit.segmentation import MIN_SHARE
from labkit.variants import find_variant
from labkit.weights.catalogue import OFFICIAL
from labkit.weights.find import EMBEDDED, is_former

__all__ = ["MIN_WORDS", "NAMES", "Check", "checks", "found_on"]

NAMES = ("variant", "photos", "results", "objects", "conclusions", "answers", "weights", "run")
"""The checks in their order; `checks.NAME` in `texts` is what each is called."""

MIN_WORDS = 10
"""Conclusions of fewer words are none."""


_Told = tuple[bool, str, dict[str, Any]]
"""Whether a check holds, and what is said of it: the key of a text and its values."""


@dataclass(frozen=True)
class Check:
    """One check: its name, whether it holds, and why, in a sentence."""

    name: str
    ok: bool
    reason: str


def checks(
    data: dict[str, Any],
    disagreements: Sequence[str] = (),
    wanted: int | None = None,
    target: str | None = None,
) -> list[Check]:
    """All checks of a report's data; `wanted` photos and the `target` class are the report's own unless given.

    `disagreements` are what the page shows otherwise than the data say.
    """
    wanted = data["wanted"]["photos"] if wanted is None else wanted
    target = data["wanted"]["target"] if target is None else target
    photos, count = len(data["photos"]), words(data["conclusions"])
    told = (
        _variant(data),
        (photos >= wanted, "photos_told", {"count": photos, "wanted": wanted}),
        _results(data),
        _objects(data, target),
        (count >= MIN_WORDS, "conclusions_told", {"count": count, "least": MIN_WORDS}),
        _answers(data["answers"]),
        _weights(data["made_by"]),
        _run(data["run"], disagreements),
    )
    return [_check(name, ok, key, **values) for name, (ok, key, values) in zip(NAMES, told, strict=True)]


def _check(name: str, ok: bool, key: str, /, names: Sequence[str] = (), count: int = 0, **values: Any) -> Check:
    return Check(name, ok, plural(f"checks.{key}", count, names=some(names) or "—", **values))


def found_on(data: dict[str, Any], target: str) -> dict[str, bool | None]:
    """For each photo whether an object of the class `target` was found (empty: any); None without a result.

    An object is at least `MIN_SHARE` of the photo. SAM knows no classes: there any object counts.
    """
    classes, wanted = classes_of(data), None
    if target and classes is not None:
        wanted = classes.id(target) if target in classes else -1
    rows: dict[str, bool | None] = {photo["name"]: None for photo in data["photos"]}
    for result in data["results"]:
        height, width = result["size"]
        rows[result["photo"]] = any(
            (wanted is None or s["label_id"] == wanted) and s["area"] >= MIN_SHARE * height * width
            for s in result["segments"]
        )
    return rows


def _variant(data: dict[str, Any]) -> _Told:
    try:
        model = find_variant(data["made_by"]["variant"])
    except (KeyError, LabkitError):
        return False, "variant_none", {}
    asked = find_variant(data["variant_number"])
    values = {"model": f"{model.number} {model.title}", "asked": f"{asked.number} {asked.title}"}
    return model == asked, "variant_same" if model == asked else "variant_other", values


def _results(data: dict[str, Any]) -> _Told:
    done = {result["photo"] for result in data["results"]}
    missing = [photo["name"] for photo in data["photos"] if photo["name"] not in done]
    missing += [one["name"] for one in data["skipped"]]
    ok = bool(done) and not missing
    return ok, "results_all" if ok else "results_missing", {"names": missing, "count": len(done)}


def _objects(data: dict[str, Any], target: str) -> _Told:
    rows = found_on(data, target)
    missing = [name for name, ok in rows.items() if not ok]
    ok, what = bool(rows) and not missing, target or text("checks.any_object")
    return ok, "objects_all" if ok else "objects_missing", {"what": what, "names": missing, "count": len(rows)}


def _answers(rows: list[dict[str, str]]) -> _Told:
    """Whether every question has an answer; a sentence that was pasted into several is the answer to one."""
    given = [" ".join(row["answer"].casefold().split()) for row in rows]
    again = sum(words(answer) > 2 and answer in given[:n] for n, answer in enumerate(given))
    answered = sum(words(answer) > 0 for answer in given) - again
    key = "answers_again" if again else "answers_told"
    return answered == len(rows) > 0, key, {"count": answered, "total": len(rows), "again": again}


def _weights(made_by: dict[str, Any]) -> _Told:
    variant, name, digest = (made_by.get(key, "") for key in ("variant", "weights", "sha256"))
    release = OFFICIAL.get(name.removeprefix("official/"))
    published = release.hash.partition(":") if release is not None and release.variant == variant else None
    if EMBEDDED.get(variant) == digest != "":
        key = "weights_embedded"
    elif is_former(variant, digest):
        key = "weights_former"
    elif published and published[0] != "sha256":  # sha1, or no hash at all: the name is all that there is
        key = "weights_unhashed"
    elif published and digest.startswith(published[2]):
        key = "weights_official"
    else:
        return False, "weights_unknown", {"name": name or "—", "sha256": digest[:12] or "—"}
    return True, key, {"name": name}


def _run(run: dict[str, Any], disagreements: Sequence[str]) -> _Told:
    if run["error"]:
        return False, "run_error", {"error": run["error"][:300]}
    if run["executed"] < run["cells"]:
        return False, "run_part", {"executed": run["executed"], "cells": run["cells"]}
    if not run["in_order"]:
        return False, "run_order", {}
    if disagreements:
        return False, "run_differs", {"what": "; ".join(disagreements[:5])}
    return True, "run_whole", {"cells": run["cells"]}
