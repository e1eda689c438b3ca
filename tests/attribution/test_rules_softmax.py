"""Models that end with a softmax: what rules explain is the score before it, in all that is said of it."""

from __future__ import annotations

import pytest
from torch import nn

from analysis.attribution.trust import attribution_trust
from analysis.subject.session import Session
from tests.attribution.conftest import Context, N, drawn, explained, labelled, opened, table_net

ENDS = {"softmax": lambda: nn.Softmax(1), "log-softmax": lambda: nn.LogSoftmax(1)}


def ending(name: str) -> Session:
    return opened(nn.Sequential(table_net(), ENDS[name]()), labelled(drawn(N, 5), 3))


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("method", ["deep_lift", "deep_lift_shap"])
def test_contributions_add_up_in_the_answer_and_in_its_measures(method: str, end: str) -> None:
    value, _ = explained(ending(end), method)
    assert value["sum"] == pytest.approx(value["score"] - value["baseline"], rel=1e-4)
    assert not [note for note in value["notes"] if "add up" in note]
    trust, _ = attribution_trust(ending(end), Context(), instance=0, method=method, version=1)
    assert trust["completeness"]["gap"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("method", ["deep_lift", "lrp"])
def test_the_score_is_called_what_it_is(method: str, end: str) -> None:
    session = ending(end)
    assert explained(session, method, target="1")[0]["target_name"] == "the score of class '1' before the softmax"
    assert explained(session, method, target="1-2")[0]["target_name"] == "'1' minus '2', before the softmax"
    assert "softmax" not in explained(session, "saliency", target="1")[0]["target_name"]


def test_scores_of_an_edited_instance_and_of_the_unedited_one_are_not_mixed_up() -> None:
    edit = [{"op": "set", "column": 0, "value": 2.0}]
    value, _ = explained(ending("softmax"), "deep_lift", edit=edit)
    assert value["unedited"]["score"] is None
    value, _ = explained(ending("softmax"), "saliency", edit=edit)
    assert value["unedited"]["score"] < 0
