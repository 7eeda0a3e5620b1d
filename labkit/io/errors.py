"""The error of everything that a user can mend: its message is one line that ends with the next step."""

__all__ = ["LabkitError", "one_line"]


class LabkitError(ValueError):
    """A wrong argument, file or device; the command line prints the message and exits with 2."""


def one_line(error: Exception, limit: int = 300) -> str:
    """What an error says, or else what it is called, on one line."""
    return (" ".join(str(error).split()) or type(error).__name__)[:limit]
