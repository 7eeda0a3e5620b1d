"""The bytes of an address onto the disk: with patience, with a bar, and going on where a break was.

A download that breaks off goes on where it was, if the server can (RFC 9110, sections 13.1.5 and 14). Neither pooch nor
urllib3's Retry does that, nor say why the user waits.
"""

import errno
import html
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import requests
from tqdm import tqdm

from labkit.io.errors import one_line
from labkit.io.progress import in_notebook
from labkit.locale import text

__all__ = ["Refused", "check_room", "transfer"]

TIMEOUT = (10.0, 60.0)  # seconds to connect, and seconds of silence, until an attempt is given up
PAUSE = 2.0  # seconds before the second attempt; each further pause is twice as long
_BLOCK = 1 << 20
_PASSING = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class Refused(Exception):
    """Why an address or a file is no good, in the user's language; `again`: whether another attempt may help."""

    def __init__(self, reason: str, again: bool = False):
        super().__init__(reason)
        self.again = again


def check_room(folder: Path, needed: float) -> None:
    """OSError where a disk has not so many bytes."""
    if needed > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def transfer(url: str, path: Path, label: str, attempts: int, report: Callable[[str], object]) -> None:
    """What lies at `url`, in `path`. Refused after `attempts` in a row that brought nothing new; OSError of the disk.

    `report` takes a line on each pause.
    """
    path.write_bytes(b"")
    same: dict[str, str] = {}
    failed = most = 0
    while True:
        try:
            return _get(url, path, label, same)
        except Refused as error:
            size = path.stat().st_size
            failed = 1 if size > most else failed + 1
            most = max(most, size)
            if not error.again or failed >= attempts:
                raise
            pause = PAUSE * 2 ** (failed - 1)
            report(text("download.again", url=url, reason=error, seconds=pause))
            time.sleep(pause)


def _get(url: str, path: Path, label: str, same: dict[str, str]) -> None:
    """One attempt; `same` asks for the rest of a file, as long as it is the one that `path` begins with."""
    have = path.stat().st_size if same else 0
    asked = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-", **same} if have else {})}
    try:
        with requests.get(url, headers=asked, stream=True, timeout=TIMEOUT) as response:
            status, headers = response.status_code, response.headers
            goes_on = status == 206
            other = goes_on and not headers.get("content-range", "").startswith(f"bytes {have}-")
            if other or status == 416:
                same.clear()
            if other or not response.ok:
                again = status in (206, 408, 416, 429) or status >= 500
                raise Refused(text("download.status", status=status, phrase=response.reason), again)
            if not goes_on:
                have = 0
                same.clear()
                same.update(_validator(headers))
            size = int(headers.get("content-length", 0))
            check_room(path.parent, size)
            mode, place = "ab" if goes_on else "wb", _output() if in_notebook() else None
            bar: Any = {"total": have + size, "initial": have, "unit": "B", "unit_scale": True, "leave": False}
            with path.open(mode) as sink, tqdm(desc=label, disable=None, file=place, **bar) as progress:
                for block in response.iter_content(_BLOCK):
                    sink.write(block)
                    sink.flush()  # a disk may be full here, and this process may be killed
                    progress.update(len(block))
    except (requests.RequestException, ValueError) as error:
        cause: Exception = error  # the innermost says what happened, those around it where in the libraries
        while isinstance(inner := getattr(cause, "reason", None) or (cause.args or (None,))[-1], Exception):
            cause = inner
        raise Refused(text("download.network", error=one_line(cause)), again=isinstance(error, _PASSING)) from error


def _validator(headers: Mapping[str, str]) -> dict[str, str]:
    """What `If-Range` says of the file that comes with these headers; nothing where nothing tells it from another."""
    if "content-encoding" in headers:  # its bytes are counted otherwise than the file's
        return {}
    tag = headers.get("etag", "W/")
    known = headers.get("last-modified") if tag.startswith("W/") else tag
    return {"If-Range": known} if known else {}


def _output() -> Any:
    """A file for tqdm's line in a notebook; nothing stays of it but an empty output."""
    from IPython.display import HTML, display

    handle = display(HTML(""), display_id=True)

    def write(line: str) -> None:
        if line:
            handle.update(HTML(f"<pre>{html.escape(line.strip())}</pre>" if line.strip() else ""))

    return SimpleNamespace(write=write, flush=lambda: None, encoding="utf-8")
