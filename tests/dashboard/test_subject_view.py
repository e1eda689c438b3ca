"""The Subject view: what was understood, and what is said while there is nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dash import no_update

from analysis.jobs.queue import Job
from dashboard import shell_callbacks, subjects
from dashboard.selection import Selection
from dashboard.views.subject import callbacks, cards
from dashboard.views.subject.layout import PANELS

from .layers_stage import Stage, make_app, stage_in
from .test_training import places, text_of

VIEW = "?view=subject"
BODIES = slice(3, 3 + len(PANELS))


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    yield from stage_in(make_app(tmp_path), monkeypatch)


def draw(search: str = VIEW, before: Any = None) -> tuple[Any, ...]:
    return callbacks.draw_subject(None, None, before, search)


@pytest.mark.usefixtures("stage")
def test_what_was_understood_is_shown() -> None:
    answer = draw()
    _, state, hidden = answer[:3]
    understood, limits, examples, table, classes, weights = answer[BODIES]
    assert state is None
    assert hidden is False
    assert "Override with kind=" in text_of(understood).replace("  ", " ")
    assert "431,080" in text_of(understood)
    assert "What to do:  Give it." in text_of(limits)
    assert "✓   correct" in text_of(examples)
    assert "✗   wrong" in text_of(examples)
    assert "<b>one</b>" in text_of(examples)
    assert [row["key"] for row in table.rowData] == ["conv1", "conv2", "fc1", "fc2", "spare"]
    assert table.rowData[-1]["reason"] == "not called for these inputs"
    assert text_of(classes).count("60") == 10
    said = text_of(weights)
    assert "ab" * 32 in said
    assert "It is no file." in said
    assert "CUDA is not there" in said
    assert {"view": "layers", "checkpoint": "last"} in places(weights)
    assert {"view": "layers", "checkpoint": "bad"} not in places(weights)
    subtitles = answer[BODIES.stop : BODIES.stop + len(PANELS)]
    assert "1 cannot be shown" in subtitles[3]
    assert subtitles[5].endswith("1 of 2 checkpoints usable")
    assert subtitles[1] == "2 limits"
    assert "checkpoint bad It is no file." in text_of(limits)
    assert "Read after" not in [column["headerName"] for column in table.columnDefs]
    assert all(part is no_update for part in draw(VIEW, answer[0]))


def test_the_examples_have_pictures(stage: Stage) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (3, 28, 28, 1)).astype(np.uint8)
    stage.answer = stage.services.answers.put("ab" * 20, stage.description, {"examples": pictures})
    found = draw()[BODIES][2]
    address = found.children[0].children[0].src
    client = stage.app.server.test_client()
    assert address == f"/picture/example?answer={'ab' * 20}&index=0"
    assert client.get(address).mimetype == "image/png"
    for wrong in (
        "answer=zz&index=0",
        f"answer={'ab' * 20}&index=3",
        f"answer={'ab' * 20}&index=-1",
        "",
        "answer=../x",
    ):
        assert client.get(f"/picture/example?{wrong}").status_code == 404
    rows = client.get("/export/modules.csv").get_data(as_text=True).splitlines()
    assert len(rows) == 6


@pytest.mark.usefixtures("stage")
def test_nothing_is_done_for_another_view() -> None:
    assert all(part is no_update for part in draw("?view=layers"))


def job(state: str, **more: Any) -> Job:
    return Job("a" * 32, "Open the model and its data", "subject", state, "server", 0.0, **more)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (subjects.Described("none"), "def subject()"),
        (
            subjects.Described("waiting", job=job("running", progress={"done": 3, "total": 9, "unit": "instances"})),
            "3 of 9 instances",
        ),
        (
            subjects.Described(
                "failed",
                job=job("failed", error={"message": "It raised.", "remedy": "Mend it.", "tail": "Traceback x"}),
            ),
            "It raised. Mend it. Last lines of its log Traceback x",
        ),
    ],
)
def test_without_a_description_it_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: subjects.Described, said: str
) -> None:
    monkeypatch.setattr(subjects, "described", lambda: found)
    with make_app(tmp_path).server.test_request_context("/"):
        answer = draw()
    assert said in text_of(answer[1])
    assert answer[2] is True


def test_a_missing_checkpoint_has_no_size() -> None:
    gone = {"name": "gone", "bytes": 0, "problem": "gone.pt cannot be read: No such file or directory."}
    said = text_of(cards.weights({"checkpoints": [gone]}))
    assert "cannot be read" in said
    assert "bytes" not in said


def test_what_is_read_after_is_a_column_where_it_differs(stage: Stage) -> None:
    stage.description["layers"][0]["read_after"] = "relu1"
    table = draw()[BODIES][3]
    assert "Read after" in [column["headerName"] for column in table.columnDefs]
    assert table.rowData[0]["read_after"] == "relu1"


@pytest.mark.usefixtures("stage")
def test_a_checkpoint_that_cannot_be_used_cannot_be_chosen() -> None:
    offered = shell_callbacks.offer_parts(*[None] * 11, VIEW)[1]
    assert {"value": "last", "label": "last"} in offered
    assert {"value": "bad", "label": "bad (cannot be used)", "disabled": True} in offered


def test_a_failed_subject_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = {"message": "It raised.\nTraceback line", "remedy": "Mend it."}
    failed = subjects.Described("failed", job=job("failed", error=error))
    monkeypatch.setattr(subjects, "described", lambda: failed)
    app = make_app(tmp_path)
    with app.server.test_request_context("/"):
        state = text_of(draw()[1])
        banners = [
            text_of(shell_callbacks._banner(app.server.extensions["cutaway"], Selection(view=view), []))
            for view in ("subject", "layers")
        ]
    assert "Reading the model and its data failed." in state
    assert "Traceback line" in state
    assert banners == ["", "The model cannot be shown. It raised. The Subject view says more."]


def test_many_classes_are_cut_and_counted() -> None:
    found = {"classes": [f"c{i}" for i in range(1000)], "class_counts": list(range(1000))}
    shown = cards.classes(found)
    assert len(shown) == cards.MOST_CLASSES + 1
    assert "970 more classes with 469,965 instances" in text_of(shown)


@pytest.mark.parametrize("empty", [{}, {"class_counts": None, "layers": [], "examples": []}])
def test_a_bare_description_is_shown(empty: dict[str, Any]) -> None:
    parts = [cards.understood(empty), cards.limits(empty), cards.examples(empty, None), cards.classes(empty)]
    assert all(text_of(part) for part in [*parts, cards.weights(empty)])
