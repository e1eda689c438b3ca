"""The keeper of a working process: stays small, notes how the other ended, and leaves nothing of it alive.

It kills the whole group when the runner is gone or the work is over, and the worker when it takes too much memory.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from pathlib import Path

from analysis.jobs import files, processes

POLL_SECONDS = 0.1


def split(exit_file: Path, mark: str, parent: int, memory: int | None = None) -> bool:
    """Fork into keeper and worker. Returns only in the worker: False if the keeper has ended already.

    Args:
        exit_file: where the keeper notes how the worker ended.
        mark: what the environment of all processes of this group carries.
        parent: the runner, whose end is everybody's.
        memory: bytes that the worker may hold; None for no limit.
    """
    # The group gets SIGTERM on a cancel: the keeper outlives it, to tell how the worker ended.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.getpgrp() != os.getpid():
        os.setsid()  # the keeper kills its group at the end: that must not be somebody else's
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    keeper = os.getpid()
    worker = os.fork()
    if worker:
        _keep(worker, exit_file, mark, parent, memory)
    processes.die_with_parent()
    return os.getppid() == keeper  # else it ended before the line above


def _keep(worker: int, exit_file: Path, mark: str, parent: int, memory: int | None) -> None:
    """Wait for the worker or for the runner's end; then nothing of the job stays alive, this process included."""
    ended = 0
    note: dict[str, int] = {}
    while not ended and os.getppid() == parent:
        ended, status = os.waitpid(worker, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            note = {"code": max(code, 0), "signal": max(-code, 0), **note}
        elif memory is not None and not note and processes.resident(worker) > memory:
            note = {"memory": memory}
            os.kill(worker, signal.SIGKILL)
        else:
            time.sleep(POLL_SECONDS)
    if ended:
        with contextlib.suppress(OSError):
            files.write_json(exit_file, note)
    processes.sweep(mark, seconds=1.0)
    os.killpg(0, signal.SIGKILL)
