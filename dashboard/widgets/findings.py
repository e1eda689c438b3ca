"""Findings as sentences with their evidence; each leads to the place it speaks of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dash import html

from analysis.training.findings import Finding
from dashboard.widgets.attributes import attributes

SEVERITY_WORDS = {"problem": "Problem", "warning": "Warning", "hint": "Hint"}


def place_of(finding: Finding) -> dict[str, Any]:
    """What a click on the finding selects."""
    if finding.layer is None:
        return {"layer": None, "filter": None}
    place: dict[str, Any] = {"layer": finding.layer}
    if finding.filters:
        place["filter"] = finding.filters[0]
    return place


def finding_row(finding: Finding) -> html.Li:
    """One line of a list of findings."""
    word = SEVERITY_WORDS[finding.severity]
    return html.Li(
        html.Button(
            [
                html.Span(word, className=f"severity {finding.severity}"),
                html.Span(finding.sentence, className="sentence"),
            ],
            type="button",
            className="finding",
            **attributes({"data-nav": json.dumps(place_of(finding)), "data-rule": finding.rule}),
        )
    )


def finding_detail(finding: Finding) -> html.Div:
    """The sentence, the evidence, the rule, and what one may do."""
    rows = [html.Tr([html.Th(label, scope="row"), html.Td(value)]) for label, value in finding.evidence]
    parts: list[Any] = [
        html.P(
            [
                html.Span(SEVERITY_WORDS[finding.severity], className=f"severity {finding.severity}"),
                html.Span(finding.sentence),
            ]
        )
    ]
    if rows:
        parts.append(html.Table(html.Tbody(rows), className="facts"))
    if finding.action:
        parts.append(html.P(["What to try: ", finding.action], className="action"))
    parts.append(html.Details([html.Summary("Rule"), html.P(finding.explanation)]))
    return html.Div(parts, className="finding-detail", **attributes({"data-rule": finding.rule}))


def finding_list(findings: Sequence[Finding]) -> html.Ul:
    """All findings, the gravest first."""
    return html.Ul([finding_row(finding) for finding in findings], className="findings")
