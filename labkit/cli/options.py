"""Options that several commands have in common."""

import argparse
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from labkit.io.files import local
from labkit.locale import text

__all__ = ["VARIANT", "add_dataset", "add_device", "add_out", "add_weights"]
__all__ += ["check_device", "count", "folder", "numeric"]

VARIANT = "1-6 or deeplab, unet, fcn, sam, pspnet, mask_rcnn"


_FILES = (".html", ".htm", ".pdf", ".csv", ".json", ".png", ".ipynb", ".zip")


def folder(given: str) -> Path:
    """A folder to write into, where files have names of their own; argparse's error for the name of a file."""
    if Path(given).suffix.lower() in _FILES:
        raise argparse.ArgumentTypeError(text("cli.folder", given=given))
    return local(given)


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda")


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Weights and device of one variant's model."""
    named = "auto, embedded, official, official/NAME or a file"
    parser.add_argument("--weights", metavar="W", default="auto", help=named)
    add_device(parser)


def add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", metavar="DIR", type=Path, required=True, help="images/, semantic/, *.txt")


def add_out(parser: argparse.ArgumentParser) -> None:
    """Where a page is written, and what stands in its title."""
    parser.add_argument("--out", metavar="DIR", type=folder, default=Path("reports"), help="default: reports")
    parser.add_argument("--student", default="", help="name for the title")
    parser.add_argument("--group", default="", help="group for the title")


def numeric(key: str, low: float, high: float, kind: Callable[[str], Any], given: str) -> Any:
    """A number of an option, from `low` to `high`; argparse's error says by a text of `cli` what is valid."""
    with suppress(ValueError):
        if low <= (number := kind(given.replace(",", "."))) <= high:
            return number
    raise argparse.ArgumentTypeError(text(f"cli.{key}", given=given))


count = partial(numeric, "count", 0, 10_000, int)  # of photos


def check_device(device: str) -> None:
    """LabkitError for a device that is not there, before anything runs; torch is left alone for the usual ones."""
    if device not in ("auto", "cpu"):
        from labkit.models import pick_device

        pick_device(device)
