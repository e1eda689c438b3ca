"""The selection: one immutable value that says what every panel shows, and its form in the URL.

A reload, back/forward, a copied link and a second browser all rebuild the same page from it. Values that do not parse
are left out and named in ``problems``: an old or mistyped link still opens, and says what it could not use.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

Axis = Literal["step", "epoch", "wall"]
MAX_RUNS = 2
MAX_TEXT = 4096
MAX_INDICES = 5000  # in a list of filters or instances
MAX_CORNERS = 64
SAMPLE = (10, 1_000_000)  # instances
_RUN_ID = re.compile(r"[A-Za-z0-9_.-]{1,80}")

# Groups of parameters that panels listen to, so that a change reaches only the panels that show it.
GROUPS: dict[str, tuple[str, ...]] = {
    "view": ("view",),
    "runs": ("runs",),
    "layer": ("layer",),
    "filter": ("filter",),
    "frame": ("step", "base"),
    "page": ("page",),
    "curves": ("tag", "axis", "scale", "smooth", "range"),
    "heat": ("mode", "sort"),
    "limit": ("limit",),
    "checkpoint": ("checkpoint",),
    "instance": ("instances",),
    "sample": ("n", "include"),
    "lheat": ("lmode", "lsort", "by"),
    "filters": ("filters",),
    "map": ("color", "embed", "undetected"),
    "lasso": ("lasso",),
    "drill": ("drill",),
    "maps": ("mapscale", "overlay"),
}


@dataclass(frozen=True)
class Selection:
    """What is selected.

    runs: ids, one or two (the second is the comparison). step: None follows the latest record. base: what histograms
    are compared with: 'first', 'previous' or a step. tag: metric groups drawn; () means the default ones.
    range: x-range of the curves in units of ``axis``, None = all. limit: total-variation distance under which a layer
    counts as settled. subset: of the views that show instances.

    Of the views that ask the model: instances: indices in the data set, the first one is *the* instance. n: size of
    the sample, include: indices always in it. filters: several filters of the layer, ascending. lmode, lsort, by:
    columns of the layer's heatmap, its order, and the class that 'class' sorts by. color, embed: of the input map;
    undetected: share of patches counted as undetected. lasso, drill: polygons in the map's coordinates, x0, y0, x1,
    y1, ...; the second is what is embedded anew. mapscale, overlay: of the feature maps.
    """

    view: str = ""
    runs: tuple[str, ...] = ()
    checkpoint: str | None = None
    layer: str | None = None
    step: int | None = None
    base: str = "first"
    filter: int | None = None
    instances: tuple[int, ...] = ()
    subset: str | None = None
    tag: tuple[str, ...] = ()
    axis: Axis = "step"
    scale: str = "linear"
    smooth: float = 0.6
    range: tuple[float, float] | None = None
    mode: str = "maximum"
    sort: str = "index"
    limit: float = 0.1
    page: int = 1
    n: int = 1000
    include: tuple[int, ...] = ()
    filters: tuple[int, ...] = ()
    lmode: str = "value"
    lsort: str = "index"
    by: int | None = None
    color: str = "label"
    embed: str = "pca"
    undetected: float = 0.1
    lasso: tuple[float, ...] = ()
    drill: tuple[float, ...] = ()
    mapscale: str = "common"
    overlay: str = "off"
    problems: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, search: object) -> Selection:
        """Read a URL's query, with or without its leading '?'; what is no text says nothing (a browser sent it)."""
        search = search if isinstance(search, str) else ""
        values: dict[str, Any] = {}
        problems: list[str] = []
        try:
            pairs = parse_qsl(search.lstrip("?"), keep_blank_values=False, max_num_fields=200)
        except ValueError:
            return cls(problems=("the link has too many parameters",))
        for name, text in pairs:
            reader = _READERS.get(name)
            if reader is None:
                continue
            try:
                value = reader(text[:MAX_TEXT])
            except ValueError:
                problems.append(f"{name} = {text[:60]}")
                continue
            values[name] = (*values[name], *value) if name == "tag" and name in values else value
        return cls(**values, problems=tuple(problems))

    def query(self) -> str:
        """The URL's query, with '?' when there is one; what is at its default is left out."""
        pairs: list[tuple[str, str]] = []
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "problems" or value == item.default:
                continue
            if item.name == "tag":
                pairs.extend(("tag", text) for text in value)
            else:
                pairs.append((item.name, _write(item.name, value)))
        return "?" + urlencode(pairs) if pairs else ""

    def with_(self, **changes: Any) -> Selection:
        """A copy with some values changed."""
        return replace(self, **changes)


