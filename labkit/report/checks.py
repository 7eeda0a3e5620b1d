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

__all__ = ["FEW", "MIN_WORDS", "NAMES", "Check", "checks", "found_on", "titled"]

# the checks in their order; `checks.NAME` in `texts` is what each is called
NAMES = ("variant", "photos", "results", "objects", "conclusions", "answers", "weights", "run")
MIN_WORDS, FEW = 10, 2  # conclusions of fewer words are none; answers of so few may be the same


@dataclass(frozen=True)
class Check:
    """One check: its name, whether it holds, and why, in a sentence."""

    name: str
    ok: bool
    reason: str


def checks(
    data: dict[str, Any], disagreements: Sequence[str] = (), wanted: int | None = None, target: str | None = None
) -> list[Check]:
    """All checks of a report's data; `wanted` photos and the `target` class are the report's own unless given.

    `disagreements` are what the page shows otherwise than the data say.
    """
    wanted = data["wanted"]["photos"] if wanted is None else wanted
    target = data["wanted"]["target"] if target is None else target
    photos, count = len({photo["sha256"] for photo in data["photos"]}), words(data["conclusions"])
    judged = (
        _variant(data),
        (photos >= wanted, plural("checks.photos_told", photos, wanted=wanted)),
        _results(data),
        _objects(data, target),
        (count >= MIN_WORDS, plural("checks.conclusions_told", count, least=MIN_WORDS)),
        _answers(data["answers"]),
        _weights(data["made_by"]),
        _run(data["run"], disagreements),
    )
    return [Check(name, *verdict) for name, verdict in zip(NAMES, judged, strict=True)]


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
        areas = [s["area"] for s in result["segments"] if wanted in (None, s["label_id"])]
        rows[result["photo"]] = any(area >= MIN_SHARE * height * width for area in areas)
    return rows


def _variant(data: dict[str, Any]) -> tuple[bool, str]:
    try:
        model = find_variant(data["made_by"]["variant"])
    except (KeyError, LabkitError):
        return False, text("checks.variant_none")
    asked, title = find_variant(data["variant_number"]), f"{model.number} {model.title}"
    if model == asked:
        return True, text("checks.variant_same", model=title)
    return False, text("checks.variant_other", model=title, asked=f"{asked.number} {asked.title}")


def _results(data: dict[str, Any]) -> tuple[bool, str]:
    done = {result["photo"] for result in data["results"]}
    missing = [photo["name"] for photo in data["photos"] if photo["name"] not in done]
    missing += [one["name"] for one in data["skipped"]]
    if done and not missing:
        return True, plural("checks.results_all", len(done))
    return False, text("checks.results_missing", names=some(missing) or "—")


def _objects(data: dict[str, Any], target: str) -> tuple[bool, str]:
    rows, what, classes = found_on(data, target), target or text("checks.any_object"), classes_of(data)
    if target and classes is not None and target not in classes:
        return False, text("checks.objects_unknown", what=target)
    missing = [name for name, ok in rows.items() if not ok]
    if rows and not missing:
        return True, text("checks.objects_all", what=what, count=len(rows))
    return False, text("checks.objects_missing", what=what, names=some(missing) or "—")


def _answers(rows: list[dict[str, str]]) -> tuple[bool, str]:
    """Whether every question has an answer; a sentence that was pasted into several is the answer to one."""
    given = [" ".join(row["answer"].casefold().split()) for row in rows]
    again = sum(words(answer) > FEW and answer in given[:n] for n, answer in enumerate(given))
    empty = [titled(row["question"]) for row in rows if not words(row["answer"])]
    answered = len(rows) - len(empty) - again
    key = "answers_again" if again else "answers_empty" if empty else "answers_told"
    told = text(f"checks.{key}", count=answered, total=len(rows), again=again, names=some(empty))
    return answered == len(rows) > 0, told


def titled(question: str) -> str:
    """A question as it is named in a sentence: bare, and cut short."""
    bare = " ".join(question.replace("*", "").split())
    return f"«{bare if len(bare) <= 60 else bare[:59] + '…'}»"


def _weights(made_by: dict[str, Any]) -> tuple[bool, str]:
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
        return False, text("checks.weights_unknown", name=name or "—", sha256=digest[:12] or "—")
    return True, text(f"checks.{key}", name=name)


def _run(run: dict[str, Any], disagreements: Sequence[str]) -> tuple[bool, str]:
    if run["error"]:
        return False, text("checks.run_error", error=run["error"][:300])
    if run["executed"] < run["cells"]:
        return False, text("checks.run_part", executed=run["executed"], cells=run["cells"])
    if not run["in_order"]:
        return False, text("checks.run_order")
    if disagreements:
        return False, text("checks.run_differs", what="; ".join(disagreements[:5]))
    return True, text("checks.run_whole", cells=run["cells"])
