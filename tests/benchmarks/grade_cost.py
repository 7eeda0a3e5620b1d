"""What `labkit grade` costs the instructor's machine: processor time and memory, on honest and on hostile reports.

    python tests/benchmarks/grade_cost.py [--honest 5] [--hostile 60]

Honest: so many reports of each variant on ten photos, every mask made again (SAM's on a sample). Hostile: reports as
large as they are read, of texts, photos and viewers without end. The parent process must stay below 600 MB, all
processes together below 2.5 GB. Linux only: what a process holds is read in /proc.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
        for kind, make, count, options in (
            ("honest", honest, arguments.honest, ()),
            ("hostile", hostile, arguments.hostile, ("--no-recompute",)),
        ):
            folder = Path(made, kind)
            make(folder, count)
            seconds, clock, parent, together = graded(folder, *options)
            print(
                f"{kind}: {len(list(folder.glob('*.html')))} reports, {seconds:.0f} s of the processor in {clock:.0f} s"
            )
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

    def texts(data: dict, n: int) -> None:
        answers = [f"{k * n} слово " * 5000 for k in range(200)]
        data["answers"] = [{"question": f"{n} {k}" + "в" * 9000, "answer": answer} for k, answer in enumerate(answers)]

    def many(data: dict, n: int) -> None:
        first = data["photos"][0]
        more = [{**first, "name": f"{n} {k}" + "ф" * 300, "sha256": f"{n * 10**6 + k:064x}"} for k in range(490)]
        data["photos"] += more
        data["results"] += [{**data["results"][0], "photo": one["name"]} for one in more]

    for n in range(count):
        if n % 3 == 2:
            made = resealed(
                page.replace("</main>", "<p>" * 9_000_000 + "</main>", 1), lambda d, n=n: d.update(group=str(n))
            )
        else:
            made = resealed(page, lambda data, n=n: (texts, many)[n % 3](data, n))
        (folder / f"{n}.html").write_text(made, "utf-8")


def graded(folder: Path, *options: str) -> tuple[float, float, float, float]:
    """Seconds of the processor and of the clock; the peak of the parent, and of all processes, in MB."""
    command = [sys.executable, "-m", "labkit", "grade", str(folder), *options]
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL)
    parent = together = 0.0
    while True:
        done, _, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            return usage.ru_utime + usage.ru_stime, time.monotonic() - started, parent, together
        sizes = {
            pid: held(pid) for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if session(pid) == process.pid
        }
        parent = max(parent, sizes.get(process.pid, 0.0))
        together = max(together, sum(sizes.values()))
        time.sleep(0.1)


def session(pid: int) -> int:
    """Which session a process belongs to; 0 where it is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def held(pid: int) -> float:
    """What a process holds in memory, in MB; pages that it shares count once."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


if __name__ == "__main__":
    sys.exit(main())
