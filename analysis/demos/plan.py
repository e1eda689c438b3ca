"""What a demo hands to the job that trains it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Tick = Callable[[int], None]  # called with the number of steps done; raises to stop


@dataclass(frozen=True)
class PlannedRun:
    """One network to train. directory: name of the run's directory. config: written into the run, and what a finished
    run must agree with to be used again. steps: how many there will be. train: called with the run's path and a tick.
    """

    directory: str
    title: str
    config: dict[str, Any]
    steps: int
    train: Callable[[Path, Tick], None]
