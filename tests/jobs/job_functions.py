"""Functions that jobs of the tests call, each in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from analysis.errors import ParameterError
from analysis.jobs.context import Cancelled


def count(context, n=3, pause=0.0, marker=None):
    if marker:
        with Path(marker).open("a") as stream:
            stream.write(f"{n}\n")
    for i in range(n):
        context.progress(i + 1, n, "steps", f"step {i + 1}")
        time.sleep(pause)
    return {"counted": n}


def stubborn(_context, pids):
    """Ignores SIGTERM and has a grandchild that ignores it too, and one in a session of its own."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    near = subprocess.Popen([sys.executable, "-c", script])
    far = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    Path(pids).write_text(f"{os.getpid()} {os.getppid()} {near.pid} {far.pid}")
    while True:
        time.sleep(1)


def polite(context, marker):
    try:
        context.progress(1, 10)
        time.sleep(600)
    finally:
        Path(marker).write_text("cleared up")


def segfault(_context):
    print("about to crash")
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(5)


def killed(_context):
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(5)


def leave(_context, code):
    print("leaving")
    os._exit(code)


def system_exit(_context):
    sys.exit(7)


def fail(_context):
    raise ValueError("the third layer has no name")


def refuse(_context):
    raise ParameterError("The value 9 is too large.", "Give one below 5.")


def memory(_context):
    raise MemoryError


def not_json(_context):
    return object()


def resume(_context, marker):
    """Slow at the first attempt, quick at the second."""
    first = not Path(marker).exists()
    Path(marker).write_text("begun")
    time.sleep(600 if first else 0)
    return "resumed"


def attentive(context, marker):
    """Ends by itself as soon as it sees that it is cancelled."""
    Path(marker).write_text("begun")
    while not context.cancelled:
        time.sleep(0.001)
    raise Cancelled
