"""The Projection panel: what it draws, says and keeps, called as plain functions on a made-up subject."""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import Any

import dash
import numpy as np
import pytest
from dash import no_update

from analysis.extraction.reader import Extraction
from dashboard import members, services
from dashboard.pictures import points
from dashboard.views.model import projection_data, projection_panel
from dashboard.widgets import lasso
from tests.extraction.fabricate import layer

from .projection_stage import Placed
from .test_training import places, text_of

WHOLE = "-1e6,-1e6,1e6,-1e6,1e6,1e6,-1e6,1e6"


@pytest.fixture
def made(bare_app: dash.Dash, bare_request: None, monkeypatch: pytest.MonkeyPatch) -> Placed:  # noqa: ARG001
    return Placed(bare_app, "digits", n=200).install(monkeypatch)  # type: ignore[return-value]


def draw(search: str, before: Any = None) -> dict[str, Any]:
    """The panel's outputs by name."""
    found = projection_panel.draw_projection(*[None] * 11, before, f"?view=model{search}")
    names = ("mark", "data", "subtitle", "state", "hidden", "legend", "worth", "colours", "csv")
    return dict(zip(names, found, strict=True))


def beside(search: str, before: Any = None) -> tuple[Any, Any]:
    """What stands beside the map, and whether the form that keeps a lasso is hidden."""
    mark, side, hidden = projection_panel.draw_side(*[None] * 9, before, f"?view=model{search}")
    again = projection_panel.draw_side(*[None] * 9, mark, f"?view=model{search}")
    assert mark is no_update or set(again[:2]) == {no_update} or side is None
    return side, hidden


