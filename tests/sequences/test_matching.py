"""Clusters of two analyses get the same numbers where they hold the same members."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from analysis.sequences.matching import agreement, match

labels = st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4)), min_size=1, max_size=40)


def test_a_permutation_of_numbers_is_undone() -> None:
    clusters = np.array([0, 0, 1, 1, 2, 2, 2])
    renamed = np.array([2, 0, 1])[clusters]
    assert match(clusters, renamed)[renamed].tolist() == clusters.tolist()


def test_most_members_keep_their_number_over_all_pairs_and_not_pair_by_pair() -> None:
    """The largest overlap, taken first, would leave the others with nothing in common."""
    a = np.array([0] * 5 + [0] * 4 + [1] * 4)
    b = np.array([0] * 5 + [1] * 4 + [0] * 4)
    assert match(a, b).tolist() == [1, 0]


def test_clusters_without_a_partner_get_numbers_of_their_own() -> None:
    assert match(np.array([0, 0, 1, 1]), np.array([0, 2, 3, 3])).tolist() == [0, 2, 3, 1]
    assert match(np.array([-1, -1, 0]), np.array([0, 1, -1])).tolist() == [0, 1]
    assert match(np.array([0, 1]), np.array([-1, -1])).tolist() == []


@given(labels)
def test_the_numbers_are_the_best_there_are_and_never_shared(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs).T
    found = match(a, b)
    assert len(set(found.tolist())) == len(found) == b.max() + 1
    many = max(a.max() + 1, b.max() + 1)

    def kept(numbers: tuple[int, ...]) -> int:
        return sum(1 for one, other in pairs if one >= 0 and other >= 0 and numbers[other] == one)

    best = max((kept(order[: b.max() + 1]) for order in permutations(range(many))), default=0)
    assert kept(tuple(found.tolist())) == best


@given(labels)
def test_agreement_is_the_adjusted_rand_index(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs).T + 1
    assert agreement(a, b) == pytest.approx(adjusted_rand_score(a, b))


def test_there_is_no_agreement_of_nothing() -> None:
    assert np.isnan(agreement(np.zeros(0, int), np.zeros(0, int)))
