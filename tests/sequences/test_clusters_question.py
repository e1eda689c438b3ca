"""The question ``sequence_clusters``, with responses that are given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.errors import CutawayError, ParameterError
from analysis.sequences.clusters import chosen, sequence_clusters
from analysis.sequences.edges import WEIGHTS
from analysis.sequences.faults import SequenceError
from analysis.sequences.matching import agreement

SOURCE = {"layer": "rnn", "state": "hidden", "depth": -1, "words": "tokens"}


class Answer:
    def __init__(self, json: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        self.json, self.arrays = json, arrays

    def array(self, name: str) -> NDArray[Any]:
        return self.arrays[name]


class Context:
    cancelled = False

    def __init__(self) -> None:
        self.told: list[tuple[float, float]] = []

    def progress(self, done: float, total: float, _unit: str = "", _message: str = "") -> None:
        self.told.append((done, total))


def answer(mean: NDArray[Any], opinion: NDArray[Any] | None, rare: int = 0) -> Answer:
    """Words 0 of 40 instances of class 0 and 10 of class 1, or the other way round, or of both alike."""
    words = len(mean)
    opinion = np.full(words, -1) if opinion is None else opinion
    by_class = np.array([{0: (40, 10), 1: (10, 40)}.get(int(number), (20, 20)) for number in opinion])
    counts = np.arange(60 + words, 60, -1)
    counts[words - rare :] = 2
    arrays = {
        "id": np.arange(words) + 100,
        "count": counts,
        "mean": mean.astype(np.float32),
        "norm": np.linalg.norm(mean, axis=1),
        "by_class": by_class,
        "class_n": np.array([100, 100]),
    }
    return Answer({"names": [f"w{number}" for number in range(words)], "classes": ["bad", "good"]}, arrays)


def session(own: Answer, untrained: Any = None) -> Any:
    def ask(name: str, *, weights: str, **given: Any) -> Any:
        assert name == "sequence_responses"
        assert given == SOURCE
        if weights == "own":
            return own
        if isinstance(untrained, CutawayError):
            raise untrained
        return untrained or answer(np.random.default_rng(9).normal(size=own.array("mean").shape), None)

    return SimpleNamespace(ask=ask)


def opposite(words: int = 60, units: int = 30) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(0)
    opinion = np.arange(words) % 2
    profile = np.where(np.arange(units) % 3 == 0, -1, 1)
    return np.where(opinion == 1, 1, -1)[:, None] * profile + 0.7 * rng.normal(size=(words, units)), opinion


def asked(own: Answer, untrained: Any = None, **parameters: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    given = {"norm": 0.0, "k": 2} | parameters
    return sequence_clusters(session(own, untrained), Context(), **SOURCE, **given)


def test_opposite_words_part_by_default_and_merge_under_absolute() -> None:
    mean, opinion = opposite()
    value, arrays = asked(answer(mean, opinion), k=0)
    assert value["k"] == value["suggested"] == 2
    assert value["weight"] == "signed"
    assert value["score"]["class_ari"] == 1
    assert agreement(arrays["word_cluster"], opinion[arrays["word"]]) == 1
    merged, _ = asked(answer(mean, opinion), weight="absolute")
    assert merged["score"]["class_ari"] < 0.2


def test_scores_stand_beside_shuffled_and_untrained_ones() -> None:
    mean, opinion = opposite()
    value, _ = asked(answer(mean, opinion))
    shuffled, untrained = value["baselines"]["shuffled"], value["baselines"]["untrained"]
    assert set(value["score"]) == set(shuffled) == set(untrained)
    for name in ("explained", "explained_edges", "modularity"):
        assert value["score"][name] > 1.5 * max(shuffled[name], untrained[name])
    assert abs(untrained["class_ari"]) < 0.2
    assert value["stability"] == {"ari": 1, "lowest": 1, "seeds": 10}


def test_clusters_say_their_class_their_words_and_their_units() -> None:
    mean, opinion = opposite()
    value, arrays = asked(answer(mean, opinion))
    bad, good = value["word_clusters"]
    assert (bad["class"], good["class"]) == (0, 1)
    assert bad["lean"] > 1.96
    assert bad["size"] == good["size"] == 30
    assert len(bad["names"]) == 8
    assert all(int(name[1:]) % 2 == 0 for name in bad["names"])
    norms = [np.linalg.norm(mean[int(name[1:])]) for name in bad["names"]]
    assert norms == sorted(norms, reverse=True)
    assert sum(cluster["size"] for cluster in value["unit_clusters"]) == 30
    for cluster in value["unit_clusters"]:
        assert cluster["units"] == np.flatnonzero(arrays["unit_cluster"] == cluster["id"]).tolist()
    slow = mean[arrays["word"][arrays["word_cluster"] == 1]][:, arrays["unit_cluster"] == 0].mean()
    assert arrays["links"][1, 0] == pytest.approx(slow, rel=1e-4)
    assert arrays["links"][0, 0] > 0 > arrays["links"][1, 0]  # units stand with the words that raise them
    assert arrays["association"].shape == (60, 2)


def test_answers_are_plain_and_the_same_for_every_seed() -> None:
    mean, opinion = opposite()
    one, first = asked(answer(mean, opinion), random_state=0)
    other, second = asked(answer(mean, opinion), random_state=5)
    assert one["word_clusters"] == other["word_clusters"]
    assert np.array_equal(first["word_cluster"], second["word_cluster"])
    for name, values in first.items():
        assert values.flags["C_CONTIGUOUS"], name


@pytest.mark.parametrize("weight", WEIGHTS)
def test_every_weight_says_what_it_is_right_for(weight: str) -> None:
    mean, opinion = opposite(20, 12)
    value, _ = asked(answer(mean, opinion), weight=weight)
    assert value["why"].startswith("Right ")


def test_without_labels_there_is_no_agreement_with_classes() -> None:
    own = answer(opposite()[0], None)
    own.arrays |= {"by_class": np.zeros((60, 0), np.int64), "class_n": np.zeros(0, np.int64)}
    value, arrays = asked(own)
    assert value["score"]["class_ari"] is None
    assert value["baselines"]["shuffled"]["class_ari"] is None
    assert [cluster["class"] for cluster in value["word_clusters"]] == [None, None]
    assert arrays["association"].shape == (60, 0)
    own.arrays |= {"by_class": np.zeros((60, 2), np.int64), "class_n": np.zeros(2, np.int64)}
    assert asked(own)[0]["score"]["class_ari"] is None


def test_without_an_untrained_model_the_reason_is_said() -> None:
    mean, opinion = opposite()
    value, _ = asked(answer(mean, opinion), untrained=SequenceError("The states are NaN.", "Look."))
    assert value["baselines"]["untrained"] == {"reason": "The states are NaN."}


def test_the_untrained_model_is_compared_on_the_same_words() -> None:
    mean, opinion = opposite()
    own, other = answer(mean, opinion), answer(mean[::-1], None)
    other.arrays["id"] = own.array("id")[::-1].copy()
    value, _ = asked(own, untrained=other)
    assert value["baselines"]["untrained"] == pytest.approx(value["score"])


def test_rare_weak_and_further_words_are_left_out_and_counted() -> None:
    counts, norms = np.array([9, 8, 7, 6, 5, 4]), np.array([0.1, 5.0, 4.0, 3.0, np.nan, 9.0])
    rows, left_out = chosen(counts, norms, 5, 0.2, 3)
    assert rows.tolist() == [1, 2, 3]
    assert left_out == {"rare": 1, "weak": 1, "beyond": 1}
    value, arrays = asked(answer(*opposite(), rare=10), norm=0.25, most=20)
    assert value["words"] == 20
    assert value["left_out"] == {"rare": 10, "weak": 12, "beyond": 18}
    assert arrays["word"].tolist() == sorted(arrays["word"].tolist())


def test_progress_ends_when_all_is_done() -> None:
    context = Context()
    sequence_clusters(session(answer(*opposite())), context, **SOURCE, k=2)
    assert context.told[-1][0] == context.told[-1][1]


@pytest.mark.parametrize(
    ("words", "parameters", "said"),
    [
        (60, {"k": 21}, "21 clusters are not offered"),
        (60, {"k": 1}, "1 clusters are not offered"),
        (10, {"k": 12}, "12 clusters cannot be made of 10 words"),
        (60, {"norm": 1.0}, "no share of words"),
        (60, {"least": 0}, "fewer than 0 times"),
        (60, {"most": 1}, "1 words at most"),
        (60, {"weight": "cubed"}, "no edge weight"),
    ],
)
def test_parameters_out_of_range_are_refused_in_a_sentence(words: int, parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said) as raised:
        asked(answer(*opposite(words)), **parameters)
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda own: own.arrays.update(count=np.ones(60, np.int64)), "Of 60 words, none can be clustered: 60 occur"),
        (lambda own: own.arrays.update({name: own.arrays[name][:1] for name in own.arrays}), "Of one word, 1 can"),
        (lambda own: own.arrays["mean"].__setitem__((slice(None), 3), np.nan), "60 of 60 words hold NaN"),
        (lambda own: own.arrays["mean"].fill(0), "no word changes the state"),
    ],
)
def test_what_cannot_be_clustered_is_said_in_a_sentence(change: Any, said: str) -> None:
    own = answer(*opposite())
    change(own)
    with pytest.raises(SequenceError, match=said) as raised:
        asked(own)
    assert raised.value.remedy
