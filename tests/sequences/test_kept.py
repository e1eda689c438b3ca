"""The share of a state that is kept, against its definition unit by unit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analysis.sequences import kept as module
from analysis.sequences.kept import kept

VALUES = st.floats(-10, 10, width=32)
STATES = arrays(np.float32, (2, 4, 3), elements=VALUES)


def by_hand(now: np.ndarray, before: np.ndarray) -> float:
    left = 0.0
    for h, p in zip(now.tolist(), before.tolist(), strict=True):
        if (h > 0) == (p > 0) and (h < 0) == (p < 0):
            left += min(abs(h), abs(p))
    total = sum(abs(p) for p in before.tolist())
    return left / total if total else np.nan


@given(STATES)
def test_shares_are_those_of_the_definition_and_lie_in_0_to_1(pair: np.ndarray) -> None:
    found = kept(pair[0], pair[1])
    np.testing.assert_allclose(found, [by_hand(*each) for each in zip(*pair, strict=True)], rtol=1e-6)
    assert np.nanmin(found, initial=0) >= 0
    assert np.nanmax(found, initial=0) <= 1


def test_what_changes_its_sign_is_lost_and_what_grows_is_kept() -> None:
    before = np.array([1.0, -2.0, 1.0])
    assert kept(before, before) == 1
    assert kept(3 * before, before) == 1
    assert kept(-before, before) == 0
    assert kept(np.array([0.5, -2.0, -1.0]), before) == 2.5 / 4


def test_long_sequences_are_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    now, before = np.random.default_rng(0).normal(size=(2, 3, 7, 5)).astype(np.float32)
    before[1, 2] = 0
    whole = kept(now, before)
    monkeypatch.setattr(module, "PART", 20)
    np.testing.assert_array_equal(kept(now, before), whole)
    assert kept(now[:0], before[:0]).shape == (0, 7)


def test_nothing_can_be_kept_of_nothing() -> None:
    assert np.isnan(kept(np.ones(3), np.zeros(3)))
