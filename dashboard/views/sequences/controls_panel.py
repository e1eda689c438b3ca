"""Layer and words: whose states are shown, what a word is, and how words and units are clustered."""

from __future__ import annotations

from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.sequences.edges import DEFAULT, WEIGHTS
from dashboard import asking
from dashboard.readers import MAX_CLUSTERS
from dashboard.selection import Selection
from dashboard.views.sequences import about, data
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes

NAME = "sq-controls"
FOLLOWING = ("ctl-sweight", "ctl-sk", "ctl-sleast", "ctl-snorm")
OUTPUTS = 15
LAYERS_WAIT = 1.2  # seconds that this panel waits for the list of layers; the others do not


def panel() -> html.Section:
    """The panel; what its pickers offer comes from ``draw_controls``."""
    return parts.panel(
        NAME,
        "Layer and words",
        [
            dcc.Store(id="sq-controls-mark"),
            dcc.Store(id="sq-controls-now"),
            html.Div(html.P("Reading …", className="quiet"), id="sq-controls-state", className="sq-state"),
            html.Div(_controls(), className="sq-controls"),
            html.Div(
                [
                    html.P(id="sq-controls-fallback", className="sq-notice", role="status"),
                    html.P(id="sq-controls-why"),
                    html.Div(id="sq-controls-reasons"),
                ],
                className="sq-controls-notes",
            ),
        ],
        about=about.CONTROLS,
        picture=False,
        span=12,
    )


def _controls() -> list[Any]:
    return [
        _labelled("Layer", _select("sq-layer", 176, searchable=True)),
        _labelled("State", _select("sq-state", 86)),
        _labelled("Depth", _select("sq-depth", 100)),
        _labelled("Words", _select("sq-words", 134)),
        _labelled(
            "Edge weight",
            _select("ctl-sweight", 96, data=[{"value": one, "label": one} for one in WEIGHTS], value=DEFAULT),
        ),
        _labelled("Clusters", _select("ctl-sk", 122, data=_numbers(None), value="0")),
        _labelled("Occurrences ≥", _number("ctl-sleast", "Occurrences that a word needs", 5, 1, 1_000_000, 1)),
        _labelled(
            "Weak left out",
            _number("ctl-snorm", "Share of words with the smallest response that is left out", 0.25, 0, 0.95, 0.05),
        ),
    ]


def _labelled(text: str, control: Any) -> html.Label:
    return html.Label([html.Span(text, className="control-label"), control], className="sq-control")


def _select(name: str, width: int, **more: Any) -> dmc.Select:
    given = {"data": [], "allowDeselect": False, "size": "xs", "w": width, "comboboxProps": {"width": "max-content"}}
    return dmc.Select(id=name, **(given | more))


def _number(name: str, label: str, value: float, low: float, high: float, step: float) -> dmc.NumberInput:
    return dmc.NumberInput(
        id=name,
        value=value,
        min=low,
        max=high,
        step=step,
        allowNegative=False,
        allowDecimal=step < 1,
        decimalScale=2,
        clampBehavior="blur",
        debounce=500,
        size="xs",
        w=84,
        **attributes({"aria-label": label}),
    )


