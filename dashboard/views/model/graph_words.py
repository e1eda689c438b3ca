"""What is said of the graph beside its picture: how it was found, how large it is, how far weights moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import html

from dashboard.views.model.graph_data import OWN

HOWS = {
    "export": "the same for every input (torch.export)",
    "fx": "the same for every input (torch.fx)",
    "hooks": "that of one pass",
}
_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def short(value: float | None, unit: str = "") -> str:
    """'11.2 M', '448'; with a unit '1.8 GFLOPs'. 'not known' for None."""
    if value is None:
        return "not known"
    for size, letter in _STEPS:
        if abs(value) >= size:
            return f"{value / size:.3g} {letter}{unit}"
    return f"{value:,.3g} {unit}".strip()


def duration(seconds: float | None) -> str:
    """'23.1 ms', '0.2 µs'; 'not measured' for None."""
    if seconds is None:
        return "not measured"
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.2g} µs"


def plural(count: int, noun: str) -> str:
    """'1 layer', '1,200 layers'."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def subtitle(answer: Mapping[str, Any]) -> str:
    """'the same for every input (torch.fx) · 68 operators in 21 modules · 11.2 M parameters, …'."""
    total = answer.get("total") or {}
    calls = sum(node.get("kind") in ("module", "function") for node in answer["nodes"])
    parameters, trained = int(total.get("parameters") or 0), int(total.get("trainable") or 0)
    weights = f"{short(parameters)} parameters" if parameters != 1 else "1 parameter"
    if parameters and trained != parameters:
        weights += f", {short(trained)} of them trained"
    parts = [str(node.get("parent") or "").split(".") for node in answer["nodes"]]
    homes = {tuple(part[: depth + 1]) for part in parts for depth in range(len(part))} - {("",)}
    return " · ".join(
        [
            HOWS.get(str(answer.get("how")), str(answer.get("how"))),
            f"{plural(calls, 'operator')} in {plural(len(homes), 'module')}" if homes else plural(calls, "operator"),
            weights,
            f"{short(total.get('flops'), 'FLOPs')} and {duration(total.get('seconds'))} per instance",
        ]
    )


def notes(answer: Mapping[str, Any], drawn: Mapping[str, Any]) -> list[html.P]:
    """Why it was found another way than by tracing, what to know about it, and what did not fit."""
    lines = [html.P(str(answer["why"]), className="warned")] if answer.get("why") else []
    if answer.get("note") and answer.get("how") == "hooks":  # the subtitle says what the others hold for
        lines.append(html.P(str(answer["note"])))
    if answer.get("uncalled"):
        names = [str(name) for name in answer["uncalled"]]
        more = f" and {len(names) - 6:,} more" if len(names) > 6 else ""
        lines.append(html.P(f"Never called in this pass: {', '.join(names[:6])}{more}."))
    if drawn["kept"]:
        lines.append(
            html.P(f"{plural(drawn['kept'], 'module')} stay collapsed: too many boxes for one picture. Expand one.")
        )
    return lines


def told_change(change: Mapping[str, Any], shown: str | None) -> list[Any]:
    """From which weights to which, by what rule, and which layers moved most. shown: name of the checkpoint shown."""
    moved = sorted(change["modules"], key=lambda one: -float(one.get("relative") or 0))
    most = [f"{one['name']} {percent(one.get('relative'))}" for one in moved[:5] if one.get("relative")]
    told = f"Largest: {', '.join(most)}." if most else "No layer changed."
    line = f"{sides(change, shown)}. {told}"
    return [html.P(line), html.P(str(change.get("rule") or ""), className="quiet")]


def sides(change: Mapping[str, Any], shown: str | None) -> str:
    """'From epoch 1 to step-400'."""
    return f"From {change.get('a') or OWN} to {shown or OWN}"


def percent(share: Any) -> str:
    """'12 %', '0.051 %', '140 %'; 'not known' where it is none."""
    if not isinstance(share, (int, float)) or share != share:
        return "not known"
    value = 100 * float(share)
    return f"{value:,.0f} %" if value >= 100 else f"{value:.2g} %"
