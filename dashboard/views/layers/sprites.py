"""One tile of a sprite as an element of the page, of any size."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard.pictures.draw import Sheet
from dashboard.widgets.attributes import attributes


def tile(address: str, place: int, sheet: Sheet, label: str, *, side: int = 84) -> html.Div:
    """Tile ``place`` of the sprite at ``address``. side: of the longer edge, in pixels of the page."""
    row, column = divmod(place, sheet.columns)
    scale = side / max(sheet.width, sheet.height)
    # Percentages of a background count from its free play, which is one tile less than the whole.
    x = 100 * column / max(1, sheet.columns - 1)
    y = 100 * row / max(1, sheet.rows - 1)
    style: dict[str, Any] = {
        "backgroundImage": f'url("{address}")',
        "backgroundSize": f"{100 * sheet.columns}% {100 * sheet.rows}%",
        "backgroundPosition": f"{x:.4f}% {y:.4f}%",
        "width": f"{max(1, round(sheet.width * scale))}px",
        "height": f"{max(1, round(sheet.height * scale))}px",
    }
    return html.Div(style=style, className="patch-picture", role="img", **attributes({"aria-label": label}))
