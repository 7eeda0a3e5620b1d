"""Which weights are taken, and why, and reading their headers without running anything.

The embedded ones travel with the package as fp16 safetensors; their sha256 stands in `embedded.csv` and is verified at
each load. The official ones are the catalogue's, downloaded and verified once.
"""

import csv
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pooch
from safetensors import SafetensorError, safe_open

from labkit.io.errors import LabkitError, one_line
from labkit.io.files import local
from labkit.locale import text
from labkit.variants import Variant, find_variant
from labkit.weights import download
from labkit.weights.catalogue import Release, find_release, releases_of

__all__ = ["EMBEDDED", "FORMAT", "Weights", "embedded_path", "find_weights", "is_former", "read_header"]

FORMAT = "labkit-1"  # what this kit's files say of themselves in the metadata, besides `variant` and `classes`

with Path(__file__).with_name("embedded.csv").open(encoding="utf-8", newline="") as _file:
    _HASHES = [(row["variant"], row["sha256"]) for row in csv.DictReader(_file)]

EMBEDDED = {variant: next(digest for name, digest in _HASHES if name == variant) for variant, _ in _HASHES}
"""The sha256 of each variant's embedded file, the first of its rows in `embedded.csv`."""


def is_former(variant: str, sha256: str | None) -> bool:
    """Whether this is the hash of a file that an earlier version of the kit came with, and reports know it by."""
    return (variant, sha256) in _HASHES and sha256 != EMBEDDED[variant]


@dataclass(frozen=True)
class Weights:
    """A file of weights that was found and verified; `reason` says in a sentence why it was taken.

    `release` is the catalogue's entry for official weights, None for a file in this kit's own format.
    """

    variant: Variant
    name: str
    path: Path
    sha256: str
    reason: str
    release: Release | None = None


def embedded_path(variant: int | str | Variant) -> Path:
    """Where the embedded file of a variant lies."""
    return Path(__file__).parent / "embedded" / f"{find_variant(variant).name}.safetensors"


def find_weights(variant: int | str | Variant, weights: str | Path = "auto", gpu: bool = False) -> Weights:
    """The weights that `weights` names: `embedded`, `official`, `official/NAME`, `auto`, or the path of a file.

    `auto` takes the official ones where there is a GPU for them (`gpu`) and they are in the cache or can be had, else
    the embedded ones. A file is a safetensors file of this kit or a published one under its own name. LabkitError
    where there is no such file, it is broken, another variant's, or cannot be downloaded.
    """
    row = find_variant(variant)
    given = str(weights)
    if given == "auto":
        return _choose(row, gpu)
    if given in ("embedded", f"embedded/{row.name}"):
        return _embedded(row, text("weights.embedded_reason"))
    if given == "official" or given.startswith("official/"):
        return _official(find_release(row, given), text("weights.official_reason"))
    path = local(given)
    if not path.is_file():
        raise LabkitError(text("weights.missing", path=path))
    for release in releases_of(row):
        if path.name.startswith(Path(release.file).stem) and path.suffix != ".safetensors":  # "… (1).pth" is a copy
            sha256 = download.check(path, release)
            return Weights(row, f"official/{release.name}", path, sha256, text("weights.file_reason"), release)
    _check_header(path, row)
    return Weights(row, path.name, path, pooch.file_hash(path), text("weights.file_reason"))


def _choose(row: Variant, gpu: bool) -> Weights:
    release = releases_of(row)[0]
    if not release.auto:
        return _embedded(row, text("weights.auto_classes"))
    if not gpu:
        return _embedded(row, text("weights.auto_no_gpu"))
    try:
        return _official(release, text("weights.auto_gpu"), attempts=1)
    except LabkitError as error:
        return _embedded(row, text("weights.auto_not_had", reason=str(error).splitlines()[0]))


def _embedded(row: Variant, reason: str) -> Weights:
    path = embedded_path(row)
    _check_header(path, row)
    digest, expected = pooch.file_hash(path), EMBEDDED[row.name]
    if digest != expected:
        raise LabkitError(text("weights.hash", path=path.name, expected=expected, got=digest))
    return Weights(row, f"embedded/{row.name}", path, digest, reason)


def _official(release: Release, reason: str, **how: int) -> Weights:
    file = download.fetch(release, **how)
    return Weights(find_variant(release.variant), f"official/{release.name}", file.path, file.sha256, reason, release)


def _check_header(path: Path, row: Variant) -> None:
    found = read_header(path).get("variant")
    if found != row.name:
        raise LabkitError(text("weights.other_variant", path=path.name, found=found, variant=row.title))


def read_header(path: Path) -> dict[str, str]:
    """The metadata of one of our safetensors files, read without torch; LabkitError where it is none of ours."""
    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError, ValueError) as error:
        with suppress(OSError), path.open("rb") as file:
            if file.read(4).startswith((b"PK\3\4", b"\x80")):  # as what torch.save writes
                raise LabkitError(text("weights.foreign", path=path)) from error
        why = one_line(error) if isinstance(error, OSError) else text("weights.no_header")
        raise LabkitError(text("weights.broken", path=path, error=why)) from error
    if metadata.get("format") != FORMAT:
        raise LabkitError(text("weights.foreign", path=path))
    return metadata
