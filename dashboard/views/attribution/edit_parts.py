"""The parts of the what-if panel: fields of each kind, the list of changes, scores before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
import numpy as np
from dash import dcc, html
from numpy.typing import NDArray

from analysis.errors import CutawayError
from analysis.results import Answer
from dashboard import asking, services
from dashboard.pictures import addresses
from dashboard.views.attribution import data, edit_data, picking
from dashboard.views.attribution.edit_data import WhatIf
from dashboard.views.attribution.words import number
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.wording import finite

KINDS = ("image", "text", "series", "table")
MOST_COLUMNS = 30
MOST_READ = 200  # instances, for the range of a column
FILLS = (("mean", "mean"), ("zero", "zero"), ("black", "black"), ("white", "white"))
MUTES = (("mean", "its mean"), ("zero", "zero"), ("linear", "a straight line"))
PREFIX = "at-edit"
SHOWN_SCORES = 5


def fields() -> list[html.Div]:
    """The fields of every kind, hidden until the instance's kind is known; in the order of ``KINDS``."""
    image = [
        html.Div(id="at-edit-picture", className="at-pick-place"),
        html.Div(
            [
                picking.together(*picking.box_fields(PREFIX)),
                picking.together(
                    picking.choice("at-edit-fill", "Fill", FILLS, w=90), picking.button("at-edit-paint", "Paint over")
                ),
                picking.together(
                    picking.number("at-edit-sigma", "Radius", value=3, min=0.5, max=50, w=56),
                    picking.button("at-edit-blur", "Blur"),
                ),
            ],
            className="at-fields",
        ),
        html.P("Drag a box on the picture, or fill in its ends in pixels.", className="quiet"),
    ]
    text = [
        html.Div(id="at-edit-tokens"),
        html.Div(
            [
                _token_field(),
                picking.together(
                    picking.button("at-edit-replace", "Replace"),
                    picking.button("at-edit-insert", "Insert before"),
                    picking.button("at-edit-delete", "Delete"),
                ),
            ],
            className="at-fields",
        ),
        html.P("Choose a token, then change it.", className="quiet"),
    ]
    series = [
        parts.graph("at-edit-signal", 190, "The signal, after the changes"),
        html.Div(
            [
                picking.choice("at-edit-channel", "Channel", [("all", "all channels")], w=150),
                picking.together(
                    picking.number("at-edit-from", "From"),
                    picking.number("at-edit-to", "To"),
                    html.Span("", id="at-edit-unit", className="control-label"),
                ),
                picking.together(
                    picking.choice("at-edit-mute-fill", "Replace by", MUTES, w=130),
                    picking.button("at-edit-mute", "Mute"),
                ),
            ],
            className="at-fields",
        ),
        html.P("Drag over a row to take the span, or fill it in; what is muted is marked.", className="quiet"),
    ]
    table = [html.Div(id="at-edit-columns", className="at-columns")]
    contents: tuple[list[Any], ...] = (image, text, series, table)
    return [html.Div(content, id=f"at-edit-{kind}", hidden=True) for kind, content in zip(KINDS, contents, strict=True)]


def _token_field() -> html.Label:
    field = dmc.TextInput(id="at-edit-token", size="xs", w=160, value="", **attributes({"aria-label": "Token"}))
    return html.Label([html.Span("Token", className="control-label"), field], className="control")


def display_of(answer: Answer) -> NDArray[Any] | None:
    """The instance as an array; None for a text."""
    try:
        return answer.array("display")
    except KeyError:
        return None


def tokens_of(answer: Answer) -> list[str]:
    """Tokens of a text."""
    return [str(token) for token in answer.json.get("tokens") or []]


def tokens_now(found: WhatIf) -> list[str]:
    """Tokens after the changes; as the changes say, while the model has not answered."""
    if found.after is not None:
        return tokens_of(found.after)
    return edit_data.left_by(found.changes, tokens_of(found.before))


