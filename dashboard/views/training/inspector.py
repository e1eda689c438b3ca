"""The inspector: whatever is selected last (filter, layer or run), with its figures, neighbours and findings."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from dash import dcc, html

from analysis.errors import CutawayError
from analysis.records import LayerMeta, LayerRecord
from analysis.store.reader import Run
from analysis.training.findings import Finding, noun
from dashboard import services, theme
from dashboard.selection import Selection
from dashboard.views.training import data
from dashboard.widgets.attributes import attributes
from dashboard.widgets.findings import finding_detail
from dashboard.widgets.states import empty, failure


def draw_inspector(
    _runs: Any, _layer: Any, _filter: Any, _limit: Any, frame: Any, _steps: Any, search: str | None
) -> Any:
    """The inspector's content for the current selection."""
    selection = Selection.parse(search)
    if not selection.runs:
        return empty("Inspector", "Nothing is selected.", "Choose a run, then click a layer or a filter.")
    try:
        run = services.open_runs(selection.runs[:1])[0]
        findings = data.findings_of(run, selection)
        if selection.layer is None:
            return _run_card(run, findings)
        meta = data.layer_of(run, selection.layer)
        records = services.current().histories.records(run, meta)
        record = data.nearest(records, data.step_of(frame))
        if record is None:
            return empty(meta.name, "This layer has no record yet.", "Wait for the next one.")
        if selection.filter is None:
            return _layer_card(run, meta, record, selection, findings)
        if selection.filter >= meta.filters:
            return empty(
                f"Filter {selection.filter}", f"{meta.name} has {meta.filters:,} filters.", "Choose one of its cells."
            )
        whole = run.layer_record(meta.name, record.step)
        return _filter_card(run, meta, whole, records, selection.filter, findings)
    except CutawayError as error:
        return failure(error, "The selection")


def facts(rows: list[tuple[str, Any]]) -> html.Table:
    """A small table of label and value."""
    return html.Table(
        html.Tbody([html.Tr([html.Th(label, scope="row"), html.Td(value)]) for label, value in rows]), className="facts"
    )


def _run_card(run: Run, findings: list[Finding]) -> html.Div:
    info = run.info
    segments = run.segments()
    checkpoints = run.checkpoints()
    rows = [
        ("status", info.status),
        ("segments", f"{info.segments} (openings of the run)"),
        ("checkpoints", f"{len(checkpoints)}"),
        ("metrics", f"{len(run.tags())}"),
        ("watched layers", f"{len(run.layers())}"),
        ("id", info.id),
    ]
    rows += [("written on", segments[-1].host)] if segments else []
    config = [(str(key), str(value)[:200]) for key, value in list(info.config.items())[:30]]
    own = [item for item in findings if item.layer is None]
    return html.Div(
        [
            html.H2(["Run ", html.Span(info.name)]),
            facts(rows),
            html.H3("Configuration"),
            facts(config) if config else html.P("None was recorded.", className="quiet"),
            html.H3("Findings about the curves"),
            *_details(own, "None."),
        ]
    )


def _layer_card(
    run: Run, meta: LayerMeta, record: LayerRecord, selection: Selection, findings: list[Finding]
) -> html.Div:
    summaries = data.summaries_of(run, data.thresholds_of(selection))
    summary = next(found for layer, found in summaries if layer.name == meta.name)
    own = [item for item in findings if item.layer == meta.name]
    rows = [
        ("type", meta.type),
        ("filters", f"{meta.filters:,}"),
        ("parameters", f"{meta.parameters:,}"),
        ("positions per instance", " × ".join(str(n) for n in meta.spatial) or "1"),
        ("read after", meta.read_after or meta.name),
        ("made non-negative by", meta.rectifier),
        ("calls per pass", f"{record.calls:,}"),
        ("state", summary.stability.state),
        ("patches at this step", f"{record.patches:,}"),
        ("silent patches", f"{record.silent:,} ({100 * record.silent / max(1, record.patches):.1f} %)"),
        ("median perplexity", _median_perplexity(meta, record)),
    ]
    return html.Div(
        [
            html.H2(["Layer ", html.Span(meta.name)]),
            html.P(f"{run.info.name} · step {record.step:,}", className="subtitle"),
            facts(rows),
            html.H3("Findings"),
            *_details(own, "No rule found anything unusual."),
        ]
    )


def _details(findings: list[Finding], none: str) -> list[Any]:
    details: list[Any] = [finding_detail(item) for item in findings]
    return details or [html.P(none, className="quiet")]


def _median_perplexity(meta: LayerMeta, record: LayerRecord) -> str:
    counts = np.asarray(record.histogram, float)
    if counts.sum() == 0:
        return "undefined: every patch is silent"
    at = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    edges = meta.edges()
    return f"{edges[at]:.1f} to {edges[at + 1]:.1f} of {meta.filters:,} filters"


