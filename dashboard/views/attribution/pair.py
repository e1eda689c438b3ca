"""Explanations side by side on one scale, such as one before and after a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from dash import dcc, html

from analysis.errors import NotFound
from analysis.results import Answer
from dashboard import theme
from dashboard.views.attribution import data, figures, forms, maps_data
from dashboard.views.attribution.maps_data import Scale
from dashboard.widgets.attributes import attributes

MOST_ROWS = 15  # bars of a table
MOST_TOKENS = 200


def common(shown: data.Frame, answers: Sequence[Answer]) -> list[Scale]:
    """A scale for each answer, all to the largest of their limits. Raises NotFound for an answer that is gone."""
    look = shown.selection
    made = [
        maps_data.scale_of(maps_data.array(one, "attribution"), one.json, look.asign, look.aclip, shown.kind)
        for one in answers
    ]
    limit = max((scale.limit for scale in made), default=1.0)
    return [
        replace(scale, limit=limit, common=len(made) > 1, clipped=int((np.abs(scale.drawn) > limit).sum()))
        for scale in made
    ]


def side_by_side(shown: data.Frame, named: Sequence[tuple[str, Answer]], prefix: str, scheme: str) -> list[Any]:
    """Each explanation below its name, and one legend. prefix: of the ids of figures. If one is gone, it says so."""
    try:
        scales = common(shown, [answer for _, answer in named])
        cells = [
            html.Div(
                [
                    html.H3(name),
                    drawn(shown, answer, scale, f"{prefix}-{at}", scheme, len(named), scales[0] if at else None),
                ],
                className="at-side",
            )
            for at, ((name, answer), scale) in enumerate(zip(named, scales, strict=True))
        ]
    except NotFound as error:
        return [html.P(f"{error.message} {error.remedy}", className="quiet")]
    seen: dict[str, Any] = {"--at-opacity": f"{shown.selection.aopacity:g}"}
    return [html.Div(cells, className="at-pair", style=seen), forms.legend(scales[0], shown.kind)] if cells else []


def drawn(
    shown: data.Frame, answer: Answer, scale: Scale, name: str, scheme: str, count: int = 1, like: Scale | None = None
) -> Any:
    """One explanation of the input in the form of its kind. name: id of its figure, if it is one. count: figures in the
    same response. like: gives rows of a table their order. Raises NotFound for an answer that is gone."""
    values = maps_data.array(answer, "attribution")
    title = shown.method(str(answer.json["method"]))["title"]
    display = maps_data.optional(answer, "display")
    if shown.kind == "text":
        tokens = [str(token) for token in answer.json.get("tokens") or []]
        return forms.text(tokens, values, scale, maps_data.optional(answer, "spread"), MOST_TOKENS)
    if display is None:
        raise NotFound("The instance of this answer is gone.", "Reload the page: it is computed again.")
    if shown.kind == "image":
        said = f"{title} of instance {shown.instance:,}"
        size = (display.shape[0], display.shape[1])
        return forms.picture(answer.key, scale, size, shown.selection, said, rate=data_rate(shown))
    if shown.kind == "series":
        names = maps_data.names_of(shown, len(display), "channel")
        figure, height, note = figures.series(
            display, scale.drawn, scale, names=names, rate=data_rate(shown), scheme=scheme, multiples=count
        )
        return _graph(name, figure, height, f"{title}, the signal on its attribution", note)
    names = maps_data.names_of(shown, len(display), "column")
    cells = [f"{float(value):.4g}" for value in display]
    spread = maps_data.optional(answer, "spread")
    rows = forms.rows_of(names, cells, values, scale, spread, MOST_ROWS if like is None else len(names))
    if like is not None:
        place = {row.name: at for at, row in enumerate(like_rows(names, like))}
        rows = sorted(rows, key=lambda row: place.get(row.name, len(place)))[:MOST_ROWS]
    return forms.bars(rows, scale, len(names) - len(rows), "columns")


def like_rows(names: Sequence[str], like: Scale) -> list[forms.Row]:
    """All rows in the order of a scale."""
    return forms.rows_of(names, [], like.drawn.ravel(), like, None, len(names))


def data_rate(shown: data.Frame) -> float | None:
    """Steps a second, where the subject says it."""
    rate = shown.description.get("sampling_rate")
    return float(rate) if rate else None


def _graph(name: str, figure: dict[str, Any], height: int, label: str, note: str) -> html.Div:
    graph = dcc.Graph(id=name, figure=figure, config=theme.config(name), responsive=True, style={"height": "100%"})
    box = html.Div(
        graph, className="graph", style={"height": f"{height}px"}, role="figure", **attributes({"aria-label": label})
    )
    return html.Div([box, html.P(note, className="quiet") if note else None])
