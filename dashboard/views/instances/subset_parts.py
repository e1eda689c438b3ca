"""What the panel Subset shows: subsets beside each other, columns and examples, saved ones, what is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from dash import html

from analysis.errors import CutawayError
from analysis.subsets.book import Saved
from analysis.subsets.reading import ExpressionError
from dashboard.framing import Frame
from dashboard.views.instances import subset_data
from dashboard.views.instances.data import cut
from dashboard.views.instances.subset_data import Facts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_colour, class_mark
from dashboard.wording import finite

AROUND = 44  # characters of an expression on either side of an error
PARTS = 200  # classes drawn in a mix
MIXED = 3  # classes named in a mix


@dataclass(frozen=True)
class Beside:
    """A column of the comparison. text: the subset, None for the rest. facts: None where ``problem`` says why.

    drop: what the address becomes without it, None if it stays.
    """

    title: str
    text: str | None
    facts: Facts | None
    problem: str = ""
    drop: dict[str, Any] | None = None


def comparison(shown: Frame, columns: Sequence[Beside]) -> html.Div:
    """Subsets beside each other: size, accuracy, confidence, loss, classes. The first one is the one chosen."""
    first = columns[0].facts
    heads = [html.Th(_head(one, at == 0), scope="col") for at, one in enumerate(columns)]
    lines = [
        ("Instances", [_size(shown, one) for one in columns]),
        ("Accuracy", [_accuracy(one) for one in columns]),
        ("Difference in accuracy", ["" if at == 0 else _difference(one, first) for at, one in enumerate(columns)]),
        ("Mean confidence", [_mean(one, "confidence") for one in columns]),
        ("Mean loss, nats", [_mean(one, "loss") for one in columns]),
        ("Labels", [_mix(shown, one) for one in columns]),
    ]
    lines = [line for line in lines if len(columns) > 1 or not line[0].startswith("Difference")]
    rows = [html.Tr([html.Th(name, scope="row"), *map(html.Td, cells)]) for name, cells in lines]
    table = html.Table(
        [html.Thead(html.Tr([html.Td(""), *heads])), html.Tbody(rows)],
        className="in-compare",
        **attributes({"aria-label": "Subsets side by side"}),
    )
    more = attributes({"aria-label": "Subsets side by side"})
    return html.Div(table, className="in-scroll", tabIndex=0, role="group", **more)


def _head(one: Beside, first: bool) -> list[Any]:
    title = cut(one.title, 90)
    if first or one.text is None:
        return [html.Span(title, title=one.title)]
    made: list[Any] = [_nav(title, {"subset": one.text or None}, f"Show {one.title}", "link")]
    if one.drop is not None:
        made.append(_nav("×", one.drop, f"Remove {title} from the comparison", "bar-button in-drop"))
    return made


def _nav(text: str, nav: dict[str, Any], said: str, class_name: str) -> html.Button:
    more = {"data-nav": json.dumps(nav), "aria-label": said, "title": said}
    return html.Button(text, type="button", className=class_name, **attributes(more))


def _size(shown: Frame, one: Beside) -> Any:
    if one.facts is None:
        return html.Span(one.problem, className="in-problem")
    total = shown.extraction.done
    return f"{one.facts.n:,} ({percent(one.facts.n / total if total else math.nan)} of {total:,})"


def _accuracy(one: Beside) -> Any:
    found = one.facts
    if found is None or not found.n:
        return "–"
    if not found.labelled:
        return "no labels"
    spread = f"{100 * found.low:.1f} to {100 * found.high:.1f}"
    return [
        html.Strong(percent(found.accuracy)),
        html.Span(f" {spread} %, n = {found.labelled:,}", className="quiet", title="95 % interval (Wilson)"),
    ]


def _difference(one: Beside, first: Facts | None) -> Any:
    found = subset_data.difference(one.facts, first) if one.facts is not None and first is not None else None
    if found is None:
        return "–"
    gap, low, high = (100 * value for value in found)
    note = "" if low > 0 or high < 0 else ", not clear"
    return [
        html.Strong(f"{signed(gap)} points"),
        html.Span(f" {signed(low)} to {signed(high)}{note}", className="quiet", title="95 % interval (Newcombe)"),
    ]


def _mean(one: Beside, name: str) -> Any:
    if one.facts is None:
        return "–"
    value, half = getattr(one.facts, name), getattr(one.facts, f"{name}_half")
    if not math.isfinite(value):
        return "–"
    spread = html.Span(f" ± {finite(half, 2)}", className="quiet", title="half of the 95 % interval")
    return [finite(value, 3), spread if math.isfinite(half) else ""]


def _mix(shown: Frame, one: Beside) -> Any:
    """The classes as parts of a bar, the most frequent ones in words."""
    if one.facts is None or not one.facts.labelled:
        return "–"
    shares = one.facts.mix / one.facts.labelled
    order = np.argsort(-shares, kind="stable")
    parts = [
        html.Span(style={"width": f"{100 * shares[label]:.3f}%", "backgroundColor": class_colour(label)})
        for label in sorted(int(label) for label in order[:PARTS])
        if shares[label] > 0
    ]
    named: list[Any] = []
    for label in [int(label) for label in order[:MIXED] if shares[label] > 0]:
        named += [class_mark(label), f"{cut(shown.class_name(label), 24)} {percent(float(shares[label]))} "]
    left = int((shares > 0).sum()) - len(named) // 2
    named += [f"and {left:,} more"] if left > 0 else []
    bar = html.Div(parts, className="in-mix", **attributes({"aria-hidden": "true"}))
    return [bar, html.Div(named, className="in-mix-words")]


def error(problem: CutawayError, text: str) -> list[Any]:
    """What is wrong with an expression, in a sentence, and where."""
    made: list[Any] = [html.P([problem.message, " ", problem.remedy])]
    place = problem.place if isinstance(problem, ExpressionError) else None
    flat = text.replace("\n", " ").replace("\t", " ")
    if place is None or not 0 <= place <= len(flat):
        return made
    start = max(0, place - AROUND)
    part = flat[start : place + AROUND]
    before = "…" if start else ""
    after = "…" if place + AROUND < len(flat) else ""
    pointer = " " * (len(before) + place - start) + "^"
    more = attributes({"aria-hidden": "true"})
    return [*made, html.Pre(f"{before}{part}{after}\n{pointer}", className="in-place", **more)]


def saved_list(listed: Sequence[Saved], chosen: str, compared: Sequence[str]) -> list[Any]:
    """Every saved subset with what can be done with it."""
    if not listed:
        return [html.P("None yet: give the subset above a name and press Save.", className="quiet")]
    return [html.Ul([_saved(one, chosen, compared) for one in listed], className="in-saved")]


def _saved(one: Saved, chosen: str, compared: Sequence[str]) -> html.Li:
    what = one.text or (f"{len(one.indices):,} instances, chosen one by one" if one.indices is not None else "")
    kept = one.subset in compared
    rows = [text for text in compared if text != one.subset] if kept else [*compared, one.subset]
    buttons = [
        _nav("remove" if kept else "compare", rows_nav(rows), f"{'Remove' if kept else 'Compare'} {one.name}", "link"),
        _command("rename", "rename", one.name),
        _command("delete", "delete", one.name),
    ]
    show = _nav(one.name, {"subset": one.subset}, f"Show the saved subset {one.name}", "link in-name")
    return html.Li(
        [show, html.Code(cut(what, 120), title=what[:1000]), html.Span(buttons, className="in-does")],
        className="chosen" if chosen == one.subset else "",
    )


def rows_nav(rows: Sequence[str]) -> dict[str, Any]:
    """The address with these subsets beside the chosen one."""
    return {"xrows": json.dumps(list(rows), ensure_ascii=False, separators=(",", ":")) if rows else None}


def _command(text: str, do: str, name: str) -> html.Button:
    more = {"data-book": do, "data-name": name, "aria-label": f"{text.capitalize()} {name}"}
    return html.Button(text, type="button", className="link", **attributes(more))


def percent(share: float) -> str:
    """'97.2 %'."""
    return f"{100 * share:.1f} %" if math.isfinite(share) else "–"


def signed(value: float) -> str:
    """'+1.2', '−0.4'."""
    return f"{value:+.1f}".replace("-", "−") if abs(value) >= 0.05 else "0.0"