def _filter_card(
    run: Run, meta: LayerMeta, record: LayerRecord, records: list[LayerRecord], index: int, findings: list[Finding]
) -> html.Div:
    own = [item for item in findings if item.layer == meta.name and index in item.filters]
    stale = int(record.stale_steps[index])
    rows = [
        ("largest activation", f"{record.maximum[index]:.4g}"),
        ("mean over patches", f"{record.mean[index]:.4g}"),
        (f"frequency (beta {meta.beta:g})", f"{100 * record.frequency[index]:.1f} % of {record.patches:,} patches"),
        ("active on", f"{100 * record.active_share[index]:.1f} % of {record.patches:,} patches"),
        ("largest so far", f"{record.peak[index]:.4g}"),
        ("last strong response", "never active" if stale < 0 else f"{stale:,} steps ago"),
    ]
    return html.Div(
        [
            html.H2([f"{noun(meta, 1, capital=True)} ", html.Span(f"{index} of {meta.name}")]),
            html.P(f"{run.info.name} · step {record.step:,}", className="subtitle"),
            dcc.Graph(
                figure=history_figure(records, index), config={"displayModeBar": False}, style={"height": "150px"}
            ),
            facts(rows),
            html.H3("Labels it answers to"),
            _labels(run, record, index),
            html.H3(f"Most similar {noun(meta, 2)}"),
            _neighbours(meta, record, index),
            html.H3("Findings"),
            *_details(own, "No rule found anything unusual."),
        ]
    )


def history_figure(records: list[LayerRecord], index: int) -> dict[str, Any]:
    """Largest activation and frequency of one filter over the recorded steps."""
    steps = [int(record.step) for record in records]

    def line(values: list[float], y: str, colour: str, name: str, dash: str) -> dict[str, Any]:
        return {
            "type": "scatter",
            "mode": "lines",
            "x": steps,
            "y": [float(f"{v:.5g}") if np.isfinite(v) else None for v in values],
            "yaxis": y,
            "name": name,
            "line": {"color": colour, "width": 1.6, "dash": dash},
            "hovertemplate": f"{name}: %{{y:.4g}}<extra></extra>",
        }

    data_ = [
        line([float(r.maximum[index]) for r in records], "y", theme.CATEGORIES[0], "maximum", "solid"),
        line([100 * float(r.frequency[index]) for r in records], "y2", theme.CATEGORIES[5], "frequency, %", "dot"),
    ]
    return {
        "data": data_,
        "layout": theme.layout(
            xaxis=theme.axis("step", fixedrange=True),
            yaxis=theme.axis("", fixedrange=True, rangemode="tozero", nticks=4),
            yaxis2=theme.axis(
                "", overlaying="y", side="right", range=[0, 102], fixedrange=True, tickvals=[50, 100], showgrid=False
            ),
            showlegend=True,
            legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "font": {"size": 11}},
            hovermode="x",
            margin={"l": 34, "r": 34, "t": 24, "b": 32},
        ),
    }


def _labels(run: Run, record: LayerRecord, index: int) -> Any:
    total = float(record.tally_total[index]) if len(record.tally_total) else 0.0
    if not np.isfinite(total) or total <= 0:
        return html.P("No labels were given to the recorder, or it was never active.", className="quiet")
    given = run.probe_info().get("class_names")
    names = given if isinstance(given, list) else []
    bars = []
    for label, value in zip(record.top_labels[index][:5], record.top_tallies[index][:5], strict=True):
        if label < 0:
            continue
        share = 100 * float(value) / total
        name = str(names[label]) if label < len(names) else f"label {label}"
        bars.append(
            html.Div(
                [
                    html.Span(name, className="bar-name"),
                    html.Span(
                        html.Span(style={"width": f"{min(100.0, share):.1f}%"}, className="bar-fill"), className="bar"
                    ),
                    html.Span(f"{share:.0f} %", className="bar-value"),
                ],
                className="bar-row",
            )
        )
    spread = float(record.tally_perplexity[index])
    text = f"Share of its summed activation by label; perplexity {spread:.1f} (1 = one label only)."
    return html.Div([*bars, html.P(text, className="quiet")])


def _neighbours(meta: LayerMeta, record: LayerRecord, index: int) -> Any:
    items = []
    for other, phi in zip(record.neighbours[index][:5], record.similarity[index][:5], strict=True):
        if other < 0 or not np.isfinite(phi):
            continue
        place = json.dumps({"layer": meta.name, "filter": int(other)})
        items.append(
            html.Li(
                html.Button(
                    f"{noun(meta, 1)} {int(other)}: phi {float(phi):.3f}",
                    type="button",
                    className="link",
                    **attributes({"data-nav": place}),
                )
            )
        )
    return (
        html.Ul(items, className="plain")
        if items
        else html.P(f"No other {noun(meta, 1)} was active with it.", className="quiet")
    )
