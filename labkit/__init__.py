"""labkit: a lab-report kit for image segmentation. The public names; torch is imported only when a model is loaded."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what `__getattr__` finds, for editors and type checkers
    from labkit import figures as figures
    from labkit.annotation import annotate as annotate
    from labkit.figures import summary as summary
    from labkit.io.colab import use_drive as use_drive
    from labkit.io.errors import LabkitError as LabkitError
    from labkit.locale import use_language as use_language
    from labkit.models import load_model as load_model
    from labkit.photos import Photo as Photo
    from labkit.photos import load_photos as load_photos
    from labkit.report.button import hand_in as hand_in
    from labkit.report.provenance import provenance as provenance
    from labkit.segmentation import Segment as Segment
    from labkit.segmentation import Segmentation as Segmentation
    from labkit.segmentation import load_segmentation as load_segmentation
    from labkit.viewer import explore as explore
    from labkit.viewer import prompt as prompt
    from labkit.viewer import show as show
    from labkit.viewer.upload import upload as upload

__version__ = "0.1.0"

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
# torch's threads soon sleep while they wait for each other: where another program holds a core, those that spin take
# from the very thread that they wait for (SAM's automatic mode beside one busy core of two: 29 s a photo, 3 s so)

_ROOMS = {
    "labkit.annotation": "annotate",
    "labkit.figures": "figures summary",
    "labkit.io.colab": "use_drive",
    "labkit.io.errors": "LabkitError",
    "labkit.locale": "use_language",
    "labkit.models": "load_model",
    "labkit.photos": "Photo load_photos",
    "labkit.report.button": "hand_in",
    "labkit.report.provenance": "provenance",
    "labkit.segmentation": "Segment Segmentation load_segmentation",
    "labkit.viewer": "explore prompt show",
    "labkit.viewer.upload": "upload",
}
_HOME = dict(sorted((name, room) for room, names in _ROOMS.items() for name in names.split()))

__all__ = ["__version__", *_HOME]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"labkit has no {name!r}; it has {', '.join(_HOME)}")
    module = importlib.import_module(_HOME[name])
    return module if module.__name__ == f"labkit.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
