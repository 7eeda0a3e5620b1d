"""The command line: `python -m labkit COMMAND`, also installed as `labkit`.

Exit codes: 0 all done; 1 something failed (named on stderr, the rest is written); 2 the call was wrong.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import __version__
from labkit.io.errors import LabkitError
from labkit.locale import text

if TYPE_CHECKING:
    from labkit.photos import Photo

__all__ = ["main"]

_VARIANT = "1-6 or deeplab, unet, fcn, sam, pspnet, mask_rcnn"
_PROMPTS = ("--point", "--background-point", "--box")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a letter shows a question mark
            stream.reconfigure(errors="replace")
    arguments = _parser().parse_args(_joined(sys.argv[1:] if argv is None else argv))
    try:
        code = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # `| head` has what it wanted; what is left unsaid must not fail at the end
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return 1
    except (LabkitError, OSError, ModuleNotFoundError) as error:
        lines = [" ".join(line.split()).rstrip(".") for line in str(error).splitlines()]
        print(f"labkit: {'; '.join(lines)}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"labkit: {text('cli.interrupted')}", file=sys.stderr)
        return 1


def _joined(argv: Sequence[str]) -> list[str]:
    """`--point -5,3` as `--point=-5,3`: argparse takes a value that begins with a minus for an option."""
    joined: list[str] = []
    for given in argv:
        if joined and joined[-1] in _PROMPTS and re.match(r"-[\d.]", given):
            joined[-1] += f"={given}"
        else:
            joined.append(given)
    return joined


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="labkit", description="Image segmentation in six variants, and its report.")
    parser.add_argument("--version", action="version", version=f"labkit {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name, run, help):
        added = commands.add_parser(name, help=help, description=help)
        added.set_defaults(run=run)
        return added

    segment = command(
        "segment", _segment, "Segment photos: for each, NAME.json, NAME.ids.png and, but for 4, NAME.classes.png."
    )
    segment.add_argument("variant", metavar="VARIANT", help=_VARIANT)
    segment.add_argument("photos", metavar="PHOTO", nargs="+", help="files, folders or zip archives")
    segment.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the results are written")
    _model_options(segment)
    prompts = segment.add_argument_group(
        "prompts", "For variant 4, in pixels of the file from the left and the top; without any it segments everything."
    )
    point, box = partial(_numbers, 2, "cli.point"), partial(_numbers, 4, "cli.box")
    repeated = {"metavar": "X,Y", "type": point, "action": "append", "default": []}
    prompts.add_argument("--point", help="a point on the object; may be repeated", **repeated)
    prompts.add_argument("--background-point", help="a point that is not on it; may be repeated", **repeated)
    prompts.add_argument("--box", metavar="X0,Y0,X1,Y1", type=box, help="a box around the object")

    report = command("report", _report, "Run a variant's notebook on photos and export one self-contained HTML file.")
    report.add_argument("variant", metavar="VARIANT", help=_VARIANT)
    report.add_argument("--photos", metavar="PATH", help="folder, file or zip (default: the kit's ten photos)")
    report.add_argument("--out", metavar="DIR", type=Path, default=Path("reports"), help="default: reports")
    report.add_argument("--student", default="", help="name for the title")
    report.add_argument("--group", default="", help="group for the title")
    report.add_argument("--wanted", metavar="N", type=_count, help="photos that the assignment asks for (default 10)")
    report.add_argument("--target", metavar="CLASS", help="the sought class, in Russian or English (default: any)")
    _model_options(report)

    compare = command("compare", _compare, "Run all six variants on the same photos and export one HTML file.")
    compare.add_argument("photos", metavar="PHOTO", nargs="*", help="folders, files or zips (default: the kit's ten)")
    compare.add_argument(
        "--weights", metavar="W", default="embedded", help="embedded (default), cached, official, auto or a file"
    )
    compare.add_argument("--target", metavar="CLASS", default="кошка", help="the sought class, one of PASCAL VOC's 20")
    compare.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda")
    compare.add_argument("--out", metavar="DIR", type=Path, default=Path("reports"), help="default: reports")
    compare.add_argument("--student", default="", help="name for the title")
    compare.add_argument("--group", default="", help="group for the title")

    evaluate = command("evaluate", _evaluate, "Score a model against reference masks (IoU of each class).")
    evaluate.add_argument("variant", metavar="VARIANT", help=_VARIANT)
    _dataset_options(evaluate)
    evaluate.add_argument("--split", metavar="FILE", required=True, help="names, one a line; for instance val.txt")
    evaluate.add_argument("--json", action="store_true", help="print JSON")
    _model_options(evaluate)

    train = command("train", _train, "Train or fine-tune embedded-size weights.")
    train.add_argument("variant", metavar="VARIANT", help=f"{_VARIANT}; several, joined by commas, share one encoder")
    _dataset_options(train)
    train.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="weights file (several variants: folder)"
    )
    train.add_argument("--minutes", metavar="M", type=_minutes, default=30.0, help="training time (default 30)")
    train.add_argument("--resume", action="store_true", help="go on from FILE.checkpoint")
    train.add_argument(
        "--start",
        metavar="START",
        default="embedded",
        help="embedded (default: the variant's own), encoder (that of the embedded U-Net), or a teacher's .npz",
    )
    train.add_argument("--split", metavar="FILE", default="train.txt", help="default: train.txt")
    train.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda")

    grade = command("grade", _grade, "Read handed-in reports, check and compare them: grades.html and grades.csv.")
    grade.add_argument("folder", metavar="DIR", type=Path, help="reports, notebooks, and zips of them")
    grade.add_argument("--out", metavar="DIR", type=Path, help="where the table is written (default: DIR/grades)")
    grade.add_argument("--wanted", metavar="N", type=_count, default=10, help="photos that are asked for (default 10)")
    grade.add_argument("--target", metavar="CLASS", help="the sought class, any language (default: as each says)")
    grade.add_argument("--no-recompute", action="store_true", help="do not run the models on the photos again")
    grade.add_argument("--full", action="store_true", help="run SAM on all photos again, not on a few")
    grade.add_argument("--device", metavar="D", default="cpu", help="for the models: auto, cpu (default), cuda")
    grade.add_argument("--roster", metavar="FILE", type=Path, help="CSV of Moodle or Canvas: who is absent, and export")
    grade.add_argument("--rubric", metavar="FILE", type=Path, help="TOML: points of checks and questions")
    grade.add_argument("--anonymous", action="store_true", help="names are hidden until marks are saved")

    weights = command("weights", _weights, "List the embedded and the official weights, fetch or verify them.")
    weights.add_argument("action", nargs="?", choices=("list", "fetch", "verify"), default="list")
    weights.add_argument("names", metavar="NAME", nargs="*", help=f"{_VARIANT}, or a release of the list")
    return parser


def _model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights", metavar="W", default="auto", help="auto, embedded, official, official/NAME or a file"
    )
    parser.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda")


def _dataset_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", metavar="DIR", type=Path, required=True, help="images/, semantic/, *.txt")


def _minutes(given: str) -> float:
    minutes = float(given.replace(",", "."))
    if not 0 < minutes < 1e6:
        raise ValueError
    return minutes


def _count(given: str) -> int:
    count = int(given)
    if not 0 <= count <= 10_000:
        raise ValueError
    return count


def _numbers(count: int, message: str, given: str) -> list[float]:
    try:
        numbers = [float(part) for part in given.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise argparse.ArgumentTypeError(text(message, given=given))
    return numbers


def _prompts(arguments: argparse.Namespace) -> dict[str, list]:
    """The arguments of `model.prompt`; none for the automatic mode. LabkitError for a variant that takes no prompt."""
    from labkit.variants import find_variant

    prompts = {}
    if points := arguments.point + arguments.background_point:
        signs = [1] * len(arguments.point) + [0] * len(arguments.background_point)
        prompts |= {"points": points, "point_labels": signs}
    if arguments.box:
        prompts["box"] = arguments.box
    variant = find_variant(arguments.variant)
    if prompts and variant.kind != "prompted":
        raise LabkitError(text("cli.no_prompts", variant=variant.title))
    return prompts


def _segment(arguments: argparse.Namespace) -> int:
    prompts = _prompts(arguments)
    from labkit.models import load_model
    from labkit.photos import load_photos

    photos = load_photos(arguments.photos, quiet=True)
    model = load_model(arguments.variant, arguments.weights, arguments.device)
    failed = [(skipped.name, skipped.reason) for skipped in photos.skipped]
    for name, reason in failed:
        print(text("model.failed", name=name, reason=reason), file=sys.stderr)
    print(text("weights.taken", name=model.weights.name, reason=model.weights.reason))
    for photo in photos:
        for note in photo.notes:
            print(f"{photo.name}: {note}", file=sys.stderr)
        if photo.scale != (1, 1):
            print(f"{photo.name}: {text('cli.scaled')}", file=sys.stderr)
        try:
            if prompts:
                model.set_photo(photo)
                result = model.prompt(**_in_work(prompts, photo))
            else:
                result = model.segment(photo)
            paths = result.save(arguments.out)
        except Exception as error:  # one photo's failure must not cost the others
            failed.append((photo.name, str(error)))
            print(text("model.failed", name=photo.name, reason=error), file=sys.stderr)
        else:
            print(*paths, sep="\n")
    return 1 if failed else 0


def _in_work(prompts: dict[str, list], photo: Photo) -> dict[str, list]:
    """Prompts in pixels of the photo's file as pixels of the photo in work; of a box what lies in the photo."""
    (height, width), (scale_x, scale_y) = photo.original_size or (0, 0), photo.scale
    scaled = dict(prompts)
    for x, y in prompts.get("points", ()):
        if not (0 <= x < width and 0 <= y < height):
            raise LabkitError(text("prompt.outside", x=f"{x:g}", y=f"{y:g}", width=width, height=height))
    if "points" in prompts:
        scaled["points"] = [[x * scale_x, y * scale_y] for x, y in prompts["points"]]
    if "box" in prompts:
        x0, y0, x1, y1 = box = prompts["box"]
        x1, y1 = min(x1, width), min(y1, height)
        if max(x0, 0) >= x1 or max(y0, 0) >= y1:
            given = f"({', '.join(f'{n:g}' for n in box)})"
            raise LabkitError(text("prompt.box", given=given, width=width, height=height))
        scaled["box"] = [x0 * scale_x, y0 * scale_y, x1 * scale_x, y1 * scale_y]
    return scaled


