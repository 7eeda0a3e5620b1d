"""A server on 127.0.0.1, and a cache in which only good files may be left."""

import json
import os

import pytest
import torch
from released import GOOD, digest, release_at
from server import Answer, serve

from labkit.weights import transfer
from labkit.weights.download import cache_folder


@pytest.fixture
def server():
    """A server with nothing told and nothing asked."""
    with serve() as server:
        yield server


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, small blocks, no waiting; afterwards only good files lie in it, what is known of them, locks."""
    proxies = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in (*proxies, *map(str.upper, proxies), "LABKIT_MIRROR", "LABKIT_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "кэш"))
    monkeypatch.setattr(transfer, "PAUSE", 0.01)
    monkeypatch.setattr(transfer, "_BLOCK", 1 << 14)
    yield tmp_path / "кэш"
    for path in filter(os.path.isfile, cache_folder().glob("**/*")):
        if path.parent.name == "incoming":
            assert path.suffix == ".lock"
        elif path.suffix == ".json":
            assert json.loads(path.read_text())["sha256"] == digest(path.with_suffix("").read_bytes())
        elif path.suffix != ".zip":
            assert path.parent == cache_folder()
            torch.load(path, weights_only=True)


@pytest.fixture
def pauses(monkeypatch):
    """Seconds that a download waited, none of which has passed."""
    waited = []
    monkeypatch.setattr(transfer.time, "sleep", waited.append)
    return waited


@pytest.fixture
def good(server):
    """A release whose download goes well."""
    return release_at(server.put("/fcn.pth", Answer(GOOD)))
