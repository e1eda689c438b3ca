"""Every error a user can meet: what happened, to what, and what to do about it.

The dashboard prints ``message`` and ``remedy`` as they stand; a training script sees both in the exception's text.
"""

from __future__ import annotations


class CutawayError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: what happened, and to what (one sentence).
        remedy: the one thing to do about it (one sentence).
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(f"{message} {remedy}".strip())


class StoreError(CutawayError):
    """A run, or a part of one, cannot be read or written."""


class NotARun(StoreError):
    """The directory holds no run."""


class NewerSchema(StoreError):
    """The run was written by a later version of Cutaway."""


class RunBusy(StoreError):
    """Another process is already writing this run."""


class RunUnreadable(StoreError):
    """The run exists but its description cannot be read."""


class NotFound(StoreError):
    """A tag, layer, step or run that was asked for does not exist."""


class RecordingError(CutawayError):
    """The recorder cannot watch this model, or was called with values that it cannot record."""


class ParameterError(CutawayError):
    """A value given by the user is outside what is accepted."""


class JobError(CutawayError):
    """A background job cannot be submitted, found or cancelled."""
