"""What stands around the glyphs: the choice of instances, the legend, what keeps a row from being drawn."""

from __future__ import annotations

import json
from typing import Any

import dash_mantine_components as dmc
import numpy as np
from dash import dcc, html

from analysis.errors import CutawayError
from dashboard import asking
from dashboard.views.sequences import data
from dashboard.views.sequences.data import Frame
from dashboard.widgets.attributes import attributes

OFFERED = 200  # instances in the list; any other by its number


def controls() -> list[Any]:
    """Fields above the glyphs; their values follow the address."""
    number = dmc.NumberInput(
        id="sq-glyphs-number",
        size="xs",
        w=90,
        min=0,
        allowDecimal=False,
        debounce=500,
        hideControls=True,
        **attributes({"aria-label": "Instance, by its number"}),
    )
    listed = dmc.Select(
        id="sq-glyphs-pick",
        data=[],
        size="xs",
        w=230,
        searchable=True,
        placeholder="wrong ones first",
        **attributes({"aria-label": "Instance, from a list with the wrong ones first"}),
    )
    text = dmc.TextInput(
        id="sq-glyphs-text",
        size="xs",
        w=260,
        debounce=True,
        placeholder="and press Enter",
        **attributes({"aria-label": "Type a text"}),
    )
    return [
        html.Label([html.Span("Instance", className="control-label"), number], className="control"),
        html.Span(id="sq-glyphs-steps", className="sqg-steps"),
        html.Label([html.Span("Choose", className="control-label"), listed], className="control"),
        dmc.Switch(id="sq-glyphs-beside", label="beside those shown", size="xs", checked=False),
        html.Label(
            [html.Span("Type a text", className="control-label"), text],
            id="sq-glyphs-typing",
            className="control",
            hidden=True,
        ),
        _pressed("sq-glyphs-span", "Choose a span", "Two clicks choose a span of steps (or a drag with Shift)"),
    ]


def _pressed(name: str, text: str, title: str) -> html.Button:
    more = attributes({"aria-pressed": "false"})
    return html.Button(text, id=name, type="button", className="outline-button sqg-toggle", title=title, **more)


def stores() -> list[Any]:
    """What the glyphs are drawn from."""
    # Text, not a store: what listens to a store waits for as long as answers keep coming in, this is drawn at once.
    drawn = html.Div(id="sq-glyphs-data", hidden=True)
    return [dcc.Store(id="sq-glyphs-mark"), dcc.Store(id="sq-inspector-mark"), drawn]


def ranked(shown: Frame) -> list[int]:
    """Instances of the sample, wrong ones first, the surest of them before the others; [] while it is being read."""
    found = shown.extraction
    if found is None:
        return []
    labels, guesses = np.asarray(found.labels), np.asarray(found.predictions)
    wrong = (labels >= 0) & (labels != guesses)
    sure = np.nan_to_num(np.asarray(found.confidence, np.float64), nan=0.0)
    order = np.lexsort((np.asarray(found.indices), np.where(wrong, -sure, 0), ~wrong))
    return [int(index) for index in np.asarray(found.indices)[order]]


def options(shown: Frame, order: list[int]) -> list[dict[str, str]]:
    """What the list of instances offers; the one shown is always in it."""
    found = shown.extraction
    if found is None:
        return []
    offered = list(dict.fromkeys([*order[:OFFERED], *shown.instances[:1]]))
    listed = []
    for index in offered:
        row = found.row_of(index)
        if row is None:
            listed.append({"value": str(index), "label": f"{index:,} (not in the sample)"})
            continue
        label, guess, sure = int(found.labels[row]), int(found.predictions[row]), float(found.confidence[row])
        sign = "○" if label < 0 else "✓" if label == guess else "✗"
        said = shown.class_name(guess)[:24]
        said = f"{shown.class_name(label)[:24]} → {said}" if sign == "✗" else said
        share = f", {100 * sure:.0f} %" if np.isfinite(sure) else ""
        listed.append({"value": str(index), "label": f"{sign} {index:,}: {said}{share}"})
    return listed


def steps(order: list[int], instance: int) -> list[Any]:
    """Buttons for the instance before and after, in the order of the list."""
    at = order.index(instance) if instance in order else -1
    before = order[at - 1] if at > 0 else None
    after = order[at + 1] if at + 1 < len(order) else None
    return [_step("‹", "Previous instance", before), _step("›", "Next instance", after)]


def _step(sign: str, label: str, target: int | None) -> html.Button:
    more = attributes({"aria-label": label} | ({} if target is None else {"data-nav": _nav(instances=str(target))}))
    return html.Button(sign, type="button", className="outline-button", title=label, disabled=target is None, **more)


def _nav(**place: Any) -> str:
    return json.dumps(place)


def obstacle(what: str, error: Exception) -> html.Div:
    """What keeps one row from being drawn: it is being computed, or something is wrong with the text or instance."""
    if isinstance(error, asking.Pending) and not error.waiting:
        said = (error.found.job.error if error.found.job else None) or {}
        if said.get("message"):
            lines = [html.P([html.B(f"{what}: "), str(said["message"])]), html.P(str(said.get("remedy") or ""))]
            return html.Div(lines, className="empty failed sqg-obstacle", role="alert")
    if isinstance(error, CutawayError):
        lines = [html.P([html.B(f"{what}: "), error.message]), html.P(error.remedy)]
        return html.Div(lines, className="empty failed sqg-obstacle", role="alert")
    return html.Div(asking.boxed(error, what), className="sqg-obstacle")


def brief(error: Exception, subject: str, where: str) -> Any:
    """One line for what another panel shows in full."""
    if isinstance(error, asking.NotReady) and error.waiting:
        if error.told_in:
            return error.box
        said = f"{error.title}: being computed" if isinstance(error, asking.Pending) else error.reason.rstrip(".")
        return html.P(f"{said}, {where}.", className="empty-line")
    return asking.boxed(error, subject)


def legend(shown: Frame, clusters: list[dict[str, Any]], *, known: bool) -> list[Any]:
    """What the inks mean, with the clusters as buttons."""
    keys = [
        ("sqg-key-span", "mean negative to mean positive state"),
        ("sqg-key-raised", "raised by this step"),
        ("sqg-key-lowered", "lowered by it"),
        ("sqg-key-gone", "hollow: taken away"),
        ("sqg-key-kept", "share of the state before that is kept, 0 to 100 %"),
    ]
    marks = [html.Span([html.Span(className=f"sqg-key {name}"), text], className="sqg-key-item") for name, text in keys]
    if not known:
        said = f"Clusters of units are being computed: one bar shows all {shown.units:,} units."
        return [html.Div(marks, className="sqg-legend"), html.P(said, className="quiet", role="status")]
    chips: list[Any] = [
        html.Button(
            [
                html.Span(className="sqg-key", style={"background": data.cluster_colour(one["id"])}),
                f"{one['name']} ({one['size']:,})",
            ],
            type="button",
            className="sqg-chip",
            **attributes(
                {
                    "data-sqg-cluster": f"u{one['id']}",
                    "data-nav": _nav(cluster=f"u{one['id']}"),
                    "aria-pressed": "false",
                    "title": f"{one['size']:,} units of {shown.layer}",
                }
            ),
        )
        for one in clusters
    ]
    line = html.Div(
        [html.Span("Bars, from left to right: clusters of units", className="quiet"), *chips], className="sqg-legend"
    )
    return [html.Div(marks, className="sqg-legend"), line]
