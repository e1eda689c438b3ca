"""From the selection to the graph of the model, and to the weights that its own are compared with."""

from __future__ import annotations

from typing import Any

from analysis.errors import CutawayError
from analysis.results import Answer
from dashboard import asking, services, subjects
from dashboard.selection import Selection

OWN = "the weights the subject came with"
WHAT, WHAT_CHANGE = "The computation graph", "The change of the weights"


def graph(selection: Selection) -> Answer:
    """The model's graph. Raises NotReady and Pending until it is there, and CutawayError."""
    asking.described()
    return asking.ask(selection, "computation_graph", WHAT)


def known_graph(search: object) -> Answer | None:
    """The graph if it is there; nothing is queued for it."""
    try:
        asking.described()
        return subjects.known(Selection.parse(search), "computation_graph").answer
    except (asking.NotReady, CutawayError):
        return None


def change(selection: Selection) -> Answer:
    """How far the weights are from those chosen to compare with. Raises NotReady, Pending, CutawayError."""
    asking.described()
    other = compared(selection)
    if (other or {}).get("sha256") == (subjects.checkpoint_of(selection) or {}).get("sha256"):
        shown = selection.checkpoint or OWN
        raise asking.NotReady(
            "Nothing to compare", f"Both sides are the same: {shown}.", "Choose other weights under 'Compare with'."
        )
    return asking.ask(selection, "parameter_change", WHAT_CHANGE, other=other)


def known_change(selection: Selection) -> Answer | None:
    """The same if it is there; nothing is queued for it."""
    try:
        return subjects.known(selection, "parameter_change", other=compared(selection)).answer
    except CutawayError:
        return None


def compared(selection: Selection) -> dict[str, Any] | None:
    """The checkpoint compared with, as questions take it; None for the subject's own weights. Raises NotFound."""
    name = selection.gother
    if name is None:
        return None
    run, _, saved = name.partition("/")
    if saved and run in selection.runs:
        return subjects.checkpoint_of(selection.with_(runs=(run,), checkpoint=saved))
    return subjects.checkpoint_of(selection.with_(checkpoint=name))


def options(selection: Selection) -> list[dict[str, str]]:
    """Checkpoints that can be compared with: the subject's and those of the chosen runs, but the one shown."""
    try:
        description = asking.described()
        runs = services.open_runs(selection.runs)
        saved = [(run, item) for run in runs for item in run.checkpoints()]
    except (asking.NotReady, CutawayError):  # the panel and the pickers say so
        return []
    found = [
        {"value": str(item["name"]), "label": str(item["name"])}
        for item in description.get("checkpoints", ())
        if not item.get("problem") and item["name"] != selection.checkpoint
    ]
    for run, item in saved:
        if item.name != selection.checkpoint or run.id != selection.runs[0]:
            found.append({"value": f"{run.id}/{item.name}", "label": f"{run.info.name}, step {item.step:,}"})
    return list({one["value"]: one for one in found}.values())
