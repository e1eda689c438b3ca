"""What part of an instance a position of a layer sees, and the crops that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotFound
from analysis.extraction.reader import Extraction
from analysis.layerinfo import LayerInfo
from analysis.layers.statistics import top_instances
from analysis.results import Answer
from dashboard.pictures import draw

MOST_PATCHES = 60
MOST_SIDE = 96  # pixels of a crop's longer side in a sprite


@dataclass(frozen=True)
class Patch:
    """A place in an instance.

    instance: index in the data set. box: [start, stop) per place axis, in pixels or steps of the input; () is all of
    it. value: the activation there, NaN if it is not known.
    """

    instance: int
    box: tuple[tuple[int, int], ...]
    value: float = float("nan")


def boxes(fields: Answer | None, info: LayerInfo, positions: NDArray[Any]) -> list[tuple[tuple[int, int], ...]]:
    """What each position (P, d) of a layer sees: [start, stop) per axis; () when it sees everything or cannot be told.

    fields: answer of the question ``receptive_fields``.
    """
    places = len(info.spatial)
    if fields is None or not places or positions.shape[1] != places or info.key in (fields.json.get("whole") or ()):
        return [()] * len(positions)
    try:
        ranges = [fields.array(f"{info.key}/{axis}") for axis in range(places)]
    except KeyError:
        return [()] * len(positions)
    columns = [r[np.clip(positions[:, a], 0, len(r) - 1)] for a, r in enumerate(ranges)]
    return [tuple((int(c[i, 0]), int(c[i, 1])) for c in columns) for i in range(len(positions))]


def top_patches(extraction: Extraction, fields: Answer | None, key: str, index: int, count: int = 12) -> list[Patch]:
    """Where a filter answered most, one patch per instance, the strongest first; silent instances are left out.

    key: of the layer. index: of the filter.

    Raises:
        NotFound: no such layer or filter.
    """
    info = extraction.layer(key)
    if not 0 <= index < info.filters:
        raise NotFound("This layer has no such filter.", f"It has {info.filters:,}.")
    top = top_instances(extraction, key, index, count)
    found = boxes(fields, info, top.positions)
    rows = zip(top.indices, found, top.values, strict=True)
    return [Patch(int(instance), box, float(value)) for instance, box, value in rows]


def place_text(kind: str, box: Sequence[tuple[int, int]]) -> str:
    """'rows 4 to 8, columns 0 to 4', 'steps 16 to 24'; '' for the whole instance."""
    if not box:
        return ""
    names = {2: ("rows", "columns"), 1: ("tokens" if kind == "text" else "steps",)}.get(len(box), ())
    if not names:
        return ""
    return ", ".join(f"{name} {a} to {b - 1}" for name, (a, b) in zip(names, box, strict=True))


def crop(kind: str, display: NDArray[Any], box: Sequence[tuple[int, int]]) -> NDArray[Any]:
    """The part of an instance's picture that a box shows: image (h, w, c), series (channels, t); never empty."""
    first, axes = (0, 2) if kind == "image" else (1, 1)
    if len(box) != axes:
        return display
    cut = [slice(None)] * display.ndim
    for axis, (start, stop) in enumerate(box, first):
        low = min(max(0, start), display.shape[axis] - 1)
        cut[axis] = slice(low, max(low + 1, stop))
    return display[tuple(cut)]


def tiles(extraction: Extraction, patches: Sequence[Patch]) -> list[NDArray[Any]]:
    """A tile per patch: its crop of the original instance; an instance without a picture is an empty tile.

    Raises:
        NotFound: neither images nor series.
    """
    kind = extraction.kind
    if kind not in ("image", "series"):
        raise NotFound(f"Instances of kind '{kind}' have no pictures.", "The page shows them as text or figures.")
    found: list[NDArray[Any]] = []
    for patch in patches:
        try:
            display = np.asarray(extraction.display(patch.instance))
        except NotFound:
            found.append(np.zeros((1, 1, 4), np.uint8))
            continue
        part = crop(kind, display, patch.box)
        if kind == "image":
            found.append(draw.shrunk(part, MOST_SIDE))
        else:
            finite = display[np.isfinite(display)]
            low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
            found.append(draw.wave(part, low=low, high=high))
    return found


def sheet_of(found: Sequence[NDArray[Any]]) -> draw.Sheet:
    """The sprite that holds these tiles, in the order given, ten abreast."""
    height = max((tile.shape[0] for tile in found), default=1)
    width = max((tile.shape[1] for tile in found), default=1)
    return draw.Sheet(max(1, len(found)), min(10, max(1, len(found))), width, height)
