"""What the inspector says while the Instances view is shown: the chosen instance, then the subset, with what to do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import dash
import numpy as np
from dash import Input, Output, State, html, no_update

from analysis.errors import CutawayError
from analysis.subsets.subset import of_indices
from analysis.subsets.table import NUMBER, Column
from dashboard import asking
from dashboard.pictures import addresses
from dashboard.views.instances import data, subset_data
from dashboard.views.instances.data import Picked
from dashboard.views.instances.subset_parts import percent, signed
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark
from dashboard.wording import finite

CLASSES = 4  # scores that are named
COLUMNS = 24  # of metadata and features
EXCERPT = 400  # characters of a text


def register(app: dash.Dash) -> None:
    """Attach the callback of the inspector."""
    app.callback(
        Output("in-inspector", "children"),
        Output("in-inspector-mark", "data"),
        *[Input(f"sel-{name}", "data") for name in data.LISTENED],
        Input("sel-instance", "data"),
        Input(data.BOOK, "data"),
        Input("pulse-answers", "data"),
        State("in-inspector-mark", "data"),
        State("url", "data"),
    )(draw_inspector)


def draw_inspector(*given: Any) -> tuple[Any, Any]:
    """A card of the instance, if one is chosen, and one of the subset. given: as ``register`` lists them."""
    before, search = given[-2], given[-1]
    if not data.is_shown(search):
        return no_update, no_update
    try:
        found = data.picked(search)
        chosen = found.shown.selection.instances
        now = asking.mark(found.key, chosen)
        if now == before:
            return no_update, no_update
        cards = [instance(found, chosen[0])] if chosen else []
        cards.append(subset(found))
    except (asking.NotReady, CutawayError) as error:
        now = asking.mark_of(error)
        return (no_update, no_update) if now == before else (asking.boxed(error, "The selection"), now)
    return cards, now


def facts(rows: Sequence[tuple[str, Any]]) -> html.Table:
    """Figures with their names."""
    listed = [html.Tr([html.Th(label, scope="row"), html.Td(value)]) for label, value in rows]
    return html.Table(html.Tbody(listed), className="facts")


def link(text: str, **place: Any) -> html.Button:
    """A click changes the selection."""
    return html.Button(text, type="button", className="link", **attributes({"data-nav": json.dumps(place)}))


def instance(found: Picked, index: int) -> html.Div:
    """The instance: picture, label, prediction, scores, whether it belongs to the subset, and where to look at it."""
    shown, reader = found.shown, found.shown.extraction
    title = html.H2(["Instance ", html.Span(f"{index:,}")])
    row = reader.row_of(index)
    if row is None:
        return html.Div([title, *_absent(found, index)])
    label, guess = int(reader.labels[row]), int(reader.predictions[row])
    sign = "○ no label" if label < 0 else "✓ right" if label == guess else "✗ wrong"
    state = "unlabelled" if label < 0 else "right" if label == guess else "wrong"
    rows: list[tuple[str, Any]] = [
        ("label", [class_mark(label), shown.class_name(label)]),
        ("prediction", [class_mark(guess), shown.class_name(guess)]),
        ("outcome", html.Span(sign, className=f"in-sign {state}")),
    ]
    columns = found.table.columns
    rows += [
        (name, finite(columns[name].values[row], 3) + (" nats" if columns[name].unit == "nats" else ""))
        for name in ("confidence", "loss", "margin", "entropy")
    ]
    inside = bool(np.isin(row, found.rows))
    rows.append(("in the subset", "yes" if inside else "no"))
    parts: list[Any] = [title, _picture(found, index, label), facts(rows), *_scores(found, row)]
    parts += [*_known(found, row), *_others(found), *_actions(index)]
    return html.Div([part for part in parts if part is not None])


def _absent(found: Picked, index: int) -> list[Any]:
    total = int(found.shown.description.get("n", 0))
    if index >= total:
        return [html.P(f"The data has {total:,} instances, counted from 0.", className="quiet")]
    wanted = sorted({*found.shown.selection.include, index})
    read = found.shown.extraction.complete
    return [
        html.P("It is not in the sample." if read else "It is not among those read so far.", className="quiet"),
        html.P(link("Always include it", include=",".join(map(str, wanted)))),
    ]


def _picture(found: Picked, index: int, label: int) -> Any:
    reader = found.shown.extraction
    if reader.kind == "image":
        address = addresses.instance(extraction=reader.directory.name, index=index)
    elif reader.kind == "series":
        address = addresses.instances(reader.directory.name, [index])
    else:
        texts = found.table.texts
        row = reader.row_of(index)
        return html.P(data.cut(str(texts[row]), EXCERPT)) if texts is not None and row is not None else None
    return html.Img(
        src=address, alt=f"Instance {index}, {found.shown.class_name(label)}", className="inspector-picture"
    )


def _scores(found: Picked, row: int) -> list[Any]:
    """The classes with the highest probability."""
    logits = np.asarray(found.shown.extraction.logits[row], np.float64)
    if len(logits) < 2 or not np.isfinite(logits).all():
        return []
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")[:CLASSES].tolist()
    listed = [
        html.Tr(
            [
                html.Th([class_mark(label), found.shown.class_name(label)], scope="row"),
                html.Td(percent(float(shares[label]))),
            ]
        )
        for label in order
    ]
    return [html.H3("Scores"), html.Table(html.Tbody(listed), className="facts")]


def _known(found: Picked, row: int) -> list[Any]:
    """Metadata, measurements and rules of the subject."""
    columns = [one for one in found.table.of("metadata", "feature", "function") if one.name != "text"][:COLUMNS]
    if not columns:
        return []
    rows = [(data.cut(column.title, 60), _value(column, row)) for column in columns]
    return [html.H3("What else is known of it"), facts(rows)]


def _value(column: Column, row: int) -> str:
    value = column.shown(row)
    if value is None:
        return "missing"
    if column.kind == NUMBER:
        return finite(value, 4) + (f" {column.unit}" if column.unit else "")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return data.cut(str(value), 120)


def _others(found: Picked) -> list[Any]:
    chosen = found.shown.selection.instances
    if len(chosen) < 2:
        return []
    parts: list[Any] = [html.P(f"{len(chosen):,} instances are chosen; this is the first.", className="quiet")]
    spans = of_indices(chosen)
    if spans:
        parts.append(html.P(link("Make the chosen instances the subset", subset=spans)))
    return parts


def _actions(index: int) -> list[Any]:
    return [
        html.P(link("Explain its prediction, in Attribution", view="attribution", instances=str(index))),
        html.P(link("Its activations beside subsets, in Model", view="model", instances=str(index))),
        html.P(link("What layers detect in it, in Layers", view="layers", instances=str(index))),
        html.P(link("Clear the instance", instances=None)),
    ]


def subset(found: Picked) -> html.Div:
    """The subset: size, accuracy against the rest, and where to look at it."""
    reader = found.shown.extraction
    own, rest = (
        subset_data.facts(reader, found.rows),
        subset_data.facts(reader, subset_data.rest_of(reader, found.rows)),
    )
    rows: list[tuple[str, Any]] = [("instances", f"{own.n:,} of {reader.done:,}")]
    if own.labelled:
        rows.append(("accuracy", f"{percent(own.accuracy)} ({100 * own.low:.1f} to {100 * own.high:.1f} %)"))
        rows.append(("wrong", f"{own.labelled - own.right:,} of {own.labelled:,}"))
    gap = subset_data.difference(own, rest)
    if gap is not None:
        text = f"{signed(100 * gap[0])} points ({signed(100 * gap[1])} to {signed(100 * gap[2])})"
        rows.append(("against the rest", text))
    if own.n:
        rows.append(("mean confidence", finite(own.confidence, 3)))
    parts: list[Any] = [html.H2("Subset"), html.P(data.cut(found.title, 200)), facts(rows)]
    place = found.text or None
    parts.append(html.P(link("Explain over many instances, in Attribution", view="attribution", subset=place)))
    parts.append(html.P(link("Its neurons, in Model", **_beside(found))))
    if found.text:
        parts.append(html.P(link("Show all instances", subset=None)))
    return html.Div(parts)


def _beside(found: Picked) -> dict[str, Any]:
    """The Model view with the subset among the rows of its matrix."""
    place: dict[str, Any] = {"view": "model"}
    if not found.text:
        return place
    try:
        rows = json.loads(found.shown.selection.xrows or "[]")
    except (ValueError, RecursionError):
        rows = []
    rows = [one for one in rows if isinstance(one, str)] if isinstance(rows, list) else []
    if found.text not in rows:
        rows.append(found.text)
    return place | {"xrows": json.dumps(rows, ensure_ascii=False, separators=(",", ":"))}
