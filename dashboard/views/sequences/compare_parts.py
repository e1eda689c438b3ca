"""What a comparison says: agreement, scores, words that changed their cluster; and what its picture is drawn from."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from dash import html

from analysis.errors import CutawayError
from dashboard import services
from dashboard.views.sequences import clusters_worth, data
from dashboard.views.sequences.compare_data import DRAWN, Pair, Side, changed, response, word_of
from dashboard.views.sequences.data import Frame
from dashboard.widgets.attributes import attributes
from dashboard.wording import finite

OWN = "checkpoint:/"  # the weights that the subject came with


def options(shown: Frame) -> list[dict[str, Any]]:
    """What can be put beside the source shown: {'group', 'items': [{'value', 'label'}]}."""
    states = [
        {"value": f"state:{state}", "label": f"{state} state of {shown.layer}"}
        for state in shown.about["states"]
        if state != shown.state
    ]
    depths = int(shown.about["depths"])
    levels = [
        {"value": f"depth:{depth}", "label": f"layer {depth + 1} of {depths}"}
        for depth in range(depths)
        if depth != shown.depth % depths
    ]
    layers = [
        {"value": f"layer:{one['layer']}", "label": str(one["layer"])}
        for one in shown.listed
        if not one["reason"] and one["layer"] != shown.layer
    ]
    groups = [("State", states), ("Depth", levels), ("Layer", layers), ("Checkpoint", _checkpoints(shown))]
    return [{"group": name, "items": items} for name, items in groups if items]


def _checkpoints(shown: Frame) -> list[dict[str, Any]]:
    """Those of the subject and of the chosen runs, but the one shown; and the subject's own weights."""
    now = shown.selection.checkpoint
    found = [] if now is None else [{"value": OWN, "label": "the model's own weights"}]
    for item in shown.description.get("checkpoints", []):
        if not item.get("problem") and item["name"] != now:
            found.append({"value": f"checkpoint:{item['name']}", "label": str(item["name"])})
    try:
        runs = services.open_runs(shown.selection.runs)
    except CutawayError:  # the pickers say so
        runs = []
    for run in runs:
        for item in run.checkpoints():
            if item.name != now or run.id != (shown.selection.runs or ("",))[0]:
                label = f"{run.info.name}, step {item.step:,}"
                found.append({"value": f"checkpoint:{run.id}/{item.name}", "label": label})
    return list({one["value"]: one for one in found}.values())


def payload(pair: Pair) -> dict[str, Any]:
    """What assets/sequences_more.js draws: 'rows', 'colours', and 'sides' with 'boxes', 'chips', 'links', 'limit'."""
    word = word_of(pair)
    rows = len(pair.a.links)
    colours = [data.cluster_colour(number) for number in range(rows)]
    sides = [_side(one, word, rows) for one in (pair.a, pair.b)]
    return {"rows": rows, "colours": colours, "sides": sides, "word": word}


def _side(one: Side, word: int | None, rows: int) -> dict[str, Any]:
    names = one.responses.json["names"]
    values = response(one, word)
    mean = np.abs(np.asarray(one.responses.array("mean"), np.float64)[one.rows])
    limit = float(np.nanpercentile(mean, one.shown.selection.sclip)) if mean.size else 1.0
    boxes, chips = [], []
    for number in range(rows):
        members = np.flatnonzero(one.word == number)
        strongest = members[np.argsort(-one.norm[members], kind="stable")][:DRAWN]
        words = [[int(one.words[at]), data.written(str(names[one.rows[at]]), 20)] for at in strongest.tolist()]
        boxes.append({"size": len(members), "words": words})
        chips.append(np.flatnonzero(one.unit == number).tolist())
    return {
        "boxes": boxes,
        "chips": chips,
        "links": [[_short(value) for value in line] for line in one.links.tolist()],
        "response": None if values is None else [_short(value) for value in values.tolist()],
        "limit": _short(limit) or 1.0,
        "name": one.name,
    }


