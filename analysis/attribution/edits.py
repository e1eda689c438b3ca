"""What-if edits: changes of one instance, made to what the model gets, before it is explained.

Edits are applied in order. Boxes and spans are half open, in pixels and steps of the input.

- pictures: ``{"op": "paint", "box": [x0, y0, x1, y1], "fill": "mean"|"zero"|"black"|"white"}`` and
  ``{"op": "blur", "box": [...], "sigma": pixels}``; x goes right, y down;
- texts: ``{"op": "replace", "at": i, "token": "good"}``, ``{"op": "insert", "at": i, "token": ...}``,
  ``{"op": "delete", "at": i}``;
- series: ``{"op": "mute", "channel": c or null for all, "span": [a, b], "fill": "mean"|"zero"|"linear"}``;
- tables: ``{"op": "set", "column": j, "value": v}``, in the units that are shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.attribution import edit_images, edit_series, edit_tables, edit_texts
from analysis.data.batch import Batch
from analysis.data.tokens import numbered
from analysis.errors import ParameterError
from analysis.subject.opening import without_padding

MOST = 20
FIELDS: dict[str, dict[str, Any]] = {  # of each operation: name -> how it is read
    "paint": {"box": "box", "fill": ("mean", "zero", "black", "white")},
    "blur": {"box": "box", "sigma": "number"},
    "replace": {"at": "place", "token": "text"},
    "insert": {"at": "place", "token": "text"},
    "delete": {"at": "place"},
    "mute": {"channel": "place or none", "span": "span", "fill": ("mean", "zero", "linear")},
    "set": {"column": "place", "value": "number"},
}
OF_KIND = {
    "image": ("paint", "blur"),
    "text": ("replace", "insert", "delete"),
    "series": ("mute",),
    "table": ("set",),
}
LONGEST = 200  # characters of a token
_APPLY: dict[str, Callable[[Any, Batch, Mapping[str, Any]], Batch]] = {
    "image": edit_images.applied,
    "text": edit_texts.applied,
    "series": edit_series.applied,
    "table": edit_tables.applied,
}


def read(edit: Iterable[Any]) -> list[dict[str, Any]]:
    """Edits as plain values, checked as far as that needs no instance.

    Raises:
        ParameterError: an unknown operation, a missing or unreadable field, or too many edits.
    """
    if isinstance(edit, (str, bytes, Mapping)):
        raise ParameterError("Edits are no list.", "Give a list of operations.")
    given = list(edit)
    if len(given) > MOST:
        raise ParameterError(f"There are {len(given)} edits.", f"Make at most {MOST}.")
    return [_read(one) for one in given]


def _read(one: Any) -> dict[str, Any]:
    name = one.get("op") if isinstance(one, Mapping) else None
    if not isinstance(name, str) or name not in FIELDS:
        raise ParameterError(f"There is no edit {str(name)[:60]!r}.", f"Choose one of: {', '.join(FIELDS)}.")
    found: dict[str, Any] = {"op": name}
    for field, how in FIELDS[name].items():
        value = one.get(field, how[0] if isinstance(how, tuple) else None)
        try:
            found[field] = _field(how, value)
        except (TypeError, ValueError, OverflowError):
            raise ParameterError(f"The edit {name!r} has the {field} {str(value)[:60]!r}.", _accepted(how)) from None
    return found


def _field(how: Any, value: Any) -> Any:
    if isinstance(how, tuple):
        if value not in how:
            raise ValueError
        return value
    if how == "text":
        if not isinstance(value, str) or not value or len(value) > LONGEST:
            raise ValueError
        return value
    if how == "number":
        if isinstance(value, bool) or not math.isfinite(float(value)):
            raise ValueError
        return float(value)
    if how in ("box", "span"):
        if isinstance(value, (str, bytes)):
            raise TypeError
        return [_whole(part) for part in _sized(value, 4 if how == "box" else 2)]
    if how == "place or none" and value is None:
        return None
    return _whole(value)


def _sized(value: Any, size: int) -> list[Any]:
    parts = list(value)
    if len(parts) != size:
        raise ValueError
    return parts


def _whole(value: Any) -> int:
    if isinstance(value, bool) or float(value) != int(value) or int(value) < 0:
        raise ValueError
    return int(value)


def _accepted(how: Any) -> str:
    if isinstance(how, tuple):
        return f"Choose one of: {', '.join(how)}."
    return {
        "box": "Give [x0, y0, x1, y1], whole numbers from 0.",
        "span": "Give [first, behind the last], whole numbers from 0.",
        "number": "Give a number.",
        "text": f"Give a token of 1 to {LONGEST} characters.",
    }.get(how, "Give a whole number from 0.")


def applied(session: Any, batch: Batch, edit: Iterable[Mapping[str, Any]]) -> Batch:
    """A batch of one instance with the edits made; the given one stays as it is.

    Args:
        edit: as ``read`` returns it.

    Raises:
        ParameterError: an edit does not fit the kind of data, or lies outside the instance.
    """
    for one in edit:
        if one["op"] not in OF_KIND[session.kind]:
            raise ParameterError(
                f"The edit {one['op']!r} is for other data than {session.kind}.",
                f"Choose one of: {', '.join(OF_KIND[session.kind])}.",
            )
        batch = _APPLY[session.kind](session, batch, one)
    return batch


def tokens_of(session: Any, batch: Batch) -> list[str]:
    """The tokens of a batch of one text, without padding, as the model gets them."""
    ids = [int(value) for value in without_padding(batch, session.opened.kind, 0).tolist()]
    return session._decoder(ids) if session._decoder else numbered(ids)


def display_of(session: Any, batch: Batch) -> NDArray[Any]:
    """A batch of one instance as it is shown; see ``Session.display``."""
    displays = session.opened.displays
    if displays is None or displays.possible:
        return np.zeros((0, 0, 1), np.uint8) if session.kind == "image" else np.zeros(0, np.float32)
    shown: NDArray[Any] = displays.show(without_padding(batch, session.opened.kind, 0))
    return shown
