"""Verdicts on explanations: where they are kept, what a new one holds, where each leads back to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from analysis.attribution.feedback import Feedback
from analysis.attribution.targets import Unit
from analysis.errors import CutawayError
from analysis.results import Answer
from dashboard import services, subjects
from dashboard.views.attribution import data, edit_data

MOST_MARKS = 50
SHOWN = 50  # of the list


def kept(description: Mapping[str, Any]) -> Feedback:
    """The verdicts on this subject's explanations."""
    return Feedback(services.current().settings.workspace / "feedback", description)


def entry(
    shown: data.Frame, answer: Answer, verdict: object, note: object, marks: object, chosen: object
) -> dict[str, Any]:
    """A verdict on the explanation shown, as ``Feedback.add`` takes it; what the browser sent is checked there.

    marks: boxes or spans that were marked. chosen: tokens or columns.
    """
    places = chosen if shown.kind in ("text", "table") else marks
    checkpoint = subjects.checkpoint_of(shown.selection)
    return {
        "instance": shown.instance,
        "method": answer.json["method"],
        "params": answer.json["params"],
        "target": shown.selection.target,
        "unit": shown.unit,
        "kind": shown.kind,
        "verdict": verdict,
        "note": note if isinstance(note, str) else "",
        "region": places if verdict == "wrong" and isinstance(places, list) else [],
        "shape": list(answer.array("attribution").shape),
        "edit": [],
        "checkpoint": checkpoint,
    }


def marked(shown: data.Frame, marks: object) -> list[list[Any]]:
    """Boxes or spans that can be drawn, of those that the browser keeps."""
    size = {"image": 4, "series": 3}.get(shown.kind, 0)
    if not isinstance(marks, list):
        return []
    return [one for one in marks[:MOST_MARKS] if isinstance(one, list) and len(one) == size and _plain(one[1:])]


def _plain(values: list[Any]) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) for value in values)


def place(one: Mapping[str, Any]) -> dict[str, Any]:
    """What a link to a verdict selects: instance, method, target, weights."""
    weights = one.get("checkpoint") or {}
    changes: dict[str, Any] = {
        "view": data.VIEW,
        "instances": str(one["instance"]),
        "method": one["method"],
        "target": one.get("target") or None,
        "checkpoint": weights.get("name") or None,
        "explain": None,
    }
    try:
        unit = Unit.parse(str(one.get("unit") or ""))
    except CutawayError:
        unit = None
    if unit is not None:
        changes |= {"explain": "unit", "layer": unit.layer}
        if unit.others:
            changes |= {"filter": None, "filters": ",".join(map(str, unit.indices))}
        else:
            changes["filter"] = unit.index
    return changes


def region_text(shown: data.Frame, one: Mapping[str, Any]) -> str:
    """What of the instance should not have mattered, in words; '' for nothing."""
    parts = list(one.get("region") or [])
    if not parts or one.get("kind") != shown.kind:
        return ""
    if shown.kind == "image":
        said = [f"x {x0}–{x1}, y {y0}–{y1}" for x0, y0, x1, y1 in parts]
    elif shown.kind == "series":
        said = [f"{edit_data.channel_name(shown, c)} {edit_data.span_text(shown, [a, b])}" for c, a, b in parts]
    elif shown.kind == "table":
        said = [edit_data.column_name(shown, at) for at in parts]
    else:
        said = [edit_data.token_name(at, ()) for at in parts]
    return "; ".join(said[:8]) + (f"; {len(said) - 8} more" if len(said) > 8 else "")


def when(one: Mapping[str, Any]) -> str:
    """'2026-11-02 14:05 UTC'."""
    try:
        return datetime.fromtimestamp(float(one["time"]), UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return ""
