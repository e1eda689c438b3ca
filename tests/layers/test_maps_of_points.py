"""The layout of maps: neighbours, graph and trustworthiness against slow ways; determinism; equal points."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import trustworthiness as slow_trustworthiness

from analysis.demos.digits import load_digits
from analysis.layers import umap_layout
from analysis.layers.principal import principal
from analysis.layers.scaling import classical


def blobs(count: int = 240, groups: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    member = np.arange(count) % groups
    return (rng.normal(size=(groups, 12))[member] * 4 + rng.normal(size=(count, 12))).astype(np.float32), member


def test_neighbours_are_exact_and_the_nearest_first() -> None:
    points, _ = blobs()
    indices, distances = umap_layout.nearest(points, 9)
    apart = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
    np.fill_diagonal(apart, np.inf)
    assert np.array_equal(indices, apart.argsort(1)[:, :9])
    assert np.allclose(distances, np.sort(apart, 1)[:, :9], atol=1e-4)


def test_memberships_sum_to_the_logarithm_of_their_number() -> None:
    points, _ = blobs()
    indices, distances = umap_layout.nearest(points, 14)
    graph = umap_layout.fuzzy_graph(indices, distances).toarray()
    assert np.allclose(graph, graph.T)
    assert graph.max() <= 1 + 1e-9
    one = umap_layout.fuzzy_graph(indices[:1] * 0, distances[:1])  # all mass of one point on itself
    assert one.shape == (1, 1)
    rho = distances[:, 0]
    for i in (0, 5, 9):  # the directed sums, before they are made symmetric
        low, high = 1e-6, 1e3
        for _ in range(100):
            sigma = (low + high) / 2
            total = np.exp(-(distances[i] - rho[i]) / sigma).sum()
            low, high = (low, sigma) if total > np.log2(15) else (sigma, high)
        strength = np.exp(-(distances[i] - rho[i]) / sigma)
        for j, w in zip(indices[i], strength, strict=True):
            assert graph[i, j] >= w - 1e-3


def test_the_curve_is_that_of_umap_learn() -> None:
    assert umap_layout.curve(0.1) == pytest.approx((1.5769, 0.8951), abs=1e-3)


def test_groups_stay_together_and_a_map_is_repeated_bit_by_bit() -> None:
    points, member = blobs()
    reduced = principal(points, 10)[0]
    told: list[int] = []
    first = umap_layout.embed(reduced, tick=lambda done, _total: told.append(done))
    assert np.array_equal(first, umap_layout.embed(reduced))
    assert not np.array_equal(first, umap_layout.embed(reduced, random_state=1))
    assert np.isfinite(first).all()
    assert told[-1] == len(told) == 300
    indices, _ = umap_layout.nearest(first, 10)
    assert (member[indices] == member[:, None]).mean() > 0.99


def test_trustworthiness_is_that_of_scikit_learn_and_equal_points_are_no_strangers() -> None:
    points, _ = blobs()
    places = points[:, :2]
    assert umap_layout.trustworthiness(points, places, 12) == pytest.approx(
        slow_trustworthiness(points, places, n_neighbors=12), abs=1e-5
    )
    copies = np.repeat(points[:20], 12, axis=0)
    assert umap_layout.trustworthiness(copies, np.repeat(points[:20, :2], 12, axis=0), 10) == 1.0
    assert umap_layout.trustworthiness(points, places, 12, np.arange(100)) == pytest.approx(
        slow_trustworthiness(points, places, n_neighbors=12), abs=0.05
    )


def test_the_map_of_digits_is_as_trustworthy_as_that_of_umap_learn() -> None:
    """umap-learn 0.5.12 with its defaults reaches .961 on 2,048 of them; compiling it takes longer than this test."""
    images, _ = load_digits()
    chosen = np.random.default_rng(0).permutation(5000)[:2048]
    reduced = principal(images[chosen].flatten(1).numpy(), 50)[0]
    places = umap_layout.embed(reduced)
    assert umap_layout.trustworthiness(reduced, places) > 0.951
    assert umap_layout.trustworthiness(reduced, reduced[:, :2]) < 0.80


def test_equal_points_become_a_small_disc() -> None:
    points, _ = blobs()
    points[::3] = points[0]
    places = umap_layout.embed(principal(points, 10)[0])
    disc = places[::3]
    assert np.linalg.norm(disc - disc[0], axis=1).max() < 0.2
    assert len(np.unique(disc, axis=0)) == len(disc)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_few_points_have_a_place(count: int) -> None:
    places = umap_layout.embed(np.arange(count * 3, dtype=np.float32).reshape(count, 3))
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()


@pytest.mark.parametrize("count", [50, 500])
def test_classical_scaling_restores_a_plane(count: int) -> None:
    plane = np.random.default_rng(0).normal(size=(count, 2)) * [3, 1]
    apart = np.sqrt(((plane[:, None] - plane[None]) ** 2).sum(-1)).astype(np.float32)
    found = classical(apart.copy())
    again = np.sqrt(((found[:, None] - found[None]) ** 2).sum(-1))
    assert np.allclose(again, apart, atol=0.02)
