"""Baselines of a subject: what is accepted, and that answers depend on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from analysis import Subject
from analysis.data.errors import SubjectError
from analysis.subject.identity import code_hash
from tests.subject.subjects import PAIRS, convolutional


def subject(baselines: Any) -> Subject:
    return Subject(convolutional(), PAIRS, baselines=baselines)


def shifted(by: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda inputs: inputs * 0 + by


def test_arrays_of_any_make_become_tensors_of_their_own() -> None:
    given = torch.zeros(1, 8, 8)
    held = subject(given).baselines
    given += 1
    assert torch.equal(held, torch.zeros(1, 8, 8))
    assert torch.equal(subject(np.ones((2, 1, 8, 8), np.float32)).baselines, torch.ones(2, 1, 8, 8))
    assert subject(7).baselines.shape == ()
    assert subject(None).baselines is None


@pytest.mark.parametrize("value", ["zero", [[1.0], [1.0, 2.0]], {"a": 1}, object()])
def test_what_is_no_array_is_refused(value: Any) -> None:
    with pytest.raises(SubjectError, match="baselines cannot be read as numbers") as caught:
        subject(value)
    assert "(k, ...)" in caught.value.remedy


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, torch.zeros(1, 8, 8)),
        (torch.zeros(1, 8, 8), torch.ones(1, 8, 8)),
        (torch.zeros(1, 8, 8), torch.zeros(2, 1, 8, 8)),
        (shifted(1.0), shifted(2.0)),
    ],
    ids=["none", "values", "shape", "function"],
)
def test_other_baselines_are_another_code(one: Any, other: Any) -> None:
    assert code_hash(subject(one), "") == code_hash(subject(one), "")
    assert code_hash(subject(one), "") != code_hash(subject(other), "")
