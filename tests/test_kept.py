"""What is kept in memory, and for how long."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

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


def test_threads_that_ask_together_make_it_once() -> None:
    kept, made, ready = Kept(100), list[int](), threading.Barrier(6)

    def make() -> np.ndarray:
        made.append(1)
        time.sleep(0.05)
        return np.arange(3)

    def ask(_: int) -> np.ndarray:
        ready.wait(10)
        return kept.get("a", make)

    with ThreadPoolExecutor(6) as threads:
        assert [found.tolist() for found in threads.map(ask, range(6))] == [[0, 1, 2]] * 6
    assert made == [1]


def test_what_cannot_be_made_is_tried_again() -> None:
    kept = Kept(100)

    def fail() -> np.ndarray:
        raise OSError("gone")

    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            kept.get("a", fail)
    assert kept.get("a", lambda: kept.get("b", lambda: np.arange(2)) + 1).tolist() == [1, 2]  # one inside another
