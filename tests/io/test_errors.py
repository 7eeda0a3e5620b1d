"""What is told of an error: the disk's, JSON's and zip's in the user's language, of all others their own words."""

import errno
import json
import os
import zipfile
import zlib

import pytest
import requests

from labkit.io.errors import one_line, told
from labkit.locale import text


@pytest.mark.parametrize(
    "number, key",
    [
        (errno.ENOENT, "missing"),
        (errno.EACCES, "closed"),
        (errno.EPERM, "closed"),
        (errno.EISDIR, "folder"),
        (errno.EEXIST, "not_folder"),
        (errno.ENOTDIR, "not_folder"),
        (errno.ENOSPC, "full"),
        (errno.EDQUOT, "full"),
    ],
)
def test_what_the_disk_says(number, key):
    """Why, in the user's language; the file once, where there is one, and no number of the system's."""
    error, nameless = OSError(number, os.strerror(number), "отчёт"), OSError(number, os.strerror(number))
    assert one_line(error) == one_line(nameless) == told(nameless) == text(f"files.{key}")
    assert told(error) == text("files.disk", file="отчёт", error=text(f"files.{key}"))


def test_what_is_no_zip():
    """A rar that is called a zip, and one of which a part is damaged: neither in the library's words."""
    for error in (zipfile.BadZipFile("File is not a zip file"), zlib.error("Error -3 while decompressing data")):
        assert one_line(error) == text("files.zip")


def test_what_is_no_utf_8():
    """A notebook that an editor of Windows has saved, and a zip whose names are not what they say."""
    with pytest.raises(UnicodeDecodeError) as told:
        "кот".encode("cp1251").decode()
    assert one_line(told.value) == text("files.encoding")


def test_what_is_no_json():
    """Where it breaks off, in the user's language."""
    with pytest.raises(ValueError) as told:
        json.loads('{"a": 1,\n b}')
    assert one_line(told.value) == text("files.json", line=2, column=2)


@pytest.mark.parametrize(
    "error, said",
    [
        (OSError(errno.EIO, "Input/output error", "диск"), "Input/output error"),
        (requests.ConnectionError("no\n network"), "no network"),
        (ValueError("first\nsecond"), "first second"),
        (TimeoutError("too long", 1.5), "[Errno too long] 1.5"),
        (KeyError(), "KeyError"),
    ],
)
def test_what_others_say(error, said):
    """Their own words on one line, or their name."""
    assert one_line(error) == said
