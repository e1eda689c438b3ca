"""The pure statistics against slow, obvious loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from analysis.recording import AllPairs, Staleness, Tallies, TrackedPairs, histogram, perplexity, responses
from analysis.recording.positions import choose, draw

value = st.one_of(st.just(0.0), st.floats(0, 100, width=32))
matrices = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), elements=value)


def slow_perplexity(patch: list[float]) -> float:
    total = sum(patch)
    if total == 0:
        return math.nan
    return 2 ** -sum(v / total * math.log2(v / total) for v in patch if v / total > 0)


@given(matrices)
def test_perplexity(matrix: np.ndarray) -> None:
    found = perplexity(torch.from_numpy(matrix)).tolist()
    for patch, result in zip(matrix.astype(float).tolist(), found, strict=True):
        assert result == pytest.approx(slow_perplexity(patch), rel=1e-4, nan_ok=True)


@pytest.mark.parametrize("scale", [1e-35, 1e-3, 1e37])
def test_perplexity_at_any_scale(scale: float) -> None:
    assert perplexity(torch.tensor([[scale, scale, scale, 0.0]])).item() == pytest.approx(3.0, rel=1e-5)


@given(matrices)
def test_histogram_counts_as_numpy_does(matrix: np.ndarray) -> None:
    found = perplexity(torch.from_numpy(matrix))
    edges = np.linspace(1, max(matrix.shape[1], 1 + 1e-9), 9)
    defined = found[~found.isnan()].double().numpy()
    assert histogram(found, torch.from_numpy(edges)).tolist() == np.histogram(defined, edges)[0].tolist()


@given(matrices, st.floats(0, 1))
def test_responses(matrix: np.ndarray, beta: float) -> None:
    patches = torch.from_numpy(matrix)
    maximum = patches.amax(0)
    found = responses(patches, maximum, beta)
    for i, column in enumerate(matrix.T):
        limit = float(beta * maximum[i])
        assert found.frequency[i].item() == pytest.approx(sum(v > limit for v in column) / len(column), abs=1e-6)
        assert found.active_share[i].item() == pytest.approx(sum(v > 0 for v in column) / len(column), abs=1e-6)
        assert found.mean[i].item() == pytest.approx(sum(map(float, column)) / len(column), rel=1e-5, abs=1e-30)


def test_responses_without_patches_are_undefined() -> None:
    assert all(part.isnan().all() for part in responses(torch.zeros(0, 3), torch.zeros(3), 0.5))


@given(st.lists(st.lists(st.floats(0, 10), min_size=3, max_size=3), min_size=1, max_size=8), st.floats(0, 0.95))
def test_staleness(maxima: list[list[float]], theta: float) -> None:
    tracked = Staleness(3, theta)
    peak, last = [0.0] * 3, [-1] * 3
    for number, row in enumerate(maxima):
        step = 7 * number
        found = tracked.update(torch.tensor(row, dtype=torch.float64), step).tolist()
        for i, value in enumerate(row):
            peak[i] = max(peak[i], value)
            if value > theta * peak[i]:
                last[i] = step
            assert found[i] == (-1 if last[i] < 0 else step - last[i])


def slow_phi(records: list[np.ndarray], i: int, j: int, decay: float) -> float:
    low = high = 0.0
    for matrix in records:
        low, high = decay * low, decay * high
        for patch in matrix.astype(float):
            low += min(patch[i], patch[j])
            high += max(patch[i], patch[j])
    return low / high if high else math.nan


@settings(deadline=None)
@given(st.lists(arrays(np.float32, (5, 4), elements=value), min_size=1, max_size=3), st.sampled_from([0.5, 0.9, 1.0]))
def test_similarity_of_all_pairs(records: list[np.ndarray], decay: float) -> None:
    exact, tracked = AllPairs(4, 3, decay), TrackedPairs(4, 3, decay)  # 3 neighbours of 4 filters: nothing is left out
    for matrix in records:
        exact.update(torch.from_numpy(matrix))
        tracked.update(torch.from_numpy(matrix))
    for method in (exact, tracked):
        indices, values = method.nearest()
        for i in range(4):
            truth = {j: slow_phi(records, i, j, decay) for j in range(4) if j != i}
            for j, phi in zip(indices[i].tolist(), values[i].tolist(), strict=True):
                assert (j == -1) == math.isnan(phi)
                if j >= 0:
                    assert phi == pytest.approx(truth[j], rel=1e-4, abs=1e-5)
            defined = [phi for phi in truth.values() if not math.isnan(phi)]
            kept = [phi for phi in values[i].tolist() if not math.isnan(phi)]
            assert len(kept) == len(defined)
            assert kept == sorted(kept, reverse=True)


def test_tracked_pairs_find_duplicates_among_many() -> None:
    generator = torch.Generator().manual_seed(0)
    tracked = TrackedPairs(600, 4, 0.9)
    for _ in range(3):
        patches = torch.rand(64, 600, generator=generator).sub_(0.5).relu_()
        patches[:, 411] = patches[:, 7]
        tracked.update(patches)
    indices, values = tracked.nearest()
    assert (indices[7, 0], indices[411, 0]) == (411, 7)
    assert values[7, 0] == 1.0
    assert values[7, 1] < 0.8


def test_similarity_has_no_neighbour_for_one_filter() -> None:
    for method in (AllPairs(1, 0, 0.9), TrackedPairs(1, 0, 0.9)):
        method.update(torch.ones(3, 1))
        assert method.nearest()[0].shape == (1, 0)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(arrays(np.float32, (6, 3), elements=value), arrays(np.int64, 6, elements=st.integers(-1, 30))),
        min_size=1,
        max_size=3,
    )
)
def test_tallies(records: list[tuple[np.ndarray, np.ndarray]]) -> None:
    tallies = Tallies(3, 0.9)
    truth: list[dict[int, float]] = [{}, {}, {}]
    for matrix, labels in records:
        tallies.update(torch.from_numpy(matrix), torch.from_numpy(labels))
        for i in range(3):
            truth[i] = {label: 0.9 * total for label, total in truth[i].items()}
            for patch, label in zip(matrix.astype(float), labels.tolist(), strict=True):
                if label >= 0:
                    truth[i][label] = truth[i].get(label, 0.0) + patch[i]
    found = tallies.top()
    for i in range(3):
        total = sum(truth[i].values())
        assert found.total[i].item() == pytest.approx(total, rel=1e-6)
        for label, tally in zip(found.labels[i].tolist(), found.tallies[i].tolist(), strict=True):
            assert tally == pytest.approx(truth[i].get(label, 0.0), rel=1e-6)
        shares = [tally / total for tally in truth[i].values() if total]
        expected = 2 ** -sum(p * math.log2(p) for p in shares if p > 0) if total else math.nan
        assert found.perplexity[i].item() == pytest.approx(expected, rel=1e-5, nan_ok=True)
        assert found.tallies.shape[1] <= 10


@given(st.integers(1, 12), st.integers(0, 40), st.integers(0, 99))
def test_positions_are_distinct_and_inside(patches: int, length: int, seed: int) -> None:
    numbers = draw(7, patches, torch.Generator().manual_seed(seed))
    places, _ = choose(numbers, length)
    assert places.shape == (7, min(patches, length))
    assert all(len(set(row)) == len(row) and all(0 <= p < length for p in row) for row in places.tolist())
    lengths = torch.arange(7) % (length + 1)
    places, counts = choose(numbers, lengths)
    assert counts is not None
    assert counts.sum(1).tolist() == lengths.clamp_max(patches).tolist()
    for row, valid, size in zip(places.tolist(), counts.tolist(), lengths.tolist(), strict=True):
        chosen = [p for p, v in zip(row, valid, strict=True) if v]
        assert len(set(chosen)) == len(chosen)
        assert all(0 <= p < size for p in chosen)


def test_positions_are_evenly_likely() -> None:
    places, _ = choose(draw(20_000, 4, torch.Generator().manual_seed(0)), 9)
    shares = torch.bincount(places.flatten(), minlength=9) / places.numel()
    assert (shares - 1 / 9).abs().max() < 0.004
