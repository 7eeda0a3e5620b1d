"""labkit: a lab-report kit for image segmentation. The public names; torch is imported only when a model is loaded."""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_HOME = {
    "LabkitError": "labkit.io.errors",
    "Photo": "labkit.photos",
    "Segment": "labkit.segmentation",
    "Segmentation": "labkit.segmentation",
    "explore": "labkit.viewer",
    "figures": "labkit.figures",
    "hand_in": "labkit.report.button",
    "load_model": "labkit.models",
    "load_photos": "labkit.photos",
    "load_segmentation": "labkit.segmentation",
    "prompt": "labkit.viewer",
    "provenance": "labkit.report.provenance",
    "show": "labkit.viewer",
    "summary": "labkit.figures",
    "upload": "labkit.viewer.upload",
    "use_language": "labkit.locale",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"labkit has no {name!r}; it has {', '.join(_HOME)}")
    module = importlib.import_module(_HOME[name])
    return module if module.__name__ == f"labkit.{name}" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
