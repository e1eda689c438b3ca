"""What attributions over many instances are shown as: averages, what leads, clusters and outliers."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from dash import dcc, html
from numpy.typing import NDArray

from analysis.results import Answer
from dashboard import theme
from dashboard.pictures import draw
from dashboard.views.attribution import data, maps_data, thumbs, words
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark
from dashboard.wording import finite

MOST_ROWS = 20
MOST_SIDE = 128  # pixels of a mean picture's longer side
MOST_LISTED = 12  # instances of a cluster, outliers


def content(shown: data.Frame, answer: Answer, scheme: str) -> list[Any]:
    """The averages, then what is unlike the others."""
    said = answer.json
    parts: list[Any] = []
    if said.get("concentration"):
        parts.append(html.P(sentence(said), className="headline"))
    draws = {"image": picture, "series": signal, "table": columns, "text": tokens}
    parts.append(draws[shown.kind](shown, answer, scheme))
    if said.get("skipped"):
        parts.append(
            html.P(f"{len(said['skipped']):,} instances could not be explained and are left out.", className="quiet")
        )
    return [*parts, *clusters(shown, said), *outliers(shown, said)]


def sentence(said: Mapping[str, Any]) -> str:
    """The finding about where attribution lies, as the answer words it."""
    found = said["concentration"]
    return str(found.get("sentence", "")) if isinstance(found, dict) else str(found)


def picture(_shown: data.Frame, answer: Answer, scheme: str) -> Any:
    """The mean size for each pixel, and the share of each region."""
    values = maps_data.optional(answer, "mean_absolute")
    if values is None or values.ndim != 2:
        return html.P("Pictures of several sizes have no mean picture.", className="quiet")
    top = float(np.nanmax(values)) if values.size else 0.0
    source = "data:image/png;base64," + b64encode(draw.png(heat(values, top, scheme))).decode()
    label = f"Mean share of the attribution over {answer.json['n']:,} instances"
    mean = [
        html.H3("Mean share by pixel"),
        html.Img(src=source, alt=label, className="at-mean-picture"),
        ramp(0.0, top, "mean share of the attribution"),
    ]
    return html.Div([html.Div(mean), html.Div(_regions(maps_data.optional(answer, "regions")))], className="at-average")


def heat(values: NDArray[Any], top: float, scheme: str) -> NDArray[np.uint8]:
    """Values (H, W) as colours, low near the background. At most MOST_SIDE pixels along the longer side."""
    small = draw.reduced(np.nan_to_num(np.asarray(values, np.float64))[None], MOST_SIDE)[0]
    stops = np.array([list(bytes.fromhex(stop[1][1:])) for stop in theme.sequential(scheme)], float)
    place = np.clip(small / (top or 1.0), 0, 1) * (len(stops) - 1)
    colours = np.stack([np.interp(place, np.arange(len(stops)), stops[:, i]) for i in range(3)], -1)
    return draw.enlarged(np.rint(colours).astype(np.uint8), 224)


def ramp(low: float, high: float, text: str) -> html.Div:
    """A legend with its ends."""
    ends = [html.Span(finite(low, 3)), html.Span(text, className="at-quantity"), html.Span(finite(high, 3))]
    return html.Div([html.Div(className="ramp"), html.Div(ends, className="ramp-ends")], className="at-legend")


def _regions(shares: NDArray[Any] | None) -> list[Any]:
    if shares is None or shares.ndim != 2:
        return []
    rows = [
        html.Tr(
            [
                html.Td(f"{100 * float(value):.1f} %", className="num", style=_tint(float(value), shares))
                for value in line
            ]
        )
        for line in shares
    ]
    even = 100 / shares.size
    return [
        html.H3("Share of each region"),
        html.Table(html.Tbody(rows), className="at-matrix"),
        html.P(f"Spread evenly, each would have {even:.1f} %.", className="quiet"),
    ]


def _tint(value: float, shares: NDArray[Any]) -> dict[str, str]:
    top = float(np.nanmax(shares)) or 1.0
    red, green, blue = bytes.fromhex(theme.RAISES[1:])
    return {"background": f"rgba({red},{green},{blue},{0.5 * value / top:.2f})"}


def signal(shown: data.Frame, answer: Answer, scheme: str) -> Any:
    """The mean size for each channel along time."""
    values = maps_data.optional(answer, "mean_absolute")
    if values is None or values.ndim != 2:
        return html.P("There is no mean over time.", className="quiet")
    axis = answer.json.get("axis") or {}
    joined = len(values) == 1 and not answer.json.get("channels")  # the maps do not tell channels apart
    names = ["all channels"] if joined else maps_data.names_of(shown, len(values), "channel")
    what = "time" if joined else "channel and time"
    ends = [float(end) for end in axis.get("ends") or (0, values.shape[1])]
    edges = np.linspace(ends[0], ends[1], values.shape[1] + 1)
    trace = {
        "type": "heatmap",
        "z": [[float(f"{value:.4g}") if np.isfinite(value) else None for value in line] for line in values],
        "x": [float(f"{edge:.5g}") for edge in edges],
        "y": list(range(len(names))),
        "colorscale": theme.sequential(scheme),
        "zmin": 0,
        "colorbar": {"title": {"text": "mean share", "side": "right"}, "thickness": 10, "outlinewidth": 0},
        "text": [[theme.plain(name)] * values.shape[1] for name in names],
        "hovertemplate": "%{text}, %{x}: %{z:.3g}<extra></extra>",
    }
    layout = theme.layout(
        xaxis=theme.axis(str(axis.get("name") or "position"), showgrid=False),
        yaxis=theme.axis(
            tickvals=list(range(len(names))), ticktext=[theme.plain(name, 18) for name in names], showgrid=False
        )
        | {"autorange": "reversed"},
    )
    figure = {"data": [trace], "layout": layout}
    graph = dcc.Graph(
        id="at-subset-figure",
        figure=figure,
        config=theme.config("at-subset"),
        responsive=True,
        style={"height": "100%"},
    )
    label = f"Mean share of the attribution by {what} over {answer.json['n']:,} instances"
    height = min(420, 110 + 34 * len(names))
    box = html.Div(
        graph, className="graph", style={"height": f"{height}px"}, role="figure", **attributes({"aria-label": label})
    )
    return html.Div([html.H3(f"Mean share by {what}"), box])


def columns(shown: data.Frame, answer: Answer, _scheme: str) -> Any:
    """The columns with the largest mean size."""
    sizes, means = maps_data.optional(answer, "mean_absolute"), maps_data.optional(answer, "mean")
    if sizes is None:
        return None
    names = maps_data.names_of(shown, len(sizes), "column")
    order = np.argsort(-np.nan_to_num(sizes), kind="stable")[:MOST_ROWS].tolist()
    rows = [(names[at], float(sizes[at]), None if means is None else float(means[at]), "") for at in order]
    left = len(sizes) - len(rows)
    return _bars("Column", "Mean share", rows, f"{left:,} more columns with smaller values." if left > 0 else "")


def tokens(_shown: data.Frame, answer: Answer, _scheme: str) -> Any:
    """The tokens with the largest mean size."""
    listed = list(answer.json.get("tokens") or [])[:MOST_ROWS]
    if not listed:
        return html.P("No token occurs in enough instances.", className="quiet")
    rows = [
        (
            str(one["token"]),
            float(one["mean_absolute"]),
            float(one["mean"]),
            f"{int(one['count'])} in {int(one['instances'])}",
        )
        for one in listed
    ]
    return _bars("Token", "Mean size, 1: an average token's", rows, "", "Occurs, in instances")


def _bars(
    word: str, quantity: str, rows: Sequence[tuple[str, float, float | None, str]], note: str, extra: str = ""
) -> html.Div:
    """A row each: name, bar of the mean size, its value, the mean with sign."""
    top = max((size for _, size, _, _ in rows), default=1.0) or 1.0
    body = [
        html.Tr(
            [
                html.Th(name, scope="row"),
                html.Td(
                    html.Span(
                        html.Span(style={"width": f"{100 * size / top:.1f}%"}, className="bar-fill"), className="bar"
                    )
                ),
                html.Td(finite(size, 3)),
                html.Td("" if mean is None else words.signed(mean)),
                *([html.Td(more)] if extra else []),
            ]
        )
        for name, size, mean, more in rows
    ]
    heads = (word, "", quantity, "With sign", *([extra] if extra else []))
    head = html.Tr([html.Th(text, scope="col") if text else html.Td() for text in heads])
    table = html.Table([html.Thead(head), html.Tbody(body)], className="map-table at-bars-table")
    return html.Div([table, html.P(note, className="quiet") if note else None])


def clusters(shown: data.Frame, said: Mapping[str, Any]) -> list[Any]:
    """Groups of explanations alike, or that there are none."""
    listed = list(said.get("clusters") or [])
    parts: list[Any] = [html.H3("Groups of explanations")]
    if len(listed) < 2:
        return [*parts, html.P("No clusters: the explanations are of one kind.", className="quiet")]
    for one in listed:
        labels = ", ".join(f"{_label(shown, name)}: {count}" for name, count in (one.get("labels") or {}).items())
        parts.append(
            html.Div(
                [
                    html.P(
                        [html.Strong(f"{int(one['size']):,} instances"), f"; by label {labels}." if labels else "."]
                    ),
                    html.P(str(one.get("differs") or ""), className="quiet") if one.get("differs") else None,
                    cards(shown, [int(index) for index in one.get("instances") or []]),
                ],
                className="at-cluster",
            )
        )
    if said.get("silhouette") is not None:
        parts.append(
            html.P(f"Silhouette {finite(said['silhouette'], 2)} (1: far apart, 0: not apart).", className="quiet")
        )
    return parts


def _label(shown: data.Frame, name: str) -> str:
    return shown.class_name(int(name)) if name.lstrip("-").isdigit() else name


def outliers(shown: data.Frame, said: Mapping[str, Any]) -> list[Any]:
    """Explanations unlike the others, each with its reason."""
    listed = list(said.get("outliers") or [])[:MOST_LISTED]
    parts: list[Any] = [html.H3("Unusual explanations")]
    if not listed:
        return [*parts, html.P("None stands out.", className="quiet")]
    indices = [int(one["instance"]) for one in listed]
    notes = [str(one.get("why") or f"score {finite(one.get('score'), 2)}") for one in listed]
    return [*parts, cards(shown, indices, notes)]


def class_line(shown: data.Frame, label: int) -> html.Span:
    """The class on a card; it may be cut there, its title is not."""
    name = shown.class_name(label)
    return html.Span([class_mark(label), name], className="at-card-class", title=name)


def cards(shown: data.Frame, indices: Sequence[int], notes: Sequence[str] = ()) -> Any:
    """Instances as small pictures that lead to them."""
    if shown.extraction is None or not indices:
        return None
    indices = list(indices)[:MOST_LISTED]
    pictures = thumbs.thumbs(shown.extraction, indices, shown.description.get("feature_names") or ())
    items = []
    for place, (index, thumb) in enumerate(zip(indices, pictures, strict=True)):
        row = shown.extraction.row_of(index)
        label = int(shown.extraction.labels[row]) if row is not None else -1
        nav = attributes({"data-nav": json.dumps({"instances": str(index)}), "aria-label": f"Instance {index}"})
        items.append(
            html.Li(
                [
                    html.Button(
                        [thumb, html.Span(f"#{index}", className="at-card-number")],
                        type="button",
                        className="at-card",
                        **nav,
                    ),
                    class_line(shown, label),
                    html.Span(notes[place], className="quiet") if notes else None,
                ]
            )
        )
    return html.Ul(items, className=f"at-cards {shown.kind}")
