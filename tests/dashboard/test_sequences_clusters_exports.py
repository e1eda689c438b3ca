"""Downloads of responses and clusters."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import dash
import numpy as np
import pytest
from flask.testing import FlaskClient

from analysis.results import key_of
from dashboard.app import create_app
from dashboard.settings import Settings

from .sequences_stage import Spoken


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> dash.Dash:
    return create_app(Settings(roots=(), workspace=tmp_path_factory.mktemp("workspace")))


@pytest.fixture(scope="module")
def spoken(app: dash.Dash) -> Spoken:
    with app.server.test_request_context("/"):
        return Spoken(app, name="exports")


@pytest.fixture
def query(app: dash.Dash, spoken: Spoken) -> str:
    """Of an address that names both answers."""
    answers = app.server.extensions["cutaway"].answers
    value, arrays = spoken.responses()
    value["names"][0] = "=cmd()"
    responses, clusters = key_of(name="responses"), key_of(name="clusters")
    answers.put(responses, value, arrays)
    answers.put(clusters, *spoken.clusters())
    return f"responses={responses}&clusters={clusters}"


def rows_of(client: FlaskClient, address: str) -> list[dict[str, str]]:
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))


def test_responses_have_a_line_per_word_and_a_column_per_unit(app: dash.Dash, spoken: Spoken, query: str) -> None:
    rows = rows_of(app.server.test_client(), f"/export/sequences/responses.csv?{query}")
    assert len(rows) == spoken.count
    assert rows[3]["word"] == "word 3"
    assert float(rows[3]["unit_5"]) == pytest.approx(spoken.means()[3, 5], rel=1e-5)
    assert rows[3]["sequences_of_no"] == "40"
    assert rows[0]["word"].startswith("'=")  # a spreadsheet would run it


def test_clusters_have_a_line_per_word_and_per_unit(app: dash.Dash, spoken: Spoken, query: str) -> None:
    rows = rows_of(app.server.test_client(), f"/export/sequences/clusters.csv?{query}")
    words, units = [[row for row in rows if row["kind"] == kind] for kind in ("word", "unit")]
    assert [int(row["cluster"]) for row in words] == [at % 2 for at in range(spoken.count)]
    assert words[1]["id"] == "101"
    assert float(words[1]["z_<b>yes</b>"]) == -9.0 or float(words[1]["z_<b>yes</b>"]) == 9.0
    assert [int(row["cluster"]) for row in units] == [0] * 6 + [1] * 6
    assert units[0]["cluster_lowered"] == "1"


def test_the_archive_holds_both_answers_without_pickles(app: dash.Dash, spoken: Spoken, query: str) -> None:
    answer = app.server.test_client().get(f"/export/sequences/clusters.npz?{query}")
    assert answer.status_code == 200
    with np.load(io.BytesIO(answer.data), allow_pickle=False) as held:
        assert np.allclose(held["responses_mean"], spoken.means())
        assert held["clusters_unit_cluster"].tolist() == [0] * 6 + [1] * 6
        assert held["names"][3] == "word 3"
        assert json.loads(str(held["about"]))["clusters"]["k"] == 2


@pytest.mark.parametrize("name", ["responses.csv", "clusters.csv", "clusters.npz"])
@pytest.mark.parametrize(
    ("given", "status"),
    [("", 400), ("responses=../../etc&clusters=..", 404), (f"responses={'0' * 40}&clusters={'0' * 40}", 404)],
)
def test_an_address_that_names_nothing_is_answered_in_a_sentence(
    app: dash.Dash, name: str, given: str, status: int
) -> None:
    answer = app.server.test_client().get(f"/export/sequences/{name}?{given}")
    assert answer.status_code == status
    assert "Traceback" not in answer.get_data(as_text=True)


def test_clusters_of_other_responses_are_refused(app: dash.Dash, spoken: Spoken, query: str) -> None:
    value, arrays = spoken.responses()
    other: dict[str, Any] = value | {"units": 3}
    key = key_of(name="other")
    app.server.extensions["cutaway"].answers.put(key, other, arrays | {"mean": arrays["mean"][:, :3].copy()})
    clusters = query.partition("clusters=")[2]
    answer = app.server.test_client().get(f"/export/sequences/clusters.csv?responses={key}&clusters={clusters}")
    assert answer.status_code == 400
