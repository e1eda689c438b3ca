"""The cells of the trust table: a method's figures in one row, its verdict with the rule in the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import html

from dashboard.views.attribution import sparks, wanted
from dashboard.views.attribution.trust_data import Row
from dashboard.views.attribution.words import number
from dashboard.widgets.attributes import attributes
from dashboard.widgets.waiting import failed_box, waiting_box
from dashboard.wording import finite

HEADS = (
    ("Method", ""),
    ("Gap", "Completeness gap: how far the values miss the change of the score, relative to that change. 0 % is best."),
    ("Infidelity", "How badly the map predicts what changing the input does to the score. 0 is best, 1 says nothing."),
    ("Sensitivity", "Largest relative change of the map when the input changes a little. 0 is best."),
    ("Deletion", "Score as the input's most important parts are removed first; grey: random orders. Low is better."),
    ("Insertion", "Score as the most important parts are put in first; grey: random orders. High is better."),
    ("Random weights", "Similarity of the map when layers are made random, from the output down. It should fall to 0."),
    ("Agreement", "Mean rank correlation with the other maps shown."),
)
UNDER = {"Deletion": "area / random", "Insertion": "area / random", "Random weights": "similarity"}
SIGNS = {"good": "●", "fair": "◐", "poor": "✕", "unknown": "○"}
WORDS = {"good": "Good", "fair": "Fair", "poor": "Poor", "unknown": "Not measured"}
NONE = "–"


def table(listed: Sequence[Row], scheme: str) -> html.Div:
    """All methods, two rows each."""
    head = html.Thead(html.Tr([_head(name, said) for name, said in HEADS]))
    bodies = [html.Tbody([_figures(row, scheme), _verdict(row, scheme)], className="at-trust-method") for row in listed]
    return html.Div(
        html.Table([head, *bodies], className="at-trust-table"),
        className="at-trust-scroll",
        tabIndex=0,
        role="region",
        **attributes({"aria-label": "Trust in each method"}),
    )


def _head(name: str, said: str) -> html.Th:
    under = UNDER.get(name)
    parts: list[Any] = [name, *([html.Span(under, className="at-under")] if under else [])]
    return html.Th(parts, scope="col", title=said or None)


def _figures(row: Row, scheme: str) -> html.Tr:
    trust = row.trust
    return html.Tr(
        [
            html.Th([row.method["title"], " ", _measure(row)], scope="row"),
            _cell(gap_text(trust)),
            _cell(_number(trust.get("infidelity"))),
            _cell(_number(trust.get("sensitivity"))),
            _curve(row, "deletion", scheme),
            _curve(row, "insertion", scheme),
            _randomised(row, scheme),
            _cell(NONE if row.agreement is None else signed(row.agreement)),
        ]
    )


def _measure(row: Row) -> Any:
    if row.found.state != "none":
        return None
    return wanted.button("Measure", [row.token], said=f"Measure trust in {row.method['title']}")


def _cell(text: str) -> html.Td:
    return html.Td(text, className="num")


def gap_text(trust: dict[str, Any]) -> str:
    """'1.3 %', or why there is none."""
    found = trust.get("completeness")
    if not isinstance(found, dict):
        return NONE
    if not found.get("applies") or found.get("gap") is None:
        return "no claim"
    gap = 100 * float(found["gap"])
    return "< 0.01 %" if gap < 0.01 else f"{gap:.3g} %"


def signed(value: float) -> str:
    """'+0.42', '−0.10'."""
    return f"{value:+.2f}".replace("-", "−")


def _number(found: Any) -> str:
    value = found.get("value") if isinstance(found, dict) else None
    if value is None:
        return NONE
    return "< 0.001" if 0 < value < 0.001 else number(value, 3)


def _curve(row: Row, part: str, scheme: str) -> html.Td:
    found = row.trust.get(part)
    if not isinstance(found, dict) or not found.get("score"):
        return html.Td(NONE, className="num")
    source = sparks.curve(found["share"], found["score"], found["random"], scheme)
    text = f"{number(found['area'], 2)} / {number(found['random_area'], 2)}"
    picture = html.Img(src=source, alt=f"{part.capitalize()} curve of {row.method['title']}", width=72, height=26)
    return html.Td([picture, html.Span(text, className="at-under")], className="at-spark")


def _randomised(row: Row, scheme: str) -> html.Td:
    found = row.trust.get("randomised")
    if not isinstance(found, dict) or not found.get("similarity"):
        return html.Td(NONE, className="num")
    alt = f"Similarity of {row.method['title']} by layer made random"
    picture = html.Img(src=sparks.bars(found["similarity"], scheme), alt=alt, width=72, height=26)
    return html.Td(
        [picture, html.Span(f"→ {number(found.get('last'), 2)}", className="at-under")], className="at-spark"
    )


def level(name: str) -> html.Span:
    """The level by shape and word."""
    return html.Span(
        [html.Span(SIGNS[name], **attributes({"aria-hidden": "true"})), " ", WORDS[name]], className=f"at-level {name}"
    )


def _verdict(row: Row, scheme: str) -> html.Tr:
    judged, state = row.verdict, row.found.state
    parts: list[Any] = []
    if row.trust:
        parts.append(html.P([level(judged.level), html.Span(judged.sentence)], className="at-verdict"))
    if state == "waiting":
        parts.append(waiting_box(row.found.job, f"Trust in {row.method['title']}"))
    elif state == "failed":
        parts.append(failed_box(row.found.job, f"Trust in {row.method['title']}"))
    if row.trust:
        parts.append(details(row, scheme))
    if not parts:
        return html.Tr(hidden=True)
    return html.Tr(html.Td(parts, colSpan=len(HEADS)), className="at-trust-verdict")


def details(row: Row, scheme: str) -> html.Details:
    """Rule, reasons and the figures in full, on demand."""
    judged, trust = row.verdict, row.trust
    parts: list[Any] = [html.P(["Rule: ", judged.rule], className="quiet")]
    if judged.reasons:
        parts.append(html.Ul([html.Li(reason) for reason in judged.reasons], className="at-reasons"))
    curves = [_large(row, part, scheme) for part in ("deletion", "insertion") if (trust.get(part) or {}).get("score")]
    if curves:
        parts.append(html.Div(curves, className="at-curves"))
    parts += [_facts(trust), _layers(trust.get("randomised"))]
    for part in ("deletion", "insertion", "infidelity", "sensitivity", "randomised"):
        why = trust[part].get("why") if isinstance(trust.get(part), dict) else ""
        parts += [html.P(f"{part.capitalize()}: {why}", className="quiet")] if why else []
    for part, reason in dict(trust.get("skipped") or {}).items():
        parts.append(html.P(f"{str(part).capitalize()} was not measured: {reason}", className="quiet"))
    return html.Details([html.Summary("Rule and figures"), html.Div(parts, className="at-trust-details")])


def _large(row: Row, part: str, scheme: str) -> html.Figure:
    found = row.trust[part]
    source = sparks.curve(found["share"], found["score"], found["random"], scheme, size=(300, 150))
    text = (
        f"{part.capitalize()}: area {number(found['area'], 3)}; {len(found['random'])} random orders "
        f"{number(found['random_area'], 3)} ± {finite(found.get('random_sd'), 2)}. "
        f"{'Better' if found.get('better') else 'No better'} than random."
    )
    alt = f"{part.capitalize()} curve of {row.method['title']}, in colour, and of random orders, in grey"
    return html.Figure([html.Img(src=source, alt=alt, width=300, height=150), html.Figcaption(text)])


def _facts(trust: dict[str, Any]) -> html.Table:
    rows: list[tuple[str, str]] = []
    whole = trust.get("completeness") or {}
    if whole:
        said = whole.get("why") or ""
        named = (("sum", "sum of the values"), ("change", "change of the score"))
        rows += [(name, number(whole[key])) for key, name in named if whole.get(key) is not None]
        rows += [("completeness", str(said))] if said else []
    for part, what in (("infidelity", "perturbation"), ("sensitivity", "radius")):
        found = trust.get(part) or {}
        if found:
            how = f"{found.get('samples', '?')} samples, {what}: {found.get(what, '?')}"
            rows.append((part, f"{finite(found.get('value'))} over {how}"))
    if trust.get("passes") is not None:
        rows.append(("took", f"{int(trust['passes']):,} passes, {finite(trust.get('seconds'), 3)} s"))
    return html.Table(
        html.Tbody([html.Tr([html.Th(name, scope="row"), html.Td(text)]) for name, text in rows]), className="facts"
    )


def _layers(found: Any) -> Any:
    if not isinstance(found, dict) or not found.get("layers"):
        return None
    rows = [
        html.Tr([html.Th(str(name), scope="row"), html.Td(number(value, 3), className="num")])
        for name, value in zip(found["layers"], found["similarity"], strict=False)
    ]
    head = html.Thead(
        html.Tr([html.Th("Made random, with all above it", scope="col"), html.Th("Similarity", scope="col")])
    )
    return html.Table([head, html.Tbody(rows)], className="map-table")
