"""A panel: title, one line of what is shown, an explanation behind (i), a menu, and its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from dashboard import theme
from dashboard.widgets.attributes import attributes
from dashboard.widgets.icons import icon


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
            html.Div([_about(name, title, about), _menu(name, title, exports, picture)], className="panel-actions"),
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
            figure={
                "data": [],
                "layout": {"template": "none", "xaxis": {"visible": False}, "yaxis": {"visible": False}},
            },
            config=theme.config(name),
            responsive=True,
            style={"height": "100%"},
        ),
        id=f"{name}-box",
        className="graph",
        style={"height": f"{height}px"},
        role="img",
        **attributes({"aria-label": label}),
    )


def _about(name: str, title: str, about: About) -> dmc.Popover:
    rows = [("What it shows", about.what), ("How it is computed", about.how), ("Formula", about.formula)]
    body: list[Any] = [html.H3(title)]
    for heading, text in rows:
        body += [html.H4(heading), html.P(text, className="formula" if heading == "Formula" else "")]
    body.append(html.P(about.source, className="source"))
    return dmc.Popover(
        [
            dmc.PopoverTarget(
                dmc.ActionIcon(
                    icon("info"), variant="subtle", color="gray", **attributes({"aria-label": f"About {title}"})
                )
            ),
            dmc.PopoverDropdown(html.Div(body, className="about")),
        ],
        width=360,
        position="bottom-end",
        withArrow=True,
        shadow="md",
        trapFocus=True,
        id=f"{name}-about",
    )


def _menu(name: str, title: str, exports: Sequence[tuple[str, str]], picture: bool) -> dmc.Menu:
    items: list[Any] = [
        html.A(label, id=anchor, href="#", className="menu-link", download="") for label, anchor in exports
    ]
    if picture:
        items.append(
            html.Button("Picture (PNG)", className="menu-link", **attributes({"data-picture": name, "type": "button"}))
        )
    items.append(
        html.Button("Copy link", className="menu-link", **attributes({"data-copy-link": "1", "type": "button"}))
    )
    items.append(
        html.Button(
            "Maximise", className="menu-link", **attributes({"data-maximise": f"{name}-panel", "type": "button"})
        )
    )
    return dmc.Popover(
        [
            dmc.PopoverTarget(
                dmc.ActionIcon(
                    icon("more"), variant="subtle", color="gray", **attributes({"aria-label": f"Menu of {title}"})
                )
            ),
            dmc.PopoverDropdown(html.Div(items, className="menu-list")),
        ],
        position="bottom-end",
        shadow="md",
    )
