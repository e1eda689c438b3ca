"""Controls of the neuron activation matrix, and what they offer."""

from __future__ import annotations

import json
from typing import Any

import dash_mantine_components as dmc
from dash import html

from dashboard import members
from dashboard.views.model.matrix_data import Matrix
from dashboard.views.model.matrix_rows import EACH
from dashboard.widgets.attributes import attributes
from dashboard.widgets.choosing import segmented

CONTROLS = ("ctl-xvalue", "ctl-xsort", "ctl-xtop", "ctl-xby", "ctl-xscale")
VALUES = (("activation", "activation"), ("gradient", "gradient × activation"))
SORTS = (("index", "number"), ("selectivity", "selectivity"), ("similarity", "similarity"))


def controls() -> list[Any]:
    """What is shown, and in which order."""
    sort = dmc.Select(
        id="ctl-xsort",
        data=[{"value": key, "label": text} for key, text in SORTS],
        value="index",
        allowDeselect=False,
        size="xs",
        w=150,
        **attributes({"aria-label": "Order of the neurons"}),
    )
    top = dmc.NumberInput(
        id="ctl-xtop",
        value=0,
        min=0,
        step=10,
        size="xs",
        w=76,
        allowDecimal=False,
        allowNegative=False,
        debounce=400,
        **attributes({"aria-label": "How many of the most selective neurons are shown, 0 for all"}),
    )
    return [
        segmented("ctl-xvalue", "Show", VALUES, "activation"),
        html.Div([html.Span("Neurons by", className="control-label"), sort], className="control"),
        html.Div(
            [html.Span("Only the top", className="control-label"), top, html.Span("(0: all)", className="quiet")],
            className="control",
        ),
        segmented("ctl-xby", "Rows", (("given", "as given"), ("similarity", "by similarity")), "given"),
        segmented("ctl-xscale", "Colours for", (("neuron", "each neuron"), ("layer", "the layer")), "neuron"),
    ]


def rows_bar() -> list[Any]:
    """Further rows, and further layers."""
    add = dmc.Select(
        id="md-matrix-add",
        data=[],
        value=None,
        searchable=True,
        placeholder="choose a subset",
        size="xs",
        w=170,
        **attributes({"aria-label": "Add a row: a subset"}),
    )
    typed = dmc.TextInput(
        id="md-matrix-type",
        value="",
        placeholder="or type, such as label == 3 and confidence < 0.5",
        size="xs",
        debounce=True,
        className="mx-type",
        **attributes({"aria-label": "Add a row: an expression, with Enter"}),
    )
    layers = dmc.MultiSelect(
        id="md-matrix-layers",
        data=[],
        value=[],
        searchable=True,
        clearable=True,
        placeholder="none",
        size="xs",
        className="mx-layers",
        **attributes({"aria-label": "Layers shown above and below the chosen one"}),
    )
    return [
        html.Div([html.Span("Add a row", className="control-label"), add, typed], className="control mx-add"),
        html.Div([html.Span("More layers", className="control-label"), layers], className="control mx-more"),
    ]


def sorts(found: Matrix) -> list[dict[str, str]]:
    """Orders of the neurons: rules, and the row that sorts now."""
    options = [{"value": key, "label": text} for key, text in SORTS]
    sort = found.shown.selection.xsort
    if sort.startswith("row:"):
        row = int(sort[4:])
        name = found.rows[row].title if row < len(found.rows) else "a row that is gone"
        options.append({"value": sort, "label": name[:60]})
    return options


def offered(found: Matrix) -> list[dict[str, str]]:
    """Subsets that can be added, and of those that are no class the instances as rows of their own."""
    there = {row.text for row in found.rows}
    listed = members.options(found.shown)
    each = [
        {"value": EACH + option["value"], "label": f"each of: {option['label']}"}
        for option in listed
        if option["value"] != "all" and not option["value"].startswith(("class:", "predicted:"))
    ]
    return [*(option for option in listed if option["value"] not in there), *each]


def layers(found: Matrix) -> list[dict[str, Any]]:
    """All layers; the chosen one is there anyway."""
    own = found.shown.layer.key
    return [{"value": info.key, "label": info.key, "disabled": info.key == own} for info in found.shown.layers]


def nav(**changes: Any) -> dict[str, str]:
    """Makes an element a link inside the page; a list is written as JSON."""
    told = {name: json.dumps(value) if isinstance(value, list) else value for name, value in changes.items()}
    return {"data-nav": json.dumps(told)}
