"""The error of everything that a user can mend: its message is one line that ends with the next step."""

__all__ = ["LabkitError"]


class LabkitError(ValueError):
    """A wrong argument, file or device; the command line prints the message and exits with 2."""
