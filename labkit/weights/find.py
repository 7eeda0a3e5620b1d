"""Which weights are taken, and why, and reading their headers without running anything.

The embedded ones travel with the package as fp16 safetensors; their sha256 stands here and is verified at each load.
The official ones are the catalogue's, downloaded and verified once.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from labkit.io.errors import LabkitError
from labkit.locale import text
from labkit.variants import Variant, find_variant
from labkit.weights import download
from labkit.weights.catalogue import Release, find_release, releases_of

__all__ = ["EMBEDDED", "FORMAT", "Weights", "embedded_path", "find_weights", "is_former", "read_header", "sha256_of"]

FORMAT = "labkit-1"
"""What the files of this kit say of themselves in the safetensors metadata, besides `variant` and `classes`."""

EMBEDDED: dict[str, str] = {
    "deeplab": "f021dc3c8f7abaae419c0c16a5c487b472c097058ffe993672d8984890a49407",
    "unet": "4e9e434243473215e47a4d2c067a8368e46ddd720b81fac6bee1e588033a1d6d",
    "fcn": "d02a5a3aaedbf664846d42229e43500a5d1c240fda6191169ff3b301cb7d2543",
    "mask_rcnn": "976ddfc19db6713b2027c1389c5a70ef2ce5164a5886dcb18bf8b2efddb224bf",
    "sam": "aa11384642a4f04d7aca8cef2b648259faa90b68aad90616b6c23bf8d0fc1b93",
    "pspnet": "6fe04dbdae30f0c1b4f2c2b445ccc1a414bb77292099c33677708ddca379a68b",
}
"""The sha256 of each variant's embedded file."""

FORMER: dict[str, tuple[str, ...]] = {
    "deeplab": (
        "f617a6ca63b45771226c8f1c4b88506108bcebf1b2d203501ada93da6fcbd200",
        "2185c2e3cc61a6a46c7d2ba35ae5f807bc23fdf8e4d3df49de4bc39ab805a1a7",
        "4fa633ae83dbfd8737b23ef36aedd9624fa5649b4617772261519fb0cf1bb1b1",
        "195cffa2b099088a33cfe1dc508213a7833feadbed2d2d0a9dc80406b25f8745",
    ),
    "unet": (
        "620b69a84349b2a413d7b5e93c59343691cd7bb1e817a003b2f24df3fe2c1107",
        "b03d54f179d9f1f9cfec41735f19a52ba6b2fe5432c850f569105fad4f29ba0e",
        "e935b50f542ea092832be5580f9f5c2215e09a51d53ead46cc5cce341cb76cef",
    ),
    "fcn": (
        "9662f78a828c582348e1829207ff5d115943f7cfd49139b0167ce0a3951175d4",
        "318e2b8dea0b3838c7d2e4092535808f30f426b7b197bf570e1c311a30eb25c6",
        "542b2d0bc012bfaba6305695ec4d9e110ac2e298b4724f4cfda17ee0162f1a9a",
    ),
    "sam": (
        "0f996f0d703f57b400a3de0aec18e43e60e69a3ae21a726a548b9fb263e61733",
        "23f8ad3cfd73d6161f19bfd9b5cc330bd7b7f095ba7ad458e6dacec9e795d22e",
        "6b09586da40cfde74e85d8f16d02d08b5323b5024e0ba539481192f57d305ea3",
        "d1f4c075160639b29a873443d61b3b52563d97c2f7dfd9d3f40e4844f93ac0ac",
        "2e4607787f9b05a658f3a1121eff094938db6fb01f6176f99ca625e050e06657",
    ),
    "pspnet": (
        "b643e0b3f4c2f8946fe7d949ac02a84e38bea9f4634a94b66382d0c8e22914ed",
        "3df5dce9894c989e3de0abd62ee5919d2cf9a25a4622142fb063760aec745a9c",
        "342ff894e8253352c1119e7411f21b4ad5360bad898b500b8ba5c56ba109f809",
        "0e5c486f7656dfffd7a2108a0d7c609c81b48da22be45e13afee84b96d532324",
    ),
    "mask_rcnn": (
        "419406e51e8b201170513ef46da2a1f766ec277fa3c1f8e71def570a8717484b",
        "2c3ad8fb47a1a0f304159b7f5161e11cc89ea51261fd214a31d1b725ddb7e968",
        "51810516455ad759facd782f45d45e0c8bbff653ee89872f6f3d0027e82b72e7",
    ),
}
"""The sha256 of the embedded files that earlier versions of the kit came with: their reports are known by them."""


def is_former(variant: str, sha256: str | None) -> bool:
    """Whether this is the hash of a file that an earlier version of the kit came with."""
    return sha256 in FORMER.get(variant, ()) and sha256 != EMBEDDED[variant]


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
    path = Path(weights)
    if not path.is_file():
        raise LabkitError(text("weights.missing", path=path))
    for release in releases_of(row):
        if path.name == release.file:
            sha256 = download.check(path, release)
            return Weights(row, f"official/{release.name}", path, sha256, text("weights.file_reason"), release)
    _check_header(path, row)
    return Weights(row, path.name, path, sha256_of(path), text("weights.file_reason"))


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
    if not path.is_file():
        raise LabkitError(text("weights.missing", path=path))
    _check_header(path, row)
    digest = sha256_of(path)
    if digest != EMBEDDED[row.name]:
        raise LabkitError(text("weights.hash", path=path.name, expected=EMBEDDED[row.name], got=digest))
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
        raise LabkitError(text("weights.broken", path=path, error=error)) from error
    if metadata.get("format") != FORMAT:
        raise LabkitError(text("weights.foreign", path=path))
    return metadata


def sha256_of(path: Path) -> str:
    """The sha256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
