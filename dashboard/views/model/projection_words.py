"""What the Projection panel says in words: what is drawn, what it is worth, what its colours mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from dash import html

from analysis.neurons.projection_methods import METHODS
from dashboard.pictures.points import Colouring, Group
from dashboard.views.model import data
from dashboard.views.model.projection_data import Coloured, Faded, Projection
from dashboard.widgets.class_marks import SIGNS, SYMBOLS
from dashboard.wording import finite

FLATTERS = 0.1  # purity of the map above that of the layer, from which the picture shows groups too far apart
SIGN = dict(zip(SYMBOLS, SIGNS, strict=True)) | {"x": "✕", "circle-open": "○", "x-thin-open": "×"}
CAVEAT = (
    "A picture of a projection is no evidence. Test what it suggests: keep the points as a subset and compare it in "
    "the matrix and in the Instances view."
)


def subtitle(found: Projection) -> str:
    """'conv2 · 1,000 instances · UMAP · trustworthiness 0.954 · neighbours of one label 89 %, by chance 10 %'."""
    shown, said = found.shown, found.figures
    parts = [shown.layer.name, shown.count, found.method.title + (" (draft)" if said.get("draft") else "")]
    if shown.selection.checkpoint:
        parts.append(shown.selection.checkpoint)
    if found.stands_in:
        waiting = found.pending is not None and found.pending.waiting
        parts[2] += f" until {found.wanted.title} is ready" if waiting else f", without {found.wanted.title}"
    if said.get("trustworthiness") is not None:
        parts.append(f"trustworthiness {said['trustworthiness']:.3f}")
    if said.get("map_purity") is not None and said.get("purity_chance") is not None:
        share = f"{_percent(said['map_purity'])}, by chance {_percent(said['purity_chance'])}"
        parts.append(f"neighbours of one {said['purity_of']} {share}")
    return " · ".join(parts)


def worth(found: Projection) -> list[Any]:
    """Sentences on what is drawn and how far to trust it."""
    said = [html.P(_what(found)), *_trust(found)]
    if found.figures.get("alike"):
        text = "Every neuron of this layer answers alike to all instances: the map has one place for all of them."
        said.insert(1, html.P(text, className="pj-notice"))
    said.append(html.P(CAVEAT, className="pj-caveat"))
    return said


def _what(found: Projection) -> str:
    shown, figures = found.shown, found.figures
    word = "filter" if shown.layer.kind == "conv" else "unit"
    of = f"{found.method.title} of {shown.extraction.done:,} instances by their mean activations in "
    text = of + f"{shown.layer.filters:,} {word}{'' if shown.layer.filters == 1 else 's'} of {shown.layer.name}."
    if found.explained and sum(found.explained) > 0:
        one, two = (_percent(share) for share in found.explained[:2])
        text += f" {one} of the variance lies along the first axis, {two} along the second."
    text += f" {found.method.words}"
    if figures.get("components"):
        share = _percent(figures["components_share"])
        text += f" It sees {figures['components']:,} principal components, which hold {share} of the variance."
    if figures.get("draft"):
        text += (
            f" This is a draft: {figures['landmarks']:,} instances were laid out, the others stand between the nearest "
            "of these, so that nothing between them is resolved."
        )
    missing = shown.extraction.done - found.drawn
    if missing:
        text += f" {missing:,} instances have no place: their activations are not finite."
    return text


def _trust(found: Projection) -> list[Any]:
    figures = found.figures
    if not figures:
        waiting = found.pending is not None and found.pending.waiting
        text = "Its trustworthiness and purity are being computed." if waiting else "What it is worth is not known."
        return [html.P(text, className="quiet")] if not found.stands_in else []
    if figures.get("trustworthiness") is None:
        return [html.P("Too few instances to say how far the map can be trusted.", className="quiet")]
    k, judged = figures["judged_neighbours"], figures["judged"]
    text = f"Trustworthiness {figures['trustworthiness']:.3f}"
    if found.method.place is not None and figures.get("pca_trustworthiness") is not None:
        text += f" (PCA {figures['pca_trustworthiness']:.3f})"
    text += (
        f": 1 if the {k} nearest on the map are near in the layer, about 0.5 by chance. Of an instance's {k} "
        f"nearest in the layer, {_percent(figures['recall'])} are among its {k} nearest on the map. Judged at "
        f"{judged:,} instances."
    )
    parts = [html.P(text), *_purity(figures)]
    aligned = _aligned(found)
    return [*parts, html.P(aligned)] if aligned else parts


def _purity(figures: dict[str, Any]) -> list[Any]:
    if figures.get("knn_purity") is None or figures.get("purity_chance") is None:
        return [html.P("Purity is not defined: no two instances share a label.", className="quiet")]
    text = (
        f"Of an instance's {figures['purity_k']} nearest neighbours, {_percent(figures['knn_purity'])} have its "
        f"{figures['purity_of']} in the layer, {_percent(figures['map_purity'])} on the map, "
        f"{_percent(figures['purity_chance'])} by chance."
    )
    parts = [html.P(text)]
    if figures["map_purity"] - figures["knn_purity"] > FLATTERS:
        parts.append(html.P("The map shows groups further apart than they are in the layer.", className="pj-notice"))
    return parts


def _aligned(found: Projection) -> str:
    figures = found.figures
    if not figures.get("aligned") or figures.get("drift") is None:
        return ""
    of = (
        f"the map of {figures['align']}" if figures["aligned"] == "layer" else "the map under the subject's own weights"
    )
    drift = f"{finite(figures['drift'], 2)} of the map's radius (shuffled points: about 1.2)"
    if found.method.place is None:
        return f"Its axes face those of {of}. Mean distance between a point's two places: {drift}."
    return f"Points began where {of} has them. Mean distance between a point's two places: {drift}."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def legend(found: Projection, colours: Coloured, faded: Faded) -> list[Any]:
    """What colours, shapes, rings and fading mean."""
    shown = found.shown
    items: list[Any] = []
    if colours.made is None:
        items.append(html.Span(colours.reason, className="pj-notice"))
    elif colours.made.number:
        items += _ramp(colours.made)
    else:
        items.append(html.Span(f"{colours.made.title}:"))
        items += [_sign(group, named(shown, group)) for group in _ordered(colours.made)]
    if faded.inside is not None:
        count = int(faded.inside.sum())
        items.append(html.Span(f"full colour: {faded.title} ({count:,}); others faded"))
    elif faded.reason:
        items.append(html.Span(f"The subset cannot be shown: {faded.reason}", className="pj-notice"))
    if shown.selection.instances:
        items.append(html.Span([html.Span("□ ", className="pj-ring"), f"instance {shown.selection.instances[0]:,}"]))
        items.append(html.Span([html.Span("○ ", className="pj-near"), "its nearest in the layer"]))
    return items


def _ordered(made: Colouring) -> list[Group]:
    return sorted((group for group in made.groups if group.count), key=lambda group: group.label is None)


def named(shown: data.Frame, group: Group) -> str:
    """What a group is called: a class by its name."""
    if group.name or group.label is None:
        return group.name
    return shown.class_name(group.label)


def _sign(group: Group, name: str) -> html.Span:
    sign = html.Span(SIGN.get(group.symbol, "●") + " ", style={"color": group.colour})
    return html.Span([sign, f"{name[:40]} ({group.count:,})"], className="pj-sign")


def _ramp(made: Colouring) -> list[Any]:
    unit = f" {made.unit}" if made.unit else ""
    ends = [finite(end, 3) + unit for end in (made.low, made.high)]
    items: list[Any] = [
        html.Span(f"{made.title}:"),
        html.Span([ends[0], html.Span(className="ramp pj-ramp"), ends[1]], className="pj-scale"),
    ]
    if made.low == made.high:
        items.append(html.Span("the same for all", className="quiet"))
    if made.missing:
        items.append(html.Span(["● ", f"no value ({made.missing:,})"], className="pj-none"))
    return items


def axes(found: Projection) -> tuple[str, str]:
    """'PC 1 (34 %)', 'UMAP 1'."""
    if found.method is METHODS[0]:
        shares = [f" ({_percent(share)} of the variance)" if np.isfinite(share) else "" for share in found.explained]
        return f"PC 1{shares[0] if shares else ''}", f"PC 2{shares[1] if len(shares) > 1 else ''}"
    return f"{found.method.title} 1", f"{found.method.title} 2"
