"""Places of an instance that a reader marks: a box on a picture, tokens, a span of a series. Used to edit and to judge.

Each part has a prefix for its ids. Drags and clicks are the browser's business (assets/attribution_more.js); whatever
they do can be done by fields too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from dashboard.views.attribution import data
from dashboard.views.attribution.edit_data import channel_name
from dashboard.widgets.attributes import attributes

CORNERS = (("x0", "Left"), ("y0", "Top"), ("x1", "Right"), ("y1", "Bottom"))
MOST_TOKENS = 600


def number(name: str, label: str, **more: Any) -> html.Label:
    """A field for a number, with its name before it."""
    given: dict[str, Any] = {"size": "xs", "w": 72, "hideControls": True} | more
    field = dmc.NumberInput(id=name, **given, **attributes({"aria-label": label}))
    return html.Label([html.Span(label, className="control-label"), field], className="control")


def choice(name: str, label: str, options: Sequence[tuple[str, str]], **more: Any) -> html.Label:
    """A field that offers some values."""
    picker: dict[str, Any] = {
        "data": [{"value": value, "label": text} for value, text in options],
        "value": options[0][0] if options else None,
        "allowDeselect": False,
        "size": "xs",
        "w": 150,
    }
    field = dmc.Select(id=name, **(picker | more), **attributes({"aria-label": label}))
    return html.Label([html.Span(label, className="control-label"), field], className="control")


def button(name: str, label: str) -> html.Button:
    """A button with an id."""
    return html.Button(label, id=name, type="button", className="outline-button", n_clicks=0)


def together(*fields: Any) -> html.Div:
    """Fields that stay in one line where others wrap."""
    return html.Div(list(fields), className="at-fields at-together")


def box_fields(prefix: str) -> list[Any]:
    """The four numbers of a box, in pixels."""
    return [number(f"{prefix}-{key}", label, allowDecimal=False, w=56) for key, label in CORNERS]


def picture(prefix: str, source: str, size: tuple[int, int], label: str, marked: Sequence[Sequence[float]] = ()) -> Any:
    """A picture on which a box is drawn. size: (width, height) in pixels of the instance. marked: older boxes."""
    width, height = size

    def place(box: Sequence[float]) -> dict[str, str]:
        return {
            "left": f"{100 * box[0] / width:.3f}%",
            "top": f"{100 * box[1] / height:.3f}%",
            "width": f"{100 * (box[2] - box[0]) / width:.3f}%",
            "height": f"{100 * (box[3] - box[1]) / height:.3f}%",
        }

    boxes = [html.Div(className="at-marked", style=place(box)) for box in marked]
    return html.Div(
        [
            html.Img(src=source, alt=label, className="at-pick-picture", draggable="false"),
            *boxes,
            html.Div(className="at-pick-box", hidden=True),
        ],
        className="at-pick",
        style={"aspectRatio": f"{width} / {height}"},
        **attributes({"data-at-pick": prefix, "data-width": str(width), "data-height": str(height)}),
    )


def chips(
    prefix: str,
    labels: Sequence[str],
    key: str,
    *,
    many: bool,
    chosen: Collection[int] = (),
    said: str = "",
    counted: bool = True,
) -> html.Div:
    """Tokens or columns as buttons that are pressed or not. key: changes when they must be drawn anew. counted: whether
    they are told apart by their place, from 1, rather than by name."""
    items: list[Any] = [
        html.Button(
            label or "␣",
            type="button",
            className="at-chip",
            title=f"token {at + 1:,}" if counted else label,
            **attributes(
                {"data-at-chip": str(at), "data-token": label, "aria-pressed": "true" if at in chosen else "false"}
            ),
        )
        for at, label in enumerate(labels[:MOST_TOKENS])
    ]
    if len(labels) > MOST_TOKENS:
        items.append(html.Span(f"… {len(labels) - MOST_TOKENS:,} more", className="quiet"))
    more = {"data-at-chips": prefix, "data-many": "yes" if many else "no", "aria-label": said or "Tokens"}
    return html.Div(items, className="at-chips", role="group", key=key, **attributes(more))


def stores(prefix: str) -> list[Any]:
    """What the chips chose."""
    return [dcc.Store(id=f"{prefix}-chosen", data=[])]


def channels(shown: data.Frame, count: int) -> list[dict[str, str]]:
    """What a picker of channels offers."""
    every = [{"value": "all", "label": "all channels"}] if count != 1 else []
    return every + [{"value": str(at), "label": channel_name(shown, at)} for at in range(count)]
