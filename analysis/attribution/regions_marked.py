"""Parts of an instance that people mark: boxes, positions, spans, columns. Checked, and as masks. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ParameterError

PARTS = 200  # of one region
NUMBERS = 1 << 26  # of an instance
AXES = {"image": (2, 3), "series": (2,), "text": (1,), "table": (1,)}
FORMS = {
    "image": "Give boxes [x0, y0, x1, y1] in pixels within {1:,} x {0:,}, x0 < x1 and y0 < y1.",
    "series": "Give spans [channel or null, first, end] within {0:,} channels and {1:,} steps.",
    "text": "Mark some of its tokens: 1 to {0:,}.",
    "table": "Give numbers of columns from 0 to {0:,}.",
}


def check_shape(kind: str, shape: Any) -> list[int]:
    """The shape of a map: image [H, W] (of [C, H, W] the places), series [channels, steps], text [tokens], table
    [columns]; [] if none is given. Raises ParameterError."""
    if kind not in AXES:
        raise ParameterError(f"{kind[:40]!r} is no kind of data.", f"Choose one of: {', '.join(AXES)}.")
    if not isinstance(shape, Sequence) or isinstance(shape, str) or not all(map(_whole, shape)):
        raise ParameterError("The shape of the map cannot be read.", "Give whole numbers.")
    found = [int(size) for size in shape]
    if not found:
        return []
    if len(found) not in AXES[kind] or min(found) < 1 or math.prod(found) > NUMBERS:
        raise ParameterError(f"A map of kind {kind!r} has no shape {found[:4]}.", "Give the shape of the map.")
    return found[-2:] if kind == "image" else found


def check_region(kind: str, shape: list[int], region: Any) -> list[Any]:
    """A region within a map of this shape. Raises ParameterError, saying what is accepted."""
    if not isinstance(region, Sequence) or isinstance(region, str):
        raise ParameterError("The region cannot be read.", "Mark it again.")
    if not region:
        return []
    if not shape:
        raise ParameterError("A region needs the shape of the map that it lies in.", "Mark it on the map.")
    if len(region) > PARTS:
        raise ParameterError(f"The region has {len(region):,} parts.", f"Mark at most {PARTS}.")
    for part in region:
        if not _fits(kind, shape, part):
            ends = [shape[0] - 1] if kind == "table" else [shape[0], shape[-1]]
            said = f"{str(part)[:60]} does not lie in the instance."
            if kind == "text" and _whole(part):  # kept from 0, counted from 1 where people read it
                said = f"The text has no token {part + 1:,}."
            raise ParameterError(said, FORMS[kind].format(*ends))
    return [list(part) if isinstance(part, Sequence) else part for part in region]


def mask_of(kind: str, shape: Sequence[int], region: Sequence[Any]) -> NDArray[np.bool_]:
    """A checked region as a boolean array of the shape of ``check_shape``, true inside it."""
    mask = np.zeros(tuple(shape), bool)
    for part in region:
        if kind == "image":
            x0, y0, x1, y1 = part
            mask[y0:y1, x0:x1] = True
        elif kind == "series":
            channel, first, end = part
            mask[slice(None) if channel is None else channel, first:end] = True
        else:
            mask[part] = True
    return mask


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _fits(kind: str, shape: list[int], part: Any) -> bool:
    if kind in ("text", "table"):
        return _whole(part) and 0 <= part < shape[0]
    if not isinstance(part, Sequence) or isinstance(part, str):
        return False
    if kind == "image":
        if len(part) != 4 or not all(map(_whole, part)):
            return False
        x0, y0, x1, y1 = part
        return bool(0 <= x0 < x1 <= shape[1] and 0 <= y0 < y1 <= shape[0])
    if len(part) != 3 or not all(map(_whole, part[1:])):
        return False
    channel, first, end = part
    known = channel is None or (_whole(channel) and 0 <= channel < shape[0])
    return bool(known and 0 <= first < end <= shape[1])
