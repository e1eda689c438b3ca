"""Downloads of the neuron activation matrix, and what the page fetches of it."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable
from typing import Any

import dash
import numpy as np
import pytest
from dash import no_update

from dashboard.views.model import matrix_codes, matrix_data, matrix_panel, matrix_payload
from dashboard.views.model.data import frame

from .matrix_stage import Matrixed
from .test_training import text_of

PAGE = "?view=model&layer=fc&xrows=%5B%22confidence%20%3E%202%22%5D"


@pytest.fixture
def made(put: Callable[..., Any]) -> Matrixed:
    return put(Matrixed)


def get(app: dash.Dash, address: str) -> Any:
    return app.server.test_client().get(address)


def test_the_table_has_a_line_per_row_and_a_column_per_neuron_in_the_order_shown(
    bare_app: dash.Dash, made: Matrixed
) -> None:
    found = matrix_data.matrix(frame(f"{PAGE}&xsort=row:3"))
    answer = get(bare_app, matrix_payload.export(found, "matrix.csv"))
    assert answer.status_code == 200
    lines = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    assert [line["subset"] for line in lines] == ["class:0", "class:1", "class:2", "class:3", "confidence > 2"]
    neurons = [name for name in lines[0] if name.startswith("neuron_")]
    values = [float(lines[3][name]) for name in neurons]
    assert values == sorted(values, reverse=True)
    wanted = made.mean("fc", np.flatnonzero(made.extraction.labels == 3))
    assert float(lines[3]["neuron_4"]) == pytest.approx(wanted[4], rel=1e-6)
    assert {lines[4][name] for name in neurons} == {""}  # empty, not 0


def test_stacked_layers_share_a_table(bare_app: dash.Dash, made: Matrixed) -> None:  # noqa: ARG001
    found = matrix_data.matrix(frame(f"{PAGE}&xlayers=conv"))
    lines = list(
        csv.reader(io.StringIO(get(bare_app, matrix_payload.export(found, "matrix.csv")).get_data(as_text=True)))
    )
    assert [line[0] for line in lines[1:]] == ["conv"] * 6 + ["fc"] * 6
    assert lines[1][1] == "neuron"
    assert [int(value) for value in lines[1][6:]] == list(range(12))


def test_the_archive_holds_means_without_pickles(bare_app: dash.Dash, made: Matrixed) -> None:
    found = matrix_data.matrix(frame(f"{PAGE}&xsort=selectivity&xtop=5"))
    answer = get(bare_app, matrix_payload.export(found, "matrix.npz"))
    with np.load(io.BytesIO(answer.data), allow_pickle=False) as held:
        assert held["means_0"].shape == (5, 5)
        assert held["neurons_0"][0] == 4
        assert held["sizes"].tolist() == [*np.bincount(made.extraction.labels, minlength=4), 0]
        assert np.isnan(held["means_0"][4]).all()
        assert json.loads(str(held["about"]))["layers"] == ["fc"]


def test_bytes_are_those_of_the_means_and_may_be_kept_for_good(bare_app: dash.Dash, made: Matrixed) -> None:  # noqa: ARG001
    found = matrix_data.matrix(frame(PAGE))
    key = found.blocks[0].key
    answer = get(bare_app, f"/data/model/matrix.u1{matrix_payload.query(found, 'fc')}&key={key}")
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.data == matrix_codes.packed(found.blocks[0].means, False)


def test_bytes_of_other_rows_are_not_sent(bare_app: dash.Dash, made: Matrixed) -> None:  # noqa: ARG001
    answer = get(bare_app, "/data/model/matrix.u1?layer=fc&key=0000")
    assert answer.status_code == 204
    assert not answer.data


def test_a_cell_is_told_with_its_distribution(bare_app: dash.Dash, made: Matrixed) -> None:
    answer = get(bare_app, f"/data/model/cell.json{PAGE}&row=3&neuron=4&of=fc")
    wanted = made.mean("fc", np.flatnonzero(made.extraction.labels == 3))[4]
    assert answer.json["own"]["mean"] == pytest.approx(wanted, rel=1e-6)
    assert len(answer.json["bins"]["rest"]) == 32
    gradient = get(bare_app, f"/data/model/cell.json{PAGE}&xvalue=gradient&row=1&neuron=5&of=fc").json
    own = made.driving("fc")[made.extraction.labels == 1, 5]
    assert gradient["own"]["mean"] == pytest.approx(own.mean(), rel=1e-5)


def test_who_belongs_to_a_row_is_a_bit_for_each_instance(bare_app: dash.Dash, made: Matrixed) -> None:
    answer = get(bare_app, "/data/model/row.u1?layer=fc&row=2")
    bits = np.unpackbits(np.frombuffer(answer.data, np.uint8))[:90]
    assert np.array_equal(bits.astype(bool), made.extraction.labels == 2)
    assert get(bare_app, "/data/model/row.u1?layer=fc&row=99").status_code == 204


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("row=77&neuron=1&of=fc", "no row 77"),
        ("row=1&neuron=77&of=fc", "no neuron 77"),
        ("row=1&neuron=1&of=../../etc", "no neuron 1"),
    ],
)
def test_a_cell_that_there_is_not_is_told_in_a_sentence(
    bare_app: dash.Dash,
    made: Matrixed,  # noqa: ARG001
    query: str,
    said: str,
) -> None:
    answer = get(bare_app, f"/data/model/cell.json?layer=fc&{query}")
    assert answer.status_code == 200
    assert said in answer.json["words"]


@pytest.mark.parametrize("path", ["export/model/matrix.csv", "export/model/matrix.npz", "data/model/matrix.u1"])
def test_downloads_of_what_is_not_there_yet_say_so(bare_app: dash.Dash, made: Matrixed, path: str) -> None:
    made.waiting.add("neuron_drivers")
    answer = get(bare_app, f"/{path}?layer=fc&xvalue=gradient")
    assert answer.status_code == 404
    assert "Traceback" not in answer.get_data(as_text=True)


def test_a_number_that_is_none_is_refused(bare_app: dash.Dash, made: Matrixed) -> None:  # noqa: ARG001
    assert get(bare_app, "/data/model/cell.json?layer=fc&row=-1&neuron=x&of=fc").status_code == 400


def test_a_row_that_is_typed_wrong_stays_in_its_field_with_the_reason(made: Matrixed) -> None:
    del made
    for bad, words in (("nosuch > 3", "nosuch"), ("(label == 3", "("), ("__import__('os')", "__import__")):
        problem, row = matrix_panel.read_typed(bad, PAGE)
        assert words in text_of(problem)
        assert row is no_update
    assert matrix_panel.read_typed(" confidence < 0.5 ", PAGE) == ("", "confidence < 0.5")
    assert matrix_panel.read_typed("each:wrong", PAGE) == ("", "each:wrong")
    assert matrix_panel.read_typed("  ", PAGE) == ("", no_update)


def test_an_instance_pointed_at_elsewhere_is_a_row_for_a_moment(bare_app: dash.Dash, made: Matrixed) -> None:
    shown = frame(PAGE)
    address = matrix_payload.payload(matrix_data.matrix(shown))["cell"].replace("cell.json", "instance.json")
    told = get(bare_app, f"{address}&layer=fc&row=7").get_json()
    values = np.frombuffer(base64.b64decode(told["values"]), "<f4")
    assert np.array_equal(values, made.extraction.mean("fc")[7])
    assert told["title"].startswith(f"instance {int(made.extraction.indices[7])}, ")
    assert get(bare_app, f"{address}&layer=fc&row=999999").status_code == 404
    assert get(bare_app, f"{address}&layer=fc&row=x").status_code == 400
