"""The controls of the panel Subset: the field, shortcuts, names, combinations. Layout only."""

from __future__ import annotations

import json
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from dashboard.views.instances import data
from dashboard.widgets.attributes import attributes


def bar() -> list[Any]:
    """Everything of the panel; what it says comes from the callbacks."""
    return [
        dcc.Store(id="in-subset-mark"),
        dcc.Store(id="in-subset-asked"),
        dcc.Store(id="in-book-command"),
        dcc.Store(id=data.BOOK, data=0),
        html.Div(id="in-go", hidden=True),
        _field(),
        html.Div(id="in-subset-error", className="in-error", role="alert"),
        _quick(),
        _details("Columns and examples", "in-subset-help", ["in-subset-examples", "in-subset-columns"]),
        html.Div(id="in-subset-body"),
        _actions(),
        html.Div(id="in-subset-status", className="quiet", role="status"),
        _details("Saved subsets", "in-subset-book", ["in-subset-saved"]),
    ]


def _field() -> html.Div:
    text = dmc.Textarea(
        id="in-subset-text",
        placeholder="all instances; for example: wrong and confidence > 0.9",
        autosize=True,
        minRows=1,
        maxRows=6,
        size="sm",
        spellCheck=False,
        className="in-text",
        **attributes({"aria-label": "Subset, as an expression", "aria-describedby": "in-subset-error"}),
    )
    return html.Div(
        [
            text,
            html.Button("Show", id="in-subset-apply", type="button", className="solid-button", title="Enter"),
        ],
        className="in-field",
    )


def _quick() -> html.Div:
    pick = dmc.Select(
        id="in-subset-pick",
        data=[],
        searchable=True,
        placeholder="a class or a saved one",
        size="xs",
        w=230,
        **attributes({"aria-label": "Subset by label, prediction or name"}),
    )
    return html.Div(
        [
            html.Span("Shortcuts", className="control-label"),
            _shortcut("all", None),
            _shortcut("wrong", "wrong"),
            _shortcut("confidently wrong", "wrong and confidence > 0.9"),
            _shortcut("least sure", "confidence <= quantile(confidence, 0.05)"),
            pick,
        ],
        className="in-row",
    )


def _shortcut(text: str, subset: str | None) -> html.Button:
    more = {"data-nav": json.dumps({"subset": subset})}
    return html.Button(text, type="button", className="outline-button", **attributes(more))


def _details(title: str, name: str, ids: list[str]) -> html.Details:
    return html.Details(
        [html.Summary(title, id=f"{name}-summary"), *(html.Div(id=one) for one in ids)], id=name, className="in-details"
    )


def _actions() -> html.Div:
    name = dmc.TextInput(
        id="in-save-name",
        placeholder="name",
        size="xs",
        w=150,
        **attributes({"aria-label": "Name for this subset"}),
    )
    other = dmc.Select(
        id="in-combine-with",
        data=[],
        searchable=True,
        placeholder="another subset",
        size="xs",
        w=190,
        **attributes({"aria-label": "Subset to combine with"}),
    )
    joins = [
        html.Button(text, type="button", className="outline-button", **attributes({"data-combine": how}))
        for how, text in (("and", "and"), ("or", "or"), ("not", "and not"))
    ]
    return html.Div(
        [
            html.Span("Save as", className="control-label"),
            name,
            html.Button("Save", id="in-save", type="button", className="outline-button"),
            html.Span("Combine with", className="control-label"),
            other,
            *joins,
            html.Button("Keep for comparison", id="in-compare-keep", type="button", className="outline-button"),
        ],
        className="in-row in-actions",
    )
