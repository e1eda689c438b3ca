"""What has to be known of the model stands above its explanations."""

from __future__ import annotations

from typing import Any

import pytest
from dash import no_update

from dashboard import asking
from dashboard.views.attribution.notices_panel import draw_notices

UNTRAINED = "The subject's own weights are untrained until the demo has run."
SLOW = "The model computes on the CPU."


@pytest.fixture(autouse=True)
def _described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "described", lambda: {"notices": [UNTRAINED, SLOW]})


def drawn(search: str, before: Any = None) -> Any:
    return draw_notices(None, None, None, before, search)


def test_an_untrained_model_is_said_above_its_explanations() -> None:
    assert [line.children for line in drawn("?view=attribution")] == [UNTRAINED, SLOW]


def test_with_a_checkpoint_the_subject_s_own_weights_do_not_matter() -> None:
    assert [line.children for line in drawn("?view=attribution&checkpoint=step-00000640")] == [SLOW]


def test_it_is_drawn_once_and_only_in_its_view() -> None:
    before = [line.to_plotly_json() for line in drawn("?view=attribution")]
    assert drawn("?view=attribution", before) is no_update
    assert drawn("?view=layers") is no_update


def test_nothing_is_said_while_the_model_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def waiting() -> Any:
        raise asking.NotReady("The model", "It is being read.", waiting=True)

    monkeypatch.setattr(asking, "described", waiting)
    assert drawn("?view=attribution") is no_update
