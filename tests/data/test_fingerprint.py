"""The fingerprint of data: different data, different digest, and nothing huge is opened for it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from PIL import Image

from analysis.data import tensors
from analysis.data.fingerprint import fingerprint
from analysis.data.source import open_source


@dataclass(slots=True)
class Slotted:
    x: np.ndarray[Any, Any]
    label: int


def digest(*items: Any) -> str:
    return fingerprint(open_source([*items])).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (([1, 23], 0), ([12, 3], 0)),
        ({"a": 1, "b": 2}, {"a1b": 2}),
        ((np.array([1, "x"], object), 0), (np.array([2, "x"], object), 0)),
        ((np.array(["2020-01-01"], "M8[D]"), 0), (np.array(["2021-01-01"], "M8[D]"), 0)),
        (Slotted(np.zeros(2), 0), Slotted(np.ones(2), 0)),
        ((datetime.date(2020, 1, 1), 0), (datetime.date(2021, 1, 1), 0)),
    ],
    ids=["numbers", "keys", "objects", "dates", "slots", "date"],
)
def test_other_items_have_another_digest(one: Any, other: Any) -> None:
    assert digest(one) == digest(one)
    assert digest(one) != digest(other)


def test_items_that_contain_themselves_end() -> None:
    ring: list[Any] = [1]
    ring.append(ring)
    assert digest(ring) == digest(ring)


def test_a_picture_of_unreasonable_size_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "MAX_PIXELS", 10)
    picture = Image.new("L", (4, 4))

    def opened(*_: object) -> bytes:
        raise AssertionError("opened")

    monkeypatch.setattr(picture, "tobytes", opened)
    assert digest((picture, 0))
