"""Planted errors are suggested in words, and noise is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from analysis.errors import NotFound, ParameterError
from analysis.subsets.expression import select
from analysis.subsets.table import Column
from analysis.suggestions.suggest import _layers, suggested_subsets, telling_labels

from . import planted


def suggested(stage: planted.Stage) -> dict:
    value, arrays = suggested_subsets(stage, planted.context())
    assert arrays == {}
    return value


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (planted.phrase, "the text contains “blue lagoon”"),
        (planted.stripe, "brightness, top left is above"),
        (planted.metadata, "Night is true"),
    ],
)
def test_a_planted_cause_is_among_the_first_three_in_words(
    plant: Callable[[int, int], planted.Stage], words: str, seed: int
) -> None:
    found = suggested(plant(1000, seed))
    assert any(words in one["words"] for one in found["suggestions"][:3]), found["suggestions"][:3]
    assert found["reason"] == ""


def test_a_suggestion_tells_its_evidence() -> None:
    stage = planted.phrase(1000, 0)
    found = suggested(stage)
    first = found["suggestions"][0]
    table = stage.table
    members = select(first["text"], table)
    assert (first["size"], first["wrong"]) == (int(members.sum()), int((members & table.wrong).sum()))
    assert first["sentence"].startswith("Where the text contains “blue lagoon”, 51 of 51 are wrong (100 %)")
    held = first["held_out"]
    assert first["share"] == held["wrong"] / held["size"]
    assert 0 <= first["low"] < first["share"] <= first["high"] <= 1
    assert first["low"] > found["base"]
    assert first["p"] <= first["q"] <= found["rate"]
    assert first["lift"] == pytest.approx(first["share"] / first["base"])
    assert set(first["instances"]) <= set(table.indices[members & table.wrong].tolist())
    assert found["searched"] + found["held_out"] == found["n"] == 1000
    ranks = [one["excess"] for one in found["suggestions"]]
    assert ranks == sorted(ranks, reverse=True)


def test_of_noise_there_is_a_suggestion_in_at_most_one_of_twenty_seeds() -> None:
    """Rates over more seeds, measured once: 9 of 300 (n = 1,000, 15 % wrong), 3 of 300 (n = 300, 30 %), 2 of 150
    (n = 1,000, 2 %)."""
    seeds = 100
    hits = sum(bool(suggested(planted.noise(300, 5000 + seed, 0.3, units=12))["suggestions"]) for seed in range(seeds))
    assert hits <= 0.05 * seeds


def test_the_answer_is_the_same_each_time() -> None:
    assert suggested(planted.metadata(600, 4)) == suggested(planted.metadata(600, 4))


def test_a_cluster_of_failures_without_a_column_is_found_in_activations() -> None:
    stage = planted.noise(1000, 3, 0.08, texts=False)
    own = np.random.default_rng(9).random(1000) < 0.08
    stage.layers["last"][own] += 3 * np.eye(24, dtype=np.float32)[7] + 2 * np.eye(24, dtype=np.float32)[8]
    stage = planted.Stage(1000, 3, stage.wrong | own, stage.columns, stage.layers)
    first = suggested(stage)["suggestions"][0]
    assert first["kind"] in ("cluster", "neuron")
    assert first["layer"] == "last"
    assert first["neurons"][0]["neuron"] in (7, 8)
    members = select(first["text"], stage.table)
    assert (members & own).sum() > 0.8 * own.sum()


def test_what_cannot_be_searched_is_said() -> None:
    none = planted.Stage(200, 0, np.zeros(200, bool), [])
    assert suggested(none)["reason"].startswith("0 of 200 instances are wrong: too few")
    unlabelled = planted.Stage(200, 0, np.zeros(200, bool), [], labels=np.zeros(200, np.int64))
    unlabelled.labels = np.full(200, -1)
    found = suggested(unlabelled)
    assert found["reason"].startswith("No instance of the sample has a label")
    assert found["base"] is None
    every = planted.Stage(200, 0, np.ones(200, bool), [])
    assert "nearly all" in suggested(every)["reason"]
    assert "were tested: none" in suggested(planted.noise(300, 5001, 0.3))["reason"]


def test_instances_without_a_label_are_left_out() -> None:
    stage = planted.stripe(1000, 0)
    assert stage.labels is not None
    stage.labels[::10] = -1
    found = suggested(stage)
    assert found["n"] == 900
    first = found["suggestions"][0]
    assert first["size"] == int((select(first["text"], stage.table) & (stage.labels >= 0)).sum())


def test_columns_that_cannot_be_computed_are_told_and_the_rest_is_searched() -> None:
    stage = planted.stripe(600, 1)

    def failing(*_given: object, **_params: object) -> None:
        raise NotFound("Metadata are gone.", "")

    stage.ask = failing  # type: ignore[method-assign]
    found = suggested(stage)
    assert found["left_out"] == [["columns", "Metadata are gone."]]
    assert found["tests"] > 0


def test_large_samples_are_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.suggestions.suggest.MOST", 800)
    stage = planted.stripe(2000, 0)
    found = suggested(stage)
    assert found["n"] == 2000
    assert found["searched"] + found["held_out"] == 800
    first = found["suggestions"][0]
    assert "top left" in first["words"]
    assert first["size"] == int(select(first["text"], stage.table).sum())


@pytest.mark.parametrize("classes", [1, 2, 10_000])
def test_any_number_of_classes_is_searched(classes: int) -> None:
    stage = planted.stripe(400, 2)
    names = tuple(f"class {at}" for at in range(max(2, classes)))
    labels = np.random.default_rng(0).integers(0, classes, 400)
    found = suggested(planted.Stage(400, 2, stage.wrong, stage.columns, stage.layers, names, labels))
    assert "top left" in found["suggestions"][0]["words"]


def test_a_column_that_tells_the_label_is_not_put_beside_the_prediction() -> None:
    stage = planted.noise(1000, 0, 0.2, texts=False)
    assert stage.labels is not None
    kinds = Column("kind", "Kind", "category", stage.labels.astype(np.int32), ("a", "b", "c", "d"), source="metadata")
    found = suggested(planted.Stage(1000, 0, stage.wrong, [*stage.columns, kinds], stage.layers, labels=stage.labels))
    assert not any({"kind", "prediction"} <= set(one["features"]) for one in found["suggestions"])
    assert telling_labels(replace(stage.table, columns={**stage.table.columns, "kind": kinds})) == {"label", "kind"}


def test_odd_columns_and_activations_do_no_harm() -> None:
    stage = planted.stripe(400, 2)
    n = 400
    odd = [
        Column("same", "Same", "number", np.ones(n), source="metadata"),
        Column("gone", "Gone", "number", np.full(n, np.nan), source="metadata"),
        Column("wild", "Wild", "number", np.where(np.arange(n) % 3, np.inf, -1e300), source="metadata"),
        Column("none", "None", "category", np.full(n, -1, np.int32), (), source="metadata"),
        Column("each", "Each", "category", np.arange(n, dtype=np.int32), tuple(map(str, range(n))), source="metadata"),
        Column("ti`ck", "Tick", "truth", np.full(n, 255, np.uint8), source="function"),
        planted.text_column([[""]] * n),
    ]
    layers = {"nan": np.full((n, 3), np.nan, np.float32), "flat": np.zeros((n, 5), np.float32)}
    layers["one"] = np.arange(n, dtype=np.float32)[:, None]
    found = suggested(planted.Stage(n, 2, stage.wrong, [*stage.columns, *odd], layers))
    assert "top left" in found["suggestions"][0]["words"]
    assert found["suggestions"][0]["neurons"] == []


def test_few_instances_are_searched_too() -> None:
    stage = planted.noise(24, 0, 0.5, texts=False)
    stage = planted.Stage(24, 0, np.arange(24) % 2 == 0, stage.columns, stage.layers)
    assert suggested(stage)["reason"]


def test_wide_networks_are_looked_at_in_fewer_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.suggestions.suggest.VALUES", 400 * 24)
    extraction = planted.noise(400, 0).extraction()
    assert _layers(extraction, 400) == ["last"]
    assert _layers(extraction, 100) == ["first", "last"]


def test_other_targets_are_refused() -> None:
    with pytest.raises(ParameterError):
        suggested_subsets(planted.noise(100, 0), planted.context(), of="love")
