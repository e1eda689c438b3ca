"""The scores in what a model yields: named, alone, or asked for; never guessed."""

from __future__ import annotations

from collections import namedtuple
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from analysis.models.outputs import AmbiguousOutput, describe_output, logits_of
from tests.models import zoo

SCORES = torch.randn(4, 3)
OTHER = torch.randn(4, 6)
Named = namedtuple("Named", ["hidden", "logits"])


@pytest.mark.parametrize(
    "output",
    [
        SCORES,
        (SCORES,),
        [SCORES],
        (SCORES, torch.randn(4, 7, 6)),
        (torch.tensor(0.5), SCORES),
        (SCORES, None, ("text",)),
        (SCORES, (torch.randn(2, 4, 5), torch.randn(2, 4, 5))),
        {"logits": SCORES, "features": OTHER},
        {"scores": SCORES},
        {"loss": torch.tensor(0.5), "scores": SCORES},
        zoo.Scores(SCORES, OTHER),
        SimpleNamespace(logits=SCORES, features=OTHER),
        Named(OTHER, SCORES),
        ({"logits": SCORES},),
    ],
)
def test_the_scores_are_found(output: Any) -> None:
    assert logits_of(output) is SCORES


@pytest.mark.parametrize(
    ("output", "select"),
    [
        ((OTHER, SCORES), 1),
        ({"a": OTHER, "b": SCORES}, "b"),
        (zoo.Scores(OTHER, SCORES), "features"),
        (Named(1, 2), "x"),
    ],
)
def test_a_part_can_be_named(output: Any, select: Any) -> None:
    if select == "x":
        with pytest.raises(AmbiguousOutput, match="no part 'x'"):
            logits_of(output, select)
    else:
        assert logits_of(output, select) is SCORES


def test_between_two_nothing_is_guessed() -> None:
    with pytest.raises(AmbiguousOutput) as caught:
        logits_of({"a": OTHER, "b": SCORES})
    assert "['a']: 4 x 6 float32; ['b']: 4 x 3 float32" in caught.value.message
    assert "output='a'" in caught.value.remedy
    with pytest.raises(AmbiguousOutput, match="several"):
        logits_of((torch.randn(4, 3, 8, 8), torch.randn(4, 5, 2)))


@pytest.mark.parametrize("output", [None, "text", (), {}, ("a", 3)])
def test_an_output_without_tensors_says_so(output: Any) -> None:
    with pytest.raises(AmbiguousOutput, match="no tensor"):
        logits_of(output)


@pytest.mark.parametrize("form", ["dict", "dataclass", "tuple", "loss"])
def test_models_of_each_form(form: str) -> None:
    assert logits_of(zoo.dict_output(form)(torch.randn(2, 5))).shape == (2, 3)


def test_outputs_are_described() -> None:
    assert describe_output(SCORES) == ["the output: 4 x 3 float32"]
    assert describe_output((torch.tensor(1), {"x": SCORES})) == ["[0]: scalar int64", "[1]['x']: 4 x 3 float32"]
