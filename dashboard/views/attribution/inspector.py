"""The inspector of the Attribution view: the instance, what is explained, the method looked at closely."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import dash
from dash import Input, Output, State, html, no_update

from analysis.attribution.targets import Unit
from analysis.errors import CutawayError
from dashboard import asking, subjects
from dashboard.views.attribution import (
    data,
    edit_data,
    feedback_data,
    feedback_parts,
    obstacles,
    thumbs,
    trust_data,
    trust_parts,
)
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark


def register(app: dash.Dash) -> None:
    """Attach the callback of the inspector."""
    shown = ("view", "instance", "explain", "method", "order", "layer", "filter", "sample", "checkpoint", "runs")
    app.callback(
        Output("at-inspector", "children"),
        Output("at-inspector-mark", "data"),
        *[Input(f"sel-{name}", "data") for name in shown],
        Input("pulse-answers", "data"),
        Input("at-feedback-saved", "data"),
        State("at-inspector-mark", "data"),
        State("url", "data"),
    )(draw_inspector)


def draw_inspector(*given: Any) -> tuple[Any, Any]:
    """Cards of the instance, the target and the method. given: as ``register`` lists them."""
    before, search = given[12], given[13]
    if not data.is_shown(search):
        return no_update, no_update
    try:
        shown = data.frame(search)
        name = edit_data.closely(shown)
        trust = trust_data.known(shown, name)
        own = [one for one in feedback_data.kept(shown.description).all() if one["instance"] == shown.instance]
        read = bool(shown.extraction and shown.extraction.row_of(shown.instance) is not None)
        now = asking.mark(shown.instance, name, shown.unit, shown.selection.target, trust.key, trust.state, own, read)
        if now == before:
            return no_update, no_update
        return [instance_card(shown), method_card(shown, name, trust), *verdicts(shown, own)], now
    except (asking.NotReady, CutawayError) as error:
        now = asking.mark_of(error)
        return (no_update, no_update) if now == before else (obstacles.box(error, "The selection"), now)


def _facts(rows: Sequence[tuple[str, Any]]) -> html.Table:
    listed = [html.Tr([html.Th(label, scope="row"), html.Td(value)]) for label, value in rows]
    return html.Table(html.Tbody(listed), className="facts")


def _link(text: str, **place: Any) -> html.P:
    nav = attributes({"data-nav": json.dumps(place)})
    return html.P(html.Button(text, type="button", className="link", **nav))


def instance_card(shown: data.Frame) -> html.Div:
    """Its label and prediction, what of it is explained, and where else it can be seen."""
    found, index = shown.extraction, shown.instance
    row = found.row_of(index) if found is not None else None
    rows: list[tuple[str, Any]] = []
    picture: Any = None
    if found is not None and row is not None:
        label, guess = int(found.labels[row]), int(found.predictions[row])
        sign = "no label" if label < 0 else "✓ correct" if label == guess else "✗ wrong"
        picture = thumbs.thumbs(found, [index], shown.description.get("feature_names") or ())[0]
        rows = [
            ("label", [class_mark(label), shown.class_name(label)]),
            ("prediction", [class_mark(guess), shown.class_name(guess)]),
            ("outcome", html.Span(sign, className="verdict wrong" if label not in (-1, guess) else "verdict")),
            ("confidence", f"{100 * float(found.confidence[row]):.1f} %"),
        ]
    unit = Unit.parse(shown.unit)
    links = [_link("Its feature maps, in Layers", view="layers", instances=str(index))]
    if unit is not None:
        rows.append(("explained", unit.name if not unit.others else f"mean of {unit.name}"))
        many: dict[str, Any] = {"filters": ",".join(map(str, unit.indices))} if unit.others else {}
        text = "What these units detect, in Layers" if unit.others else "What this unit detects, in Layers"
        links.append(_link(text, view="layers", layer=unit.layer, **(many or {"filter": unit.index})))
    return html.Div([html.H2(["Instance ", html.Span(f"{index:,}")]), picture, _facts(rows), *links])


def method_card(shown: data.Frame, name: str, trust: subjects.Asked) -> html.Div:
    """What the method does, where it is from, what was done differently for this model, its verdict."""
    method = shown.method(name)
    parts: list[Any] = [html.H3(f"Looked at closely: {method['title']}"), html.P(method["summary"])]
    parts.append(html.P(method["source"], className="quiet"))
    parts += [html.P(note, className="quiet") for note in method["notes"]]
    if trust.answer is None:
        parts.append(html.P("Trust in it was not measured here yet: see the Trust panel.", className="quiet"))
    else:
        judged = trust_data.verdict(method, trust.answer.json, None)
        parts.append(html.P([trust_parts.level(judged.level), " ", judged.sentence]))
    return html.Div(parts)


def verdicts(shown: data.Frame, own: Sequence[dict[str, Any]]) -> list[Any]:
    """What people said of explanations of this instance."""
    if not own:
        return []
    titles = {item["name"]: item["title"] for item in shown.methods}
    said = [(feedback_parts.SIGNS.get(one["verdict"], "?"), one["verdict"], str(one["method"])) for one in own]
    items = [html.Li(f"{sign} {verdict}: {titles.get(method, method)}") for sign, verdict, method in said]
    return [html.H3("Verdicts on it"), html.Ul(items, className="plain")]
