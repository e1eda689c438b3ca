"""Downloads and pictures of attributions: raw values, the comparison as one picture, overlays, thumbnails."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import dash
import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from analysis.extraction.reader import Extraction
from analysis.results import Partials, key_of
from dashboard import subjects
from dashboard.app import create_app
from dashboard.pictures import addresses, attributions, draw
from dashboard.settings import Settings
from tests.extraction.fabricate import fabricate

SAID: dict[str, Any] = {
    "method": "integrated_gradients",
    "title": "Integrated Gradients",
    "instance": 4,
    "form": "input",
    "signed": True,
    "complete": True,
    "score": 3.0,
    "baseline": 1.0,
    "sum": 2.0,
    "target": [1],
    "target_name": "the score of class '=1+1'",
    "prediction": 1,
    "label": 0,
    "params": {},
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> dash.Dash:
    return create_app(Settings(roots=(), workspace=tmp_path_factory.mktemp("workspace")))


@pytest.fixture
def client(app: dash.Dash, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    data = {"feature_names": ["age", "=cmd()"], "classes": ["no", "yes"], "sampling_rate": 10.0}
    monkeypatch.setattr(subjects, "described", lambda: subjects.Described("ready", data))
    return app.server.test_client()


def put(app: dash.Dash, name: str, said: dict[str, Any], **arrays: np.ndarray) -> str:
    """The key of a made-up answer."""
    key = key_of(name=name)
    app.server.extensions["cutaway"].answers.put(key, SAID | said, arrays)
    return key


def rows_of(client: FlaskClient, *keys: str) -> list[dict[str, str]]:
    answer = client.get(f"/export/attribution.csv?a={','.join(keys)}")
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))


def pixels(answer: Any) -> np.ndarray:
    assert answer.status_code == 200
    assert answer.mimetype == "image/png"
    return np.asarray(Image.open(io.BytesIO(answer.data)))


def every_form(app: dash.Dash) -> list[str]:
    """An answer of every form there is."""
    rng = np.random.default_rng(0)
    shown = rng.integers(0, 255, (12, 16, 3)).astype("u1")
    tokens = [f"word{i}" for i in range(80)] + ["", "<b>", "ü"]
    return [
        put(app, "picture", {}, attribution=rng.normal(size=(3, 12, 16)).astype("f4"), display=shown),
        put(app, "coarse", {"signed": False}, attribution=rng.random((1, 12, 16), "f4"), display=shown),
        put(app, "text", {"tokens": tokens}, attribution=rng.normal(size=len(tokens)).astype("f4")),
        put(app, "series", {}, attribution=np.eye(3, 40, dtype="f4"), display=np.full((3, 40), np.nan, "f4")),
        put(app, "table", {}, attribution=rng.normal(size=30).astype("f4"), display=np.ones(30, "f4")),
        put(app, "filters", {"form": "filters"}, attribution=np.zeros(50, "f4")),
        put(app, "heads", {"form": "attention", "signed": False}, attribution=rng.random((4, 9, 9), "f4")),
    ]


def test_npz_holds_the_raw_values_and_needs_no_pickle(app: dash.Dash, client: FlaskClient) -> None:
    values = np.array([1.5, -0.25], "f4")
    spread = np.array([0.1, 0.2], "f4")
    first = put(app, "t1", {}, attribution=values, spread=spread, display=np.array([30.0, 2.0], "f4"))
    second = put(app, "t2", {"method": "saliency"}, attribution=-values)
    answer = client.get(f"/export/attribution.npz?a={first},{second}")
    assert "attribution.npz" in answer.headers["Content-Disposition"]
    with np.load(io.BytesIO(answer.data), allow_pickle=False) as opened:
        np.testing.assert_array_equal(opened["integrated_gradients"], values)
        np.testing.assert_array_equal(opened["integrated_gradients_spread"], spread)
        np.testing.assert_array_equal(opened["saliency"], -values)
        assert opened["feature_names"].tolist() == ["age", "=cmd()"]
        assert json.loads(str(opened["about"]))["saliency"]["score"] == 3.0


def test_csv_names_features_and_positions_and_keeps_numbers_numbers(app: dash.Dash, client: FlaskClient) -> None:
    table = put(
        app, "c1", {}, attribution=np.array([1.5, -0.25], "f4"), spread=np.array([0.1, 0.2], "f4"),
        display=np.array([30.0, -2.0], "f4"),
    )  # fmt: skip
    found = rows_of(client, table)
    assert [row["attribution"] for row in found] == ["1.5", "-0.25"]
    assert [row["input"] for row in found] == ["30.0", "-2.0"]
    assert [row["standard_error"] for row in found] == ["0.1", "0.2"]
    assert [row["feature"] for row in found] == ["age", "'=cmd()"], "a spreadsheet would run it"
    text = put(app, "c2", {"tokens": ["not", "bad"]}, attribution=np.array([-1.0, 2.0], "f4"))
    assert [(row["feature"], row["position"]) for row in rows_of(client, text)] == [("not", "0"), ("bad", "1")]
    picture = put(
        app, "c3", {}, attribution=np.arange(12, dtype="f4").reshape(3, 2, 2),
        display=np.arange(12, dtype="u1").reshape(2, 2, 3),
    )  # fmt: skip
    found = rows_of(client, picture)
    assert (found[5]["feature"], found[5]["position"]) == ("channel 1", "row 0 column 1")
    assert (float(found[5]["attribution"]), float(found[5]["input"])) == (5.0, 4.0)


def test_every_form_is_exported(app: dash.Dash, client: FlaskClient) -> None:
    keys = every_form(app)
    for key in keys:
        assert rows_of(client, key)
    for extra in ("", "&sign=absolute&scheme=dark", "&sign=positive&scale=common&outline=on&opacity=0.3&clip=90"):
        image = pixels(client.get(f"/export/attribution.png?a={','.join(keys)}{extra}"))
        assert image.shape[1] > 900
        assert image.std() > 5


def test_the_picture_of_a_comparison_shows_the_cue_in_orange(app: dash.Dash, client: FlaskClient) -> None:
    values = np.zeros((1, 8, 8), "f4")
    values[0, 2, 5] = 1.0
    key = put(app, "cue", {}, attribution=values, display=np.zeros((8, 8, 1), "u1"))
    image = pixels(client.get(f"/export/attribution.png?a={key}&opacity=1"))[..., :3].astype(int)
    orange = (np.abs(image - np.array(draw.RAISES)) < 12).all(-1)
    rows, columns = np.nonzero(orange[80:320, 16:260])
    factor = 236 // 8
    assert np.median(rows) == pytest.approx(2.5 * factor + 4, abs=factor)
    assert np.median(columns) == pytest.approx(5.5 * factor, abs=factor)


@pytest.mark.parametrize(
    "query",
    ["", "a=", "a=../../etc", "a=" + "0" * 40, "a=" + ",".join(["0" * 40] * 13), "a={key}&sign=x", "a={key}&clip=nan",
     "a={key}&opacity=2", "a={key}&scheme=%3Cscript%3E"],
)  # fmt: skip
def test_hostile_addresses_are_refused_in_words(app: dash.Dash, client: FlaskClient, query: str) -> None:
    query = query.format(key=put(app, "table2", {}, attribution=np.ones(3, "f4")))
    for kind in ("png",) if "key" in query or "&" in query else ("png", "npz", "csv"):
        answer = client.get(f"/export/attribution.{kind}?{query}")
        assert 400 <= answer.status_code < 500
        assert json.loads(answer.get_data())["message"]


def test_overlays_are_transparent_at_zero_and_coloured_by_sign(app: dash.Dash, client: FlaskClient) -> None:
    values = np.zeros((2, 4, 6), "f4")
    values[:, 1, 2], values[:, 3, 5] = 1.0, -1.0
    values[0, 0, 0], values[1, 0, 0] = 1.0, -1.0  # cancels
    key = put(app, "overlay", {}, attribution=values)
    with app.server.test_request_context("/"):
        signed = addresses.attribution(key, limit=2.0)
        sizes = addresses.attribution(key, sign="absolute", limit=2.0)
        raising = addresses.attribution(key, sign="positive", clip=100)
    image = pixels(client.get(signed))
    assert image.shape == (4, 6, 4)
    assert tuple(image[1, 2]) == (*draw.RAISES, 255)
    assert tuple(image[3, 5]) == (*draw.LOWERS, 255)
    assert image[0, 0, 3] == 0
    assert (image[..., 3] > 0).sum() == 2
    assert pixels(client.get(sizes))[0, 0, 3] == 255, "as sizes, channels do not cancel"
    assert (pixels(client.get(raising))[..., 3] > 0).sum() == 1
    assert "immutable" in client.get(signed).headers["Cache-Control"]


def test_a_draft_is_drawn_but_not_kept_by_the_browser(app: dash.Dash, client: FlaskClient) -> None:
    key = key_of(name="draft")
    partials = Partials(app.server.extensions["cutaway"].answers.directory)
    partials.put(key, SAID | {"partial": True}, {"attribution": np.ones((1, 4, 4), "f4")})
    answer = client.get(f"/picture/attribution?a={key}&part={'ab' * 20}")
    assert pixels(answer).shape == (4, 4, 4)
    assert "immutable" not in answer.headers["Cache-Control"]


@pytest.mark.parametrize("sign", ["signed", "positive", "absolute"])
def test_the_value_under_a_pointer_is_what_the_overlay_draws(app: dash.Dash, client: FlaskClient, sign: str) -> None:
    values = np.random.default_rng(4).normal(size=(3, 5, 7)).astype("f4")
    values[:, 0, 0] = np.nan
    key = put(app, f"numbers {sign}", {}, attribution=values)
    with app.server.test_request_context("/"):
        address = addresses.attribution_numbers(key, sign=sign)
    content = client.get(address).get_data()
    assert np.frombuffer(content[:8], "<u4").tolist() == [5, 7]
    shown = np.frombuffer(content[8:], "<f4").reshape(5, 7)
    np.testing.assert_allclose(shown, attributions.drawn(values, sign, picture=True), rtol=1e-6)
    assert client.get(address).headers["Content-Type"] == "application/octet-stream"
    words = put(app, "more words", {"tokens": ["a"]}, attribution=np.ones(1, "f4"))
    assert client.get(f"/picture/attribution.f4?a={words}").status_code == 404


WRONG = ("limit=0", "limit=inf", "limit=-1", "clip=200", "clip=x", "sign=y", "outline=1")


@pytest.mark.parametrize("extra", WRONG)
def test_an_overlay_with_wrong_numbers_is_refused(app: dash.Dash, client: FlaskClient, extra: str) -> None:
    key = put(app, "overlay2", {}, attribution=np.ones((1, 4, 4), "f4"))
    answer = client.get(f"/picture/attribution?a={key}&{extra}")
    assert 400 <= answer.status_code < 500
    words = put(app, "words", {"tokens": ["a"]}, attribution=np.ones(1, "f4"))
    assert client.get(f"/picture/attribution?a={words}").status_code == 404


def test_the_outline_runs_around_the_strongest_region() -> None:
    shown = np.zeros((60, 60))
    shown[20:30, 35:45] = -1.0
    region = attributions.strongest(shown)
    assert region[22:28, 37:43].all()
    assert region.sum() <= 0.12 * region.size
    image = attributions.overlay(shown, 1.0, "signed", outline=True)
    factor = image.shape[0] // 60
    white = (image == 255).all(-1)
    rows, columns = np.nonzero(white)
    assert 14 * factor < rows.min()
    assert rows.max() < 36 * factor
    assert columns.min() > 29 * factor
    assert not attributions.strongest(np.zeros((5, 5))).any()


def test_the_limit_is_a_percentile_of_sizes_and_never_zero() -> None:
    values = np.arange(-100, 101, dtype=float)
    assert attributions.limit_of(values, 100) == 100
    assert attributions.limit_of(values, 90) == 90
    sparse = np.zeros(1000)
    sparse[0] = -3
    assert attributions.limit_of(sparse, 99) == 3
    assert attributions.limit_of(np.zeros(4), 99) == 1
    assert attributions.limit_of(np.full(4, np.nan), 99) == 1


def test_thumbnails_of_instances_come_in_one_sprite(app: dash.Dash, client: FlaskClient) -> None:
    key = key_of(what="thumbnails")
    fabricate(app.server.extensions["cutaway"].settings.extractions_dir / key, n=40)
    with app.server.test_request_context("/"):
        extraction_rows = Extraction(app.server.extensions["cutaway"].settings.extractions_dir / key).indices
        source = addresses.instances(key, extraction_rows[:12].tolist())
    assert pixels(client.get(source)).shape[:2] == (56, 280)
    assert client.get(source + "," + ",".join(["1"] * 60)).status_code == 400