def _short(value: float) -> float | None:
    return float(f"{value:.3g}") if np.isfinite(value) else None


def lead(pair: Pair) -> list[Any]:
    """How far the two agree, and the response of the word shown, in sentences."""
    common, only = pair.common.shape[1], [len(one.words) - pair.common.shape[1] for one in (pair.a, pair.b)]
    found = [_ari("Words", pair.words_ari, f"{common:,} words are in both")]
    found[0] += f"; {only[0]:,} only on the left, {only[1]:,} only on the right." if any(only) else "."
    if pair.same_units:
        found.append(_ari("Units", pair.units_ari, f"{len(pair.a.unit):,} units") + ".")
    else:
        found.append("Units of one side are not those of the other: their clusters are matched by their links.")
    word = word_of(pair)
    if word is not None:
        found.append(_word(pair, word))
    return [html.P(text) for text in found]


def _ari(what: str, value: float, of: str) -> str:
    if np.isnan(value):
        return f"{what}: agreement is not defined ({of})"
    said = (
        "the same clusters" if value > 0.95 else "close" if value > 0.6 else "partly alike" if value > 0.2 else "unlike"
    )
    return f"{what}: {said}, ARI {value:.2f} ({of})"


def _word(pair: Pair, word: int) -> str:
    names = pair.a.responses.json["names"]
    row = data.row_of(pair.a.responses, word)
    name = data.spelt(str(names[row])) if row is not None else f"word {word}"
    one, other = response(pair.a, word), response(pair.b, word)
    if one is None or other is None:
        return f"{name} is not on both sides."
    left, right = (finite(np.linalg.norm(values), 3) for values in (one, other))
    sizes = f"||s|| of {name}: {left} on the left, {right} on the right"
    if not pair.same_units or not np.std(one) or not np.std(other):
        return f"{sizes}."
    return f"{sizes}; over the units the two responses correlate by {np.corrcoef(one, other)[0, 1]:+.2f}."


def scores(pair: Pair) -> html.Table:
    """What each side's clusters are worth."""
    heads = [
        html.Th("measure", scope="col"),
        *(html.Th(text, scope="col", className="num") for text in ("left", "right")),
    ]
    rows = []
    for (measure, text), short in zip(clusters_worth.MEASURES, clusters_worth.SHORT, strict=True):
        values = [one.clusters.json["score"][measure] for one in (pair.a, pair.b)]
        rows.append((short, [_cell(value) for value in values], text))
    stable = [one.clusters.json["stability"]["ari"] for one in (pair.a, pair.b)]
    rows.append(("other starts agree (ARI)", [_cell(value) for value in stable], ""))
    rows.append(("clusters", [f"{one.clusters.json['k']}" for one in (pair.a, pair.b)], ""))
    rows.append(("words clustered", [f"{len(one.words):,}" for one in (pair.a, pair.b)], ""))
    rows.append(("units", [f"{len(one.unit):,}" for one in (pair.a, pair.b)], ""))
    listed = [
        html.Tr([html.Th(name, scope="row", title=title), *(html.Td(text, className="num") for text in cells)])
        for name, cells, title in rows
    ]
    return html.Table([html.Thead(html.Tr(heads)), html.Tbody(listed)], className="sq-table")


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def moved(pair: Pair) -> list[Any]:
    """Words that changed their cluster."""
    listed = changed(pair)
    title = html.H3("Words in another cluster")
    if not listed:
        return [title, html.P("All words that both sides have are in clusters of the same number.")]
    rows = []
    for one in listed:
        nav = attributes({"data-nav": json.dumps({"word": str(one["id"])})})
        name = html.Button(data.written(one["name"], 28), type="button", className="link", **nav)
        rows.append(html.Li([name, f" {data.cluster_name('w', one['from'])} → {data.cluster_name('w', one['to'])}"]))
    total = listed[0]["total"]
    text = f"{total:,} of {pair.common.shape[1]:,} words; those with a large response on both sides first:"
    return [title, html.P(text), html.Ul(rows, className="sqm-changed")]