def _check_device(device: str) -> None:
    """LabkitError for a device that is not there, before anything runs; torch is left alone for the usual ones."""
    if device not in ("auto", "cpu"):
        from labkit.models import pick_device

        pick_device(device)


def _report(arguments: argparse.Namespace) -> int:
    from labkit.report.run import make_report

    _check_device(arguments.device)
    report = make_report(
        arguments.variant,
        photos=arguments.photos,
        weights=arguments.weights,
        device=arguments.device,
        out=arguments.out,
        student=arguments.student,
        group=arguments.group,
        wanted=arguments.wanted,
        target=arguments.target,
    )
    return _announced(report)


def _announced(report: Any) -> int:
    print(report.notebook)
    print(report.html)
    for check in report.checks:
        if not check.ok:
            print(f"✗ {text(f'checks.{check.name}')}: {check.reason}", file=sys.stderr)
    if report.error:
        print(f"labkit: {report.error}", file=sys.stderr)
    return 1 if report.error else 0


def _compare(arguments: argparse.Namespace) -> int:
    from labkit.comparison.report import make_comparison

    _check_device(arguments.device)
    failed: list[str] = []

    def say(line: str) -> None:
        failed.append(line)
        print(f"labkit: {line}", file=sys.stderr)

    report = make_comparison(
        arguments.photos,
        weights=arguments.weights,
        target=arguments.target,
        device=arguments.device,
        out=arguments.out,
        student=arguments.student,
        group=arguments.group,
        failed=say,
    )
    return 1 if _announced(report) or failed else 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from labkit.evaluation.benchmark import evaluate, score_table
    from labkit.models import load_model

    model = load_model(arguments.variant, arguments.weights, arguments.device)
    scores = evaluate(model, arguments.dataset, arguments.split)
    print(json.dumps(scores, ensure_ascii=False, indent=1) if arguments.json else score_table(scores))
    return 0


