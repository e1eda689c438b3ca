"""What the Training view is made of; its numbers come from callbacks."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from dashboard.views.training.about import ABOUT
from dashboard.widgets.attributes import attributes
from dashboard.widgets.icons import icon
from dashboard.widgets.panel import graph, panel


def layout() -> list[Any]:
    """The panels on the twelve-column grid, in reading order."""
    return [
        html.H1("Training", className="visually-hidden"),
        *_stores(),
        html.Div(id="training-notice"),
        html.Div(
            [
                _curves(),
                _health(),
                _frame_bar(),
                _perplexity(),
                _heatmap(),
                _stability(),
            ],
            id="training-grid",
            className="grid",
        ),
    ]


def _stores() -> list[Any]:
    return [
        dcc.Store(id="curves-cursors"),
        dcc.Store(id="curves-delta"),
        dcc.Store(id="curves-stale"),
        dcc.Store(id="heatmap-layer"),
        dcc.Store(id="frame-steps"),
        dcc.Store(id="frame"),
        dcc.Interval(id="play-tick", interval=700, disabled=True),
    ]


def _segmented(name: str, label: str, options: list[tuple[str, str]], value: str) -> html.Div:
    return html.Div(
        [
            html.Span(label, className="control-label", id=f"{name}-label"),
            dmc.SegmentedControl(
                id=f"ctl-{name}",
                data=[{"value": key, "label": text} for key, text in options],
                value=value,
                size="xs",
                **attributes({"aria-labelledby": f"{name}-label"}),
            ),
        ],
        className="control",
    )


def _curves() -> html.Section:
    controls = [
        html.Div(
            [
                html.Span("Metrics", className="control-label"),
                dmc.MultiSelect(
                    id="ctl-tag",
                    data=[],
                    value=[],
                    size="xs",
                    searchable=True,
                    clearable=True,
                    placeholder="loss and accuracy",
                    maxValues=6,
                    w=190,
                    **attributes({"aria-label": "Metrics"}),
                ),
            ],
            className="control",
        ),
        _segmented("axis", "x", [("step", "step"), ("epoch", "epoch"), ("wall", "time")], "step"),
        _segmented("scale", "y", [("linear", "linear"), ("log", "log")], "linear"),
        html.Div(
            [
                html.Span("Smoothing", className="control-label"),
                dmc.Slider(
                    id="ctl-smooth",
                    min=0,
                    max=0.99,
                    step=0.01,
                    value=0.6,
                    size="xs",
                    w=90,
                    updatemode="mouseup",
                    thumbLabel="Smoothing weight",
                ),
            ],
            className="control",
        ),
    ]
    return panel(
        "curves",
        "Training curves",
        [
            graph("curves", 430, "Training curves: metric against step, one row per metric"),
            html.Div("Point at the curves for values.", id="curves-readout", className="readout"),
            html.Div(id="curves-note", className="quiet"),
        ],
        about=ABOUT["curves"],
        controls=controls,
        exports=[("All points (CSV)", "curves-csv")],
        span=6,
    )


def _health() -> html.Section:
    return panel(
        "health",
        "Health",
        [html.Div(id="health-body", className="scroll")],
        about=ABOUT["health"],
        picture=False,
        span=6,
    )


def _frame_bar() -> html.Div:
    return html.Div(
        [
            html.Div(
                [
                    html.Button(
                        icon("play"),
                        id="play",
                        className="bar-button",
                        **attributes({"aria-label": "Play the records", "type": "button"}),
                    ),
                    html.Span("Step", className="control-label"),
                    html.Div(
                        dmc.Slider(
                            id="ctl-frame",
                            min=0,
                            max=1,
                            value=0,
                            step=1,
                            size="sm",
                            label=None,
                            updatemode="drag",
                            thumbLabel="Recorded step",
                        ),
                        className="frame-slider",
                    ),
                    html.Span("", id="frame-text", className="frame-text"),
                ],
                className="frame-left",
            ),
            html.Div(
                [
                    html.Span("Change since", className="control-label"),
                    dmc.Select(
                        id="ctl-base",
                        data=[
                            {"value": "first", "label": "first record"},
                            {"value": "previous", "label": "record before"},
                        ],
                        value="first",
                        allowDeselect=False,
                        size="xs",
                        w=150,
                        searchable=True,
                        **attributes({"aria-label": "Baseline of the change"}),
                    ),
                ],
                className="control",
            ),
        ],
        id="frame-bar",
        className="frame-bar",
        role="group",
        **attributes({"aria-label": "Step shown by histograms and filters"}),
    )


def _perplexity() -> html.Section:
    return panel(
        "perplexity",
        "Perplexity histograms",
        [
            graph("perplexity", 300, "Histogram of perplexity per layer, and its change since the baseline"),
            html.Div(
                dmc.Pagination(id="ctl-page", total=1, value=1, size="xs", hideWithOnePage=True), className="pager"
            ),
        ],
        about=ABOUT["perplexity"],
        exports=[("Histograms at this step (CSV)", "perplexity-csv")],
        span=12,
    )


def _heatmap() -> html.Section:
    modes = [("maximum", "maximum"), ("frequency", "frequency"), ("staleness", "staleness")]
    return panel(
        "heatmap",
        "Filter activation",
        [graph("heatmap", 360, "One cell per filter of the selected layer"), html.Div(id="heatmap-note")],
        about=ABOUT["heatmap"],
        controls=[
            _segmented("mode", "Show", modes, "maximum"),
            _segmented("sort", "Order", [("index", "index"), ("value", "value")], "index"),
        ],
        exports=[("Filters at this step (CSV)", "heatmap-csv")],
        span=6,
    )


def _stability() -> html.Section:
    return panel(
        "stability",
        "Layer stability",
        [graph("stability", 300, "Total-variation distance between successive histograms, one row per layer")],
        about=ABOUT["stability"],
        controls=[
            html.Div(
                [
                    html.Span("Settled below", className="control-label"),
                    dmc.NumberInput(
                        id="ctl-limit",
                        min=0.005,
                        max=1,
                        step=0.01,
                        value=0.1,
                        decimalScale=3,
                        size="xs",
                        w=80,
                        debounce=500,
                        hideControls=True,
                        **attributes({"aria-label": "Total-variation distance under which a layer counts as settled"}),
                    ),
                ],
                className="control",
            )
        ],
        span=6,
    )
