"""From the selection to what views of the sample show: the subject, its activations, the layer chosen.

Every panel of such a view begins with ``frame(search)``. It raises ``NotReady`` while there is nothing to draw, with a
line for a figure and a component for a box; nothing is computed before the view is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.extraction.reader import Extraction
from analysis.layerinfo import LayerInfo
from dashboard import subjects
from dashboard.asking import NotReady, described, mark
from dashboard.selection import Selection


@dataclass(frozen=True)
class Frame:
    """What all panels show.

    layers: those with activations, in network order. layer: the chosen one, or the first. chosen: whether it was chosen
    by the reader. extraction: activations of the sample, perhaps of a part of it so far. key: changes whenever the
    activations do.
    """

    selection: Selection
    description: dict[str, Any]
    extraction: Extraction
    layers: list[LayerInfo]
    layer: LayerInfo
    chosen: bool
    key: str

    @property
    def class_names(self) -> list[str]:
        """Names by label."""
        return [str(name) for name in self.extraction.class_names]

    @property
    def count(self) -> str:
        """'1,000 instances', or how many of them are there so far."""
        found = self.extraction
        if found.complete:
            return f"{found.done:,} instance{'' if found.done == 1 else 's'}"
        return f"from {found.done:,} of {found.planned:,} instances"

    @property
    def grouping(self) -> str:
        """What instances are grouped by: 'label', or 'prediction' where none of them has a label."""
        return "label" if bool((self.extraction.labels >= 0).any()) else "prediction"

    def class_name(self, label: int) -> str:
        """A label's name; 'no label' for -1."""
        if label < 0:
            return "no label"
        names = self.class_names
        return names[label] if label < len(names) else f"label {label}"


def frame(search: object) -> Frame:
    """What is shown for an address. Raises NotReady, or a CutawayError of what failed."""
    selection = Selection.parse(search)
    description = described()
    # Not waited for: every panel would hold a thread of the server. The pulse brings what was finished.
    found = subjects.extraction(selection, wait=0.0)
    reader = found.reader
    if reader is None or not reader.done:
        raise _no_activations(found)
    layers = list(reader.layers)
    if not layers:
        raise NotReady("Layers", "None of the model's layers can be read.", "The Subject view gives each one's reason.")
    layer = _chosen(selection, layers, description)
    # The directory is named by all that the activations depend on.
    key = mark(str(reader.directory), reader.done)
    return Frame(selection, description, reader, layers, layer, selection.layer is not None, key)


def _no_activations(found: Any) -> NotReady:
    job = found.job
    if found.state in ("failed", "cancelled") or (job is not None and job.state in ("failed", "cancelled", "lost")):
        error = (job.error if job else None) or {}
        cancelled = job is not None and job.state == "cancelled"
        message = "Reading the activations was cancelled." if cancelled else error.get("message")
        return NotReady(
            "The activations",
            str(message or "Reading the activations failed."),
            "Try again with the button at the top of the page.",
        )
    return reading()


def reading() -> NotReady:
    """No activation is there yet."""
    return NotReady("The activations", "This comes when the activations of the sample are read.", waiting=True)


def _chosen(selection: Selection, layers: Sequence[LayerInfo], description: dict[str, Any]) -> LayerInfo:
    if selection.layer is None:
        return next((info for info in layers if not info.output), layers[0])
    for info in layers:
        if info.key == selection.layer:
            return info
    calls = [info for info in layers if info.name == selection.layer]
    if calls:  # a layer recorded by its name is called several times here
        return calls[0]
    for item in description.get("layers", []):
        if item.get("key") == selection.layer and item.get("reason"):
            raise NotReady(selection.layer, f"{selection.layer} cannot be shown: {item['reason']}.", "Choose another.")
    raise NotReady(
        "Layer",
        f"This model has no layer '{selection.layer}'.",
        "Choose one of: " + ", ".join(info.key for info in layers[:6]) + ("." if len(layers) <= 6 else ", …"),
    )
