"""Run all six variants on the same photos and export one HTML file."""

import sys
from argparse import ArgumentParser
from typing import Any

from labkit.cli.options import add_device, add_out, check_device
from labkit.cli.report import announced

__all__ = ["arguments", "run"]


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("photos", metavar="PHOTO", nargs="*", help="folders, files or zips (default: the kit's ten)")
    named = "embedded (default), cached, official, auto or a file"
    parser.add_argument("--weights", metavar="W", default="embedded", help=named)
    parser.add_argument("--target", metavar="CLASS", default="кошка", help="the sought class, one of PASCAL VOC's 20")
    add_device(parser)
    add_out(parser)


def run(device: str, **options: Any) -> int:
    from labkit.comparison.report import make_comparison

    check_device(device)
    failed: list[str] = []

    def say(line: str) -> None:
        failed.append(line)
        print(f"labkit: {line}", file=sys.stderr)

    return 1 if announced(make_comparison(device=device, failed=say, **options)) or failed else 0
