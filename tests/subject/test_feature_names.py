"""Names of columns and channels: carried to the page, and counted against the data."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from analysis import Subject
from analysis.data.errors import SubjectError
from analysis.subject.identity import code_hash
from tests.subject.subjects import IMAGES, LABELS, convolutional, session

LABELLED = torch.arange(9) % 2
NAMES = ["age", "height", "weight", "speed", "sugar"]


def table(**options: Any) -> Any:
    return session(nn.Linear(5, 2), (torch.randn(9, 5), LABELLED), kind="table", **options)


def series(channels: int, **options: Any) -> Any:
    model = nn.Sequential(nn.Conv1d(channels, 4, 3), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2))
    return session(model, (torch.randn(9, channels, 20), LABELLED), **options)


def test_columns_and_channels_keep_their_names() -> None:
    assert table(feature_names=NAMES).description()["feature_names"] == NAMES
    assert table(feature_names=tuple(range(5))).description()["feature_names"] == ["0", "1", "2", "3", "4"]
    assert table().description()["feature_names"] is None
    assert series(3, feature_names=NAMES[:3]).description()["feature_names"] == NAMES[:3]


@pytest.mark.parametrize("wrong", ["age", 5])
def test_what_is_no_list_of_names_is_refused(wrong: Any) -> None:
    with pytest.raises(SubjectError, match=f"feature_names is a {type(wrong).__name__}") as caught:
        Subject(nn.Linear(5, 2), (torch.randn(9, 5), LABELLED), feature_names=wrong)
    assert caught.value.remedy


def test_another_number_of_names_is_refused() -> None:
    with pytest.raises(SubjectError, match="4 names, but instances have 5 columns"):
        table(feature_names=NAMES[:4])
    with pytest.raises(SubjectError, match="5 names, but instances have 3 channels"):
        series(3, feature_names=NAMES)
    with pytest.raises(SubjectError, match="kind 'image'") as caught:
        session(convolutional(), (IMAGES, LABELS), feature_names=["red"])
    assert caught.value.remedy


def test_other_names_are_another_subject() -> None:
    data = (torch.randn(9, 5), LABELLED)
    model = nn.Linear(5, 2)
    hashes = {code_hash(Subject(model, data, feature_names=names), "") for names in (None, NAMES, NAMES[::-1])}
    assert len(hashes) == 3
