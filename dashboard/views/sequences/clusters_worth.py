"""What co-clusters are worth, in words and numbers: beside two baselines, and over other starts."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard.wording import finite

MEASURES = (
    ("explained", "share of the variance of the responses that lies between clusters"),
    ("modularity", "modularity: weight within clusters beyond what chance puts there"),
    ("class_ari", "agreement of word clusters with the classes that words go with (ARI)"),
)
BASELINES = (("shuffled", "shuffled responses"), ("untrained", "untrained weights"))
CLEAR = 0.02  # by which a score has to be above a baseline's to count as better
STEADY = 0.5  # adjusted Rand index of other starts below which clusters are called unsteady


def worth(said: dict[str, Any]) -> html.Div:
    """The answer of ``sequence_clusters`` judged: a sentence each, and the numbers in a table."""
    return html.Div(
        [
            html.H3("What these clusters are worth"),
            html.Div([html.P(text, className=name) for name, text in sentences(said)], className="sq-worth-said"),
            table(said),
        ],
        className="sq-worth",
    )


def sentences(said: dict[str, Any]) -> list[tuple[str, str]]:
    """(class name, sentence); warnings have the class 'sq-warning' and come first."""
    found = [("sq-warning", text) for text in warnings(said)]
    score, stability = said["score"], said["stability"]
    explained = f"They explain {percent(score['explained'])} of the variance of the responses"
    beside = [f"{percent(base)} for {name}" for name, base in _bases(said, "explained")]
    found.append(("", explained + (f", beside {' and '.join(beside)}." if beside else ".")))
    if score["class_ari"] is None:
        found.append(("", "Agreement with classes is not given: words do not go with two classes or more clearly."))
    seeds = int(stability["seeds"])
    agreement = f"{_cell(stability['ari'])} on average, {_cell(stability['lowest'])} at the lowest"
    found.append(("", f"{seeds} other starts agree with them by an ARI of {agreement} (1: the same clusters)."))
    reason = said["baselines"]["untrained"].get("reason")
    if reason:
        found.append(("quiet", f"There is no untrained model to compare with: {reason}"))
    return found


def warnings(said: dict[str, Any]) -> list[str]:
    """What speaks against these clusters; [] if nothing does."""
    found = []
    for key, name in BASELINES:
        worse = []
        for measure, text in MEASURES:
            own, base = said["score"][measure], said["baselines"][key].get(measure)
            if own is not None and base is not None and own - base < CLEAR:
                worse.append(f"{_short(text)} ({_figure(own)} beside {_figure(base)})")
        if worse:
            why = (
                "the method finds about as much where there is nothing"
                if key == "shuffled"
                else "this is not what training brought about"
            )
            found.append(f"Hardly better than with {name}, or not at all, in {' and '.join(worse)}: {why}.")
    if said["stability"]["ari"] is not None and said["stability"]["ari"] < STEADY:
        found.append("Other starts give quite other clusters: do not read much into any one of them.")
    return found


def table(said: dict[str, Any]) -> html.Table:
    """Three measures, of these clusters and of both baselines."""
    head = html.Tr([html.Th("measure", scope="col"), html.Th("these", scope="col", className="num")])
    head.children += [html.Th(name, scope="col", className="num") for _, name in BASELINES]
    rows = []
    for measure, text in MEASURES:
        cells = [said["score"][measure], *(said["baselines"][key].get(measure) for key, _ in BASELINES)]
        values = [html.Td(_cell(value), className="num") for value in cells]
        rows.append(html.Tr([html.Th(_short(text), scope="row", title=text), *values]))
    return html.Table([html.Thead(head), html.Tbody(rows)], className="sq-table")


def percent(value: float | None) -> str:
    """'31 %'; 'undefined' where all responses are the same."""
    return "undefined" if value is None else f"{100 * value:.0f} %" if value >= 0.01 else f"{100 * value:.1f} %"


def _bases(said: dict[str, Any], measure: str) -> list[tuple[str, float]]:
    pairs = [(name, said["baselines"][key].get(measure)) for key, name in BASELINES]
    return [(name, value) for name, value in pairs if value is not None]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def _figure(value: float) -> str:
    """Two decimals, of small numbers two digits: '0.00 beside 0.00' compares nothing."""
    return _cell(value) if abs(value) >= 0.1 or value == 0 else finite(value, 2).replace("-", "−")


SHORT = ("variance explained", "modularity", "agreement with classes (ARI)")


def _short(text: str) -> str:
    return dict(zip((text for _, text in MEASURES), SHORT, strict=True))[text]
