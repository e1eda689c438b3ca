"""What to prune, as code to paste and as data: the chosen filters, or those that the findings name."""

from __future__ import annotations

from typing import Any

from dash import html

from analysis.errors import CutawayError
from analysis.layers.prune import Cut, prune_code, prune_text
from analysis.training.findings import listed
from dashboard.views.layers import data, evidence
from dashboard.widgets.attributes import attributes

SUGGESTED = ("dead", "duplicate")  # rules whose filters can go


def cuts_of(shown: data.Frame) -> list[Cut]:
    """The chosen filters; without a choice, dead filters and merged duplicates of the layer shown."""
    selection, info = shown.selection, shown.layer
    chosen = selection.filters or ((selection.filter,) if selection.filter is not None else ())
    kept = tuple(i for i in chosen if i < info.filters)
    return [Cut(info, kept)] if kept else suggested(shown)


def suggested(shown: data.Frame) -> list[Cut]:
    """What the findings of the layer shown propose; no filter in two roles."""
    cuts: list[Cut] = []
    used: set[int] = set()
    for one in evidence.findings(shown, shown.layer.key):
        if one.finding.rule not in SUGGESTED or one.test is None:
            continue
        params = one.test["params"]
        filters = tuple(i for i in params["filters"] if i not in used)
        into = params.get("into")
        if not filters or into in used:
            continue
        used |= {*filters, *([into] if into is not None else [])}
        cuts.append(Cut(shown.layer, filters, params["mode"], into))
    return cuts


def words(cut: Cut) -> str:
    """'filters 3 and 17 of conv1', 'filter 4 of conv1 merged into 1'."""
    text = f"{data.noun(cut.info, len(cut.filters))} {listed(cut.filters)} of {cut.info.key}"
    return text if cut.mode == "zero" else f"{text} merged into {cut.into}"


def tested(shown: data.Frame, cuts: list[Cut]) -> dict[str, Any] | None:
    """The result of the test of the only cut, if it was made."""
    if len(cuts) != 1:
        return None
    [cut] = cuts
    found = evidence.peek(
        shown, "ablation", layer=cut.info.key, filters=sorted(cut.filters), mode=cut.mode, into=cut.into
    )
    return found.json if found else None


def as_json(shown: data.Frame) -> str:
    """The suggestion as a file. Raises ParameterError where there is nothing to prune, or no code can be written."""
    cuts = cuts_of(shown)
    return prune_text(cuts, tested(shown, cuts))


def section(shown: data.Frame) -> Any:
    """A folded block with the code, a button that copies it, and one that saves the data."""
    cuts = cuts_of(shown)
    if not cuts:
        return html.P(
            "Pruning code appears here once filters are chosen, or found dead or alike.", className="quiet prune-none"
        )
    try:
        code = prune_code(cuts)
    except CutawayError as error:
        return html.P(f"{error.message} {error.remedy}", className="quiet prune-none")
    what = "; ".join(words(cut) for cut in cuts)
    copy = attributes({"data-copy-from": "prune-code"})
    href = data.export("prune.json", shown, "filter", "filters")
    return html.Details(
        [
            html.Summary(["Pruning code: ", html.Span(what)]),
            html.Div(
                [
                    html.Button("Copy code", type="button", className="outline-button", **copy),
                    html.A("Save as JSON", href=href, download="", className="outline-button"),
                ],
                className="offers",
            ),
            html.Pre(code, id="prune-code", className="code prune-code", tabIndex=0),
        ],
        className="prune",
    )