def picture(found: WhatIf, prefix: str = PREFIX, marked: Sequence[Sequence[float]] = ()) -> Any:
    """The instance after the changes, to draw a box on; None if it is no picture."""
    answer = found.after or found.before
    display = display_of(answer)
    if display is None or display.ndim != 3 or display.dtype != np.uint8:
        return None
    size = (display.shape[1], display.shape[0])
    label = f"Instance {answer.json['instance']}: drag to mark a box"
    return picking.picture(prefix, addresses.instance(maps=answer.key), size, label, marked)


def columns(shown: data.Frame, found: WhatIf) -> tuple[list[Any], dict[str, float]]:
    """A field and a slider for each column, the most important first; and the values that they show."""
    answer = found.after or found.before
    display = display_of(answer)
    if display is None or display.ndim != 1:
        return [], {}
    weight = np.abs(np.nan_to_num(found.before.array("attribution").reshape(-1)))
    order = np.argsort(-weight, kind="stable")[:MOST_COLUMNS].tolist()
    original = display_of(found.before)
    values = {str(at): _short(display[at]) for at in order}
    was = display if original is None else original
    ends = _ranges(shown, len(display))
    rows: list[Any] = [
        _column(shown, at, values[str(at)], _short(was[at]), None if ends is None else ends[:, at]) for at in order
    ]
    if len(weight) > MOST_COLUMNS:
        rows.append(
            html.P(f"The {MOST_COLUMNS} of {len(weight):,} columns with the largest attribution.", className="quiet")
        )
    return rows, values


def _short(value: Any) -> float:
    """As the fields show it: the browser tells a moved slider from a drawn one by it."""
    return float(f"{float(value):.6g}")


def _ranges(shown: data.Frame, count: int) -> NDArray[Any] | None:
    """Least and largest value of each column, over some instances that were read; None if not known."""
    found = shown.extraction
    if found is None:
        return None

    def read() -> NDArray[Any]:
        values = np.array([found.display(int(index)) for index in found.indices[:MOST_READ]], float)
        return np.stack([values.min(0), values.max(0)])

    try:
        ends = services.current().memo.get(("at-edit-ranges", str(found.directory), min(found.done, MOST_READ)), read)
    except (CutawayError, OSError, ValueError):
        return None
    return ends if ends.shape == (2, count) else None


def _column(shown: data.Frame, at: int, value: float, original: float, ends: Any = None) -> html.Div:
    name = edit_data.column_name(shown, at)
    reach = 2 * abs(original) or 1.0
    low, high, known = original - reach, original + reach, "the slider's range is not the data's"
    if ends is not None and np.isfinite(ends).all() and ends[0] < ends[1]:
        low, high = min(float(ends[0]), value, original), max(float(ends[1]), value, original)
        known = f"{number(ends[0], 4)} to {number(ends[1], 4)} in the data read"
    field = dmc.TextInput(  # a number input drops the 'e' of 1e-3
        id={"type": "at-edit-field", "index": at},
        value=f"{value:.6g}",
        debounce=500,
        size="xs",
        w=96,
        **attributes({"aria-label": f"Value of {name}"}),
    )
    slider = dmc.Slider(
        id={"type": "at-edit-slider", "index": at},
        value=value,
        min=_short(low),
        max=_short(high),
        step=float(f"{(high - low) / 200:.1g}"),
        size="sm",
        updatemode="mouseup",
        label=None,
        **attributes({"thumbLabel": f"Slider of {name}"}),
    )
    changed = html.Span((f"was {number(original, 4)} · " if value != original else "") + known, className="quiet")
    return html.Div(
        [html.Span(name, className="at-column-name", title=name), field, slider, changed], className="at-column"
    )


