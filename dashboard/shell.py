"""The shell: top bar, navigation, the place for the views, inspector and jobs drawer. Layout only."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html, no_update

from dashboard import jobs_panel, notices
from dashboard.selection import GROUPS
from dashboard.views.registry import VIEWS, View
from dashboard.widgets.attributes import attributes
from dashboard.widgets.icons import icon
from dashboard.widgets.states import empty

TICK_MS = 2000
SHORTCUTS = (
    ("/", "search layers"),
    ("← →", "previous or next filter or instance while one is selected, else previous or next recorded step"),
    ("Escape", "clear the last chip (lasso, filters, instance, subset, filter, layer, run B)"),
    ("t", "next theme"),
    ("i", "show or hide the inspector"),
    ("?", "this help"),
)


def layout(subject: bool = False) -> dmc.MantineProvider:
    """The whole page. A view is laid out at its first visit and then shown or hidden, so that coming back is instant.

    subject: whether the server has one.
    """
    return dmc.MantineProvider(
        [
            *_stores(),
            html.A("Skip to the panels", href="#main", className="skip"),
            html.Header(_top_bar(), className="topbar"),
            html.Nav(
                _rail(),
                id="rail",
                className="rail",
                **attributes({"aria-label": "Views", "data-subject": "yes" if subject else "no"}),
            ),
            html.Main(
                [html.Div(id="banner", role="status"), notices.place(), *(_view_box(view) for view in VIEWS)],
                id="main",
                tabIndex=-1,
            ),
            html.Aside(_inspector(), id="inspector", className="inspector", **attributes({"aria-label": "Inspector"})),
            jobs_panel.drawer(),
            _help(),
        ],
        id="mantine",
        theme={
            "fontFamily": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
            "defaultRadius": "sm",
            "primaryColor": "blue",
            # A shade on which white text reaches WCAG AA.
            "primaryShade": {"light": 8, "dark": 8},
            "respectReducedMotion": True,
        },
        defaultColorScheme="auto",
    )


def _stores() -> list[Any]:
    return [
        # The URL's query. Not dcc.Location: that writes back an address of its own when history is replaced.
        dcc.Store(id="url"),
        dcc.Store(id="sel-groups", data={name: list(keys) for name, keys in GROUPS.items()}),
        *(dcc.Store(id=f"sel-{name}") for name in GROUPS),
        *(dcc.Store(id=f"open-{view.slug}") for view in VIEWS),
        dcc.Store(id="theme-choice", storage_type="local"),
        dcc.Store(id="scheme", data="light"),
        dcc.Store(id="narrow", data=False),
        dcc.Store(id="pulse-runs"),
        dcc.Store(id="pulse-selected"),
        dcc.Store(id="pulse-jobs"),
        dcc.Store(id="pulse-answers"),
        # A button of a panel that cancels or repeats a job: {"do", "id", "at"}.
        dcc.Store(id="job-command"),
        dcc.Interval(id="tick", interval=TICK_MS),
    ]


def _top_bar() -> list[Any]:
    home = attributes({"data-nav": '{"view": null}', "aria-label": "Cutaway: all runs"})
    return [
        html.A([icon("logo"), html.Span("Cutaway")], href="?", className="brand", **home),
        html.Div(_pickers(), className="pickers", role="group", **attributes({"aria-label": "Selection"})),
        html.Div(_tools(), className="bar-tools"),
    ]


def _pickers() -> list[Any]:
    common: dict[str, Any] = {"data": [], "size": "xs"}
    run_a = dmc.Select(id="ctl-runa", searchable=True, placeholder="choose a run", **common)
    run_b = dmc.Select(id="ctl-runb", searchable=True, clearable=True, placeholder="compare with", **common)
    layer = dmc.Select(id="ctl-layer", searchable=True, clearable=True, placeholder="all layers", **common)
    checkpoint = dmc.Select(id="ctl-checkpoint", clearable=True, placeholder="no checkpoint", **common)
    return [
        _chip([html.Span(className="run-mark run-0"), "Run A"], run_a),
        _chip([html.Span(className="run-mark run-1"), "Run B"], run_b),
        _chip("Layer", layer),
        _chip("Checkpoint", checkpoint),
        html.Div(id="chips", className="chips"),
    ]


def _tools() -> list[Any]:
    state = [html.Span(className="dot"), html.Span("connected", id="connection-text")]
    copy = attributes({"data-copy-link": "1", "aria-label": "Copy link"})
    return [
        html.Span(state, id="connection", className="connection", role="status"),
        html.Button([icon("jobs"), html.Span("Jobs", id="jobs-label")], id="jobs-open", className="bar-button"),
        html.Button([icon("link"), html.Span("Copy link")], className="bar-button", **copy),
        _tool("theme-button", "theme", "Theme", "Theme"),
        _tool("inspector-button", "panel", "Show or hide the inspector", "Inspector (i)"),
        _tool("help-open", "help", "Help", "Help (?)"),
    ]


def _tool(name: str, sign: str, label: str, title: str) -> html.Button:
    return html.Button(icon(sign), id=name, className="bar-button", **attributes({"aria-label": label, "title": title}))


def _chip(label: Any, picker: Any) -> html.Label:
    return html.Label([html.Span(label, className="chip-label"), picker], className="chip")


def _rail() -> list[Any]:
    return [
        html.A(
            [icon(view.slug), html.Span(view.title)],
            id=f"rail-{view.slug}",
            href=f"?view={view.slug}",
            className="rail-item",
            title=view.summary.split(":", 1)[-1].strip(),
            **attributes(
                {
                    "data-nav": f'{{"view": "{view.slug}"}}',
                    "data-view": view.slug,
                    "data-needs": view.needs,
                }
            ),
        )
        for view in VIEWS
    ]


def _view_box(view: View) -> html.Div:
    return html.Div(id=f"view-{view.slug}", className="view", hidden=True, **attributes({"data-view": view.slug}))


def _inspector() -> list[Any]:
    idle = empty("Inspector", "Nothing is selected.", "Choose a run, or click a layer's name to look into it.")
    return [
        html.Div(
            None if view.inspector else idle,
            id=f"beside-{view.slug}",
            className="beside",
            hidden=True,
            **attributes({"data-view": view.slug}),
        )
        for view in VIEWS
    ]


def opened(view: View) -> tuple[Any, Any]:
    """What a view's place in the page holds from its first visit on, and what is in the inspector then."""
    beside = html.Div(id=view.inspector, className="inspector-body") if view.inspector else no_update
    return beside, view.layout()


def _help() -> dmc.Modal:
    rows = [html.Tr([html.Td(html.Kbd(key)), html.Td(text)]) for key, text in SHORTCUTS]
    return dmc.Modal(
        [
            html.P(
                "Cutaway shows what a PyTorch model does while it learns, and what its layers detect. The chips above "
                "say what every panel shows; the address of the page holds them all, so a copied link opens the same "
                "view."
            ),
            html.Table(html.Tbody(rows), className="shortcuts"),
        ],
        id="help",
        title="Help",
        closeButtonProps={"aria-label": "Close help"},
    )
