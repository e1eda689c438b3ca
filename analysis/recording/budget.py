"""What recording costs, and when the next record can be afforded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ALWAYS = 2  # records that are made whatever they cost, so that every run shows something


class _Timer:
    """A context that can be entered again and again; a generator would cost several times as much at every step."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._depth = 0
        self._start = 0.0

    def __enter__(self) -> None:
        if not self._depth:
            self._start = self._budget.clock()
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._budget.seconds += self._budget.clock() - self._start


class Budget:
    """Times the recorder against the run, and predicts whether another record keeps its share.

    Args:
        share: part of the time since recording began that it may take; None for no limit.
        clock: seconds, ascending.
    """

    def __init__(self, share: float | None, clock: Callable[[], float] = time.perf_counter) -> None:
        self.share_allowed = share
        self.clock = clock
        self._began = clock()
        self._timer = _Timer(self)
        self._cost = 0.0
        self.seconds = 0.0
        self.records = 0
        self.skipped = 0

    def begin(self) -> None:
        """Start counting anew: setting up is paid once and would otherwise hold back the first records."""
        self._began = self.clock()
        self.seconds = 0.0

    def timed(self) -> _Timer:
        """Count the time inside; nested uses count once."""
        return self._timer

    @contextmanager
    def record(self) -> Iterator[None]:
        """Around one record: what it cost predicts the next."""
        start = self.clock()
        try:
            yield
        finally:
            cost = self.clock() - start
            # The first records pay for warming up; a running mean forgets that, and one slow moment.
            self._cost = cost if self.records < _ALWAYS else 0.5 * (self._cost + cost)
            self.records += 1

    @property
    def elapsed(self) -> float:
        """Seconds since recording began."""
        return max(self.clock() - self._began, 0.0)

    @property
    def share(self) -> float:
        """Part of the elapsed time that recording took, from 0 to 1."""
        elapsed = self.elapsed
        return min(self.seconds / elapsed, 1.0) if elapsed > 0 else 0.0

    def fits(self) -> bool:
        """Whether a record now would keep the share."""
        if self.share_allowed is None or self.records < _ALWAYS:
            return True
        return self.seconds + self._cost <= self.share_allowed * (self.elapsed + self._cost)

    def affordable_interval(self, steps: int) -> float:
        """Steps between records that the budget allows, when ``steps`` steps took the time elapsed so far."""
        elapsed = self.elapsed
        if self.share_allowed is None or steps <= 0 or elapsed <= 0:
            return 1.0
        own_share = max(self.seconds - self.records * self._cost, 0.0) / elapsed
        room = max(self.share_allowed - own_share, 0.05 * self.share_allowed)
        return self._cost / (room * elapsed / steps)
