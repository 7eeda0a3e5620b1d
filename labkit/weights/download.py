"""The bytes of a release into the cache: downloaded once, taken out of their zip, verified, never half there.

A download whose process ended starts anew. What can be set from outside: `LABKIT_CACHE` (the folder), `LABKIT_MIRROR`
(a base address that is asked first), `LABKIT_OFFLINE=1` (no network), and the proxies' usual variables.
"""

import errno
import json
import os
import shutil
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import filelock
import pooch

from labkit.io.decode import Unreadable
from labkit.io.errors import LabkitError, one_line
from labkit.io.zips import walk
from labkit.locale import plural, text
from labkit.weights.catalogue import Release
from labkit.weights.transfer import Refused, check_room, transfer

__all__ = ["Downloaded", "cache_folder", "cached", "check", "fetch", "verify"]

ZIP_BYTES, ZIP_RATIO = 4_000_000_000, 50  # a zip of more, or that shrank more times, is a bomb: weights hardly shrink
_WEIGHTS = (".pth", ".pt", ".ckpt", ".bin")
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Downloaded:
    """A verified file in the cache; `sha256` is its own, also where the publisher names another hash."""

    path: Path
    sha256: str


def cache_folder() -> Path:
    """Where downloads are kept: `LABKIT_CACHE`, or the platform's place for caches."""
    return Path(os.environ.get("LABKIT_CACHE") or pooch.os_cache("labkit")).expanduser().absolute()


def cached(release: Release) -> Downloaded | None:
    """The release from the cache, or None where it is not there or not whole; the network is not asked.

    A file brought by hand, also the published zip under its own name, is verified once: `NAME.json` beside it keeps
    that. LabkitError where a zip cannot be unpacked for want of space or rights.
    """
    for look in (_look, _look_by_hand):
        with suppress(Refused):
            if found := look(release):
                return found
    return None


def verify(release: Release) -> Downloaded | None:
    """The cached release, hashed anew; None where there is none, LabkitError where it is broken."""
    path = cache_folder() / release.file
    if os.path.isfile(path):
        return _note(path, check(path, release), release)
    with _broken(_by_hand(release), release):
        return _look_by_hand(release)


def check(path: Path, release: Release) -> str:
    """The sha256 of a file anywhere that is the release; LabkitError says what was expected and what it is."""
    with _broken(path, release):
        return _verified(path, release)


@contextmanager
def _broken(file: Path, release: Release) -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise LabkitError(text("download.broken", file=file, reason=error, url=release.url)) from error


def fetch(release: Release, attempts: int = 4, report: Callable[[str], object] | None = None) -> Downloaded:
    """The release from the cache, downloaded where it is not there.

    Asked are `LABKIT_MIRROR`, the release's address and its mirrors, each until `attempts` attempts in a row brought
    nothing new, and once where another attempt cannot help. `report` takes a line on what makes the user wait (default:
    to stderr). One process downloads, others wait for its file. LabkitError says what happened at each address and what
    to do; no bad file is ever left in the cache.
    """
    report = report or (lambda line: print(line, file=sys.stderr))
    if found := cached(release):
        return found
    hints = {"name": release.name, "url": release.url, "path": _by_hand(release)}
    if os.environ.get("LABKIT_OFFLINE", "0") not in ("", "0"):
        verify(release)
        raise LabkitError(text("download.offline", **hints))
    mirror, reasons = os.environ.get("LABKIT_MIRROR"), []
    own = [f"{mirror.rstrip('/')}/{_by_hand(release).name}"] if mirror else []
    with _incoming(release, report) as folder:
        with suppress(Refused):
            if found := _look(release):
                return found
        check_room(folder, _megabytes(release) * 1e6)
        for url in (*own, release.url, *release.mirrors):
            try:
                transfer(url, folder / "download", release.file, attempts, report)
                return _accept(folder / "download", release, folder)
            except Refused as error:
                reasons.append(f"{url}: {error}")
    raise LabkitError(text("download.failed", reasons="\n".join(reasons), **hints))


def _by_hand(release: Release) -> Path:
    """Where a user puts what a browser downloads, under the name that it has there."""
    return cache_folder() / urlsplit(release.url).path.rpartition("/")[2]


