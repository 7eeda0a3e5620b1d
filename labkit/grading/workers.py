"""Work in processes of their own: a task that crashes, hangs or eats up the memory costs only itself."""

import logging
import math
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from typing import Any

from pebble import ProcessExpired, ProcessPool
from tqdm import tqdm

from labkit.io.errors import LabkitError, one_line
from labkit.locale import language, text, use_language

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

__all__ = ["SECONDS", "Lost", "done"]

SECONDS, MEGABYTES = 30.0, 3000
"""Of the processor and of memory, for reading a report."""

_WORKERS = 2
_STARTING = 180.0  # seconds until a process has come up; the machine may be busy
_PATIENCE = 10.0  # a task's seconds are the processor's; by the clock it may take so many times more, as it waits


class Lost(str):
    """The answer of a task that has none: why, in a sentence."""

    @classmethod
    def by(cls, error: BaseException) -> "Lost":
        """What came of a task that ended with an exception, its own or the pool's."""
        why = "slow" if isinstance(error, TimeoutError) else "memory" if isinstance(error, MemoryError) else "failed"
        if isinstance(error, ProcessExpired):
            why = "slow" if resource and error.exitcode == -signal.SIGXCPU else "crashed"
        return cls(text(f"grade.lost_{why}", error=f"{type(error).__name__}: {one_line(error, 200)}"))


def done(
    work: Callable[[Any], Any],
    tasks: Sequence[Any],
    label: str = "",
    seconds: Callable[[Any], float] = lambda _: SECONDS,
    megabytes: int | None = MEGABYTES,
) -> list[Any]:
    """What `work`, a function of a module, answers to each task, in their order.

    A task that raises, takes more than its `seconds` of the processor, or more memory than `megabytes` has a `Lost`
    for its answer. With a `label` a bar on a terminal, else a line at each tenth of the way. LabkitError where
    processes cannot be started.
    """
    if not tasks:
        return []
    context = multiprocessing.get_context("spawn")
    pool = ProcessPool(min(_WORKERS, len(tasks)), initializer=_begin, initargs=(megabytes, language()), context=context)
    try:
        try:
            pool.schedule(os.getpid).result(_STARTING)
        except Exception as error:  # a process that never comes up is started again and again
            raise LabkitError(text("grade.no_workers")) from error
        timed = [(work, task, seconds(task)) for task in tasks]
        futures = [pool.schedule(_limited, args=one, timeout=_PATIENCE * one[2]) for one in timed]
        with tqdm(total=len(tasks), desc=label, leave=False, disable=not (label and sys.stderr.isatty())) as bar:
            for count, _ in enumerate(as_completed(futures), start=1):
                bar.update()
                if label and bar.disable and count * 10 // len(tasks) > (count - 1) * 10 // len(tasks):
                    print(f"{label}: {count}/{len(tasks)}", file=sys.stderr, flush=True)
        return [future.result() if (error := future.exception()) is None else Lost.by(error) for future in futures]
    finally:
        pool.stop()
        pool.join()


def _begin(megabytes: int | None, speaks: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who stops this process
    use_language(speaks)
    warnings.simplefilter("ignore")
    logging.disable()
    sys.setrecursionlimit(1000)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // _WORKERS)))
    if resource:
        _limit(resource.RLIMIT_CORE, 0)
        if megabytes is not None:
            _limit(resource.RLIMIT_AS, megabytes * 1_000_000)


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (value if hard < 0 else min(value, hard), hard))


def _limited(work: Callable[[Any], Any], task: Any, seconds: float) -> Any:
    if resource:  # the system itself ends a process that goes on, in whatever library it is
        _limit(resource.RLIMIT_CPU, math.ceil(time.process_time() + seconds))
    try:
        return work(task)
    except Exception as error:  # one task's failure must not cost the others
        return Lost.by(error)
