"""Ablation against weights edited by hand; its intervals against resampling one by one; bypass and redundancy."""

from __future__ import annotations

import copy
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from analysis.errors import ParameterError
from analysis.layers.bootstrap import paired, share
from analysis.layers.findings import layer_findings, network_findings
from analysis.layers.passes import batches
from analysis.layers.undetected import undetected
from analysis.subject.session import Session
from tests.layers.desk import Context, correct, learn, open_desk, pairs, split_digits


def network(units: int = 48, second: bool = True) -> nn.Sequential:
    parts: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(1, 8, 5)),
        ("relu1", nn.ReLU()),
        ("pool1", nn.MaxPool2d(2)),
        ("conv2", nn.Conv2d(8, 12, 5)),
        ("relu2", nn.ReLU(inplace=True)),
        ("pool2", nn.MaxPool2d(2)),
        ("flatten", nn.Flatten()),
        ("fc1", nn.Linear(192, units)),
        ("relu3", nn.ReLU()),
    ]
    parts += [("fc2", nn.Linear(units, units)), ("relu4", nn.ReLU())] if second else []
    return nn.Sequential(OrderedDict([*parts, ("out", nn.Linear(units, 10))]))


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return split_digits(300)


@pytest.fixture(scope="module")
def trained(digits: tuple[Tensor, ...]) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return learn(network(), digits[0], digits[1], 8)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def desk(trained: nn.Module, digits: tuple[Tensor, ...], tmp_path_factory: pytest.TempPathFactory) -> Session:
    return open_desk(trained, pairs(digits[2], digits[3]), tmp_path_factory.mktemp("desk"))


@torch.no_grad()
def logits_of(model: nn.Module, images: Tensor) -> np.ndarray:
    return model(images).numpy()


def without(model: nn.Module, layer: str, filters: list[int]) -> nn.Module:
    """A copy with these filters' weights and bias set to 0."""
    edited = copy.deepcopy(model)
    module = dict(edited.named_modules())[layer]
    with torch.no_grad():
        module.weight[filters] = 0
        module.bias[filters] = 0
    return edited


@pytest.mark.parametrize(("layer", "filters"), [("conv1", [0, 3]), ("conv2", [1, 2, 7]), ("fc1", [5]), ("out", [2])])
def test_zeroing_filters_equals_editing_the_weights_by_hand(
    desk: Session, trained: nn.Module, digits: tuple[Tensor, ...], layer: str, filters: list[int]
) -> None:
    images, labels = digits[2], digits[3].numpy()
    found = desk.ask("ablation", layer=layer, filters=filters, mode="zero", into=None).json
    before, after = logits_of(trained, images), logits_of(without(trained, layer, filters), images)
    assert found["n"] == len(labels)
    assert found["accuracy_before"] == pytest.approx(correct(before, labels).mean())
    assert found["accuracy_after"] == pytest.approx(correct(after, labels).mean())
    assert found["change"] == pytest.approx(100 * (correct(after, labels).mean() - correct(before, labels).mean()))
    loss = nn.functional.cross_entropy(torch.from_numpy(after), digits[3])
    assert found["loss_after"] == pytest.approx(loss.item(), rel=1e-4)
    changed = np.flatnonzero(before.argmax(1) != after.argmax(1))
    assert found["flips"] == len(changed)
    assert found["flipped"] == [[int(i), int(before[i].argmax()), int(after[i].argmax())] for i in changed[:50]]
    for row in found["classes"]:
        part = labels == row["class"]
        assert row["n"] == part.sum()
        assert row["after"] == pytest.approx(correct(after, labels)[part].mean())
        assert row["low"] <= row["change"] + 1e-9
        assert row["change"] <= row["high"] + 1e-9
    assert found["low"] <= found["change"] <= found["high"]


def test_the_extraction_s_answers_are_those_of_an_unchanged_pass_bit_by_bit(desk: Session) -> None:
    extraction = desk.extraction()
    seen = 0
    for batch, rows in batches(desk, extraction, Context(), ""):
        assert np.array_equal(desk.forward(batch).numpy(), extraction.logits[rows])
        seen += len(rows)
    assert seen == extraction.done


