"""Torch's threads where another program holds a core: those that wait must not take the time of those that work."""

import json
import os
import subprocess
import sys

import pytest

_PROGRAM = """
import os, sys, time
import labkit, torch
model = labkit.load_model("sam", "embedded", "cpu")
(photo,) = labkit.load_photos(sys.argv[1])
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # two threads, one core: as if the other were taken
seconds = []
for threads in (1, 2):
    torch.set_num_threads(threads)
    model.set_photo(photo)
    model.prompt(box=(50, 50, 200, 200))
    started = time.process_time()
    for _ in range(5):
        model.prompt(box=(50, 50, 200, 200))
    seconds.append(time.process_time() - started)
print("\\n", seconds)
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux holds a program to one core")
def test_waiting_threads_sleep(root):
    """Two threads on one core take the processor time of one (four times as much where they spin)."""
    photo = root / "data/images/cat_kitten.jpg"
    run = subprocess.run([sys.executable, "-c", _PROGRAM, photo], capture_output=True, text=True, timeout=300)
    alone, together = json.loads(run.stdout.splitlines()[-1])
    assert together < 2 * alone, run.stderr
