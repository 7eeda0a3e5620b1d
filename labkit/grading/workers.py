"""Work in processes of their own: a task that crashes, hangs or eats up the memory costs only itself."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from labkit.io.errors import LabkitError
from labkit.locale import language, text, use_language

__all__ = ["WORKERS", "Lost", "in_workers"]

WORKERS = 2

_STARTING = 180.0
"""Seconds until a process has come up; the machine may be busy."""


@dataclass(frozen=True)
class Lost:
    """The answer of a task that has none: `why` is crashed, slow, memory or failed; `error` belongs to the last."""

    why: str
    error: str = ""

    def __str__(self) -> str:
        return text(f"grade.lost_{self.why}", error=self.error)


class _Worker:
    """A process and what it is at: `place` is the task's, None while the process starts or waits."""

    def __init__(self, work: Callable[[Any], Any], megabytes: int | None):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work, megabytes, language()), daemon=True)
        self.process.start()
        theirs.close()
        self.place: int | None = None
        self.until = time.monotonic() + _STARTING

    def give(self, place: int, task: Any, seconds: float) -> None:
        self.place, self.until = place, time.monotonic() + seconds
        try:
            self.connection.send(task)
        except OSError:
            pass  # it has died while it waited, which is met when its answer is read

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def in_workers(
    work: Callable[[Any], Any],
    tasks: Sequence[Any],
    seconds: Callable[[Any], float],
    megabytes: int | None = None,
    count: int = WORKERS,
) -> Iterator[tuple[int, Any]]:
    """Calls `work`, a function of a module, with each task; gives the task's place and the answer as they come.

    A task that raises, takes more than its `seconds`, or more memory than `megabytes` has a `Lost` for its answer.
    LabkitError where processes cannot be started.
    """
    waiting = deque(range(len(tasks)))
    workers: list[_Worker] = []
    busy = 0
    try:
        while waiting or busy:
            while waiting and len(workers) < count:
                workers.append(_Worker(work, megabytes))
            soonest = min(worker.until for worker in workers)
            ready = wait([worker.connection for worker in workers], max(0.0, soonest - time.monotonic()))
            for worker in list(workers):
                answer = _answer(worker) if worker.connection in ready else None
                if answer is None and time.monotonic() > worker.until:
                    answer = Lost("slow")
                if answer is None:
                    continue
                place, broken = worker.place, isinstance(answer, Lost) and answer.why != "failed"
                if broken and place is None:
                    raise LabkitError(text("grade.no_workers"))
                busy -= place is not None
                if broken or not waiting:
                    worker.stop()
                    workers.remove(worker)
                else:
                    next_place = waiting.popleft()
                    worker.give(next_place, tasks[next_place], seconds(tasks[next_place]))
                    busy += 1
                if place is not None:
                    yield place, answer
    finally:
        for worker in workers:
            worker.stop()


def _answer(worker: _Worker) -> Any:
    try:
        return worker.connection.recv()
    except (EOFError, OSError):
        return Lost("crashed")


def _serve(connection: Connection, work: Callable[[Any], Any], megabytes: int | None, speaks: str) -> None:
    use_language(speaks)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who stops this process
    warnings.simplefilter("ignore")
    logging.disable()
    sys.setrecursionlimit(1000)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // WORKERS)))
    _limit_memory(megabytes)
    connection.send("ready")
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer = work(task)
        except MemoryError:
            answer = Lost("memory")
        except Exception as error:  # one task's failure must not cost the others
            answer = Lost("failed", f"{type(error).__name__}: {str(error)[:200]}")
        connection.send(answer)


def _limit_memory(megabytes: int | None) -> None:
    """Only where the system has such limits: not on Windows."""
    try:
        import resource
    except ImportError:
        return
    if megabytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 1_000_000, resource.getrlimit(resource.RLIMIT_AS)[1]))
