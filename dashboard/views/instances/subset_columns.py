"""The columns that an expression may name, with their ranges, and examples that fit the data at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from dash import html

from analysis.subsets.book import Saved
from analysis.subsets.expression import quoted, written_name
from analysis.subsets.reading import FUNCTIONS
from analysis.subsets.table import CATEGORY, NUMBER, TEXT, Column, Table
from dashboard.views.instances.data import cut
from dashboard.widgets.attributes import attributes
from dashboard.wording import finite

SOURCES = (
    ("model", "What the model says"),
    ("metadata", "Metadata"),
    ("feature", "Measured on the inputs"),
    ("function", "Rules of the subject's file"),
)
MOST_NAMES = 8
MOST_COLUMNS = 200  # of a source


def columns(table: Table) -> list[Any]:
    """Buttons that put a name into the field, by where the column comes from."""
    made: list[Any] = []
    for source, title in SOURCES:
        listed = table.of(source)
        if not listed:
            continue
        items = [
            html.Li([_insert(column), html.Span(described(column), className="quiet")])
            for column in listed[:MOST_COLUMNS]
        ]
        made += [html.H3(title), html.Ul(items, className="in-columns")]
    if table.waiting:
        made.append(html.P("Columns of metadata and features are being computed.", className="quiet"))
    if table.left_out:
        listed_out = [html.Li(f"{cut(name, 60)}: {cut(reason, 200)}") for name, reason in table.left_out[:20]]
        made += [html.H3("Left out"), html.Ul(listed_out, className="in-columns")]
    calls = ", ".join(example for _, example in FUNCTIONS.values())
    made += [
        html.H3("How to write"),
        html.P(
            "Join conditions by and, or, not and parentheses; compare by == != < <= > >=, or by in [...]. Numbers know "
            "+ - * / %. A class goes by its name in quotes or by its number. A name that is more than one word stands "
            "in backticks. Functions: " + calls + ".",
            className="quiet",
        ),
    ]
    return made


def _insert(column: Column) -> html.Button:
    name = written_name(column.name)
    return html.Button(name, type="button", className="link in-insert", **attributes({"data-insert": name}))


def described(column: Column) -> str:
    """'Loss, number from 0.001 to 8.2 nats'."""
    title = f"{cut(column.title, 80)}: " if column.title.casefold() != column.name.casefold() else ""
    if column.kind == NUMBER:
        values = np.asarray(column.values, np.float64)
        values = values[np.isfinite(values)]
        if not values.size:
            return f"{title}number, all missing"
        whole = np.asarray(column.values).dtype.kind in "iu"
        low, high = (f"{end:,.0f}" if whole else finite(end, 3) for end in (values.min(), values.max()))
        return f"{title}number from {low} to {high}{f' {column.unit}' if column.unit else ''}"
    if column.kind == CATEGORY:
        names = [cut(name, 24) for name in column.names[:MOST_NAMES]]
        more = f" and {len(column.names) - len(names):,} more" if len(column.names) > len(names) else ""
        return f"{title}one of {', '.join(names)}{more}"
    return f"{title}{'text' if column.kind == TEXT else 'true or false'}"


def examples(table: Table, saved: Sequence[Saved]) -> list[Any]:
    """Expressions that fit these columns, as buttons that put them into the field."""
    made = [
        ("confidently wrong", "wrong and confidence > 0.9"),
        ("the largest losses", "loss >= quantile(loss, 0.95)"),
        ("near the border of two classes", "margin < 0.2"),
    ]
    if len(table.class_names) > 1:
        first = quoted(table.class_names[0])
        made.append((f"missed {cut(table.class_names[0], 20)}", f"label == {first} and prediction != {first}"))
    if table.texts is not None:
        made.append(("texts with a word", "contains(text, 'not') and wrong"))
    for column in table.of("metadata", "feature", "function"):
        name = written_name(column.name)
        if column.kind == NUMBER:
            made.append((f"low {cut(column.title, 24)}", f"{name} <= quantile({name}, 0.1)"))
        elif column.kind == CATEGORY and column.names:
            made.append((f"one {cut(column.title, 24)}", f"{name} == {quoted(column.names[0])}"))
        if len(made) >= 8:
            break
    if saved:
        made.append(("within a saved one", f"subset({quoted(saved[0].name)}) and wrong"))
    return [
        html.Button(
            [html.Span(title, className="quiet"), html.Code(text)],
            type="button",
            className="in-example",
            **attributes({"data-example": text}),
        )
        for title, text in made
    ]
