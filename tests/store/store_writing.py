"""Processes that write a run until they are killed, naming every record after it was acknowledged.

One a line on standard input, forked so that each need not import everything again.
"""

import os
import sys

from store_runs import layer_meta, layer_record

from analysis.store import RunWriter


def write(path: str) -> None:
    writer = RunWriter(path)
    writer.declare_layer(layer_meta())
    os.write(1, f"pid {os.getpid()}\n".encode())
    step = 0
    while True:
        writer.scalars({"loss": step * 0.5, "epoch": step / 100}, step, 1e9 + step)
        line = f"{step} "
        if step % 10 == 0:
            writer.layer_record("conv1", layer_record(step, filters=64))
            line += "L"
        os.write(1, f"{line}\n".encode())
        step += 1


for _ in sys.stdin:
    if (child := os.fork()) == 0:
        write(sys.argv[1])
    os.waitpid(child, 0)
    os.write(1, b"dead\n")
