"""Where a result comes from: student, variant, weights, device, versions and the hash of every photo."""

from collections.abc import Sequence
from typing import Any

from jinja2 import Environment

from labkit.locale import text
from labkit.segmentation import Segmentation
from labkit.variants import find_variant

__all__ = ["MIME", "Provenance", "provenance"]

MIME = "application/vnd.labkit.provenance+json"
"""The type under which a notebook's output carries the data for the report's title."""

_TABLE = Environment(autoescape=True).from_string(
    '<table class="labkit-facts">'
    '{% for key, (name, value) in rows %}<tr class="labkit-{{ key }}"><th>{{ name }}</th><td>{{ value }}</td></tr>'
    "{% endfor %}</table>"
    "<details><summary>{{ title }}: {{ photos | length }}</summary><table>"
    "{% for one in photos %}<tr><td>{{ one.name }}</td><td><code>{{ one.sha256 }}</code></td></tr>{% endfor %}"
    "</table></details>"
)


class Provenance:
    """The facts as `data` (JSON's types), which an output carries under `mime`; a notebook shows it as a table."""

    mime = MIME

    def __init__(self, data: dict[str, Any]):
        self.data = data

    def values(self) -> dict[str, Any]:
        """The facts as text, by key."""
        data, made_by = self.data, self.data.get("made_by") or {}
        return {
            "student": data.get("student"),
            "group": data.get("group"),
            "variant": " ".join(str(data[key]) for key in ("variant_number", "variant_title") if data.get(key)),
            "weights": made_by.get("weights"),
            "reason": made_by.get("weights_reason"),
            "sha256": made_by.get("sha256"),
            "device": " ".join(made_by[key] for key in ("device", "precision") if made_by.get(key)),
            "settings": ", ".join(f"{name} = {value}" for name, value in made_by.get("settings", {}).items()),
            "versions": ", ".join(f"{name} {number}" for name, number in made_by.get("versions", {}).items()),
        }

    def rows(self) -> list[tuple[str, str]]:
        """Names and values to show, one row a fact."""
        return [(text(f"report.{key}"), str(value or "—")) for key, value in self.values().items()]

    def to_html(self) -> str:
        """Both tables as HTML; every value is escaped."""
        rows = list(zip(self.values(), self.rows(), strict=True))
        return _TABLE.render(rows=rows, photos=self.data.get("photos", []), title=text("report.photos"))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        lines = [f"{name}: {value}" for name, value in self.rows()]
        return {"text/plain": "\n".join(lines), "text/html": self.to_html(), self.mime: self.data}


def provenance(results: Sequence[Segmentation], student: str = "", group: str = "") -> Provenance:
    """The provenance of a set of results (of one model); seconds are left out, so that reruns agree."""
    made_by = {key: value for key, value in results[0].made_by.items() if key != "seconds"} if results else {}
    variant = find_variant(made_by["variant"]) if "variant" in made_by else None
    data = {
        "student": student,
        "group": group,
        "variant_number": variant.number if variant else None,
        "variant_title": variant.title if variant else None,
        "made_by": made_by,
        "photos": [{"name": result.photo.name, "sha256": result.photo.sha256} for result in results],
    }
    return Provenance(data)
