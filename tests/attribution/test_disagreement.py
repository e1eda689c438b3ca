"""Methods compared over many instances: each map is an answer of its own, and the comparison is the slow one's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from analysis.attribution.disagreement import attribution_disagreement, disagreement
from analysis.errors import NotFound, ParameterError
from analysis.jobs.context import Cancelled

METHODS = [{"method": name, "version": 1, "params": {}} for name in ("one", "two", "three")]


class Answered:
    """Stands for an answer."""

    def __init__(self, values: np.ndarray, form: str = "input") -> None:
        self.json = {"form": form, "coarse": False}
        self.values = values

    def array(self, _name: str) -> np.ndarray:
        return self.values


class Session:
    """Answers with random tables; instance 13 cannot be explained."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []
        self.published: list[dict[str, Any]] = []
        self.context: Any = None

    def ask(self, question: str, *, instance: int, method: str, **more: Any) -> Any:
        assert question == "attribution"
        assert more == {"target": "true", "unit": "", "edit": [], "version": 1, "params": {}}
        self.context.progress(0, 0, "", "Looking at the model")  # as every method does
        self.asked.append((instance, method))
        if instance == 13:
            raise NotFound("It cannot be read.", "")
        return Answered(self.values(instance, method))

    def values(self, instance: int, method: str) -> np.ndarray:
        if instance == 7:
            return np.zeros(9, np.float32)
        return np.random.default_rng([instance, len(method)]).normal(size=9).astype(np.float32)

    def partial(self, value: dict[str, Any], _arrays: Any) -> None:
        self.published.append(value)


class Context:
    """A job; cancelled after so many instances."""

    def __init__(self, most: int = 1000) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.most = most
        self.breaths = 0

    @property
    def cancelled(self) -> bool:
        return self.breaths >= self.most

    def progress(self, *told: Any) -> None:
        self.told.append(told)

    def breathe(self) -> None:
        self.breaths += 1


def over(instances: list[int], context: Context | None = None, **more: Any) -> tuple[Any, Any, Session]:
    session = Session()
    session.context = context or Context()
    told = {"methods": METHODS, "target": "true"} | more
    value, arrays = attribution_disagreement(session, session.context, instances=instances, **told)
    return value, arrays, session


def test_it_is_the_slow_comparison_of_every_instance() -> None:
    value, arrays, session = over([3, 1, 2])
    assert arrays["instance"].tolist() == [3, 1, 2]
    for index, found in zip([3, 1, 2], arrays["disagreement"], strict=True):
        maps = [np.abs(session.values(index, one["method"])) for one in METHODS]
        pairs = [spearmanr(maps[a], maps[b]).statistic for a, b in ((0, 1), (0, 2), (1, 2))]
        assert found == pytest.approx(1 - np.mean(pairs), abs=1e-6)
    assert value == {"n": 3, "done": 3, "of": 3, "skipped": []}
    assert session.asked == [(index, one["method"]) for index in (3, 1, 2) for one in METHODS]


def test_what_cannot_be_explained_or_is_constant_is_undefined_and_stops_nothing() -> None:
    value, arrays, _ = over([13, 7, 1])
    assert np.isnan(arrays["disagreement"]).tolist() == [True, True, False]
    assert value["n"] == 1
    assert value["skipped"] == [[13, "It cannot be read."]]


def test_what_holds_for_all_instances_is_an_error_and_no_answer_that_is_kept() -> None:
    with pytest.raises(NotFound, match="None of 10 instances can be explained: It cannot be read"):
        over([13] * 30)
    with pytest.raises(NotFound, match="None of 1 instances"):
        over([13])
    value, _, _ = over([13] * 9 + [1, 13])
    assert value["n"] == 1


def test_progress_counts_instances_and_others_may_go_first() -> None:
    context = Context()
    over([1, 2, 3], context)
    assert context.told == [(done, 3, "instances", "Explaining") for done in range(3)]
    assert context.breaths == 3
    with pytest.raises(Cancelled):
        over([1, 2, 3, 4], Context(most=2))


def test_what_is_there_is_published_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.attribution.disagreement.SECONDS", -1.0)
    _, _, session = over([1, 2, 3])
    assert [(one["done"], one["partial"]) for one in session.published] == [(1, True), (2, True)]


def test_what_makes_no_sense_is_refused_in_words() -> None:
    with pytest.raises(ParameterError, match="cannot disagree"):
        over([1], methods=METHODS[:1])
    with pytest.raises(ParameterError, match="at once"):
        over([])
    with pytest.raises(ParameterError, match="1,001 instances"):
        over(list(range(1001)))


def test_values_of_a_layer_are_not_compared_with_those_of_the_input() -> None:
    values = np.arange(5, dtype=np.float32)
    assert disagreement([Answered(values), Answered(values, "filters")]) is None  # type: ignore[list-item]
    same, turned, scaled = Answered(values), Answered(-values), Answered(3 * values)
    assert disagreement([same, turned, scaled]) == pytest.approx(0.0)  # type: ignore[list-item]
