"""What the inspector says while the Model view is shown: what was selected last first, then the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dash
from dash import Input, Output, State, html, no_update

from analysis.errors import CutawayError
from dashboard import asking
from dashboard.selection import Selection
from dashboard.views.model import data, graph_card, matrix_card
from dashboard.widgets.states import empty

GROUPS = ("view", "layer", "filter", "instance", "graph", "matrix", "rows", "subset", "sample", "checkpoint", "runs")


@dataclass(frozen=True)
class Card:
    """What the inspector says of a kind of thing. kind: its name. chosen: which one is selected, '' for none. draw:
    from the address to the card; None if there is nothing to say. It may raise NotReady and CutawayError."""

    kind: str
    chosen: Callable[[Selection], str]
    draw: Callable[[str], Any]


# A panel that has something to say of what is selected in it adds its card here.
CARDS: tuple[Card, ...] = (
    Card("layer", graph_card.chosen, graph_card.draw),
    Card("neuron", matrix_card.chosen_neuron, matrix_card.neuron),
    Card("subset", matrix_card.chosen_subset, matrix_card.subset),
)


def register(app: dash.Dash) -> None:
    """Attach the callback of the inspector."""
    app.callback(
        Output("md-inspector", "children"),
        Output("md-inspector-mark", "data"),
        *[Input(f"sel-{name}", "data") for name in GROUPS],
        Input("pulse-answers", "data"),
        State("md-inspector-mark", "data"),
        State("url", "data"),
    )(draw_inspector)


def draw_inspector(*given: Any) -> tuple[Any, Any]:
    """Cards of what is selected, and what is remembered of it. given: as ``register`` lists them."""
    before, search = given[-2:]
    if not data.is_shown(search):
        return no_update, no_update
    then = before if isinstance(before, dict) else {}
    now = {card.kind: card.chosen(Selection.parse(search)) for card in CARDS}
    order = newest(now, then)
    by_kind = {card.kind: card for card in CARDS}
    found = [part for kind in order if now[kind] and (part := _drawn(by_kind[kind], str(search))) is not None]
    shown: Any = found or empty("Inspector", "Nothing is selected.", "Click a layer of the graph, or a neuron.")
    remembered = {"order": order, "chosen": now, "mark": asking.mark(str(found))}
    return (no_update, no_update) if remembered == before else (shown, remembered)


def _drawn(card: Card, search: str) -> Any:
    try:
        return card.draw(search)
    except asking.NotReady as error:
        return html.P(error.text.replace("<br>", " "), className="empty-line")
    except CutawayError as error:
        return asking.boxed(error, "The selection")


def newest(now: dict[str, str], before: dict[str, Any]) -> list[str]:
    """Kinds, that of what was selected last first.

    Args:
        now: what is selected by kind. before: 'chosen', the same of the last time, and 'order'; {} at first.
    """
    then = before.get("chosen") or {}
    order = [kind for kind in before.get("order") or () if kind in now]
    order += [kind for kind in now if kind not in order]
    changed = [kind for kind in now if before and now[kind] and now[kind] != then.get(kind)]
    return [*changed, *(kind for kind in order if kind not in changed)]
