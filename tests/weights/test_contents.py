"""What is in a file: zips, hashes, checkpoints."""

import io
from dataclasses import replace

import pytest
import torch
from handed_in import zip_of
from released import GOOD, SHA256, digest, flipped, release_at
from server import Answer

from labkit.io.errors import LabkitError
from labkit.weights import contents
from labkit.weights.download import cached, check, fetch


@pytest.mark.parametrize("expected", [f"sha256:{SHA256[:8].upper()}", f"sha1:{digest(GOOD, 'sha1')}", ""])
def test_published_hashes(good, expected):
    """The first digits of a hash, another algorithm, none at all; sha256 is known in each case."""
    assert fetch(replace(good, hash=expected)).sha256 == SHA256


@pytest.mark.parametrize("hashed", [True, False])
def test_published_zip(server, cache, hashed):
    """The weights are taken out of the zip around them; the published hash is theirs."""
    members = {"a/": b"", "a/fcn.pth": GOOD, "a/README.md": b"text", "__MACOSX/a/._fcn.pth": b"icon"}
    url = server.put("/fcn.pth.zip", Answer(zip_of(members)))
    found = fetch(release_at(url, hash=f"sha1:{digest(GOOD, 'sha1')}" if hashed else ""))
    assert found.path.read_bytes() == GOOD and found.sha256 == SHA256
    assert {path.suffix for path in cache.iterdir() if path.is_file()} == {".pth", ".json"}


@pytest.mark.parametrize(
    "body, said",
    [
        (zip_of({"a.pth": GOOD, "b.pth": GOOD}), "файлов с весами: 2"),
        (zip_of({"a.pth": bytes(3_000_000)}), "подозрительно велик"),
        (zip_of({"a.pth": GOOD + bytes(len(GOOD))}), f"{2 * len(GOOD)} байт"),
        (zip_of({}), "файлов с весами: 0"),
        (zip_of({"a.pth": GOOD})[:-30], "не файл весов"),
        (flipped(zip_of({"a.pth": GOOD})), "архив zip повреждён"),
        (zip_of({"readme.txt": b"no weights"}), "не файл весов"),
        (b"", "не файл весов"),
    ],
)
def test_refused_zips(server, cache, body, said, monkeypatch):
    """Two files, a bomb, more than the limit, none, a cut or damaged zip, one without weights: why is said."""
    monkeypatch.setattr(contents, "ZIP_BYTES", 2 * len(GOOD) - 1)
    release = release_at(server.put("/fcn.pth.zip", Answer(body)), hash="")
    with pytest.raises(LabkitError, match=said):
        fetch(release)
    assert not (cache / release.file).exists() and len(server.asked) == 1


def test_file_without_a_published_hash(good, cache):
    """Brought by hand, it is a whole zip of torch's or a pickle; a folder is neither."""
    unknown = replace(good, hash="")
    pickled = io.BytesIO()
    torch.save({"conv.weight": torch.zeros(2)}, pickled, _use_new_zipfile_serialization=False)
    cache.mkdir()
    for data in (flipped(GOOD), GOOD[:-100], b"text"):
        (cache / good.file).write_bytes(data)
        assert cached(unknown) is None
    for data in (GOOD, pickled.getvalue()):
        (cache / good.file).write_bytes(data)
        assert cached(unknown).sha256 == digest(data)
    with pytest.raises(LabkitError, match="не читается"):
        check(cache, unknown)
