"""Read handed-in reports, check and compare them: grades.html and grades.csv."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from labkit.cli.options import check_device, count, folder
from labkit.locale import text

__all__ = ["arguments", "run"]


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", type=Path, help="reports, notebooks, and zips of them")
    parser.add_argument("--out", metavar="DIR", type=folder, help="where the table is written (default: DIR/grades)")
    parser.add_argument("--wanted", metavar="N", type=count, default=10, help="photos that are asked for (default 10)")
    parser.add_argument("--target", metavar="CLASS", help="the sought class, any language (default: as each says)")
    parser.add_argument("--no-recompute", dest="recompute", action="store_false", help="do not run the models again")
    parser.add_argument("--full", action="store_true", help="run SAM on all photos again, not on a few")
    parser.add_argument("--device", metavar="D", default="cpu", help="for the models: auto, cpu (default), cuda")
    parser.add_argument(
        "--roster", metavar="FILE", type=Path, help="CSV of Moodle or Canvas: who is absent, and export"
    )
    parser.add_argument("--rubric", metavar="FILE", type=Path, help="TOML: points of checks and questions")
    parser.add_argument("--anonymous", action="store_true", help="names are hidden until marks are saved")


def run(folder: Path, out: Path | None, recompute: bool, device: str, anonymous: bool, **options: Any) -> int:
    from labkit.grading.grade import grade

    if recompute:
        check_device(device)
    out = out or folder / "grades"
    rows = enumerate(grade(folder, out, recompute, device=device, anonymous=anonymous, **options), start=1)
    failed = [(n, row) for n, row in rows if row.problem is not None]
    for n, row in failed:
        name = text("gradebook.work", number=n) if anonymous else row.file
        print(f"labkit: {name}: {row.problem}", file=sys.stderr)
    for path in sorted(out.glob("grades*.*"), key=lambda path: (path.suffix != ".html", path.name)):
        print(path)
    return 1 if failed else 0
