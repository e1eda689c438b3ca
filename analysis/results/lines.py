"""A log of JSON lines that is only ever appended to: what people say, kept beside the cache. No torch.

Any number of threads and processes may use it at once. A line that was torn, because the machine stopped, is one that
cannot be read; nothing else is lost with it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from analysis.errors import ParameterError

WAIT = 10.0  # seconds for another thread to finish


class Lines:
    """The log in a file. what: 'The subsets', as messages call them."""

    def __init__(self, file: Path, what: str) -> None:
        self.file, self.what = Path(file), what

    def read(self) -> Iterator[tuple[int, dict[str, Any] | None]]:
        """Numbers of lines, from 1, and their objects; None for a line that is none. Empty ones are passed over.

        Raises:
            ParameterError: the file is there, but cannot be read.
        """
        try:
            text = self.file.read_bytes().decode("utf-8", errors="replace")
        except FileNotFoundError:
            return
        except OSError as error:
            raise ParameterError(
                f"{self.what} cannot be read: {error.strerror}.", f"Look at {self.file.name} in the workspace."
            ) from None
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            yield number, value if isinstance(value, dict) else None

    def append(self, value: Mapping[str, Any]) -> None:
        """Write a line, synchronised to the disk. Raises ParameterError."""
        line = (json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n").encode()
        try:
            with self.file.open("a+b") as file:
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    line = line if file.read(1) == b"\n" else b"\n" + line  # what is before was torn
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ParameterError(
                f"{self.what} cannot be kept: {error.strerror}.", "Make room in the workspace."
            ) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within, nobody else writes. Raises ParameterError where that cannot be had."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.file.with_suffix(".lock"), timeout=WAIT)
            lock.acquire()
        except (OSError, Timeout) as error:
            raise ParameterError(f"{self.what} cannot be kept: {error}.", "Look at the workspace.") from None
        try:
            yield
        finally:
            lock.release()
