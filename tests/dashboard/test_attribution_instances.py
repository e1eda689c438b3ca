"""The panel of instances to explain, called as a plain function on made-up samples."""

from __future__ import annotations

from collections.abc import Iterator

import dash
import numpy as np
import pytest

from dashboard.app import create_app
from dashboard.settings import Settings
from dashboard.views.attribution import instances_data, instances_panel

from .attribution_stage import (
    Explained,
    draw_instances,
    found_in,
)
from .test_training import places, text_of


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> dash.Dash:
    return create_app(Settings(roots=(), workspace=tmp_path_factory.mktemp("workspace")))


@pytest.fixture
def context(app: dash.Dash) -> Iterator[None]:
    with app.server.test_request_context("/"):
        yield


@pytest.fixture
def made(
    app: dash.Dash,
    context: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Explained:
    return Explained(app, name=request.node.name).install(monkeypatch)  # type: ignore[return-value]


def test_wrong_instances_come_first_and_are_told_by_shape(made: Explained) -> None:
    mark, subtitle, state, tiles, name, steps, *_ = draw_instances("?view=attribution")
    found = made.extraction
    wrong = int((found.predictions != found.labels).sum())
    assert mark
    assert state is None
    assert f"{found.done} instances read · {wrong} wrong" in subtitle
    assert name == "at-strip at-image"
    assert len(tiles) == instances_panel.STRIP
    signs = [text_of(found_in(tile, "at-sign")) for tile in tiles]
    assert signs == ["✗"] * wrong + ["✓"] * (len(tiles) - wrong)
    assert len(found_in(tiles, "chosen")) == 1
    assert found_in(tiles, "chosen")[0].__dict__["aria-current"] == "true"
    assert places(steps) == [places(tiles)[1]], "the first has none before it"


def test_filters_and_pages_of_the_grid(made: Explained) -> None:
    found = made.extraction
    only = draw_instances("?view=attribution", wrong=True, shape="grid")
    assert {place["instances"] for place in places(only[3])} == set(
        found.indices[found.predictions != found.labels].tolist()
    )
    label = int(found.labels[0])
    of_class = draw_instances("?view=attribution", label=str(label), shape="grid")
    assert len(of_class[3]) == int((found.labels == label).sum())
    page = draw_instances("?view=attribution&aorder=index", shape="grid", page=1)
    assert [place["instances"] for place in places(page[3])] == np.sort(found.indices)[instances_panel.PAGE :].tolist()
    assert "page 2 of 2" in text_of(page[7])
    far = draw_instances("?view=attribution", shape="grid", page=10**9)
    assert far[3]
    for hostile in ("-1", "x", "9" * 40, "²", {"a": 1}):
        assert draw_instances("?view=attribution", label=hostile)[0]


@pytest.mark.parametrize("order", ["confidence", "loss", "index"])
def test_instances_are_in_the_order_asked_for(made: Explained, order: str) -> None:
    tiles = draw_instances(f"?view=attribution&aorder={order}")[3]
    rows = made.extraction.rows_of([place["instances"] for place in places(tiles)])
    values = {"confidence": made.extraction.confidence, "loss": -made.extraction.loss, "index": made.extraction.indices}
    shown = values[order][rows]
    assert (np.diff(shown) >= 0).all()


def test_disagreement_ranks_what_is_known_and_says_for_how_many(
    made: Explained, monkeypatch: pytest.MonkeyPatch
) -> None:
    indices = [int(index) for index in made.extraction.indices[:3]]
    known = {indices[0]: 0.2, indices[1]: 1.3}
    monkeypatch.setattr(instances_data, "_disagreement", lambda *_: known)
    drawn = draw_instances("?view=attribution&aorder=disagreement")
    assert f"disagreement known for 2 of {made.extraction.done}" in drawn[1]
    assert [place["instances"] for place in places(drawn[3])][:2] == [indices[1], indices[0]]
    assert "disagree 1.30" in text_of(drawn[3][0])


def test_disagreement_is_one_minus_the_mean_rank_correlation(made: Explained) -> None:
    values = np.random.default_rng(1).normal(size=8).astype("f4")
    keys = []
    for name, array in (("a", values), ("b", -values), ("c", values * 3)):
        key = {"a": "11", "b": "22", "c": "33"}[name] * 20
        made.answers.put(key, {"form": "input"}, {"attribution": array})
        keys.append(key)
    assert instances_data._of(keys) == pytest.approx(0.0), "sizes are ranked: a sign is no disagreement"
    assert instances_data._of(keys[:1]) is None


@pytest.mark.usefixtures("context")
def test_a_partial_sample_is_listed_and_says_so(app: dash.Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Explained(app, "table", name="partial", shard=32, only=[0])
    made.install(monkeypatch)
    assert not made.extraction.complete
    drawn = draw_instances("?view=attribution")
    assert "32 of 80 read so far" in drawn[1]
    assert places(drawn[3])
