"""Where a result comes from: student, variant, weights, device, versions and the hash of every photo."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from labkit.locale import text
from labkit.segmentation import Segmentation

__all__ = ["MIME", "Provenance", "provenance"]

MIME = "application/vnd.labkit.provenance+json"
"""The type under which a notebook's output carries the data for the report's title."""


class Provenance:
    """The facts as `data` (JSON's types), which an output carries under `mime`; a notebook shows it as a table."""

    mime = MIME

    def __init__(self, data: dict[str, Any]):
        self.data = data

    def rows(self) -> list[tuple[str, str]]:
        """Names and values to show, one row a fact."""
        made_by = self.data.get("made_by") or {}
        versions = ", ".join(f"{name} {number}" for name, number in made_by.get("versions", {}).items())
        device = " ".join(made_by[key] for key in ("device", "precision") if made_by.get(key))
        settings = ", ".join(f"{name} = {value}" for name, value in made_by.get("settings", {}).items())
        values = {
            "student": self.data.get("student"),
            "group": self.data.get("group"),
            "variant": " ".join(
                str(self.data[key]) for key in ("variant_number", "variant_title") if self.data.get(key)
            ),
            "weights": made_by.get("weights"),
            "reason": made_by.get("weights_reason"),
            "sha256": made_by.get("sha256"),
            "device": device,
            "settings": settings,
            "versions": versions,
        }
        return [(text(f"report.{name}"), str(value or "—")) for name, value in values.items()]

    def photo_rows(self) -> list[tuple[str, str]]:
        """Each photo's name and the sha256 of its file."""
        return [(photo["name"], photo["sha256"]) for photo in self.data.get("photos", [])]

    def to_html(self) -> str:
        """Both tables as HTML; every value is escaped."""
        facts = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in self.rows()
        )
        photos = "".join(
            f"<tr><td>{html.escape(name)}</td><td><code>{html.escape(digest)}</code></td></tr>"
            for name, digest in self.photo_rows()
        )
        title = html.escape(f"{text('report.photos')}: {len(self.data.get('photos', []))}")
        details = f"<details><summary>{title}</summary><table>{photos}</table></details>"
        return f'<table class="labkit-facts">{facts}</table>{details}'

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        lines = [f"{name}: {value}" for name, value in self.rows()]
        return {"text/plain": "\n".join(lines), "text/html": self.to_html(), self.mime: self.data}


def provenance(results: Sequence[Segmentation], student: str = "", group: str = "") -> Provenance:
    """The provenance of a set of results (of one model); seconds are left out, so that reruns agree."""
    from labkit.variants import find_variant

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
