"""What may be explained, read from a link: never a guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.attribution.targets import Target, Unit
from analysis.errors import ParameterError


def test_the_forms_of_a_target_are_read() -> None:
    assert Target.parse("predicted").resolve(2, 1, 5) == (2,)
    assert Target.parse("true").resolve(2, 1, 5) == (1,)
    assert Target.parse("4").resolve(2, 1, 5) == (4,)
    assert Target.parse("4-0").resolve(2, 1, 5) == (4, 0)


@pytest.mark.parametrize("text", ["", "best", "-1", "1-", "1-2-3", "1.5", "3-3", "1e3", " 1", "9999999999"])
def test_anything_else_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Target.parse(text)
    assert caught.value.remedy


def test_a_class_beyond_the_outputs_names_the_last_one() -> None:
    with pytest.raises(ParameterError, match="no class 5: the model has 5 outputs") as caught:
        Target.parse("5").resolve(0, 0, 5)
    assert "0 to 4" in caught.value.remedy
    with pytest.raises(ParameterError, match="no class 7"):
        Target.parse("1-7").resolve(0, 0, 5)


def test_the_true_class_of_an_instance_without_label_is_refused() -> None:
    with pytest.raises(ParameterError, match="no label"):
        Target.parse("true").resolve(1, -1, 3)


@given(
    layer=st.text(st.characters(codec="ascii", exclude_characters=":"), min_size=1),
    index=st.integers(0, 10**6),
    pool=st.sampled_from(["mean", "max"]),
)
def test_a_unit_is_read_as_it_is_written(layer: str, index: int, pool: str) -> None:
    unit = Unit(layer, index, pool)
    assert Unit.parse(str(unit)) == unit


def test_keys_of_repeated_calls_are_layers_too() -> None:
    assert Unit.parse("shared#2:3:max") == Unit("shared#2", 3, "max")
    assert Unit.parse("") is None


@pytest.mark.parametrize("text", ["conv", "conv:", ":3", "conv:x", "conv:-1", "conv:3:median"])
def test_a_unit_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="cannot be read"):
        Unit.parse(text)
