"""Methods about layers, filters and attention: against slow formulas, against Captum, and on layers it cannot take."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from captum.attr import LayerActivation, LayerConductance, NeuronConductance, NeuronGradient

from analysis.attribution.case import Case
from analysis.attribution.layer_pass import LayerPass
from analysis.attribution.methods import (
    layer_activation,
    layer_conductance,
    layer_grad_cam,
    neuron_conductance,
    neuron_gradient,
)
from analysis.errors import NotFound, ParameterError
from analysis.subject.session import Session
from tests.attribution import conftest
from tests.attribution.layers import found, inputs_of, plain
from tests.models import zoo

METHODS = (layer_grad_cam, layer_activation, layer_conductance, neuron_gradient, neuron_conductance)


@pytest.mark.parametrize("name", list(conftest.SESSIONS))
@pytest.mark.parametrize("method", METHODS, ids=lambda module: module.METHOD.name)
def test_instances_in_a_batch_are_explained_as_alone(name: str, method: Any) -> None:
    session = conftest.SESSIONS[name]()
    if method is layer_grad_cam and name == "table":
        with pytest.raises(NotFound, match="no layer"):
            found(session, method)
        return
    together = found(session, method).values
    for row in range(5):
        alone = found(session, method, range(row, row + 1)).values[0]
        part = together[row][tuple(slice(size) for size in alone.shape)]
        assert torch.allclose(part, alone, atol=1e-5)
        assert together[row].abs().sum() == pytest.approx(float(alone.abs().sum()), abs=1e-4)  # 0 at padding


@pytest.mark.parametrize("layer", ["0", "2"])
def test_layer_activation_is_captums(layer: str) -> None:
    session = conftest.image_session()
    with plain(session) as model:
        expected = LayerActivation(model, model.get_submodule(layer)).attribute(inputs_of(session)).detach()
    assert torch.allclose(found(session, layer_activation, layer=layer).values, expected.mean((2, 3)), atol=1e-6)
    largest = found(session, layer_activation, layer=layer, pool="max").values
    assert torch.allclose(largest, expected.amax((2, 3)), atol=1e-6)


def test_activations_of_packed_sequences_are_means_over_their_own_steps() -> None:
    session = conftest.text_session()
    result = found(session, layer_activation, range(6), layer="rnn").values
    for row in range(6):
        ids = session.batch([row]).principal
        with torch.no_grad():
            out, _ = session.model.rnn(session.model.embedding(ids))
        assert torch.allclose(result[row], out[0].mean(0), atol=1e-6)


@pytest.mark.parametrize("layer", ["0", "2"])
def test_conductance_is_captums_with_many_steps(layer: str) -> None:
    session = conftest.image_session()
    x = inputs_of(session)
    with plain(session) as model:
        many = LayerConductance(model, model.get_submodule(layer))
        expected = many.attribute(x, target=1, n_steps=600).detach().flatten(2).sum(2)
    result = found(session, layer_conductance, layer=layer, n_steps=60)
    assert torch.allclose(result.values, expected, atol=4e-3 * float(expected.abs().max()))


@pytest.mark.parametrize("name", [name for name in conftest.SESSIONS if name != "transformer"])
def test_conductances_of_a_layer_add_up_to_the_change_of_the_score(name: str) -> None:
    session = conftest.SESSIONS[name]()
    result = found(session, layer_conductance, n_steps=150)
    with Case(session, session.batch(range(5)), "1") as case:
        change = case.scores(case.inputs) - result.baseline
    assert torch.allclose(result.values.sum(1), change, atol=3e-3 * max(1.0, float(change.abs().max())))
    assert not result.notes


def test_what_goes_around_a_layer_is_said() -> None:
    session = conftest.transformer_session()
    result = found(session, layer_conductance, layer="encoder.layers.1.linear2")
    assert any("rest goes around encoder.layers.1.linear2" in note for note in result.notes)


def test_internal_batches_make_no_difference_to_conductance() -> None:
    session = conftest.recurrent_session()
    for method in (layer_conductance, neuron_conductance):
        whole = found(session, method, internal_batch_size=4096).values
        assert torch.allclose(found(session, method, internal_batch_size=1).values, whole, atol=1e-6)


def test_the_score_owed_to_the_last_state_of_a_recurrent_layer_is_owed_to_its_last_step() -> None:
    session = conftest.text_session("GRU")
    with Case(session, session.batch(range(6)), "1") as case, LayerPass(case, session.infos(["rnn"])[0]) as layer:
        point = layer(case.inputs)
        gradient = layer.gradient(point)
    for row, length in enumerate([7, 4, 9, 1, 5, 6]):
        assert torch.allclose(gradient[row, :, length - 1], session.model.head.weight[1], atol=1e-6)
        assert not gradient[row, :, : length - 1].any()


def test_calls_of_a_reused_module_are_told_apart() -> None:
    session = conftest.opened(zoo.reused_module(), conftest.labelled(conftest.drawn(5, 1, 12, 12), 3))
    model = session.model
    with plain(session), torch.no_grad():
        first = model.norm(model.shared(model.first(inputs_of(session)).relu()))
        second = model.norm(model.shared(first.relu()))
    for key, values in (("shared#1", first), ("shared#2", second)):
        result = found(session, layer_activation, layer=key)
        assert result.extra["layer"] == key
        assert torch.allclose(result.values, values.mean((2, 3)), atol=1e-6)
        change = found(session, layer_conductance, layer=key, n_steps=200)
        assert not change.notes
    with pytest.raises(NotFound, match="shared#3"):
        found(session, layer_activation, layer="shared#3")


@pytest.mark.parametrize("neuron", [0, 5])
def test_neuron_gradient_is_captums_and_that_of_a_case_of_the_unit(neuron: int) -> None:
    session = conftest.relu_session()
    with plain(session) as model:
        expected = NeuronGradient(model, model.get_submodule("5")).attribute(inputs_of(session), neuron)
    assert torch.allclose(found(session, neuron_gradient, layer="5", neuron=neuron).values, expected, atol=1e-6)
    for pool in ("mean", "max"):
        result = found(session, neuron_gradient, layer="2", neuron=neuron, pool=pool).values
        with Case(session, session.batch(range(5)), unit=f"2:{neuron}:{pool}") as case:
            x = case.inputs.clone().requires_grad_()
            [own] = torch.autograd.grad(case.score(x).sum(), x)
        assert torch.allclose(result, own, atol=1e-6)


@pytest.mark.parametrize("neuron", [1, 4])
def test_neuron_conductance_is_captums(neuron: int) -> None:
    session = conftest.table_session()
    with plain(session) as model:
        captums = NeuronConductance(model, model[0])
        expected = captums.attribute(inputs_of(session), neuron, target=1, n_steps=64, method="gausslegendre")
    result = found(session, neuron_conductance, layer="0", neuron=neuron, n_steps=64)
    assert torch.allclose(result.values, expected.detach(), atol=1e-5)


@pytest.mark.parametrize("name", ["image", "text", "recurrent", "series"])
def test_neuron_conductances_of_the_input_add_up_to_the_conductance_of_the_filter(name: str) -> None:
    session = conftest.SESSIONS[name]()
    by_filter = found(session, layer_conductance, range(2), n_steps=100).values
    for neuron in (0, 3):
        by_input = found(session, neuron_conductance, range(2), neuron=neuron, n_steps=100).values.flatten(1).sum(1)
        assert torch.allclose(by_input, by_filter[:, neuron], atol=1e-2 * max(1.0, float(by_filter.abs().max())))


def test_a_layer_explains_a_filter_that_comes_after_it_and_no_other() -> None:
    session = conftest.relu_session()
    result = found(session, layer_conductance, unit="5:2", layer="2", n_steps=200)
    with Case(session, session.batch(range(5)), unit="5:2") as case:
        change = case.scores(case.inputs) - case.scores(torch.zeros_like(case.inputs))
    assert torch.allclose(result.values.sum(1), change, atol=1e-3)
    own = found(session, layer_conductance, unit="2:3", layer="2", n_steps=20).values
    assert own[:, 3].abs().min() > 0
    assert not own[:, [0, 1, 2, 4, 5]].any()
    with pytest.raises(ParameterError, match="Unit 2 of 2 does not depend on 5"):
        found(session, layer_conductance, unit="2:2", layer="5")
    with pytest.raises(ParameterError, match="no filter 8 in 5"):
        found(session, neuron_gradient, layer="5", neuron=8)


def test_layers_that_a_method_cannot_take_are_refused_in_a_sentence() -> None:
    session = conftest.relu_session()
    with pytest.raises(NotFound, match=r"positions of 5 \(none\) are not those of the input"):
        found(session, layer_grad_cam, layer="5")
    skipping = conftest.opened(zoo.skipping(), conftest.labelled(conftest.drawn(5, 5), 3))
    with pytest.raises(NotFound, match="'rare' cannot be read: not called"):
        found(skipping, layer_activation, layer="rare")


def state_of(session: Session) -> list[Any]:
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in session.model.modules()]
    weights = [p.clone() for p in session.model.state_dict().values()]
    return [hooks, weights, [m.training for m in session.model.modules()], torch.get_rng_state()]


@pytest.mark.parametrize("name", ["relu", "text", "transformer"])
@pytest.mark.parametrize("method", METHODS, ids=lambda module: module.METHOD.name)
def test_nothing_is_left_on_the_model(name: str, method: Any) -> None:
    session = conftest.SESSIONS[name]()
    before = state_of(session)
    logits = session.forward(session.batch(range(3)))
    found(session, method, range(3))
    with pytest.raises((NotFound, ParameterError)):
        found(session, method, range(3), unit=f"{session.layers[0].key}:0", layer=session.layers[-1].key + "x")
    after = state_of(session)
    assert before[0] == after[0]
    assert all(one.equal(other) for one, other in zip(before[1], after[1], strict=True))
    assert before[2] == after[2]
    assert before[3].equal(after[3])
    assert session.forward(session.batch(range(3))).equal(logits)
    assert torch.is_grad_enabled()