def change_list(shown: data.Frame, found: WhatIf) -> list[Any]:
    """The changes in words."""
    if found.problem:
        return [html.P(found.problem, className="damage", role="alert")]
    if not found.changes:
        return []
    said = edit_data.said(found.changes, shown, tokens_of(found.before))
    items = [html.Li([text, " ", drop(at, "×", f"Remove: {text}")]) for at, text in enumerate(said)]
    return [html.Ol(items, className="at-changes")]


def drop(at: int, text: str, label: str) -> html.Button:
    """A button that takes out one change, by its place in the list."""
    more = attributes({"data-at-drop": str(at), "aria-label": label, "title": label})
    return html.Button(text, type="button", className="outline-button at-drop", **more)


def failed(error: asking.Pending, found: WhatIf) -> html.Div:
    """Why the changed instance has no answer, and the way out: trying the same changes again would fail again."""
    said = (error.found.job.error if error.found.job else None) or {}
    lines = [html.P(text) for text in (said.get("message") or error.reason, said.get("remedy")) if text]
    text = "Remove the last change"
    button = drop(len(found.changes) - 1, text, text)
    head = html.P("The changed instance has no answer.", className="empty-title")
    return html.Div([head, *lines, button], className="empty failed", role="alert")


def outcome(shown: data.Frame, found: WhatIf) -> list[Any]:
    """The prediction and the explained score before and after."""
    if found.after is None:
        return []
    before, after = found.before.json, found.after.json
    first, now = int(before["prediction"]), int(after["prediction"])
    named, then = shown.class_name(first), shown.class_name(now)
    line = f"The prediction stays {named}." if first == now else f"The prediction changes from {named} to {then}."
    change = float(after["score"]) - float(before["score"])
    explained = str(before.get("target_name") or "the explained score")
    said = (
        f"{explained[:1].upper()}{explained[1:]}: {number(before['score'], 4)} → {number(after['score'], 4)} "
        f"({signed(change)})."
    )
    return [html.P(line, className="headline"), html.P(said), scores(shown, before, after)]


def signed(value: float) -> str:
    """'+1.3', '−0.2'."""
    return ("+" if value >= 0 else "−") + finite(abs(value))


def scores(shown: data.Frame, before: dict[str, Any], after: dict[str, Any]) -> html.Table:
    """The best classes of both, with their shares."""
    one, two = (_shares(answer) for answer in (before, after))
    best = sorted(set(one) | set(two), key=lambda label: -max(one.get(label, 0.0), two.get(label, 0.0)))[:SHOWN_SCORES]
    rows = []
    for label in best:
        cells = [_percent(one.get(label)), _percent(two.get(label))]
        change = "" if label not in one or label not in two else _points(two[label] - one[label])
        rows.append(
            html.Tr([html.Th(shown.class_name(label), scope="row"), *(html.Td(text) for text in (*cells, change))])
        )
    head = html.Tr([html.Th(text, scope="col") for text in ("Class", "Before", "After", "Change, points")])
    return html.Table([html.Thead(head), html.Tbody(rows)], className="map-table at-scores")


def _shares(answer: dict[str, Any]) -> dict[int, float]:
    return {int(label): float(share) for label, share in answer.get("scores") or []}


def _points(change: float) -> str:
    text = f"{100 * change:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def methods(shown: data.Frame, chosen: str) -> list[Any]:
    """Which method is looked at closely, and the others."""
    listed: list[Any] = [html.Span("Method", className="control-label")]
    for name in dict.fromkeys([*(name for name in shown.chosen), chosen]):
        method = shown.method(name)
        if method["reason"] or method["form"] != "input":
            continue
        more = {"data-nav": f'{{"method": "{name}"}}', "aria-pressed": "true" if name == chosen else "false"}
        listed.append(html.Button(method["title"], type="button", className="at-choice", **attributes(more)))
    return listed


def hidden_store() -> list[Any]:
    """What the browser needs to tell a moved slider from one that was drawn."""
    return [dcc.Store(id="at-edit-values"), dcc.Store(id="at-edit-rate", data=1), *picking.stores(PREFIX)]