def drawn(search: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(draw(search)["data"])
    return value


def fetched(app: dash.Dash, address: str) -> bytes:
    answer = app.server.test_client().get(address)
    assert answer.status_code == 200, answer.text
    return answer.data


def test_a_pca_is_drawn_at_once_and_its_figures_join_it_where_it_is(made: Placed, bare_app: dash.Dash) -> None:
    made.waiting.add("projection")
    first = draw("&layer=fc1")
    assert first["hidden"] is False
    assert first["state"] is None
    assert "being computed" in text_of(first["worth"])
    made.waiting.clear()
    after = draw("&layer=fc1", first["mark"])
    assert after["data"] is no_update  # no point moves
    assert "Trustworthiness 0." in text_of(after["worth"])
    assert "by chance 1" in after["subtitle"]
    xy = points.decoded(fetched(bare_app, json.loads(first["data"])["points"]))
    assert np.allclose(xy, made.ask(None, "projection", layer="fc1", method="pca", align="conv1", start="",  # type: ignore[arg-type]
                                    random_state=0).answer.array("xy"), atol=1e-3)  # fmt: skip


def test_pca_stands_in_for_umap_until_it_is_ready(made: Placed) -> None:
    made.waiting.add("projection")
    waiting = draw(f"&layer=fc1&pmethod=umap&plasso={WHOLE}")
    assert "PCA until UMAP is ready" in waiting["subtitle"]
    assert "being computed" in text_of(waiting["state"]) or "Starting" in text_of(waiting["state"])
    value = json.loads(waiting["data"])
    assert value["ready"] is False
    assert value["lasso"] == []  # an outline means nothing on the map that stands in
    assert beside(f"&layer=fc1&pmethod=umap&plasso={WHOLE}")[1] is True
    made.waiting.clear()
    there = draw(f"&layer=fc1&pmethod=umap&plasso={WHOLE}", waiting["mark"])
    assert "UMAP · trustworthiness" in there["subtitle"]
    assert json.loads(there["data"])["axes"] == ["UMAP 1", "UMAP 2"]
    assert "Points began where the map of conv1 has them" in text_of(there["worth"])


def test_it_says_what_it_is_worth_and_that_it_is_no_evidence(made: Placed) -> None:
    said = text_of(draw("&layer=fc1&pmethod=umap")["worth"])
    for part in (
        "about 0.5 by chance",
        "(PCA 0.",
        "have its label in the layer",
        "by chance",
        "no evidence",
        "mean little",
    ):
        assert part in said, part
    figures = made.ask(None, "projection", layer="fc1", method="umap", align="conv1", start="", random_state=0)  # type: ignore[arg-type]
    assert figures.answer is not None
    assert f"{figures.answer.json['trustworthiness']:.3f}" in said


def test_a_draft_is_called_one(made: Placed, monkeypatch: pytest.MonkeyPatch) -> None:
    placed = made.makers["projection"]

    def draft(**params: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        value, arrays = placed(**params)
        return value | {"draft": True, "landmarks": 2000}, arrays

    monkeypatch.setitem(made.makers, "projection", draft)
    found = draw("&layer=conv2&pmethod=umap&n=150")
    assert "UMAP (draft)" in found["subtitle"]
    assert "2,000 instances were laid out" in text_of(found["worth"])


def test_the_first_layer_is_the_start_of_the_others_and_has_none(made: Placed) -> None:
    draw("&layer=conv1&pmethod=umap")
    draw("&layer=conv2&pmethod=umap")
    asked = [params for question, params in made.asked if question == "projection"]
    assert {(one["layer"], one["align"]) for one in asked} == {("conv1", ""), ("conv2", "conv1")}


def test_a_checkpoint_starts_from_the_subjects_own_weights(made: Placed) -> None:
    draw("&layer=conv1&pmethod=umap&checkpoint=step-4")
    asked = [params for question, params in made.asked if question == "projection"]
    assert [one["align"] for one in asked] == ["", ""]
    first = made.ask(None, "projection", layer="conv1", method="umap", align="", start="", random_state=0)  # type: ignore[arg-type]
    assert [one["start"] for one in asked] == ["", first.key]


@pytest.mark.parametrize("by", ["label", "prediction", "correct", "confidence", "column:margin", "column:night",
                                "column:site", "column:age"])  # fmt: skip
def test_every_colour_has_a_byte_for_each_point_and_a_legend(made: Placed, bare_app: dash.Dash, by: str) -> None:
    assert made.extraction.done == 200
    draw("&layer=fc1")  # asks for the columns
    found = draw(f"&layer=fc1&pcolor={by}")
    value = json.loads(found["data"])
    codes = np.frombuffer(fetched(bare_app, value["colours"]), np.uint8)
    assert len(codes) == 200
    assert value["title"] in text_of(found["legend"])
    if value["groups"]:
        counts = np.bincount(codes, minlength=len(value["groups"]))
        assert sum(counts) == 200
        for group, count in zip(value["groups"], counts, strict=False):
            assert not count or f"{group[2]} ({count:,})" in text_of(found["legend"])
    else:
        assert value["ramp"]
        assert codes.max() <= 255


def test_the_codes_of_labels_and_numbers_are_right(made: Placed, bare_app: dash.Dash) -> None:
    value = drawn("&layer=fc1&pcolor=label")
    codes = np.frombuffer(fetched(bare_app, value["colours"]), np.uint8)
    assert [value["groups"][code][2] for code in codes] == [
        made.description["classes"][label] for label in made.truth["labels"]
    ]
    value = drawn("&layer=fc1&pcolor=neuron&filter=4")
    codes = np.frombuffer(fetched(bare_app, value["colours"]), np.uint8).astype(float)
    shown = value["low"] + (codes - 1) / 254 * (value["high"] - value["low"])
    assert np.allclose(shown, made.extraction.mean("fc1")[:, 4], atol=(value["high"] - value["low"]) / 254)
    value = drawn("&layer=fc1&pcolor=column:age")
    codes = np.frombuffer(fetched(bare_app, value["colours"]), np.uint8)
    assert np.flatnonzero(codes == 0).tolist() == [3]  # NaN: no value
    assert value["unit"] == " years"


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ("&pcolor=neuron", "Choose a unit"),
        ("&pcolor=neuron&filter=900", "no neuron 900"),
        ("&pcolor=column:nothing", "no column 'nothing'"),
        ("&pcolor=%3Cb%3E", "no colour"),
    ],
)
def test_a_colour_that_cannot_be_is_said_and_the_points_are_drawn(made: Placed, search: str, words: str) -> None:  # noqa: ARG001
    draw("&layer=fc1")
    found = draw(f"&layer=fc1{search}")
    assert words in text_of(found["legend"])
    assert json.loads(found["data"])["colours"] == ""


def test_the_columns_of_the_instances_are_offered(made: Placed) -> None:
    values = [item["value"] for item in draw("&layer=fc1")["colours"]]
    assert values[:5] == ["label", "prediction", "correct", "confidence", "neuron"]
    assert {"column:loss", "column:night", "column:site"} <= set(values)
    assert len(values) == len(set(values))
    made.waiting.add("instance_columns")
    assert "column:loss" in [item["value"] for item in draw("&layer=fc1")["colours"]]


