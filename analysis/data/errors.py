"""The error of subjects: what was given, why it cannot be used, what to give instead."""

from __future__ import annotations

from analysis.errors import CutawayError


class SubjectError(CutawayError):
    """A model, a data set or a description of them cannot be used, or leaves a choice that is the user's."""


class Unreadable(Exception):
    """One instance cannot be read; the text says why. It is skipped, counted and listed."""
