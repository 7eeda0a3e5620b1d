"""The error of everything that a user can mend: its message is one line that ends with the next step."""

import errno
from json import JSONDecodeError

from labkit.locale import text

__all__ = ["LabkitError", "one_line", "told"]

_DISK = {FileNotFoundError: "missing", PermissionError: "closed", IsADirectoryError: "folder"}
_DISK |= dict.fromkeys((FileExistsError, NotADirectoryError), "not_folder")


class LabkitError(ValueError):
    """A wrong argument, file or device; the command line prints the message and exits with 2."""


def one_line(error: BaseException, limit: int = 300) -> str:
    """What an error says, or else what it is called, on one line; of the disk's and of JSON's, in the user's words."""
    said = str(error)
    if isinstance(error, OSError) and isinstance(error.strerror, str):
        key = _DISK.get(type(error), "full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else None)
        said = text(f"files.{key}") if key else error.strerror
    elif isinstance(error, JSONDecodeError):
        said = text("files.json", line=error.lineno, column=error.colno)
    return (" ".join(said.split()) or type(error).__name__)[:limit]


def told(error: Exception) -> str:
    """What a user is told: of the disk's errors the file and what to do, of all others their words, or their name."""
    if isinstance(error, OSError) and error.filename:
        return text("files.disk", file=error.filename, error=one_line(error))
    return one_line(error) if isinstance(error, OSError) else str(error) or type(error).__name__
