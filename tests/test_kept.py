"""What is kept in memory, and for how long."""

from __future__ import annotations

import numpy as np

from analysis.kept import Kept


def test_the_arrays_used_last_are_kept_up_to_a_number_of_bytes() -> None:
    kept = Kept(100)
    made: list[str] = []

    def ask(name: str, size: int = 5) -> np.ndarray:
        def make() -> np.ndarray:
            made.append(name)
            return np.zeros(size)  # 8 bytes each

        return kept.get(name, make)

    for name in ("a", "b", "a", "b"):
        assert not ask(name).flags.writeable
    assert made == ["a", "b"]
    ask("a"), ask("c")  # b was used least
    ask("a"), ask("b")
    assert made == ["a", "b", "c", "b"]
    ask("huge", 20), ask("huge", 20)  # is handed out, not kept
    assert made[-2:] == ["huge", "huge"]
