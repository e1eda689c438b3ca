"""Attribution over a subset by expression: metadata, features, saved subsets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from analysis.attribution.subset import members
from analysis.errors import NotFound, ParameterError
from analysis.subsets.expression import ExpressionError
from tests.attribution.conftest import drawn
from tests.layers.desk import Context, open_desk

from .test_subset import over


def session_of(home: Path) -> Any:
    torch.manual_seed(0)
    data = [(row, at % 2) for at, row in enumerate(drawn(40, 5, seed=3))]
    metadata = {"site": ["north", "south"] * 20, "age": list(range(40))}
    return open_desk(nn.Linear(5, 2), data, home, kind="table", metadata=metadata)


@pytest.mark.parametrize(
    ("text", "saved", "wanted"),
    [
        ("age < 7", {}, range(7)),
        ("site == 'south' and age >= 30", {}, range(31, 40, 2)),
        ("label == 1 and index in '0-9'", {}, range(1, 10, 2)),
        ("saved:few", {"few": {"text": "", "indices": [3, 4, 500]}}, [3, 4]),
        ("subset('a b') and label == 0", {"a b": {"text": "age < 9", "indices": None}}, range(0, 9, 2)),
    ],
)
def test_members_are_those_of_the_expression(tmp_path: Path, text: str, saved: dict[str, Any], wanted: Any) -> None:
    indices, total = members(session_of(tmp_path), text, 100, 0, saved)
    assert indices == list(wanted)
    assert total == len(indices)


def test_columns_are_computed_only_for_subsets_about_them(tmp_path: Path) -> None:
    session = session_of(tmp_path)
    asked: list[str] = []
    ask = session.ask
    session.ask = lambda name, **parameters: asked.append(name) or ask(name, **parameters)
    members(session, "wrong", 10, 0, {})
    members(session, "label == 1 and confidence > 0.1", 10, 0, {})
    assert asked == []
    members(session, "age > 3 and wrong", 10, 0, {})
    assert asked == ["instance_columns"]


def test_an_expression_is_explained(tmp_path: Path) -> None:
    found, arrays = over(session_of(tmp_path), subset="site == 'north' and age < 20", context=Context())
    assert found["n"] == found["of"] == 10
    assert np.asarray(arrays["index"]).tolist() == list(range(0, 20, 2))


def test_what_is_no_subset_is_refused(tmp_path: Path) -> None:
    session = session_of(tmp_path)
    for text, error, words in (
        ("aeg > 3", ExpressionError, "no column 'aeg'"),
        ("(age > 3", ExpressionError, "not closed"),
        ("age > 300", NotFound, "no such instance"),
        ("saved:none", ParameterError, "no saved subset"),
        ("__import__('os')", ExpressionError, "no function"),
    ):
        with pytest.raises(error, match=words):
            members(session, text, 10, 0, {})
