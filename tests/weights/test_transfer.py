"""The network's faults: each is named, and what may pass is tried again, from where it broke off."""

import io
import json
import sys
import threading
from dataclasses import asdict, replace

import nbformat
import pytest
from nbclient import NotebookClient
from released import FETCH, GOOD, PAGE, SHA256, checkpoint, digest, flipped, release_at
from server import Answer

from labkit.io.errors import LabkitError
from labkit.weights import transfer
from labkit.weights.download import cached, fetch


def test_redirect_and_proxy(server, monkeypatch):
    """A publisher's redirect is followed; the proxy of the environment is used."""
    server.put("/there.pth", Answer(GOOD))
    url = server.put("/fcn.pth", Answer(status=302, headers={"Location": "/there.pth"}))
    assert fetch(release_at(url)).sha256 == SHA256
    monkeypatch.setenv("http_proxy", server.url)
    server.put("/other.pth", Answer(checkpoint(201)))
    fetch(release_at("http://weights.example/other.pth", checkpoint(201), file="other.pth"))
    assert server.asked == ["/fcn.pth", "/there.pth", "http://weights.example/other.pth"]


@pytest.mark.parametrize(
    "fault, said, times",
    [
        (Answer(GOOD, sent=0.3), r"прервалась \(IncompleteRead\([^()]*\)\)\n", 4),
        (Answer(GOOD, length=len(GOOD) + 100), "100 more expected", 4),
        (Answer(GOOD, length=len(GOOD) - 100), f"получено {len(GOOD) - 100} байт.*неполный", 1),
        (Answer(GOOD, length=-1, sent=0.3), f"получено {round(len(GOOD) * 0.3)} байт.*неполный", 1),
        (Answer(flipped(GOOD)), f"{SHA256}: файл неполный", 1),
        (Answer(PAGE), "страница HTML", 1),
        (Answer(status=403), "403 Forbidden", 1),
        (Answer(status=404), "404 Not Found", 1),
        (Answer(status=500), "500 Internal", 4),
        (Answer(GOOD, gate=threading.Event()), "timed out", 4),
        (Answer(GOOD, headers={"Content-Length": "many"}, length=-1), "нет связи", 1),
        (Answer(status=302, headers={"Location": "/fcn.pth"}), "redirects", 1),
    ],
)
def test_faults(server, cache, fault, said, times, monkeypatch):
    """Each fault is named with its address, and what to do; only what may pass is tried again; a mirror then helps."""
    if fault.gate is not None:
        monkeypatch.setattr(transfer, "TIMEOUT", (1.0, 0.3))
    release, lines = release_at(server.put("/fcn.pth", fault)), []
    with pytest.raises(LabkitError, match=said) as caught:
        fetch(release, report=lines.append)
    for next_step in (release.url, "LABKIT_MIRROR", str(cache / "fcn.pth"), 'weights="embedded"'):
        assert next_step in str(caught.value)
    assert len(lines) == times - 1 and all(release.url in line for line in lines)
    if fault.status != 302:
        assert len(server.asked) == times
    assert cached(release) is None and not (cache / release.file).exists()
    mirror = server.put("/mirror/fcn.pth", Answer(GOOD))
    assert fetch(replace(release, mirrors=(mirror,)), attempts=1).sha256 == SHA256


@pytest.mark.parametrize("fault", [Answer(status=500), Answer(status=429), Answer(GOOD, sent=0.3)])
def test_faults_that_pass(server, fault, pauses):
    """Two failures, then the file; the pauses grow."""
    release = release_at(server.put("/fcn.pth", fault, fault, Answer(GOOD)))
    assert fetch(release, report=print).sha256 == SHA256
    assert len(server.asked) == 3 and pauses == [0.01, 0.02]


BIG = checkpoint(900)  # more than three of the blocks in which a download is written
TAG = {"ETag": '"1"'}
DATE = {"ETag": 'W/"1"', "Last-Modified": "Mon, 02 Nov 2026 10:00:00 GMT"}


@pytest.mark.parametrize("headers", [TAG, DATE])
def test_goes_on_where_it_broke_off(server, headers, pauses):
    """More breaks than attempts: as long as each brings something, only the rest is asked for, and no pause grows."""
    breaks = (0.15, 0.3, 0.5, 0.6, 0.8, 0.95)
    answers = [Answer(BIG, headers=headers, sent=sent, resumes=True) for sent in (*breaks, 1.0)]
    release = release_at(server.put("/fcn.pth", *answers), BIG)
    assert fetch(release, report=print).sha256 == digest(BIG)
    starts = [int(asked[6:-1]) for asked in server.ranges[1:]]
    assert server.ranges[0] is None and len(starts) == 6 and pauses == [0.01] * 6
    for begun, sent in zip(starts, breaks, strict=True):
        assert begun == pytest.approx(sent * len(BIG), abs=1 << 15) and begun <= sent * len(BIG)


@pytest.mark.parametrize(
    "first, second, ranges",
    [
        (TAG, Answer(BIG, headers={"ETag": '"2"'}, resumes=True), 2),  # another file by now
        (TAG, Answer(BIG, headers=TAG), 2),  # a server that cannot
        (TAG, Answer(BIG, headers=TAG, resumes=True, part="bytes 7-9/10"), 3),  # another part than was asked for
        (TAG, Answer(status=416), 3),
        ({}, Answer(BIG, resumes=True), 1),  # nothing tells the file from another
        ({"ETag": 'W/"1"'}, Answer(BIG, resumes=True), 1),
        ({**TAG, "Content-Encoding": "x"}, Answer(BIG, headers=TAG, resumes=True), 1),
    ],
)
def test_comes_whole_where_it_cannot_go_on(server, first, second, ranges):
    """The rest is never put behind the beginning of another file."""
    old = Answer(flipped(BIG) if second.headers != TAG else BIG, headers=first, sent=0.5, resumes=True)
    release = release_at(server.put("/fcn.pth", old, second, Answer(BIG)), BIG)
    assert fetch(release, report=print).sha256 == digest(BIG)
    assert [bool(asked) for asked in server.ranges] == [False, ranges > 1, False][: max(2, ranges)]


def test_a_mirror_begins_anew(server):
    """What came from one address is not the beginning of what comes from the next."""
    first = server.put("/fcn.pth", Answer(flipped(BIG), headers=TAG, sent=0.9, resumes=True), Answer(status=404))
    mirror = server.put("/mirror/fcn.pth", Answer(BIG, headers=TAG, resumes=True))
    assert fetch(release_at(first, BIG, mirrors=(mirror,)), report=print).sha256 == digest(BIG)
    assert [bool(asked) for asked in server.ranges] == [False, True, False]


def test_bar_on_a_terminal(good, monkeypatch):
    """The bar names the file and is wiped off in the end."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    fetch(good)
    assert good.file in terminal.getvalue() and terminal.getvalue().rsplit("\r", 2)[1].strip() == ""


def test_bar_in_a_notebook(good, root, monkeypatch):
    """The bar names the file; of it an empty output stays."""
    states, process = [], NotebookClient.process_message

    def watched(client, message, *where):
        states.append(message["content"].get("data", {}).get("text/html", ""))
        return process(client, message, *where)

    monkeypatch.setattr(NotebookClient, "process_message", watched)
    code = f"import sys, json; sys.argv = ['', {json.dumps(asdict(good))!r}]; {FETCH}found = download.fetch(release)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, resources={"metadata": {"path": str(root)}}).execute()
    assert [output.data["text/html"] for output in notebook.cells[0].outputs] == [""]
    assert any(state.startswith(f"<pre>{good.file}") for state in states)
