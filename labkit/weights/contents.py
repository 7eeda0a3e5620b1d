"""What a file of weights holds: the weights in the zip around them, and whether they are what the release says."""

import shutil
import zipfile
import zlib
from pathlib import Path

import pooch

from labkit.io.decode import Unreadable
from labkit.io.zips import Member, walk
from labkit.locale import plural, text
from labkit.weights.catalogue import Release
from labkit.weights.transfer import Refused

__all__ = ["unpacked", "verified"]

ZIP_BYTES = 4_000_000_000
ZIP_RATIO = 50
"""A zip whose weights are larger, or shrank more than so many times, is a bomb: weights hardly shrink."""

_WEIGHTS = (".pth", ".pt", ".ckpt", ".bin")
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)


def unpacked(file: Path, target: Path) -> Path:
    """The weights in a published zip, written to `target`; any other file, torch's own zip too, stays as it is."""
    if not zipfile.is_zipfile(file):
        return file
    try:
        with zipfile.ZipFile(file) as archive:
            members = list(walk(archive, _allowed, max_ratio=ZIP_RATIO, free_mb=0))
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
        raise Refused(text("download.zip_broken", error=error)) from error
    return target


def _allowed(member: Member) -> float | None:
    return None if member.parts[0] == "__MACOSX" else ZIP_BYTES / 1e6


def verified(path: Path, release: Release) -> str:
    """The sha256 of a file that is what the release says; Refused with what was expected and got."""
    algorithm, _, expected = release.hash.partition(":")
    try:
        with path.open("rb") as file:
            head = file.read(512).lstrip().lower()
        size = path.stat().st_size
        sha256 = pooch.file_hash(path, "sha256")
        if expected:
            got = sha256 if algorithm == "sha256" else pooch.file_hash(path, algorithm)
            good = got.startswith(expected.lower())
        else:
            got, good = sha256, _is_checkpoint(path, head)
    except OSError as error:
        raise Refused(text("download.unreadable", error=error)) from error
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
