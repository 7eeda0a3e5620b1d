"""A release of the catalogue at another address, and checkpoints to lie there."""

import hashlib
import io
from dataclasses import replace

import torch

from labkit.weights.catalogue import OFFICIAL

PAGE = b"\n<!DOCTYPE html><html><body>Wi-Fi login</body></html>"
FETCH = "import json, sys; from labkit.weights import catalogue, download, transfer; transfer.PAUSE = 0.01; "
FETCH += "release = catalogue.Release(**json.loads(sys.argv[1])); say = lambda line: print(line, flush=True); "


def checkpoint(side: int) -> bytes:
    """The bytes of a real checkpoint, of `4 * side**2` bytes and a little."""
    file = io.BytesIO()
    torch.save({"conv.weight": torch.rand(side, side, generator=torch.manual_seed(side))}, file)
    return file.getvalue()


def flipped(data: bytes) -> bytes:
    """`data` with one byte in the middle changed."""
    half = len(data) // 2
    return data[:half] + bytes([data[half] ^ 255]) + data[half + 1 :]


def digest(data: bytes, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, data).hexdigest()


GOOD = checkpoint(200)
SHA256 = digest(GOOD)


def release_at(url, data=GOOD, **changes):
    """A row of the catalogue with another address and the hash of `data`."""
    row = replace(OFFICIAL["fcn_resnet50"], url=url, hash=f"sha256:{digest(data)}", megabytes=0.2)
    return replace(row, **changes)
