"""The error of everything that a user can mend: its message is one line that ends with the next step."""

import errno
import zlib
from json import JSONDecodeError
from zipfile import BadZipFile

from labkit.locale import text

__all__ = ["LabkitError", "one_line", "told"]

_IN_WORDS = {
    FileNotFoundError: "missing",
    PermissionError: "closed",
    IsADirectoryError: "folder",
    FileExistsError: "not_folder",
    NotADirectoryError: "not_folder",
    JSONDecodeError: "json",
    UnicodeDecodeError: "encoding",
    BadZipFile: "zip",
    zlib.error: "zip",
}


class LabkitError(ValueError):
    """A wrong argument, file or device; the command line prints the message and exits with 2."""


def one_line(error: BaseException, limit: int = 300) -> str:
    """What an error says, or else what it is called, on one line; the usual ones of files in the user's own words.

    These leave out the file, which whoever tells of it names.
    """
    is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if key := "full" if is_full else _IN_WORDS.get(type(error)):
        return text(f"files.{key}", line=getattr(error, "lineno", 1), column=getattr(error, "colno", 1))
    said = getattr(error, "strerror", None)
    said = said if isinstance(said, str) else str(error)
    return (" ".join(said.split()) or type(error).__name__)[:limit]


def told(error: Exception) -> str:
    """What a user is told: of the disk's errors the file and what to do, of what nobody foresaw what to try."""
    if isinstance(error, OSError) and error.filename:
        return text("files.disk", file=error.filename, error=one_line(error))
    if isinstance(error, OSError):
        return one_line(error)
    if isinstance(error, LabkitError | ModuleNotFoundError):
        return str(error) or type(error).__name__
    return text("files.unforeseen", kind=type(error).__name__, error=one_line(error))