def _numbers(suggested: int | None) -> list[dict[str, str]]:
    text = "suggested" + (f" ({suggested})" if suggested else "")
    return [{"value": "0", "label": text}, *({"value": str(k), "label": str(k)} for k in range(2, MAX_CLUSTERS + 1))]


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    pickers = ("sq-layer", "sq-state", "sq-depth", "sq-words")
    app.callback(
        Output("sq-controls-mark", "data"),
        Output("sq-controls-now", "data"),
        Output("sq-controls-subtitle", "children"),
        Output("sq-controls-state", "children"),
        *[Output(name, prop) for name in pickers for prop in ("data", "value")],
        Output("ctl-sk", "data"),
        Output("sq-controls-fallback", "children"),
        Output("sq-controls-reasons", "children"),
        Input("sel-view", "data"),
        Input("sel-layer", "data"),
        Input("sel-states", "data"),
        Input("sel-cocluster", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("pulse-answers", "data"),
        State("sq-controls-mark", "data"),
        State("url", "data"),
    )(draw_controls)
    app.callback(Output("sq-controls-why", "children"), Input("sel-cocluster", "data"), State("url", "data"))(draw_why)
    app.clientside_callback(
        ClientsideFunction("sequences", "source"),
        *[Input(name, "value") for name in pickers],
        State("sq-controls-now", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("selection", "intent"),
        *[Input(name, "value") for name in FOLLOWING],
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"),
        [Output(name, "value") for name in FOLLOWING],
        Input("sel-cocluster", "data"),
    )


def draw_why(_cocluster: Any, search: str | None) -> list[Any]:
    """What the chosen edge weight is right for."""
    weight = Selection.parse(search).sweight
    return [html.B(f"Edge weight {weight}: "), WEIGHTS[weight]]


def draw_controls(*given: Any) -> tuple[Any, ...]:
    """What the pickers offer and what they show. given: as ``register`` lists them."""
    before, search = given[8], given[9]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    try:
        shown = data.frame(search, wait=LAYERS_WAIT)
        known = data.known_clusters(shown)
    except (data.NotReady, CutawayError) as error:
        return _obstacle(error, before, search)
    suggested = int(known.json["suggested"]) if known is not None else None
    now = {"layer": shown.layer, "state": shown.state, "depth": str(shown.depth), "words": shown.words}
    mark = asking.mark(now, shown.listed, shown.vocabularies, shown.fallback, suggested)
    if mark == before:
        return (no_update,) * OUTPUTS
    return (
        mark,
        now,
        subtitle(shown),
        None,
        layers(shown.listed),
        shown.layer,
        [{"value": one, "label": one} for one in shown.about["states"]],
        shown.state,
        depths(int(shown.about["depths"])),
        str(shown.depth),
        [_option(one["name"], one["title"], one["reason"]) for one in shown.vocabularies],
        shown.words,
        _numbers(suggested),
        fallback(shown),
        reasons(shown),
    )


def _obstacle(error: Exception, before: Any, search: str | None) -> tuple[Any, ...]:
    """Why there is nothing to choose yet; a layer that cannot be read is not the end, as others can be chosen."""
    mark = asking.mark_of(error)
    if mark == before:
        return (no_update,) * OUTPUTS
    listed = listed_anyway(search)
    offered: Any = layers(listed) if listed else no_update
    now = {"layer": Selection.parse(search).layer or "", "state": "", "depth": "", "words": ""}
    box = asking.boxed(error, "The layers")
    return mark, now, "", box, offered, now["layer"] or None, *(no_update,) * (OUTPUTS - 8), "", reasons_of(listed, [])


def listed_anyway(search: str | None) -> list[dict[str, Any]]:
    """The layers, if they are known, also where the one that is chosen cannot be shown."""
    try:
        return list(data.frame(Selection.parse(search).with_(layer=None).query()).listed)
    except (data.NotReady, CutawayError):
        return []


def layers(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The layers, those that cannot be read greyed."""
    found = []
    for one in listed:
        about_ = f"{one['layer']} · {one['type']}, {int(one['units']):,} units"
        found.append(_option(one["layer"], about_, one["reason"]))
    return found


def _option(value: str, label: str, reason: str) -> dict[str, Any]:
    return {"value": value, "label": label + (" (does not fit)" if reason else ""), "disabled": bool(reason)}


def depths(count: int) -> list[dict[str, str]]:
    """The depths of a stacked layer, by what the address calls them; -1 is the last."""
    if count == 1:
        return [{"value": "-1", "label": "single"}]
    return [
        {"value": str(at) if at < count - 1 else "-1", "label": f"{at + 1} of {count}" + _end(at, count)}
        for at in range(count)
    ]


def _end(at: int, count: int) -> str:
    return " (first)" if at == 0 else " (last)" if at == count - 1 else ""


def subtitle(shown: data.Frame) -> str:
    """'lstm, hidden state · LSTM in both directions · 96 units · words: tokens · step-400'."""
    kind = str(shown.about["type"]) + (" in both directions" if int(shown.about["directions"]) > 1 else "")
    title = next(str(one["title"]) for one in shown.vocabularies if one["name"] == shown.words)
    pieces = [shown.name, kind, f"{shown.units:,} units", f"words: {title.lower()}"]
    if not shown.about["recurrent"]:
        pieces.append("no memory: a change is one between neighbours")
    if shown.selection.checkpoint:
        pieces.append(shown.selection.checkpoint)
    return " · ".join(pieces)


def fallback(shown: data.Frame) -> str:
    """That another layer is shown than the one chosen elsewhere, '' if it is that one."""
    if not shown.fallback:
        return ""
    return f"{shown.fallback} has no state at every step, so {shown.layer} is shown here."


def reasons(shown: data.Frame) -> Any:
    """What is greyed out and why, folded."""
    others = [(one["title"], str(one["reason"])) for one in shown.vocabularies if one["reason"]]
    if shown.pos:
        others.append(("Colour by part of speech", shown.pos))
    return reasons_of(shown.listed, others)


def reasons_of(listed: list[dict[str, Any]], others: list[tuple[str, str]]) -> Any:
    """The same of layers, and of other choices by their titles."""
    found = [(str(one["layer"]), str(one["reason"])) for one in listed if one["reason"]] + others
    if not found:
        return None
    items = [html.Li([html.B(name), ": ", reason.rstrip(".") + "."]) for name, reason in found]
    noun = "choice does" if len(found) == 1 else "choices do"
    return html.Details([html.Summary(f"{len(found)} {noun} not fit, and why"), html.Ul(items)], className="sq-reasons")