def test_a_lasso_counts_its_instances_and_leads_to_them(made: Placed) -> None:
    xy = projection_data.load(_frame("&layer=fc1")).xy
    corners = [float(value) for value in (xy.min(0)[0], xy.min(0)[1], 0, xy.min(0)[1], 0, 0, xy.min(0)[0], 0)]
    outline = lasso.written(corners)
    inside = lasso.inside([float(part) for part in outline.split(",")], xy)
    assert 5 < inside.sum() < 150
    side, hidden = beside(f"&layer=fc1&plasso={outline}")
    assert f"{inside.sum():,} instances of 200" in text_of(side)
    assert hidden is False
    wrong = (made.truth["labels"] != made.truth["predictions"])[inside].sum()
    assert f"{wrong} of them predicted wrong" in text_of(side)
    [subset] = [place["subset"] for place in places(side) if "plasso" in place and "subset" in place]
    chosen = drawn(f"&layer=fc1&subset={subset}")
    bits = np.unpackbits(np.frombuffer(base64.b64decode(chosen["subset"]), np.uint8))[:200]
    assert np.array_equal(bits.astype(bool), inside)
    assert "No point lies inside" in text_of(beside("&layer=fc1&plasso=900,900,901,900,901,901")[0])


def _frame(search: str) -> Any:
    from dashboard.framing import frame

    return frame(f"?view=model{search}")


def test_a_lasso_is_kept_as_a_subset(made: Placed, monkeypatch: pytest.MonkeyPatch) -> None:
    class Triggered:
        triggered_id = "md-projection-save"

    monkeypatch.setattr(projection_panel.dash, "ctx", Triggered)
    search = f"?view=model&layer=fc1&plasso={WHOLE}"
    said, name = projection_panel.keep(1, None, "corner", search)
    assert "Saved 200 instances as 'corner'" in text_of(said)
    assert name == ""
    assert {"subset": "saved:corner", "plasso": None} in places(said)
    [saved] = [one for one in members.saved(_frame("&layer=fc1")) if one.name == "corner"]
    assert saved.indices.tolist() == sorted(made.truth["indices"].tolist())  # type: ignore[union-attr]
    assert "fc1" in saved.note
    again, kept = projection_panel.keep(2, None, "corner", search)
    assert "already" in text_of(again)
    assert kept is no_update
    for bad, words in (("", "no name"), ("x" * 99, "cannot be kept")):
        assert words in text_of(projection_panel.keep(3, None, bad, search)[0])
    assert "no lasso" in text_of(projection_panel.keep(3, None, "y", "?view=model&layer=fc1")[0])
    Triggered.triggered_id = "sel-plasso"
    assert projection_panel.keep(3, None, "y", search) == ("", no_update)


def test_a_chosen_subset_stands_out_and_one_that_cannot_be_read_is_said(made: Placed) -> None:
    found = draw("&layer=fc1&subset=wrong")
    wrong = int((made.truth["labels"] != made.truth["predictions"]).sum())
    assert f"wrongly predicted instances ({wrong:,})" in text_of(found["legend"])
    assert draw("&layer=fc1&subset=label%20%3D%3D%20(")["hidden"] is False
    assert "cannot be shown" in text_of(draw("&layer=fc1&subset=label%20%3D%3D%20(")["legend"])
    assert drawn("&layer=fc1&subset=all")["subset"] == ""


def test_the_chosen_instance_shows_its_nearest_in_the_layer(made: Placed) -> None:
    index = int(made.truth["indices"][17])
    found = draw(f"&layer=fc1&instances={index}")
    values = np.asarray(made.extraction.mean("fc1"), np.float64)
    values = values[:, values.std(0) > 1e-6 * values.std(0).max()]
    values = (values - values.mean(0)) / values.std(0)
    apart = np.linalg.norm(values - values[17], axis=1)
    near = np.argsort(apart)[1:11]
    assert json.loads(found["data"])["chosen"] == 17
    assert json.loads(found["data"])["near"] == near.tolist()
    side, _ = beside(f"&layer=fc1&instances={index}")
    chosen = [place["instances"] for place in places(side) if "instances" in place]
    assert chosen == [index, *made.truth["indices"][near].tolist()]
    shared = int((made.truth["labels"][near] == made.truth["labels"][17]).sum())
    assert f"{shared} of 10 have its label" in text_of(side)
    gone = draw("&layer=fc1&instances=599999")
    assert "not in this sample" in text_of(beside("&layer=fc1&instances=599999")[0])
    assert json.loads(gone["data"])["chosen"] is None


