"""Points as bytes: what is written is read again; the routes; a lasso over many points against the plain rule."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import dash
import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from analysis.extraction.reader import Extraction
from analysis.results import Partials, key_of
from analysis.subsets.table import Column
from dashboard.app import create_app
from dashboard.pictures import points
from dashboard.settings import Settings
from dashboard.widgets import lasso
from tests.extraction.fabricate import fabricate

X, TEXT = key_of(what="points"), key_of(what="points of texts")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> dash.Dash:
    made = create_app(Settings(roots=(), workspace=tmp_path_factory.mktemp("workspace")))
    found = made.server.extensions["cutaway"]
    fabricate(found.settings.extractions_dir / X, n=120)
    fabricate(found.settings.extractions_dir / TEXT, n=30, kind="text")
    xy = np.random.default_rng(0).normal(size=(120, 2)).astype("f4")
    xy[7] = np.nan
    found.answers.put(key_of(name="map"), {"n": 120}, {"xy": xy, "index": np.arange(120)})
    found.answers.put(key_of(name="other"), {"n": 120}, {"values": xy})
    return made


@pytest.fixture
def client(app: dash.Dash) -> FlaskClient:
    return app.server.test_client()


finite = st.floats(-1e6, 1e6, width=32)


@given(arrays.arrays(np.float32, st.tuples(st.integers(0, 40), st.just(2)), elements=finite | st.just(float("nan"))))
def test_places_are_read_again_within_half_a_step(xy: np.ndarray) -> None:
    again = points.decoded(points.encoded(xy))
    there = np.isfinite(xy).all(1)
    assert np.array_equal(np.isfinite(again).all(1), there)
    if there.any():
        span = float(np.ptp(xy[there], axis=0).max())
        largest = float(np.abs(xy[there]).max())
        assert np.abs(again[there] - xy[there]).max() <= span / points.STEPS * 0.51 + 1e-6 * largest + 1e-6


def test_four_bytes_a_point_and_the_aspect_is_kept() -> None:
    xy = np.array([[0, 0], [100, 0], [0, 1]], np.float32)
    content = points.encoded(xy)
    assert len(content) == 16 + 4 * 3
    whole = np.frombuffer(content, "<u2", 6, 16).reshape(3, 2)
    assert whole[1].tolist() == [points.STEPS, 0]
    assert whole[2].tolist() == [0, round(points.STEPS / 100)]
    assert len(points.encoded(np.zeros((0, 2), np.float32))) == 16
    assert np.array_equal(points.decoded(points.encoded(np.full((3, 2), 5, np.float32))), np.full((3, 2), 5))


def test_the_places_of_an_answer_and_of_a_pca_may_be_kept_for_good(app: dash.Dash, client: FlaskClient) -> None:
    for query in (
        {"a": key_of(name="map")},
        {"x": X, "layer": "fc1", "n": 120},
        {"x": X, "layer": "fc1", "r": "conv1"},
    ):
        answer = client.get("/picture/points?" + urlencode(query))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert len(points.decoded(answer.data)) == 120
    facing = client.get("/picture/points?" + urlencode({"x": X, "layer": "fc1", "f": key_of(name="map")}))
    assert facing.status_code == 200
    assert Extraction(app.server.extensions["cutaway"].settings.extractions_dir / X).done == 120


def test_what_a_draft_shows_is_not_kept_until_the_answer_is_there(app: dash.Dash, client: FlaskClient) -> None:
    answers, key = app.server.extensions["cutaway"].answers, key_of(name="still computed")
    xy = np.random.default_rng(1).normal(size=(120, 2)).astype("f4")
    arrays = {"xy": xy, "index": np.arange(120), "c/0": np.arange(120.0)}
    column = {"name": "age", "title": "Age", "kind": "number", "names": [], "unit": "", "source": "metadata"}
    said = {"n": 120, "columns": [column], "text": False}
    Partials(answers.directory).put(key, said, arrays)
    links = [
        "points?" + urlencode({"a": key}),
        "points?" + urlencode({"x": X, "layer": "fc1", "f": key}),
        "colours?" + urlencode({"x": X, "by": "column:age", "c": key}),
    ]

    def kept() -> list[bool]:
        found = [client.get(f"/picture/{link}") for link in links]
        assert [answer.status_code for answer in found] == [200] * len(links)
        return ["immutable" in answer.headers.get("Cache-Control", "") for answer in found]

    assert kept() == [False] * len(links)
    answers.put(key, said, arrays)
    assert kept() == [True] * len(links)


@pytest.mark.parametrize(
    ("route", "query"),
    [
        ("points", {"a": "0" * 40}),
        ("points", {"a": "../../etc"}),
        ("points", {"a": key_of(name="other")}),
        ("points", {"x": X, "layer": "nowhere"}),
        ("points", {"x": X}),
        ("points", {}),
        ("colours", {"x": X, "by": "secret"}),
        ("colours", {"x": X, "by": "neuron", "layer": "fc1", "neuron": 100}),
        ("colours", {"x": X, "by": "neuron", "layer": "fc1", "neuron": -1}),
        ("colours", {"x": X, "by": "column:none"}),
        ("colours", {"x": X, "by": "column:none", "c": "1"}),
        ("point.json", {"x": X, "row": 120}),
        ("point.json", {"x": X, "row": "a"}),
        ("point.json", {"row": 1}),
    ],
)
def test_what_is_not_there_is_refused_in_words(client: FlaskClient, route: str, query: dict[str, object]) -> None:
    answer = client.get(f"/picture/{route}?{urlencode(query)}")
    assert answer.status_code in (400, 404)
    assert "Traceback" not in answer.text


def test_a_point_says_what_it_is(app: dash.Dash, client: FlaskClient) -> None:
    found = Extraction(app.server.extensions["cutaway"].settings.extractions_dir / X)
    said = client.get(f"/picture/point.json?x={X}&row=5").get_json()
    assert said["index"] == found.indices[5]
    assert (said["label"], said["prediction"]) == (found.labels[5], found.predictions[5])
    assert said["confidence"] == pytest.approx(float(found.confidence[5]))
    assert client.get(said["picture"]).mimetype == "image/png"
    assert client.get(f"/picture/point.json?x={TEXT}&row=5").get_json()["text"]


def test_more_classes_than_signs_share_one() -> None:
    labels = np.arange(600) % 40
    made = points._classes(labels, "Label")
    assert len(made.groups) == 25
    rest = made.groups[0]
    assert rest.name == "other classes"
    assert rest.count == int((made.codes == 0).sum()) == 600 - sum(group.count for group in made.groups[1:])
    for place, group in enumerate(made.groups[1:], 1):
        assert set(labels[made.codes == place]) == {group.label}


def test_numbers_that_are_equal_or_missing_have_colours_too() -> None:
    same = points.of_column(Column("a", "A", "number", np.full(9, 4.0)))
    assert set(same.codes.tolist()) == {1}
    assert (same.low, same.high, same.missing) == (4.0, 4.0, 0)
    none = points.of_column(Column("a", "A", "number", np.full(9, np.nan)))
    assert set(none.codes.tolist()) == {0}
    assert none.missing == 9
    wide = points.of_column(Column("a", "A", "number", np.array([-1e300, 0, 1e300, np.inf])))
    assert wide.codes.tolist() == [1, 128, 255, 0]


@pytest.mark.parametrize("shape", ["wavy", "eight", "thin", "box"])
def test_a_lasso_over_many_points_is_that_of_the_plain_rule(monkeypatch: pytest.MonkeyPatch, shape: str) -> None:
    rng = np.random.default_rng(0)
    xy = rng.normal(size=(30_000, 2)).astype(np.float32)
    xy[::97] = np.nan
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    corners = {
        "wavy": np.stack([np.cos(turn), np.sin(turn)], 1) * (1.5 + 0.5 * np.cos(9 * turn))[:, None],
        "eight": np.array([[-2, -2], [2, 2], [2, -2], [-2, 2]]),
        "thin": np.array([[-3, 0], [3, 1e-3], [3, 0]]),
        "box": np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]),
    }[shape].ravel()
    quick = lasso.inside(corners.tolist(), xy)
    monkeypatch.setattr(lasso, "FEW", 10**9)
    slow = lasso.inside(corners.tolist(), xy)
    monkeypatch.setattr(lasso, "FEW", 0)
    assert np.array_equal(lasso.inside(corners.tolist(), xy), slow)
    assert np.array_equal(quick, slow)
    assert slow.any()


def test_scripts_keep_to_the_content_security_policy() -> None:
    for name in ("projection.js", "projection_moves.js"):
        text = (Path(__file__).parents[2] / "assets" / name).read_text(encoding="utf-8")
        assert "Function(" not in text
        assert "eval(" not in text
        assert "innerHTML" not in text
