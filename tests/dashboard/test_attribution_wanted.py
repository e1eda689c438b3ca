"""A button that asks for something asks for what is shown now, not for what was shown when it was drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.views.attribution import data, subset_data, subset_panel

from .attribution_stage import found_in
from .layers_stage import make_app, stage_in
from .test_attribution_more import KINDS, Shown


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    for stage in stage_in(make_app(tmp_path), monkeypatch, kind="table", **KINDS["table"]):
        yield Shown(stage, "table")


def draw(search: str, before: Any = None) -> tuple[Any, ...]:
    return subset_panel.draw_subset(*[None] * 11, "light", None, [], before, search)


@pytest.mark.parametrize("change", ["&target=2", "&target=true", "&params=one.n_steps=7"])
def test_the_button_for_many_instances_follows_what_is_explained(shown: Shown, change: str) -> None:
    before = draw(shown.search)
    after = draw(shown.search + change, before[0])
    [button] = found_in(after[3], "outline-button")
    wanted = subset_data.load(data.frame(shown.search + change), set()).token
    assert button.__dict__["data-at-want"] == wanted, "else a click asks for what nobody shows"
