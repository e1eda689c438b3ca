"""One small multiple: a method's heading, its attribution in the form of the instance, its scale, what to know."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from dash import dcc, html
from numpy.typing import NDArray

from analysis.errors import NotFound
from dashboard import theme
from dashboard.views.attribution import data, figures, forms, words
from dashboard.views.attribution.maps_data import Multiple, Scale, array, names_of, optional
from dashboard.widgets.attributes import attributes

CELLS = 900  # tokens and bars of one response, all multiples together


@dataclass(frozen=True)
class Sheet:
    """What all multiples share: the instance, how many they are, the theme."""

    shown: data.Frame
    display: NDArray[Any] | None
    tokens: list[str]
    count: int
    scheme: str


def heading(shown: data.Frame, each: Multiple) -> html.Div:
    """The method's name, which chooses it as the one looked at closely."""
    chosen = shown.selection.method == each.name
    nav = {"data-nav": json.dumps({"method": each.name}), "aria-pressed": "true" if chosen else "false"}
    button = html.Button(each.title, type="button", className="link at-title", **attributes(nav))
    notes = []
    if each.partial and each.answer is not None:
        notes.append(html.Span(f"so far: {words.sampled(each.said) or 'a part'}", className="badge at-partial"))
    if chosen:
        notes.append(html.Span("looked at closely", className="badge"))
    return html.Div([html.H3(button), *notes], className="at-heading")


def multiple(sheet: Sheet, each: Multiple, scale: Scale | None) -> html.Article:
    """The whole of it; while there is no answer, what it waits for."""
    parts: list[Any] = [heading(sheet.shown, each)]
    if each.answer is None or scale is None:
        parts.append(each.box or html.P("This answer is gone. Reload the page.", className="quiet"))
    else:
        try:
            parts += [_body(sheet, each, scale), *_facts(sheet, each, scale)]
        except NotFound as error:
            parts.append(html.P(f"{error.message} {error.remedy}", className="damage"))
        if each.obstacle is not None:
            parts.append(html.Div(each.box, className="at-more"))
    name = "at-multiple chosen" if sheet.shown.selection.method == each.name else "at-multiple"
    return html.Article(parts, className=name, **attributes({"data-method": each.name, "aria-label": each.title}))


def _facts(sheet: Sheet, each: Multiple, scale: Scale) -> list[Any]:
    """The scale with its ends, the range of the values, whether they add up, their uncertainty, notes."""
    said = each.said
    values = each.values[np.isfinite(each.values)]
    parts: list[Any] = []
    form = {"input": sheet.shown.kind, "attention": "attention"}.get(each.form, "bars")
    parts.append(forms.legend(scale, form))
    lines = []
    if values.size:
        lines.append(f"Values {words.number(float(values.min()))} to {words.number(float(values.max()))}.")
    if values.size and not values.any():
        lines.append("All values are 0: nothing in the instance changes what is explained.")
    claims = said.get("complete") or each.form == "attention"
    lines.append(words.adds_up(said) or ("" if claims else "It does not claim to add up to the score."))
    spread = optional(each.answer, "spread")
    if spread is not None and spread.size:
        middle = float(np.nanmedian(spread)) if np.isfinite(spread).any() else float("nan")
        top = float(np.nanmax(spread)) if np.isfinite(spread).any() else float("nan")
        count = words.sampled(said)
        lines.append(
            f"Standard error: median {words.number(middle, 2)}, at most {words.number(top, 2)}"
            + (f" ({count})." if count else ".")
        )
    parts.append(html.P(" ".join(line for line in lines if line), className="at-facts"))
    notes = [str(note) for note in said.get("notes") or ()][:6]
    if notes:
        parts.append(html.Ul([html.Li(note) for note in notes], className="at-notes"))
    return parts


