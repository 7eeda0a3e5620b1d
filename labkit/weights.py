"""Which weights there are, where they lie, and reading them without running anything.

The embedded ones travel with the package as fp16 safetensors; their sha256 stands here and is verified at each load.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabkitError
from labkit.texts import text
from labkit.variants import VARIANTS, Variant, find_variant

__all__ = ["EMBEDDED", "FORMAT", "Weights", "embedded_path", "find_weights", "read_header", "sha256_of"]

FORMAT = "labkit-1"
"""What the files of this kit say of themselves in the safetensors metadata, besides `variant` and `classes`."""

EMBEDDED: dict[str, str] = {
    "deeplab": "2185c2e3cc61a6a46c7d2ba35ae5f807bc23fdf8e4d3df49de4bc39ab805a1a7",
    "unet": "b03d54f179d9f1f9cfec41735f19a52ba6b2fe5432c850f569105fad4f29ba0e",
    "fcn": "318e2b8dea0b3838c7d2e4092535808f30f426b7b197bf570e1c311a30eb25c6",
    "mask_rcnn": "2c3ad8fb47a1a0f304159b7f5161e11cc89ea51261fd214a31d1b725ddb7e968",
    "sam": "d1f4c075160639b29a873443d61b3b52563d97c2f7dfd9d3f40e4844f93ac0ac",
    "pspnet": "3df5dce9894c989e3de0abd62ee5919d2cf9a25a4622142fb063760aec745a9c",
}
"""The sha256 of each variant's embedded file."""


@dataclass(frozen=True)
class Weights:
    """A file of weights that was found and verified; `reason` says in a sentence why it was taken."""

    variant: Variant
    name: str
    path: Path
    sha256: str
    reason: str


def embedded_path(variant: int | str | Variant) -> Path:
    """Where the embedded file of a variant lies."""
    return Path(__file__).parent / "embedded" / f"{find_variant(variant).name}.safetensors"


def find_weights(variant: int | str | Variant, weights: str | Path = "auto") -> Weights:
    """The weights that `weights` names: `embedded`, `auto`, or the path of a safetensors file.

    LabkitError where there is no such file, it is broken, or another variant's.
    """
    row = find_variant(variant)
    if weights == "official":
        raise LabkitError(text("weights.no_official", variant=row.title))
    if weights in ("auto", "embedded"):
        if row.name not in EMBEDDED:
            ready = ", ".join(f"{r.number} {r.name}" for r in VARIANTS if r.name in EMBEDDED)
            raise LabkitError(text("weights.not_embedded", variant=row.title, ready=ready))
        path, name = embedded_path(row), f"embedded/{row.name}"
        reason = text(f"weights.{weights}_reason")
    else:
        path, name = Path(weights), Path(weights).name
        reason = text("weights.file_reason")
    if not path.is_file():
        raise LabkitError(text("weights.missing", path=path))
    found = read_header(path).get("variant")
    if found != row.name:
        raise LabkitError(text("weights.other_variant", path=path.name, found=found, variant=row.name))
    digest = sha256_of(path)
    if name.startswith("embedded/") and digest != EMBEDDED[row.name]:
        raise LabkitError(text("weights.hash", path=path.name, expected=EMBEDDED[row.name], got=digest))
    return Weights(row, name, path, digest, reason)


def read_header(path: Path) -> dict[str, str]:
    """The metadata of one of our safetensors files, read without torch; LabkitError where it is none of ours."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > 10_000_000:
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(file.read(length))
        end = 8 + length + max((t["data_offsets"][1] for n, t in header.items() if n != "__metadata__"), default=0)
        if end != path.stat().st_size:
            raise ValueError(f"{path.stat().st_size} bytes instead of {end}")
        metadata = header.get("__metadata__", {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise LabkitError(text("weights.broken", path=path, error=error)) from error
    if metadata.get("format") != FORMAT:
        raise LabkitError(text("weights.foreign", path=path))
    return metadata


def sha256_of(path: Path) -> str:
    """The sha256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
