"""What the Projection panel shows: where the instances lie, what the map says of itself, what colours them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import CutawayError, NotFound
from analysis.neurons import projection_methods as methods
from analysis.neurons import projection_space as spaces
from analysis.results import Answer
from dashboard import asking, members, services, subjects
from dashboard.pictures import addresses, points
from dashboard.selection import Selection
from dashboard.views.model import data
from dashboard.widgets import lasso

RANDOM_STATE = 0
MOST_AT_ONCE = 40_000_000  # numbers of a layer of which the page computes a PCA itself, within a moment
NEIGHBOURS = 10
NUMBERS = ("label", "prediction", "correct", "confidence", "neuron")


@dataclass(frozen=True)
class Projection:
    """Instances as points.

    shown: the frame. method: what is drawn, wanted: what was asked for. xy: (n, 2), NaN for what has no place.
    explained: shares of the variance along the axes of a PCA. address: of the places. answer: the figures of what is
    drawn, None while there are none. pending: why what was asked for, or its figures, are not there yet. lassoed: (n,)
    bool, None without a lasso. key: changes whenever the places or the figures do.
    """

    shown: data.Frame
    method: methods.Method
    wanted: methods.Method
    xy: NDArray[np.float32]
    explained: tuple[float, ...]
    address: str
    answer: Answer | None
    pending: asking.Pending | None
    lassoed: NDArray[np.bool_] | None
    key: str

    @property
    def stands_in(self) -> bool:
        """Whether this is not yet what was asked for."""
        return self.method is not self.wanted

    @property
    def figures(self) -> dict[str, Any]:
        """Of the answer; {} while there is none."""
        return self.answer.json if self.answer is not None else {}

    @property
    def drawn(self) -> int:
        """Points that have a place."""
        return int(np.isfinite(self.xy).all(axis=1).sum())


def load(shown: data.Frame) -> Projection:
    """The map of the layer shown. Raises Pending when nothing can be drawn at once, and a CutawayError."""
    wanted = methods.get(shown.selection.pmethod)
    pending: asking.Pending | None = None
    answer: Answer | None = None
    try:
        answer = _ask(shown, wanted)
    except asking.Pending as error:
        pending = error
    if answer is not None and answer.json.get("n") != shown.extraction.done:
        answer = None  # of all instances, of which some are not read yet
    small = shown.extraction.done * shown.layer.filters <= MOST_AT_ONCE
    # A small PCA is always the page's own, so that nothing moves when its figures arrive.
    if answer is not None and (wanted.place is not None or not small):
        xy, address = _kept("xy", answer), addresses.points(answer=answer.key)
        shares = tuple(answer.json["explained"]) if wanted.place is None else ()
        return _made(shown, wanted, wanted, xy, shares, address, answer, pending)
    if not small:
        raise pending or asking.NotReady("Projection", "The instances are being read.", waiting=True)
    flat, shares, address = _at_once(shown)
    return _made(shown, methods.METHODS[0], wanted, flat, shares, address, answer, pending)


def _made(
    shown: data.Frame,
    method: methods.Method,
    wanted: methods.Method,
    xy: NDArray[np.float32],
    shares: tuple[float, ...],
    address: str,
    answer: Answer | None,
    pending: asking.Pending | None,
) -> Projection:
    outline = shown.selection.plasso
    # A polygon is in the coordinates of the map that was asked for.
    inside = lasso.inside(outline, xy) if outline and method is wanted else None
    key = asking.mark(shown.key, address, answer.key if answer else "", pending.mark if pending else "")
    return Projection(shown, method, wanted, xy, shares, address, answer, pending, inside, key)


def _ask(shown: data.Frame, method: methods.Method) -> Answer:
    """The map by this method. Raises Pending until it is there, or until the one that it starts from is."""
    named = f"{method.title} of {shown.layer.name}"
    given: dict[str, Any] = {"layer": shown.layer.key, "method": method.name, "random_state": RANDOM_STATE}
    if shown.selection.checkpoint is None:
        return asking.ask(shown.selection, "projection", named, align=reference(shown), start="", **given)
    if method.place is None:
        own = _own(shown, given)
        place: dict[str, Any] = {"align": "", "start": own.key} if own else {"align": reference(shown), "start": ""}
        return asking.ask(shown.selection, "projection", named, **place, **given)
    first = asking.ask(
        shown.selection.with_(checkpoint=None),
        "projection",
        f"{named}, under the subject's own weights, which it starts from",
        align=reference(shown),
        start="",
        **given,
    )
    return asking.ask(shown.selection, "projection", named, align="", start=first.key, **given)


def _own(shown: data.Frame, given: dict[str, Any]) -> Answer | None:
    """The map under the subject's own weights if there is one already: a PCA waits for nothing."""
    found = subjects.known(
        shown.selection.with_(checkpoint=None), "projection", align=reference(shown), start="", **given
    )
    return found.answer


def reference(shown: data.Frame) -> str:
    """The layer whose map the others start from: the first one; '' for that layer itself.

    An early layer, not the last: what lies apart at the start may stay apart, and what a later layer takes apart must
    not show before it.
    """
    first = min(shown.layers, key=lambda info: info.order)
    return "" if first.key == shown.layer.key else first.key


