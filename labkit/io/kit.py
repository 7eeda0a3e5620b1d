"""What travels with the kit: its photos and their outlines, in the clone or in the package where that is installed."""

from pathlib import Path

__all__ = ["KIT_IMAGES", "KIT_OUTLINES"]

_PACKAGE = Path(__file__).resolve().parents[1]
_DATA = next((folder for folder in (_PACKAGE / "data", _PACKAGE.parent / "data") if folder.is_dir()), _PACKAGE / "data")

KIT_IMAGES = _DATA / "images"
"""The folder of the ten photos."""

KIT_OUTLINES = _DATA / "outlines"
"""The folder of what was outlined on them by hand, as labelme writes it."""
