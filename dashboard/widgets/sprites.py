"""Many small pictures from one: each tile of a sprite as a button that leads somewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dash import html

from dashboard.widgets.attributes import attributes


def sprite_tiles(
    source: str,
    tile: tuple[int, int, int],
    labels: Sequence[str],
    places: Sequence[dict[str, Any]] | None = None,
    captions: Sequence[str] | None = None,
    *,
    side: int = 56,
    most: int = 12,
) -> html.Ul:
    """A list of the tiles of a sprite, in order.

    source: address of the sprite. tile: (columns of the sprite, width, height of a tile in pixels). labels: what a
    screen reader says of each, also its tooltip. places: what a click selects (None: nothing). captions: text below.
    side: length that the longer side of a tile is enlarged to, by a whole factor of at most ``most``, so that pixels
    stay squares; tiles that are larger stay as they are.
    """
    columns, width, height = tile
    factor = max(1, min(most, side // max(1, width, height)))
    rows = -(-len(labels) // columns)
    shared = {
        "width": f"{width * factor}px",
        "height": f"{height * factor}px",
        "backgroundImage": f"url('{source}')",
        "backgroundSize": f"{columns * width * factor}px {rows * height * factor}px",
    }
    items = []
    for index, label in enumerate(labels):
        left, top = index % columns * width * factor, index // columns * height * factor
        style = shared | {"backgroundPosition": f"-{left}px -{top}px"}
        picture = html.Span(className="tile-picture", style=style)
        if places is None:
            shown: Any = html.Span(picture, title=label, role="img", **attributes({"aria-label": label}))
        else:
            nav = attributes({"aria-label": label, "data-nav": json.dumps(places[index])})
            shown = html.Button(picture, type="button", className="tile", title=label, **nav)
        below = [html.Span(captions[index], className="tile-caption")] if captions else []
        items.append(html.Li([shown, *below]))
    return html.Ul(items, className="tiles")
