"""Scores and calibration: how sure the model is where it is right and where it is wrong."""

from __future__ import annotations

import json
import math
from typing import Any

import dash
import numpy as np
from dash import Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from dashboard import asking
from dashboard.views.instances import data, scores_data, scores_figures, subset_data
from dashboard.views.instances.about_scores import SCORES
from dashboard.views.instances.data import Picked
from dashboard.views.instances.scores_data import Scores
from dashboard.views.instances.subset_parts import percent
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.choosing import segmented

NAME = "in-scores"
OUTPUTS = 9
HEIGHT = 280


def panel() -> html.Section:
    """The panel; its figures come from ``draw_scores``."""
    figures = html.Div(
        [
            parts.graph(
                "in-scores-histograms", HEIGHT, "Histograms of the confidence of right and of wrong predictions"
            ),
            parts.graph("in-scores-reliability", HEIGHT, "Reliability diagram: accuracy by confidence"),
        ],
        id="in-scores-figures",
        className="in-figures",
        hidden=True,
    )
    return parts.panel(
        NAME,
        "Scores and calibration",
        [
            dcc.Store(id="in-scores-mark"),
            html.Div(id="in-scores-state"),
            figures,
            html.Div(id="in-scores-words"),
            html.Details(
                [html.Summary("The bins as a table"), html.Div(id="in-scores-bins")],
                id="in-scores-table",
                className="in-details",
                hidden=True,
            ),
        ],
        about=SCORES,
        controls=[segmented("in-scores-how", "Bins of equal", (("width", "width"), ("mass", "size")), "width")],
        picture=True,
        span=6,
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("in-scores-mark", "data"),
        Output("in-scores-subtitle", "children"),
        Output("in-scores-state", "children"),
        Output("in-scores-figures", "hidden"),
        Output("in-scores-histograms", "figure"),
        Output("in-scores-reliability", "figure"),
        Output("in-scores-words", "children"),
        Output("in-scores-bins", "children"),
        Output("in-scores-table", "hidden"),
        *[Input(f"sel-{name}", "data") for name in data.LISTENED],
        Input(data.BOOK, "data"),
        Input("in-scores-how", "value"),
        Input("pulse-answers", "data"),
        State("in-scores-mark", "data"),
        State("url", "data"),
    )(draw_scores)


def draw_scores(*given: Any) -> tuple[Any, ...]:
    """Figures and what they say in words. given: as ``register`` lists them."""
    how, before, search = given[-4], given[-2], given[-1]
    if not data.is_shown(search):
        return (no_update,) * OUTPUTS
    how = "mass" if how == "mass" else "width"
    try:
        found = data.picked(search)
        now = asking.mark(found.key, how)
        if now == before:
            return (no_update,) * OUTPUTS
        made = scores_data.scores(found, how)
    except (asking.NotReady, CutawayError) as error:
        now = asking.mark_of(error)
        nothing = (now, "", asking.boxed(error, "The scores"), True, no_update, no_update, None, None, True)
        return (no_update,) * OUTPUTS if now == before else nothing
    line = f"{found.count} · {data.cut(found.title, 60)}"
    if made is None:
        unlabelled = "None of these instances has a label: there is nothing to compare scores with."
        why = unlabelled if len(found.rows) else "The subset has no instances."
        state = html.P(why, className="empty-line")
        return now, line, state, True, no_update, no_update, None, None, True
    return (
        now,
        line + (f" · {made.left:,} without a label or a score left out" if made.left else ""),
        None,
        False,
        scores_figures.histograms(made),
        scores_figures.reliability(made),
        words(made, subset_data.by_outcome(found.text)),
        table(found, made),
        False,
    )


def words(made: Scores, chosen: bool = False) -> html.Div:
    """The figures in sentences. chosen: whether the subset was chosen by whether answers are right."""
    error = made.error
    clear = error.value > error.perfect
    verdict = (
        "more than chance explains in a calibrated model"
        if clear
        else "no more than chance explains in a calibrated model"
    )
    lines = [
        f"Expected calibration error {percent(error.value)} ({percent(error.low)} to {percent(error.high)}, n = "
        f"{error.n:,}, {error.bins} bins): {verdict} (up to {percent(error.perfect)} in 95 % of samples).",
        _average(made),
    ]
    wrong = int(made.wrong.sum())
    if wrong:
        lines.append(_sure(made, wrong))
    if math.isfinite(made.brier):
        lines.append(f"Brier score {made.brier:.3f} (0 is best, 2 is worst).")
    if chosen:
        lines.insert(0, "The subset was chosen by whether answers are right: this says nothing of the calibration.")
    return html.Div([html.P(line) for line in lines], className="in-words")


def _average(made: Scores) -> str:
    gap = 100 * (made.mean - made.accuracy)
    text = f"The mean confidence is {percent(made.mean)}, the accuracy {percent(made.accuracy)}"
    if abs(gap) < 0.05:
        return f"{text}."
    return f"{text}: the model is {abs(gap):.1f} points {'more' if gap > 0 else 'less'} sure than right."


def _sure(made: Scores, wrong: int) -> str:
    start = len(made.edges) - 4  # the last bins of 0.04 each
    sure = int(made.wrong[start:].sum())
    return f"{sure:,} of {wrong:,} wrong predictions have a confidence above {made.edges[start]:.2f}."


def table(found: Picked, made: Scores) -> html.Table:
    """The bins of the reliability diagram; each opens its instances."""
    bins = made.reliability
    rows = []
    for at in np.flatnonzero(bins.counts).tolist():
        low, high = float(bins.edges[at]), float(bins.edges[at + 1])
        text = scores_data.subset_of(found.text, low, high, at == 0, made.left > 0)
        said = f"confidence {low:.3g} to {high:.3g}"
        nav = {"data-nav": json.dumps({"subset": text}), "aria-label": f"Show the instances with {said}"}
        cells = [
            html.Td(html.Button(f"{low:.3g} to {high:.3g}", type="button", className="link", **attributes(nav))),
            html.Td(f"{int(bins.counts[at]):,}", className="num"),
            html.Td(f"{bins.confidence[at]:.3f}", className="num"),
            html.Td(percent(float(bins.accuracy[at])), className="num"),
            html.Td(f"{100 * bins.low[at]:.1f} to {100 * bins.high[at]:.1f} %", className="num"),
        ]
        rows.append(html.Tr(cells))
    heads = ("Confidence", "Instances", "Mean confidence", "Accuracy", "95 % interval")
    head = html.Thead(
        html.Tr([html.Th(text, scope="col", className="num" if at else "") for at, text in enumerate(heads)])
    )
    return html.Table([head, html.Tbody(rows)], className="by-class in-bins")