def _write(name: str, value: Any) -> str:
    if name == "range":
        return "~".join(f"{end:.12g}" for end in value)
    if name in ("filters", "include"):
        return _write_ranges(value)
    if isinstance(value, tuple):
        return ",".join(f"{part:.7g}" if isinstance(part, float) else str(part) for part in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _write_ranges(values: tuple[int, ...]) -> str:
    """(1, 2, 5, 6, 7) -> '1,2,5-7'."""
    parts: list[str] = []
    start = 0
    for at in range(1, len(values) + 1):
        if at < len(values) and values[at] == values[at - 1] + 1:
            continue
        run = values[start:at]
        parts += [f"{run[0]}-{run[-1]}"] if len(run) > 2 else [str(value) for value in run]
        start = at
    return ",".join(parts)


def _choice(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(text)
        return text

    return read


def _between(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not low <= value <= high:  # also refuses NaN
            raise ValueError(text)
        return value

    return read


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,15}", text):
        raise ValueError(text)
    return int(text)


def _runs(text: str) -> tuple[str, ...]:
    ids = list(dict.fromkeys(part for part in text.split(",") if part))
    if len(ids) > MAX_RUNS or not all(_RUN_ID.fullmatch(part) for part in ids):
        raise ValueError(text)
    return tuple(ids)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(_count(part) for part in text.split(","))


def _ranges(text: str) -> tuple[int, ...]:
    if len(text) >= MAX_TEXT:  # cut off, perhaps inside a number
        raise ValueError(text)
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        low, high = _count(first), _count(last if dash else first)
        if not low <= high < low + MAX_INDICES:
            raise ValueError(text)
        found.update(range(low, high + 1))
        if len(found) > MAX_INDICES:
            raise ValueError(text)
    return tuple(sorted(found))


def _polygon(text: str) -> tuple[float, ...]:
    ends = tuple(float(part) for part in text.split(","))
    if len(ends) % 2 or not 6 <= len(ends) <= 2 * MAX_CORNERS or not all(abs(end) < 1e9 for end in ends):
        raise ValueError(text)
    return ends


def _sample(text: str) -> int:
    return int(_between(*SAMPLE)(str(_count(text))))


def _base(text: str) -> str:
    return text if text in ("first", "previous") else str(_count(text))


def _page(text: str) -> int:
    return max(1, _count(text))


def _range(text: str) -> tuple[float, float]:
    low, high = (float(part) for part in text.split("~"))
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(text)
    return low, high


def _slug(text: str) -> str:
    if not re.fullmatch(r"[a-z]{1,30}", text):
        raise ValueError(text)
    return text


_READERS: dict[str, Callable[[str], Any]] = {
    "view": _slug,
    "runs": _runs,
    "checkpoint": str,
    "layer": str,
    "step": _count,
    "base": _base,
    "filter": _count,
    "instances": _counts,
    "subset": str,
    "tag": lambda text: (text,),
    "axis": _choice("step", "epoch", "wall"),
    "scale": _choice("linear", "log"),
    "smooth": _between(0.0, 0.999),
    "range": _range,
    "mode": _choice("maximum", "frequency", "staleness"),
    "sort": _choice("index", "value"),
    "limit": _between(0.005, 1.0),
    "page": _page,
    "n": _sample,
    "include": _ranges,
    "filters": _ranges,
    "lmode": _choice("value", "class", "step"),
    "lsort": _choice("index", "value", "class", "similarity", "health"),
    "by": _count,
    "color": _choice("label", "prediction", "correct", "filter", "filters", "max"),
    "embed": _choice("pca", "umap"),
    "undetected": _between(0.0, 0.5),
    "lasso": _polygon,
    "drill": _polygon,
    "mapscale": _choice("common", "filter"),
    "overlay": _choice("off", "on"),
}


def group_names() -> Iterable[str]:
    """Names of the stores that hold a group, in order."""
    return tuple(f"sel-{name}" for name in GROUPS)
