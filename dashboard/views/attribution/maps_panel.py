"""Attributions: one method each, beside each other, on the same instance, target and scale."""

from __future__ import annotations

from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from dashboard import subjects
from dashboard.asking import boxed, mark, mark_of
from dashboard.readers import MAX_METHODS
from dashboard.selection import Selection
from dashboard.views.attribution import about, data, exporting, maps_data, multiples, outcome, words
from dashboard.widgets import panel as parts
from dashboard.widgets.choosing import segmented

NAME = "at-maps"
SIGNS = (("signed", "signed"), ("positive", "raising"), ("absolute", "size"))
LOOK = ("asign", "aclip", "aopacity", "aoutline", "ascale")
SLOTS = tuple(f"at-slot-{number}" for number in range(MAX_METHODS))
HEAD = 9  # outputs before those of the slots


def panel() -> html.Section:
    """The panel; its multiples come from ``draw_maps``."""
    return parts.panel(
        NAME,
        "Attributions",
        [
            dcc.Store(id="at-maps-mark"),
            html.Div(html.P("Reading …", className="empty"), id="at-maps-state"),
            html.Div(
                [
                    html.Div(id="at-outcome", className="at-outcome"),
                    html.Div([html.Div(id=slot, hidden=True, className="at-slot") for slot in SLOTS], id="at-slots"),
                ],
                id="at-maps-body",
                hidden=True,
            ),
        ],
        about=about.MAPS,
        controls=_controls(),
        exports=[
            ("All methods in one picture (PNG)", "at-maps-png"),
            ("Raw values (npz)", "at-maps-npz"),
            ("Raw values (CSV)", "at-maps-csv"),
        ],
        picture=False,
        span=9,
    )


def _controls() -> list[Any]:
    clip = dmc.Slider(
        id="ctl-aclip",
        min=90,
        max=100,
        step=0.5,
        value=99.5,
        size="xs",
        updatemode="mouseup",
        restrictToMarks=False,
        thumbLabel="Percentile of the sizes with full colour",
    )
    opacity = dmc.Slider(
        id="ctl-aopacity",
        min=0,
        max=1,
        step=0.05,
        value=0.7,
        size="xs",
        updatemode="drag",
        restrictToMarks=False,
        thumbLabel="Opacity of the overlay",
    )
    return [
        segmented("ctl-asign", "Values", SIGNS, "signed"),
        segmented("ctl-ascale", "Scale", [("own", "own"), ("common", "common")], "own"),
        _slider("Full colour at", clip, "at-clip-text", "99.5 %"),
        html.Div(
            [
                _slider("Opacity", opacity, "at-opacity-text", "0.7"),
                segmented("ctl-aoutline", "Outline", [("off", "off"), ("on", "on")], "off"),
            ],
            className="at-of-pictures",
        ),
    ]


