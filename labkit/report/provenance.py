"""Where results come from: student, variants, weights, device, versions and the hash of every photo."""

from collections.abc import Sequence
from itertools import starmap
from typing import Any

from jinja2 import Environment

from labkit.locale import language, number, text, texts
from labkit.segmentation import Segmentation
from labkit.variants import find_variant

__all__ = ["MIME", "Provenance", "provenance", "setting_told"]

MIME = "application/vnd.labkit.provenance+json"  # under which an output carries the data for the report's title

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
        made = [one.get("made_by") or {} for one in models]
        versions = (f"{name} {number}" for one in made for name, number in one.get("versions", {}).items())
        values = {
            "student": [self.data.get("student")],
            "group": [self.data.get("group")],
            "variant": [_joined(one, "variant_number", "variant_title") for one in models],
            "weights": [one.get("weights") for one in made],
            "reason": [one.get("weights_reason") for one in made],
            "sha256": [one.get("sha256") for one in made],
            "device": [_joined(one, "device", "precision") for one in made],
            "settings": [" · ".join(starmap(setting_told, one.get("settings", {}).items())) for one in made],
            "versions": [", ".join(dict.fromkeys(versions))],
        }
        told = {key: [str(value or "") for value in each] for key, each in values.items()}
        return {key: each if len(set(each)) > 1 else each[:1] for key, each in told.items()}

    def to_html(self) -> str:
        """Both tables as HTML; every value is escaped."""
        facts, photos = self.values(), self.data.get("photos", [])
        return _TABLE.render(facts=facts, columns=max(map(len, facts.values())), photos=photos, text=text)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        lines = [f"{text(f'report.{key}')}: {'; '.join(each) or '—'}" for key, each in self.values().items()]
        return {"text/plain": "\n".join(lines), "text/html": self.to_html(), self.mime: self.data}


def _joined(facts: dict[str, Any], *keys: str) -> str:
    return " ".join(str(facts[key]) for key in keys if facts.get(key))


def setting_told(name: str, *values: Any) -> str:
    """A setting as its slider names it, its value as the language writes it; a second value is the usual one."""
    told = [number(value, 6).rstrip("0").rstrip(",.") if isinstance(value, float) else str(value) for value in values]
    usual = text("report.usual", usual=told[1]) if told[1:] else ""
    return f"{texts(language()).get(f'setting.{name}', name)}: {told[0]}{usual}"


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
