"""The public releases that `weights="official"` can load: where each lies, how it is verified, what it knows.

They stand in `releases.csv`. Facts are the publishers': torchvision's `Weights` entries (the hash is the start of the
file's sha256), the model table of pytorchcv (sha1 of the file inside the zip), segment_anything's README (sha256 as
independent projects record it).
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.variants import Variant, find_variant

__all__ = ["OFFICIAL", "Release", "find_release", "releases_of"]


@dataclass(frozen=True)
class Release:
    """One published file of weights.

    `file` is its name in the cache; where `url` is a zip around it, it is taken out. `hash` is `algorithm:digits`,
    where the publisher shortens it only its first digits, or empty where none is published. `megabytes` is about what
    is downloaded. `classes` names a label set, empty for SAM. `score` is as published, `source` where. `auto` says
    whether `weights="auto"` may take it: U-Net's knows people only, the embedded one 20 classes.
    """

    variant: str
    name: str
    megabytes: float
    classes: str
    trained_on: str
    score: str
    licence: str
    source: str
    auto: bool
    file: str
    hash: str
    url: str
    mirrors: tuple[str, ...] = ()


with Path(__file__).with_name("releases.csv").open(encoding="utf-8", newline="") as _file:
    OFFICIAL = {  # every release by name; a variant's first one is what `official` means
        row["name"]: Release(**{**row, "megabytes": float(row["megabytes"]), "auto": row["auto"] == "yes"})
        for row in csv.DictReader(_file)
    }


def releases_of(variant: int | str | Variant) -> list[Release]:
    """A variant's releases, the one that `official` means first."""
    name = find_variant(variant).name
    return [row for row in OFFICIAL.values() if row.variant == name]


def find_release(variant: int | str | Variant, weights: str) -> Release:
    """The release that `official` or `official/NAME` means for a variant; LabkitError lists the valid names."""
    rows = releases_of(variant)
    wanted = weights.partition("/")[2]
    for row in rows:
        if wanted in ("", row.name):
            return row
    valid = ", ".join(f"official/{row.name}" for row in rows)
    raise LabkitError(text("weights.no_release", given=weights, variant=find_variant(variant).title, valid=valid))
