"""Causes, similar moments and memory: what is asked for, and what is said of the answers."""

from __future__ import annotations

import json
from typing import Any

import dash
import numpy as np
import pytest
from dash import no_update
from plotly.utils import PlotlyJSONEncoder

from analysis.attribution.targets import Unit
from dashboard.selection import Selection
from dashboard.views.attribution import data as attribution
from dashboard.views.sequences import (
    causes_data,
    causes_panel,
    causes_parts,
    data,
    memory_figures,
    memory_panel,
    similar_panel,
)

from .sequences_stage import Spoken

PAGE = "?view=sequences"


@pytest.fixture
def spoken(
    bare_app: dash.Dash,
    bare_request: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Spoken:
    made = Spoken(bare_app, name=request.node.nodeid)
    made.makers |= {"sequence_ablation": ablation, "sequence_similar": similar, "sequence_memory": memory}
    return made.install(monkeypatch)  # type: ignore[return-value]


def ablation(units: list[int], **_params: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    change = -3.0 * len(units)
    interval = {"change": change, "low": change - 1, "high": change + 1}
    classes = [
        {"class": n, "name": name, "n": 20, "before": 1, "after": 0.9, **interval} for n, name in enumerate("ab")
    ]
    tokens = [{"id": 101, "name": "<b>word</b>", "instances": 7, "shift": -1.5, "low": -2, "high": -1}]
    tokens[0] |= {"without": 0.1, "clear": True}
    control = {"change": -0.5, "low": -1.0, "high": 0.0, "flips": 1.0, "draws": 3, "count": len(units), "reason": ""}
    said = {"n": 40, "instances": 40, "accuracy_before": 0.9, "accuracy_after": 0.9 + change / 100, "flips": 5}
    return {**said, **interval, "classes": classes, "tokens": tokens, "random": control, "units": units}, {}


def similar(start: int, stop: int, **_params: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    one = {"score": 0.9, "label": 1, "prediction": 0, "before": ["a"], "tokens": ["<i>b</i>"], "after": ["c"]}
    moments = [{"instance": 7, "start": 3, "stop": 5, **one}] if stop - start < 5 else []
    labels = [{"class": n, "name": str(n), "share": 0.5, "base": 0.1, "moments": 1} for n in range(2)]
    value = {"units": [[2, 1], [3, -1]], "moments": moments, "by_label": labels, "steps": 900, "sequences": 40}
    return value | {"seconds": 0.1, "rule": "The rule.", "threshold": 0.5, "length": stop - start + 1}, {}


def memory(**_params: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    read = {"what": "which word was read", "metric": "accuracy", "lags": [0, 1, 2], "score": [0.9, 0.5, 0.1]}
    read |= {"chance": [0.1, 0.1, 0.1], "n": [50, 40, 30], "instances": 20, "reason": ""}
    value = {"units": 12, "steps": 900, "sequences": 40, "longest": 30, "recurrent": True, "lags": [1, 2, 4]}
    value |= {"followed": [860, 820, 740], "survival": [0.8, 0.6, 0.3], "half_life": 2.67, "at_least": None}
    value |= {"kept": 0.81, "kept_by_position": [None, 0.8], "probe": read}
    life = np.array([0.6, 1.2, np.inf, np.nan, *np.linspace(1, 3, 8)])
    return value, {"half_life": life, "kept": np.linspace(0.5, 1, 12), "survival": np.ones((3, 12), np.float32)}


def text_of(component: Any) -> str:
    return json.dumps(component, cls=PlotlyJSONEncoder, ensure_ascii=False)


def navs(component: Any) -> list[dict[str, Any]]:
    """All places that are linked to."""
    found: list[dict[str, Any]] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            found.extend(json.loads(held) for name, held in value.items() if name == "data-nav")
            for held in value.values():
                walk(held)
        elif isinstance(value, list):
            for held in value:
                walk(held)

    walk(json.loads(text_of(component)))
    return found


def causes(search: str, stored: Any = None, mode: Any = "zero", value: Any = 0, before: Any = None) -> tuple[Any, ...]:
    """Outputs: mark, subtitle, body, disabled."""
    return causes_panel.draw_causes(*[None] * 10, mode, value, None, stored, before, search)


def asked_of(spoken: Spoken, question: str) -> list[dict[str, Any]]:
    return [params for name, params in spoken.asked if name == question]


def clustered(search: str) -> data.Frame:
    """With the clusters in the cache."""
    shown = data.frame(search)
    data.clusters(shown)
    return shown


# --- Causes ---


def test_nothing_is_tested_before_somebody_asks(spoken: Spoken) -> None:
    shown = clustered(PAGE + "&cluster=u1")
    drawn = causes(PAGE + "&cluster=u1")
    assert drawn[1] == "cluster U1 (6 units) · lstm, layer 2 of 2, hidden state"
    assert "Test without it" in text_of(drawn[2])
    assert not asked_of(spoken, "sequence_ablation")
    units = causes_data.chosen(shown)
    assert units is not None
    token = causes_data.token(shown, causes_data.params(shown, units, "zero", 0.0))
    assert token in text_of(drawn[2])
    done = causes(PAGE + "&cluster=u1", [token])
    [params] = asked_of(spoken, "sequence_ablation")
    assert params["units"] == [6, 7, 8, 9, 10, 11]
    said = text_of(done[2])
    assert "Without cluster U1 (6 units), accuracy goes from 90.0 % to 72.0 %: −18.0 points" in said
    assert "The model needs these units more than others of the same number." in said
    assert "6 units drawn at random from the others instead: −0.5 points (from −1.0 to 0.0), 3 draws." in said
    assert {"word": "101"} in navs(done[2])
    assert causes(PAGE + "&cluster=u1", [token], before=done[0]) == (no_update,) * 4
    later = causes(PAGE + "&cluster=u0")
    assert "−18.0 points" in text_of(later[2])  # known of the other cluster


def test_tokens_of_others_start_nothing(spoken: Spoken) -> None:
    clustered(PAGE)
    for stored in (["x" * 20, "y"], "no list", [1, None], [["a"]]):
        causes(PAGE + "&cluster=u1", stored)
    assert not asked_of(spoken, "sequence_ablation")


def test_a_unit_is_tested_where_no_cluster_is_pinned(spoken: Spoken) -> None:  # noqa: ARG001
    drawn = causes(PAGE + "&layer=lstm&filter=3&cluster=w0", mode="clamp", value=0.5)
    assert drawn[1].startswith("unit 3 · ")
    assert "Test with it held at 0.5" in text_of(drawn[2])
    assert drawn[3] is False
    assert causes(PAGE + "&layer=lstm&filter=99")[1] == "lstm, layer 2 of 2, hidden state"
    assert "Nothing is chosen" in text_of(causes(PAGE)[2])


def test_values_that_are_none_are_not_passed_on() -> None:
    assert causes_data.manner("clamp", 0.5) == ("clamp", 0.5)
    assert causes_data.manner("clamp", "x") == ("clamp", 0.0)
    assert causes_data.manner("clamp", float("nan")) == ("clamp", 0.0)
    assert causes_data.manner("clamp", 1e9) == ("clamp", 0.0)
    assert causes_data.manner({"a": 1}, True) == ("zero", 0.0)


@pytest.mark.parametrize(
    ("low", "high", "random", "words"),
    [
        (-1, 2, -1, "cannot be told"),
        (1, 3, -1, "did harm"),
        (-5, -3, -4, "matter as much"),
        (-5, -3, -1, "more than others"),
    ],
)
def test_the_conclusion_follows_the_intervals(low: float, high: float, random: float, words: str) -> None:
    said = {"low": low, "high": high, "change": (low + high) / 2, "random": {"low": random}}
    assert words in causes_parts.conclusion(said, 2)


def test_the_cluster_is_explained_by_its_units_and_the_reason_is_given_where_it_is_not(spoken: Spoken) -> None:  # noqa: ARG001
    clustered(PAGE + "&cluster=u1&instances=4")
    [place] = [nav for nav in navs(causes(PAGE + "&cluster=u1&instances=4")[2]) if nav.get("view") == "attribution"]
    assert place == {
        "view": "attribution",
        "explain": "unit",
        "layer": "lstm",
        "instances": "4",
        "filter": None,
        "filters": "6,7,8,9,10,11",
    }
    clustered(PAGE + "&cluster=u1&sstate=cell")
    assert "cell states it keeps to itself" in text_of(causes(PAGE + "&cluster=u1&sstate=cell")[2])


def test_attribution_takes_the_units_of_the_selection() -> None:
    several = Selection.parse("?explain=unit&layer=lstm&filters=1,5-7")
    assert attribution.unit_of(several) == "lstm:1+5+6+7"
    assert Unit.parse(attribution.unit_of(several)) == Unit("lstm", 1, "mean", (5, 6, 7))
    assert attribution.unit_of(several.with_(filter=2)) == "lstm:2"
    with pytest.raises(attribution.NotReady):
        attribution.unit_of(Selection.parse("?explain=unit&layer=lstm"))


# --- Similar moments ---


def moments(search: str, before: Any = None) -> tuple[Any, ...]:
    """Outputs: mark, subtitle, body, from, to."""
    return similar_panel.draw_similar(*[None] * 8, "light", None, before, search)


def test_a_span_of_the_address_is_searched_for_and_counted_from_1(spoken: Spoken) -> None:
    drawn = moments(PAGE + "&instances=3&sspan=2-4&son=0.3")
    [params] = asked_of(spoken, "sequence_similar")
    assert {name: params[name] for name in ("instance", "start", "stop", "threshold", "units")} == {
        "instance": 3,
        "start": 2,
        "stop": 4,
        "threshold": 0.3,
        "units": [],
    }
    assert drawn[1].startswith("steps 3 to 5 of instance 3")
    assert drawn[3:] == (3, 5)
    said = text_of(drawn[2])
    assert "2 units are on through these 3 steps: 2 +, 3 −." in said
    assert "<i>b</i>" in said  # as text; Dash escapes it
    assert {"instances": "7", "sspan": "3-5"} in navs(drawn[2])
    assert "0: 50 % of the moments, 10 % of the sample" in said
    assert moments(PAGE + "&instances=3&sspan=2-4&son=0.3", drawn[0]) == (no_update,) * 5


def test_without_a_span_it_is_said_how_to_choose_one_and_nothing_is_asked(spoken: Spoken) -> None:
    drawn = moments(PAGE + "&instances=3")
    assert "No steps are chosen" in text_of(drawn[2])
    assert drawn[3:] == ("", "")
    assert not asked_of(spoken, "sequence_similar")
    assert "No moment was found" in text_of(moments(PAGE + "&instances=3&sspan=0-9")[2])


def test_what_is_being_computed_is_not_drawn_as_an_answer(spoken: Spoken) -> None:
    spoken.waiting |= {"sequence_similar", "sequence_memory"}
    assert "Moments like steps 3 to 5" in text_of(moments(PAGE + "&instances=3&sspan=2-4")[2])
    assert remembered(PAGE)[3] == {"display": "none"}


def test_a_view_that_is_not_shown_asks_for_nothing(spoken: Spoken) -> None:
    for draw, outputs in ((causes, 4), (moments, 5), (remembered, 10)):
        assert draw("?view=layers&sspan=1-2") == (no_update,) * outputs
    assert not spoken.asked


# --- Memory ---


def remembered(search: str, before: Any = None) -> tuple[Any, ...]:
    """Outputs: mark, subtitle, body, style, three figures, three sentences."""
    return memory_panel.draw_memory(*[None] * 8, before, search)


def test_memory_is_said_in_words(spoken: Spoken) -> None:  # noqa: ARG001
    drawn = remembered(PAGE + "&layer=lstm&filter=2")
    assert "81 % kept per step · 40 sequences of up to 30 steps" in drawn[1]
    assert drawn[7] == "Half of a state is gone after 2.67 steps. From one step to the next 81.0 % is kept in the mean."
    assert "Longest: unit 2 (longer)" in drawn[8]
    assert "1 unit is always 0." in drawn[8]
    assert drawn[8].endswith("Unit 2: longer.")
    assert "up to 1 step (n = 50" in drawn[9]


def test_the_histogram_holds_every_unit_and_those_that_last_stand_apart() -> None:
    rng = np.random.default_rng(0)
    for values in (rng.gamma(2, 4, 200), np.geomspace(0.5, 400, 64), np.array([2.0]), np.array([np.inf, np.nan])):
        drawn = memory_figures.half_lives(values, 0, 500)["data"][0]
        assert sum(drawn["y"]) == (~np.isnan(values)).sum()
    drawn = memory_figures.half_lives(np.array([1.0, 2.0, np.inf, np.inf]), None, 500)["data"][0]
    assert drawn["y"][-1] == 2
    assert drawn["customdata"][-1] == "longer than 500 steps"


def test_a_censored_half_life_and_a_probe_without_steps_are_said() -> None:
    said, _ = memory()
    text = memory_panel.lasting(said | {"half_life": None, "at_least": 4})
    assert "After 4 steps, the longest these sequences tell of, 30 % of a state is still there." in text
    assert memory_panel.lasting(said | {"half_life": None, "lags": []}).startswith("Sequences of one step")
    assert memory_panel.reading({"reason": "Too few.", "lags": []}) == "Too few."
    flat = said["probe"] | {"score": [0.1, 0.1, 0.1]}
    assert "not above chance at any distance" in memory_panel.reading(flat)
    far = said["probe"] | {"lags": [0, 40, 80], "score": [0.9, 0.9, 0.9]}
    assert "at all distances up to 80 steps" in memory_panel.reading(far)
    json.dumps(memory_figures.probe(far), allow_nan=False)


def test_what_the_probe_reads_is_held_against_the_input_of_the_step() -> None:
    read = {"what": "the value", "metric": "r2", "lags": [0, 1, 2], "score": [1.0, 0.9, 0.8], "chance": [0.0] * 3}
    read |= {"n": [50, 40, 30], "instances": 20, "reason": "", "input": [1.0, 0.9, 0.6]}
    assert memory_panel.reading(read).endswith("It tells more than the step's own input, farthest at 2 steps.")
    read["input"] = [1.0, 0.9, 0.8]
    assert memory_panel.reading(read).endswith("tells as much of earlier steps, without a memory.")
    assert [trace["name"] for trace in memory_figures.probe(read)["data"]][1] == "the step's input alone"
