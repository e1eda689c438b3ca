from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from analysis.errors import ParameterError
from analysis.training import signed_change, stability, total_variation

counts = hnp.arrays(np.int64, 8, elements=st.integers(0, 1000))


def slow_distance(a, b):
    """The definition, in plain Python."""
    if sum(a) == 0 or sum(b) == 0:
        return math.nan
    return sum(abs(x / sum(a) - y / sum(b)) for x, y in zip(a, b, strict=True)) / 2


@given(counts, counts)
def test_total_variation_is_the_definition(a, b):
    assert total_variation(a, b) == pytest.approx(slow_distance(a.tolist(), b.tolist()), nan_ok=True)


@given(counts, counts, st.integers(1, 50))
def test_total_variation_is_a_distance_of_shares(a, b, times):
    d = total_variation(a, b)
    assert math.isnan(d) or 0 <= d <= 1
    assert total_variation(b, a) == pytest.approx(d, nan_ok=True)
    assert total_variation(a * times, b) == pytest.approx(d, nan_ok=True)
    assert math.isnan(total_variation(a, a)) or total_variation(a, a) == 0


@given(counts, counts)
def test_signed_change_sums_to_nothing_and_measures_the_distance(a, b):
    change = signed_change(a, b)
    assert change.shape == a.shape
    if a.sum() and b.sum():
        assert change.sum() == pytest.approx(0, abs=1e-9)
        assert np.abs(change).sum() / 2 == pytest.approx(total_variation(a, b), abs=1e-9)
    else:
        assert np.isnan(change).all()


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="different shapes"):
        total_variation([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="different shapes"):
        signed_change([1, 2], [1, 2, 3])


def moves(*distances: float):
    """Histograms of two bins whose successive distances are the given ones, back and forth."""
    share, rows = 0.0, [[0, 1000]]
    for d in distances:
        share = share + d if share + d <= 1 else share - d
        rows.append([round(1000 * share), round(1000 * (1 - share))])
    return rows


def judged(*distances: float, **options):
    rows = moves(*distances)
    return stability(range(0, 20 * len(rows), 20), rows, [0] * len(rows), **options)


def test_settles_at_the_first_step_of_the_last_calm_run():
    result = judged(0.5, 0.3, 0.05, 0.02, 0.01)
    assert (result.state, result.settled_at) == ("settled", 60)
    assert result.distance[1:] == pytest.approx([0.5, 0.3, 0.05, 0.02, 0.01])
    assert math.isnan(result.distance[0])


def test_a_layer_that_moves_again_is_learning_again():
    assert judged(0.5, 0.02, 0.02, 0.02, 0.4).state == "learning"
    again = judged(0.5, 0.02, 0.02, 0.02, 0.4, 0.01, 0.02)
    assert (again.state, again.settled_at) == ("settled", 120)


def test_one_calm_record_is_not_enough():
    assert judged(0.5, 0.5, 0.05).state == "learning"
    assert judged(0.5, 0.5, 0.05, patience=1).settled_at == 60


def test_the_direction_does_not_matter():
    rows = moves(0.5, 0.3, 0.05, 0.02)
    steps = range(len(rows))
    mirrored = [row[::-1] for row in rows]
    assert stability(steps, rows, [0] * 5).settled_at == stability(steps, mirrored, [0] * 5).settled_at


def test_silent_patches_are_one_more_bin():
    rows = [[10, 10]] * 4
    assert stability([0, 1, 2, 3], rows, [0, 0, 0, 0]).state == "settled"
    assert stability([0, 1, 2, 3], rows, [0, 0, 0, 20]).distance[-1] == pytest.approx(0.5)
    assert stability([0, 1, 2, 3], [[0, 0]] * 4, [9, 9, 9, 9]).state == "settled"


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_records(n):
    result = stability(range(n), np.ones((n, 4)), np.zeros(n))
    assert (result.state, result.settled_at, len(result.distance)) == ("too few records", None, n)


def test_records_without_patches_are_never_calm():
    rows = [[1, 1], [0, 0], [1, 1], [0, 0]]
    result = stability(range(4), rows, np.zeros(4))
    assert result.state == "too few records"
    assert np.isnan(result.distance).all()


@given(st.lists(st.tuples(counts, st.integers(0, 500)), max_size=12), st.floats(0, 1), st.integers(1, 4))
def test_settled_means_what_it_says(rows, threshold, patience):
    steps = np.arange(len(rows)) * 10
    result = stability(steps, [h for h, _ in rows], [s for _, s in rows], threshold, patience)
    calm = [bool(d <= threshold) for d in result.distance]
    if result.state == "settled":
        first = steps.tolist().index(result.settled_at)
        assert all(calm[first:])
        assert len(calm) - first >= patience
        assert not calm[first - 1]
    else:
        assert result.settled_at is None
        assert not (len(calm) >= patience and all(calm[-patience:]))


@pytest.mark.parametrize("options", [{"patience": 0}, {"threshold": -0.1}, {"threshold": 1.1}])
def test_parameters_are_checked(options):
    with pytest.raises(ParameterError):
        stability([0], [[1]], [0], **options)


def test_lengths_must_agree():
    with pytest.raises(ValueError):
        stability([0, 1], [[1], [1]], [0])


def test_distances_agree_with_one_pair_at_a_time() -> None:
    rng = np.random.default_rng(0)
    counts, silent = rng.integers(0, 9, (40, 6)), rng.integers(0, 5, 40)
    counts[[3, 4, 20]], silent[[3, 4, 20]] = 0, 0
    found = stability(np.arange(40), counts, silent).distance
    filled = np.hstack([counts, silent[:, None]])
    slow = [np.nan, *(total_variation(a, b) for a, b in itertools.pairwise(filled))]
    np.testing.assert_allclose(found, slow, atol=1e-15)
