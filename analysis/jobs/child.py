"""The process of one job: ``python -m analysis.jobs.child JOBDIR``, started by the runner in a session of its own.

It splits in two: the *keeper* (see there) and the *worker*, which imports and calls the job's function; whatever that
does, the keeper survives.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

from analysis.jobs import calls, files, keeper
from analysis.jobs.context import Cancelled, JobContext
from analysis.jobs.kinds import KINDS


def main(arguments: list[str] | None = None) -> int:
    """Run the job in a directory. Returns only in the worker; the keeper ends with its whole group."""
    parser = argparse.ArgumentParser(prog="analysis.jobs.child")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--memory", type=int, help="bytes that the worker may hold")
    parser.add_argument("--function", help="package.module:function instead of the registered one")
    options = parser.parse_args(arguments)
    home: Path = options.directory
    if not keeper.split(home / files.EXIT, home.name, options.parent, options.memory):
        return 1
    signal.signal(signal.SIGTERM, _cancel)
    os.nice(5)  # pages stay quick while jobs compute
    return _work(home, options.function)


def _cancel(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: a second one would interrupt the clearing up
    raise Cancelled


def _work(directory: Path, target: str | None) -> int:
    """Call the function and write its outcome. The worker's exit code: 0 done, 1 failed, 143 cancelled."""
    try:
        spec = files.read_json(directory / files.SPEC) or {}
        function = calls.load(target or KINDS[spec["kind"]])
        result = function(JobContext(directory), **spec["params"])
        files.write_json(directory / files.OUTCOME, {"result": result})
    except Cancelled:
        return 143
    except Exception as error:
        traceback.print_exc()
        files.write_json(directory / files.OUTCOME, calls.explained(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
