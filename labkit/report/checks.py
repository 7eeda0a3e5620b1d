"""The checks of a report: what the assignment asks for, each with a tick or a cross and the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labkit.classes import LABEL_SETS, label_set
from labkit.io.errors import LabkitError
from labkit.io.files import some
from labkit.locale import plural, text
from labkit.report.answers import words
from labkit.segmentation import MIN_SHARE
from labkit.variants import find_variant
from labkit.weights.catalogue import OFFICIAL
from labkit.weights.find import EMBEDDED, is_former

__all__ = ["MIN_WORDS", "NAMES", "Check", "checks", "found_on"]

NAMES = ("variant", "photos", "results", "objects", "conclusions", "answers", "weights", "run")
"""The checks in their order; `checks.NAME` in `texts` is what each is called."""

MIN_WORDS = 10
"""Conclusions of fewer words are none."""


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

    def check(name: str, ok: bool, key: str, /, names: Sequence[str] = (), count: int = 0, **values: Any) -> Check:
        return Check(name, bool(ok), plural(f"checks.{key}", count, names=some(names) or "—", **values))

    return [
        _variant(data, check),
        check("photos", len(data["photos"]) >= wanted, "photos_told", count=len(data["photos"]), wanted=wanted),
        _results(data, check),
        _objects(data, target, target or text("checks.any_object"), check),
        check(
            "conclusions",
            words(data["conclusions"]) >= MIN_WORDS,
            "conclusions_told",
            count=words(data["conclusions"]),
            least=MIN_WORDS,
        ),
        _answers(data, check),
        _weights(data["made_by"], check),
        _run(data["run"], disagreements, check),
    ]


def found_on(data: dict[str, Any], target: str) -> dict[str, bool | None]:
    """For each photo whether an object of the class `target` was found (empty: any); None without a result.

    An object is at least `MIN_SHARE` of the photo. SAM knows no classes: there any object counts.
    """
    wanted = _label_id(data, target) if target else None
    rows: dict[str, bool | None] = {photo["name"]: None for photo in data["photos"]}
    for result in data["results"]:
        height, width = result["size"]
        rows[result["photo"]] = any(
            (wanted is None or s["label_id"] == wanted) and s["area"] >= MIN_SHARE * height * width
            for s in result["segments"]
        )
    return rows


def _label_id(data: dict[str, Any], target: str) -> int | None:
    """The id of a class in the model's label set; -1 where it has none of that name, None where it has no classes."""
    classes = data["made_by"].get("classes")
    if classes not in LABEL_SETS:
        return None
    try:
        return label_set(classes).id(target)
    except (ValueError, LabkitError):
        return -1


def _variant(data: dict[str, Any], check: Any) -> Check:
    try:
        model = find_variant(data["made_by"]["variant"])
    except (KeyError, LabkitError):
        return check("variant", False, "variant_none")
    asked = find_variant(data["variant_number"])
    values = {"model": f"{model.number} {model.title}", "asked": f"{asked.number} {asked.title}"}
    return check("variant", model == asked, "variant_same" if model == asked else "variant_other", **values)


def _results(data: dict[str, Any], check: Any) -> Check:
    done = {result["photo"] for result in data["results"]}
    missing = [photo["name"] for photo in data["photos"] if photo["name"] not in done]
    missing += [one["name"] for one in data["skipped"]]
    if missing or not done:
        return check("results", False, "results_missing", names=missing)
    return check("results", True, "results_all", count=len(done))


def _objects(data: dict[str, Any], target: str, what: str, check: Any) -> Check:
    rows = found_on(data, target)
    missing = [name for name, ok in rows.items() if not ok]
    if missing or not rows:
        return check("objects", False, "objects_missing", what=what, names=missing)
    return check("objects", True, "objects_all", what=what, count=len(rows))


def _answers(data: dict[str, Any], check: Any) -> Check:
    """Whether every question has an answer; a sentence that was pasted into several is the answer to one."""
    rows, given = data["answers"], [" ".join(row["answer"].casefold().split()) for row in data["answers"]]
    again = sum(words(answer) > 2 and answer in given[:n] for n, answer in enumerate(given))
    answered = sum(words(answer) > 0 for answer in given) - again
    key = "answers_again" if again else "answers_told"
    return check("answers", answered == len(rows) > 0, key, count=answered, total=len(rows), again=again)


def _weights(made_by: dict[str, Any], check: Any) -> Check:
    name, digest = made_by.get("weights", ""), made_by.get("sha256", "")
    if EMBEDDED.get(made_by.get("variant", "")) == digest != "":
        return check("weights", True, "weights_embedded", name=name)
    if is_former(made_by.get("variant", ""), digest):
        return check("weights", True, "weights_former", name=name)
    release = OFFICIAL.get(name.removeprefix("official/"))
    if release is not None and release.variant == made_by.get("variant"):
        kind, _, digits = release.hash.partition(":")
        if kind == "sha256" and digest.startswith(digits):
            return check("weights", True, "weights_official", name=name)
        if kind != "sha256":  # published as sha1, or not at all: the name is all that there is
            return check("weights", True, "weights_unhashed", name=name)
    return check("weights", False, "weights_unknown", name=name or "—", sha256=digest[:12] or "—")


def _run(run: dict[str, Any], disagreements: Sequence[str], check: Any) -> Check:
    if run["error"]:
        return check("run", False, "run_error", error=run["error"][:300])
    if run["executed"] < run["cells"]:
        return check("run", False, "run_part", executed=run["executed"], cells=run["cells"])
    if not run["in_order"]:
        return check("run", False, "run_order")
    if disagreements:
        return check("run", False, "run_differs", what="; ".join(disagreements[:5]))
    return check("run", True, "run_whole", cells=run["cells"])
