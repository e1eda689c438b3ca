"""The panels that choose and show attributions, called as plain functions on made-up subjects."""

from __future__ import annotations

from typing import Any

import dash
import numpy as np
import pytest
from dash import no_update

from analysis.jobs.queue import Job
from dashboard import subjects
from dashboard.views.attribution import words

from .attribution_stage import (
    DEFAULTS,
    Explained,
    draw_controls,
    draw_instances,
    draw_maps,
    found_in,
    pictures,
    silent,
    size_of,
    slots_of,
)
from .test_training import places, text_of

KINDS = ("image", "text", "series", "table")


@pytest.mark.parametrize("draw", [draw_maps, draw_controls, draw_instances])
def test_nothing_is_asked_while_another_view_is_shown(made: Explained, draw: Any) -> None:
    assert silent(draw("?view=layers"))
    assert made.asked == []


@pytest.mark.parametrize("draw", [draw_maps, draw_controls, draw_instances])
def test_what_is_drawn_already_is_not_drawn_again(made: Explained, draw: Any) -> None:  # noqa: ARG001
    first = draw("?view=attribution")
    assert not silent(first)
    assert silent(draw("?view=attribution", first[0]))


def test_the_default_methods_are_all_asked_for_the_instance_that_goes_most_wrong(made: Explained) -> None:
    drawn = draw_maps("?view=attribution")
    found = made.extraction
    wrong = found.predictions != found.labels
    chosen = int(found.indices[wrong][np.argmax(found.confidence[wrong])])
    asked = [params for question, params in made.asked if question == "attribution"]
    assert {one["method"] for one in asked} == set(DEFAULTS)
    assert {one["instance"] for one in asked} == {chosen}
    assert drawn[1].startswith(f"instance {chosen}")
    assert [one.__dict__["data-method"] for one in slots_of(drawn)] == DEFAULTS


def test_each_multiple_waits_on_its_own_and_only_what_changed_is_drawn_anew(made: Explained) -> None:
    search = "?view=attribution&methods=saliency,integrated_gradients"
    give = made.ask

    def ask(selection: Any, question: str, **params: Any) -> subjects.Asked:
        if params.get("method") == "integrated_gradients":
            return subjects.Asked("waiting", job=None)
        return give(selection, question, **params)

    subjects.ask = ask  # monkeypatched: ``made`` puts the old one back
    first = draw_maps(search)
    assert "Starting" in text_of(slots_of(first)[1])
    assert "It does not claim to add up" in text_of(slots_of(first)[0])
    subjects.ask = give
    second = draw_maps(search, first[0])
    ready, new = second[9], second[10]
    assert ready is no_update
    assert "adds up" in text_of(new)


def test_a_partial_answer_is_shown_with_its_uncertainty_and_its_progress(made: Explained) -> None:
    search = "?view=attribution&methods=shapley_value_sampling&instances=4"
    value, arrays = made.attribution(4, "shapley_value_sampling")
    key = "ab" * 20
    part = made.answers.put(key, value | {"partial": True}, arrays)
    progress = {"done": 12, "total": 100, "unit": "permutations"}
    job = Job("7", "x", "question", "running", "server", 0.0, progress=progress)
    give = made.ask
    subjects.ask = lambda selection, question, **params: (
        subjects.Asked("waiting", job=job, key="cd" * 20, partial=part)
        if question == "attribution"
        else give(selection, question, **params)
    )
    drawn = draw_maps(search)
    said = text_of(slots_of(drawn))
    assert "so far: 12 of 100 permutations" in said
    assert "Standard error: median 0.25, at most 0.25" in said
    assert "Cancel" in said
    # The picture is found under the key of the question: a draft may be gone by then.
    assert any(f"a={'cd' * 20}&part={key}" in source for source in pictures(slots_of(drawn)))
    assert drawn[6] == "#", "nothing to download while it is not complete"


def test_a_method_that_does_not_fit_says_why_in_its_place(made: Explained) -> None:  # noqa: ARG001
    said = text_of(slots_of(draw_maps("?view=attribution&methods=deep_lift,saliency")))
    assert "F.relu is called in 'block' twice." in said
    controls = draw_controls("?view=attribution")
    grey = found_in(controls[8], "grey")
    assert "F.relu is called" in text_of(grey)
    [button] = found_in(grey, "at-check")
    assert button.__dict__["aria-disabled"] == "true"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("bare_request")
