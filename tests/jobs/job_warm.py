"""Functions of jobs that share a warm process."""

import ctypes
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from analysis.errors import ParameterError
from analysis.jobs.context import Later

seen = []


def note(path, text):
    with Path(path).open("a") as stream:
        stream.write(f"{text}\n")


def pid(_context, n=0):
    seen.append(n)
    return {"pid": os.getpid(), "seen": list(seen)}


def warm_count(context, n=3, pause=0.0, marker=None, name=""):
    for i in range(n):
        context.progress(i + 1, n, "steps")
        time.sleep(pause)
    if marker:
        note(marker, name)
    return os.getpid()


def warm_fail(_context):
    raise ValueError("the third layer has no name")


def warm_refuse(_context):
    raise ParameterError("The value 9 is too large.", "Give one below 5.")


def warm_exit(_context):
    os._exit(3)


def warm_system_exit(_context):
    print("leaving")
    sys.exit(7)


def warm_segfault(_context):
    print("about to crash")
    ctypes.string_at(0)


def warm_killed(_context):
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(5)


def warm_sleep(_context, marker):
    """Sleeps in C; has a child in a session of its own."""
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    Path(marker).write_text(f"{os.getpid()} {child.pid}")
    time.sleep(600)


def warm_busy(_context, marker):
    """In C code that never looks at a signal."""
    Path(marker).write_text(str(os.getpid()))
    hashlib.pbkdf2_hmac("sha256", b"a", b"b", 10**9)


def warm_stubborn(_context, marker):
    Path(marker).write_text(str(os.getpid()))
    while True:
        try:
            time.sleep(600)
        except BaseException:
            continue


def warm_loud(_context):
    print("printed by the model")
    sys.stderr.write("and complained\n")
    os.system("echo from a child")
    ctypes.CDLL(None).puts(b"from C")
    return "said"


def warm_long(context, marker, steps=100, pause=0.05):
    """Lets others pass between its steps."""
    note(marker, "begun")
    for i in range(steps):
        context.progress(i + 1, steps)
        context.breathe()
        time.sleep(pause)
    note(marker, "ended")
    return os.getpid()


def warm_memory(context, marker):
    """Has too little memory unless its batches are small."""
    size = int(32 * context.batch_scale)
    context.uses(size)
    note(marker, size)
    if size > 16:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes.")
    return size


def warm_greedy(context):
    context.uses(int(32 * context.batch_scale))
    raise MemoryError


def warm_hungry(context, marker, mib):
    """Takes much memory, in small steps."""
    note(marker, context.batch_scale)
    held = []
    for _ in range(mib):
        held.append(bytearray(1 << 20))
        time.sleep(0.002)
    time.sleep(2)
    return len(held)


def warm_resume(_context, marker):
    first = not Path(marker).exists()
    Path(marker).write_text(str(os.getpid()))
    time.sleep(600 if first else 0)
    return "resumed"


def warm_settings(context):
    return {name: list(values) for name, values in context.settings.items()}


def warm_later(context, marker):
    """Cannot run while another job waits for it."""
    note(marker, f"nested {context.nested}")
    if context.nested:
        raise Later
    return "ran"
