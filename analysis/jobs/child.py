"""The process of one job: ``python -m analysis.jobs.child JOBDIR``, started by the runner in a session of its own.

It splits in two. The *keeper* stays small, notes how the other ended, and kills the whole group when the runner is gone
or the work is over. The *worker* imports and calls the job's function; whatever that does, the keeper survives.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from analysis.errors import CutawayError
from analysis.jobs import files, processes
from analysis.jobs.context import Cancelled, JobContext
from analysis.jobs.kinds import KINDS

POLL_SECONDS = 0.1
MEMORY = ("The job ran out of memory.", "Use smaller batches or fewer instances.")


def main(arguments: list[str] | None = None) -> int:
    """Run the job in a directory. Returns only in the worker; the keeper ends with its whole group."""
    parser = argparse.ArgumentParser(prog="analysis.jobs.child")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--function", help="package.module:function instead of the registered one")
    options = parser.parse_args(arguments)
    # The group gets SIGTERM on a cancel: the keeper outlives it, to tell how the worker ended.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.getpgrp() != os.getpid():
        os.setsid()  # the keeper kills its group at the end: that must not be somebody else's
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    keeper = os.getpid()
    worker = os.fork()
    if worker:
        _keep(worker, options.directory, options.parent)
    processes.die_with_parent()
    if os.getppid() != keeper:  # it ended before the line above
        return 1
    signal.signal(signal.SIGTERM, _cancel)
    os.nice(5)  # pages stay quick while jobs compute
    return _work(options.directory, options.function)


def _cancel(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: a second one would interrupt the clearing up
    raise Cancelled


def _keep(worker: int, directory: Path, parent: int) -> None:
    """Wait for the worker or for the runner's end; then nothing of the job stays alive, this process included."""
    ended = 0
    while not ended and os.getppid() == parent:
        ended, status = os.waitpid(worker, os.WNOHANG)
        if not ended:
            time.sleep(POLL_SECONDS)
    if ended:
        code = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(OSError):
            files.write_json(directory / files.EXIT, {"code": max(code, 0), "signal": max(-code, 0)})
    processes.sweep(directory.name, seconds=1.0)
    os.killpg(0, signal.SIGKILL)


def _work(directory: Path, target: str | None) -> int:
    """Call the function and write its outcome. The worker's exit code: 0 done, 1 failed, 143 cancelled."""
    try:
        spec = files.read_json(directory / files.SPEC) or {}
        function = _load(target or KINDS[spec["kind"]])
        result = function(JobContext(directory), **spec["params"])
        files.write_json(directory / files.OUTCOME, {"result": result})
    except Cancelled:
        return 143
    except Exception as error:
        traceback.print_exc()
        files.write_json(directory / files.OUTCOME, {"error": _explain(error)})
        return 1
    return 0


def _load(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _explain(error: Exception) -> dict[str, str]:
    if isinstance(error, CutawayError):
        return {"message": error.message, "remedy": error.remedy}
    if isinstance(error, MemoryError):
        return {"message": MEMORY[0], "remedy": MEMORY[1]}
    text = str(error).strip()
    name = type(error).__name__
    return {"message": f"{name}: {text}" if text else name, "remedy": "The log shows where it happened."}


if __name__ == "__main__":
    sys.exit(main())
