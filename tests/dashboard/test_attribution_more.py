"""The Attribution view's panels that judge, change and compare explanations, on answers that were put in place."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from dash import no_update

from analysis.attribution.parameters import Parameter
from analysis.attribution.regions_marked import mask_of
from dashboard import asking, subjects
from dashboard.selection import Selection
from dashboard.views.attribution import (
    agreement_table,
    data,
    edit_data,
    edit_panel,
    feedback_data,
    feedback_panel,
    inspector,
    neighbours_panel,
    sparks,
    subset_data,
    subset_panel,
    trust_data,
    trust_panel,
    wanted,
)
from dashboard.views.layers import filter_panel
from dashboard.views.layers import inspector as layers_inspector

from .layers_stage import Stage, make_app, stage_in
from .test_hostile import bodies
from .test_training import places
from .test_training import text_of as parts_of

HOSTILE_NAME = "<img src=x onerror=alert(1)>"
KINDS: dict[str, dict[str, Any]] = {
    "image": {"shape": (28, 28, 1)},
    "series": {"shape": (3, 50)},
    "table": {"shape": (8,)},
    "text": {},
}
MAPS = {"image": (1, 28, 28), "series": (3, 50), "table": (8,), "text": (4,)}
EDITS = {
    "image": [{"op": "paint", "box": [20, 0, 28, 8], "fill": "mean"}],
    "series": [{"op": "mute", "channel": 1, "span": [10, 20], "fill": "mean"}],
    "table": [{"op": "set", "column": 2, "value": 3.5}],
    "text": [{"op": "replace", "at": 1, "token": HOSTILE_NAME}],
}


def method(name: str, title: str, reason: str = "") -> dict[str, Any]:
    """As the pre-flight describes it."""
    steps = Parameter("n_steps", "int", 50, "Steps.", 1, 500).to_json()
    given = {"name": name, "title": title, "family": "gradient", "version": 1, "summary": "S.", "source": "Who, when."}
    shape = {"form": "input", "signed": True, "complete": True, "coarse": False}
    return given | shape | {"costs": "50 passes", "parameters": [steps], "reason": reason, "notes": []}


class Shown:
    """A stage whose pre-flight is answered: two methods fit, the third does not."""

    def __init__(self, stage: Stage, kind: str) -> None:
        self.stage, self.kind = stage, kind
        methods = [method("one", "One"), method("two", "Two"), method("three", "Three", "fc uses F.relu")]
        value = {"methods": methods, "defaults": ["one", "two", "three"]}
        stage.put("attribution_methods", value, unit="")
        stage.answer = None
        stage.description["feature_names"] = None
        indices = np.asarray(stage.truth["indices"])
        self.instance = int(indices[7])
        self.search = f"?view=attribution&instances={self.instance}"

    def params(self, name: str, edit: Any = None) -> dict[str, Any]:
        """What the page asks for."""
        return data.frame(self.search).asked(name, edit=edit)

    def answer(self, name: str, values: Any = None, edit: Any = None, **more: Any) -> Any:
        """Put an explanation in place."""
        shape = MAPS[self.kind]
        values = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape) if values is None else values
        said = {"method": name, "title": name, "instance": self.instance, "target": [1], "unit": "", "params": {}}
        said |= {"form": "input", "signed": True, "complete": True, "coarse": False, "score": 2.0, "baseline": 0.5}
        said |= {
            "sum": 1.5,
            "prediction": 1,
            "label": 2,
            "scores": [[1, 0.8], [2, 0.2]],
            "notes": [],
            "low": -1,
            "high": 1,
        }
        said |= {"target_name": "the score of class '1'"} | more
        arrays: dict[str, Any] = {"attribution": values}
        if self.kind == "text":
            said.setdefault("tokens", ["a", HOSTILE_NAME, "refund", "please"])
        elif self.kind == "image":
            arrays["display"] = np.zeros((28, 28, 1), np.uint8)
        else:
            arrays["display"] = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        return self.stage.put("attribution", said, arrays, **self.params(name, edit))


@pytest.fixture
def shown(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    kind = getattr(request, "param", "image")
    app = make_app(tmp_path)
    for stage in stage_in(app, monkeypatch, kind=kind, **KINDS[kind]):
        yield Shown(stage, kind)


every_kind = pytest.mark.parametrize("shown", KINDS, indirect=True)


def text_of(component: Any) -> str:
    """All text below a component, with single spaces."""
    return " ".join(parts_of(component).split())


def trust(search: str, tokens: Any = None, before: Any = None) -> tuple[Any, ...]:
    return trust_panel.draw_trust(*[None] * 9, "light", None, tokens, before, search)


def edit(search: str, before: Any = None, chosen: Any = None) -> tuple[Any, ...]:
    return edit_panel.draw_edit(*[None] * 12, "light", None, before, search, chosen)


def close(search: str, before: Any = None) -> tuple[Any, ...]:
    return neighbours_panel.draw_neighbours(*[None] * 10, before, search)


def many(search: str, tokens: Any = None, before: Any = None) -> tuple[Any, ...]:
    return subset_panel.draw_subset(*[None] * 11, "light", None, tokens, before, search)


def judge(search: str, marks: Any = None, saved: Any = None, before: Any = None) -> tuple[Any, ...]:
    return feedback_panel.draw_feedback(*[None] * 11, marks, saved, before, search)


def inspect(search: str, before: Any = None) -> tuple[Any, Any]:
    return inspector.draw_inspector(*[None] * 12, before, search)


def test_nothing_is_computed_while_another_view_is_shown(shown: Shown) -> None:
    search = shown.search.replace("attribution", "layers")
    for answer in (trust(search), edit(search), close(search), many(search), judge(search), inspect(search)):
        assert all(part is no_update for part in answer)
    assert feedback_panel.save(1, None, "right", "", [], [], search)[0] is no_update
    assert shown.stage.jobs() == []


def test_an_equal_drawing_is_not_sent_again(shown: Shown) -> None:
    shown.answer("one")
    for draw in (trust, edit, close, many, judge):
        first = draw(shown.search)
        assert all(part is no_update for part in draw(shown.search, before=first[0])), draw
    assert all(part is no_update for part in inspect(shown.search, inspect(shown.search)[1]))


def test_trust_is_measured_only_for_what_was_asked(shown: Shown) -> None:
    _, subtitle, offer, body, _ = trust(shown.search)
    assert subtitle == f"instance {shown.instance:,} · 0 of 2 methods measured"
    assert "costs more than the maps" in text_of(offer)
    assert "Three" not in text_of(body)
    assert shown.stage.jobs() == []
    frame = data.frame(shown.search)
    token = wanted.token(frame, trust_data.QUESTION, trust_data.params_of(frame, "one"))
    body = trust(shown.search, [token, 7, None, "x" * 99])[3]
    assert shown.stage.jobs() == [f"Trust in One, instance {shown.instance}"]
    assert "Trust in One" in text_of(body)
    assert "Trust in Two" not in text_of(body)


MEASURED = {
    "completeness": {"gap": 0.4, "sum": 1.0, "change": 2.5, "applies": True, "why": ""},
    "infidelity": {"value": 0.31, "samples": 64, "perturbation": "regions"},
    "sensitivity": {"value": None, "radius": 0.02, "samples": 8, "why": "The map is 0 everywhere."},
    "deletion": {"share": [0, 0.5, 1], "score": [2, 0.1, 0], "random": [[2, 1, 0]], "area": 0.5, "random_area": 1.0}
    | {"random_sd": 0.1, "better": True},
    "insertion": None,
    "randomised": {"layers": ["fc2", "conv1"], "similarity": [0.5, None], "last": 0.1, "values": 784},
    "skipped": {"insertion": "One map takes 9,999 passes."},
    "passes": 1234,
    "seconds": 3.0,
}


def test_a_row_shows_what_is_measured_and_why_the_rest_is_not(shown: Shown) -> None:
    frame = data.frame(shown.search)
    shown.stage.put(trust_data.QUESTION, {"method": "one", **MEASURED}, **trust_data.params_of(frame, "one"))
    _, subtitle, offer, body, _ = trust(shown.search)
    said = text_of(body)
    assert "1 of 2 methods measured" in subtitle
    assert "The others took 1,234 passes" in text_of(offer)
    for part in ("40 %", "0.31", "0.5 / 1", "Rule: ", "Insertion was not measured: One map takes", "1,234 passes"):
        assert part in said
    assert "Sensitivity: The map is 0 everywhere." in said
    assert any(word in said for word in ("◐ Fair", "● Good", "✕ Poor"))
    assert shown.stage.jobs() == []
    assert "Fair" in text_of(inspect(shown.search)[0]) or "Good" in text_of(inspect(shown.search)[0])


def test_agreement_is_of_the_maps_that_are_there(shown: Shown) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=MAPS["image"]).astype(np.float32)
    shown.answer("one", values)
    assert "two maps" in text_of(trust(shown.search)[4])
    shown.answer("two", 3 * values)
    said = text_of(trust(shown.search)[4])
    assert "Most alike: Two and One (+1.00)" in said
    assert "−1 opposed" in said
    assert "+1.00" in text_of(trust(shown.search)[3])


@every_kind
def test_an_edit_shows_both_predictions_and_both_maps(shown: Shown) -> None:
    shown.answer("one")
    drawn = edit(shown.search)
    assert drawn[3] is False
    assert drawn[5:9] == tuple(kind != shown.kind for kind in ("image", "text", "series", "table"))
    assert text_of(drawn[18]).startswith("Before")
    assert drawn[19] is True  # nothing to undo
    changes = EDITS[shown.kind]
    shown.answer("one", edit=changes, prediction=2, score=-1.0, scores=[[2, 0.9], [1, 0.1]])
    search = f"{shown.search}&edit={json.dumps(changes)}"
    drawn = edit(search)
    said = text_of(drawn[17])
    assert "The prediction changes from <b>one</b> to 2." in said
    assert "The score of class '1': 2 → −1 (−3)" in said
    assert "80.0 % 10.0 % −70.0" in said
    assert text_of(drawn[18]).count("Before") == text_of(drawn[18]).count("After") == 1
    assert drawn[19] is False
    assert len(text_of(drawn[16])) > 3
    if shown.kind == "table":
        assert len(drawn[15]) == 8


def test_both_maps_have_the_scale_of_the_larger_one(shown: Shown) -> None:
    small = np.full(MAPS["image"], 0.01, np.float32)
    shown.answer("one", small)
    shown.answer("one", 100 * small, edit=EDITS["image"])
    said = str(edit(f"{shown.search}&edit={json.dumps(EDITS['image'])}")[18])
    assert said.count("limit=1&") + said.count("limit=1'") == 2


@pytest.mark.parametrize("text", ["{", "7", '[{"op":"paint"},3]', "[NaN]", '[{"v":NaN}]', "[" * 900, str([{}] * 21)])
def test_changes_that_cannot_be_read_are_said_and_kept(shown: Shown, text: str) -> None:
    shown.answer("one")
    drawn = edit(f"{shown.search}&edit={text.replace(chr(39), chr(34))}")
    assert "link" in text_of(drawn[16])
    assert drawn[19] is False  # it can be undone
    assert all("edit" not in job for job in shown.stage.jobs())


def test_changes_are_said_in_words(shown: Shown) -> None:
    frame = data.frame(shown.search)
    said = [edit_data.words(one, frame) for kind in EDITS for one in EDITS[kind]]
    assert said[0] == "painted over (mean): x 20–28, y 0–8"
    assert said[1] == "channel 1 muted (mean): steps 10–20"
    assert edit_data.words({"op": {"a": 1}, "box": 3}, frame)
    for op in ("paint", "blur", "replace", "delete", "insert", "mute", "set"):
        assert edit_data.words({"op": op}, frame)


@every_kind
def test_neighbours_are_listed_with_label_and_distance(shown: Shown) -> None:
    mark, subtitle, body, options, layer, fixed = close(shown.search)
    assert layer == "fc1"  # the last before the output
    assert mark["layer"] == layer
    assert not fixed
    assert {"value": "conv2", "label": "conv2"} in options
    assert f"fc1 · 12 nearest of {len(shown.stage.truth['indices']) - 1}" in subtitle
    found = places(body)
    assert len(found) == 12
    assert {"instances": str(shown.instance)} not in found
    assert "% of the neighbours are labelled" in text_of(body)
    assert close(shown.search + "&layer=conv1")[4] == "conv1"


def test_an_instance_outside_the_sample_can_be_included(shown: Shown) -> None:
    outside = next(i for i in range(600) if i not in set(np.asarray(shown.stage.truth["indices"]).tolist()))
    body = close(f"?view=attribution&instances={outside}")[2]
    assert f"Instance {outside} is not in the sample" in text_of(body)
    assert places(body) == [{"include": str(outside)}]


def test_the_cost_of_many_is_said_before(shown: Shown) -> None:
    truth = shown.stage.truth
    wrong = int((np.asarray(truth["labels"]) != np.asarray(truth["predictions"])).sum())
    assert f"Explain {wrong} instance" in text_of(many(shown.search + "&subset=wrong")[3])
    whole = text_of(many(shown.search)[3])
    assert "Costs 100 maps of this method, one for each of 100 of the 200 instances" in whole
    assert shown.stage.jobs() == []
    assert "There are no instances called 'class:77'" in text_of(many(shown.search + "&subset=class:77")[3])


def subset_answer(shown: Shown, value: dict[str, Any], arrays: dict[str, Any] | None = None) -> str:
    asked = data.frame(shown.search).asked("one")
    params = {name: asked[name] for name in ("method", "version", "target", "unit", "params")}
    rest = {"clusters": [], "outliers": [], "silhouette": None, "skipped": [[3, "NaN"]]}
    head = {"n": 87, "of": 200, "concentration": {"sentence": "The corner holds most."}} | rest
    shown.stage.put(subset_data.QUESTION, head | value, arrays, **params, subset="all", most=subset_data.MOST)
    _, subtitle, _, body, _ = many(shown.search)
    assert "n = 87 of 200" in subtitle
    said = text_of(body)
    for part in ("The corner holds most.", "1 instances could not be explained", "No clusters", "None stands out."):
        assert part in said
    return said


@every_kind
def test_many_explanations_are_shown_in_the_form_of_their_kind(shown: Shown) -> None:
    if shown.kind == "image":
        arrays = {"mean_absolute": np.eye(28, dtype=np.float32), "regions": np.full((7, 7), 1 / 49, np.float32)}
        assert "Spread evenly, each would have 2.0 %" in subset_answer(shown, {}, arrays)
    elif shown.kind == "series":
        arrays = {"mean_absolute": np.ones((3, 20), np.float32)}
        axis = {"name": "step", "ends": [0.0, 50.0]}
        assert "by channel and time" in subset_answer(shown, {"axis": axis}, arrays)
    elif shown.kind == "table":
        arrays = {"mean_absolute": np.arange(8.0), "mean": -np.arange(8.0)}
        assert "column 7 7 −7 column 6" in " ".join(subset_answer(shown, {}, arrays).split())
    else:
        token = {"token": HOSTILE_NAME, "count": 9, "instances": 8, "leads": 5, "mean_absolute": 4.0, "mean": 3.5}
        assert f"{HOSTILE_NAME} 4 +3.5 9 in 8" in subset_answer(shown, {"tokens": [token]})


def test_groups_and_outliers_lead_to_their_instances(shown: Shown) -> None:
    own = [int(index) for index in shown.stage.truth["indices"][:4]]
    group = {"id": 0, "size": 40, "instances": own[:2], "labels": {"1": 30, "3": 10}, "differs": "More in the corner."}
    outlier = {"instance": own[3], "score": 4.2, "why": "Less in the middle."}
    value = {"n": 50, "of": 50, "clusters": [group, group | {"id": 1}], "outliers": [outlier], "silhouette": 0.5}
    asked = data.frame(shown.search).asked("one")
    params = {name: asked[name] for name in ("method", "version", "target", "unit", "params")}
    shown.stage.put(subset_data.QUESTION, value, {}, **params, subset="all", most=subset_data.MOST)
    body = many(shown.search)[3]
    assert "40 instances ; by label <b>one</b>: 30, 3: 10." in text_of(body)
    assert "More in the corner." in text_of(body)
    assert "Less in the middle." in text_of(body)
    assert [place["instances"] for place in places(body)] == [str(i) for i in (*own[:2], *own[:2], own[3])]


REGIONS: dict[str, tuple[Any, Any]] = {
    "image": ([[20, 0, 28, 8]], []),
    "series": ([[None, 10, 20], [1, 0, 5]], []),
    "table": ([], [2, 5]),
    "text": ([], [2]),
}


@every_kind
def test_a_verdict_is_kept_listed_exported_and_deleted(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    shown.answer("one")
    assert "No verdict" in text_of(judge(shown.search)[12])
    marks, chosen = REGIONS[shown.kind]
    monkeypatch.setattr("dash.ctx", type("Context", (), {"triggered_id": "at-feedback-save"}))
    status, saved, *_ = feedback_panel.save(1, None, "wrong", HOSTILE_NAME, marks, chosen, shown.search)
    assert status == "Saved."
    drawn = judge(shown.search, [], saved)
    assert "✗ wrong" in text_of(drawn[12])
    assert HOSTILE_NAME in text_of(drawn[12])
    assert places(drawn[12])[0]["instances"] == str(shown.instance)
    client = shown.stage.app.server.test_client()
    [kept] = client.get(drawn[13]).get_json()["verdicts"]
    assert (kept["verdict"], kept["instance"], kept["method"]) == ("wrong", shown.instance, "one")
    shape = list(MAPS[shown.kind][-2:]) if shown.kind == "image" else list(MAPS[shown.kind])
    assert mask_of(shown.kind, shape, kept["region"]).any()
    masks = client.get(drawn[14])
    assert masks.data[:2] == b"PK"
    assert "feedback-masks.npz" in masks.headers["Content-Disposition"]
    monkeypatch.setattr("dash.ctx", type("Context", (), {"triggered_id": "at-feedback-command"}))
    status = feedback_panel.save(1, {"delete": kept["id"], "at": 1}, None, "", [], [], shown.search)[0]
    assert status == "The verdict was deleted."
    again = feedback_panel.save(1, {"delete": kept["id"], "at": 2}, None, "", [], [], shown.search)[0]
    assert "There is no verdict" in again
    assert client.get("/export/feedback.json").get_json()["verdicts"] == []


def test_a_verdict_that_cannot_be_kept_says_why_and_stays(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    shown.answer("one")
    monkeypatch.setattr("dash.ctx", type("Context", (), {"triggered_id": "at-feedback-save"}))
    for verdict, note, marks, part in (
        (None, "", [], "Choose right, wrong or unclear"),
        ("maybe", "", [], "Choose right, wrong or unclear"),
        ("wrong", "", [[0, 0, 99, 4]], "does not lie in the instance"),
        ("wrong", "", [[0, 0]], "does not lie in the instance"),
        ("right", "x" * 3000, [], "The note has 3,000 characters"),
    ):
        status, *rest = feedback_panel.save(1, None, verdict, note, marks, [], shown.search)
        assert part in status
        assert all(one is no_update for one in rest)
    assert feedback_data.kept(shown.stage.description).all() == []


def test_a_link_to_a_verdict_selects_what_it_speaks_of() -> None:
    one = {"instance": 5, "method": "lrp", "target": "3-5", "unit": "", "checkpoint": {"name": "best"}}
    place = feedback_data.place(one)
    assert place["instances"] == "5"
    assert (place["target"], place["checkpoint"], place["explain"]) == ("3-5", "best", None)
    unit = feedback_data.place({**one, "unit": "conv2:17", "checkpoint": None})
    assert (unit["explain"], unit["layer"], unit["filter"]) == ("unit", "conv2", 17)
    odd = feedback_data.place({**one, "unit": "?"})
    assert odd["explain"] is None


def test_what_is_missing_is_asked_for_once(shown: Shown) -> None:
    for draw in (edit, judge):
        said = text_of(draw(shown.search)[2])
        assert said == f"One, instance {shown.instance:,}: being computed, see above."
    assert shown.stage.jobs() == [f"Attribution of instance {shown.instance}: One"]


def test_the_layers_view_leads_to_the_explanation_of_a_filter(shown: Shown) -> None:
    wanted_place = {"view": "attribution", "explain": "unit", "layer": "conv2", "filter": 4}
    search = "?view=layers&layer=conv2&filter=4"
    assert wanted_place in places(layers_inspector.draw_inspector(*[None] * 9, search)[1])
    assert wanted_place in places(filter_panel.draw_filter(*[None] * 8, "light", None, search)[6])
    with_instance = layers_inspector.draw_inspector(*[None] * 9, f"{search}&instances={shown.instance}")[1]
    assert {"view": "attribution", "instances": str(shown.instance), "explain": None} in places(with_instance)


def test_looking_up_queues_nothing(shown: Shown) -> None:
    selection = Selection.parse(shown.search)
    assert subjects.known(selection, "attribution", **shown.params("one")).state == "none"
    answer = shown.answer("one")
    assert subjects.known(selection, "attribution", **shown.params("one")).answer == answer
    assert shown.stage.jobs() == []


def test_no_value_makes_a_callback_fail(shown: Shown) -> None:
    shown.answer("one")
    client = shown.stage.app.server.test_client()
    client.get("/")
    asked = 0
    for name, callback in shown.stage.app.callback_map.items():
        own = ("at-trust", "at-edit", "at-neighbours", "at-subset", "at-feedback", "at-inspector")
        if "callback" not in callback or not name.strip(".").startswith(own):
            continue
        for body in bodies(name, callback, shown.search):
            answer = client.post("/_dash-update-component", data=json.dumps(body), content_type="application/json")
            assert answer.status_code < 500, (name, body)
            asked += 1
    assert asked > 200


def test_small_curves_are_pictures_that_hold_no_code() -> None:
    for source in (
        sparks.curve([0, 0.5, 1], [1, float("nan"), 0], [[1, 0.5, 0]], "dark"),
        sparks.curve([0, 1], [2, 2], [], "light", size=(300, 150)),
        sparks.curve([], [], [], "light"),
        sparks.bars([0.2, None, -3, 7], "light"),  # type: ignore[list-item]
        sparks.bars([], "dark"),
    ):
        head, _, body = source.partition(",")
        assert head == "data:image/svg+xml;base64"
        root = ElementTree.fromstring(base64.b64decode(body))
        assert {part.tag.rpartition("}")[2] for part in root.iter()} <= {"svg", "path", "polyline", "text", "rect"}
        assert "nan" not in base64.b64decode(body).decode()


def test_numbers_of_the_matrix_can_be_read_on_every_colour() -> None:
    for scheme in ("light", "dark"):
        for value in np.linspace(-1, 1, 41):
            colour = tuple(int(part) for part in agreement_table.draw.diverging(np.array(value), 1.0, scheme))
            ink = agreement_table.ink_on(colour)  # type: ignore[arg-type]
            light, dark = sorted((agreement_table._luminance(colour), agreement_table._luminance(ink)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_a_token_speaks_of_the_weights_shown(shown: Shown) -> None:
    frame = data.frame(shown.search)
    params = trust_data.params_of(frame, "one")
    assert wanted.token(frame, trust_data.QUESTION, params) == wanted.token(frame, trust_data.QUESTION, dict(params))
    other = data.Frame(**{**vars(frame), "selection": frame.selection.with_(checkpoint="best")})
    assert wanted.token(frame, trust_data.QUESTION, params) != wanted.token(other, trust_data.QUESTION, params)
    assert wanted.tokens("x") == set()
    assert isinstance(asking.mark(sorted(wanted.tokens(["a", 3]))), str)
