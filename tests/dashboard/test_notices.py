"""What has to be known of the model stands above its explanations, and when its weights are others than before."""

from __future__ import annotations

import types
from dataclasses import replace
from typing import Any

import pytest
from dash import no_update

from analysis.errors import NotFound
from analysis.jobs import Job
from dashboard import asking, services
from dashboard.notices import Notice, draw_notices, notices
from dashboard.selection import Selection

from .test_training import places, text_of

OWN = "These weights were never trained."
SLOW = "The model computes on the CPU; untrained eyes may wonder."
HERE = "?view=attribution"
DESCRIBED: dict[str, Any] = {"notices": [OWN, SLOW], "weight_notices": [OWN], "weights": "a" * 64, "checkpoints": []}


@pytest.fixture(autouse=True)
def described(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the subject is: a test may change it."""
    now = dict(DESCRIBED)
    monkeypatch.setattr(asking, "described", lambda: now)
    return now


@pytest.fixture(autouse=True)
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs there are."""
    now: list[Job] = []
    listed = types.SimpleNamespace(list=lambda limit: now[:limit])
    monkeypatch.setattr(services, "current", lambda: types.SimpleNamespace(jobs=listed))
    return now


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps at which run A, 'first', has saved weights."""
    steps = [0, 640]

    def saved() -> list[Any]:
        return [types.SimpleNamespace(name=f"step-{step:08d}", step=step) for step in steps]

    opened = types.SimpleNamespace(info=types.SimpleNamespace(name="first"), checkpoints=saved)
    monkeypatch.setattr(services, "open_runs", lambda ids: [opened] if ids else [])
    return steps


def drawn(search: str = HERE, before: Any = None, dismissed: Any = None) -> Any:
    return draw_notices(*[None] * 5, dismissed, before, search)


def lines(search: str = HERE, before: Any = None, dismissed: Any = None) -> list[str]:
    return [text_of(line) for line in drawn(search, before, dismissed)[0]]


def test_an_untrained_model_is_said_above_its_explanations() -> None:
    assert lines() == [OWN, SLOW]


def test_what_is_said_of_the_subject_s_own_weights_is_told_by_its_kind_and_not_by_its_words() -> None:
    assert lines(f"{HERE}&checkpoint=step-00000640") == [SLOW], "which holds the word 'untrained' as well"


def test_it_is_drawn_once_and_only_above_views_of_the_model() -> None:
    _, seen = drawn()
    assert drawn(before=seen) == (no_update, no_update)
    assert lines("?view=sequences") == lines("?view=instances") == [OWN, SLOW]
    assert drawn("?view=training") == (no_update, no_update)
    gone, after = drawn("?view=training", before=seen)
    assert gone == []
    assert lines(before=after) == [OWN, SLOW]


def test_it_says_how_far_activations_are_read(jobs: list[Any]) -> None:
    progress = {"done": 3, "total": 9, "unit": "instances"}
    jobs.append(job := Job("a", "Activations", "extract", "running", "server", 0.0, progress=progress))
    assert "3 of 9" in lines()[-1]
    assert lines("?view=layers") == [OWN, SLOW], "which has a bar of its own"
    jobs[0] = replace(job, state="done")
    assert lines() == [OWN, SLOW]


def test_nothing_is_said_while_the_model_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def waiting() -> Any:
        raise asking.NotReady("The model", "It is being read.", waiting=True)

    monkeypatch.setattr(asking, "described", waiting)
    assert drawn() == (no_update, no_update)


def test_trained_weights_that_take_the_place_of_untrained_ones_are_announced_until_dismissed(
    described: dict[str, Any],
) -> None:
    _, seen = drawn()
    described.update(notices=[SLOW], weight_notices=[], weights="b" * 64)
    parts, after = drawn(before=seen)
    assert [text_of(part) for part in parts] == [
        "The model has been trained since you opened this page: its trained weights are shown now. Dismiss",
        SLOW,
    ]
    assert drawn(before=after) == (no_update, no_update), "it stays"
    mark = next(one for one in notices(Selection(), described, after["changed"]) if one.kind == "changed").mark
    assert lines(before=after, dismissed=[mark]) == [SLOW]
    assert lines(f"{HERE}&checkpoint=x", before=after) == [SLOW], "a checkpoint is what it was"


def test_weights_that_are_others_than_before_are_announced(described: dict[str, Any]) -> None:
    described.update(notices=[], weight_notices=[])
    _, seen = drawn()
    described["weights"] = "c" * 64
    assert "others than when you opened this page" in lines(before=seen)[0]
    assert lines() == [], "a page that is opened now has seen no others"


@pytest.mark.usefixtures("run")
def test_a_newer_checkpoint_of_the_same_run_is_said_with_the_way_to_it() -> None:
    search = f"{HERE}&runs=r&checkpoint=step-00000000"
    parts, _ = drawn(search)
    assert text_of(parts[0]).startswith("Weights of step 0 are shown; run 'first' has newer ones, of step 640. Show")
    assert places(parts[0]) == [{"checkpoint": "step-00000640", "step": "640"}]
    assert lines(f"{HERE}&runs=r&checkpoint=step-00000640") == [SLOW]


def test_a_checkpoint_that_is_saved_meanwhile_appears(run: list[int]) -> None:
    search = f"{HERE}&runs=r&checkpoint=step-00000640"
    _, seen = drawn(search)
    run.append(1280)
    assert "newer ones, of step 1,280" in lines(search, before=seen)[0]


@pytest.mark.usefixtures("run")
def test_while_the_model_is_untrained_the_weights_that_the_run_has_saved_are_offered(
    described: dict[str, Any],
) -> None:
    assert "Run 'first' has saved its weights at step 640. Show step 640" in lines(f"{HERE}&runs=r")[1]
    described.update(notices=[], weight_notices=[])
    assert lines(f"{HERE}&runs=r") == []


@pytest.mark.usefixtures("run")
def test_a_checkpoint_of_the_subject_s_own_has_no_newer_one(described: dict[str, Any]) -> None:
    described["checkpoints"] = [{"name": "step-00000000", "path": "/x", "sha256": "e" * 64}]
    assert lines(f"{HERE}&runs=r&checkpoint=step-00000000") == [SLOW]
    assert lines(f"{HERE}&runs=r&checkpoint=gone") == [SLOW]


def test_a_run_that_is_gone_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_ids: Any) -> Any:
        raise NotFound("The run is missing.", "Choose another.")

    monkeypatch.setattr(services, "open_runs", gone)
    assert lines(f"{HERE}&runs=r") == [OWN, SLOW]


@pytest.mark.parametrize("hostile", ["x", [1], {"a": []}, {"weights": 3, "changed": 7}])
def test_what_a_browser_made_up_breaks_nothing(hostile: Any) -> None:
    assert drawn(before=hostile, dismissed=hostile)


def test_a_notice_is_dismissed_by_what_it_says() -> None:
    assert Notice("changed", "a").mark != Notice("changed", "b").mark
