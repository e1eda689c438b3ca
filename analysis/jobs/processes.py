"""Starting, finding and ending the processes of a job, down to its grandchildren."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MARK = "CUTAWAY_JOB"  # in the environment of every process of a job
PR_SET_PDEATHSIG = 1


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs one of our modules. -P: the current directory may be a run directory, and a file planted
    there must not be imported."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment(**extra: str) -> dict[str, str]:
    """The environment for ``python``: our packages are found from any directory, and output is not held back."""
    path = os.environ.get("PYTHONPATH")
    paths = [str(ROOT), *([path] if path else [])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", **extra}


def die_with_parent() -> None:
    """Ask the system to kill this process when its parent ends (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def start_time(pid: int) -> int | None:
    """When a process began, in clock ticks since the system started; None if it is gone or the system does not say.

    With it a process is told from a later one that was given the same number.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return int(fields[19])


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group. Returns whether there was one."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def marked(job_id: str) -> list[int]:
    """Living processes that carry a job's mark, also those that left its group; [] where /proc is missing."""
    wanted = f"{MARK}={job_id}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        try:
            environ = (entry / "environ").read_bytes()
        except OSError:
            continue
        if wanted in environ.split(b"\0") and pid != os.getpid() and start_time(pid) is not None:
            found.append(pid)
    return found


def sweep(job_id: str, seconds: float = 2.0) -> bool:
    """Kill whatever is left of a job. Returns whether all of it is gone within the time."""
    deadline = time.monotonic() + seconds
    while left := marked(job_id):
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 if it is gone or the system does not say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def machine_memory() -> int | None:
    """Bytes of memory that this process may use at most: the machine's, or its container's; None if unknown."""
    found = []
    with contextlib.suppress(OSError, ValueError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            found.append(int(Path(place).read_text(encoding="ascii")))
    return min(found, default=None)
