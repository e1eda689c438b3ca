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
}


@dataclass(frozen=True)
class Selection:
    """What is selected.

    runs: ids, one or two (the second is the comparison). step: None follows the latest record. base: what histograms
    are compared with: 'first', 'previous' or a step. tag: metric groups drawn; () means the default ones.
    range: x-range of the curves in units of ``axis``, None = all. limit: total-variation distance under which a layer
    counts as settled. instances, subset: for the views that show instances.
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
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


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
}


def group_names() -> Iterable[str]:
    """Names of the stores that hold a group, in order."""
    return tuple(f"sel-{name}" for name in GROUPS)
