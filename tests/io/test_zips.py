"""The walk through a zip: in natural order, within its budget, and what must not be read is named."""

import io
import zipfile

import pytest
from handed_in import zip_of

from labkit.io import zips
from labkit.io.decode import Unreadable
from labkit.io.zips import walk


def walked(made: bytes, allowed=lambda member: 1, **limits):
    """Path and refusal of each file."""
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        members = list(walk(archive, allowed, **limits))
    return [("/".join(member.parts), member.refusal and member.refusal.key) for member in members]


def test_order_and_folders():
    """2 before 10, folders are no files; what nobody wants is passed over."""
    made = zip_of({"10.png": b"x", "папка/": b"", "2.png": b"x", "папка/./а.png": b"x", "b\\c.txt": b"x"})
    assert [name for name, _ in walked(made)] == ["2.png", "10.png", "b/c.txt", "папка/а.png"]
    assert walked(made, lambda member: 1 if member.name.endswith("txt") else None) == [("b/c.txt", None)]


def test_budget():
    """What is too large, shrank too much or no longer fits is refused, and so is what the caller refuses."""
    made = zip_of({f"{n}.bin": bytes(600_000) for n in range(3)})
    assert [key for _, key in walked(made, total_mb=1.3)] == [None, None, "photos.zip_total"]
    assert {key for _, key in walked(made, lambda member: 0.5)} == {"photos.zip_member_size"}
    assert {key for _, key in walked(made, free_mb=0)} == {"photos.zip_ratio"}
    refused = walked(made, lambda member: Unreadable("photos.nested_zip") if member.place == 0 else 1, total_mb=1.3)
    assert [key for _, key in refused] == ["photos.nested_zip", None, None]


def test_password():
    """A file that has one is named."""
    made = bytearray(zip_of({"а.bin": b"x"}))
    made[made.rindex(b"PK\1\2") + 8] |= 1
    assert walked(bytes(made)) == [("а.bin", "photos.zip_encrypted")]


def test_too_many(monkeypatch):
    """A zip of too many files is not walked through."""
    monkeypatch.setattr(zips, "MAX_MEMBERS", 2)
    with pytest.raises(Unreadable, match="файлов в архиве: 3"):
        walked(zip_of({f"{n}.png": b"" for n in range(3)}))


@pytest.mark.parametrize(("name", "climbs"), [("../а", True), ("/а", True), ("C:\\а", True), ("а/..b", False)])
def test_climbing(name, climbs):
    """A path that leads out of the zip is told."""
    with zipfile.ZipFile(io.BytesIO(zip_of({name: b"x"}))) as archive:
        assert [member.climbs for member in walk(archive, lambda member: 1)] == [climbs]
