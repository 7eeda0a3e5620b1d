"""What `labkit grade` costs the instructor's machine: processor time and memory, on honest and on hostile reports.

    python tests/benchmarks/grade_cost.py [--honest 5] [--hostile 60]

Honest: so many reports of each variant on ten photos, every mask made again (SAM's on a sample). Hostile: reports as
large as they are read, of texts, photos and viewers without end. The parent process must stay below 600 MB, all
processes together below 2.5 GB. Linux only: what a process holds alone is known there.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import cycle
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from handed_in import notebook_of, page_of, resealed, students_photos  # noqa: E402

from labkit.models import load_model  # noqa: E402
from labkit.variants import VARIANTS  # noqa: E402

PARENT_MB, ALL_MB = 600, 2500


def main() -> int:
    """Prints both; exit code 1 where a bound is passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--honest", type=int, default=5, help="reports of each variant")
    parser.add_argument("--hostile", type=int, default=60)
    arguments = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as made:
        for make, count, *options in ((honest, arguments.honest), (hostile, arguments.hostile, "--no-recompute")):
            folder = Path(made, make.__name__)
            make(folder, count)
            seconds, clock, parent, together = graded(folder, *options)
            reports = len(list(folder.glob("*.html")))
            print(f"{folder.name}: {reports} reports, {seconds:.0f} s of the processor in {clock:.0f} s")
            print(f"  peak memory: parent {parent:.0f} MB, all processes {together:.0f} MB", flush=True)
            good &= parent < PARENT_MB and together < ALL_MB
    return 0 if good else 1


def honest(folder: Path, count: int) -> None:
    """So many reports of each variant."""
    names = sorted(path.stem for path in (ROOT / "data" / "images").glob("*.jpg"))
    photos = students_photos(folder / "photos", ROOT / "data" / "images", names)
    for variant in VARIANTS if count else ():
        results = load_model(variant.number, "embedded", "cpu").segment_all(photos)
        for n in range(count):
            student = f"Студент {variant.number}-{n}"
            page = page_of(notebook_of(photos, results, student, variant.number, wanted=10), variant.number)
            (folder / f"{student}.html").write_text(page, "utf-8")


def hostile(folder: Path, count: int) -> None:
    """So many reports that hold as much as is read of texts, of photos or of viewers."""
    photos = students_photos(folder / "photos", ROOT / "data" / "images", ["cat_kitten", "horses"])
    page = page_of(notebook_of(photos, load_model(3, "embedded", "cpu").segment_all(photos)))

    def texts(n: int, data: dict) -> None:
        answers = [f"{k * n} слово " * 5000 for k in range(200)]
        data["answers"] = [{"question": f"{n} {k}" + "в" * 9000, "answer": answer} for k, answer in enumerate(answers)]

    def many(n: int, data: dict) -> None:
        first = data["photos"][0]
        more = [{**first, "name": f"{n} {k}" + "ф" * 300, "sha256": f"{n * 10**6 + k:064x}"} for k in range(490)]
        data["photos"] += more
        data["results"] += [{**data["results"][0], "photo": one["name"]} for one in more]

    def viewers(n: int, data: dict) -> None:
        data["group"] = str(n)

    long = page.replace("</main>", "<p>" * 9_000_000 + "</main>", 1)
    kinds = ((texts, page), (many, page), (viewers, long))
    for n, (change, base) in zip(range(count), cycle(kinds), strict=False):
        (folder / f"{n}.html").write_text(resealed(base, partial(change, n)), "utf-8")


def graded(folder: Path, *options: str) -> tuple[float, float, float, float]:
    """Seconds of the processor and of the clock; the peak of the parent, and of all processes, in MB."""
    command = [sys.executable, "-m", "labkit", "grade", str(folder), *options]
    usage, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    before = usage.ru_utime + usage.ru_stime
    parent = together = 0.0
    with psutil.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            sizes = [held(one) for one in (process, *process.children(recursive=True))]
            parent, together = max(parent, sizes[0]), max(together, sum(sizes))
            time.sleep(0.1)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime - before, time.monotonic() - started, parent, together


def held(process: psutil.Process) -> float:
    """What a process holds in memory, in MB; pages that it shares count once. Nothing where it is gone."""
    try:
        return process.memory_full_info().pss / 1e6
    except psutil.Error:
        return 0.0


if __name__ == "__main__":
    sys.exit(main())
