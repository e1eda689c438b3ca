"""One cell of the matrix: its exact value, and the distribution that the mean stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.errors import NotFound
from analysis.layerinfo import LayerInfo
from analysis.neurons.quantiles import PERCENTILES, Distribution, distribution
from analysis.neurons.quantiles import cell as of_subset
from dashboard.framing import Frame
from dashboard.views.model import matrix_data
from dashboard.views.model.matrix_rows import Row, Rows, rows_of
from dashboard.views.model.matrix_words import noun
from dashboard.wording import column, finite


@dataclass(frozen=True)
class Cell:
    """A row and a neuron. own: distribution over the row's instances; rest: over all others of the sample, in the same
    bins where there are both."""

    layer: LayerInfo
    neuron: int
    row: Row
    own: Distribution
    rest: Distribution
    gradient: bool

    @property
    def named(self) -> str:
        """'unit 17 of fc1'."""
        return f"{noun(self.layer, 1)} {self.neuron} of {self.layer.key}"


def cell(shown: Frame, place: int, layer: str, neuron: int, found: Rows | None = None) -> Cell:
    """The cell of a row (its place in the given order) and a neuron.

    Raises:
        NotFound: there is no such row, layer or neuron. asking.NotReady: the numbers are not there yet.
    """
    found = rows_of(shown) if found is None else found
    if not 0 <= place < len(found.rows):
        raise NotFound(f"The matrix has no row {place:,}.", "Reload the page: its rows have changed.")
    info = next((info for info in shown.layers if info.key == layer), None)
    if info is None or not 0 <= neuron < info.filters:
        raise NotFound(f"There is no neuron {neuron:,} in {layer[:80]!r}.", "Choose one of the matrix.")
    values, _ = matrix_data.values_of(shown, info)
    row = found.rows[place]
    own = of_subset(values, row.members, neuron)
    others = np.ones(len(values), bool)
    others[row.members] = False
    rest = of_subset(values, others, neuron) if others.any() else distribution(np.zeros(0))
    return Cell(info, neuron, row, own, rest, shown.selection.xvalue == "gradient")


def bins(one: Cell) -> dict[str, Any]:
    """Shares of the instances in 32 common bins: {'low', 'high', 'own': [32], 'rest': [32]}; None without any."""
    ends = [d.edges[[0, -1]] for d in (one.own, one.rest) if len(d.edges)]
    if not ends:
        return {"low": None, "high": None, "own": [], "rest": []}
    low, high = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
    return {"low": low, "high": high, "own": _shared(one.own, low, high), "rest": _shared(one.rest, low, high)}


def _shared(found: Distribution, low: float, high: float) -> list[float]:
    """A histogram in other bins: the instances of a bin are spread evenly over it."""
    if not found.n:
        return []
    edges = np.linspace(low, high, len(found.counts) + 1)
    summed = np.concatenate([[0.0], np.cumsum(found.counts)])
    shares = np.diff(np.interp(edges, found.edges, summed)) / found.n
    return [round(float(share), 5) for share in shares]


def value(one: Cell) -> dict[str, Any]:
    """What the page shows of a cell: numbers for the strip, and all of it in words."""
    return {
        "title": title(one),
        "words": words(one),
        "own": one.own.to_json(),
        "rest": one.rest.to_json(),
        "bins": bins(one),
        "empty": one.row.n == 0,
    }


def title(one: Cell) -> str:
    """'Unit 17 of fc1 on label 3 (102 instances): mean 1.234'."""
    name = one.named[:1].upper() + one.named[1:]
    said = _number(one.own.mean) if one.own.n else "no value"
    what = ": " if one.row.index is not None else ": mean "
    return f"{name} on {one.row.name}{what if one.own.n else ': '}{said}"


def words(one: Cell) -> str:
    """The distribution in words, its modes first, since a mean hides them."""
    own, rest = one.own, one.rest
    if not one.row.n:
        return "The subset is empty: there is no mean."
    if not own.n:
        return "None of its instances has a finite value here: the layer was not called for them."
    told = _others(one)
    if one.row.index is not None:
        return told
    parts = [_modes(one), _spread(own)]
    if not one.gradient and own.zeros > 0:
        parts.append(f"{_percent(own.zeros)} are exactly 0")
    if own.missing:
        parts.append(f"{own.missing:,} have no finite value and are left out")
    if own.sampled:
        parts.append(f"from {own.n:,} of {own.sampled:,} instances, drawn at random")
    text = "; ".join(part for part in parts if part) + ". " + (told if rest.n else "")
    return text[:1].upper() + text[1:]


def _modes(one: Cell) -> str:
    if len(one.own.modes) < 2:
        return ""
    count = {2: "Two", 3: "Three"}.get(len(one.own.modes), str(len(one.own.modes)))
    return f"{count} modes, near {' and '.join(_numbers(one.own.modes))}, which the mean does not show"


def _spread(own: Distribution) -> str:
    low, quarter, middle, three, high = _numbers(own.percentiles.tolist())
    half = f"half of them from {quarter} to {three}" if quarter != three else "and at least half of them there"
    return f"median {middle}, {half}, 90 % from {low} to {high}"


def _others(one: Cell) -> str:
    if not one.rest.n:
        return ""
    mean, median = _number(one.rest.mean, 3), _number(one.rest.percentiles[2], 3)
    share = f"All other instances of the sample: mean {mean}, median {median}."
    if one.row.index is None:
        return share
    at = _rank(one)
    return f"{at} {share}"


def _rank(one: Cell) -> str:
    """Between which percentiles of the others an instance's value lies."""
    value_ = one.own.mean
    marks = [p for p, q in zip(PERCENTILES, one.rest.percentiles.tolist(), strict=True) if value_ > q]
    if not marks:
        return f"No higher than the {PERCENTILES[0]}th percentile of the others."
    return f"Above the {'median' if marks[-1] == 50 else f'{marks[-1]}th percentile'} of the others."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share < 0.995 or share == 1 else f"{100 * share:.1f} %"


def _number(value_: float, digits: int = 4) -> str:
    return finite(value_ + 0.0, digits).replace("-", "−")  # + 0.0: no "−0"


def _numbers(values: Sequence[float]) -> list[str]:
    return [text.replace("-", "−") for text in column([value + 0.0 for value in values], 3)]
