"""How each parameter of the selection is read from a URL. Every reader raises ValueError for what it does not take."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

MAX_RUNS = 2
MAX_TEXT = 4096
MAX_INDICES = 5000  # in a list of filters or instances
MAX_CORNERS = 64
MAX_METHODS = 12  # beside each other
MAX_CLUSTERS = 20
MAX_LAYERS = 400  # in a list of layers or modules
MAX_WORDS = 6  # whose responses lie over each other
SAMPLE = (10, 1_000_000)  # instances
_RUN_ID = re.compile(r"[A-Za-z0-9_.-]{1,80}")


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


def _matching(pattern: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(text)
        return text

    return read


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    if len(names) > MAX_METHODS or not all(re.fullmatch(r"[a-z_]{1,40}", name) for name in names):
        raise ValueError(text)
    return names


def _dotted(text: str) -> tuple[str, ...]:
    """Names of modules or keys of layers."""
    names = tuple(dict.fromkeys(part for part in text.split(",") if part))
    if len(text) >= MAX_TEXT or len(names) > MAX_LAYERS:
        raise ValueError(text)
    return names


def _clusters(text: str) -> int:
    count = _count(text)
    if count not in (0, *range(2, MAX_CLUSTERS + 1)):
        raise ValueError(text)
    return count


def _words(text: str) -> tuple[int, ...]:
    numbers = tuple(dict.fromkeys(_counts(text)))
    if len(numbers) > MAX_WORDS:
        raise ValueError(text)
    return numbers


def _whole(text: str) -> str:
    if len(text) >= MAX_TEXT:  # cut off
        raise ValueError(text)
    return text


def _slug(text: str) -> str:
    if not re.fullmatch(r"[a-z]{1,30}", text):
        raise ValueError(text)
    return text


READERS: dict[str, Callable[[str], Any]] = {
    "view": _slug,
    "runs": _runs,
    "checkpoint": str,
    "layer": str,
    "step": _count,
    "base": _base,
    "filter": _count,
    "instances": _counts,
    "subset": _whole,
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
    "methods": _names,
    "method": lambda text: _names(text)[0],
    "target": _matching(r"predicted|true|\d{1,9}(-\d{1,9})?"),
    "explain": _choice("output", "unit"),
    "baseline": _choice("zero", "mean", "blur", "own"),
    "params": _matching(r"[\w.=;:#+\- ]{1,2000}"),
    "asign": _choice("signed", "positive", "absolute"),
    "aclip": _between(90.0, 100.0),
    "aopacity": _between(0.0, 1.0),
    "aoutline": _choice("off", "on"),
    "ascale": _choice("own", "common"),
    "aorder": _choice("wrong", "confidence", "loss", "disagreement", "index"),
    "alist": _choice("strip", "grid"),
    "edit": _whole,
    "sstate": _choice("hidden", "cell"),
    "sdepth": _count,
    "swords": _choice("tokens", "quantiles", "motifs"),
    "sweight": _choice("signed", "raw", "positive", "absolute"),
    "sk": _clusters,
    "sleast": lambda text: max(1, _count(text)),
    "snorm": _between(0.0, 0.95),
    "word": _words,
    "cluster": _matching(r"[wu]\d{1,3}"),
    "scolor": _choice("class", "label", "pos", "cluster"),
    "slinks": _between(0.0, 1.0),
    "sclip": _between(50.0, 100.0),
    "stext": _whole,
    "sspan": _matching(r"\d{1,9}-\d{1,9}"),
    "son": _between(0.0, 1.0),
    "gcolor": _choice("type", "parameters", "time", "change"),
    "gopen": _dotted,
    "gother": str,
    "xvalue": _choice("activation", "gradient"),
    "xsort": _matching(r"index|selectivity|similarity|row:\d{1,4}"),
    "xtop": _count,
    "xby": _choice("given", "similarity"),
    "xscale": _choice("neuron", "layer"),
    "xrows": _whole,
    "xlayers": _dotted,
    "pmethod": _matching(r"[a-z_]{1,20}"),
    "pcolor": _whole,
    "plasso": _polygon,
    "rkind": _choice("rules", "tree", "linear"),
    "rof": _choice("prediction", "error"),
    "scompare": _matching(r"(state|depth|layer|checkpoint):.{1,200}"),
}
