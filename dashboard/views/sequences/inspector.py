"""What the inspector says while this view is shown: the word, unit, cluster or step selected last, then the others."""

from __future__ import annotations

from typing import Any

import dash
from dash import Input, Output, State, no_update

from analysis.errors import CutawayError
from dashboard import asking
from dashboard.selection import Selection
from dashboard.views.sequences import data, unit_card, word_card
from dashboard.widgets.states import empty

KINDS = ("word", "cluster", "unit", "span", "instance")


def register(app: dash.Dash) -> None:
    """Attach the callback of the inspector."""
    shown = (
        "view",
        "layer",
        "states",
        "cocluster",
        "word",
        "filter",
        "cluster",
        "span",
        "instance",
        "sample",
        "checkpoint",
        "runs",
    )
    app.callback(
        Output("sq-inspector", "children"),
        Output("sq-inspector-mark", "data"),
        *[Input(f"sel-{name}", "data") for name in shown],
        Input("pulse-answers", "data"),
        State("sq-inspector-mark", "data"),
        State("url", "data"),
    )(draw_inspector)


def draw_inspector(*given: Any) -> tuple[Any, Any]:
    """Cards of what is selected, that selected last first. given: as ``register`` lists them."""
    before, search = given[13], given[14]
    if not data.is_shown(search):
        return no_update, no_update
    selection = Selection.parse(search)
    then = before if isinstance(before, dict) else {}
    order = newest(selection, then)
    try:
        shown = data.frame(search)
        cards = [card for kind in order if (card := _card(shown, kind)) is not None]
        obstacle = empty("Inspector", "Nothing is selected.", "Click a word, a unit, a cluster or a step.")
        found: Any = cards or obstacle
    except (asking.NotReady, CutawayError) as error:
        found = asking.boxed(error, "The selection")
    now = {"order": order, "chosen": _chosen(selection), "mark": asking.mark(str(found))}
    if {name: then.get(name) for name in now} == now:
        return no_update, no_update
    return found, now


def _card(shown: data.Frame, kind: str) -> Any:
    make = {
        "word": word_card.word,
        "unit": unit_card.unit,
        "cluster": unit_card.cluster,
        "span": word_card.span,
        "instance": word_card.instance,
    }[kind]
    return make(shown)


def newest(selection: Selection, before: dict[str, Any]) -> list[str]:
    """Kinds of what is selected, the one that changed last first. before: what was selected, and in which order."""
    now, then = _chosen(selection), before.get("chosen") or {}
    order = [kind for kind in before.get("order") or KINDS if kind in KINDS]
    order += [kind for kind in KINDS if kind not in order]
    changed = [kind for kind in KINDS if now[kind] and now[kind] != then.get(kind)]
    if not then:
        changed = []
    return [*changed, *(kind for kind in order if kind not in changed)]


def _chosen(selection: Selection) -> dict[str, str]:
    """What is selected of each kind, '' for nothing."""
    return {
        "word": ",".join(map(str, selection.word)),
        "cluster": selection.cluster,
        "unit": "" if selection.filter is None else str(selection.filter),
        "span": selection.sspan,
        "instance": ",".join(map(str, selection.instances)),
    }
