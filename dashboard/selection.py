"""The selection: one immutable value that says what every panel shows, and its form in the URL.

A reload, back/forward, a copied link and a second browser all rebuild the same page from it. Values that do not parse
are left out and named in ``problems``: an old or mistyped link still opens, and says what it could not use.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from dashboard.readers import MAX_TEXT, READERS

Axis = Literal["step", "epoch", "wall"]

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
    "explain": ("methods", "target", "explain", "baseline", "params"),
    "method": ("method",),
    "look": ("asign", "aclip", "aopacity", "aoutline", "ascale"),
    "order": ("aorder",),
    "list": ("alist",),
    "edit": ("edit",),
    "subset": ("subset",),
    "states": ("sstate", "sdepth", "swords"),
    "cocluster": ("sweight", "sk", "sleast", "snorm"),
    "word": ("word",),
    "cluster": ("cluster",),
    "wordlook": ("scolor", "slinks", "sclip"),
    "text": ("stext",),
    "span": ("sspan", "son"),
    "compare": ("scompare",),
    "graph": ("gcolor", "gopen", "gother"),
    "matrix": ("xvalue", "xsort", "xtop", "xby", "xscale"),
    "rows": ("xrows",),
    "stack": ("xlayers",),
    "projection": ("pmethod", "pcolor"),
    "plasso": ("plasso",),
    "surrogate": ("rkind", "rof"),
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

    Of attributions: methods: their names, () for the subject's defaults. method: the one looked at closely. target: as
    ``analysis.attribution.targets`` reads it. explain: the 'output', or the chosen filter ('unit'). baseline: of all
    methods that take one. params: others, 'method.name=value;...'. asign, aclip, aopacity, aoutline, ascale: how maps
    are drawn. aorder: of the instances offered, alist: as a strip or a grid. edit: changes of the instance, JSON.

    subset: which instances panels are about, as ``analysis.subsets.subset`` reads it: 'all', 'wrong', 'class:3',
    'predicted:3', or an expression.

    Of the Model view: gcolor: what the graph's colour means, gopen: modules that are expanded, gother: the checkpoint
    that parameters are compared with. xvalue: of the matrix, xsort: its columns' order, 'index' or 'row:3' or a rule,
    xtop: columns shown, 0 for all, xby: order of its rows, xscale: of its colours, xrows: its further rows, JSON,
    xlayers: layers stacked. pmethod, pcolor: of the
    projection, plasso: polygon in its coordinates. Of the Instances view: rkind, rof: of the surrogate.
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
    methods: tuple[str, ...] = ()
    method: str | None = None
    target: str = "predicted"
    explain: str = "output"
    baseline: str = "zero"
    params: str = ""
    asign: str = "signed"
    aclip: float = 99.5
    aopacity: float = 0.7
    aoutline: str = "off"
    ascale: str = "own"
    aorder: str = "wrong"
    alist: str = "strip"
    edit: str = ""
    sstate: str = "hidden"
    sdepth: int | None = None
    swords: str | None = None
    sweight: str = "signed"
    sk: int = 0
    sleast: int = 5
    snorm: float = 0.25
    word: tuple[int, ...] = ()
    cluster: str = ""
    scolor: str = "class"
    slinks: float = 0.3
    sclip: float = 99.0
    stext: str = ""
    sspan: str = ""
    son: float = 0.5
    scompare: str = ""
    gcolor: str = "type"
    gopen: tuple[str, ...] = ()
    gother: str | None = None
    xvalue: str = "activation"
    xsort: str = "index"
    xtop: int = 0
    xby: str = "given"
    xscale: str = "neuron"
    xrows: str = ""
    xlayers: tuple[str, ...] = ()
    pmethod: str = "pca"
    pcolor: str = "label"
    plasso: tuple[float, ...] = ()
    rkind: str = "rules"
    rof: str = "prediction"
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
            reader = READERS.get(name)
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

    @property
    def steps(self) -> tuple[int, int] | None:
        """First and last of the steps chosen, from 0; None if none are."""
        first, _, last = self.sspan.partition("-")
        return (int(first), int(last)) if first else None

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


def group_names() -> Iterable[str]:
    """Names of the stores that hold a group, in order."""
    return tuple(f"sel-{name}" for name in GROUPS)
