"""The panel over many instances reads any subset of the address: an expression, a saved name, or says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from dashboard import members, wording
from dashboard.views.attribution import data, subset_data
from tests.dashboard.layers_stage import make_app, stage_in

from .test_attribution_more import KINDS, Shown, many, text_of


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    for stage in stage_in(make_app(tmp_path), monkeypatch, kind="table", **KINDS["table"]):
        yield Shown(stage, "table")


def put_columns(shown: Shown) -> None:
    """The worker's answer: brightness is the label."""
    frame = data.frame(shown.search)
    assert frame.extraction is not None
    said = {"name": "brightness", "title": "Brightness", "kind": "number", "names": [], "unit": "", "reason": ""}
    arrays = {"index": frame.extraction.indices, "c/0": frame.extraction.labels.astype("f8")}
    shown.stage.put("instance_columns", {"columns": [said | {"source": "feature"}], "text": False}, arrays)


def asked(shown: Shown, subset: str) -> Any:
    return subset_data.load(data.frame(f"{shown.search}&subset={quote(subset)}"), set())


def drawn(shown: Shown, subset: str) -> str:
    found = many(f"{shown.search}&subset={quote(subset)}")
    return f"{found[1]} {text_of(found[3])}"


def test_an_expression_is_offered_with_its_cost(shown: Shown) -> None:
    truth = shown.stage.truth
    wrong = truth["labels"] != truth["predictions"]
    label = int(truth["labels"][wrong][0])
    count = int((wrong & (truth["labels"] == label)).sum())
    found = drawn(shown, f"label == {label} and prediction != {label}")
    assert f"Explain {count} instance" in found
    assert f"instances where label == {label} and prediction != {label}" in found
    assert shown.stage.jobs() == [], "it is about the model only"
    assert "instances labelled 3" in drawn(shown, "class:3")


def test_a_subset_about_features_waits_for_them(shown: Shown) -> None:
    assert "Columns of metadata and features are being computed" in drawn(shown, "brightness > 5")
    assert shown.stage.jobs() == ["Columns of the instances"]
    put_columns(shown)
    count = int((np.asarray(shown.stage.truth["labels"]) > 5).sum())
    assert f"Explain {count}" in drawn(shown, "brightness > 5")


def test_a_saved_subset_is_asked_with_what_it_says(shown: Shown) -> None:
    frame = data.frame(shown.search)
    assert frame.extraction is not None
    members.save(frame, "few", indices=frame.extraction.indices[:3])
    first = asked(shown, "saved:few")
    assert first.count == 3
    assert "'few'" in drawn(shown, "saved:few")
    members.save(frame, "few", indices=frame.extraction.indices[:5], again=True)
    second = asked(shown, "saved:few")
    assert second.count == 5
    assert first.token != second.token, "another subset by the same name is another question"


def test_a_new_name_is_offered_at_once(shown: Shown) -> None:
    before = many(shown.search)
    members.save(data.frame(shown.search), "dark", "wrong")
    after = many(shown.search, before=before[0])
    assert {"value": "saved:dark", "label": "dark"} in after[4]


@pytest.mark.parametrize(
    ("subset", "words"),
    [
        ("(label == 3", "is not closed"),
        ("labell == 3", "There is no column 'labell'"),
        ("saved:none", "no saved subset 'none'"),
        ("class:99", "no instances called 'class:99'"),
        ("__import__('os').system('x')", "no function"),
        ("label == 3 and label == 4", "The sample has no such instance"),
    ],
)
def test_what_is_no_subset_is_said_in_the_panel(shown: Shown, subset: str, words: str) -> None:
    put_columns(shown)
    assert words in drawn(shown, subset)


def test_the_list_of_jobs_calls_a_subset_by_its_name() -> None:
    told = {"classes": ["cat", "dog"]}
    assert wording._word("subset", "class:1", told) == "instances labelled dog"
    assert wording._word("subset", "saved:night: 3", told) == "'night: 3'"
    assert wording._word("subset", "loss > 2", told) == "instances where loss > 2"
    assert wording._word("subset", "wrong", told) == "wrongly predicted instances"
