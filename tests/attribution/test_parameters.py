"""Parameters are declared once: what is accepted, what is filled in, what is said otherwise."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.attribution.parameters import Parameter, checked
from analysis.attribution.registry import METHODS
from analysis.errors import ParameterError

STEPS = Parameter("n_steps", "int", 50, "Steps.", 2, 100)
NOISE = Parameter("stdevs", "float", 0.1, "Noise.", 0.0)
KIND = Parameter("kind", "choice", "a", "Kind.", choices=("a", "b"))
SIZES = Parameter("abs", "flag", False, "Sizes.")
LAYER = Parameter("layer", "layer", "", "Layer.")
ALL = (STEPS, NOISE, KIND, SIZES, LAYER)


def test_what_is_missing_is_at_its_default_in_the_declared_order() -> None:
    found = checked(ALL, {"kind": "b"})
    assert found == {"n_steps": 50, "stdevs": 0.1, "kind": "b", "abs": False, "layer": ""}
    assert list(found) == [one.name for one in ALL]


def test_values_from_a_link_are_read_as_their_kind() -> None:
    found = checked(ALL, {"n_steps": "7", "stdevs": "0.5", "abs": "on", "layer": "conv1"})
    assert found == {"n_steps": 7, "stdevs": 0.5, "kind": "a", "abs": True, "layer": "conv1"}
    assert isinstance(found["n_steps"], int)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("n_steps", 1, "from 2 to 100"),
        ("n_steps", 101, "from 2 to 100"),
        ("n_steps", 2.5, "whole number"),
        ("n_steps", "many", "whole number"),
        ("n_steps", None, "whole number"),
        ("n_steps", math.inf, "whole number"),
        ("stdevs", math.nan, "a number from 0"),
        ("stdevs", -1, "a number from 0"),
        ("kind", "c", "'a', 'b'"),
        ("abs", "maybe", "on or off"),
    ],
)
def test_other_values_are_refused_with_what_is_accepted(name: str, value: object, said: str) -> None:
    with pytest.raises(ParameterError) as caught:
        checked(ALL, {name: value})
    assert name in caught.value.message
    assert said in caught.value.remedy


def test_an_unknown_parameter_is_refused_with_those_there_are() -> None:
    with pytest.raises(ParameterError, match="no parameter 'steps'") as caught:
        checked(ALL, {"steps": 3})
    assert "n_steps" in caught.value.remedy


def test_of_a_fitted_layer_parameter_only_the_choices_count() -> None:
    fitted = LAYER.with_(choices=("conv1", "conv2"), default="conv2")
    assert fitted.read("conv1") == "conv1"
    with pytest.raises(ParameterError, match="layer cannot be 'conv9'"):
        fitted.read("conv9")


@given(st.sampled_from(ALL))
def test_a_parameter_survives_its_plain_form(one: Parameter) -> None:
    assert Parameter.from_json(one.to_json()) == one


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_accepts_its_own_defaults(method) -> None:  # type: ignore[no-untyped-def]
    assert checked(method.parameters, {}) == {one.name: one.default for one in method.parameters}
    assert all(one.help.endswith(".") for one in method.parameters)
    assert len({one.name for one in method.parameters}) == len(method.parameters)


def test_methods_are_registered_once_and_explain_themselves() -> None:
    assert len({method.name for method in METHODS}) == len(METHODS)
    for method in METHODS:
        assert method.summary.endswith(".")
        assert method.source
        assert method.version >= 1
