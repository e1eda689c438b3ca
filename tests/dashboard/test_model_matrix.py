"""The neuron activation matrix: rows, exact means, orders, bytes, and what is said of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from dash import no_update
from plotly.utils import PlotlyJSONEncoder

from dashboard import subjects
from dashboard.views.model import matrix_card, matrix_cell, matrix_data, matrix_panel
from dashboard.views.model.data import frame
from dashboard.views.model.matrix_rows import further, grouped, rows_of

from .matrix_stage import Matrixed

PAGE = "?view=model&layer=fc"


@pytest.fixture
def made(put: Callable[..., Any]) -> Matrixed:
    return put(Matrixed)


def draw(search: str = PAGE, before: Any = None) -> tuple[Any, ...]:
    """Outputs: mark, subtitle, state, hidden, payload, notes, said, list, sorts, offered, layers, two addresses."""
    drawn = matrix_panel.draw_matrix(*[None] * 11, before, search)
    return tuple(
        json.loads(part) if at == 4 and isinstance(part, str) and part else part for at, part in enumerate(drawn)
    )


def text_of(component: Any) -> str:
    return json.dumps(component, cls=PlotlyJSONEncoder, ensure_ascii=False)


def rows_in(text: list[str]) -> str:
    return f"&xrows={quote(json.dumps(text))}"


def decoded(block: dict[str, Any], rows: int) -> np.ndarray:
    """The means that the page reads, in the given order (R, F); NaN where a cell is empty."""
    raw = base64.b64decode(block["data"])
    filters = block["filters"]
    low, high = np.frombuffer(raw[: 8 * filters], "<f4").reshape(2, filters)
    codes = np.frombuffer(raw[8 * filters :], np.uint8).reshape(rows, filters).astype(float)
    return np.where(codes == 255, np.nan, low + codes / 254 * (high - low))


def order_of(block: dict[str, Any]) -> list[int]:
    if block["order"] is None:
        return list(range(block["filters"]))
    return np.frombuffer(base64.b64decode(block["order"]), "<u4").tolist()


def test_there_is_a_row_per_class_and_its_cells_are_means_over_its_instances(made: Matrixed) -> None:
    found = matrix_data.matrix(frame(PAGE))
    assert [row.text for row in found.rows] == ["class:0", "class:1", "class:2", "class:3"]
    labels = made.extraction.labels
    for label in range(4):
        wanted = made.mean("fc", np.flatnonzero(labels == label))
        assert np.allclose(found.blocks[0].means[label], wanted, rtol=1e-6)


def test_rows_of_subsets_and_of_instances_stand_in_one_matrix_and_may_overlap(made: Matrixed) -> None:
    index = int(made.extraction.indices[7])
    found = matrix_data.matrix(frame(f"{PAGE}&subset=wrong&instances={index}" + rows_in(["confidence > 0.5", "all"])))
    assert [row.source for row in found.rows] == ["class"] * 4 + ["further", "further", "subset", "instance"]
    means = found.blocks[0].means
    assert np.allclose(means[5], made.mean("fc", np.arange(90)), rtol=1e-6)
    assert np.array_equal(means[7], made.values("fc")[7])
    wrong = np.flatnonzero(made.extraction.predictions != made.extraction.labels)
    assert np.allclose(means[6], made.mean("fc", wrong), rtol=1e-6)


def test_an_empty_subset_is_empty_and_never_0(made: Matrixed) -> None:
    search = PAGE + rows_in(["confidence > 2"])
    sent = draw(search)[4]
    assert np.isnan(decoded(sent["blocks"][0], 5)[4]).all()
    assert sent["rows"][4][3] == 0
    assert "Without instances, so without a mean: confidence > 2." in text_of(draw(search)[6])
    told = matrix_cell.value(matrix_cell.cell(frame(search), 4, "fc", 0))
    assert told["empty"]
    assert told["own"]["mean"] is None
    assert "no value" in told["title"]
    assert made.extraction.done == 90


def test_what_the_page_reads_is_within_half_a_step_of_the_means(made: Matrixed) -> None:
    sent = draw()[4]
    means = matrix_data.matrix(frame(PAGE)).blocks[0].means
    assert np.allclose(decoded(sent["blocks"][0], 4), means, atol=float(means.max()) / 254 / 2 + 1e-6)
    assert (decoded(sent["blocks"][0], 4)[:, 0] == 0).all()  # the dead one
    assert made.asked


def test_a_click_on_a_row_sorts_the_neurons_by_it(made: Matrixed) -> None:
    sent = draw(f"{PAGE}&xsort=row:1")[4]
    wanted = made.mean("fc", np.flatnonzero(made.extraction.labels == 1))
    order = order_of(sent["blocks"][0])
    assert (np.diff(wanted[order]) <= 1e-9).all()
    assert sorted(order) == list(range(20))
    assert sent["sorted"] == 1
    assert any(option["value"] == "row:1" for option in draw(f"{PAGE}&xsort=row:1")[8])


def test_a_row_that_is_gone_sorts_nothing(made: Matrixed) -> None:  # noqa: ARG001
    sent = draw(f"{PAGE}&xsort=row:99")[4]
    assert order_of(sent["blocks"][0]) == list(range(20))
    assert sent["sorted"] is None


def test_the_neuron_that_responds_to_one_class_only_comes_first_by_selectivity(made: Matrixed) -> None:  # noqa: ARG001
    assert order_of(draw(f"{PAGE}&xsort=selectivity")[4]["blocks"][0])[0] == 4
    top = draw(f"{PAGE}&xtop=3")
    assert len(order_of(top[4]["blocks"][0])) == 3
    assert 4 in order_of(top[4]["blocks"][0])
    assert "3 units of 20, the most selective" in top[1]
    assert "unit 4 high on labelled three (1.00" in text_of(draw()[6])


def test_twins_stand_side_by_side_by_similarity_and_rows_too(made: Matrixed) -> None:
    order = order_of(draw(f"{PAGE}&xsort=similarity")[4]["blocks"][0])
    assert abs(order.index(2) - order.index(3)) == 1  # planted as duplicates
    first, second = (int(made.extraction.indices[row]) for row in np.flatnonzero(made.extraction.labels == 1)[:2])
    rows = draw(f"{PAGE}&xby=similarity&instances={first},{second}")[4]["rows"]
    assert sorted(row[0] for row in rows) == [0, 1, 2, 3, 4, 5]


def test_gradient_x_activation_is_one_toggle_away_and_has_signs(made: Matrixed) -> None:
    sent = draw(f"{PAGE}&xvalue=gradient")[4]
    assert sent["gradient"]
    wanted = made.driving("fc")[made.extraction.labels == 0].mean(0)
    assert np.allclose(decoded(sent["blocks"][0], 4)[0], wanted, atol=float(np.abs(wanted).max()) / 100)
    assert made.asked[-1] == ("separation", {})
    assert ("neuron_drivers", {"layer": "fc", "of": "label"}) in made.asked


def test_while_gradients_are_computed_the_panel_says_so(made: Matrixed) -> None:
    made.waiting.add("neuron_drivers")
    drawn = draw(f"{PAGE}&xvalue=gradient")
    assert drawn[3] is True
    assert "Gradient x activation of fc" in text_of(drawn[2])


def test_layers_are_stacked_in_network_order_each_with_its_separation(made: Matrixed) -> None:
    drawn = draw(f"{PAGE}&xlayers=out,conv,nothing")
    assert [block["layer"] for block in drawn[4]["blocks"]] == ["conv", "fc", "out"]
    assert [block["score"] for block in drawn[4]["blocks"]] == [0.5, 0.75, 0.9]
    assert "rises with depth: conv 0.50, fc 0.75, out 0.90" in text_of(drawn[6])
    assert "12 filters" in drawn[4]["blocks"][0]["head"]
    made.waiting.add("separation")
    assert made.makers


def test_of_stacked_layers_one_that_waits_does_not_hide_the_others(
    made: Matrixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made.ask

    def ask(selection: Any, question: str, **params: Any) -> Any:
        if params.get("layer") == "conv":
            made.waiting.add(question)
        found = first(selection, question, **params)
        made.waiting.discard(question)
        return found

    monkeypatch.setattr(subjects, "ask", ask)
    drawn = draw(f"{PAGE}&xlayers=conv&xvalue=gradient")
    assert [block["layer"] for block in drawn[4]["blocks"]] == ["fc"]
    assert "conv: Gradient x activation of conv: being computed." in text_of(drawn[5])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nothing == 3", "nothing"),
        ("(label == 3", "("),
        ("__import__('os').system('true')", ""),
        ("class:99", "no class 99"),
        ("saved:gone", "gone"),
    ],
)
def test_a_row_that_cannot_be_read_costs_itself_only_and_can_be_taken_out(
    made: Matrixed,  # noqa: ARG001
    text: str,
    said: str,
) -> None:
    drawn = draw(PAGE + rows_in([text, "wrong"]))
    assert [row[1] for row in drawn[4]["rows"]] == ["class:0", "class:1", "class:2", "class:3", "wrong"]
    notes = text_of(drawn[5])
    assert said in notes
    assert "Take it out" in notes
    assert "Traceback" not in notes


@pytest.mark.parametrize("text", ["{", "3", '{"a": 1}', "[1]", "[" * 3000])
def test_further_rows_that_are_no_list_are_told(made: Matrixed, text: str) -> None:  # noqa: ARG001
    assert further(text)[0] == []
    drawn = draw(f"{PAGE}&xrows={quote(text)}")
    assert len(drawn[4]["rows"]) == 4
    assert "cannot be read" in text_of(drawn[5])


def test_each_instance_of_a_subset_can_have_its_row(made: Matrixed) -> None:
    wrong = made.extraction.indices[made.extraction.predictions != made.extraction.labels].tolist()
    rows = rows_of(frame(PAGE + rows_in(["each:wrong"]))).rows
    assert [row.index for row in rows[4:]] == wrong
    assert {row.entry for row in rows[4:]} == {"each:wrong"}


def test_an_instance_outside_the_sample_is_named(made: Matrixed) -> None:  # noqa: ARG001
    assert "Instance 999999: not in the sample" in text_of(draw(f"{PAGE}&instances=999999")[5])


def test_a_mean_over_two_modes_is_told(made: Matrixed) -> None:
    values = made.values("fc")
    told = matrix_cell.value(matrix_cell.cell(frame(PAGE + rows_in(["all"])), 4, "fc", 4))
    assert "modes, near" in told["words"]  # about 1.5 for one class, 0 for the others
    assert told["own"]["mean"] == pytest.approx(values[:, 4].mean(), rel=1e-5)
    assert len(told["bins"]["own"]) == 32
    assert sum(told["bins"]["own"]) == pytest.approx(1, abs=1e-3)


def test_a_cell_of_an_instance_is_placed_among_the_others(made: Matrixed) -> None:
    row = int(np.flatnonzero(made.extraction.labels == 3)[0])
    one = matrix_cell.cell(frame(f"{PAGE}&instances={made.extraction.indices[row]}"), 4, "fc", 4)
    told = matrix_cell.value(one)
    assert told["title"].startswith(f"Unit 4 of fc on instance {made.extraction.indices[row]}: ")
    assert "percentile of the others" in told["words"] or "median of the others" in told["words"]
    assert one.rest.n == 89


def test_only_one_class_and_very_many_classes_are_drawn(put: Callable[..., Any]) -> None:
    put(Matrixed, classes=1)
    drawn = draw()
    assert len(drawn[4]["rows"]) == 1
    assert order_of(draw(f"{PAGE}&xsort=selectivity")[4]["blocks"][0])
    put(Matrixed, classes=3000)
    drawn = draw()
    assert len(drawn[4]["rows"]) == 500
    assert "Of 3,000 classes the 500 with most instances have a row." in text_of(drawn[5])
    assert len(text_of(drawn[4])) < 300_000


def test_large_blocks_are_fetched_and_the_text_stays_below_300_kb(put: Callable[..., Any]) -> None:
    put(Matrixed, units=10_000, n=64)
    sent = draw(f"{PAGE}&xsort=row:0" + rows_in(["each:all"]))[4]
    block = sent["blocks"][0]
    assert "data" not in block
    assert f"key={block['key']}" in block["address"]
    assert "xsort" not in block["address"]  # another order fetches nothing
    assert len(json.dumps(sent)) < 300_000


def test_nothing_is_drawn_anew_without_a_change(made: Matrixed) -> None:  # noqa: ARG001
    mark = draw()[0]
    assert draw(before=mark) == (no_update,) * matrix_panel.OUTPUTS
    assert draw(f"{PAGE}&filter=3", before=mark)[0] is no_update  # the page marks it by itself
    assert draw(f"{PAGE}&xsort=selectivity", before=mark)[0] != mark
    assert draw("?view=layers") == (no_update,) * matrix_panel.OUTPUTS


def test_the_list_says_every_row_with_its_strongest_neurons_and_what_can_be_done(made: Matrixed) -> None:  # noqa: ARG001
    said = text_of(draw(f"{PAGE}&subset=wrong" + rows_in(["all"]))[7])
    assert "The 6 rows as a list" in said
    assert '\\"xsort\\": \\"row:4\\"' in said
    assert "Its instances as rows" in said
    assert '\\"xrows\\": null' in said  # takes the only further row out
    assert '\\"subset\\": null' in said


def test_names_of_classes_are_text(made: Matrixed) -> None:  # noqa: ARG001
    assert draw()[4]["rows"][1][2] == "labelled <b>one</b>"


def test_the_inspector_says_of_a_neuron_what_it_is_selective_for_and_of_a_subset_how_it_does(made: Matrixed) -> None:
    search = f"{PAGE}&filter=4&subset=class:3"
    card = text_of(matrix_card.neuron(search))
    assert "Responds most to labelled three (area under the ROC curve 1.00" in card
    assert "place 1 of 20 by selectivity" in card
    assert "Unit 4 of fc on labelled three" in card
    about = text_of(matrix_card.subset(search))
    count = int((made.extraction.labels == 3).sum())
    assert f"{count} of 90" in about
    assert "Strongest units of fc" in about
    assert matrix_card.neuron(PAGE) is None
    assert "fc has 20." in text_of(matrix_card.neuron(f"{PAGE}&filter=99"))
    assert "no class 77" in text_of(matrix_card.subset(f"{PAGE}&subset=class:77"))


def test_a_large_table_is_read_from_one_file(made: Matrixed, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = matrix_data.matrix(frame(PAGE)).blocks[0].means
    assert "neuron_table" not in {question for question, _ in made.asked}
    monkeypatch.setattr(matrix_data, "LARGE", 10)
    found = matrix_data.matrix(frame(PAGE + rows_in(["wrong"])))
    assert ("neuron_table", {"layer": "fc"}) in made.asked
    assert np.allclose(found.blocks[0].means[:4], wanted)
    made.waiting.add("neuron_table")
    assert "Activations of fc" in text_of(draw(PAGE)[2])


def test_a_large_table_waits_for_all_its_instances(put: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    put(Matrixed, only=[0])
    assert len(draw()[4]["rows"]) == 4  # a small one grows in sight
    assert "from 64 of 90 instances" in draw()[1]
    monkeypatch.setattr(matrix_data, "LARGE", 10)
    assert "64 have been read" in text_of(draw()[2])


def test_classes_of_no_instance_have_an_empty_row() -> None:
    found = grouped(np.array([2, 0, -1, 2]), 4)
    assert [rows.tolist() for rows in found] == [[1], [], [0, 3], []]
    assert [rows.tolist() for rows in grouped(np.array([], int), 0)] == []
