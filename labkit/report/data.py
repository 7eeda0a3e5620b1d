"""The data of a report: what `schema.json` describes, written into the page, read back and sealed.

The kernel knows photos and results (`results_data`), the notebook what was answered and how it was run (`complete`).
"""

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from labkit import __version__
from labkit.classes import LABEL_SETS, LabelSet, label_set
from labkit.figures import summary
from labkit.photos import Photo
from labkit.segmentation import Segmentation
from labkit.variants import Variant
from labkit.viewer.viewer import script_json

__all__ = ["BLOCK", "MIME", "OPENING", "block", "classes_of", "digest", "page_digest", "parse"]
__all__ += ["result_data", "results_data", "sealed"]

MIME = "application/vnd.labkit.report+json"  # under which a notebook's last output carries the data
OPENING = '<script type="application/json" id="labkit-report">'  # begins the data block in a page
BLOCK = re.compile(f"{OPENING}(.*?)</script>", re.DOTALL)  # the whole of it

_SEALS = ("digest", "page_sha256")
_MAX_CHARACTERS = 16_000_000


def results_data(
    variant: Variant,
    photos: Sequence[Photo],
    results: Sequence[Segmentation],
    student: str = "",
    group: str = "",
    wanted: int = 10,
    target: str = "",
    prompted: Sequence[Segmentation] = (),
    scores: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What the kernel knows, in JSON's types."""
    common = {key: value for key, value in results[0].made_by.items() if key != "seconds"} if results else {}
    return {
        "schema": "labkit-report-1",
        "kit": __version__,
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "student": str(student or ""),
        "group": str(group or ""),
        "variant_number": variant.number,
        "variant_title": variant.title,
        "wanted": {"photos": wanted, "target": str(target or "")},
        "made_by": common,
        "photos": [
            {
                "name": photo.name,
                "sha256": photo.sha256,
                "size": list(photo.pixels.shape[:2]),
                "original_size": list(photo.original_size),
                "jpeg_sha256": hashlib.sha256(photo.jpeg).hexdigest() if photo.jpeg is not None else None,
            }
            for photo in photos
        ],
        "skipped": [{"name": one.name, "reason": one.reason} for one in getattr(photos, "skipped", ())],
        "results": [result_data(result, common) for result in results],
        "prompted": [result_data(result, common) for result in prompted],
        "summary": summary(results),
        "scores": scores,
    }


def result_data(result: Segmentation, common: dict[str, Any]) -> dict[str, Any]:
    """A result, and of what made it only that which differs from the `common`."""
    record = result.record()
    return {**record, "made_by": {key: value for key, value in record["made_by"].items() if common.get(key) != value}}


def classes_of(data: dict[str, Any]) -> LabelSet | None:
    """The label set of the model; None where it has none, or one that the kit does not know."""
    name = data["made_by"].get("classes")
    return label_set(name) if name in LABEL_SETS else None


def sealed(data: dict[str, Any], page: str) -> dict[str, Any]:
    """The data with the digests of itself and of the page (without the block) in it."""
    return {**data, "digest": digest(data), "page_sha256": page_digest(page)}


def digest(data: dict[str, Any]) -> str:
    """The sha256 of the data without its seals; the order of keys and the spaces of a file do not count."""
    bare = {key: value for key, value in data.items() if key not in _SEALS}
    return hashlib.sha256(json.dumps(bare, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def page_digest(page: str) -> str:
    """The sha256 of a page without its data block; kinds of line ends do not count."""
    bare = BLOCK.sub("", page, count=1).replace("\r\n", "\n").replace("\r", "\n")
    return hashlib.sha256(bare.strip().encode("utf-8", "surrogatepass")).hexdigest()


def block(data: dict[str, Any]) -> str:
    """The data as an element of a page; nothing in it can close the element."""
    return f"{OPENING}{script_json(data, separators=(',', ':'))}</script>"


def parse(content: str) -> dict[str, Any]:
    """The data of a block's text, checked against the schema. ValueError says in one line what is wrong with it."""
    if len(content) > _MAX_CHARACTERS:
        raise ValueError(f"{len(content)} characters of data, at most {_MAX_CHARACTERS}")
    try:
        data = json.loads(content, parse_constant=int)  # a ValueError: NaN is no number of JSON
    except RecursionError:
        raise ValueError("the data are nested too deep") from None
    _validator()(data, name_prefix="$")
    return data


@cache
def _validator() -> Any:
    import fastjsonschema

    schema = json.loads((Path(__file__).parent / "schema.json").read_text(encoding="utf-8"))
    return fastjsonschema.compile(schema, use_default=False)  # its errors are ValueErrors
