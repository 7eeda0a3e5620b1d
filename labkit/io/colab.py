"""Colab, where a machine is lent for a session: whether this is one, and how to keep what is made there."""

import os
import sys
from pathlib import Path

from labkit.locale import text

__all__ = ["in_colab", "use_drive"]

DRIVE = Path("/content/drive")


def in_colab() -> bool:
    """Whether this Python runs in Colab."""
    return "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ


def use_drive(folder: str = "labkit") -> None:
    """In Colab: mounts the Drive and goes on in `folder` there, so that photos, prompts and reports outlive a session.

    Elsewhere it only says that there is nothing to do.
    """
    if not in_colab():
        print(text("colab.elsewhere"))
        return
    from google.colab import drive

    drive.mount(str(DRIVE))
    place = DRIVE / "MyDrive" / folder
    place.mkdir(parents=True, exist_ok=True)
    os.chdir(place)
    print(text("colab.drive", folder=f"MyDrive/{folder}"))
