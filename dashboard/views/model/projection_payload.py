"""What assets/projection.js draws: addresses of bytes, colours, what stands out. Small, whatever the sample."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import theme
from dashboard.pictures import addresses
from dashboard.views.model.projection_data import Coloured, Faded, Projection
from dashboard.views.model.projection_words import axes, named

MOST_NAMES = 1000
MOST_NAME = 40
OWN = ("label", "prediction", "correct", "confidence")  # what the card of a point says anyway


def payload(found: Projection, colours: Coloured, faded: Faded, row: int | None, near: Any) -> dict[str, Any]:
    """Plain values.

    Returns:
        'points', 'colours', 'point': addresses (that of a point wants a row at its end), 'groups': [colour, symbol,
        name] by code, 'ramp': colours by scheme of a number, with 'low', 'high', 'unit'; 'title' of the colour, 'own':
        whether the card says it anyway, 'direct': whether names may stand on the map; 'subset': a bit for each row in
        base64, '' for none, 'lasso': its outline,
        'chosen': row or None, 'near': rows; 'axes', 'names' of classes, 'label', 'hint', 'ready': whether a lasso
        means something; 'revision': a zoom survives while it is the same.
    """
    shown, made = found.shown, colours.made
    number = made is not None and made.number
    count = f"{found.drawn:,} instances"
    return {
        "points": found.address,
        "colours": colours.address if made is not None else "",
        "point": addresses.point(shown.extraction.directory.name),
        "groups": [
            [group.colour, group.symbol, named(shown, group)[:MOST_NAME]] for group in (made.groups if made else ())
        ],
        "ramp": {scheme: [str(stop[1]) for stop in theme.sequential(scheme)] for scheme in ("light", "dark")}
        if number
        else None,
        "direct": shown.selection.pcolor in ("label", "prediction"),
        "low": made.low if made else 0.0,
        "high": made.high if made else 0.0,
        "unit": f" {made.unit}" if made and made.unit else "",
        "title": made.title if made else "",
        "own": shown.selection.pcolor in OWN,
        "subset": bits(faded.inside) if faded.inside is not None else "",
        "lasso": list(shown.selection.plasso) if found.lassoed is not None else [],
        "chosen": row,
        "near": near[0].tolist() if near is not None else [],
        "axes": axes(found),
        "names": [name[:MOST_NAME] for name in shown.class_names[:MOST_NAMES]],
        "label": f"{found.method.title} of {count} in {shown.layer.name}. Arrow keys go from point to point, Enter "
        "chooses one, plus and minus zoom, 0 shows all.",
        "hint": f"{count}. Point at one, or go through them with the arrow keys.",
        "ready": not found.stands_in,
        "revision": found.address.partition("?")[2] if found.stands_in else f"{shown.layer.key} {found.method.name}",
    }


def bits(inside: NDArray[np.bool_]) -> str:
    """A bit for each row, the first the highest of its byte, in base64: 170 kB for 1,000,000."""
    return base64.b64encode(np.packbits(inside).tobytes()).decode()


def as_text(value: dict[str, Any]) -> str:
    """A payload as text of the page. Numbers that are not finite would be no JSON."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