@contextmanager
def _incoming(release: Release, report: Callable[[str], object] = lambda line: None) -> Iterator[Path]:
    """An empty folder in the cache that one process at a time has for a release; whatever is left in it goes."""
    cache = cache_folder()
    folder = cache / "incoming" / release.file
    lock = filelock.FileLock(f"{folder}.lock")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            report(text("download.waiting", name=release.name))
            lock.acquire()
        shutil.rmtree(folder, ignore_errors=True)  # what a killed process left
        folder.mkdir()
        yield folder
    except OSError as error:
        if error.errno not in _FULL:
            path = error.filename2 or error.filename or cache
            raise LabkitError(text("download.unwritable", path=path, error=one_line(error))) from error
        raise LabkitError(text("download.full", folder=cache, megabytes=_megabytes(release))) from error
    finally:
        if lock.is_locked:
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()


def _megabytes(release: Release) -> float:
    """How much room the release needs while it comes; a zip and what is in it lie side by side."""
    return release.megabytes * (2 if release.url.endswith(".zip") else 1)


def _look(release: Release) -> Downloaded | None:
    """The file under its final name; Refused where it is broken."""
    path = cache_folder() / release.file
    if not os.path.isfile(path):
        return None
    with suppress(OSError, ValueError, TypeError, KeyError):
        known = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
        if known == {"sha256": known["sha256"], **_traits(path, release)}:
            return Downloaded(path, known["sha256"])
    return _note(path, _verified(path, release), release)


def _look_by_hand(release: Release) -> Downloaded | None:
    """The published zip that a user put into the cache, unpacked; Refused where it is broken."""
    path = _by_hand(release)
    if path.name == release.file or not os.path.isfile(path):
        return None
    with _incoming(release) as folder:
        return _accept(path, release, folder)


def _accept(file: Path, release: Release, folder: Path) -> Downloaded:
    """What came, unpacked into `folder` and verified, under its final name."""
    file = _unpacked(file, folder / release.file)
    sha256 = _verified(file, release)
    path = cache_folder() / release.file
    os.replace(file, path)
    return _note(path, sha256, release)


def _note(path: Path, sha256: str, release: Release) -> Downloaded:
    with suppress(OSError):  # in a cache that is only read the file is hashed at each load
        note = {"sha256": sha256, **_traits(path, release)}
        Path(f"{path}.json").write_text(json.dumps(note), encoding="utf-8")
    return Downloaded(path, sha256)


def _traits(path: Path, release: Release) -> dict[str, object]:
    """By what a file is known again: another edition of the catalogue may expect another hash under the same name."""
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "expected": release.hash}


def _unpacked(file: Path, target: Path) -> Path:
    """The weights in a published zip, written to `target`; any other file, torch's own zip too, stays as it is."""
    if not zipfile.is_zipfile(file):
        return file
    try:
        with zipfile.ZipFile(file) as archive:
            every = walk(archive, lambda member: ZIP_BYTES / 1e6, max_ratio=ZIP_RATIO, free_mb=0)
            members = [member for member in every if member.parts[0] != "__MACOSX"]
            if any(member.parts[-1] == "data.pkl" for member in members):
                return file
            found = [member for member in members if member.name.lower().endswith(_WEIGHTS)] or members
            if len(found) != 1:
                raise Refused(text("download.zip_members", count=len(found)))
            (member,) = found
            if member.refusal is not None and member.refusal.key != "photos.zip_encrypted":  # which zipfile says itself
                raise Refused(plural("download.zip_bomb", member.info.file_size, ratio=member.ratio))
            with archive.open(member.info) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
    except Unreadable as error:
        raise Refused(str(error)) from error
    except _BAD_ZIP as error:
        raise Refused(text("download.zip_broken", error=one_line(error))) from error
    return target


def _verified(path: Path, release: Release) -> str:
    """The sha256 of a file that is what the release says; Refused with what was expected and got."""
    algorithm, _, expected = release.hash.partition(":")
    try:
        with path.open("rb") as file:
            head = file.read(512).lstrip().lower()
        size = path.stat().st_size
        sha256 = pooch.file_hash(path, "sha256")
        got = sha256 if algorithm in ("sha256", "") else pooch.file_hash(path, algorithm)
        good = got.startswith(expected.lower()) if expected else _is_checkpoint(path, head)
    except OSError as error:
        raise Refused(text("download.unreadable", error=one_line(error))) from error
    if good:
        return sha256
    if head.startswith((b"<!doctype html", b"<html")):
        raise Refused(plural("download.html", size))
    if not expected:
        raise Refused(plural("download.no_checkpoint", size))
    raise Refused(plural("download.hash", size, algorithm=algorithm, expected=expected, got=got))


def _is_checkpoint(path: Path, head: bytes) -> bool:
    """Whether a file without a published hash is a whole zip of torch's, or begins as a pickle does."""
    if not zipfile.is_zipfile(path):
        return head.startswith(b"\x80")
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except _BAD_ZIP:
        return False
