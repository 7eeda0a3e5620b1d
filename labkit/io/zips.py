"""One walk through a zip that nobody vouches for: its files by their right names, each with why it must not be read."""

import math
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from labkit.io.decode import Unreadable
from labkit.io.files import natural, russian

__all__ = ["MAX_MEMBERS", "Member", "walk"]

MAX_MEMBERS, MAX_RATIO, FREE_MB = 10_000, 300, 10
"""A zip of more files, or with one that shrank more than so many times and is larger than this, is a bomb."""

_MB = 1_000_000


@dataclass(frozen=True)
class Member:
    """A file of a zip: its `place` there, and why it shall not be read, None where it may: `file_size` bytes at most.

    zipfile gives no more bytes than that, whatever the data would unpack to.
    """

    place: int
    info: zipfile.ZipInfo
    refusal: Unreadable | None = None

    @cached_property
    def name(self) -> str:
        """As whoever made the zip wrote it, its folders parted by `/`; a folder's name ends with one.

        Without the UTF-8 flag zipfile reads a name as cp437, but a Russian Windows writes it in cp866, some of its
        programs in cp1251; macOS and some tools of Linux write UTF-8 and do not say so.
        """
        name = self.info.filename
        if not self.info.flag_bits & 0x800:
            with suppress(UnicodeEncodeError):  # the name came from a Unicode field, not from cp437
                raw = name.encode("cp437")
                try:
                    name = raw.decode("utf-8")
                except UnicodeDecodeError:
                    name = russian(raw, "cp866", "cp1251")
        return name.replace("\\", "/")

    @property
    def parts(self) -> tuple[str, ...]:
        """Its path; `..` may be among it."""
        return tuple(part for part in self.name.split("/") if part not in ("", "."))

    @property
    def inside(self) -> tuple[str, ...]:
        """Its path without `..`, for display: nothing is written there."""
        return tuple(part for part in self.parts if part != "..")

    @property
    def climbs(self) -> bool:
        """Whether its path leads out of the zip."""
        return ".." in self.parts or self.name.startswith("/") or ":" in self.name[:2]

    @property
    def ratio(self) -> float:
        """How many times it shrank."""
        return self.info.file_size / max(1, self.info.compress_size)


def walk(
    archive: zipfile.ZipFile,
    allowed: Callable[[Member], float | Unreadable | None],
    total_mb: float = math.inf,
    max_ratio: float = MAX_RATIO,
    free_mb: float = FREE_MB,
) -> Iterator[Member]:
    """The files of a zip in natural order, as long as those that may be read fit into `total_mb` together.

    `allowed` says how many megabytes a file may have, or why it is refused, or None where it is passed over. Refused
    is one with a password besides, and one that shrank more than `max_ratio` times and is larger than `free_mb`.
    Unreadable where there are more than `MAX_MEMBERS`.
    """
    members = [Member(place, info) for place, info in enumerate(archive.infolist())]
    if len(members) > MAX_MEMBERS:
        raise Unreadable("photos.zip_members", count=len(members), limit=MAX_MEMBERS)
    files = [member for member in members if member.inside and not member.name.endswith("/")]
    room = total_mb * _MB
    for member in sorted(files, key=lambda member: [natural(part) for part in member.parts]):
        limit, size = allowed(member), member.info.file_size
        if limit is None:
            continue
        if isinstance(limit, Unreadable):
            refusal = limit
        elif member.info.flag_bits & 0x1:
            refusal = Unreadable("photos.zip_encrypted")
        elif size > limit * _MB:
            refusal = Unreadable("photos.zip_member_size", limit=limit)
        elif member.ratio > max_ratio and size > free_mb * _MB:
            refusal = Unreadable("photos.zip_ratio", ratio=round(member.ratio))
        elif size > room:
            refusal = Unreadable("photos.zip_total", limit=total_mb)
        else:
            refusal, room = None, room - size
        yield replace(member, refusal=refusal)
