"""What stands around the figure of a word: the words shown, what is known of them, where they occur."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from analysis.results import Answer
from dashboard.views.sequences import data, word_data, word_pictures
from dashboard.views.sequences.data import Frame
from dashboard.views.sequences.word_data import Known
from dashboard.widgets.attributes import attributes

ORDERS = (("mean", "first word's mean"), ("cluster", "cluster"), ("index", "number"))


def controls() -> list[Any]:
    """The search, whether what it finds joins the words shown, and the order of units."""
    search = dmc.Select(
        id="sq-word-search",
        data=[],
        size="xs",
        w=200,
        searchable=True,
        placeholder="find a word ( / )",
        nothingFoundMessage="The sample holds no such word.",
        **attributes({"aria-label": "Find a word"}),
    )
    order = dmc.Select(
        id="sq-word-order",
        data=[{"value": value, "label": label} for value, label in ORDERS],
        value="mean",
        allowDeselect=False,
        size="xs",
        w=150,
        **attributes({"aria-label": "Order of the units"}),
    )
    return [
        html.Label([html.Span("Word", className="control-label"), search], className="control"),
        dmc.Switch(id="sq-word-beside", label="over those shown", size="xs", checked=False),
        html.Label([html.Span("Units by", className="control-label"), order], className="control"),
    ]


def stores() -> list[Any]:
    """What the panel remembers."""
    return [dcc.Store(id="sq-word-mark")]


def chips(found: Known) -> html.Div:
    """The words shown, each with its line; a click puts one first, the cross takes it away."""
    items = []
    for place, (number, row) in enumerate(zip(found.numbers, found.rows, strict=True)):
        colour, dash = word_data.look(place)
        mark = html.Span(className=f"sqw-mark{' dashed' if dash == 'dash' else ''}", style={"borderTopColor": colour})
        others = [one for one in found.numbers if one != number]
        first = _nav(word=_listed([number, *others]))
        label = [html.Button(found.name(row), type="button", title="Put it first", **first)]
        if others:
            away = attributes({"aria-label": f"Take away {found.name(row)}"}) | _nav(word=_listed(others))
            label.append(html.Button("×", type="button", **away))
        items.append(html.Span([mark, *label], className="sqw-word"))
    return html.Div(items, className="sqw-words")


def said(shown: Frame, found: Known, answer: Answer | None, scheme: str) -> list[Any]:
    """Sentences on each word: how often, how sure, which class; of a series' word its picture."""
    parts: list[Any] = []
    listed = {int(one["id"]): one for one in answer.json["words"]} if answer is not None else {}
    norms, counts = found.answer.array("norm"), found.answer.array("count")
    held, total = found.answer.array("sequences"), int(found.answer.json["sequences"])
    for number, row in zip(found.numbers, found.rows, strict=True):
        sure = (
            word_data.sampled(listed[number])
            if number in listed
            else f"{int(counts[row]):,} occurrences; percentiles are being computed"
        )
        text = (
            f"{sure}. In {int(held[row]):,} of {total:,} sequences. ||s|| = {float(norms[row]):.3g}. "
            f"{word_data.classes(shown, found, row)}"
        )
        parts.append(html.P([html.B(found.name(row)), ": ", text]))
        parts += word_pictures.picture(found.answer, row, scheme)
    return parts


def places(shown: Frame, found: Known, answer: Answer, at: int | None) -> list[Any]:
    """Occurrences of the first word; a click opens the instance there, and lays that occurrence over the mean.

    at: the step whose occurrence is overlaid, in *the* instance; None without one.
    """
    where = {int(one["id"]): number for number, one in enumerate(answer.json["words"])}[found.numbers[0]]
    listed: Sequence[Sequence[int]] = answer.json["occurrences"][where]
    if not listed:
        return []
    items = []
    for instance, step in listed:
        chosen = at is not None and instance == shown.instance and step == at
        more = attributes({"aria-pressed": "true" if chosen else "false"})
        text = f"#{instance:,}, step {step + 1:,}"
        place = _nav(instances=str(instance), sspan=f"{step}-{step}")
        items.append(html.Li(html.Button(text, type="button", **more, **place)))
    count = int(answer.json["words"][where]["count"])
    all_ = "The only occurrence" if count == 1 else f"All {count:,} occurrences"
    some = f"{len(listed)} of {count:,} occurrences" if count > len(listed) else all_
    title = f"{some} of {found.name(found.rows[0])}; a click opens one and overlays it"
    return [html.H3(title), html.Ul(items, className="sqw-places")]


def subtitle(shown: Frame, found: Known) -> str:
    """'lstm, hidden state · 24 units · “refund”'."""
    names = ", ".join(found.name(row) for row in found.rows)
    chosen = "" if shown.selection.word else ", which has the strongest response"
    return f"{shown.name} · {shown.units:,} units · {names}{chosen}"


def _listed(numbers: Sequence[int]) -> str:
    return ",".join(str(number) for number in numbers)


def _nav(**place: Any) -> dict[str, Any]:
    return attributes({"data-nav": json.dumps(place)})


def unit_of(shown: Frame) -> int | None:
    """The chosen unit, if it is one of the layer shown."""
    unit = shown.selection.filter
    if unit is None or unit >= shown.units or shown.selection.layer not in (None, shown.layer):
        return None
    return unit


def cluster_line(shown: Frame, unit: int) -> str:
    """'unit 12 of cluster U3', as far as it is known."""
    grouping = data.unit_clusters(shown)
    return f"unit {unit}" if grouping is None else f"unit {unit} of {data.cluster_name('u', int(grouping[0][unit]))}"
