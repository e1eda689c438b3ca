"""What can be set when a model is watched."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.errors import RecordingError


@dataclass(frozen=True)
class Options:
    """Checked on construction. patches: R, positions read of each instance; the others as in ``Recorder.watch``.

    Raises:
        RecordingError: a value outside its range.
    """

    every: int
    patches: int
    beta: float
    theta: float
    bins: int
    decay: float
    neighbours: int
    random_state: int
    batch_size: int
    pool: int

    def __post_init__(self) -> None:
        for name in ("every", "patches", "bins", "batch_size", "pool"):
            self._check(name, 1, "at least 1", whole=True)
        self._check("neighbours", 0, "at least 0", whole=True)
        self._check("random_state", 0, "at least 0", whole=True)
        for name in ("beta", "theta"):
            self._check(name, 0.0, "from 0 to 1", most=1.0)
        self._check("decay", 1e-9, "above 0 and at most 1", most=1.0)

    def _check(self, name: str, least: float, accepted: str, most: float = float("inf"), whole: bool = False) -> None:
        value = getattr(self, name)
        right_type = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not right_type or not least <= value <= most:
            shown = "patches_per_instance" if name == "patches" else name
            kind = "a whole number" if whole else "a number"
            raise RecordingError(f"{shown}={value!r} is not {kind} {accepted}.", f"Set {shown} to {kind} {accepted}.")
