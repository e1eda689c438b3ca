"""Callbacks of the health panel: a row per layer, then the findings as sentences."""

from __future__ import annotations

import json
from typing import Any

import dash
from dash import Input, Output, State, html

from analysis.errors import CutawayError
from analysis.store.reader import Run
from analysis.training.findings import Finding, Thresholds
from analysis.training.summary import LayerSummary
from dashboard import services
from dashboard.selection import Selection
from dashboard.views.training import data, inspector
from dashboard.widgets.attributes import attributes
from dashboard.widgets.findings import finding_list
from dashboard.widgets.states import empty, failure

COLUMNS = (("dead", "dead"), ("degenerate", "always on"), ("stale", "stale"), ("duplicates", "duplicate"))


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel and of the inspector."""
    app.callback(
        Output("health-body", "children"),
        Output("health-subtitle", "children"),
        Input("sel-runs", "data"),
        Input("sel-layer", "data"),
        Input("sel-limit", "data"),
        Input("frame-steps", "data"),
        Input("pulse-selected", "data"),
        State("url", "data"),
    )(draw_health)
    app.callback(
        Output("training-notice", "children"),
        Input("sel-runs", "data"),
        Input("pulse-runs", "data"),
        State("url", "data"),
    )(offer_comparison)
    app.callback(
        Output("inspector-body", "children"),
        Input("sel-runs", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-limit", "data"),
        Input("frame", "data"),
        Input("frame-steps", "data"),
        State("url", "data"),
    )(inspector.draw_inspector)


def draw_health(_runs: Any, _layer: Any, _limit: Any, _steps: Any, _pulse: Any, search: str | None) -> tuple[Any, str]:
    """A table of layers and a list of findings, for each selected run."""
    selection = Selection.parse(search)
    try:
        runs = services.open_runs(selection.runs)
        if not runs:
            return empty("Health of a run", "No run is selected.", "Choose one in the top bar."), ""
        parts: list[Any] = []
        counts = []
        for index, run in enumerate(runs):
            findings = data.findings_of(run, selection)
            counts.append(_count(findings))
            if len(runs) > 1:
                parts.append(html.H3([html.Span(className=f"run-mark run-{index}"), run.info.name]))
            parts += _run_parts(run, index, selection, findings)
        return parts, " · ".join(counts)
    except CutawayError as error:
        return failure(error, "The health of this run"), ""


def offer_comparison(_runs: Any, _pulse: Any, search: str | None) -> Any:
    """A demo records runs that are meant to be compared: say so, one click away."""
    selection = Selection.parse(search)
    if len(selection.runs) != 1:
        return None
    infos = {info.id: info for info in services.current().index.list()}
    shown = infos.get(selection.runs[0])
    demo = shown.config.get("demo") if shown else None
    others = [i for i in infos.values() if demo and i.config.get("demo") == demo and i.id != selection.runs[0]]
    others = [info for info in others if info.status in ("running", "finished")]
    if not shown or not others:
        return None
    other = others[-1]
    first, second = sorted((shown, other), key=lambda info: info.created)
    place = json.dumps({"runs": f"{first.id},{second.id}"})
    return html.P(
        [
            f"The same demo also trained {other.name} ({other.status}). ",
            html.Button(
                f"Compare {first.name} with {second.name}",
                type="button",
                className="link",
                **attributes({"data-nav": place}),
            ),
        ],
        className="banner-line",
    )


def _count(findings: list[Finding]) -> str:
    words = []
    for severity, word in (("problem", "problem"), ("warning", "warning"), ("hint", "hint")):
        number = sum(item.severity == severity for item in findings)
        words += [f"{number} {word}{'' if number == 1 else 's'}"] if number else []
    return ", ".join(words) or "nothing unusual"


def _run_parts(run: Run, index: int, selection: Selection, findings: list[Finding]) -> list[Any]:
    thresholds = data.thresholds_of(selection)
    parts: list[Any] = []
    parts += [html.P(item.sentence(), className="damage", role="alert") for item in run.damage()]
    for note in run.notes()[-5:]:
        look = "quiet" if note.kind == "info" else "damage"
        parts.append(html.P(f"Recorder, step {note.step:,}: {note.message}", className=look))
    if findings:
        parts.append(finding_list(findings))
    else:
        parts.append(html.P("No rule found anything unusual in the records so far.", className="quiet"))
    if run.layers():
        parts.append(_table(run, selection, thresholds, linked=index == 0))
    return parts


def _table(run: Run, selection: Selection, thresholds: Thresholds, *, linked: bool) -> html.Table:
    head = ["layer", "filters", *(title for _, title in COLUMNS), "state"]
    rows = [
        _row(summary, meta.output, meta.name == selection.layer, linked)
        for meta, summary in data.summaries_of(run, thresholds)
    ]
    return html.Table(
        [
            html.Thead(
                html.Tr(
                    [html.Th(text, scope="col", className="" if i in (0, 6) else "num") for i, text in enumerate(head)]
                )
            ),
            html.Tbody(rows),
        ],
        className="layers",
    )


def _row(summary: LayerSummary, output: bool, chosen: bool, linked: bool) -> html.Tr:
    place = json.dumps({"layer": summary.name})
    # A long dotted name keeps its end, which is what tells layers apart.
    shown = summary.name if len(summary.name) <= 18 else f"…{summary.name[-17:]}"
    name: Any = html.Span(shown, title=summary.name)
    if linked:
        name = html.Button(
            shown,
            title=summary.name,
            type="button",
            className="link",
            **attributes({"data-nav": place}),
        )
    cells = [html.Th(name, scope="row"), html.Td(f"{summary.filters:,}", className="num")]
    for key, _ in COLUMNS:
        value = getattr(summary, key)
        text = "–" if output and key != "duplicates" else f"{value:,}"
        cells.append(html.Td(text, className="num some" if value else "num"))
    cells.append(html.Td(badge(summary)))
    return html.Tr(cells, className="chosen" if chosen else "", **attributes({"data-layer": summary.name}))


def badge(summary: LayerSummary) -> html.Span:
    """'learning', 'settled at step n', or why neither can be said."""
    state = summary.stability.state
    if state == "settled":
        return html.Span(f"settled at step {summary.stability.settled_at:,}", className="badge settled")
    return html.Span(state, className=f"badge {'learning' if state == 'learning' else 'few'}")