def test_a_mean_is_that_of_the_rectified_activation_where_a_rectifier_follows(
    desk: Session, trained: nn.Module, digits: tuple[Tensor, ...]
) -> None:
    found = desk.ask("ablation", layer="fc1", filters=[0, 1, 2, 3, 4, 5], mode="mean", into=None).json
    images, labels = digits[2], digits[3].numpy()
    with torch.no_grad():
        hidden = trained[:9](images)
        hidden[:, :6] = hidden.mean(0)[:6]
        wanted = trained[9:](hidden).numpy()
    assert found["accuracy_after"] == pytest.approx(correct(wanted, labels).mean())
    output = desk.ask("ablation", layer="out", filters=[4], mode="mean", into=None).json
    logits = logits_of(trained, images)
    logits[:, 4] = logits[:, 4].mean()
    assert output["accuracy_after"] == pytest.approx(correct(logits, labels).mean())


def test_merging_a_planted_duplicate_costs_nothing(
    trained: nn.Module, digits: tuple[Tensor, ...], tmp_path: Path
) -> None:
    model = copy.deepcopy(trained)
    with torch.no_grad():
        model.conv1.weight[3], model.conv1.bias[3] = model.conv1.weight[5], model.conv1.bias[5]
    desk = open_desk(model, pairs(digits[2], digits[3]), tmp_path, n=200)
    extraction, filter_map = desk.extraction(), desk.ask("filter_map", layer="conv1")
    [duplicate] = [f for f in layer_findings(extraction, "conv1", filter_map) if f.finding.rule == "duplicate"]
    assert set(duplicate.finding.filters) == {3, 5}
    assert duplicate.test is not None
    result = desk.ask(duplicate.test["question"], **duplicate.test["params"]).json
    assert (result["change"], result["flips"]) == (0, 0)


def test_planted_dead_and_always_on_filters_are_named_and_cost_nothing(
    trained: nn.Module, digits: tuple[Tensor, ...], tmp_path: Path
) -> None:
    model = copy.deepcopy(trained)
    with torch.no_grad():
        model.conv1.weight[2], model.conv1.bias[2] = 0, -1
        model.conv1.weight[6], model.conv1.bias[6] = 0, 1
    desk = open_desk(model, pairs(digits[2], digits[3]), tmp_path, n=200)
    found = layer_findings(desk.extraction(), "conv1", desk.ask("filter_map", layer="conv1"))
    named = {one.finding.rule: one for one in found}
    assert 2 in named["dead"].finding.filters
    assert named["degenerate"].finding.filters == (6,)
    for rule in ("dead", "degenerate"):
        test = named[rule].test
        assert test is not None
        assert desk.ask(test["question"], **test["params"]).json["flips"] == 0


def test_a_class_loses_what_its_own_filter_gave(trained: nn.Module, digits: tuple[Tensor, ...], tmp_path: Path) -> None:
    """A unit that fires for one class alone and alone carries it."""
    model = copy.deepcopy(trained)
    with torch.no_grad():
        model.fc2.weight[0] = model.out.weight[7] @ torch.eye(48)  # planted below: reads what spoke for the 7
        hidden = model[:9](digits[0])
        sevens, others = hidden[digits[1] == 7], hidden[digits[1] != 7]
        direction = sevens.mean(0) - others.mean(0)
        model.fc2.weight[0] = direction / direction.norm()
        model.fc2.bias[0] = -torch.quantile(others @ model.fc2.weight[0], 0.995)
        model.out.weight[7] = 0
        model.out.weight[:, 0] = 0
        model.out.weight[7, 0], model.out.bias[7] = 30, -5
    desk = open_desk(model, pairs(digits[2], digits[3]), tmp_path)
    found = [f for f in layer_findings(desk.extraction(), "fc2") if f.finding.rule == "specific"]
    assert 0 in found[0].finding.filters
    result = desk.ask("ablation", layer="fc2", filters=[0], mode="zero", into=None).json
    change = {row["class"]: row["change"] for row in result["classes"]}
    assert change[7] < -50
    assert max(abs(v) for c, v in change.items() if c != 7) < 10


