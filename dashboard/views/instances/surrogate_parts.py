"""What a surrogate is worth, its rules as a list to be read, and the coefficients of the linear one."""

from __future__ import annotations

from typing import Any

from dash import html

from analysis.suggestions.listing import fits
from dashboard.framing import Frame
from dashboard.views.instances.data import cut
from dashboard.views.instances.suggestions_parts import link
from dashboard.widgets.attributes import attributes
from dashboard.widgets.class_marks import class_mark
from dashboard.wording import finite

OF = {"prediction": "predictions", "error": "errors"}
AGREED = 1.1  # of the chains, R-hat from which on they are said to disagree
MINUS = "−"


def fidelity(said: dict[str, Any]) -> list[Any]:
    """Sentences: on held-out instances, against the majority, on those it was made from."""
    worth = said["fidelity"]
    low, high = 100 * worth["low"], 100 * worth["high"]
    same = "the model's prediction" if said["of"] == "prediction" else "whether the model is wrong"
    lead = (
        f"It says {same} for {100 * worth['held_out']:.1f} % of {worth['n_held_out']:,} held-out instances "
        f"({low:.1f} to {high:.1f} %, 95 %)."
    )
    majority = said["classes"][worth["majority"]]
    points, least, most = (100 * worth[name] for name in ("gain", "gain_low", "gain_high"))
    against = (
        f"Always saying “{cut(majority, 40)}”, the most frequent answer: {100 * worth['baseline']:.1f} %; the "
        f"difference is {_signed(points)} points ({_signed(least)} to {_signed(most)})."
    )
    if worth["better"]:
        left = f"; of the other {100 - 100 * worth['held_out']:.1f} % it is wrong."
        verdict = "It tells part of what the model does" + (left if worth["held_out"] < 1 else ".")
    else:
        verdict = "It cannot be told from always saying the same: its rules explain nothing of the model."
    train = f"On the {worth['n_train']:,} instances that it was made from: {100 * worth['train']:.1f} %."
    parts: list[Any] = [html.P(html.B(lead)), html.P(f"{against} {verdict}"), html.P(train, className="quiet")]
    if said["rhat"] is not None and said["rhat"] > AGREED:
        text = f"The sampled chains do not quite agree (R-hat {said['rhat']:.2f}): another list may do as well."
        parts.append(html.P(text, className="quiet"))
    return [html.Div(parts, className="ins-worth" if worth["better"] else "ins-worth poor")]


def _signed(value: float) -> str:
    text = f"{abs(value):.1f}"
    return text if float(text) == 0 else (MINUS if value < 0 else "+") + text


def rules(shown: Frame, said: dict[str, Any]) -> list[Any]:
    """The rules in their order; each opens its instances."""
    is_list = said["kind"] == "rules"
    rows = []
    for place, one in enumerate(said["rules"]):
        word = "if" if not is_list or not place else "else if"
        rows.append(_rule(shown, said, one, word, one["if"]))
    if said["default"] is not None:
        rows.append(_rule(shown, said, said["default"], "else" if rows else "always", ""))
    order = (
        "Read from above: the first rule that holds decides; a rule's instances are those that no rule above takes."
        if is_list
        else "Exactly one of these rules holds of an instance; the purest come first."
    )
    head = html.Tr(
        [
            html.Th("rule", scope="col"),
            html.Th("then", scope="col"),
            html.Th("right, held out", scope="col", className="num"),
            html.Th("instances", scope="col", className="num"),
        ]
    )
    table = html.Table([html.Thead(head), html.Tbody(rows)], className="ins-rules")
    return [html.Div(table, className="in-scroll"), html.P(order, className="quiet")]


def _rule(shown: Frame, said: dict[str, Any], one: dict[str, Any], word: str, words: str) -> html.Tr:
    text = one["text"]
    share = "–" if one["share"] is None else f"{100 * one['share']:.0f} % of {one['held_out']:,}"
    chosen = (shown.selection.subset or "") == text
    count = f"{one['support']:,}"
    if not one["support"]:
        opens: Any = html.Span("none")
    elif chosen:
        opens = link(f"{count}, shown: all again", subset=None)
    elif fits(text):
        opens = link(f"Show {count}", subset=text or None)
    else:
        opens = html.Span(count, title="Its expression is too long for an address.")
    label = html.Th([html.Span(f"{word} ", className="quiet"), cut(words, 300)], scope="row")
    cells = [html.Td(_then(said, one["then"])), html.Td(share, className="num"), html.Td(opens, className="num")]
    return html.Tr([label, *cells], className="chosen" if chosen else "")


def _then(said: dict[str, Any], place: int) -> list[Any]:
    name = cut(said["classes"][place], 40)
    return [class_mark(int(said["numbers"][place])), name] if said["numbers"] else [name]


def coefficients(said: dict[str, Any]) -> list[Any]:
    """The largest, as bars from the middle: raises or lowers the log-odds of a class."""
    listed = said["coefficients"]
    used = f"{said['used']:,} features have a coefficient that is not 0." if listed else ""
    if not listed:
        return [html.P("Every coefficient is 0: no feature helps, and one class is always said.", className="quiet")]
    scale = max(abs(one["value"]) for one in listed)
    rows = []
    for one in listed:
        size = 50 * abs(one["value"]) / scale
        lowers = one["value"] < 0
        style = {"left": f"{50 - size:.2f}%" if lowers else "50%", "width": f"{size:.2f}%"}
        text = f"{_two(one['value'])} per {finite(one['per'], 3)}"
        bar = [html.Span(className=f"ins-part {'lowers' if lowers else 'raises'}", style=style)]
        more = attributes({"aria-label": f"{one['feature']}: {text}", "title": text})
        rows.append(
            html.Tr(
                [
                    html.Th(cut(one["feature"], 120), scope="row"),
                    html.Td(_then(said, one["class"])),
                    html.Td(html.Div(bar, className="ins-middle", role="img", **more)),
                    html.Td(_two(one["value"]), className="num"),
                    html.Td(finite(one["per"], 3), className="num"),
                ]
            )
        )
    heads = ("feature", "class", "lowers | raises", "log-odds", "per")
    head = html.Tr([html.Th(name, scope="col", className="num" if at > 2 else "") for at, name in enumerate(heads)])
    table = html.Table([html.Thead(head), html.Tbody(rows)], className="ins-rules")
    note = f"{used} Change of a class's log-odds per standard deviation of the feature, which is under 'per'."
    return [html.Div(table, className="in-scroll tall"), html.P(note, className="quiet")]


def _two(value: float) -> str:
    return f"{MINUS if value < 0 else '+'}{abs(value):.2f}"
