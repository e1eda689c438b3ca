"""The files of one job, and who writes each: every file has one writer, so no lock is needed to read or write it.

job.json       written once, by submit                  status.json    the runner (after submit's first 'queued')
progress.json  the job's process                        outcome.json   the job's process, once, at its end
exit.json      the keeper, or the runner for a host's   cancel         marker, by whoever cancels
log.txt        standard output and error of the job     work/          scratch space of the job
breathes       marker, by the job: between its steps    uses.json      the job's process: the size of its batches
               it lets others run

A queue's host has a directory too, hosts/QUEUE: state.json and log.txt by the host, assigned.json by the runner,
exit.json by the keeper.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from pathlib import Path
from typing import Any

ID = re.compile(r"[0-9a-f]{32}")
SPEC, STATUS, PROGRESS, OUTCOME, EXIT, CANCEL, LOG, WORK = (
    "job.json",
    "status.json",
    "progress.json",
    "outcome.json",
    "exit.json",
    "cancel",
    "log.txt",
    "work",
)
BREATHES, USES, HOSTS, ASSIGNED, STATE = "breathes", "uses.json", "hosts", "assigned.json", "state.json"
TAIL_LINES = 20
TAIL_BYTES = 64 * 1024


def is_id(text: object) -> bool:
    """Whether this may be a job's id: 32 lower-case hexadecimal digits."""
    return isinstance(text, str) and ID.fullmatch(text) is not None


def write_json(path: Path, value: Any) -> None:
    """Replace a file in one step: a reader sees the old or the new content, never half.

    Raises:
        OSError: the disk is full or not writable. TypeError, ValueError: the value is not JSON.
    """
    text = json.dumps(value, ensure_ascii=False)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file; None if it is missing, unreadable or no object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def version(path: Path) -> tuple[int, int] | None:
    """Another value whenever ``write_json`` has replaced the file; None while it is missing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def tail(path: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, at most 64 KiB of it; '' if there is none."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - TAIL_BYTES))
            text = stream.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
