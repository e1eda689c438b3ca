"""Which layers methods offer for a model, what they refuse, and Guided Grad-CAM, which is made of two of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from captum.attr import GuidedGradCam
from torch import nn

from analysis.attribution import structure
from analysis.attribution.case import Case
from analysis.attribution.method import Method
from analysis.attribution.methods import (
    attention,
    guided_grad_cam,
    layer_activation,
    layer_conductance,
    layer_grad_cam,
    neuron_conductance,
    neuron_gradient,
)
from analysis.errors import NotFound
from analysis.subject.session import Session
from tests.attribution import conftest
from tests.attribution.layers import found, inputs_of, plain
from tests.models import zoo

ABOUT_LAYERS = (layer_activation, layer_conductance, neuron_gradient, neuron_conductance)


def choices(session: Session, module: Any) -> tuple[str, tuple[str, ...]]:
    """Why a method does not fit a model ('' if it does), and the layers it offers."""
    method: Method = module.METHOD
    seen = structure.look(session)
    [layer] = [one for one in method.fit(seen, method.parameters) if one.kind == "layer"]
    assert layer.default == ""
    return method.applies(seen), layer.choices


@pytest.mark.parametrize(
    ("name", "maps"),
    [
        ("relu", ("0", "2")),
        ("channels_last", ("inner.0", "inner.2")),
        ("series", ("0", "3", "6")),
        ("recurrent", ("rnn",)),
        ("text", ("rnn",)),
    ],
)
def test_layers_with_positions_are_offered_for_maps_and_all_for_filters(name: str, maps: tuple[str, ...]) -> None:
    session = conftest.SESSIONS[name]()
    assert choices(session, layer_grad_cam) == ("", maps)
    keys = tuple(info.key for info in session.layers)
    for module in ABOUT_LAYERS:
        assert choices(session, module) == ("", keys)


def test_calls_of_reused_modules_are_offered_one_by_one() -> None:
    session = conftest.opened(zoo.reused_module(), conftest.labelled(conftest.drawn(5, 1, 12, 12), 3))
    assert choices(session, layer_grad_cam) == ("", ("first", "shared#1", "shared#2"))
    for key in ("first", "shared#1", "shared#2"):
        assert found(session, layer_grad_cam, layer=key).extra["layer"] == key


def test_models_without_maps_or_attention_are_told_why() -> None:
    table = conftest.table_session()
    assert "no order" in choices(table, layer_grad_cam)[0]
    assert "no order" in choices(table, guided_grad_cam)[0]
    assert "no nn.MultiheadAttention" in choices(table, attention)[0]
    torch.manual_seed(0)
    dense = nn.Sequential(nn.Flatten(), nn.Linear(300, 8), nn.ReLU(), nn.Linear(8, 3))
    pictures = conftest.opened(dense, conftest.labelled(conftest.drawn(5, 3, 10, 10), 3), kind="image")
    assert "no convolution or recurrent layer" in choices(pictures, layer_grad_cam)[0]


def test_transformers_offer_their_attention_layers_and_steps() -> None:
    session = conftest.transformer_session()
    keys = ("encoder.layers.0.self_attn", "encoder.layers.1.self_attn")
    assert choices(session, attention) == ("", keys)
    reason, layers = choices(session, layer_grad_cam)
    assert reason == ""
    assert "encoder.layers.1.linear2" in layers
    assert found(session, layer_grad_cam).extra["layer"] == "encoder.layers.1.linear2"


def test_a_map_is_not_made_of_a_gate_that_sees_the_whole_picture() -> None:
    session = conftest.opened(zoo.depthwise(gate=True), conftest.labelled(conftest.drawn(5, 3, 20, 20), 4))
    assert found(session, layer_grad_cam).extra == {"layer": "9", "places": [5, 5]}
    with pytest.raises(NotFound, match=r"positions of 6.up \(1 x 1\) are not those of the input"):
        found(session, layer_grad_cam, layer="6.up")


def test_by_default_a_filter_is_explained_by_a_layer_it_depends_on() -> None:
    session = conftest.relu_session()
    assert found(session, layer_grad_cam, unit="0:1").extra["layer"] == "0"
    assert found(session, layer_conductance, unit="2:1").extra["layer"] == "2"


def test_guided_grad_cam_is_captums() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3, 2), nn.ReLU(), nn.Flatten()]
    model = nn.Sequential(*layers, nn.Linear(96, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    session = conftest.opened(model, conftest.labelled(conftest.drawn(6, 1, 10, 10), 3))
    assert choices(session, guided_grad_cam) == ("", ("0", "2"))
    for layer in ("0", "2"):
        with plain(session):
            captums = GuidedGradCam(model, model.get_submodule(layer))
            expected = captums.attribute(inputs_of(session), 1, interpolate_mode="bilinear").detach()
        result = found(session, guided_grad_cam, layer=layer).values
        assert expected.any()
        assert torch.allclose(result, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_guided_grad_cam_takes_functional_relus_that_captum_silently_misses() -> None:
    session = conftest.opened(zoo.functional_relu(), conftest.labelled(conftest.drawn(5, 1, 20, 20), 3))
    assert choices(session, guided_grad_cam)[0] == ""
    result = found(session, guided_grad_cam, layer="conv1")
    with Case(session, session.batch(range(5)), "1") as case:
        x = case.inputs.clone().requires_grad_()
        [gradient] = torch.autograd.grad(case.score(x).sum(), x)
    with plain(session) as model:
        captums = GuidedGradCam(model, model.conv1)
        wrong = captums.attribute(inputs_of(session), 1, interpolate_mode="bilinear").detach()
    cam = found(session, layer_grad_cam, layer="conv1").values
    assert torch.allclose(wrong, cam * gradient, atol=1e-6)  # the plain gradient, unguided
    assert not torch.allclose(result.values, wrong, atol=1e-3 * float(wrong.abs().max()))
