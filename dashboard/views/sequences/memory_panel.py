"""Memory: how long states last, by unit and over all, and how far back a probe reads."""

from __future__ import annotations

from typing import Any

import dash
import numpy as np
from dash import Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.results import Answer
from dashboard import asking
from dashboard.views.sequences import data, memory_figures, word_parts
from dashboard.views.sequences.about_more import MEMORY
from dashboard.views.sequences.data import Frame
from dashboard.widgets import panel as parts
from dashboard.widgets.states import empty_figure

NAME = "sq-memory"
OUTPUTS = 10
FIGURES = (
    ("sq-memory-survival", "How long a state lasts", "Share of the state that is left, by steps"),
    ("sq-memory-units", "Half-life of each unit", "Number of units by half-life"),
    ("sq-memory-probe", "How far back a probe reads", "Score of a probe by steps before, against chance"),
)
CLEAR = 0.05  # by which a probe's accuracy, or R², has to be above chance to count
HIDDEN = {"display": "none"}


def panel() -> html.Section:
    """Three figures with a sentence each."""
    figures = [
        html.Div(
            [html.H3(title), parts.graph(name, 220, label), html.P(id=f"{name}-said", className="quiet")],
            className="sqm-third",
        )
        for name, title, label in FIGURES
    ]
    body = [
        dcc.Store(id="sq-memory-mark"),
        html.Div(html.P("Reading …", className="empty-line"), id="sq-memory-body"),
        html.Div(figures, id="sq-memory-figures", className="sqm-thirds", style=HIDDEN),
    ]
    return parts.panel(NAME, "Memory", body, about=MEMORY, picture=False, span=12)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    groups = ("view", "layer", "states", "filter", "sample", "checkpoint", "runs")
    app.callback(
        Output("sq-memory-mark", "data"),
        Output("sq-memory-subtitle", "children"),
        Output("sq-memory-body", "children"),
        Output("sq-memory-figures", "style"),
        *[Output(name, "figure") for name, *_ in FIGURES],
        Output("sq-memory-survival-said", "children"),
        Output("sq-memory-units-said", "children"),
        Output("sq-memory-probe-said", "children"),
        *[Input(f"sel-{name}", "data") for name in groups],
        Input("pulse-answers", "data"),
        State("sq-memory-mark", "data"),
        State("url", "data"),
    )(draw_memory)


def draw_memory(*given: Any) -> tuple[Any, ...]:
    """The three figures. given: as ``register`` lists them."""
    before, search = given[8], given[9]
    nothing = (no_update,) * OUTPUTS
    if not data.is_shown(search):
        return nothing
    try:
        shown = data.frame(search)
        answer = asking.ask(shown.selection, "sequence_memory", f"Memory of {shown.name}", **shown.source)
    except (asking.NotReady, CutawayError) as error:
        now = asking.mark_of(error)
        if now == before:
            return nothing
        blank = empty_figure("Nothing to show yet.")
        return now, "", asking.boxed(error, "Memory"), HIDDEN, blank, blank, blank, "", "", ""
    unit = word_parts.unit_of(shown)
    now = asking.mark(answer.key, unit)
    if now == before:
        return nothing
    said = answer.json
    life = np.asarray(answer.array("half_life"), np.float64)
    read = said["probe"]
    reader = memory_figures.probe(read) if read["lags"] else empty_figure(read["reason"])
    longest = said["lags"][-1] if said["lags"] else 0
    figures = (memory_figures.survival(said), memory_figures.half_lives(life, unit, longest), reader)
    return now, subtitle(shown, said), _note(shown), {}, *figures, lasting(said), by_unit(answer, unit), reading(read)


def subtitle(shown: Frame, said: dict[str, Any]) -> str:
    """'lstm, hidden state · 61 % kept per step · 1,000 sequences of up to 59 steps'."""
    share = "" if said["kept"] is None else f" · {100 * said['kept']:.0f} % kept per step"
    return f"{shown.name}{share} · {said['sequences']:,} sequences of up to {said['longest']:,} steps"


def _note(shown: Frame) -> Any:
    if shown.about["recurrent"]:
        return None
    text = f"{shown.layer} has no memory: what lasts here is in the input, or in what the layer sees at once."
    return html.P(text, className="sqm-notice")


def lasting(said: dict[str, Any]) -> str:
    """Half-life and share kept, in words."""
    kept = "" if said["kept"] is None else f" From one step to the next {100 * said['kept']:.1f} % is kept in the mean."
    if said["half_life"] is not None:
        return f"Half of a state is gone after {memory_figures.steps(said['half_life'])}.{kept}"
    if not said["lags"]:
        return "Sequences of one step tell nothing about what lasts."
    left = f"{100 * said['survival'][-1]:.0f} %"
    longest = f"{said['at_least']:,} steps, the longest these sequences tell of"
    return f"After {longest}, {left} of a state is still there.{kept}"


def by_unit(answer: Answer, unit: int | None) -> str:
    """The range of half-lives, and the units that last longest."""
    life = np.asarray(answer.array("half_life"), np.float64)
    known = np.where(np.isnan(life), -1.0, life)
    listed = [int(at) for at in np.argsort(-known, kind="stable")[:3] if known[at] >= 0]
    middle = float(np.median(life[~np.isnan(life)])) if listed else float("nan")
    median = "longer than these sequences tell" if np.isinf(middle) else memory_figures.steps(middle)
    text = f"Median {median}. Longest: {', '.join(f'unit {at} ({_life(life[at])})' for at in listed)}."
    silent = int(np.isnan(life).sum())
    if silent:
        text += f" {silent:,} {'unit is' if silent == 1 else 'units are'} always 0."
    if unit is not None and unit < len(life):
        text += f" Unit {unit}: {_life(life[unit])}."
    return text if listed else "All units are always 0."


def _life(value: float) -> str:
    if np.isnan(value):
        return "always 0"
    return "longer" if np.isinf(value) else memory_figures.steps(float(value))


def reading(said: dict[str, Any]) -> str:
    """How far back the probe is above chance, in words."""
    if said["reason"] or not said["lags"]:
        return str(said["reason"])
    pairs = list(zip(said["lags"], said["score"], said["chance"], strict=True))
    good = []
    for lag, score, chance in pairs:
        if score < chance + CLEAR:
            break
        good.append(lag)
    least = f"{100 * CLEAR:g} points of accuracy" if said["metric"] == "accuracy" else f"{CLEAR:g} in R²"
    what = f"A linear probe that reads from a state {said['what']} so many steps before"
    n = f"n = {said['n'][0]:,} steps of held-out instances at 0 steps"
    if not good:
        return f"{what} is not above chance at any distance ({n})."
    reach = (
        f"stays above chance by {least} up to {memory_figures.steps(good[-1])}"
        if good[-1]
        else "reads the step itself only"
    )
    if good[-1] == said["lags"][-1]:
        reach = f"is above chance at all distances up to {memory_figures.steps(good[-1])}"
    return f"{what} {reach} ({n}).{_beyond(said)}"


def _beyond(said: dict[str, Any]) -> str:
    """How far back it tells more than the step's own input, which needs no memory; '' where that is not known."""
    rows = zip(said["lags"], said["score"], said["chance"], said.get("input", []), strict=False)
    far = [lag for lag, score, chance, own in rows if lag and score >= max(chance, own) + CLEAR]
    if len(said["lags"]) < 2 or not said.get("input"):
        return ""
    if not far:
        return " The step's own input tells as much of earlier steps, without a memory."
    return f" It tells more than the step's own input, farthest at {memory_figures.steps(far[-1])}."
