"""What can go wrong when states are read. No torch."""

from __future__ import annotations

from analysis.errors import CutawayError


class SequenceError(CutawayError):
    """States of a layer, or words of the data, cannot be had."""


class StepsDiffer(SequenceError):
    """A layer has other steps than the input, so that nothing of the input belongs to a step of it."""
