"""Processes that read a run over and over and fail if what they see is ever no prefix of what is written."""

import os
import sys
import time

import numpy as np

from analysis.errors import CutawayError
from analysis.store import Run, curve

path, rounds, parent = sys.argv[1], 0, os.getpid()
children = []
for _ in range(int(sys.argv[2])):
    if (child := os.fork()) == 0:
        break
    children.append(child)
else:
    codes = [os.waitpid(child, 0)[1] for child in children]
    sys.exit(any(codes))
kept = None
os.nice(10)  # the machine that runs the tests is small
while os.getppid() == parent and not os.path.exists(path + ".stop"):  # noqa: PTH110
    try:
        run = Run(path) if kept is None or rounds % 5 == 0 else kept
    except CutawayError:
        time.sleep(0.01)
        continue
    kept = run
    for tag in run.tags():
        read = run.scalars(tag)
        for segment in np.unique(read.segments):
            steps = read.steps[read.segments == segment]
            assert np.array_equal(steps, np.arange(len(steps))), "steps are no prefix"
        factor = 0.5 if tag == "loss" else 0.01
        assert np.allclose(read.values, read.steps * factor), "a value differs"
        curve(run, tag, points=100)
    for meta in run.layers():
        for record in run.layer_records(
            meta.name, run.layer_steps(meta.name)[-1][0] - 30 if run.layer_steps(meta.name) else None
        ):
            assert record.step % 10 == 0
            assert len(record.mean) == 64
    damage = run.damage()
    assert {d.kind for d in damage} <= {"partial"}, damage
    rounds += 1
    time.sleep(0.1)
assert rounds > 0
