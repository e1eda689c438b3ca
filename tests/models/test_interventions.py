"""Interventions equal editing the weights by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from analysis.errors import ParameterError
from analysis.layerinfo import LayerInfo
from analysis.models.checkpoints import weights_hash
from analysis.models.interventions import Intervention, InterventionError, intervene
from analysis.models.inventory import inventory
from analysis.models.taps import Taps
from tests.models import zoo

IDS = torch.tensor([[3, 4, 5, 0, 0], [1, 2, 0, 0, 0], [7, 8, 9, 3, 2]])


def listed(model: nn.Module, inputs: Tensor, include: Any = None) -> dict[str, LayerInfo]:
    return {info.key: info for info in inventory(model, lambda: model(inputs), len(inputs), include)}


def changed(model: nn.Module, inputs: Tensor, *changes: Intervention) -> Tensor:
    """Scores under the changes, after checking that model and scores are afterwards as before."""
    with torch.no_grad():
        before, weights = model(inputs), weights_hash(model)
        with intervene(model, changes):
            found = model(inputs)
            assert torch.equal(model(inputs), found)
        assert torch.equal(model(inputs), before)
    assert weights_hash(model) == weights
    assert not torch.equal(found, before)
    return found


def by_hand(model: nn.Module, inputs: Tensor, **rows: list[int]) -> Tensor:
    """Scores of a copy in which rows of the named parameters are 0."""
    edited = copy.deepcopy(model)
    parameters = dict(edited.named_parameters())
    with torch.no_grad():
        for name, which in rows.items():
            parameters[name.replace("__", ".")][which] = 0
        return edited(inputs)


def test_zeroing_filters_of_a_convolution_equals_zeroing_weights_and_bias() -> None:
    model, inputs = zoo.functional_relu(), torch.randn(2, 1, 20, 20)
    info = listed(model, inputs)["conv1"]
    found = changed(model, inputs, Intervention(info, (1, 4)))
    torch.testing.assert_close(found, by_hand(model, inputs, conv1__weight=[1, 4], conv1__bias=[1, 4]))


def test_zeroing_filters_before_a_batch_normalisation_equals_zeroing_both() -> None:
    model, inputs = zoo.resnet_small(), torch.randn(2, 3, 16, 16)
    info = listed(model, inputs)["blocks.0.conv1"]
    expected = by_hand(
        model, inputs, blocks__0__conv1__weight=[2], blocks__0__bn1__weight=[2], blocks__0__bn1__bias=[2]
    )
    torch.testing.assert_close(changed(model, inputs, Intervention(info, (2,))), expected)


def test_zeroing_units_of_a_linear_layer_and_behind_in_place_relu() -> None:
    model, inputs = zoo.inplace_relu(), torch.randn(2, 1, 10, 10)
    infos = listed(model, inputs)
    found = changed(model, inputs, Intervention(infos["5"], (0, 3)), Intervention(infos["0"], (1,)))
    rows = {"5__weight": [0, 3], "5__bias": [0, 3], "0__weight": [1], "0__bias": [1]}
    torch.testing.assert_close(found, by_hand(model, inputs, **rows))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_zeroing_units_of_a_recurrent_layer_takes_them_out_of_its_memory(
    kind: str, packed: bool, bidirectional: bool
) -> None:
    model = zoo.lstm_text(kind, packed, bidirectional)
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    units = (1, 8) if bidirectional else (1, 3)
    info = listed(model, IDS)["rnn"]
    rows: dict[str, list[int]] = {}
    for unit in units:
        suffix = "_l1_reverse" if unit >= 5 else "_l1"
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            rows.setdefault(f"rnn__{name}{suffix}", []).extend(gate * 5 + unit % 5 for gate in range(gates))
    torch.testing.assert_close(changed(model, IDS, Intervention(info, units)), by_hand(model, IDS, **rows))
    with torch.no_grad(), intervene(model, Intervention(info, units)), Taps(model, [info]) as taps:
        model(IDS)
        assert not taps.take()["rnn"].values[:, list(units)].any()


def test_merging_equals_adding_the_outgoing_weights() -> None:
    model, inputs = zoo.functional_relu(), torch.randn(2, 1, 20, 20)
    info = listed(model, inputs)["conv1"]
    edited = copy.deepcopy(model)
    with torch.no_grad():
        edited.conv2.weight[:, 5] += edited.conv2.weight[:, [0, 2]].sum(1)
        edited.conv2.weight[:, [0, 2]] = 0
        torch.testing.assert_close(changed(model, inputs, Intervention(info, (0, 2), "merge", into=5)), edited(inputs))


@pytest.mark.parametrize("units", [((1,), 2), ((1,), 7)])
def test_merging_recurrent_units_copies_them(units: tuple[tuple[int, ...], int]) -> None:
    model = zoo.lstm_text("LSTM", packed=True, bidirectional=True)
    info = listed(model, IDS)["rnn"]
    change = Intervention(info, units[0], "merge", into=units[1])
    changed(model, IDS, change)
    with torch.no_grad(), intervene(model, change), Taps(model, [info]) as taps:
        model(IDS)
        values = taps.take()["rnn"].values
    assert torch.equal(values[:, 1], values[:, units[1]])


def test_merging_true_duplicates_costs_nothing() -> None:
    model, inputs = zoo.functional_relu(), torch.randn(2, 1, 20, 20)
    with torch.no_grad():
        model.conv1.weight[3], model.conv1.bias[3] = model.conv1.weight[0], model.conv1.bias[0]
        before = model(inputs)
        with intervene(model, Intervention(listed(model, inputs)["conv1"], (3,), "merge", into=0)):
            torch.testing.assert_close(model(inputs), before, rtol=0, atol=0)


def test_holding_filters_at_their_mean() -> None:
    model, inputs = zoo.cnn_1d(), torch.randn(2, 2, 64)
    info = listed(model, inputs)["3"]
    means = torch.linspace(-1, 1, 8)
    edited = copy.deepcopy(model)
    with torch.no_grad():
        edited[3].weight[[2, 6]] = 0
        edited[3].bias[[2, 6]] = means[[2, 6]]
        found = changed(model, inputs, Intervention(info, (2, 6), "mean", values=means.double()))
        torch.testing.assert_close(found, edited(inputs))


@pytest.mark.parametrize("packed", [True, False])
def test_holding_recurrent_units_reaches_the_last_state(packed: bool) -> None:
    model = zoo.lstm_text("GRU", packed, bidirectional=True)
    info = listed(model, IDS)["rnn"]
    values = torch.full((10,), 0.25)
    found = changed(model, IDS, Intervention(info, tuple(range(10)), "mean", values=values))
    torch.testing.assert_close(found, model.head(values).expand(3, -1))


def test_a_layer_that_keeps_the_shape_can_be_passed_over() -> None:
    model, inputs = zoo.resnet_small(), torch.randn(2, 3, 16, 16)
    info = listed(model, inputs)["blocks.0.conv1"]
    edited = copy.deepcopy(model)
    edited.blocks[0].conv1, edited.blocks[0].bn1 = nn.Identity(), nn.Identity()
    edited.blocks[0].relu = nn.ReLU()
    with torch.no_grad():
        torch.testing.assert_close(changed(model, inputs, Intervention(info, mode="identity")), edited(inputs))


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_recurrent_layer_that_keeps_the_shape_can_be_passed_over(batch_first: bool) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(4, 4, batch_first=batch_first)

        def forward(self, x: Tensor) -> Tensor:
            return self.rnn(x if batch_first else x.movedim(1, 0))[1][-1]

    model, inputs = Net().eval(), torch.randn(2, 5, 4)
    info = listed(model, inputs)["rnn"]
    assert torch.equal(changed(model, inputs, Intervention(info, mode="identity")), inputs[:, -1])


def test_passing_over_a_layer_that_changes_the_shape_says_so() -> None:
    model, inputs = zoo.functional_relu(), torch.randn(2, 1, 20, 20)
    info = listed(model, inputs)["fc1"]
    with (
        torch.no_grad(),
        pytest.raises(InterventionError, match="gets 128 for an instance and yields 16"),
        intervene(model, Intervention(info, mode="identity")),
    ):
        model(inputs)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_only_the_chosen_call_of_a_reused_layer_is_changed() -> None:
    model, inputs = zoo.reused_module(), torch.randn(2, 1, 12, 12)
    infos = listed(model, inputs)
    with torch.no_grad():
        one = model.norm(model.shared(model.first(inputs).relu())).relu()
        two = model.norm(model.shared(one))
        two[:, 2] = 0
        expected = model.fc(two.relu().amax((2, 3)))
    torch.testing.assert_close(changed(model, inputs, Intervention(infos["shared#2"], (2,))), expected)


def test_tuples_frames_and_half_precision() -> None:
    for model, inputs, key in (
        (zoo.frames(), torch.randn(2, 3, 1, 8, 8), "conv"),
        (zoo.time_first(), torch.randn(2, 7, 3), "step"),
        (zoo.cnn_1d().bfloat16(), torch.randn(2, 2, 64).bfloat16(), "0"),
    ):
        info = listed(model, inputs)[key]
        changed(model, inputs, Intervention(info, tuple(range(info.filters))))
        with torch.no_grad(), intervene(model, Intervention(info, (1,))), Taps(model, [info]) as taps:
            taps.begin(2)
            model(inputs)
            values = taps.take()[key].values
            assert not values[:, 1].any()
            assert values[:, 0].any()


def test_weights_come_back_when_the_model_fails_half_way() -> None:
    model = zoo.lstm_text()
    info = listed(model, IDS)["rnn"]
    before = weights_hash(model)
    with pytest.raises(RuntimeError), intervene(model, Intervention(info, (1,))):
        model.rnn(torch.randn(2, 3, 99))
    assert weights_hash(model) == before


def test_a_change_that_never_happened_is_an_error() -> None:
    model, inputs = zoo.skipping(), torch.randn(2, 5)
    usual = listed(model, inputs)["usual"]
    with pytest.raises(InterventionError, match="was not called"), intervene(model, Intervention(usual, (1,))):
        model(torch.full((2, 5), 1e7))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"filters": (6,)}, "has no filter 6"),
        ({"filters": ()}, "No filter"),
        ({"filters": (1,), "mode": "merge"}, "takes over"),
        ({"filters": (1,), "mode": "merge", "into": 1}, "takes over"),
        ({"filters": (1,), "mode": "merge", "into": 9}, "no filter 9"),
        ({"filters": (1,), "mode": "mean"}, "6 numbers"),
        ({"filters": (1,), "mode": "explode"}, "'explode'"),
    ],
)
def test_impossible_changes_are_refused(change: dict[str, Any], match: str) -> None:
    model, inputs = zoo.inplace_relu(), torch.randn(2, 1, 10, 10)
    info = listed(model, inputs)["0"]
    with pytest.raises(ParameterError, match=match), intervene(model, Intervention(info, **change)):
        pass