def _slider(label: str, slider: Any, name: str, value: str) -> html.Div:
    return html.Div(
        [
            html.Span(label, className="control-label"),
            html.Div(slider, className="map-slider at-slider"),
            html.Span(value, id=name, className="control-label"),
        ],
        className="control",
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("at-maps-mark", "data"),
        Output("at-maps-subtitle", "children"),
        Output("at-maps-state", "children"),
        Output("at-maps-body", "hidden"),
        Output("at-outcome", "children"),
        Output("at-slots", "className"),
        Output("at-maps-png", "href"),
        Output("at-maps-npz", "href"),
        Output("at-maps-csv", "href"),
        *[Output(slot, "children") for slot in SLOTS],
        *[Output(slot, "hidden") for slot in SLOTS],
        Input("sel-view", "data"),
        Input("sel-instance", "data"),
        Input("sel-explain", "data"),
        Input("sel-method", "data"),
        Input("sel-look", "data"),
        Input("sel-order", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("scheme", "data"),
        Input("pulse-answers", "data"),
        State("at-maps-mark", "data"),
        State("url", "data"),
    )(draw_maps)
    app.clientside_callback(
        ClientsideFunction("selection", "intent"),
        *[Input(f"ctl-{name}", "value") for name in LOOK],
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("selection", "follow"),
        [Output(f"ctl-{name}", "value") for name in LOOK],
        Input("sel-look", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("attribution", "look"),
        Output("at-clip-text", "children"),
        Output("at-opacity-text", "children"),
        Input("ctl-aclip", "value"),
        Input("ctl-aopacity", "value"),
    )


def draw_maps(
    _view: Any,
    _instance: Any,
    _explain: Any,
    _method: Any,
    _look: Any,
    _order: Any,
    _layer: Any,
    _filter: Any,
    _sample: Any,
    _checkpoint: Any,
    _runs: Any,
    scheme: Any,
    _pulse: Any,
    before: Any,
    search: str | None,
) -> tuple[Any, ...]:
    """All multiples; only those that changed are drawn anew. The first one is waited for, once."""
    nothing = (no_update,) * (HEAD + 2 * len(SLOTS))
    if not data.is_shown(search):
        return nothing
    before = before if isinstance(before, dict) else {}
    scheme = "dark" if scheme == "dark" else "light"
    asked = _asked(search)
    wait = 0.0 if before.get("waited") == asked else subjects.WAIT_SECONDS
    try:
        shown = data.frame(search, wait=wait)
    except (data.NotReady, CutawayError) as error:
        now = {"head": mark_of(error), "waited": asked}
        if before.get("head") == now["head"]:
            return nothing
        closed = (now, "", boxed(error, "Attributions"), True, None, no_update, "#", "#", "#")
        return (*closed, *[no_update] * (2 * len(SLOTS)))
    found = maps_data.gather(shown, wait)
    return _drawn(shown, found, before, asked, scheme)


def _asked(search: str | None) -> str:
    """What of an address is worth waiting for, once: not the look of what is there."""
    chosen = Selection.parse(search)
    unit = (chosen.layer, chosen.filter, chosen.filters) if chosen.explain == "unit" else ()
    what = (chosen.instances[:1], chosen.target, chosen.explain, chosen.methods, chosen.baseline, chosen.params)
    return mark(what, unit, chosen.checkpoint, chosen.runs)


def _drawn(
    shown: data.Frame, found: list[maps_data.Multiple], before: dict[str, Any], asked: str, scheme: str
) -> tuple[Any, ...]:
    scales = maps_data.scales(shown, found)
    look = shown.selection
    display, tokens = maps_data.display_of(shown, found), maps_data.tokens_of(shown, found)
    sheet = multiples.Sheet(shown, display, tokens, len(found), scheme)
    plotted = shown.kind in ("series", "table") or any(each.form == "attention" for each in found)
    marks = [
        mark(
            each.mark,
            [(one.limit, one.common, one.clipped) for one in (scales.get(each.name),) if one is not None],
            (look.asign, look.aclip, look.aoutline, look.ascale, look.method == each.name),
            (shown.instance, len(found), display is not None, len(tokens), words.explained(shown)),
            scheme if plotted else "",
        )
        for each in found
    ]
    known = maps_data.outcome(shown, found)
    keys = [each.answer.key for each in found if each.answer is not None and not each.partial]
    subtitle = _subtitle(shown, found)
    head = mark(shown.instance, known, subtitle, keys, marks, [item["name"] for item in shown.methods])
    if before.get("head") == head:
        return (no_update,) * (HEAD + 2 * len(SLOTS))
    held = before.get("slots")
    held = held if isinstance(held, list) and before.get("open") else []
    drawn: list[Any] = []
    for number in range(len(SLOTS)):
        if number >= len(found):
            drawn.append(None)
        elif number < len(held) and held[number] == marks[number]:
            drawn.append(no_update)
        else:
            drawn.append(multiples.multiple(sheet, found[number], scales.get(found[number].name)))
    now = {"head": head, "slots": marks, "waited": asked, "open": True}
    links = [exporting.address(name, shown, keys, scheme) for name in ("png", "npz", "csv")]
    hidden = [number >= len(found) for number in range(len(SLOTS))]
    name = f"at-slots at-{shown.kind}"
    return now, subtitle, None, False, outcome.outcome(sheet, known, found), name, *links, *drawn, *hidden


def _subtitle(shown: data.Frame, found: list[maps_data.Multiple]) -> str:
    """'instance 17 · the score of class "9" (4.21) · 3 of 4 methods'."""
    said = next((each.said for each in found if each.said), {})
    text = f"instance {shown.instance:,} · {words.explained(shown, said)}"
    if said.get("score") is not None:
        text += f" ({words.number(said['score'], 4)})"
    ready = sum(each.answer is not None and not each.partial for each in found)
    text += f" · {ready} of {len(found)} methods" if ready < len(found) else f" · {len(found)} methods"
    chosen = len(shown.selection.methods)
    unknown = chosen - len(found) if chosen and found else 0
    return text + (f" · {unknown} unknown in this link" if unknown > 0 and shown.selection.methods else "")
