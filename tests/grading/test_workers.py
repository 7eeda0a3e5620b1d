"""Limited processes: whatever a task does, it costs only itself."""

import os
import subprocess
import sys
import time

import pytest

from labkit.grading import workers
from labkit.grading.workers import Lost, done
from labkit.locale import text


def fragile(task: str) -> str:
    """Work that goes as wrong as its task says."""
    if task == "crash":
        os._exit(3)
    if task == "hang":
        time.sleep(60)
    while task == "spin":
        pass
    if task == "memory":
        return "x" * len(bytearray(8_000_000_000))
    if task == "raise":
        raise ValueError("нет")
    return task.upper()


def test_a_task_costs_only_itself(monkeypatch):
    """One that kills its process, sleeps, computes for ever, raises or wants all memory leaves the others alone."""
    monkeypatch.setattr(workers, "_PATIENCE", 3.0)
    tasks = ["а", "crash", "б", "hang", "в", "memory", "raise", "г", "spin"]
    answers = done(fragile, tasks, seconds=lambda task: 1.0, megabytes=2000)
    assert [answers[n] for n in (0, 2, 4, 7)] == ["А", "Б", "В", "Г"]
    lost = {n: str(answer) for n, answer in enumerate(answers) if isinstance(answer, Lost)}
    why = {1: "crashed", 3: "slow", 5: "memory", 6: "failed", 8: "slow"}
    assert lost == {n: text(f"grade.lost_{one}", error="ValueError: нет") for n, one in why.items()}
    assert done(fragile, []) == []


@pytest.mark.skipif(not hasattr(os, "nice"), reason="no priorities here")
def test_a_busy_machine_is_no_reason():
    """The limit is the processor's time: what waits for a processor that others hold is not slow."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(6)]
    try:
        assert done(sum, [range(20_000_000)] * 2, seconds=lambda task: 4.0) == [sum(range(20_000_000))] * 2
    finally:
        for process in busy:
            process.kill()
            process.wait()
