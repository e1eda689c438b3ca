"""The quick reductions against the obvious ones in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from analysis.extraction import pooling
from analysis.extraction.pooling import pool, valid_steps

shapes = st.lists(st.integers(1, 7), min_size=2, max_size=5)
rectifiers = st.sampled_from(["relu", "abs", "softmax"])
OBVIOUS = {"relu": lambda v: v.relu(), "abs": lambda v: v.abs(), "softmax": lambda v: v.softmax(1)}


def agrees(values: Tensor, rectifier: str, lengths: Tensor | None = None) -> None:
    given_values = values.clone()
    agrees_with(pool(values, rectifier, lengths).fetched(), values, rectifier, lengths)
    if values.dim() > 2 and lengths is None and rectifier != "softmax":
        agrees_with(pooling._elsewhere(values.flatten(2), rectifier).fetched(), values, rectifier)  # as on a GPU
    assert torch.equal(values, given_values), "the model's own tensor was changed"


def agrees_with(found: pooling.Pooled, values: Tensor, rectifier: str, lengths: Tensor | None = None) -> None:
    exact = OBVIOUS[rectifier](values.double()).flatten(2).numpy() if values.dim() > 2 else None
    if exact is None:
        assert found.maximum == pytest.approx(OBVIOUS[rectifier](values.double()).numpy(), abs=1e-6)
        assert found.where is None
        return
    assert found.where is not None
    for row in range(exact.shape[0]):
        valid = exact[row] if lengths is None else exact[row, :, : int(lengths[row])]
        assert found.maximum[row] == pytest.approx(valid.max(1), abs=1e-6)
        assert found.mean[row] == pytest.approx(valid.mean(1), abs=1e-6)
        assert valid[np.arange(len(valid)), found.where[row]] == pytest.approx(valid.max(1), abs=1e-6)
    assert [found.maximum.dtype, found.mean.dtype, found.where.dtype] == [np.float32, np.float32, np.int32]


@settings(max_examples=150, deadline=None)
@given(shapes, rectifiers, st.integers(0, 1000), st.sampled_from([1, 5, 40, 1 << 20]))
def test_pooling_equals_the_obvious(shape: list[int], rectifier: str, seed: int, part: int) -> None:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    before, pooling.PART = pooling.PART, part  # reduced in parts of any size
    try:
        agrees(values, rectifier)
        agrees(values.movedim(1, -1).contiguous().movedim(-1, 1), rectifier)  # channels last
    finally:
        pooling.PART = before


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), rectifiers, st.integers(0, 1000))
def test_padding_does_not_count(lengths: list[int], rectifier: str, seed: int) -> None:
    values = torch.randn(len(lengths), 3, 6, generator=torch.Generator().manual_seed(seed))
    agrees(values, rectifier, torch.tensor(lengths))


def test_an_empty_sequence_has_no_values() -> None:
    found = pool(torch.ones(2, 3, 4), "relu", torch.tensor([0, 2])).fetched()
    assert np.isnan(found.maximum[0]).all()
    assert np.isnan(found.mean[0]).all()
    assert (found.maximum[1] == 1).all()


@pytest.mark.parametrize("lengths", [None, torch.tensor([4, 4])])
def test_a_nan_is_not_hidden(lengths: Tensor | None) -> None:
    values = torch.ones(2, 1, 4)
    values[0, 0, 2] = torch.nan
    found = pool(values, "relu", lengths).fetched()
    assert np.isnan(found.maximum[:, 0]).tolist() == [True, False]
    assert np.isnan(found.mean[:, 0]).tolist() == [True, False]


def test_below_zero_the_place_is_that_of_the_largest_value() -> None:
    found = pool(torch.tensor([[[-3.0, -1.0, -2.0]]]), "relu")
    assert (found.maximum.item(), found.mean.item(), found.where.item()) == (0, 0, 1)


def test_what_is_kept_does_not_change_with_the_model() -> None:
    for shape in ((2, 3), (2, 3, 4)):
        values = torch.ones(shape)
        found = pool(values, "none")
        values.zero_()
        assert (found.fetched().maximum == 1).all()


def test_a_model_in_inference_mode_and_one_out_of_it() -> None:
    values = torch.randn(2, 3, 4)
    pooling._SCRATCH.__dict__.clear()
    with torch.inference_mode():
        agrees(values.clone(), "relu")
    agrees(values, "relu")


def test_valid_steps_follow_the_stride() -> None:
    lengths = torch.tensor([8, 5, 1])
    assert valid_steps(lengths, 8, (8,)).tolist() == [8, 5, 1]
    assert valid_steps(lengths, 8, (4,)).tolist() == [4, 3, 1]
    assert valid_steps(lengths, 8, ()) is None
    assert valid_steps(lengths, 8, (4, 4)) is None
    assert valid_steps(None, 0, (4,)) is None
