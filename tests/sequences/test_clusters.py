"""Co-clusters are those that were planted, whatever the seed, the order and the scale."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.cluster import KMeans, SpectralCoclustering
from sklearn.datasets import make_biclusters
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.extmath import randomized_svd

from analysis.errors import ParameterError
from analysis.sequences import eigengap, scores
from analysis.sequences.coclustering import cocluster, suggest
from analysis.sequences.edges import WEIGHTS, edges
from analysis.sequences.faults import SequenceError
from analysis.sequences.lloyd import kmeans
from analysis.sequences.matching import agreement
from analysis.sequences.spectral import positions, spectrum
from analysis.sequences.stability import stability

Array = NDArray[np.float64]


def planted(kind: str, clusters: int, seed: int = 0, words: int = 90, units: int = 80) -> tuple[Array, Array, Array]:
    """Responses (W, U) with noise of deviation 1, clusters of words and of units.

    'blocks' raise their units; 'mixed' raise and lower them entry by entry; 'opposite': words of two kinds, each
    lowering what the other raises.
    """
    rng = np.random.default_rng(seed)
    of_words, of_units = np.arange(words) % clusters, np.arange(units) % clusters
    inside = of_words[:, None] == of_units
    base = {
        "blocks": 2.0 * inside,
        "mixed": 3.0 * inside * rng.choice([-1, 1], size=inside.shape),
        "opposite": 1.5 * np.where(inside, 1, -1),
    }[kind]
    heavy = np.exp(0.4 * rng.normal(size=words))[:, None]  # some words respond more than others
    return heavy * (base + rng.normal(size=inside.shape)), of_words, of_units


@pytest.mark.parametrize("clusters", [2, 4])
@pytest.mark.parametrize("weight", ["signed", "raw", "positive"])
def test_planted_blocks_are_found_by_every_weight_that_keeps_the_sign(weight: str, clusters: int) -> None:
    responses, of_words, of_units = planted("blocks", clusters)
    found = cocluster(responses, clusters, weight=weight)
    assert agreement(found.words, of_words) > 0.9
    assert agreement(found.units, of_units) > 0.9
    assert (found.words[:clusters, None] == found.units[:clusters]).tolist() == np.eye(clusters, dtype=bool).tolist()


@pytest.mark.parametrize("clusters", [2, 4])
def test_blocks_of_mixed_signs_are_found_by_absolute_and_not_by_raw(clusters: int) -> None:
    responses, of_words, _ = planted("mixed", clusters)
    assert agreement(cocluster(responses, clusters, weight="absolute").words, of_words) > 0.9
    assert agreement(cocluster(responses, clusters, weight="raw").words, of_words) < 0.2


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_opposite_words_part_where_the_sign_counts_and_merge_where_it_does_not(seed: int) -> None:
    responses, of_words, _ = planted("opposite", 2, seed)
    assert agreement(cocluster(responses, 2, weight="signed").words, of_words) > 0.9
    assert agreement(cocluster(responses, 2, weight="raw").words, of_words) > 0.9
    assert agreement(cocluster(responses, 2, weight="absolute").words, of_words) < 0.2


def test_a_unit_that_opposite_words_move_has_a_side_in_either_cluster() -> None:
    responses, of_words, of_units = planted("opposite", 2)
    found = cocluster(responses, 2)
    assert (found.raised != found.lowered).all()
    assert (found.units == found.raised).all()
    assert (found.words[of_words == 0][0] == found.raised[of_units == 0]).all()


def test_a_unit_that_is_only_lowered_belongs_where_it_is_lowered() -> None:
    responses, _, of_units = planted("blocks", 2)
    responses[:, of_units == 1] = -np.abs(responses[:, of_units == 1])
    found = cocluster(responses, 2)
    assert (found.units[of_units == 1] == found.lowered[of_units == 1]).all()


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    scale=st.floats(1e-6, 1e6),
    weight=st.sampled_from(sorted(WEIGHTS)),
)
def test_neither_the_order_of_words_and_units_nor_the_scale_matters(seed: int, scale: float, weight: str) -> None:
    responses, *_ = planted("mixed" if weight == "absolute" else "blocks", 3, seed % 7, 60, 50)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(60), rng.permutation(50)
    one = cocluster(responses, 3, weight=weight)
    other = cocluster(scale * responses[rows][:, columns], 3, weight=weight, random_state=seed)
    assert np.array_equal(one.words[rows], other.words)
    assert np.array_equal(one.units[columns], other.units)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_clusters_have_the_same_numbers_for_every_seed(weight: str) -> None:
    responses, *_ = planted("mixed" if weight == "absolute" else "blocks", 4)
    found = [cocluster(responses, 4, seed, weight=weight) for seed in range(8)]
    assert all(np.array_equal(one.words, other.words) for one, other in pairwise(found))
    assert all(np.array_equal(one.columns, other.columns) for one, other in pairwise(found))


def test_without_labels_the_cluster_with_most_weight_comes_first() -> None:
    responses, *_ = planted("blocks", 3)
    found = cocluster(responses, 3, weight="positive")
    weights = [
        found.edges[found.words == k].sum() / found.edges.sum()
        + found.edges[:, found.units == k].sum() / found.edges.sum()
        for k in range(3)
    ]
    assert weights == sorted(weights, reverse=True)


def test_with_labels_clusters_come_in_the_order_of_their_classes() -> None:
    responses, of_words, _ = planted("opposite", 2)
    z = np.stack([np.where(of_words == 0, 3.0, -3.0), np.where(of_words == 0, -3.0, 3.0)], axis=1)
    for order in (1, -1):
        found = cocluster(responses, 2, association=z[:, ::order])
        assert found.words[of_words == (0 if order == 1 else 1)].max() == 0


@pytest.mark.parametrize("clusters", [2, 3, 5])
def test_the_same_is_found_as_by_scikit_learn_on_its_own_ground(clusters: int) -> None:
    responses, *_ = make_biclusters((120, 100), clusters, noise=3, minval=10, random_state=0)
    responses = np.abs(responses)
    theirs = SpectralCoclustering(clusters, random_state=0, n_init=5).fit(responses)
    found = cocluster(responses, clusters, weight="absolute")
    assert agreement(found.words, theirs.row_labels_) == 1
    assert agreement(found.units, theirs.column_labels_) == 1


def test_all_informative_vectors_find_what_scikit_learns_fewer_miss() -> None:
    """It takes log2 k of them: of four clusters alike, two of three, which depends on chance."""
    rng = np.random.default_rng(0)
    of_words, of_units = rng.integers(4, size=120), rng.integers(4, size=100)
    responses = rng.exponential(size=(120, 100)) * np.where(of_words[:, None] == of_units, 3.0, 1.0)
    theirs = SpectralCoclustering(4, random_state=0, n_init=5).fit(responses)
    found = cocluster(responses, 4, weight="absolute")
    assert agreement(found.words, of_words) > 0.95 > agreement(theirs.row_labels_, of_words)


@pytest.mark.parametrize("signs", [False, True])
def test_the_spectrum_is_that_of_the_whole_decomposition(signs: bool) -> None:
    responses, *_ = planted("blocks", 4, words=150, units=120)
    weights = edges(responses, "raw" if signs else "absolute").astype(np.float64)
    found = spectrum(weights.astype(np.float32), 5, signs=signs)
    assert found.products > 0  # it was not computed as a whole
    rows, columns = np.abs(weights).sum(1), np.abs(weights).sum(0)
    left, values, right = np.linalg.svd(weights / np.sqrt(rows)[:, None] / np.sqrt(columns))
    assert found.values == pytest.approx(values[:5], abs=1e-4)
    assert np.abs((found.words * left[:, :5]).sum(0))[:4] == pytest.approx(1, abs=1e-3)
    assert np.abs((found.units * right[:5].T).sum(0))[:4] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("weight", ["absolute", "raw"])
def test_responses_of_one_rank_have_a_spectrum_and_clusters(weight: str) -> None:
    """The iteration runs out of directions before it has as many vectors as are asked for."""
    rng = np.random.default_rng(0)
    responses = np.outer(rng.normal(size=80), rng.normal(size=70))
    found = spectrum(edges(responses, weight), 5, signs=weight == "raw")
    assert found.values[0] == pytest.approx(1, abs=1e-3)
    assert found.values[1:] == pytest.approx(0, abs=1e-2)
    words = cocluster(responses, 2, weight=weight).words
    if weight == "raw":
        assert agreement(words, (responses[:, 0] > 0).astype(int)) == 1


def test_a_small_spectrum_is_the_same_as_a_truncated_one() -> None:
    responses, *_ = planted("blocks", 2, words=30, units=10)
    weights = edges(responses, "absolute")
    found = spectrum(weights, 3, signs=False)
    assert found.products == 0
    matrix = weights / np.sqrt(weights.sum(1))[:, None] / np.sqrt(weights.sum(0))
    assert found.values == pytest.approx(randomized_svd(matrix, 3, random_state=0)[1], abs=1e-4)


def test_many_starts_cost_no_more_squares_than_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3000, 3)).astype(np.float32) + rng.integers(4, size=3000)[:, None]
    labels = kmeans(points, 5)
    assert sorted(np.unique(labels)) == [0, 1, 2, 3, 4]
    own = sum(((points[labels == k] - points[labels == k].mean(0)) ** 2).sum() for k in range(5))
    assert own <= 1.005 * KMeans(5, n_init=20, random_state=0).fit(points).inertia_


def test_seeds_agree_on_weak_structure() -> None:
    rng = np.random.default_rng(0)
    of_words, of_units = np.arange(200) % 4, np.arange(240) % 4
    responses = rng.normal(size=(200, 240)) + 0.6 * (of_words[:, None] == of_units)
    found = stability(lambda seed: cocluster(responses, 4, seed, weight="signed").nodes)
    assert found["seeds"] == 10
    assert found["lowest"] >= 0.95


def test_stability_is_the_mean_and_the_lowest_agreement_of_pairs() -> None:
    labels = {0: [0, 0, 1, 1], 1: [1, 1, 0, 0], 2: [0, 1, 0, 1]}
    found = stability(lambda seed: np.array(labels[seed]), range(3))
    each = [adjusted_rand_score(labels[a], labels[b]) for a, b in combinations(range(3), 2)]
    assert found == {"ari": pytest.approx(np.mean(each)), "lowest": pytest.approx(min(each)), "seeds": 3}


@pytest.mark.parametrize("weight", ["signed", "positive", "raw"])
@pytest.mark.parametrize("clusters", [2, 5])
def test_the_eigengap_suggests_what_was_planted(weight: str, clusters: int) -> None:
    responses, *_ = planted("blocks", clusters)
    suggested, gaps = suggest(responses, weight)
    assert suggested == clusters
    assert [k for k, _ in gaps] == list(range(2, 21))


def test_two_opposite_groups_suggest_two_clusters_from_their_one_signed_value() -> None:
    assert suggest(planted("opposite", 2)[0], "raw")[0] == 2
    assert eigengap.suggested(eigengap.gaps(np.array([0.9, 0.2, 0.19, 0.1]))) == 2
    assert eigengap.suggested([]) == 2


def test_gaps_go_no_further_than_there_are_words() -> None:
    suggested, gaps = suggest(planted("blocks", 2, words=6, units=40)[0])
    assert 2 <= suggested <= 6
    assert gaps[-1][0] <= 6


def test_positions_do_not_depend_on_the_unit_of_the_responses() -> None:
    weights = edges(planted("blocks", 3)[0], "absolute")
    one, other = (positions(spectrum(scale * weights, 4, signs=False), 3) for scale in (np.float32(1), np.float32(1e3)))
    assert np.abs(one[0]) == pytest.approx(np.abs(other[0]), rel=1e-2, abs=1e-3)


def test_explained_shares_are_those_of_means_of_blocks() -> None:
    rng = np.random.default_rng(0)
    values, rows, columns = rng.normal(size=(12, 9)), rng.integers(3, size=12), rng.integers(2, size=9)
    means = np.array([[values[rows == r][:, columns == c].mean() for c in columns] for r in rows])
    slow = 1 - ((values - means) ** 2).sum() / ((values - values.mean()) ** 2).sum()
    assert scores.explained(values, rows, columns) == pytest.approx(slow, rel=1e-5)
    assert scores.explained(np.ones((4, 4)), np.zeros(4, int), np.zeros(4, int)) is None
    exact = np.where(rows[:, None] == columns, 1.0, -2.0)
    assert scores.explained(exact, rows, columns) == pytest.approx(1)
    found = scores.links(values, rows, columns, 4)
    assert found[1, 0] == pytest.approx(values[rows == 1][:, columns == 0].mean(), rel=1e-5)
    assert found[3].tolist() == [0, 0, 0, 0]


def test_modularity_is_barbers_and_of_signed_edges_that_of_either_sign() -> None:
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(2, size=8), rng.integers(2, size=6)
    same = rows[:, None] == columns

    def barber(weights: Array) -> float:
        expected = np.outer(weights.sum(1), weights.sum(0)) / weights.sum()
        return ((weights - expected) * same).sum() / weights.sum()

    weights = rng.random((8, 6)).astype(np.float32)
    assert scores.modularity(weights, rows, columns) == pytest.approx(barber(weights), abs=1e-6)
    signed = rng.normal(size=(8, 6)).astype(np.float32)
    up, down = np.maximum(signed, 0), np.maximum(-signed, 0)
    slow = (up.sum() * barber(up) - down.sum() * barber(down)) / (up.sum() + down.sum())
    assert scores.modularity(signed, rows, columns) == pytest.approx(slow, abs=1e-6)
    assert scores.modularity(np.zeros((2, 2), np.float32), np.array([0, 1]), np.array([0, 1])) is None


def test_agreement_with_classes_counts_words_that_clearly_go_with_one() -> None:
    clusters, leaning = np.array([0, 0, 1, 1, 1]), np.array([1, 1, 0, 0, -1])
    assert scores.class_agreement(clusters, leaning) == 1
    assert scores.class_agreement(clusters, np.array([1, 1, 1, 1, -1])) is None
    assert scores.class_agreement(clusters, np.full(5, -1)) is None


def test_what_cannot_be_clustered_is_said_in_a_sentence() -> None:
    responses, *_ = planted("blocks", 2, words=10, units=8)
    for k, words, units, said in (
        (9, 10, 8, "9 clusters cannot be made of 8 units."),
        (8, 7, 8, "8 clusters cannot be made of 7 words."),
        (2, 1, 8, "There is only 1 word"),
        (2, 10, 1, "There is only 1 unit"),
        (1, 10, 8, "1 clusters are too few"),
    ):
        with pytest.raises(ParameterError, match=said) as raised:
            cocluster(responses[:words, :units], k)
        assert raised.value.remedy
    broken = responses.copy()
    broken[3, 2] = np.nan
    with pytest.raises(SequenceError, match="1 of 10 words hold NaN"):
        cocluster(broken, 2)
    with pytest.raises(SequenceError, match="All responses are 0"):
        cocluster(np.zeros((5, 4)), 2)
    with pytest.raises(SequenceError, match="No word raises any unit"):
        cocluster(-np.abs(responses), 2, weight="positive")
    with pytest.raises(ParameterError, match="no edge weight 'cubed'"):
        cocluster(responses, 2, weight="cubed")


@pytest.mark.parametrize("weight", WEIGHTS)
def test_a_word_or_unit_without_any_response_does_no_harm(weight: str) -> None:
    responses, of_words, _ = planted("mixed" if weight == "absolute" else "blocks", 2)
    responses[:, 5], responses[7] = 0, 0
    found = cocluster(responses, 2, weight=weight)
    kept = np.arange(len(of_words)) != 7
    assert agreement(found.words[kept], of_words[kept]) > 0.9


@pytest.mark.parametrize("weight", WEIGHTS)
def test_two_words_and_two_units_are_enough(weight: str) -> None:
    found = cocluster(np.array([[1.0, 0.1], [0.1, 1.0]]), 2, weight=weight)
    assert sorted(found.words) == [0, 1]
    assert found.units.tolist() == found.words.tolist()
