"""What an earlier run has worked out, bound to this kit and this instructor: the folder alone is not believed."""

import errno
import hashlib
import hmac
import json
import os
import secrets
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from labkit.io.errors import LabkitError, one_line
from labkit.io.files import write_whole
from labkit.locale import text

__all__ = ["KEPT", "chosen", "kept", "secret", "unwritable"]

KEPT = ".labkit-grade"
"""A folder with a folder of this name in it holds a table of grades, and what earlier runs have worked out."""


def kept(
    out: Path, options: Sequence[Any], make: Callable[[], Any], keep: Callable[[Any], bool] = lambda _: True
) -> Any:
    """A record in JSON's types that an earlier run has left for the same options, else one that is made, and left.

    What has no seal of this instructor's is not taken. A disk that is full costs the record, not the row.
    """
    key = _seal(json.dumps([_kit(), *options]))
    path = out / KEPT / f"{key}.json"
    with suppress(OSError, ValueError, RecursionError):
        seal, _, record = path.read_text(encoding="utf-8").partition("\n")
        if hmac.compare_digest(seal, _seal(key, record)):
            return json.loads(record)
    made = _clean(make())
    if keep(made):
        record = json.dumps(made)
        with suppress(OSError):
            write_whole(path, f"{_seal(key, record)}\n{record}".encode())
    return made


def _clean(record: Any) -> Any:
    """What can be printed and written: no half of a surrogate pair, no control or direction marks but line ends."""
    if isinstance(record, str):
        return record if record.isprintable() else "".join(map(_printable, record.replace("\r\n", "\n")))
    if isinstance(record, dict):
        return {key: _clean(value) for key, value in record.items()}
    return [_clean(value) for value in record] if isinstance(record, (list, tuple)) else record


def _printable(letter: str) -> str:
    kind = unicodedata.category(letter)
    if letter == "\n" or kind[0] not in "CZ":
        return letter
    return " " if letter == "\t" or kind[0] == "Z" else "" if kind == "Cf" else "\ufffd"


def chosen(what: str, names: Sequence[str], count: int) -> set[str]:
    """So many of the names, which nobody without the secret can foresee; the same ones in each run."""
    return set(sorted(names, key=lambda name: _seal(what, name))[:count])


def _seal(*parts: str) -> str:
    return hmac.new(secret(), "\n".join(parts).encode(), "sha256").hexdigest()


@cache
def secret() -> bytes:
    """The instructor's own, made once; where the settings folder cannot be written, one for this run."""
    path = user_config_path("labkit") / "grading.key"
    with suppress(OSError):
        return path.read_bytes()
    made = secrets.token_bytes(32)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(made)
        return path.read_bytes()
    return made


@cache
def _kit() -> str:
    """The kit's own code and weights: another kit works everything out anew."""
    folder = Path(__file__).parents[1]
    files = sorted(path for ending in ("py", "toml", "json") for path in folder.rglob(f"*.{ending}"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def unwritable(path: Path, error: OSError) -> LabkitError:
    """Why a file cannot be written: the disk is full, the folder is somebody else's, or another program holds it."""
    full, closed = (errno.ENOSPC, errno.EDQUOT), (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR)
    why = "full" if error.errno in full else "closed" if error.errno in closed else "busy"
    return LabkitError(text(f"grade.unwritable_{why}", path=path, folder=path.parent, error=one_line(error)))
