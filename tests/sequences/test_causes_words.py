"""Which words' answers move: how many are called clear where nothing is there, and where something is."""

from __future__ import annotations

import numpy as np

from analysis.sequences.causes import moved


def test_words_are_hardly_ever_clear_where_shifts_are_noise() -> None:
    """One of 20 lists holds a clear word by chance, also where words are in few instances."""
    rng = np.random.default_rng(0)
    lists = 0
    for _ in range(40):
        shift = rng.normal(size=400)
        holds = {word: rng.choice(400, 5 + word % 6, replace=False).tolist() for word in range(300)}
        lists += any(one["clear"] for one in moved(shift, holds))
    assert lists <= 6  # 2 are expected at most


def test_a_word_that_moves_its_instances_is_clear_and_first() -> None:
    rng = np.random.default_rng(1)
    shift = rng.normal(size=400)
    holds = {word: rng.choice(400, 5 + word % 30, replace=False).tolist() for word in range(300)}
    holds[999] = list(range(40))
    shift[:40] -= 2
    first = moved(shift, holds)[0]
    assert first["id"] == 999
    assert first["clear"]
    assert first["high"] < -1