def test_every_kind_is_drawn_in_its_own_form(bare_app: dash.Dash, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    more = {"sampling_rate": 25.0} if kind == "series" else {"feature_names": ["age<b>"]} if kind == "table" else {}
    made = Explained(bare_app, kind, description=more)
    made.install(monkeypatch)
    everything = ",".join(one["name"] for one in made.methods)
    drawn = draw_maps(f"?view=attribution&methods={everything}&method=saliency&instances=5")
    slots = slots_of(drawn)
    assert len(slots) == len(made.methods)
    assert drawn[5] == f"at-slots at-{kind}"
    said = text_of(slots)
    assert {"layer": "conv1", "filter": 3} in places(slots), "a bar leads to its filter"
    if kind == "image":
        assert len([one for one in pictures(slots[0]) if "attribution?a=" in one]) == 1
    elif kind == "text":
        tokens = found_in(slots[0], "at-token")
        assert len(tokens) == 12
        assert [one.tabIndex for one in tokens] == [0, *[-1] * 11]
        assert tokens[2].__dict__["aria-label"].startswith("<b>: ")
        assert tokens[2].title[0] in "+−"
    elif kind == "table":
        assert "age<b>" in said
        assert "From baseline to score" in said
    assert size_of(drawn) < 300_000


def test_methods_whose_values_mean_the_same_share_a_scale_if_it_is_common(made: Explained) -> None:
    made.values = {
        "integrated_gradients": np.full((1, 28, 28), 2.0, "f4"),
        "shapley_value_sampling": np.full((1, 28, 28), 8.0, "f4"),
        "saliency": np.full((1, 28, 28), 32.0, "f4"),
    }
    names = ",".join(made.values)
    for scale, ends in (("own", ["2", "8", "32"]), ("common", ["8", "8", "32"])):
        slots = slots_of(draw_maps(f"?view=attribution&instances=40&methods={names}&ascale={scale}"))
        shown = [text_of(found_in(slot, "ramp-ends")).split()[-1].lstrip("+") for slot in slots]
        assert shown == ends, scale


def test_a_failure_stays_in_its_own_multiple(made: Explained) -> None:  # noqa: ARG001
    drawn = draw_maps("?view=attribution&methods=integrated_gradients,saliency&params=integrated_gradients.n_steps=0")
    first, second = slots_of(drawn)
    assert "from 2 to 1000" in text_of(first)
    assert pictures(second)
    controls = draw_controls("?view=attribution&params=integrated_gradients.n_steps=0")
    assert "from 2 to 1000" in text_of(controls[10])


@pytest.mark.parametrize(
    "search",
    [
        "&instances=600",
        "&instances=99999999999",
        "&explain=unit",
        "&target=3-3",
        "&target=99",
        "&methods=nothing_known",
        "&method=nothing_known",
        "&params=..;==;a.b",
        "&params=saliency.abs=<script>",
        "&aclip=nan&aopacity=9&asign=x&ascale=<b>",
        "&edit=%7B%7D",
    ],
)
def test_hostile_and_old_links_are_answered_in_words(made: Explained, search: str) -> None:  # noqa: ARG001
    for draw in (draw_maps, draw_controls, draw_instances):
        drawn = draw(f"?view=attribution{search}")
        assert not silent(drawn)
        assert "Traceback" not in text_of(list(drawn))


def test_a_unit_is_explained_by_its_layer_and_number(made: Explained) -> None:
    draw_maps("?view=attribution&explain=unit&layer=conv1&filter=7&instances=3")
    asked = [params for question, params in made.asked if question == "attribution"]
    assert {one["unit"] for one in asked} == {"conv1:7"}
    without = draw_maps("?view=attribution&explain=unit&instances=3")
    assert "none is chosen" in text_of(without[2])
    controls = draw_controls("?view=attribution&explain=unit")
    assert "Choose in the Layers view" in text_of(controls[6])
    assert controls[7] is True, "a unit has no class"


def test_controls_are_made_from_the_declared_parameters(made: Explained) -> None:  # noqa: ARG001
    drawn = draw_controls("?view=attribution&params=integrated_gradients.n_steps=20&instances=3")
    names = {}

    def walk(node: Any) -> None:
        if isinstance(node, list | tuple):
            for child in node:
                walk(child)
            return
        if isinstance(getattr(node, "id", None), dict):
            names[node.id["name"]] = node.value
        if hasattr(node, "children"):
            walk(node.children)

    walk(drawn[10])
    assert names == {"integrated_gradients.n_steps": 20, "saliency.abs": "false"}
    spec = drawn[1]
    assert spec["defaults"]["integrated_gradients.n_steps"] == "50"
    assert [option["value"] for option in drawn[11]] == ["zero", "mean"]
    assert [option["value"] for option in drawn[4]][:3] == ["predicted", "true", "0"]


def test_a_note_of_many_methods_is_said_once(made: Explained) -> None:
    made.methods = [one | {"notes": ["At the embedding."]} for one in made.methods]
    said = text_of(draw_controls("?view=attribution")[8])
    assert said.count("At the embedding.") == 1


@pytest.mark.usefixtures("bare_request")
def test_a_spectrogram_has_seconds_and_frequency_bins(bare_app: dash.Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    Explained(bare_app, "image", description={"sampling_rate": 14.0}).install(monkeypatch)
    said = text_of(slots_of(draw_maps("?view=attribution&instances=3")))
    assert "0 s 1 s 2 s" in said
    assert "frequency bin" in said


def test_opacity_is_no_business_of_the_server(made: Explained) -> None:  # noqa: ARG001
    first = draw_maps("?view=attribution&instances=3")
    assert silent(draw_maps("?view=attribution&instances=3&aopacity=0.2", first[0]))
    assert not silent(draw_maps("?view=attribution&instances=3&aoutline=on", first[0]))


def test_every_instance_has_its_scores_and_the_way_to_a_contrast(made: Explained) -> None:  # noqa: ARG001
    outcome = draw_maps("?view=attribution&instances=3")[4]
    assert {"target": "9", "explain": None} in places(outcome)
    assert {"target": "3-9", "explain": None} in places(outcome)
    assert "✗ wrong" in text_of(outcome)
    assert "the score of class '3'" in text_of(outcome)


def test_an_answer_that_was_removed_meanwhile_is_a_sentence(made: Explained) -> None:
    search = "?view=attribution&instances=3&methods=saliency"
    draw_maps(search)
    give = made.ask

    def gone(*args: Any, **params: Any) -> subjects.Asked:
        found = give(*args, **params)
        if found.answer is not None and "attribution" in found.answer.names():
            (found.answer.path / "arrays.safetensors").unlink()
        return found

    subjects.ask = gone
    assert "is gone. Reload the page" in text_of(slots_of(draw_maps(search)))
    made.values["saliency"] = np.full((1, 28, 28), np.nan, "f4")
    subjects.ask = give
    assert pictures(slots_of(draw_maps(search.replace("=3", "=4"))))


def test_a_multiple_says_that_its_scale_is_common_as_soon_as_another_shares_it(made: Explained) -> None:
    search = "?view=attribution&instances=41&ascale=common&methods=integrated_gradients,shapley_value_sampling"
    give = made.ask

    def ask(selection: Any, question: str, **params: Any) -> subjects.Asked:
        if params.get("method") == "shapley_value_sampling":
            return subjects.Asked("waiting", job=None)
        return give(selection, question, **params)

    subjects.ask = ask
    first = draw_maps(search)
    assert "common scale" not in text_of(slots_of(first)[0])
    subjects.ask = give
    assert "common scale" in text_of(slots_of(draw_maps(search, first[0]))[0])


@pytest.mark.usefixtures("bare_request")
def test_raising_lists_no_column_that_lowers_the_score(bare_app: dash.Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    Explained(bare_app, "table").install(monkeypatch)
    search = "?view=attribution&methods=integrated_gradients&instances=5"
    signed = text_of(slots_of(draw_maps(search)))
    raising = slots_of(draw_maps(f"{search}&asign=positive"))
    numbers = [text_of(one) for one in found_in(raising, "at-number")]
    assert not [one for one in numbers if not one.strip().startswith("+")]
    assert "not shown" in text_of(raising)
    assert "not shown" not in signed


def test_the_page_knows_the_defaults_and_the_most_methods(made: Explained) -> None:  # noqa: ARG001
    drawn = draw_controls("?view=attribution")
    known = drawn[8][0].__dict__
    assert known["data-at-defaults"].split(",") == DEFAULTS
    assert known["data-at-most"] == "12"
    assert drawn[9] == f"{len(DEFAULTS)} shown, at most 12; these are the defaults."


def test_numbers_have_a_real_minus_and_zero_has_no_sign() -> None:
    assert words.aligned([-12.5, -0.0, 0.001, 3.0], 3)[1] == "0"
    assert words.signed(-0.0) == words.number(-0.0) == "0"
    assert words.number(-3.415, 4) == "−3.415"
    assert words.number(1e-9) == "1e-09"
