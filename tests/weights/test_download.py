"""The cache: whatever user, disk or another process do, there is a good file or a clear error."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, replace

import pytest
import torch
from handed_in import zip_of
from released import FETCH, GOOD, PAGE, SHA256, checkpoint, digest, flipped, release_at
from server import Answer

from labkit.io.errors import LabkitError
from labkit.weights import download
from labkit.weights.download import cache_folder, cached, check, fetch, verify


def start(release, code):
    """Another Python process that has `release` and can `say` a line, and stops at Ctrl-C also in the background."""
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {FETCH}{code}"
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", code, json.dumps(asdict(release))]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, encoding="utf-8")


def test_good_download(server, good, cache, capfd):
    """Downloaded once, verified, loadable; the second time neither asked for nor hashed."""
    assert cached(good) is None and verify(good) is None and not cache.exists()
    found = fetch(good)
    assert found.path == cache / good.file and found.sha256 == SHA256 == verify(good).sha256 == check(found.path, good)
    assert torch.load(found.path, weights_only=True)["conv.weight"].shape == (200, 200)
    note = cache / f"{good.file}.json"
    note.write_text(note.read_text().replace(SHA256, "from the note", 1))
    assert cached(good).sha256 == fetch(good).sha256 == "from the note"
    assert verify(good).sha256 == SHA256 == cached(good).sha256
    assert server.asked == ["/fcn.pth"] and capfd.readouterr() == ("", "")


def test_other_hash_in_a_newer_catalogue(server, good):
    """A file that was good for an older edition is not good for one that expects another hash."""
    fetch(good)
    newer = checkpoint(201)
    release = release_at(server.put("/fcn.pth", Answer(newer)), newer)
    assert cached(release) is None and fetch(release).sha256 == digest(newer)


def test_order_of_places(server, monkeypatch):
    """First LABKIT_MIRROR, then the release's address, then its mirrors; each is named in the error."""
    monkeypatch.setenv("LABKIT_MIRROR", f"{server.url}/own/")
    release = release_at(f"{server.url}/fcn.pth?raw=1", mirrors=(f"{server.url}/b.pth", "http://127.0.0.1:1/c.pth"))
    with pytest.raises(LabkitError) as caught:
        fetch(release)
    assert server.asked == ["/own/fcn.pth", "/fcn.pth?raw=1", "/b.pth"]
    assert str(caught.value).count("404 Not Found") == 3 and "127.0.0.1:1/c.pth: нет связи" in str(caught.value)
    server.put("/own/fcn.pth", Answer(GOOD))
    assert fetch(release).sha256 == SHA256 and server.asked[3:] == ["/own/fcn.pth"]


@pytest.mark.parametrize("address", ["nonsense", "ftp://127.0.0.1:1", "http://", "http://[half", "http://no host"])
def test_nonsense_as_mirror(good, monkeypatch, address):
    """An address that is none is one more place that did not help."""
    monkeypatch.setenv("LABKIT_MIRROR", address)
    assert fetch(good).sha256 == SHA256


def test_offline(server, good, cache, monkeypatch):
    """Nothing is asked; the message says which file goes where, and what is wrong with one that is there."""
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    with pytest.raises(LabkitError) as caught:
        fetch(good)
    assert all(part in str(caught.value) for part in (good.url, str(cache / "fcn.pth"), "LABKIT_OFFLINE"))
    cache.mkdir()
    (cache / good.file).write_bytes(GOOD[:-1])
    with pytest.raises(LabkitError, match=SHA256):
        fetch(good)
    (cache / good.file).write_bytes(GOOD)
    assert fetch(good).sha256 == SHA256 and server.asked == []


def test_file_brought_by_hand(server, good, cache):
    """Verified once, under its final name; a bad one is replaced."""
    cache.mkdir()
    (cache / good.file).write_bytes(GOOD)
    assert cached(good).sha256 == SHA256 and json.loads((cache / f"{good.file}.json").read_text())["size"] == len(GOOD)
    assert server.asked == []
    (cache / good.file).write_bytes(PAGE)
    for look in (verify, lambda release: check(cache / release.file, release)):
        with pytest.raises(LabkitError, match="страница HTML.*Замените"):
            look(good)
    assert cached(good) is None and fetch(good).sha256 == SHA256 and server.asked == ["/fcn.pth"]


def test_zip_brought_by_hand(server, cache, monkeypatch):
    """The published zip under its own name is unpacked, and stays; a broken one is named."""
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    release = release_at(f"{server.url}/v1/fcn.pth.zip", file="fcn.pth")
    cache.mkdir()
    (cache / "fcn.pth.zip").write_bytes(zip_of({"fcn.pth": GOOD[:-1]}))
    assert cached(release) is None
    with pytest.raises(LabkitError, match="fcn.pth.zip не годится"):
        fetch(release)
    (cache / "fcn.pth.zip").write_bytes(zip_of({"fcn.pth": GOOD}))
    assert fetch(release).path.read_bytes() == GOOD and (cache / "fcn.pth.zip").exists()
    (cache / "fcn.pth").write_bytes(b"broken")
    assert cached(release).sha256 == SHA256 and server.asked == []


