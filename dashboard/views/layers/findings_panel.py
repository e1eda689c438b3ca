"""What looks superfluous or missing, each with a test; tests of filters of one's own choice; what to prune, as code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import dash
import dash_mantine_components as dmc
from dash import ClientsideFunction, Input, Output, State, dcc, html, no_update

from analysis.errors import CutawayError
from analysis.layers.findings import LayerFinding
from analysis.training.findings import listed
from dashboard.views.layers import data, evidence, pruning, testing
from dashboard.views.layers.about import FINDINGS
from dashboard.views.layers.testing import Spec
from dashboard.widgets import panel as parts
from dashboard.widgets.attributes import attributes
from dashboard.widgets.findings import SEVERITY_WORDS, place_of

NAME = "lfindings"
MOST_FINDINGS = 20


def panel() -> html.Section:
    """Findings, then free tests, then code."""
    return parts.panel(
        NAME,
        "Findings and tests",
        [
            dcc.Store(id="lfindings-mark"),
            dcc.Store(id="layers-tests"),
            html.Div(id="lfindings-body", className="scroll findings-scroll"),
            html.Section(
                [
                    html.H3("Test filters of your choice"),
                    html.Div(
                        [
                            html.Span("Filters", className="control-label"),
                            dmc.TextInput(
                                id="ctl-filters",
                                placeholder="e.g. 0-9, 17",
                                size="xs",
                                debounce=500,
                                w=150,
                                value="",
                                **attributes({"aria-label": "Filters to test, as numbers and ranges"}),
                            ),
                            html.Div(id="lfindings-offers", className="offers"),
                        ],
                        className="control wrap",
                    ),
                    html.Div(id="lfindings-free"),
                ],
                className="free-test",
                **attributes({"aria-label": "Test filters of your choice"}),
            ),
            html.Div(id="lfindings-prune"),
        ],
        about=FINDINGS,
        exports=[
            ("Last test by class (CSV)", "lfindings-csv"),
            ("Pruning suggestion (JSON)", "lfindings-json"),
        ],
        picture=False,
        span=5,
    )


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    app.callback(
        Output("lfindings-mark", "data"),
        Output("lfindings-subtitle", "children"),
        Output("lfindings-body", "children"),
        Output("lfindings-offers", "children"),
        Output("lfindings-free", "children"),
        Output("lfindings-prune", "children"),
        Output("lfindings-csv", "href"),
        Output("lfindings-json", "href"),
        Input("sel-view", "data"),
        Input("sel-layer", "data"),
        Input("sel-filter", "data"),
        Input("sel-filters", "data"),
        Input("sel-sample", "data"),
        Input("sel-checkpoint", "data"),
        Input("sel-runs", "data"),
        Input("pulse-answers", "data"),
        Input("layers-tests", "data"),
        State("lfindings-mark", "data"),
        State("url", "data"),
    )(draw_findings)
    app.clientside_callback(
        ClientsideFunction("layerPanels", "ranges"),
        Output("ctl-filters", "error"),
        Input("ctl-filters", "value"),
        State("ctl-filters", "id"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("layerPanels", "followText"), Output("ctl-filters", "value"), Input("sel-filters", "data")
    )


def draw_findings(
    _view: Any,
    _layer: Any,
    _filter: Any,
    _filters: Any,
    _sample: Any,
    _checkpoint: Any,
    _runs: Any,
    _pulse: Any,
    tests: Any,
    before: Any,
    search: str | None,
) -> tuple[Any, ...]:
    """The findings of the layer and of the network, with the results of the tests asked for."""
    if not data.is_shown(search):
        return (no_update,) * 8
    try:
        shown = data.frame(search)
        listed_ = found_of(shown)
        specs = known(shown, listed_) | testing.asked_for(tests, shown)
        boxes, progress = testing.outcomes(shown, list(specs.values()))
        similar = evidence.filter_map(shown)
        now = data.mark(shown.key, shown.layer.key, shown.selection.filter, shown.selection.filters, progress)
        now = data.mark(now, similar and similar.key, len(listed_), sorted(specs))
        if now == before:
            return (no_update,) * 8
        body = _list(shown, listed_, boxes)
        free = _free(shown, specs, boxes, {spec.text for one in listed_ if (spec := spec_of(shown, one))})
        prune = pruning.section(shown)
    except (data.NotReady, CutawayError) as error:
        now = data.mark(data.line_of(error))
        if now == before:
            return (no_update,) * 8
        return now, "", data.boxed(error, "The findings"), None, None, None, "#", "#"
    last = list(specs)[-1] if specs else None
    csv = data.export("test.csv", shown) + (f"&test={quote(last, safe='')}" if last else "")
    return (
        now,
        _subtitle(shown, listed_),
        body,
        _offers(shown),
        free,
        prune,
        csv if last else "#",
        data.export("prune.json", shown, "filter", "filters"),
    )


def found_of(shown: data.Frame) -> list[LayerFinding]:
    """The layer's findings, then the network's."""
    return [*evidence.findings(shown, shown.layer.key), *evidence.of_network(shown)]


def spec_of(shown: data.Frame, one: LayerFinding) -> Spec | None:
    """The test that a finding asks for, as the browser would send it."""
    if one.test is None:
        return None
    return testing.read(testing.spec_of(shown, one.test["question"], **one.test["params"]).text, shown)


def known(shown: data.Frame, found: Sequence[LayerFinding]) -> dict[str, Spec]:
    """Tests of the findings and of the chosen filters that somebody had answered before, by their text.

    A link holds the filters but not the tests of the one who sent it: what is in the cache is shown without asking.
    """
    wanted = [spec for one in found[:MOST_FINDINGS] if (spec := spec_of(shown, one))]
    wanted += [spec for _, spec in _own_tests(shown, _chosen(shown))]
    return {spec.text: spec for spec in wanted if evidence.peek(shown, spec.question, **spec.params) is not None}


def _own_tests(shown: data.Frame, chosen: Sequence[int]) -> list[tuple[str, Spec]]:
    """What may be tested without a finding: the layer left out, and the chosen filters held at 0 or at their mean."""
    layer, tests = shown.layer.key, []
    for label, mode in (("Set to 0", "zero"), ("Set to the mean", "mean")) if chosen else ():
        params = {"layer": layer, "filters": sorted(set(chosen)), "mode": mode, "into": None}
        tests.append((label, testing.spec_of(shown, "ablation", **params)))
    if not shown.layer.output:
        tests.append((f"Leave out {data.called(shown.layer)}", testing.spec_of(shown, "bypass", layer=layer)))
    return tests


def _subtitle(shown: data.Frame, found: Sequence[LayerFinding]) -> str:
    tested = sum(one.test is not None for one in found)
    text = f"{data.called(shown.layer)} · {len(found)} finding{'' if len(found) == 1 else 's'}, {tested} with a test"
    if evidence.filter_map(shown) is None:
        text += " · duplicates: once similarities are there"
    return f"{text} · {shown.count}"


def _list(shown: data.Frame, found: Sequence[LayerFinding], boxes: dict[str, Any]) -> Any:
    if not found:
        why = "" if shown.extraction.complete else " so far"
        return html.P(f"No rule found anything unusual in {data.called(shown.layer)}{why}.", className="quiet")
    items = [_item(shown, one, boxes) for one in found[:MOST_FINDINGS]]
    if len(found) > MOST_FINDINGS:
        items.append(html.Li(f"{len(found) - MOST_FINDINGS:,} more.", className="quiet"))
    return html.Ul(items, className="findings tests")


def _item(shown: data.Frame, one: LayerFinding, boxes: dict[str, Any]) -> html.Li:
    finding = one.finding
    place = place_of(finding)
    if finding.layer == shown.layer.key and len(finding.filters) > 1:
        place["filters"] = ",".join(str(i) for i in finding.filters[:200])
    rows = [html.Tr([html.Th(label, scope="row"), html.Td(value)]) for label, value in finding.evidence]
    details = html.Details(
        [
            html.Summary("Evidence and rule"),
            html.Table(html.Tbody(rows), className="facts") if rows else None,
            html.P(finding.explanation, className="quiet"),
        ]
    )
    spec = spec_of(shown, one)
    act = [html.Span(finding.action)] if finding.action else []
    return html.Li(
        [
            html.Button(
                [
                    html.Span(SEVERITY_WORDS[finding.severity], className=f"severity {finding.severity}"),
                    html.Span(finding.sentence, className="sentence"),
                ],
                type="button",
                className="finding",
                **attributes({"data-nav": json.dumps(place), "data-rule": finding.rule}),
            ),
            html.Div(
                [
                    *act,
                    testing.button(spec, testing.label_of(shown, spec)) if spec and spec.text not in boxes else None,
                ],
                className="finding-act",
            ),
            boxes.get(spec.text) if spec else None,
            details,
        ],
        className="finding-item",
    )


def _chosen(shown: data.Frame) -> tuple[int, ...]:
    """The filters to test: those of the lasso or the list, else the one chosen."""
    wanted = shown.selection.filters or ((shown.selection.filter,) if shown.selection.filter is not None else ())
    return tuple(i for i in wanted if i < shown.layer.filters)


def _offers(shown: data.Frame) -> list[Any]:
    """One click to the weakest half: the question that the published case asked of a first layer."""
    values = evidence.statistics(shown).mean
    half = shown.layer.filters // 2
    if not half or shown.layer.output:
        return []
    weakest = sorted(sorted(range(len(values)), key=lambda i: (float(values[i]), i))[:half])
    place = {"layer": shown.layer.key, "filters": ",".join(map(str, weakest)), "filter": shown.selection.filter}
    more = attributes({"data-nav": json.dumps(place)})
    return [html.Button(f"the weakest {half:,}", type="button", className="link", **more)] if half <= 600 else []


def _free(shown: data.Frame, specs: dict[str, Spec], boxes: dict[str, Any], own: set[str]) -> list[Any]:
    """Buttons for the chosen filters, and the results of tests that no finding shows."""
    chosen = _chosen(shown)
    word = data.noun(shown.layer, len(chosen))
    text = f"Choose {word} by their cells (shift-click adds), by a lasso in the filter map, or write their numbers."
    if chosen:
        text = f"{word.capitalize()} {listed(chosen)} of {data.called(shown.layer)}:"
    buttons = [testing.button(spec, label) for label, spec in _own_tests(shown, chosen)]
    # The newest first; those of other layers stay below, so that layers can be compared.
    rest = [boxes[key] for key in reversed(specs) if key in boxes and key not in own]
    return [html.P(text, className="quiet"), html.Div(buttons, className="offers"), *rest]
