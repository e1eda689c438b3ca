"""At which steps a record is due."""

from __future__ import annotations


class Schedule:
    """Due at the first step seen, then at the first step at or after each multiple of ``every``.

    Args:
        every: steps between records, at least 1.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self._next = 0
        self._seen = -1
        self.first: int | None = None

    def due(self, step: int) -> bool:
        """Whether ``step`` is due. Asking changes nothing but the memory of the last step seen."""
        if self.first is None:
            self.first = step
        if step < self._seen:  # resumed from an earlier step
            self._next = step
        self._seen = step
        return step >= self._next

    def quiet(self, step: int, margin: int) -> bool:
        """Whether neither ``step`` nor the ``margin`` steps behind it are due, as a quick answer on most steps."""
        if step < self._seen or step + margin >= self._next or self.first is None:
            return False
        self._seen = step
        return True

    def done(self, step: int) -> None:
        """``step`` was recorded or given up: wait for the next multiple."""
        self._next = (step // self.every + 1) * self.every

    def coming(self, step: int) -> bool:
        """Whether ``step``, which may never come, would be due."""
        return step >= self._next

    @property
    def steps(self) -> int:
        """Steps since the first one seen."""
        return max(self._seen - self.first, 0) if self.first is not None else 0