@pytest.mark.parametrize("kind", ["text", "table", "series"])
def test_instances_of_any_kind_are_shown_beside_the_map(
    bare_app: dash.Dash,
    bare_request: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    made = Placed(bare_app, kind, layers=[layer("fc", "linear", 12)], n=40, kind=kind)
    made.install(monkeypatch)
    index = int(made.truth["indices"][3])
    found = draw(f"&layer=fc&instances={index}&plasso={WHOLE}")
    assert {"instances": index} in places(beside(f"&layer=fc&instances={index}&plasso={WHOLE}")[0])
    said = json.loads(fetched(bare_app, json.loads(found["data"])["point"] + "3"))
    assert said["index"] == index
    assert ("picture" in said) is (kind == "series")


def test_a_large_sample_waits_for_its_pca_and_finds_neighbours_by_components(
    bare_app: dash.Dash,
    bare_request: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Placed(bare_app, "large", n=200)
    made.install(monkeypatch)
    monkeypatch.setattr(projection_data, "MOST_AT_ONCE", 100)
    monkeypatch.setattr("analysis.neurons.projection.KEPT", 100)
    made.waiting.add("projection")
    assert draw("&layer=conv1")["hidden"] is True
    made.waiting.clear()
    index = int(made.truth["indices"][17])
    found = draw(f"&layer=conv1&instances={index}")
    assert found["hidden"] is False
    assert "principal components" in text_of(beside(f"&layer=conv1&instances={index}")[0])
    values = np.asarray(made.extraction.mean("conv1"), np.float64)
    values = values[:, values.std(0) > 0] / values.std(0)[values.std(0) > 0]
    apart = np.linalg.norm(values - values[17], axis=1)
    # All components of 20 filters are kept: the same neighbours.
    assert json.loads(found["data"])["near"] == np.argsort(apart)[1:11].tolist()


def test_an_unknown_method_is_refused_in_words_and_other_views_cost_nothing(made: Placed) -> None:
    assert "no projection 'magic'" in text_of(draw("&layer=fc1&pmethod=magic")["state"])
    made.asked.clear()
    assert set(projection_panel.draw_projection(*[None] * 12, "?view=layers")) == {no_update}
    assert made.asked == []


def test_an_equal_panel_is_not_sent_again_and_a_payload_is_small(made: Placed) -> None:  # noqa: ARG001
    first = draw("&layer=fc1&subset=wrong")
    assert set(draw("&layer=fc1&subset=wrong", first["mark"]).values()) == {no_update}
    assert draw("&layer=fc1&subset=wrong&pcolor=correct", first["mark"])["data"] is not no_update
    assert len(first["data"]) < 20_000


def test_a_partial_sample_is_drawn_and_its_bytes_are_not_kept(
    bare_app: dash.Dash,
    bare_request: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Placed(bare_app, "partial", n=120, only=[0])
    made.install(monkeypatch)
    made.waiting |= {"projection", "instance_columns"}
    value = drawn("&layer=fc1")
    answer = bare_app.server.test_client().get(value["points"])
    assert len(points.decoded(answer.data)) == 64
    assert "immutable" not in answer.headers.get("Cache-Control", "")
    assert isinstance(made.extraction, Extraction)


def test_the_points_are_exported_as_they_are_drawn(made: Placed, bare_app: dash.Dash) -> None:
    found = draw(f"&layer=fc1&pmethod=umap&plasso={WHOLE}")
    text = fetched(bare_app, found["csv"]).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    xy = projection_data.load(_frame("&layer=fc1&pmethod=umap")).xy
    assert [int(row["instance"]) for row in rows] == made.truth["indices"].tolist()
    assert np.allclose([[float(row["x"]), float(row["y"])] for row in rows], xy, rtol=1e-4, atol=1e-4)
    assert {row["lassoed"] for row in rows} == {"1"}
    assert [int(row["label"]) for row in rows] == made.truth["labels"].tolist()


def test_names_of_classes_and_columns_are_text(made: Placed) -> None:  # noqa: ARG001
    draw("&layer=fc1")
    value = drawn("&layer=fc1&pcolor=column:site")
    assert "<i>A" in [group[2] for group in value["groups"]]
    assert "<b>one</b>" in value["names"]
    assert services.current() is not None
