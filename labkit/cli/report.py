"""Run a variant's notebook on photos and export one self-contained HTML file."""

import sys
from argparse import ArgumentParser
from typing import Any

from labkit.cli.options import VARIANT, add_out, add_weights, check_device, count
from labkit.locale import text

__all__ = ["announced", "arguments", "run"]


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("variant", metavar="VARIANT", help=VARIANT)
    parser.add_argument("--photos", metavar="PATH", help="folder, file or zip (default: the kit's ten photos)")
    add_out(parser)
    parser.add_argument("--wanted", metavar="N", type=count, help="photos that the assignment asks for (default 10)")
    parser.add_argument("--target", metavar="CLASS", help="the sought class, in Russian or English (default: any)")
    add_weights(parser)


def run(device: str, **options: Any) -> int:
    from labkit.report.run import make_report

    check_device(device)
    return announced(make_report(device=device, **options))


def announced(report: Any) -> int:
    """Prints where a report is and what is wrong with it; the exit code."""
    print(report.notebook)
    print(report.html)
    for check in report.checks:
        if not check.ok:
            print(f"✗ {text(f'checks.{check.name}')}: {check.reason}", file=sys.stderr)
    if report.error:
        print(f"labkit: {report.error}", file=sys.stderr)
    return 1 if report.error else 0