def _train(arguments: argparse.Namespace) -> int:
    from labkit.training import recipe_for, train_variants

    variants = arguments.variant.split(",")
    paths = train_variants(
        variants,
        arguments.dataset,
        arguments.out,
        recipe_for(variants[0], arguments.minutes),
        resume=arguments.resume,
        start=arguments.start,
        split=arguments.split,
        device=arguments.device,
        say=lambda line: print(line, flush=True),
    )
    for path in paths:
        print(path)
    return 0


def _grade(arguments: argparse.Namespace) -> int:
    from labkit.grading.grade import grade

    if not arguments.no_recompute:
        _check_device(arguments.device)
    out = arguments.out or arguments.folder / "grades"
    rows = grade(
        arguments.folder,
        out,
        recompute=not arguments.no_recompute,
        wanted=arguments.wanted,
        target=arguments.target,
        device=arguments.device,
        full=arguments.full,
        roster=arguments.roster,
        rubric=arguments.rubric,
        anonymous=arguments.anonymous,
    )
    failed = [row for row in rows if row.problem is not None]
    for row in failed:
        print(f"labkit: {row.file}: {row.problem}", file=sys.stderr)
    for path in sorted(out.glob("grades*.*"), key=lambda path: (path.suffix != ".html", path.name)):
        print(path)
    return 1 if failed else 0


