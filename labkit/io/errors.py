"""The error of everything that a user can mend: its message is one line that ends with the next step."""

from labkit.locale import text

__all__ = ["LabkitError", "one_line", "told"]


class LabkitError(ValueError):
    """A wrong argument, file or device; the command line prints the message and exits with 2."""


def one_line(error: Exception, limit: int = 300) -> str:
    """What an error says, or else what it is called, on one line."""
    return (" ".join(str(error).split()) or type(error).__name__)[:limit]


def told(error: Exception) -> str:
    """What a user is told: of the disk's errors the file and what to do, of all others their words, or their name."""
    if isinstance(error, OSError) and error.filename:
        return text("files.disk", file=error.filename, error=error.strerror)
    return str(error) or type(error).__name__
