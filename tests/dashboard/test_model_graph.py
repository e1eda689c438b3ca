"""The computation graph in the page: what is seen of it, what is sent, and what is said when there is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from dash import no_update
from plotly.utils import PlotlyJSONEncoder

from dashboard.views.model import graph_data, graph_panel, graph_payload, graph_tree, graph_words, inspector
from dashboard.views.model.graph_families import FAMILIES, MIXED, family, shared_family

from .graph_stage import Drawn, Graph, residual

PAGE = "?view=model"


@pytest.fixture
def drawn(put: Callable[..., Any]) -> Drawn:
    return put(Drawn)


def draw(search: str = PAGE, before: Any = None) -> tuple[Any, ...]:
    """Outputs: mark, subtitle, state, hidden, payload, notes."""
    found = graph_panel.draw_graph(*[None] * 5, before, search)
    return tuple(json.loads(part) if at == 4 and isinstance(part, str) else part for at, part in enumerate(found))


def change(search: str, before: Any = None) -> tuple[Any, ...]:
    """Outputs: mark, payload, what is said, what can be compared with."""
    return graph_panel.draw_change(*[None] * 5, before, search)


def text_of(component: Any) -> str:
    return json.dumps(component, cls=PlotlyJSONEncoder, ensure_ascii=False)


def names(sent: dict[str, Any]) -> list[str]:
    return [item["name"] for item in sent["items"]]


def item(sent: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in sent["items"] if one["name"] == name)


def test_the_top_level_is_seen_first_and_a_module_opens_by_the_address(drawn: Drawn) -> None:  # noqa: ARG001
    sent = draw()[4]
    assert names(sent) == ["input", "stem", "layer1", "layer2", "aux", "fc", "output"]
    assert [one["kind"] for one in sent["items"]] == ["end", "module", "group", "group", "module", "module", "end"]
    assert len(sent["edges"]) == 6
    sent = draw(f"{PAGE}&gopen=layer2,layer2.1,nothing")[4]
    assert [one["name"] for one in sent["items"] if one["kind"] == "frame"] == ["layer2", "layer2.1"]
    assert "layer2.1.conv1" in names(sent)
    assert "layer2.0" in names(sent)
    assert item(sent, "layer2.1.conv1")["short"] == "conv1"


def test_all_modules_open_but_those_with_a_minus(drawn: Drawn) -> None:  # noqa: ARG001
    sent = draw(f"{PAGE}&gopen=*,-layer1")[4]
    assert item(sent, "layer1")["kind"] == "group"
    assert item(sent, "layer2")["kind"] == "frame"
    assert sum(one["kind"] == "group" for one in sent["items"]) == 1


def test_a_module_that_is_alone_opens_by_itself_until_it_is_closed() -> None:
    made = Graph()
    start = made.call("", "input", "input")
    middle = made.call("net.one", of=(start,))
    made.call("", "output", "output", of=(made.call("net.two", of=(middle,)),))
    tree = graph_tree.tree(made.answer())
    assert graph_tree.alone(tree) == ["net"]
    assert graph_tree.seen(tree, ()).frames == ["m:net"]
    assert graph_tree.seen(tree, ("-net",)).boxes == ["n0", "m:net", "n3"]


def test_every_call_has_its_place_whatever_is_open() -> None:
    tree = graph_tree.tree(residual().answer())
    for chosen in ((), ("layer1",), ("layer1", "layer1.0"), ("*",), ("*", "-layer2.2")):
        what = graph_tree.seen(tree, chosen)
        assert set(what.place) == set(tree.nodes)
        assert set(what.place.values()) == set(what.boxes)
        slow = {(what.place[a], what.place[b]) for a, b in tree.edges if what.place[a] != what.place[b]}
        assert set(what.links) == slow
        assert len(what.links) == len(slow)


def test_modules_that_do_not_fit_stay_collapsed_and_are_counted() -> None:
    tree = graph_tree.tree(residual(10).answer())
    what = graph_tree.seen(tree, ("*",), most=40)
    assert len(what.boxes) <= 40
    assert what.kept > 0
    shown = graph_words.notes({"nodes": []}, {"kept": what.kept})
    assert "stay collapsed" in text_of(shown)


def test_figures_of_a_module_are_those_of_what_is_in_it(drawn: Drawn) -> None:
    sent = draw()[4]
    own = [one for one in drawn.graph["nodes"] if one["parent"].startswith("layer1")]
    module = item(sent, "layer1")
    for part in ("parameters", "trainable", "flops"):
        assert module[part] == sum(one[part] for one in own)
    assert module["calls"] == len(own)
    assert module["seconds"] == pytest.approx(sum(one["seconds"] for one in own), rel=1e-5)
    assert item(sent, "stem")["shape"] == "16 × 28 × 28"  # without the instances


def test_frozen_and_dead_calls_are_told(drawn: Drawn) -> None:  # noqa: ARG001
    sent = draw()[4]
    assert (item(sent, "stem")["frozen"], item(sent, "fc")["frozen"]) == (1, 0)
    assert (item(sent, "aux")["dead"], item(sent, "fc")["dead"]) == (1, 0)
    assert (sent["frozen"], sent["dead"]) == (1, 1)


def test_the_names_to_search_in_lead_to_the_box_that_holds_them(drawn: Drawn) -> None:
    sent = draw(f"{PAGE}&gopen=layer2")[4]
    assert len(sent["all"]) == len(drawn.graph["nodes"])
    for name, _, place, layer, parent in sent["all"]:
        box = sent["items"][place]
        assert box["kind"] != "frame"
        assert box["name"] == name or parent == box["name"] or parent.startswith(box["name"] + ".")
        assert layer in (None, name)


def test_types_have_a_kind_and_modules_that_of_what_is_in_them() -> None:
    found = {
        kind: FAMILIES[family({"type": kind, "kind": "module"})]
        for kind in ("Conv2d", "BatchNorm2d", "LSTM", "ReLU", "MaxPool2d", "Linear", "MultiheadAttention", "Odd")
    }
    assert list(found.values()) == [
        *("convolution", "normalization", "recurrent, attention", "activation", "pooling, resizing", "linear"),
        *("recurrent, attention", "other operators"),
    ]
    assert shared_family({0, 6}) == 0
    assert shared_family({0, 3}) == MIXED


def test_a_layer_that_is_called_twice_has_two_names() -> None:
    node = {"name": "lstm", "call": 1, "kind": "module"}
    assert graph_payload.full_name(node) == "lstm#2"
    assert graph_payload.full_name(node | {"call": 0}) == "lstm"
    assert graph_payload.full_name(node | {"call": 0, "layer": "lstm#1"}) == "lstm#1"
    assert graph_payload.full_name({"name": "", "op": "add", "parent": "layer1.0"}) == "add in layer1.0"


def test_nothing_is_drawn_anew_while_nothing_changed(drawn: Drawn) -> None:
    mark = draw()[0]
    assert draw(before=mark) == (no_update,) * 6
    assert draw(f"{PAGE}&gopen=layer1", mark)[0] != mark
    assert draw("?view=layers") == (no_update,) * 6
    assert {one for one, _ in drawn.asked} == {"computation_graph"}


def test_while_it_is_computed_the_panel_waits(drawn: Drawn) -> None:
    drawn.waiting = {"computation_graph"}
    _, subtitle, state, hidden, payload, _ = draw()
    assert (subtitle, hidden, payload) == ("", True, None)
    assert "The computation graph" in text_of(state)


def test_how_the_graph_was_found_is_said(put: Callable[..., Any]) -> None:
    put(Drawn, how="hooks", why="The path depends on values.", note="It is that of a pass <b>.")
    _, subtitle, _, _, _, notes = draw()
    assert subtitle.startswith("that of one pass · 33 operators in 8 modules · ")
    assert "The path depends on values." in text_of(notes)
    assert "It is that of a pass <b>." in text_of(notes)


def test_the_change_is_asked_for_when_it_is_the_colour_and_there_are_two_sides(drawn: Drawn) -> None:
    assert change(PAGE)[1:3] == (None, None)
    assert not [name for name, _ in drawn.asked if name == "parameter_change"]
    _, payload, said, offered = change(f"{PAGE}&gcolor=change")
    assert payload is None
    assert graph_data.OWN in text_of(said)
    assert offered == [{"value": "epoch 1", "label": "epoch 1"}]  # the other one cannot be read
    _, payload, said, offered = change(f"{PAGE}&gcolor=change&gother=epoch 1")
    found = json.loads(payload)
    assert drawn.asked[-1] == ("parameter_change", {"other": {"name": "epoch 1", "path": "/e1", "sha256": "1" * 64}})
    assert sum(found["counts"]) == len([one for one in drawn.graph["nodes"] if one["parameters"]])
    assert f"From epoch 1 to {graph_data.OWN}" in text_of(said)
    _, payload, said, _ = change(f"{PAGE}&gcolor=change&gother=gone")
    assert payload is None
    assert "gone" in text_of(said)


def test_the_change_of_a_module_is_that_of_the_layer_that_moved_most(drawn: Drawn) -> None:
    answer = drawn.change({"name": "a"})[0]
    moved = {one["name"]: one for one in answer["modules"]}
    for chosen in ((), ("*",)):
        found = graph_payload.changes(drawn.graph, answer, chosen)["items"]
        inside = [one for name, one in moved.items() if name.startswith("layer1.")]
        most = max(inside, key=lambda one: one["relative"])
        rank, relative, largest, name = found["m:layer1"]
        assert (graph_payload.VERDICTS[rank], relative, largest) == (most["verdict"], most["relative"], most["largest"])
        assert moved[name]["relative"] == most["relative"]
        stem = next(one["id"] for one in drawn.graph["nodes"] if one["name"] == "stem")
        assert found[stem][1] == moved["stem"]["relative"]


def test_figures_are_short_and_have_units() -> None:
    assert [graph_words.short(value, "FLOPs") for value in (1.83e9, 12, None)] == [
        "1.83 GFLOPs",
        "12 FLOPs",
        "not known",
    ]
    assert [graph_words.duration(value) for value in (0.0231, 2e-7, 1.5, None)] == [
        *("23.1 ms", "0.2 µs", "1.5 s", "not measured"),
    ]
    assert [graph_words.percent(value) for value in (0.12, 0.00051, 1.4, None)] == [
        "12 %",
        "0.051 %",
        "140 %",
        "not known",
    ]
    assert graph_payload.number(float("nan")) is None


def look(search: str, before: Any = None) -> tuple[Any, Any]:
    return inspector.draw_inspector(*[None] * (len(inspector.GROUPS) + 1), before, search)


def test_the_inspector_tells_the_selected_layer_and_where_to_go_on(drawn: Drawn) -> None:  # noqa: ARG001
    draw()  # the panel asked for the graph
    cards, mark = look(f"{PAGE}&layer=stem")
    said = text_of(cards)
    for part in ("stem", "16 × 28 × 28", "448, frozen", "float32", "input", "What its 16 units detect, in Layers"):
        assert part in said
    assert "in Sequences" not in said  # pictures have no steps
    assert look(f"{PAGE}&layer=stem", mark) == (no_update, no_update)
    assert "Nothing is selected" in text_of(look(PAGE)[0])
    assert "has no layer 'gone'" in text_of(look(f"{PAGE}&layer=gone")[0])
    assert look("?view=layers") == (no_update, no_update)


def test_the_inspector_says_the_change_once_it_is_known(drawn: Drawn) -> None:
    draw()
    search = f"{PAGE}&layer=stem&gcolor=change&gother=epoch 1"
    assert "cosine" not in text_of(look(search)[0])
    change(search)
    assert "same. From epoch 1 to " in text_of(look(search)[0])
    assert drawn.asked[-1][0] == "parameter_change"


def test_what_was_selected_last_is_first() -> None:
    first = {"layer": "a", "neuron": ""}
    assert inspector.newest(first, {}) == ["layer", "neuron"]
    then = {"chosen": first, "order": ["layer", "neuron"]}
    assert inspector.newest({"layer": "a", "neuron": "3"}, then) == ["neuron", "layer"]
