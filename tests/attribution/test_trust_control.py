"""A network that learned digits and the same before it did: the verdicts tell them apart."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

from analysis.attribution import registry
from analysis.attribution.verdict import Verdict, verdict
from analysis.subject.session import Session
from tests.attribution import fakes
from tests.attribution.conftest import opened
from tests.layers.desk import learn, pairs, split_digits

METHODS = ("saliency", "integrated_gradients")


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 8, 5),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(8, 12, 5),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(192, 48),
            relu3=nn.ReLU(),
            fc2=nn.Linear(48, 10),
        )
    ).eval()


@pytest.fixture(scope="module")
def digits() -> tuple[Any, ...]:
    return split_digits(200)


@pytest.fixture(scope="module")
def trained(digits: tuple[Any, ...]) -> Session:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = learn(network().train(), digits[0], digits[1], 8)
    return opened(model, pairs(digits[2], digits[3]))


@pytest.fixture(scope="module")
def untrained(digits: tuple[Any, ...]) -> Session:
    return opened(network(), pairs(digits[2], digits[3]))


def judged(session: Session, name: str, instance: int) -> tuple[Verdict, dict[str, Any]]:
    found = fakes.trust(session, name, instance)
    method = registry.get(name)
    return verdict({"title": method.title, "name": name}, found), found


@pytest.mark.parametrize("name", METHODS)
def test_a_trained_network_s_maps_deserve_trust(trained: Session, name: str) -> None:
    levels = []
    for instance in range(0, 40, 8):
        one, found = judged(trained, name, instance)
        levels.append(one.level)
        assert found["deletion"]["better"], (instance, one)
        assert found["reaction"]["moves"] > 3 * found["reaction"]["moves_redrawn"]
    assert levels.count("good") >= 4, levels


@pytest.mark.parametrize("name", METHODS)
def test_an_untrained_control_shows_low_trust(untrained: Session, name: str) -> None:
    for instance in range(0, 40, 8):
        one, found = judged(untrained, name, instance)
        assert one.level == "poor"
        assert "little to explain" in one.sentence
        assert found["moves"] < 0.1


def test_an_untrained_control_with_large_outputs_shows_low_trust_too(digits: tuple[Any, ...]) -> None:
    """What moves is then the same with any weights."""
    model = network()
    with torch.no_grad():
        model.fc2.weight.mul_(40)
        model.fc2.bias.mul_(40)
    session = opened(model, pairs(digits[2], digits[3]))
    judgements = [judged(session, "saliency", instance) for instance in range(0, 40, 5)]
    assert all(found["moves"] > 0.1 for _, found in judgements)
    levels = [one.level for one, _ in judgements]
    assert levels.count("good") <= 1, [one.sentence for one, _ in judgements]
    assert levels.count("poor") >= 4, [(one.sentence, found["reaction"]) for one, found in judgements]


def test_a_confident_network_that_learned_a_table_is_not_called_unlearned() -> None:
    """Random halves of the columns hardly move its answer; its map knows which do."""
    data = load_breast_cancer()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = torch.tensor((data.data - data.data.mean(0)) / data.data.std(0), dtype=torch.float32)
        order = torch.randperm(len(x))
        x, y = x[order], torch.tensor(data.target)[order]
        model = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
        learn(model, x[:400], y[:400], 60, 0.01)
    session = opened(model.eval(), pairs(x[400:], y[400:]), kind="table")
    for instance in range(5):
        one, found = judged(session, "integrated_gradients", instance)
        assert not any("random weights (" in reason for reason in one.reasons), (found["reaction"], one.reasons)
        assert one.level != "poor", one.sentence


def test_a_map_of_edges_shows_the_picture_rather_than_the_model(
    trained: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edges(case: Any) -> torch.Tensor:
        kernel = torch.tensor([[[[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]]]])
        return nn.functional.conv2d(case.inputs, kernel, padding=1).abs()

    fakes.install(monkeypatch, fakes.method("edges", edges))
    one, found = judged(trained, "edges", 3)
    assert found["randomised"]["last"] == pytest.approx(1)
    assert one.level == "poor"
    assert any("rather than the model" in reason for reason in one.reasons)


def test_the_answer_is_json(trained: Session, tmp_path: Path) -> None:
    from analysis.results import Answers

    found = fakes.trust(trained, "integrated_gradients", 2)
    kept = Answers(tmp_path).put("a" * 40, found, {})
    assert kept.json["deletion"]["better"] is True
