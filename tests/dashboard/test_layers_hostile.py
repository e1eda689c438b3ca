"""Every callback of the Layers and Subject views, with values that no page sends, while there is a subject."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .layers_stage import Stage, make_app, stage_in
from .test_hostile import bodies

OF_VIEWS = ("strip", "lheat", "lfilter", "lfindings", "sample", "subject", "layers-inspector")
LINKS = (
    "filter=99999999",
    "filters=0-4000,77&filter=3",
    "lmode=class&lsort=class&by=999999",
    "lmode=step&runs=gone",
    "instances=999999999,1",
    "n=10&include=0-599",
    "checkpoint=%00",
    "layer=%00",
    "layer=conv1%231",
)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    yield from stage_in(make_app(tmp_path), monkeypatch)


def test_no_value_makes_a_callback_fail(stage: Stage) -> None:
    client = stage.app.server.test_client()
    client.get("/")
    asked = 0
    for name, callback in stage.app.callback_map.items():
        if "callback" not in callback or not name.strip(".").startswith(OF_VIEWS):
            continue
        for view in ("layers&layer=conv1&filter=1", "subject"):
            for body in bodies(name, callback, f"?view={view}"):
                answer = client.post("/_dash-update-component", data=json.dumps(body), content_type="application/json")
                assert answer.status_code < 500, (name, body)
                asked += 1
    assert asked > 500


@pytest.mark.parametrize("link", LINKS)
def test_odd_links_are_answered(stage: Stage, link: str) -> None:
    client = stage.app.server.test_client()
    for name, callback in stage.app.callback_map.items():
        if "callback" in callback and any(part["id"] == "url" for part in callback["state"]):
            body = next(iter(bodies(name, callback, f"?view=layers&layer=conv2&{link}")))
            answer = client.post("/_dash-update-component", json=body)
            assert answer.status_code < 400, (name, answer.get_data(as_text=True)[:300])
            assert len(answer.get_data()) < 300_000
