"""Attributions in the forms that their readers know, as HTML: overlays on pictures, coloured tokens, signed bars."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from dash import html
from numpy.typing import NDArray

from dashboard import theme
from dashboard.pictures import addresses
from dashboard.views.attribution import words
from dashboard.views.attribution.maps_data import Scale
from dashboard.widgets.attributes import attributes

SIZE = "#26828e"  # of values without a sign, where a colour of its own would hide what is written on it
DEEPEST = 0.55  # opacity behind text: WCAG AA in both themes; .at-ramp-behind of assets/attribution.css has the same
MOST_TOKEN = 40  # characters
POINT = "Point at a pixel for its value."
HINT = "Point at a token, or go there with Tab and the arrow keys, for its value."
SMOOTH = 160  # pixels: larger pictures are not drawn with square pixels


def ink(share: float, sign: str) -> tuple[str, float]:
    """Colour and opacity of a share of the limit, -1 to 1, behind text."""
    colour = SIZE if sign == "absolute" else theme.RAISES if share > 0 else theme.LOWERS
    return colour, DEEPEST * min(1.0, abs(share))


def tint(share: float, sign: str) -> str:
    """The same as a CSS colour."""
    colour, alpha = ink(share, sign)
    red, green, blue = bytes.fromhex(colour[1:])
    return f"rgba({red},{green},{blue},{alpha:.2f})"


def shares(scale: Scale) -> NDArray[np.float64]:
    """Values as parts of the limit, -1 to 1; 0 where they are not finite."""
    return np.clip(np.nan_to_num(scale.drawn / scale.limit, nan=0.0, posinf=1.0, neginf=-1.0), -1, 1)


def legend(scale: Scale, kind: str) -> html.Div:
    """The colours of the scale, its ends, and what the values are. kind: of the data, 'bars' or 'attention'."""
    kinds = {"signed": "ramp ramp-signed", "positive": "ramp at-ramp-positive"}
    size = {"image": "ramp at-ramp-size", "attention": "ramp"}.get(kind, "ramp at-ramp-plain")
    ramp = kinds.get(scale.sign, size) + (" at-ramp-behind" if kind == "text" else "")
    top = words.number(scale.limit)
    low = words.MINUS + top if scale.sign == "signed" else "0"
    high = f"+{top}" if scale.sign == "signed" else top
    what = {"signed": "", "positive": ", raising only", "absolute": ", size only"}[scale.sign]
    what = "" if kind == "attention" else what
    note = f"{scale.quantity}{what}" + (" · common scale" if scale.common else "")
    if scale.clipped:
        note += f" · {scale.clipped:,} beyond the ends"
    return html.Div(
        [
            html.Div(className=ramp),
            html.Div([html.Span(low), html.Span(high)], className="ramp-ends"),
            html.Div(note, className="at-quantity"),
        ],
        className="at-legend",
    )


def picture(
    key: str,
    scale: Scale,
    size: tuple[int, int],
    look: Any,
    said: str,
    *,
    rate: float | None = None,
    part: str | None = None,
) -> html.Div:
    """The instance in grey under the overlay of an answer; below it the value under the pointer or the arrow keys.

    size: (height, width) of the instance. said: what a screen reader says of it. rate: columns a second of a
    time-frequency picture. part: of an answer that is not complete, its draft.
    """
    height, width = size
    pixels = "" if max(size) > SMOOTH else " at-square"
    shape = {"aspectRatio": f"{width} / {height}"}
    veil = addresses.attribution(key, part=part, sign=scale.sign, limit=scale.limit, outline=look.aoutline == "on")
    more = {
        "data-at-numbers": addresses.attribution_numbers(key, part=part, sign=scale.sign),
        "data-height": str(height),
        "data-width": str(width),
        "aria-label": f"{said}. Arrow keys go from pixel to pixel.",
    }
    if rate is not None:
        more["data-rate"] = f"{rate:g}"
    pictures = html.Div(
        [
            html.Img(src=addresses.instance(maps=key), alt="", className="at-base"),
            html.Img(src=veil, alt="", className="at-veil"),
            html.Span(className="at-cursor", hidden=True),
        ],
        className=f"at-canvas{pixels}",
        style=shape,
        role="application",
        tabIndex=0,
        **attributes(more),
    )
    readout = html.Div(POINT, className="at-readout", **attributes({"aria-live": "polite"}))
    if rate is None:
        return html.Div([html.Div(pictures, className="at-frame"), readout])
    seconds = [0.0, width / rate / 2, width / rate]
    across = html.Div([html.Span(f"{value:.3g} s") for value in seconds], className="at-across")
    up = html.Div([html.Span("0"), html.Span("frequency bin"), html.Span(str(height - 1))], className="at-up")
    return html.Div([html.Div([up, pictures, html.Div(), across], className="at-frame at-axes"), readout])


@dataclass(frozen=True)
class Row:
    """A line of bars. name: of the feature. shown: its value in the instance. value, spread: of the attribution; spread
    None without one. share: of the limit, -1 to 1. nav: what a click selects."""

    name: str
    shown: str
    value: float
    spread: float | None
    share: float
    nav: dict[str, Any] | None = None


def rows_of(
    names: Sequence[str],
    shown: Sequence[str],
    values: NDArray[Any],
    scale: Scale,
    spread: NDArray[Any] | None,
    most: int,
    navs: Sequence[dict[str, Any]] | None = None,
) -> list[Row]:
    """The largest values first, at most so many; of a scale that shows what raises, only values above 0."""
    share = shares(scale)
    sizes = np.abs(np.nan_to_num(scale.drawn.ravel()))
    order = np.argsort(-sizes, kind="stable")
    if scale.sign == "positive":
        order = order[sizes[order] > 0]
    order = order[:most]
    return [
        Row(
            names[i],
            shown[i] if i < len(shown) else "",
            float(values[i]),
            float(spread[i]) if spread is not None else None,
            float(share[i]),
            navs[i] if navs else None,
        )
        for i in order.tolist()
    ]


def bars(rows: Sequence[Row], scale: Scale, left_out: int, noun: str) -> html.Div:
    """Signed bars about 0, with the value of each feature; whiskers are one standard error.

    left_out: how many have no row, those that the scale does not show among them. noun: what they are, in the plural.
    """
    numbers = words.aligned([row.value for row in rows])
    listed = [_bar(row, scale, number) for row, number in zip(rows, numbers, strict=True)]
    hidden = scale.drawn.size - int((np.nan_to_num(scale.drawn) > 0).sum()) if scale.sign == "positive" else 0
    said = [f"{left_out - hidden:,} more {noun} with smaller values."] if left_out > hidden else []
    said += [_not_raising(hidden, scale, noun)] if hidden else []
    note = [html.P(" ".join(said), className="quiet")] if said else []
    uncertain = any(row.spread is not None for row in rows)
    name = "at-bars at-uncertain" if uncertain else "at-bars"
    return html.Div([html.Ul(listed, className=name), *note])


def _not_raising(count: int, scale: Scale, noun: str) -> str:
    """'3 columns lower the score or do nothing: not shown.'"""
    one = count == 1
    what = f"{count:,} {noun.removesuffix('s') if one else noun}"
    if scale.quantity.startswith("contribution to the "):
        aim = scale.quantity.removeprefix("contribution to the ").removesuffix(" (logit)")
        return f"{what} {'lowers' if one else 'lower'} the {aim} or {'does' if one else 'do'} nothing: not shown."
    return f"{what} with {'a value' if one else 'values'} of 0 or below: not shown."


def _bar(row: Row, scale: Scale, label: str) -> html.Li:
    label += f" ± {words.number(row.spread, 2)}" if row.spread is not None else ""
    name: Any = [html.Span(row.name, className="at-name", title=row.name)]
    if row.shown:
        name.append(html.Span(row.shown, className="at-shown"))
    if row.nav is not None:
        nav = attributes({"data-nav": json.dumps(row.nav)})
        name = [html.Button(name, type="button", className="link", **nav)]
    return html.Li(
        [html.Div(name, className="at-feature"), _track(row, scale), html.Span(label, className="at-number")]
    )


def _track(row: Row, scale: Scale) -> html.Div:
    one_sided = scale.sign != "signed"

    def place(share: float) -> float:
        share = float(np.clip(share, 0 if one_sided else -1, 1))
        return 100 * share if one_sided else 50 + 50 * share

    start, end = sorted((place(0), place(row.share)))
    colour = SIZE if scale.sign == "absolute" else theme.RAISES if row.share > 0 else theme.LOWERS
    parts = [
        html.Span(
            className="at-fill", style={"left": f"{start:.1f}%", "width": f"{end - start:.1f}%", "background": colour}
        )
    ]
    if row.spread is not None and np.isfinite(row.spread):
        width = row.spread / scale.limit
        low, high = place(row.share - width), place(row.share + width)
        parts.append(html.Span(className="at-whisker", style={"left": f"{low:.1f}%", "width": f"{high - low:.1f}%"}))
    kind = "at-track" if one_sided else "at-track at-middle"
    return html.Div(parts, className=kind, **attributes({"aria-hidden": "true"}))


def text(tokens: Sequence[str], values: NDArray[Any], scale: Scale, spread: NDArray[Any] | None, most: int) -> html.Div:
    """Tokens on their colour; the arrow keys move between them, the value of one is its name and its tooltip.

    most: tokens shown; of a longer text those with the largest values, gaps are marked.
    """
    count = min(len(tokens), len(values))
    share = shares(scale)
    kept = np.arange(count)
    if count > most:
        kept = np.sort(np.argsort(-np.abs(np.nan_to_num(scale.drawn[:count])), kind="stable")[:most])
    parts: list[Any] = []
    before = -1
    for place, at in enumerate(kept.tolist()):
        parts += _gap(at - before - 1)
        before = at
        parts.append(_token(tokens[at], values[at], float(share[at]), scale.sign, spread, at, first=place == 0))
    parts += _gap(count - 1 - before)
    box = html.Div(parts, className="at-tokens", role="group", **attributes({"aria-label": "Tokens with their values"}))
    readout = html.Div(HINT, className="at-readout", **attributes({"aria-live": "polite"}))
    if count > most:
        return html.Div([box, readout, html.P(f"{most:,} of {count:,} tokens: the largest values.", className="quiet")])
    return html.Div([box, readout])


def _gap(count: int) -> list[Any]:
    return [html.Span(f"… {count:,} …", className="at-gap")] if count > 0 else []


def _token(
    token: str, value: float, share: float, sign: str, spread: NDArray[Any] | None, at: int, *, first: bool
) -> html.Span:
    said = words.signed(float(value))
    if spread is not None and at < len(spread):
        said += f" ± {words.number(float(spread[at]), 2)}"
    shown = token.strip() or "␣"
    shown = shown if len(shown) <= MOST_TOKEN else shown[: MOST_TOKEN - 1] + "…"
    extra: dict[str, Any] = attributes({"aria-label": f"{shown}: {said}"})
    style = {"background": tint(share, sign)}
    return html.Span(
        shown, className="at-token", style=style, title=said, tabIndex=0 if first else -1, role="img", **extra
    )
