"""How the result of a test reads: accuracy before and after with its interval, by class, and who changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dash import html

from analysis.training.findings import plural
from dashboard.views.layers import data
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark

CLASSES = 10
FLIPPED = 12


def result(shown: data.Frame, question: str, answer: dict[str, Any], what: str) -> html.Div:
    """The result of an ablation, or of leaving a layer out."""
    parts = _bypass(shown, answer) if question == "bypass" else _ablation(shown, answer)
    return html.Div(
        [html.P(what, className="result-title"), *parts], className="result", **attributes({"data-test": question})
    )


def points(value: Any) -> str:
    """'+0.3', '−0.3' with a real minus sign, '0.0'."""
    if not isinstance(value, int | float) or value != value:
        return "undefined"
    text = f"{value:+.1f}".replace("-", "−")
    return "0.0" if text[1:] == "0.0" else text


def headline(answer: dict[str, Any]) -> str:
    """'Accuracy 98.2 % → 97.9 %: −0.3 points (95 % interval −0.8 to +0.1; n = 1,000)'."""
    before, after = answer.get("accuracy_before"), answer.get("accuracy_after")
    if not isinstance(before, int | float) or before != before:
        count = answer.get("instances") or answer.get("n") or 0
        flips = answer.get("flips", 0)
        return f"{flips:,} of {count:,} predictions change. Accuracy is undefined: there are no labels."
    return (
        f"Accuracy {100 * before:.1f} % → {100 * float(after or 0):.1f} %: {points(answer.get('change'))} points "
        f"(95 % interval {points(answer.get('low'))} to {points(answer.get('high'))}; n = {answer.get('n', 0):,})."
    )


def verdict(answer: dict[str, Any]) -> str:
    """What the interval allows to be said."""
    low, high = answer.get("low"), answer.get("high")
    if not isinstance(low, int | float) or not isinstance(high, int | float) or low != low or high != high:
        return ""
    if low == high == 0:
        return "No prediction became right or wrong."
    if high < 0:
        return "It costs accuracy: the interval lies below 0."
    if low > 0:
        return "Accuracy rises: the interval lies above 0."
    return f"No difference can be told on this sample; a loss of more than {abs(low):.1f} points is unlikely."


def _ablation(shown: data.Frame, answer: dict[str, Any]) -> list[Any]:
    high = answer.get("high")
    costs = isinstance(high, int | float) and high < 0
    parts: list[Any] = [
        html.P(headline(answer), className="headline"),
        html.P(verdict(answer), className="verdict-line costs" if costs else "verdict-line"),
    ]
    before, after = answer.get("loss_before"), answer.get("loss_after")
    if isinstance(before, int | float) and isinstance(after, int | float):
        parts.append(html.P(f"Loss {' → '.join(data.column([before, after]))}", className="quiet"))
    rows = [row for row in answer.get("classes", []) if row.get("n")]
    if rows:
        parts.append(_by_class(shown, rows))
    flipped = answer.get("flipped", [])
    if flipped:
        parts.append(_flipped(shown, flipped, int(answer.get("flips") or len(flipped))))
    resamples = answer.get("resamples")
    if resamples:
        parts.append(
            html.P(
                f"Paired bootstrap, {resamples:,} resamples, random state {answer.get('random_state', 0)}.",
                className="quiet",
            )
        )
    return parts


def _by_class(shown: data.Frame, rows: Sequence[dict[str, Any]]) -> Any:
    """A row per class, those that changed most first, with a bar about a common zero."""
    largest = max([0.1, *(abs(float(row["change"] or 0)) for row in rows)])
    moved = [row for row in rows if any(row.get(name) for name in ("change", "low", "high"))]
    if not moved:
        return html.P(f"None of the {len(rows):,} classes changed.", className="quiet")
    order = sorted(moved, key=lambda row: (-abs(float(row["change"] or 0)), row["class"]))
    body = [_class_row(shown, row, largest) for row in order[:CLASSES]]
    head = html.Thead(
        html.Tr(
            [
                html.Th(text, scope="col", className=look)
                for text, look in (
                    ("class", ""),
                    ("n", "num"),
                    ("before", "num"),
                    ("after", "num"),
                    ("change, points", ""),
                )
            ]
        )
    )
    table = html.Table([head, html.Tbody(body)], className="by-class")
    more, still = max(0, len(order) - CLASSES), len(rows) - len(moved)
    notes = [f"{plural(more, 'more class')} changed no more than these."] if more else []
    notes += [f"{plural(still, 'class')} did not change."] if still else []
    return html.Div([table, html.P(" ".join(notes), className="quiet")]) if notes else table


def _class_row(shown: data.Frame, row: dict[str, Any], largest: float) -> html.Tr:
    change = float(row["change"] or 0)
    label = int(row["class"])
    width = 50 * abs(change) / largest
    side = {"left": "50%"} if change >= 0 else {"right": "50%"}
    bar = html.Span(
        html.Span(style={"width": f"{width:.1f}%", **side}, className="raise" if change >= 0 else "lower"),
        className="balance",
    )
    interval = f"{points(row.get('low'))} to {points(row.get('high'))}" if row.get("low") is not None else ""
    return html.Tr(
        [
            html.Th([class_mark(label), shown.class_name(label)], scope="row"),
            html.Td(f"{row['n']:,}", className="num"),
            html.Td(_percent(row.get("before")), className="num"),
            html.Td(_percent(row.get("after")), className="num"),
            html.Td(
                html.Div(
                    [bar, html.Span(points(change), className="num"), html.Span(interval, className="quiet")],
                    className="change",
                )
            ),
        ]
    )


def _percent(share: Any) -> str:
    return f"{100 * share:.1f} %" if isinstance(share, int | float) and share == share else "–"


def _flipped(shown: data.Frame, flipped: Sequence[Sequence[int]], total: int) -> html.Details:
    items = []
    for index, before, after in flipped[:50]:
        text = f"#{index}: {shown.class_name(int(before))} → {shown.class_name(int(after))}"
        nav = json.dumps({"instances": str(index)})
        items.append(html.Li(html.Button(text, type="button", className="link", **attributes({"data-nav": nav}))))
    word = "instance is" if total == 1 else "instances are"
    some = f", the first {len(flipped)}" if total > len(flipped) else ""
    return html.Details(
        [html.Summary(f"{total:,} {word} predicted otherwise{some}"), html.Ul(items, className="flipped")],
        open=len(items) <= FLIPPED,
    )


def _bypass(shown: data.Frame, answer: dict[str, Any]) -> list[Any]:
    """Three ways to do without a layer, the fairest first."""
    parts: list[Any] = [html.H3("A linear map from its input to the model's own scores")]
    shortcut, identity = answer.get("shortcut"), answer.get("identity")
    if isinstance(shortcut, dict):
        parts += _ablation(shown, shortcut)
    else:
        parts.append(html.P(str(answer.get("readout_reason") or "It could not be fitted."), className="quiet"))
    parts.append(html.H3("Its input passed on unchanged"))
    if isinstance(identity, dict):
        parts.append(html.P(headline(identity), className="headline"))
    else:
        parts.append(html.P(str(answer.get("reason") or "Its input and output have other shapes."), className="quiet"))
    return [*parts, *_readouts(answer, any(info.spatial for info in shown.layers))]


def _readouts(answer: dict[str, Any], positions: bool) -> list[Any]:
    """What a linear classifier makes of the layer's input, and of its output. positions: whether any layer has them."""
    before, after = answer.get("readout"), answer.get("with_layer")
    if not isinstance(before, dict):
        return []
    rows = [("from its input", before)] + ([("from its output", after)] if isinstance(after, dict) else [])
    model = before.get("model_accuracy")
    body = [
        html.Tr([html.Th(name, scope="row"), html.Td(_percent(item.get("accuracy"))), html.Td(_span(item))])
        for name, item in rows
    ]
    body.append(html.Tr([html.Th("the model", scope="row"), html.Td(_percent(model)), html.Td("")]))
    head = html.Tr([html.Th(text, scope="col") for text in ("classes read", "accuracy", "95 % interval")])
    return [
        html.H3("Classes read from it linearly"),
        html.Table([html.Thead(head), html.Tbody(body)], className="by-class"),
        html.P(
            f"Fitted and judged on different parts of the sample, {before.get('folds', '?')} folds, "
            f"n = {before.get('n', 0):,}"
            + ("; what has positions counts by its mean over them." if positions else "."),
            className="quiet",
        ),
    ]


def _span(item: dict[str, Any]) -> str:
    low, high = item.get("low"), item.get("high")
    return f"{100 * low:.1f} to {100 * high:.1f} %" if low is not None and high is not None else "undefined"
