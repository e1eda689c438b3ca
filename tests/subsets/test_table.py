"""The table of a sample: the model's columns from its logits, and what an answer adds, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.extraction.reader import Extraction
from analysis.results import Answer, Answers
from analysis.subsets.table import UNKNOWN, joined, of_extraction, of_model, packed, unpacked
from tests.extraction.fabricate import fabricate
from tests.subsets.tables import table


def test_the_columns_of_the_model_are_those_of_a_loop() -> None:
    made = table(40)
    rng = np.random.default_rng(0)
    rng.integers(0, 3, 40)
    logits = rng.normal(size=(40, 3)).astype(np.float32)
    for row in range(40):
        shares = np.exp(logits[row].astype(float))
        shares /= shares.sum()
        first, second = sorted(shares)[::-1][:2]
        assert made.columns["confidence"].values[row] == pytest.approx(first, abs=1e-6)
        assert made.columns["margin"].values[row] == pytest.approx(first - second, abs=1e-6)
        assert made.columns["entropy"].values[row] == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-6)
        right = None if made.labels[row] < 0 else bool(made.labels[row] == shares.argmax())
        assert made.columns["correct"].shown(row) is right
        assert made.columns["label"].shown(row) == (
            None if made.labels[row] < 0 else made.class_names[made.labels[row]]
        )
    assert [column.name for column in made.of("model")] == [
        "index",
        "label",
        "prediction",
        "correct",
        "confidence",
        "loss",
        "margin",
        "entropy",
    ]


def test_a_single_logit_is_the_probability_of_its_class() -> None:
    made = of_model([0, 1], [1, 0], [1, 1], np.array([[2.0], [0.5]]), [0.1, 1.0], ["no", "yes"])
    share = 1 / (1 + np.exp(-2.0))
    assert made.columns["confidence"].values[0] == pytest.approx(share)
    assert made.columns["margin"].values[0] == pytest.approx(2 * share - 1)
    assert made.wrong.tolist() == [False, True]


def test_logits_that_are_no_numbers_are_missing_and_certainty_has_no_entropy() -> None:
    logits = np.array([[np.nan, 1], [np.inf, 0], [100, -100], [1, -np.inf]], np.float32)
    made = of_model(range(4), [0] * 4, [0] * 4, logits, np.zeros(4), ["a", "b"])
    for name in ("confidence", "margin", "entropy"):
        assert made.columns[name].missing.tolist() == [True, True, False, False]
    assert made.columns["entropy"].values[2:].tolist() == [0, 0]
    assert made.columns["margin"].values[2:].tolist() == [1, 1]


def test_a_table_of_an_extraction_has_its_rows(tmp_path: Path) -> None:
    truth = fabricate(tmp_path / "e", n=200, only=[0, 2])
    extraction = Extraction(tmp_path / "e")
    made = of_extraction(extraction)
    assert made.n == extraction.done == 128
    assert made.indices.tolist() == extraction.indices.tolist()
    assert made.columns["confidence"].values == pytest.approx(extraction.confidence, abs=1e-6)
    assert set(made.labels.tolist()) <= set(truth["labels"].tolist())


def answer(home: Path, index: list[int]) -> Answer:
    said = [
        {
            "name": "size",
            "title": "Size",
            "kind": "number",
            "names": [],
            "unit": "cm",
            "source": "metadata",
            "reason": "",
        },
        {"name": "x", "title": "X", "kind": "category", "names": ["a", "b"], "unit": "", "source": "metadata"},
        {"name": "dark", "title": "Dark", "kind": "truth", "names": [], "unit": "", "source": "function", "reason": ""},
        {"name": "bad", "title": "Bad", "kind": "truth", "names": [], "source": "function", "reason": "it raises"},
        {"name": "note", "title": "Note", "kind": "text", "names": [], "unit": "", "source": "metadata", "reason": ""},
    ]
    n = len(index)
    arrays: dict[str, Any] = {
        "index": np.array(index),
        "c/0": np.arange(n) * 1.5,
        "c/1": (np.arange(n) % 2).astype("i4"),
        "c/2": (np.arange(n) % 2).astype("u1"),
    }
    arrays["c/4"], arrays["c/4/offsets"] = packed([f"note {at}" for at in index])
    arrays["text"], arrays["offsets"] = packed([f"ä {at}" for at in index])
    return Answers(home).put("a" * 40, {"columns": said, "text": True}, arrays)


def test_columns_join_by_instance_and_are_missing_where_unknown(tmp_path: Path) -> None:
    made = table(5)
    found = joined(made, answer(tmp_path, [9, 3, 0, 777]))
    assert made.indices.tolist() == [0, 3, 6, 9, 12]
    assert [found.columns["size"].shown(row) for row in range(5)] == [3.0, 1.5, None, 0.0, None]
    assert [found.columns["x"].shown(row) for row in range(5)] == ["a", "b", None, "a", None]
    assert [found.columns["dark"].shown(row) for row in range(5)] == [False, True, None, False, None]
    assert [found.columns["note"].shown(row) for row in range(5)] == ["note 0", "note 3", None, "note 9", None]
    assert found.texts is not None
    assert found.texts.tolist() == ["ä 0", "ä 3", "", "ä 9", ""]
    assert found.columns["dark"].values.tolist() == [0, 1, UNKNOWN, 0, UNKNOWN]
    assert found.left_out == (("bad", "it raises"),)
    assert "bad" not in found.columns
    assert found.columns["size"].unit == "cm"


def test_rows_in_the_same_order_are_taken_as_they_are(tmp_path: Path) -> None:
    found = joined(table(3), answer(tmp_path, [0, 3, 6]))
    assert found.columns["size"].values.tolist() == [0, 1.5, 3]


def test_no_rows_join(tmp_path: Path) -> None:
    assert joined(table(0), answer(tmp_path / "a", [1])).columns["size"].values.shape == (0,)
    found = joined(table(3), answer(tmp_path / "b", []))
    assert found.columns["size"].missing.all()
    assert found.columns["note"].missing.all()
    assert found.columns["x"].missing.all()


def test_some_rows_are_a_table() -> None:
    made = table(20)
    some = made.take(np.array([3, 5]))
    assert some.n == 2
    assert some.columns["text"].shown(1) == made.columns["text"].shown(5)
    assert some.indices.tolist() == [9, 15]


@settings(deadline=None)
@given(st.lists(st.text(max_size=20).filter(lambda text: text.isprintable()), max_size=8))
def test_texts_come_back_as_they_were(texts: list[str]) -> None:
    assert unpacked(*packed(texts)).tolist() == texts