def test_changed_after_the_download(server, good):
    """Another size or time is seen at once; the same size and time only by `verify`."""
    path = fetch(good).path
    stat = path.stat()
    for content in (GOOD + b"!", GOOD[:-1] + b"!"):
        path.write_bytes(content)
        assert cached(good) is None
    path.write_bytes(GOOD)
    assert fetch(good) == cached(good) == verify(good) and len(server.asked) == 1
    path.write_bytes(GOOD[:-1] + b"!")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(LabkitError, match=SHA256):
        verify(good)
    path.write_bytes(GOOD)


@pytest.mark.parametrize("note", ["", "[]", "{", '{"sha256": "' + SHA256 + '"}', None])
def test_damaged_note(good, note):
    """A note that was half written is written again; where none can be, the file is good all the same."""
    place = fetch(good).path.with_name(f"{good.file}.json")
    place.unlink()
    if note is None:
        place.mkdir()
    else:
        place.write_text(note)
    assert cached(good).sha256 == SHA256 == verify(good).sha256 == fetch(good).sha256


@pytest.mark.parametrize("place", ["file/cache", "file", "/proc/labkit"])
def test_cache_that_cannot_be_written(server, good, place, tmp_path, monkeypatch):
    """Said before anything is asked, with the variable that helps."""
    (tmp_path / "file").write_text("a file, not a folder")
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / place))
    assert cached(good) is None
    with pytest.raises(LabkitError, match="LABKIT_CACHE"):
        fetch(good)
    assert server.asked == []


def test_folder_in_place_of_the_file(good, cache):
    """What is no file is not deleted; the message says what is in the way."""
    (cache / good.file).mkdir(parents=True)
    with pytest.raises(LabkitError, match=good.file):
        fetch(good)
    assert (cache / good.file).is_dir()


def test_too_little_space(server, good, tmp_path):
    """Seen by the catalogue's size before anything is asked (twice that for a zip), and by what a server announces."""
    free = shutil.disk_usage(tmp_path).free / 1e6
    for release in (
        replace(good, megabytes=free + 1000),
        replace(good, megabytes=0.7 * free, url=f"{good.url}.zip"),
        release_at(server.put("/huge.pth", Answer(GOOD, length=10**15, sent=0.1))),
    ):
        with pytest.raises(LabkitError, match="не хватает места"):
            fetch(release)
    assert server.asked == ["/huge.pth"]


@pytest.mark.parametrize("name, length, room", [("a.pth", None, 0.5), ("b.pth", -1, 0.5), ("a.pth.zip", None, 0.97)])
def test_disk_full_in_the_middle(server, cache, name, length, room):
    """A file system that takes no more: with and without an announced length, and where only the zip has room."""
    pytest.importorskip("resource")
    body = zip_of({"fcn.pth": GOOD}) if name.endswith("zip") else GOOD
    release = release_at(server.put(f"/{name}", Answer(body, length=length)), megabytes=0.1)
    assert len(body) < room * len(GOOD) or not name.endswith("zip")
    limit = round(room * len(GOOD))
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
    code += "try: download.fetch(release)\nexcept download.LabkitError as error: print(error)"
    assert f"{cache} не хватает места" in start(release, code).communicate()[0]
    assert [path.suffix for path in cache.rglob("*") if path.is_file()] == [".lock"]


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_stopped_in_the_middle(server, cache, name):
    """A process that is killed, or stopped from the keyboard, leaves no half file in place; the next one goes well."""
    data = checkpoint(1100)
    gate = threading.Event()
    answer = Answer(data, gate=gate)
    release = release_at(server.put("/fcn.pth", answer, Answer(data)), data)
    half = cache / "incoming" / release.file / "download"
    with start(release, "transfer.TIMEOUT = (1, 9); say('go'); download.fetch(release)") as process:
        pause = threading.Event()
        assert answer.halfway.wait(10)
        assert any((half.exists() and half.stat().st_size >= 1 << 20) or pause.wait(0.02) for _ in range(500))
        process.send_signal(getattr(signal, name))
        process.wait(10)
    gate.set()
    assert half.exists() == (name == "SIGKILL") and not (cache / release.file).exists() and cached(release) is None
    assert fetch(release).sha256 == digest(data) and not half.parent.exists()


def test_two_processes(server):
    """Who comes second waits, says so, and takes the finished file: one download in all."""
    gate = threading.Event()
    answer = Answer(GOOD, gate=gate)
    release = release_at(server.put("/fcn.pth", answer))
    code = "transfer.TIMEOUT = (1, 9); say(download.fetch(release, report=say).sha256)"
    with start(release, code) as first:
        assert answer.halfway.wait(10)
        with start(release, code) as second:
            assert "другой процесс" in second.stdout.readline()
            gate.set()
            assert first.stdout.read().strip() == second.stdout.read().strip() == SHA256
    assert server.asked == ["/fcn.pth"]


def test_place_of_the_cache(monkeypatch, tmp_path):
    """A relative folder and `~` become absolute; without the variable it is the platform's place."""
    for given in ("~/weights", "weights"):
        monkeypatch.setenv("LABKIT_CACHE", given)
        assert cache_folder().is_absolute() and cache_folder().name == "weights" and "~" not in str(cache_folder())
    monkeypatch.delenv("LABKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "labkit" in str(cache_folder())


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
    monkeypatch.setattr(download, "ZIP_BYTES", 2 * len(GOOD) - 1)
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