def _at_once(shown: data.Frame) -> tuple[NDArray[np.float32], tuple[float, ...], str]:
    """PCA without the worker: places, shares and the address of the same."""
    extraction, align = shown.extraction, reference(shown)
    given = {"layer": shown.layer.key, "method": "pca", "random_state": RANDOM_STATE}
    facing = _own(shown, given) if shown.selection.checkpoint else None
    xy, shares = points.first(extraction, shown.layer.key, align, facing)
    address = addresses.points(
        extraction=extraction.directory.name,
        rows=extraction.done,
        layer=shown.layer.key,
        reference=align or None,
        facing=facing.key if facing else None,
    )
    return xy, tuple(float(share) for share in shares), address


def _kept(name: str, answer: Answer) -> NDArray[Any]:
    found: NDArray[Any] = services.current().kept.get(("projection", name, answer.key), lambda: answer.array(name))
    return found


@dataclass(frozen=True)
class Coloured:
    """What colours the points. made: None with the reason while it is not there. address: of a byte for each."""

    made: points.Colouring | None
    address: str
    reason: str = ""


def coloured(shown: data.Frame) -> Coloured:
    """The colours that were chosen, or why there are none."""
    chosen, extraction = shown.selection, shown.extraction
    by, neuron, columns = chosen.pcolor, 0, None
    given: dict[str, Any] = {}
    if by == "neuron":
        word = "filter" if shown.layer.kind == "conv" else "unit"
        if chosen.filter is None:
            return Coloured(None, "", f"Choose a {word} in the matrix or in the Layers view to colour by it.")
        neuron = chosen.filter
        given = {"layer": shown.layer.key, "neuron": neuron}
    elif by not in NUMBERS and not by.startswith("column:"):
        return Coloured(None, "", f"There is no colour '{by[:40]}'.")
    elif by.startswith("column:"):
        table = members.table(shown)
        column = table.columns.get(by.partition(":")[2])
        if column is None and table.waiting:
            return Coloured(None, "", "The columns of the instances are being computed.")
        if column is not None and column.source != "model":
            columns = subjects.known(chosen, members.QUESTION).answer
            given = {"columns": columns.key} if columns else {}

    def make() -> points.Colouring:
        return points.colouring(extraction, by, layer=shown.layer.key, neuron=neuron, columns=columns)

    try:
        key = ("projection-colour", str(extraction.directory), extraction.done, by, tuple(given.values()))
        made = services.current().kept.get(key, make)
    except NotFound as error:
        return Coloured(None, "", f"{error.message} {error.remedy}")
    return Coloured(made, addresses.colours(extraction.directory.name, extraction.done, by, **given))


@dataclass(frozen=True)
class Faded:
    """The subset that stands out. inside: (n,) bool, None without one. title: of it. reason: why it cannot be shown."""

    inside: NDArray[np.bool_] | None
    title: str = ""
    reason: str = ""


def highlighted(shown: data.Frame) -> Faded:
    """The chosen subset; every instance belongs to 'all', which fades nothing."""
    text = shown.selection.subset
    if not text or text == "all":
        return Faded(None)
    try:
        return Faded(members.mask(shown, text), members.title(shown, text))
    except asking.NotReady as error:
        return Faded(None, reason=error.reason)
    except CutawayError as error:
        return Faded(None, reason=f"{error.message} {error.remedy}")


def chosen_row(shown: data.Frame) -> int | None:
    """The row of the chosen instance; None without one, or if it is not in the sample."""
    first = shown.selection.instances
    if not first:
        return None
    # Not ``row_of``: its table of a million rows would be made anew for every request.
    rows = np.flatnonzero(shown.extraction.indices == first[0])
    return int(rows[0]) if len(rows) else None


def near(found: Projection, row: int) -> tuple[NDArray[np.int64], NDArray[np.float64], str]:
    """The instances nearest to one in the layer: rows, distances, and what they were measured in.

    Raises Pending while the components of a large sample are not there.
    """
    shown = found.shown
    count = shown.extraction.done
    if count * shown.layer.filters <= MOST_AT_ONCE:
        key = ("projection-space", shown.key, shown.layer.key)
        space = services.current().kept.get(key, lambda: spaces.space(shown.extraction.mean(shown.layer.key)))
        at = int(np.searchsorted(space.rows, row))
        if at >= len(space.rows) or space.rows[at] != row:
            return np.zeros(0, np.int64), np.zeros(0), ""
        rows, apart = spaces.neighbours(space.values, at, NEIGHBOURS)
        return space.rows[rows], apart, f"{space.values.shape[1]:,} standardised mean activations"
    if found.answer is None or "reduced" not in found.answer.names():
        raise found.pending or asking.NotReady("Neighbours", "They come with the projection.", waiting=True)
    values = _kept("reduced", found.answer)
    known = np.flatnonzero(np.isfinite(values).all(axis=1))
    at = int(np.searchsorted(known, row))
    if at >= len(known) or known[at] != row:
        return np.zeros(0, np.int64), np.zeros(0), ""
    rows, apart = spaces.neighbours(values[known], at, NEIGHBOURS)
    return known[rows], apart, f"the first {values.shape[1]} principal components"


def export(shown: data.Frame) -> str:
    """Address of the points as CSV."""
    wanted = ("checkpoint", "runs", "n", "include", "pmethod", "plasso")
    values = {name: getattr(shown.selection, name) for name in wanted}
    query = Selection(**{**values, "layer": shown.layer.key}).query()
    return f"{services.current().settings.path_prefix}export/model/projection.csv{query}"