def _body(sheet: Sheet, each: Multiple, scale: Scale) -> Any:
    if each.form == "filters":
        return _filters(sheet, each, scale)
    if each.form == "attention":
        figure = figures.attention(each.values, scale, sheet.tokens, sheet.scheme, sheet.count)
        return _figure(figure, f"{each.title}: attention of each head, rows look at columns")
    kind = sheet.shown.kind
    if kind == "image":
        return _picture(sheet, each, scale)
    if kind == "text":
        tokens = [str(token) for token in each.said.get("tokens") or sheet.tokens]
        most = max(40, CELLS // sheet.count)
        return forms.text(tokens, each.values.ravel(), scale, optional(each.answer, "spread"), most)
    if kind == "series":
        return _series(sheet, each, scale)
    return _table(sheet, each, scale)


def _picture(sheet: Sheet, each: Multiple, scale: Scale) -> Any:
    assert each.answer is not None
    display = optional(each.answer, "display")
    display = sheet.display if display is None else display
    size = display.shape[:2] if display is not None and display.ndim == 3 else scale.drawn.shape[-2:]
    rate = sheet.shown.description.get("sampling_rate")
    what = f"{each.title}: {words.explained(sheet.shown, each.said)}, instance {sheet.shown.instance}"
    return forms.picture(
        each.key or each.answer.key,
        scale,
        (int(size[0]), int(size[1])),
        sheet.shown.selection,
        f"{what}, largest size {words.number(scale.limit)}",
        rate=float(rate) if rate else None,
        part=each.answer.key if each.partial else None,
    )


def _series(sheet: Sheet, each: Multiple, scale: Scale) -> Any:
    display = array(each.answer, "display") if sheet.display is None else sheet.display
    display = np.atleast_2d(display)
    rate = sheet.shown.description.get("sampling_rate")
    drawn = np.atleast_2d(scale.drawn)
    if drawn.shape[1] != display.shape[1]:
        display = display[:, : drawn.shape[1]] if display.shape[1] > drawn.shape[1] else display
        drawn = drawn[:, : display.shape[1]]
    figure = figures.series(
        display,
        drawn,
        scale,
        names=names_of(sheet.shown, len(display), "channel"),
        rate=float(rate) if rate else None,
        scheme=sheet.scheme,
        multiples=sheet.count,
    )
    return _figure(figure, f"{each.title}: the signal of each channel on the colour of its attribution")


def _table(sheet: Sheet, each: Multiple, scale: Scale) -> Any:
    values = each.values.ravel()
    display = optional(each.answer, "display")
    display = sheet.display if display is None else display
    shown = [words.number(value, 4) for value in np.ravel(display)] if display is not None else []
    names = names_of(sheet.shown, len(values), "column")
    spread = optional(each.answer, "spread")
    most = max(8, min(24, CELLS // 8 // sheet.count))
    rows = forms.rows_of(names, shown, values, scale, None if spread is None else spread.ravel(), most)
    parts: list[Any] = [forms.bars(rows, scale, max(0, len(values) - len(rows)), "columns")]
    said = each.said
    if said.get("complete") and said.get("baseline") is not None and said.get("score") is not None:
        figure = figures.waterfall(names, values, float(said["baseline"]), float(said["score"]))
        label = f"{each.title}: from the score of the baseline to that of the instance"
        parts.append(
            html.Details([html.Summary("From baseline to score"), _figure(figure, label)], open=sheet.count <= 6)
        )
    return html.Div(parts)


def _filters(sheet: Sheet, each: Multiple, scale: Scale) -> Any:
    values = each.values.ravel()
    layer = str(each.said.get("layer") or (each.said.get("params") or {}).get("layer") or "")
    kinds = {str(item.get("key")): str(item.get("kind")) for item in sheet.shown.description.get("layers", [])}
    word = "filter" if kinds.get(layer, "conv") == "conv" else "unit"
    names = [f"{word} {index}" for index in range(len(values))]
    navs = [{"layer": layer, "filter": index} for index in range(len(values))] if layer else None
    spread = optional(each.answer, "spread")
    most = max(8, min(20, CELLS // 8 // sheet.count))
    rows = forms.rows_of(names, [], values, scale, None if spread is None else spread.ravel(), most, navs)
    title = html.P(f"Largest of the {len(values):,} {word}s of {layer or 'a layer'}; click for one.", className="quiet")
    return html.Div([title, forms.bars(rows, scale, max(0, len(values) - len(rows)), f"{word}s")])


def _figure(made: tuple[dict[str, Any], int, str], label: str) -> html.Div:
    """A figure of a height of its own, with what it leaves out."""
    figure, height, note = made
    graph = dcc.Graph(figure=figure, config=theme.config("attribution"), responsive=True, style={"height": "100%"})
    style = {"height": f"{height}px"}
    box = html.Div(graph, className="graph", style=style, role="figure", **attributes({"aria-label": label}))
    return html.Div([box, html.P(note, className="quiet")] if note else [box])