def test_halving_the_first_layer_by_its_weakest_filters_costs_little(desk: Session) -> None:
    means = desk.extraction().mean("conv1").mean(0)
    weakest = np.argsort(means)[:4].tolist()
    strongest = np.argsort(-means)[:4].tolist()
    little = desk.ask("ablation", layer="conv1", filters=weakest, mode="mean", into=None).json
    much = desk.ask("ablation", layer="conv1", filters=strongest, mode="mean", into=None).json
    assert little["change"] > -8
    assert much["change"] < 2 * little["change"] - 5


def test_a_redundant_dense_layer_is_named_and_going_without_costs_under_a_point(desk: Session) -> None:
    separation = desk.ask("separation").json
    found = network_findings(desk.extraction(), separation)
    assert [one.finding.layer for one in found] == ["fc2"]
    assert found[0].test is not None
    answer = desk.ask(found[0].test["question"], **found[0].test["params"]).json
    assert answer["shortcut"]["change"] > -1
    assert answer["readout"]["change"] > -2
    assert answer["readout"]["n"] == answer["shortcut"]["n"] == 600
    assert answer["identity"]["n"] == 600  # fc2 keeps the shape


def test_what_keeps_no_shape_has_no_identity_and_says_why(desk: Session) -> None:
    answer = desk.ask("bypass", layer="fc1").json
    assert answer["identity"] is None
    assert "192" in answer["reason"]
    assert answer["dimensions"] <= 192


def test_readouts_need_labels(trained: nn.Module, digits: tuple[Tensor, ...], tmp_path: Path) -> None:
    desk = open_desk(trained, [(image, None) for image in digits[2][:40]], tmp_path)
    answer = desk.ask("bypass", layer="fc2").json
    assert answer["readout"] is None
    assert "label" in answer["readout_reason"]
    result = desk.ask("ablation", layer="fc2", filters=[0], mode="zero", into=None).json
    assert (result["n"], result["instances"], result["accuracy_before"], result["change"]) == (0, 40, None, None)
    assert result["loss_after"] is None


@pytest.mark.parametrize(
    "params",
    [
        {"filters": [99], "mode": "zero"},
        {"filters": [], "mode": "zero"},
        {"filters": [1], "mode": "explode"},
        {"filters": [1], "mode": "merge"},
        {"filters": [99], "mode": "mean"},
        {"filters": [1], "mode": "merge", "into": 1},
    ],
)
def test_tests_that_make_no_sense_are_refused(desk: Session, params: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        desk.ask("ablation", layer="conv1", **params)


@pytest.mark.parametrize(("withheld", "layers"), [(5, ["out"]), (8, ["fc1", "out"])])
def test_a_class_withheld_from_training_falls_into_the_lowest_decile(
    digits: tuple[Tensor, ...], tmp_path: Path, withheld: int, layers: list[str]
) -> None:
    images, labels, held_images, held_labels = digits
    shown = labels != withheld
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = learn(network(second=False), images[shown], labels[shown], 5)
    desk = open_desk(model, pairs(held_images, held_labels), tmp_path)
    for layer in layers:
        patches = desk.ask("patches", layer=layer)
        found = undetected(patches.array("activation"), 0.1, patches.array("label"))
        assert found.classes[0].label == withheld, layer
        assert found.classes[0].lift > 2.5, layer
    sentences = [f.finding.sentence for f in layer_findings(desk.extraction(), "out") if f.finding.rule == "undetected"]
    assert f"'{withheld}'" in sentences[0]


def test_intervals_are_those_of_resampling_instances_one_by_one() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.random(200) < 0.9, rng.random(200) < 0.85
    found = paired(before, after, np.random.default_rng(1))
    draws = [100 * (after[rows].mean() - before[rows].mean()) for rows in rng.integers(0, 200, (4000, 200))]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.8)
    value, low, high = share(after, np.random.default_rng(1))
    assert low < value < high
    assert paired(before[:0], after[:0], rng).change is None
    same = paired(before, before, rng)
    assert (same.change, same.low, same.high) == (0, 0, 0)
