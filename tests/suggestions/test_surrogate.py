"""Surrogates find planted rules, and are never told without what they are worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis.errors import ParameterError
from analysis.subsets.expression import select
from analysis.subsets.table import Column
from analysis.suggestions import imitators
from analysis.suggestions.surrogate import KINDS, OF, surrogate

from . import planted


def ruled(n: int = 900, seed: int = 0) -> planted.Stage:
    """Predictions follow a word, then a number, then a camera."""
    stage = planted.noise(n, seed, 0.05)
    columns = {one.name: one for one in stage.columns}
    good = np.array([" good " in f" {text} " for text in columns["text"].values])
    labels = np.select([good, columns["number1"].values > 0.8, columns["camera"].values == 1], [0, 1, 2], 3)
    return planted.Stage(n, seed, stage.wrong, stage.columns, stage.layers, labels=labels)


def told(stage: planted.Stage, **how: str) -> dict[str, Any]:
    value, arrays = surrogate(stage, planted.context(), **how)
    assert arrays == {}
    return value


def test_a_planted_rule_list_is_read_back() -> None:
    found = told(ruled(), kind="rules")
    assert found["rules"][0]["if"] == "the text contains “good”"
    assert any(one["if"].startswith("number 1 is above 0.8") for one in found["rules"])
    assert any("Camera is green" in one["if"] for one in found["rules"])
    assert [found["classes"][one["then"]] for one in found["rules"]][:1] == ["cat"]
    assert found["classes"][found["default"]["then"]] == "fish"
    assert found["fidelity"]["held_out"] > 0.85
    assert found["fidelity"]["better"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("of", OF)
def test_fidelity_is_always_there_with_its_interval_and_the_majority(kind: str, of: str) -> None:
    found = told(ruled(400), kind=kind, of=of)
    worth = found["fidelity"]
    assert found["reason"] == ""
    assert worth["low"] <= worth["held_out"] <= worth["high"]
    assert 0 <= worth["baseline"] <= 1
    assert worth["n_train"] + worth["n_held_out"] == found["n"] == 400
    assert found["library"]


@pytest.mark.parametrize("kind", ["rules", "tree"])
def test_rules_part_the_sample_and_their_counts_are_those_of_their_expressions(kind: str) -> None:
    stage = ruled()
    found = told(stage, kind=kind)
    parts = found["rules"] + ([found["default"]] if found["default"] else [])
    masks = np.stack([select(one["text"], stage.table) for one in parts])
    assert (masks.sum(0) == 1).all()
    assert [one["support"] for one in parts] == masks.sum(1).tolist()
    assert sum(one["held_out"] for one in parts) == found["fidelity"]["n_held_out"]
    right = sum(one["share"] * one["held_out"] for one in parts if one["held_out"])
    assert right / found["fidelity"]["n_held_out"] == pytest.approx(found["fidelity"]["held_out"])


@pytest.mark.parametrize("kind", ["rules", "tree"])
def test_names_that_no_expression_has_room_for_are_left_out_of_rules(kind: str) -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 8, 400).astype(np.int32)
    wrong = rng.random(400) < np.array([0.02, 0.9, 0.3, 0.02, 0.6, 0.02, 0.8, 0.1])[code]
    names = tuple(letter * 1500 for letter in "abcdefgh")
    place = Column("place", "Place", "category", code, names, source="metadata")
    number = Column("number", "Number", "number", rng.random(400), source="metadata")
    assert told(planted.Stage(400, 0, wrong, [place, number]), kind=kind, of="error")["fidelity"]


def test_the_sparse_linear_model_names_what_decides() -> None:
    found = told(ruled(), kind="linear")
    strongest = {
        (one["column"], found["classes"][one["class"]]) for one in found["coefficients"][:4] if one["value"] > 0
    }
    assert {("text", "cat"), ("number1", "dog")} <= strongest
    assert found["used"] < 30
    assert found["rules"] == []


def test_of_noise_no_surrogate_is_called_better_than_the_majority() -> None:
    for kind in KINDS:
        assert not told(planted.noise(500, 1, 0.3), kind=kind)["fidelity"]["better"]


def test_errors_are_imitated_from_what_is_known_before_the_label() -> None:
    found = told(planted.stripe(900, 0), of="error", kind="rules")
    assert any("top left" in one["if"] and found["classes"][one["then"]] == "wrong" for one in found["rules"])
    assert not any("label" in one["text"] for one in found["rules"])
    assert found["fidelity"]["better"]


def test_what_cannot_be_imitated_is_said() -> None:
    few = told(planted.noise(30, 0))
    assert "too few" in few["reason"]
    assert few["fidelity"] is None
    assert few["rules"] == []
    bare = planted.Stage(200, 0, np.zeros(200, bool), [])
    assert "no columns" in told(bare)["reason"]
    one = planted.Stage(200, 0, np.zeros(200, bool), planted.noise(200, 0).columns, labels=np.zeros(200, np.int64))
    assert "one class" in told(one)["reason"]
    assert told(one, of="error")["reason"] == "No prediction of the sample is wrong."
    for how in ({"kind": "forest"}, {"of": "love"}):
        with pytest.raises(ParameterError):
            told(one, **how)


def test_of_many_classes_the_most_frequent_are_imitated() -> None:
    stage = planted.noise(600, 0, 0.1)
    labels = np.random.default_rng(0).integers(0, 60, 600)
    many = planted.Stage(
        600, 0, stage.wrong, stage.columns, classes=tuple(f"class {at}" for at in range(60)), labels=labels
    )
    found = told(many)
    assert len(found["classes"]) == 20
    assert "Only the 20 classes predicted most are imitated" in found["note"]


def test_information_is_that_of_the_joint_distribution() -> None:
    rng = np.random.default_rng(0)
    held = (rng.random((200, 6)) < 0.4).astype(float)
    target = np.where(held[:, 2] > 0, 1, rng.integers(0, 3, 200))
    found = imitators.information(held, np.eye(3)[target])
    for at in range(6):
        slow = 0.0
        for value in (0, 1):
            for label in range(3):
                joint = np.mean((held[:, at] == value) & (target == label))
                chance = np.mean(held[:, at] == value) * np.mean(target == label)
                slow += joint * np.log(joint / chance) if joint else 0
        assert found[at] == pytest.approx(slow)
    assert found.argmax() == 2
