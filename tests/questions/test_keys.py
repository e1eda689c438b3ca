"""Keys of answers: whatever an answer depends on is part of its key."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.extraction import shards
from analysis.questions import keys

DESCRIBED: dict[str, Any] = {
    "code": "c",
    "weights": "w",
    "data": "d",
    "n": 10,
    "kind": "image",
    "axes": [2, 3],
    "input": {"shape": [1, 8, 8], "range": [0.0, 1.0]},
    "layers": [{"key": "conv", "filters": 4, "spatial": [6, 6], "parameters": 40}],
}
LARGER = DESCRIBED | {"input": {"shape": [1, 9, 9], "range": [0.0, 1.0]}}


def test_receptive_fields_depend_on_the_size_of_the_input_not_on_its_values() -> None:
    known = keys.answer_key(DESCRIBED, "receptive_fields", {}, None)
    assert keys.answer_key(LARGER, "receptive_fields", {}, None) != known
    assert keys.answer_key(DESCRIBED | {"data": "other", "weights": "v"}, "receptive_fields", {}, None) == known
    spread = DESCRIBED | {"input": {"shape": [1, 8, 8], "range": [0.0, 2.0]}}
    assert keys.answer_key(spread, "receptive_fields", {}, None) == known


def test_keys_go_with_the_version_of_the_files() -> None:
    assert keys.EXTRACTION_VERSION == shards.VERSION


def test_an_answer_from_an_extraction_goes_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = keys.answer_key(DESCRIBED, "separation", {}, None)
    monkeypatch.setattr(keys, "EXTRACTION_VERSION", keys.EXTRACTION_VERSION + 1)
    assert keys.answer_key(DESCRIBED, "separation", {}, None) != before
