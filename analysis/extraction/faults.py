"""What can go wrong in an extraction. No torch."""

from __future__ import annotations

import traceback

from analysis.errors import CutawayError

TAIL = 4000  # characters of a traceback that are kept


class ExtractionError(CutawayError):
    """Nothing, or not enough, can be extracted. ``tail``: of the traceback, '' if there is none."""

    def __init__(self, message: str, remedy: str = "", tail: str = "") -> None:
        super().__init__(message, remedy)
        self.tail = tail


class OutOfMemory(ExtractionError):
    """The model does not fit with batches of ``batch_size`` instances."""

    def __init__(self, batch_size: int, tail: str = "") -> None:
        self.batch_size = batch_size
        super().__init__(
            f"The memory does not suffice for batches of {batch_size} instances.",
            f"Give the subject a smaller batch_size, such as {max(1, batch_size // 2)}.",
            tail,
        )


def tail_of(error: BaseException) -> str:
    """The end of its traceback."""
    return "".join(traceback.format_exception(error))[-TAIL:]
