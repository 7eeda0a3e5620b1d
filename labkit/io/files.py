"""Files that are never half written, names that every disk takes, lists of names that stay short."""

import os
import re
import unicodedata
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryFile

from labkit.locale import text

__all__ = ["capped", "decoded", "fold", "local", "make_writable", "natural", "nfc", "russian"]
__all__ += ["safe_name", "some", "unique_name", "write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Never half a file, whoever else writes it; what was there before stays where this one cannot be written."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        error.filename = str(path)  # a full disk names none
        raise
    finally:
        part.unlink(missing_ok=True)


def local(given: str | os.PathLike[str]) -> Path:
    """A path as a person writes it: ~ is the home folder, but for a file whose name begins so."""
    return Path(os.path.expanduser(given))


def make_writable(folder: Path) -> None:
    """A folder that takes files; OSError where it does not, before the work whose result is meant for it."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        pass


def decoded(content: bytes) -> str:
    """The text of a file from anywhere: UTF-8 or UTF-16, with a byte-order mark or without, else a Russian Windows'.

    That is cp1251 or, from its command line, cp866.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        said = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        said = russian(content, "cp1251", "cp866")
    if not {"\0", "\4"}.isdisjoint(said[:100]):  # every second byte of what is Latin or Cyrillic
        even, odd = (sum(map(content[place:200:2].count, (0, 4))) for place in (0, 1))
        said = content.decode("utf-16-le" if odd > even else "utf-16-be", errors="replace")
    return said


def russian(content: bytes, *encodings: str) -> str:
    """Bytes in that of some encodings in which the most of them are Russian letters; the first of several such."""
    read = [content.decode(encoding, errors="replace") for encoding in encodings]
    return max(read, key=lambda said: len(re.findall("[А-яЁё]", said)))


def nfc(name: str) -> str:
    """A name as it is compared: macOS writes the й of a file name as two characters."""
    return unicodedata.normalize("NFC", name)


def fold(name: str) -> str:
    """A name as a disk compares it that takes Cat and cat for one."""
    return nfc(name).casefold()


def safe_name(name: str, limit: int = 120) -> str:
    """In NFC, and with nothing that a file system or a terminal would stumble over; "photo" where nothing is left.

    >>> safe_name("кот: №1?")
    'кот_ №1_'
    """
    name = nfc(name)
    name = "".join("_" if c in '/\\:*?"<>|' or not c.isprintable() else c for c in name)[:limit]
    name = name.encode()[: 2 * limit].decode(errors="ignore").strip() or "photo"
    return re.sub(r"^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)", r"\1_", name, flags=re.IGNORECASE)  # Windows' own


def unique_name(path: Path, taken: set[str]) -> str:
    """A name that is free also on a disk that takes Cat and cat for one: stem, folder_stem, folder_stem_2, …

    What is taken is in `taken`, and this name then too.
    """
    folder = Path(os.path.abspath(path)).parent.name
    longer = safe_name(f"{folder[:-4] if folder.lower().endswith('.zip') else folder}_{path.stem}")
    names = chain([safe_name(path.stem), longer], (f"{longer}_{number}" for number in count(2)))
    name = next(name for name in names if name.casefold() not in taken)
    taken.add(name.casefold())
    return name


def natural(name: str) -> tuple:
    """Sorts IMG_2 before IMG_10; digits stay text, since int() refuses very long ones."""
    pieces = re.split("([0-9]+)", fold(name))
    return [(len(p.lstrip("0")), p.lstrip("0")) if n % 2 else p for n, p in enumerate(pieces)], name


def capped(lines: Sequence[str], limit: int) -> list[str]:
    """The first of several, and how many more there are."""
    return [*lines[:limit], text("photos.more", count=len(lines) - limit)] if len(lines) > limit else list(lines)


def some(names: Sequence[str], limit: int = 10, between: str = ", ") -> str:
    """The first of several names in one line, and how many more there are."""
    return between.join(capped(names, limit))
