"""Questions about single instances: what their keys depend on, and drafts in the worker."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis.questions import keys, registry, run
from analysis.questions.registry import Question
from analysis.results import Answers, Partials
from tests.questions.test_keys import DESCRIBED

PARAMS: dict[str, Any] = {"instance": 3, "method": "saliency", "version": 1, "target": "predicted", "edit": []}
OTHER = {"n": 5, "random_state": 1, "include": [2]}


@pytest.mark.parametrize("question", ["attribution", "attribution_methods", "attribution_trust"])
def test_answers_about_one_instance_do_not_depend_on_the_sample(question: str) -> None:
    known = keys.answer_key(DESCRIBED, question, PARAMS, None)
    assert keys.answer_key(DESCRIBED, question, PARAMS, None, OTHER) == known
    assert not registry.get(question).of_sample


def test_answers_over_a_subset_depend_on_the_sample() -> None:
    known = keys.answer_key(DESCRIBED, "attribution_subset", PARAMS, None)
    assert keys.answer_key(DESCRIBED, "attribution_subset", PARAMS, None, OTHER) != known


@pytest.mark.parametrize("part", ["code", "weights", "data"])
def test_they_depend_on_code_weights_and_data(part: str) -> None:
    known = keys.answer_key(DESCRIBED, "attribution", PARAMS, None)
    assert keys.answer_key(DESCRIBED | {part: "other"}, "attribution", PARAMS, None) != known


@pytest.mark.parametrize(
    "change",
    [
        {"instance": 4},
        {"version": 2},
        {"target": "3"},
        {"edit": [{"op": "delete", "at": 0}]},
        {"params": {"abs": True}},
    ],
)
def test_they_depend_on_every_parameter(change: dict[str, Any]) -> None:
    known = keys.answer_key(DESCRIBED, "attribution", PARAMS, None)
    assert keys.answer_key(DESCRIBED, "attribution", {**PARAMS, **change}, None) != known


def test_a_checkpoint_is_part_of_the_key() -> None:
    known = keys.answer_key(DESCRIBED, "attribution", PARAMS, None)
    other = {"name": "last", "path": "/nowhere", "sha256": "e" * 64}
    assert keys.answer_key(DESCRIBED, "attribution", PARAMS, other) != known


# Drafts

DRAFTS: list[Any] = []


def growing(session: Any, _context: Any, *, fail: bool = False) -> Any:
    """A question that publishes what it has, and looks whether it can be read."""
    for number in range(3):
        session.partial({"samples": number}, {"values": np.full(2, number, np.float32)})
        DRAFTS.append(PLACE[0].get(PLACE[1]))
    if fail:
        raise ValueError("half way")
    return {"samples": 3}, {}


PLACE: list[Any] = []


class Stand:
    """What a session needs for ``run.ask``."""

    outdated = False

    def __init__(self, cache: Any) -> None:
        self.cache = cache
        self.partial = lambda *_answer: None


@pytest.fixture
def asking(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    question = Question("growing", 1, "Growing", f"{__name__}:growing", of_sample=False)
    monkeypatch.setattr(registry, "QUESTIONS", (*registry.QUESTIONS, question))
    session = Stand(tmp_path)
    held = run.Held("subject", session, DESCRIBED, {}, set())
    held.now.append((None, {}, None))  # type: ignore[arg-type]
    monkeypatch.setattr(run, "_held", [held])
    DRAFTS.clear()
    return session


@pytest.mark.parametrize("fail", [False, True])
def test_drafts_can_be_read_while_the_answer_grows_and_are_gone_afterwards(asking: Stand, fail: bool) -> None:
    params = {"fail": fail}
    key = keys.answer_key(DESCRIBED, "growing", params, None, {})
    partials = Partials(asking.cache / "answers")
    PLACE[:] = [partials, key]
    before = asking.partial
    if fail:
        with pytest.raises(ValueError, match="half way"):
            run.ask(asking, None, "growing", params)  # type: ignore[arg-type]
    else:
        assert run.ask(asking, None, "growing", params).json == {"samples": 3}  # type: ignore[arg-type]
    assert [draft.json["samples"] for draft in DRAFTS] == [0, 1, 2]
    assert partials.get(key) is None
    assert (Answers(asking.cache / "answers").get(key) is None) == fail
    assert asking.partial is before
