"""The parts of a projection against slow ways: quality, alignment, neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.manifold import trustworthiness

from analysis.layers import umap_layout
from analysis.neurons import projection_align as align
from analysis.neurons import projection_quality as judge
from analysis.neurons import projection_space as spaces


def cloud(count: int, seed: int = 0, wide: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, wide)).astype(np.float32)


@pytest.mark.parametrize("count", [5, 17, 60, 300])
def test_trustworthiness_is_that_of_scikit_learn(count: int) -> None:
    points, labels = cloud(count), np.arange(count) % 3
    places = points[:, :2] + 0.3 * cloud(count, 1, 2)
    found = judge.quality(points, places, labels, np.arange(count))
    near = min(15, max((count - 1) // 2, 1))
    assert found.neighbours == near
    assert found.trustworthiness == pytest.approx(trustworthiness(points, places, n_neighbors=near), abs=1e-5)
    assert found.trustworthiness == pytest.approx(umap_layout.trustworthiness(points, places, near), abs=1e-5)


def test_recall_and_purity_are_those_of_loops() -> None:
    points, labels = cloud(80), np.arange(80) % 5 - 1
    places = points[:, :2]
    found = judge.quality(points, places, labels, np.arange(80))
    lines = []
    for data in (points, places):
        apart = np.linalg.norm(data[:, None] - data[None], axis=-1)
        np.fill_diagonal(apart, np.inf)
        lines.append(apart.argsort(1, kind="stable"))
    shared = [len(set(a[:15]) & set(b[:15])) for a, b in zip(*lines, strict=True)]
    assert found.recall == pytest.approx(np.mean(shared) / 15)
    known = np.flatnonzero(labels >= 0)
    for line, value in zip(lines, (found.purity, found.map_purity), strict=True):
        assert value == pytest.approx(np.mean([(labels[line[i, :10]] == labels[i]).mean() for i in known]))
    chances = [np.mean(np.delete(labels, i) == labels[i]) for i in known]
    assert found.chance == pytest.approx(np.mean(chances))
    assert found.labelled == len(known)


def test_a_perfect_map_is_perfect_and_a_shuffled_one_is_at_chance() -> None:
    places = cloud(400, wide=2)
    perfect = judge.quality(places, places, np.zeros(400, int), np.arange(400))
    assert (perfect.trustworthiness, perfect.recall, perfect.map_purity) == (1.0, 1.0, 1.0)
    shuffled = places[np.random.default_rng(1).permutation(400)]
    poor = judge.quality(places, shuffled, np.arange(400) % 2, np.arange(400))
    assert poor.trustworthiness == pytest.approx(0.5, abs=0.03)
    assert poor.recall == pytest.approx(15 / 399, abs=0.02)
    assert poor.map_purity == pytest.approx(poor.chance, abs=0.03)


def test_purity_is_not_defined_where_no_two_points_share_a_label() -> None:
    found = judge.quality(cloud(10), cloud(10, 1, 2), np.arange(10), np.arange(10))
    assert (found.purity, found.map_purity, found.chance, found.labelled) == (None, None, None, 0)
    assert found.trustworthiness is not None
    assert judge.chance(np.full(9, -1)) is None


def test_copies_of_a_point_are_no_strangers() -> None:
    points = np.repeat(cloud(12), 20, axis=0)
    found = judge.quality(points, points[:, :2], np.zeros(240, int), np.arange(240))
    assert found.trustworthiness == 1.0


def test_a_part_of_the_points_judges_nearly_alike_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    points, labels = cloud(600), np.arange(600) % 3
    places = points[:, :2]
    whole = judge.quality(points, places, labels, np.arange(600))
    part = judge.quality(points, places, labels, judge.judged(600, 0)[::3])
    assert part.trustworthiness == pytest.approx(whole.trustworthiness, abs=0.03)
    told: list[int] = []
    monkeypatch.setattr(judge, "_BLOCK", 600 * 7)
    again = judge.quality(points, places, labels, np.arange(600), lambda done, _total: told.append(done))
    assert again.trustworthiness == pytest.approx(whole.trustworthiness, abs=1e-9)
    assert told[0] == 7
    assert told[-1] == 600


def test_fewer_of_more_points_are_judged() -> None:
    sizes = [len(judge.judged(count, 0)) for count in (0, 10, 5000, 1_000_000, 10_000_000)]
    assert sizes == [0, 10, 1000, 200, 50]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_so_few_points_have_no_figures(count: int) -> None:
    found = judge.quality(cloud(count), cloud(count, wide=2), np.zeros(count, int), np.arange(count))
    assert (found.trustworthiness, found.purity, found.judged) == (None, None, 0)


@given(st.integers(0, 1000), st.floats(0, 6.3), st.booleans(), st.floats(-50, 50))
def test_a_map_that_is_turned_mirrored_and_moved_has_no_drift(seed: int, turn: float, mirror: bool, by: float) -> None:
    places = cloud(30, seed, 2)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.diag([1, -1 if mirror else 1])
    moved = (places @ matrix + by).astype(np.float32)
    assert align.drift(align.turned(moved, places), places) == pytest.approx(0, abs=1e-3)
    assert np.allclose(align.turned(moved, places), places, atol=1e-3 * max(1, abs(by)))


def test_drift_has_the_scale_that_it_is_said_to_have() -> None:
    places = cloud(5000, 0, 2)
    assert align.drift(places, places * 7) == pytest.approx(0, abs=1e-6)
    assert align.drift(places, cloud(5000, 1, 2)) == pytest.approx(1.25, abs=0.03)
    assert align.drift(places[:1], places[:1]) is None
    assert align.drift(np.zeros((9, 2)), places[:9]) is None
    gone = places.copy()
    gone[0] = np.nan
    assert align.drift(gone, places) == pytest.approx(0, abs=1e-6)


def test_places_of_another_sample_are_found_by_instance() -> None:
    index, other = np.array([4, 9, 2, 7]), np.array([9, 4, 1])
    found = align.matched(index, np.array([[9, 9], [4, 4], [1, 1]]), other)
    assert np.array_equal(found[:2], [[4, 4], [9, 9]])
    assert np.isnan(found[2:]).all()
    assert np.isnan(align.matched(index, np.zeros((0, 2)), np.zeros(0, int))).all()


def test_axes_are_turned_round_to_face_another_map_and_nothing_else() -> None:
    places = cloud(50, wide=2)
    assert np.array_equal(spaces.facing(places * [-1, 1], places), places)
    assert np.array_equal(spaces.facing(places, places), places)
    assert np.array_equal(spaces.facing(places, np.full_like(places, np.nan)), places)


def test_neighbours_are_exact_with_equal_ones_by_number() -> None:
    points = cloud(60)
    points[[10, 20, 30]] = points[5]
    rows, apart = spaces.neighbours(points, 5, 8)
    slow = np.linalg.norm(points - points[5], axis=1)
    slow[5] = np.inf
    assert rows.tolist() == np.argsort(slow, kind="stable")[:8].tolist()
    assert rows[:3].tolist() == [10, 20, 30]
    assert np.allclose(apart, np.sort(slow)[:8], atol=1e-5)
    assert [len(part) for part in spaces.neighbours(points[:1], 0, 8)] == [0, 0]
    assert len(spaces.neighbours(points[:4], 0, 8)[0]) == 3


def test_instances_with_a_nan_are_no_points_and_neurons_that_do_not_vary_are_left_out() -> None:
    values = cloud(20)
    values[7, 2] = np.inf
    values[:, 4] = 3
    found = spaces.space(values)
    assert found.values.shape == (19, 5)
    assert found.nonfinite == 1
    assert 7 not in found.rows
    whole = found.whole(found.values[:, :2])
    assert np.isnan(whole[7]).all()
    assert np.isfinite(np.delete(whole, 7, 0)).all()
    assert spaces.space(np.ones((6, 3), np.float32)).alike
    assert not spaces.space(np.ones((1, 3), np.float32)).alike
