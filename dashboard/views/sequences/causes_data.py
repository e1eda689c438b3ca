"""Which units are tested, and what is known of it: the test is asked for by hand, results that are there are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dash import html

from dashboard import asking, subjects
from dashboard.views.sequences import data, word_parts
from dashboard.views.sequences.data import Frame
from dashboard.widgets.attributes import attributes

STORE = "sq-wanted"  # tokens of tests that the visitor asked for; assets/sequences_more.js keeps the list
MOST = 200
LARGEST = 1e4  # that units can be held at


@dataclass(frozen=True)
class Units:
    """What is tested. units: (). name: 'cluster U2' or 'unit 7'. cluster: its number, None for a unit."""

    units: tuple[int, ...]
    name: str
    cluster: int | None = None

    @property
    def said(self) -> str:
        """'cluster U2 (5 units)' or 'unit 7'."""
        return self.name if self.cluster is None else f"{self.name} ({count(len(self.units))})"


def count(units: int) -> str:
    """'1 unit', '5 units'."""
    return "1 unit" if units == 1 else f"{units:,} units"


def chosen(shown: Frame) -> Units | None:
    """The pinned cluster of units, or the chosen unit; None if neither is there."""
    pinned = shown.selection.cluster
    if pinned.startswith("u"):
        found = next((one for one in clusters(shown) if one.cluster == int(pinned[1:])), None)
        if found is not None:
            return found
    unit = word_parts.unit_of(shown)
    return None if unit is None else Units((unit,), f"unit {unit}")


def clusters(shown: Frame) -> list[Units]:
    """Clusters of units that hold any, [] while they are not known."""
    answer = data.known_clusters(shown)
    if answer is None:
        return []
    return [
        Units(tuple(one["units"]), f"cluster {data.cluster_name('u', one['id'])}", int(one["id"]))
        for one in answer.json["unit_clusters"]
        if one["size"]
    ]


def params(shown: Frame, units: Units, mode: str, value: float) -> dict[str, Any]:
    """Of the question ``sequence_ablation``."""
    held = value if mode == "clamp" else 0.0
    return {**shown.source, "units": list(units.units), "mode": mode, "value": held}


def manner(mode: object, value: object) -> tuple[str, float]:
    """Mode and value as the controls give them; what cannot be read is as it was at first."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
    return ("clamp" if mode == "clamp" else "zero"), (float(value) if good else 0.0)  # type: ignore[arg-type]


def token(shown: Frame, given: dict[str, Any]) -> str:
    """Of a test of the weights shown."""
    return asking.mark("sequence_ablation", given, shown.selection.checkpoint)


def tokens(stored: object) -> set[str]:
    """Those that the browser keeps; what is no token is left out."""
    if not isinstance(stored, list):
        return set()
    return {one for one in stored[-MOST:] if isinstance(one, str) and len(one) <= 40}


def tested(shown: Frame, given: dict[str, Any], stored: set[str]) -> subjects.Asked:
    """The answer: asked for if the visitor wants it, else what there is already (state 'none' if nothing is)."""
    found = subjects.known(shown.selection, "sequence_ablation", **given)
    if found.state == "none" and token(shown, given) in stored:
        return subjects.ask(shown.selection, "sequence_ablation", wait=0.0, **given)
    return found


def button(label: str, wanted: Sequence[str], *, said: str = "") -> html.Button:
    """Asks for these tests. said: its accessible name, where the label does not say of what."""
    more = {"data-sq-want": " ".join(wanted)} | ({"aria-label": said} if said else {})
    return html.Button(label, type="button", className="outline-button", **attributes(more))
