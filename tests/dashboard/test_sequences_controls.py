"""The panel that chooses the layer, its state, the words and the clustering."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from dash import no_update
from plotly.utils import PlotlyJSONEncoder

from analysis.sequences.edges import WEIGHTS
from dashboard.readers import READERS
from dashboard.views.sequences import controls_panel, data
from dashboard.views.sequences.callbacks import PARTS

from .sequences_stage import Spoken

PAGE = "?view=sequences"


@pytest.fixture
def spoken(put: Callable[..., Any]) -> Spoken:
    return put(Spoken)


NAMES = ("mark", "now", "subtitle", "state", "layers", "layer", "states", "state_now", "depths", "depth")
NAMES += ("vocabularies", "words", "ks", "fallback", "reasons")


def draw(search: str = PAGE, before: Any = None) -> dict[str, Any]:
    return dict(zip(NAMES, controls_panel.draw_controls(*[None] * 8, before, search), strict=True))


def text_of(component: Any) -> str:
    return json.dumps(component, cls=PlotlyJSONEncoder, ensure_ascii=False)


def test_pickers_show_what_is_shown_and_grey_what_does_not_fit(spoken: Spoken) -> None:  # noqa: ARG001
    drawn = draw()
    assert drawn["now"] == {"layer": "lstm", "state": "hidden", "depth": "-1", "words": "tokens"}
    assert [one["value"] for one in drawn["layers"] if one["disabled"]] == ["odd"]
    assert [one["value"] for one in drawn["states"]] == ["hidden", "cell"]
    assert drawn["depths"] == [{"value": "0", "label": "1 of 2 (first)"}, {"value": "-1", "label": "2 of 2 (last)"}]
    assert [one["value"] for one in drawn["vocabularies"] if one["disabled"]] == ["quantiles", "motifs"]
    reasons = text_of(drawn["reasons"])
    assert "its output is not a tensor" in reasons
    assert "holds 3 % of the words" in reasons
    assert drawn["subtitle"] == "lstm, layer 2 of 2, hidden state · LSTM · 12 units · words: tokens"


def test_the_number_of_clusters_shows_the_suggestion_once_it_is_known(spoken: Spoken) -> None:
    assert draw()["ks"][0] == {"value": "0", "label": "suggested"}
    spoken.ask(
        data.frame(PAGE).selection,
        "sequence_clusters",
        **data.clusters_asked(data.frame(PAGE)),
    )
    assert draw()["ks"][0]["label"] == "suggested (2)"
    assert [one["value"] for one in draw()["ks"][1:]] == [str(k) for k in range(2, 21)]


def test_a_layer_chosen_elsewhere_without_states_is_replaced_and_that_is_said(spoken: Spoken) -> None:  # noqa: ARG001
    assert draw(f"{PAGE}&layer=fc")["fallback"] == "fc has no state at every step, so lstm is shown here."
    assert draw(f"{PAGE}&layer=conv")["fallback"] == ""
    assert "no memory: a change is one between neighbours" in draw(f"{PAGE}&layer=conv")["subtitle"]


def test_a_layer_that_cannot_be_read_says_why_and_another_can_be_chosen(spoken: Spoken) -> None:  # noqa: ARG001
    drawn = draw(f"{PAGE}&layer=odd")
    assert "its output is not a tensor" in text_of(drawn["state"])
    assert [one["value"] for one in drawn["layers"]] == ["lstm", "conv", "odd"]
    assert drawn["now"]["layer"] == "odd"  # so that choosing lstm is a change


def test_a_model_without_states_says_so(spoken: Spoken) -> None:
    spoken.default, spoken.listed = None, []
    spoken.key += "x"
    drawn = draw()
    assert "No layer has steps." in text_of(drawn["state"])
    assert drawn["layers"] is no_update


def test_what_is_shown_already_is_not_sent_again(spoken: Spoken) -> None:  # noqa: ARG001
    mark = draw()["mark"]
    assert set(draw(before=mark).values()) == {no_update}
    assert set(draw("?view=runs").values()) == {no_update}


def test_while_the_layers_are_read_the_panel_says_so(spoken: Spoken) -> None:
    spoken.waiting = {"sequence_sources"}
    drawn = draw()
    assert "Which layers have a memory" in text_of(drawn["state"])
    assert set(draw(before=drawn["mark"]).values()) == {no_update}


def test_every_edge_weight_says_what_it_is_right_for() -> None:
    for weight, why in WEIGHTS.items():
        assert READERS["sweight"](weight) == weight
        assert why in text_of(controls_panel.draw_why(None, f"{PAGE}&sweight={weight}"))


def test_a_single_layer_has_one_depth() -> None:
    assert controls_panel.depths(1) == [{"value": "-1", "label": "single"}]
    assert [one["value"] for one in controls_panel.depths(3)] == ["0", "1", "-1"]


def test_text_of_the_model_is_only_ever_text(spoken: Spoken) -> None:
    spoken.listed[2]["reason"] = "<script>alert(1)</script>"
    assert "<script>alert(1)</script>" in text_of(draw()["reasons"])  # a child, which Dash escapes


def test_what_all_panels_wait_for_is_told_in_one_of_them(spoken: Spoken) -> None:
    spoken.waiting = {"sequence_sources"}
    with pytest.raises(data.NotReady) as found:
        data.frame(PAGE)
    assert found.value.waiting
    assert "See 'Layer and words'." in text_of(found.value.box)


def test_an_instance_that_is_not_there_is_told_among_the_sequences(spoken: Spoken) -> None:  # noqa: ARG001
    with pytest.raises(data.NotReady) as found:
        _ = data.frame(f"{PAGE}&instances=99999").instance
    assert "See 'Sequences'." in text_of(found.value.box)


def test_every_panel_says_that_it_reads_before_its_first_answer() -> None:
    assert all("Reading …" in text_of(part.panel()) for part in PARTS)
