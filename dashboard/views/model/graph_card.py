"""The inspector's card of the selected layer: what it is, what it costs, how far its weights moved, where to go on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dash import html

from analysis.layerinfo import LayerInfo
from dashboard import asking
from dashboard.selection import Selection
from dashboard.views.model import graph_data
from dashboard.views.model.graph_payload import full_name, number, shape_of
from dashboard.views.model.graph_words import duration, percent, plural, short, sides
from dashboard.widgets.attributes import attributes


def chosen(selection: Selection) -> str:
    """The layer selected, '' for none."""
    return selection.layer or ""


def draw(search: str) -> html.Div:
    """The card of the layer selected. Raises NotReady and CutawayError while the model is not described."""
    selection = Selection.parse(search)
    key = chosen(selection)
    description = asking.described()
    info = next((one for one in map(LayerInfo.from_json, description.get("layers", ())) if one.key == key), None)
    answer = graph_data.known_graph(search)
    node = _node(answer.json, key) if answer else None
    title = html.H2(["Layer ", html.Span(key)])
    if info is None and node is None:
        text = f"This model has no layer '{key}'." if answer else "Nothing is known of it yet."
        return html.Div([title, html.P(text, className="quiet")])
    rows = _rows(info, node, answer.json if answer else {}) + _changed(selection, key if node is None else node["name"])
    return html.Div([title, _facts(rows), *_reason(info), *_actions(selection, info, description)])


def _node(graph: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    return next((dict(one) for one in graph["nodes"] if one.get("layer") == key), None)


def _rows(info: LayerInfo | None, node: Mapping[str, Any] | None, graph: Mapping[str, Any]) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = [("type", (info.type if info else "") or (node or {}).get("type", ""))]
    if node is None:
        rows.append(("parameters", f"{info.parameters:,}" if info else "not known"))
        return rows
    places = {str(one["id"]): one for one in graph["nodes"]}
    given = [places[a] for a, b in graph["edges"] if b == node["id"] and a in places]
    shapes = dict.fromkeys(shape_of(one.get("shape"), graph.get("instances")) for one in given)
    total = graph.get("total") or {}
    flops, seconds = number(node.get("flops")), number(node.get("seconds"))
    rows += [
        ("takes", ", ".join(shape for shape in shapes if shape) or "not known"),
        ("yields", shape_of(node.get("shape"), graph.get("instances")) or "no tensor"),
        ("data type", str(node.get("dtype") or "not known")),
        ("from", ", ".join(full_name(one) for one in given[:4]) or "nothing"),
        ("parameters", _parameters(node)),
        ("work", short(flops, "FLOPs") + _share(flops, total.get("flops"))),
        ("time", duration(seconds) + _share(seconds, total.get("seconds"))),
    ]
    if node.get("dead"):
        rows.append(("dead", "no output of the model depends on it"))
    return rows


def _parameters(node: Mapping[str, Any]) -> str:
    count, trained = int(node.get("parameters") or 0), int(node.get("trainable") or 0)
    if node.get("shared"):
        return f"those of {node['shared']}"
    if not count:
        return "none"
    state = "all trained" if trained == count else f"{trained:,} trained" if trained else "frozen"
    return f"{count:,}, {state}"


def _share(value: float | None, total: Any) -> str:
    whole = number(total)
    return f", {percent(value / whole)} of the model" if value and whole else ""


def _changed(selection: Selection, name: str) -> list[tuple[str, Any]]:
    """How far its weights moved, where that was asked."""
    answer = graph_data.known_change(selection) if selection.gcolor == "change" else None
    found = next((one for one in answer.json["modules"] if one["name"] == name), None) if answer else None
    if answer is None or found is None:
        return []
    which = sides(answer.json, selection.checkpoint)
    if found.get("verdict") == "same":
        return [("change", f"same. {which}")]
    said = f"{percent(found.get('relative'))}, {found.get('verdict')}. {which}"
    cosine, largest = number(found.get("cosine")), number(found.get("largest"))
    more = [("cosine with before", f"{cosine:.4f}")] if cosine is not None else []
    if largest is not None:
        more.append(("largest of one parameter", f"{largest:.3g} standard deviations"))
    return [("change", said), *more]


def _reason(info: LayerInfo | None) -> list[Any]:
    return (
        [html.P(f"Its activations cannot be read: {info.reason}.", className="quiet")] if info and info.reason else []
    )


def _actions(selection: Selection, info: LayerInfo | None, description: Mapping[str, Any]) -> list[Any]:
    """Where this layer is shown in another way."""
    if info is None or info.reason:
        return []
    links = [_link(f"What its {plural(info.filters, 'unit')} detect, in Layers", view="layers")]
    if description.get("kind") in ("text", "series"):
        links.append(_link("What it remembers, in Sequences", view="sequences"))
    if selection.filter is not None:
        unit = _link(f"What drives unit {selection.filter}, in Attribution", view="attribution", explain="unit")
        links.append(unit)
    else:
        links.append(_link("Why instances are answered as they are, in Attribution", view="attribution"))
    return [html.H3("Go on"), html.Ul([html.Li(link) for link in links], className="plain")]


def _link(text: str, **place: Any) -> html.Button:
    return html.Button(text, type="button", className="link", **attributes({"data-nav": json.dumps(place)}))


def _facts(rows: Sequence[tuple[str, Any]]) -> html.Table:
    body = [html.Tr([html.Th(label, scope="row"), html.Td(value)]) for label, value in rows]
    return html.Table(html.Tbody(body), className="facts")
