"""Where results come from: student, variants, weights, device, versions and the hash of every photo."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from jinja2 import Environment

from labkit.locale import language, number, text, texts
from labkit.segmentation import Segmentation
from labkit.variants import find_variant

__all__ = ["MIME", "Provenance", "provenance"]

MIME = "application/vnd.labkit.provenance+json"
"""The type under which a notebook's output carries the data for the report's title."""

_TABLE = Environment(autoescape=True).from_string(
    '<table class="labkit-facts">'
    '{% for key, values in facts.items() %}<tr class="labkit-{{ key }}"><th>{{ text("report." ~ key) }}</th>'
    "{% for value in values %}"
    '<td{% if columns > values | length %} colspan="{{ columns }}"{% endif %}>{{ value or "—" }}</td>'
    "{% endfor %}</tr>{% endfor %}</table>"
    "<details><summary>{{ text('report.photos') }}: {{ photos | length }}</summary><table>"
    "{% for one in photos %}<tr><td>{{ one.name }}</td><td><code>{{ one.sha256 }}</code></td></tr>{% endfor %}"
    "</table></details>"
)


class Provenance:
    """The facts as `data` (JSON's types), which an output carries under `mime`; a notebook shows it as a table."""

    mime = MIME

    def __init__(self, data: dict[str, Any]):
        self.data = data

    def values(self) -> dict[str, list[str]]:
        """The facts as text, by key: of several models one each, or one alone where they agree."""
        models = self.data.get("models", [self.data])
        values = {key: [str(self.data.get(key) or "")] for key in ("student", "group")}
        for key in (facts := [_facts(one) for one in models])[0]:
            each = [str(one[key] or "") for one in facts]
            values[key] = each[:1] if len(set(each)) == 1 else each
        versions = [(one.get("made_by") or {}).get("versions", {}).items() for one in models]
        names = dict.fromkeys(f"{name} {version}" for name, version in chain(*versions))
        return {**values, "versions": [", ".join(names)]}

    def to_html(self) -> str:
        """Both tables as HTML; every value is escaped."""
        facts, photos = self.values(), self.data.get("photos", [])
        return _TABLE.render(facts=facts, columns=max(map(len, facts.values())), photos=photos, text=text)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        lines = [f"{text(f'report.{key}')}: {'; '.join(each) or '—'}" for key, each in self.values().items()]
        return {"text/plain": "\n".join(lines), "text/html": self.to_html(), self.mime: self.data}


def _facts(model: dict[str, Any]) -> dict[str, Any]:
    """What is known of one model, by key; versions are those of all."""
    made_by = model.get("made_by") or {}
    return {
        "variant": " ".join(str(model[key]) for key in ("variant_number", "variant_title") if model.get(key)),
        "weights": made_by.get("weights"),
        "reason": made_by.get("weights_reason"),
        "sha256": made_by.get("sha256"),
        "device": " ".join(made_by[key] for key in ("device", "precision") if made_by.get(key)),
        "settings": " · ".join(_setting(name, value) for name, value in made_by.get("settings", {}).items()),
    }


def _setting(name: str, value: Any) -> str:
    """A setting as its slider names it, its value as the language writes it."""
    told = number(value, 6).rstrip("0").rstrip(",.") if isinstance(value, float) else value
    return f"{texts(language()).get(f'setting.{name}', name)}: {told}"


def provenance(results: Sequence[Segmentation], student: str = "", group: str = "") -> Provenance:
    """The provenance of results, of one model or of several; seconds are left out, so that reruns agree."""
    models: dict[tuple[Any, Any], dict[str, Any]] = {}
    for result in results:
        made_by = {key: value for key, value in result.made_by.items() if key != "seconds"}
        variant = find_variant(made_by["variant"]) if "variant" in made_by else None
        named = {"variant_number": variant and variant.number, "variant_title": variant and variant.title}
        models.setdefault((made_by.get("variant"), made_by.get("weights")), {**named, "made_by": made_by})
    photos = {(result.photo.name, result.photo.sha256): None for result in results}
    data = {
        "student": student,
        "group": group,
        "photos": [{"name": name, "sha256": sha256} for name, sha256 in photos],
        **({"models": list(models.values())} if len(models) > 1 else next(iter(models.values()), {})),
    }
    return Provenance(data)
