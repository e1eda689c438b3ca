"""A panel: title, one line of what is shown, an explanation behind (i), a menu, and its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dash import dcc, html

from dashboard import theme
from dashboard.widgets.attributes import attributes
from dashboard.widgets.icons import icon
from dashboard.widgets.states import empty_figure


@dataclass(frozen=True)
class About:
    """The short 'what am I looking at, how is it computed'."""

    what: str
    how: str
    formula: str
    source: str


def panel(
    name: str,
    title: str,
    children: Any,
    *,
    about: About,
    controls: Sequence[Any] = (),
    exports: Sequence[tuple[str, str]] = (),
    picture: bool = True,
    span: int = 12,
    class_name: str = "",
) -> html.Section:
    """A panel called ``name``. exports: (label, id of the anchor that downloads it); span: columns of twelve."""
    heading = html.Div(
        [
            html.Div(
                [html.H2(title, id=f"{name}-title"), html.P("", id=f"{name}-subtitle", className="subtitle")],
                className="panel-heading",
            ),
            html.Div(list(controls), className="panel-controls"),
            html.Div([_about(title, about), _menu(name, title, exports, picture)], className="panel-actions"),
        ],
        className="panel-head",
    )
    return html.Section(
        [heading, html.Div(children, className="panel-body")],
        id=f"{name}-panel",
        className=f"panel {class_name}".strip(),
        style={"--span": str(span)},
        **attributes({"aria-labelledby": f"{name}-title"}),
    )


def graph(name: str, height: int, label: str) -> html.Div:
    """A Plotly figure. The label is what a screen reader says instead of the picture."""
    return html.Div(
        dcc.Graph(
            id=name,
            figure=empty_figure("Reading …"),
            config=theme.config(name),
            responsive=True,
            style={"height": "100%"},
        ),
        id=f"{name}-box",
        className="graph",
        style={"height": f"{height}px"},
        role="figure",
        **attributes({"aria-label": label}),
    )


def _about(title: str, about: About) -> html.Details:
    rows = [("What it shows", about.what), ("How it is computed", about.how), ("Formula", about.formula)]
    body: list[Any] = [html.H3(title)]
    for heading, text in rows:
        body += [html.H4(heading), html.P(text, className="formula" if heading == "Formula" else "")]
    body.append(html.P(about.source, className="source"))
    return _dropdown("info", f"About {title}", html.Div(body, className="about"), "dropdown-wide")


def _menu(name: str, title: str, exports: Sequence[tuple[str, str]], picture: bool) -> html.Details:
    items: list[Any] = [
        html.A(label, id=anchor, href="#", className="menu-link", download="") for label, anchor in exports
    ]
    actions = [("Picture (PNG)", {"data-picture": name})] if picture else []
    actions += [("Copy link", {"data-copy-link": "1"}), ("Maximise", {"data-maximise": f"{name}-panel"})]
    items += [html.Button(text, className="menu-link", type="button", **attributes(what)) for text, what in actions]
    return _dropdown("more", f"Menu of {title}", html.Div(items, className="menu-list"), "")


def _dropdown(sign: str, label: str, content: Any, class_name: str) -> html.Details:
    """The browser's own disclosure: keyboard, focus and names need no script. assets/page.js closes it from outside."""
    summary = html.Summary(icon(sign), className="bar-button", title=label, **attributes({"aria-label": label}))
    return html.Details(
        [summary, html.Div(content, className=f"dropdown {class_name}".strip())], className="disclosure"
    )