def _weights(arguments: argparse.Namespace) -> int:
    from labkit.weights.download import cache_folder, cached, fetch, verify
    from labkit.weights.find import EMBEDDED, embedded_path, find_weights

    fetching = arguments.action == "fetch"
    if fetching and not arguments.names:
        raise LabkitError(text("weights.fetch_what"))
    releases, variants = _releases(arguments.names, first=fetching)
    failed = 0
    if fetching:
        for release in releases:
            try:
                print(f"official/{release.name}  {fetch(release).path}")
            except LabkitError as error:  # one that cannot be had must not cost the others
                failed = 1
                print(f"labkit: {error}", file=sys.stderr)
        return failed
    for name, digest in EMBEDDED.items():
        if name not in variants:
            continue
        if arguments.action == "verify":
            find_weights(name, "embedded")
        size = embedded_path(name).stat().st_size / 1e6
        print(f"embedded/{name}  {size:.1f} MB  sha256 {digest}{'  ok' if arguments.action == 'verify' else ''}")
    for release in releases:
        row = f"official/{release.name}  {release.megabytes:.0f} MB"
        if arguments.action == "list":
            state = text("weights.cached") if cached(release) else text("weights.not_cached")
            knows = release.classes or text("weights.no_classes")
            print(f"{row}  {knows}  {release.score}  {release.licence}  {state}")
            continue
        try:
            if found := verify(release):
                print(f"{row}  sha256 {found.sha256}  ok")
        except LabkitError as error:
            failed = 1
            print(f"labkit: {error}", file=sys.stderr)
    print(text("weights.cache", path=cache_folder()))
    return failed


def _releases(names: Sequence[str], first: bool) -> tuple[list, set[str]]:
    """The releases that names of releases and variants mean, and these variants; without names all that there are.

    With `first` a variant means the one that `official` takes.
    """
    from labkit.variants import VARIANTS, find_variant
    from labkit.weights.catalogue import OFFICIAL, releases_of

    releases, variants = [], set()
    for name in names or [row.name for row in VARIANTS]:
        if (found := OFFICIAL.get(name.removeprefix("official/"))) is not None:
            releases.append(found)
        else:
            row = find_variant(name)
            variants.add(row.name)
            releases += releases_of(row)[: 1 if first else None]
    return releases, variants
