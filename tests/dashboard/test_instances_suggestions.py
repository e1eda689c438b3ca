"""Suggested subsets, surrogate and likely label errors: what is said, where it leads, what is exported."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import dash
import numpy as np
import pytest
from dash import no_update

from analysis.errors import NotFound, ParameterError
from dashboard import label_exports
from dashboard.views.instances import labels_panel, suggestions_panel, surrogate_panel

from .maps_subject import MadeUp
from .test_sequences_more import navs, text_of

PAGE = "?view=instances"
ROOM = "room == 'attic'"


class Suggested(MadeUp):
    """A subject with made-up suggestions, surrogates and label errors. changes: of an answer, by question."""

    def __init__(self, app: dash.Dash, kind: str = "image", *, name: str = "", **how: Any) -> None:
        classes = [f"class <{number}>" for number in range(10)]
        about = {"kind": kind, "classes": classes, "code": "c", "weights": "w", "data": "d"}
        super().__init__(
            app, f"suggested {kind} {name}", description=about, n=100, kind=kind, class_names=classes, **how
        )
        self.changes: dict[str, dict[str, Any]] = {}
        self.makers |= {"suggested_subsets": self.suggested, "surrogate": self.surrogate, "label_errors": self.labels}

    def one(self, text: str = ROOM, **more: Any) -> dict[str, Any]:
        value = {"text": text, "words": "Room is attic", "size": 30, "wrong": 24, "held_out": {"size": 15, "wrong": 12}}
        value |= {"sentence": "Where Room is <i>attic</i>, 24 of 30 are wrong (80 %): 8.0 times as often as in all."}
        value |= {"share": 0.8, "low": 0.5, "high": 0.94, "base": 0.1, "lift": 8.0, "excess": 10.5, "p": 1e-6}
        value |= {"q": 5e-5, "kind": "rule", "features": ["room"], "layer": None, "neuron": None, "cluster": None}
        unit = {"layer": "conv2", "neuron": 7, "auc": 0.93, "inside": 1.0, "outside": 0.1}
        value |= {"profile": [], "about": "", "neurons": [unit]}
        value["instances"] = [int(index) for index in self.truth["indices"][:3]]
        return value | more

    def suggested(self, **_params: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        listed = "index in '3,9-12'"
        cluster = self.one(listed, kind="cluster", about="80 %: label is cat (of all 10 %)", neurons=[], q=0.03)
        value = {"base": 0.1, "n": 100, "tests": 56, "rate": 0.05, "rule": "The rule.", "reason": "", "of": "error"}
        value |= {"left_out": [["depth <m>", "it raised."]], "suggestions": [self.one(), cluster]}
        return value | self.changes.get("suggested_subsets", {}), {}

    def surrogate(self, of: str, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        worth = {"train": 0.97, "held_out": 0.9, "low": 0.83, "high": 0.94, "baseline": 0.4, "majority": 0}
        worth |= {"gain": 0.5, "gain_low": 0.4, "gain_high": 0.6, "better": True, "n_train": 67, "n_held_out": 33}
        classes = ["right", "wrong"] if of == "error" else [f"class <{number}>" for number in range(3)]
        rules = [
            {"if": "Room is <b>attic</b>", "text": ROOM, "then": 1, "share": 0.95, "support": 30, "held_out": 10},
            {
                "if": "age is above 3",
                "text": "not (room) and (age > 3)",
                "then": 0,
                "share": None,
                "support": 9,
                "held_out": 0,
            },
        ]
        default = {"text": "not (room) and not (age > 3)", "then": 0, "share": 0.9, "support": 61, "held_out": 23}
        value: dict[str, Any] = {"of": of, "kind": kind, "classes": classes, "rules": rules, "default": default}
        value |= {"numbers": None if of == "error" else [0, 1, 2], "fidelity": worth, "n": 100, "library": "A library"}
        value |= {"rule": "The rule.", "reason": "", "left_out": [], "note": "", "rhat": 1.01, "coefficients": []}
        if kind == "linear":
            value |= {"rules": [], "default": None, "used": 2}
            value["coefficients"] = [
                {"column": "age", "feature": "age", "class": 1, "value": 1.5, "per": 12.0},
                {"column": "room", "feature": "Room is attic", "class": 0, "value": -0.5, "per": 0.4},
            ]
        return value | self.changes.get("surrogate", {}), {}

    def labels(self, **_params: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        rows = self.truth["indices"][:60]
        suspects = [
            {"index": int(index), "given": 1, "suggested": 2, "score": 0.04, "margin": round(0.9 - at / 100, 3)}
            for at, index in enumerate(rows)
        ]
        value = {"n": 100, "classes": 10, "threshold": [0.9] * 10, "suspects": suspects, "found": 60, "errors": 41.3}
        value |= {"joint": [], "rule": "The rule.", "caveat": "The caveat.", "reason": ""}
        return value | self.changes.get("label_errors", {}), {}


@pytest.fixture
def made(put: Any) -> Suggested:
    return put(Suggested)


def ticks(component: Any) -> list[str]:
    """Values of the boxes."""
    return [item.children[1].value for item in component.children]


def suggested(search: str = PAGE, before: Any = None) -> tuple[Any, ...]:
    """Outputs: mark, subtitle, body."""
    return suggestions_panel.draw_suggestions(*[None] * 8, before, search)


def imitated(search: str = PAGE, before: Any = None) -> tuple[Any, ...]:
    """Outputs: mark, subtitle, body."""
    return surrogate_panel.draw_surrogate(*[None] * 7, before, search)


def suspected(search: str = PAGE, before: Any = None) -> tuple[Any, ...]:
    """Outputs: mark, subtitle, body, options, key."""
    return labels_panel.draw_labels(*[None] * 7, before, search)


# --- Suggested subsets ---


def test_a_suggestion_is_a_sentence_with_its_evidence_and_interval(made: Suggested) -> None:  # noqa: ARG001
    drawn = suggested()
    assert drawn[1] == "10.0 % of 100 labelled instances are wrong · 2 suggestions, 56 subsets tested"
    said = text_of(drawn[2])
    assert "Where Room is <i>attic</i>, 24 of 30 are wrong" in said  # as text; Dash escapes it
    assert "On the half that was not searched: 12 of 15 wrong, 80 % (50 to 94 %, 95 %), against 10.0 % of all" in said
    assert "false discovery rate below 0.0001" in said
    assert "80 % wrong, 50 to 94 %; all instances 10.0 %" in said
    assert "Of its instances 80 %: label is cat (of all 10 %)." in said
    assert "1 column left out" in said
    assert "says where the model fails, not why" in said


def test_a_suggestion_opens_its_instances_its_attributions_and_its_units(made: Suggested) -> None:
    places = navs(suggested(PAGE + "&xrows=" + '["wrong"]')[2])
    assert {"subset": ROOM} in places
    assert {"view": "attribution", "subset": ROOM} in places
    rows = json.dumps(["wrong", ROOM], separators=(",", ":"))
    assert {"view": "model", "xrows": rows} in places
    assert {"view": "model", "xrows": rows, "layer": "conv2", "filter": "7"} in places
    assert {"instances": str(int(made.truth["indices"][0]))} in places
    assert "No single unit tells it from the rest." in text_of(suggested()[2])


def test_the_suggestion_that_is_open_can_be_closed(made: Suggested) -> None:  # noqa: ARG001
    first = suggested()
    assert suggested(before=first[0]) == (no_update,) * 3
    chosen = suggested(PAGE + "&subset=" + ROOM.replace("=", "%3D"), before=first[0])
    assert chosen[0] != first[0]
    assert {"subset": None} in navs(chosen[2])
    assert {"subset": ROOM} not in navs(chosen[2])
    assert "ins-item chosen" in text_of(chosen[2])


def test_without_suggestions_it_is_said_why(made: Suggested) -> None:
    made.changes["suggested_subsets"] = {"suggestions": [], "reason": "56 subsets were tested: none is worse."}
    drawn = suggested()
    assert "56 subsets were tested: none is worse." in text_of(drawn[2])
    assert "A larger sample can tell smaller differences." in text_of(drawn[2])
    assert "0 suggestions" in drawn[1]


def test_a_sample_without_labels_has_no_rate(made: Suggested) -> None:
    more = {"suggestions": [], "reason": "No instance has a label.", "base": None, "tests": 0}
    made.changes["suggested_subsets"] = more
    drawn = suggested()
    assert drawn[1] == ""
    assert "No instance has a label." in text_of(drawn[2])


def test_an_expression_that_has_no_room_in_an_address_is_not_linked(made: Suggested) -> None:
    long = "index in '" + ",".join(map(str, range(0, 4000, 2))) + "'"
    made.changes["suggested_subsets"] = {"suggestions": [made.one(long)]}
    drawn = suggested()
    assert not any("subset" in place for place in navs(drawn[2]))
    assert "too long for an address" in text_of(drawn[2])


def test_what_is_being_computed_is_said(made: Suggested) -> None:
    made.waiting |= {"suggested_subsets", "surrogate", "label_errors"}
    for drawn, what in (
        (suggested(), "Subsets the model fails on"),
        (imitated(), "Rule list"),
        (suspected(), "Likely"),
    ):
        assert what in text_of(drawn[2])
    assert suspected()[3:] == ([], None)


def test_a_view_that_is_not_shown_asks_for_nothing(made: Suggested) -> None:
    for draw, outputs in ((suggested, 3), (imitated, 3), (suspected, 5)):
        assert draw("?view=layers") == (no_update,) * outputs
    assert not made.asked


@pytest.mark.parametrize("kind", ["text", "series", "table"])
def test_other_kinds_of_data_have_tiles_too(put: Any, kind: str) -> None:
    made = put(Suggested, kind)
    first = {"instances": str(int(made.truth["indices"][0]))}
    assert first in navs(suggested()[2])
    assert len(ticks(suspected()[3])) == labels_panel.SHOWN


# --- Surrogate ---


def test_the_surrogate_tells_its_fidelity_before_its_rules(made: Suggested) -> None:
    drawn = imitated()
    assert drawn[1] == "Rule list of predictions · fidelity 90.0 % on 33 held-out instances, 40.0 % by the majority"
    said = text_of(drawn[2])
    assert said.index("held-out instances (83.0 to 94.0 %, 95 %)") < said.index("Room is <b>attic</b>")
    assert "Always saying “class <0>”, the most frequent answer: 40.0 %; the difference is +50.0 points" in said
    assert "else if " in said
    assert "95 % of 10" in said
    places = navs(drawn[2])
    assert {"subset": ROOM} in places
    assert {"subset": "not (room) and not (age > 3)"} in places
    assert made.asked[-1] == ("surrogate", {"of": "prediction", "kind": "rules"})


def test_there_are_no_rules_without_fidelity(made: Suggested) -> None:
    made.changes["surrogate"] = {"fidelity": None, "reason": "30 instances are too few."}
    drawn = imitated()
    assert "30 instances are too few." in text_of(drawn[2])
    assert "attic" not in text_of(drawn[2])
    assert not navs(drawn[2])


def test_a_surrogate_no_better_than_the_majority_is_called_so(made: Suggested) -> None:
    answer, _ = made.surrogate("error", "rules")
    worth = answer["fidelity"] | {"held_out": 0.41, "gain": 0.01, "gain_low": -0.05, "gain_high": 0.07, "better": False}
    made.changes["surrogate"] = {"fidelity": worth, "rhat": 1.4}
    said = text_of(imitated(PAGE + "&rof=error")[2])
    assert "It cannot be told from always saying the same: its rules explain nothing of the model." in said
    assert "the difference is +1.0 points (−5.0 to +7.0)" in said
    assert "R-hat 1.40" in said
    assert "ins-worth poor" in said


def test_tree_and_linear_model_are_shown_in_their_own_way(made: Suggested) -> None:  # noqa: ARG001
    assert "Exactly one of these rules holds" in text_of(imitated(PAGE + "&rkind=tree")[2])
    drawn = imitated(PAGE + "&rkind=linear&rof=error")
    said = text_of(drawn[2])
    assert drawn[1].startswith("Linear model of errors")
    assert "+1.50" in said
    assert "−0.50" in said
    assert "2 features have a coefficient that is not 0." in said


def test_a_linear_model_without_coefficients_says_so(made: Suggested) -> None:
    made.changes["surrogate"] = {"coefficients": [], "used": 0, "rules": [], "default": None}
    assert "Every coefficient is 0" in text_of(imitated(PAGE + "&rkind=linear")[2])


def test_the_rule_that_is_open_can_be_closed(made: Suggested) -> None:  # noqa: ARG001
    drawn = imitated(PAGE + "&subset=" + ROOM.replace("=", "%3D"))
    assert {"subset": None} in navs(drawn[2])
    assert "30, shown: all again" in text_of(drawn[2])


# --- Label errors ---


def test_suspects_are_shown_with_the_caveat_and_what_is_suggested(made: Suggested) -> None:
    drawn = suspected()
    assert drawn[1] == "60 suspects among 100 labelled instances · the estimate expects 41 errors"
    said = text_of(drawn[2])
    assert "The caveat." in said
    assert "The 48 surest are drawn; an export holds 60." in said
    [place] = [place for place in navs(drawn[2]) if "subset" in place]
    assert place["subset"].startswith("index in '")
    assert "Show all 60 suspects" in said
    assert ticks(drawn[3]) == [str(index) for index in made.truth["indices"][:48]]
    assert {"instances": ticks(drawn[3])[0]} in navs(drawn[3])
    assert "class <1>" in text_of(drawn[3])
    assert "4 % against 94 %" in text_of(drawn[3])
    assert suspected(before=drawn[0]) == (no_update,) * 5


def test_suspects_within_a_suggestion_are_told_since_the_model_may_be_wrong(made: Suggested) -> None:
    assert "lie in suggestion" not in text_of(suspected()[2])
    indices = ",".join(str(int(index)) for index in made.truth["indices"][:20])
    made.changes["suggested_subsets"] = {"suggestions": [made.one(f"index in '{indices}'")]}
    before = suspected()
    suggested()
    drawn = suspected(before=before[0])
    assert "20 of the 60 suspects lie in suggestion 1 of Suggested subsets: there the model may" in text_of(drawn[2])


def test_without_suspects_it_is_said(made: Suggested) -> None:
    made.changes["label_errors"] = {"suspects": [], "found": 0}
    assert "The model is sure of none against its label." in text_of(suspected()[2])


def test_why_labels_cannot_be_judged_is_said(made: Suggested) -> None:
    made.changes["label_errors"] = {"reason": "None of the instances has a label.", "suspects": [], "found": 0}
    drawn = suspected()
    assert "None of the instances has a label." in text_of(drawn[2])
    assert drawn[1] == ""


def export(address: str, answer: Any, made: Suggested, app: dash.Dash) -> Any:
    del made
    with app.server.test_request_context(address):
        return answer()


def test_the_relabelling_holds_what_is_ticked_or_all(made: Suggested, bare_app: dash.Dash) -> None:
    key = suspected()[4]
    first, second = (int(index) for index in made.truth["indices"][:2])
    csv_address, json_address, said = labels_panel.address([str(second), str(first)], key)
    assert said == "2 suspects are ticked: the export (menu) holds these."
    found = export(csv_address, label_exports.as_csv, made, bare_app)
    rows = list(csv.DictReader(io.StringIO(found.get_data(as_text=True))))
    assert [int(row["index"]) for row in rows] == [first, second]
    assert rows[0]["given_name"] == "class <1>"
    assert rows[0]["suggested"] == "2"
    told = json.loads(export(json_address, label_exports.as_json, made, bare_app).get_data())
    assert told["labels"] == {str(first): 2, str(second): 2}
    assert told["caveat"] == "The caveat."
    whole = labels_panel.address([], key)
    assert whole[2] == "None is ticked: the export (menu) holds all that are listed."
    rows = list(
        csv.DictReader(io.StringIO(export(whole[0], label_exports.as_csv, made, bare_app).get_data(as_text=True)))
    )
    assert len(rows) == 60


def test_addresses_that_the_page_does_not_write_are_refused(made: Suggested, bare_app: dash.Dash) -> None:
    key = suspected()[4]
    for bad in ("/", "/?labels=" + key + "&index=1;2", "/?labels=" + key + "&index=-1", "/?labels=" + key + "&index="):
        with pytest.raises(ParameterError):
            export(bad, label_exports.as_csv, made, bare_app)
    with pytest.raises(NotFound):
        export("/?labels=" + "a" * 40, label_exports.as_json, made, bare_app)
    assert labels_panel.address("x", None) == ("#", "#", "")
    assert labels_panel.address([{"a": 1}, -4, "x9"], key)[2].startswith("None is ticked")


def test_routes_of_the_relabelling_are_there(bare_app: dash.Dash) -> None:
    rules = {rule.rule for rule in bare_app.server.url_map.iter_rules()}
    assert {"/export/instances/relabel.csv", "/export/instances/relabel.json"} <= rules
