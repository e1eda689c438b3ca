"""Ink: colours and the plain Plotly layout that every figure starts from.

Text, grid and backgrounds of figures take their colour from CSS custom properties (assets/tokens.css), so that
switching the theme redraws nothing. Colours given here work on both backgrounds. Sources: Okabe and Ito's set for
categories; cividis-like sequential and blue/orange diverging scales that stay ordered for colour-blind readers.
"""

from __future__ import annotations

from typing import Any

RUN_COLOURS = ("#0f9d76", "#b65fa0")  # run A, run B
RUN_DASHES = ("solid", "dash")
RAISES, LOWERS, NEUTRAL = "#d9822b", "#3b7dd8", "#8a94a3"
PROBLEM, WARNING, HINT, GOOD = "#d64545", "#b7791f", "#5b6b82", "#0f9d76"
CATEGORIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#9a8b00", "#7f7f7f")

# Viridis, sampled; low is near the background in either theme.
_VIRIDIS = (
    "#440154",
    "#482878",
    "#3e4a89",
    "#31688e",
    "#26828e",
    "#1f9e89",
    "#35b779",
    "#6dcd59",
    "#b4de2c",
    "#fde725",
)


def sequential(scheme: str) -> list[list[Any]]:
    """A sequential Plotly colour scale whose low end is near the background: 'light' or 'dark'."""
    colours = _VIRIDIS if scheme == "dark" else _VIRIDIS[::-1]
    return [[index / (len(colours) - 1), colour] for index, colour in enumerate(colours)]


def plain(text: str, most: int = 120) -> str:
    """Text from a user for Plotly: shown as it is, never as markup, template or formula."""
    text = text if len(text) <= most else text[: most - 1] + "…"
    for sign, shown in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("%{", "% {"), ("$", "&#36;")):
        text = text.replace(sign, shown)
    return text


def clip(name: str, most: int = 26) -> str:
    """A long dotted name keeps its end, which is what tells layers apart."""
    return plain(name if len(name) <= most else "…" + name[-(most - 1) :])


def layout(**extra: Any) -> dict[str, Any]:
    """The layout that every figure starts from."""
    base: dict[str, Any] = {
        # 'none' drops the 7 kB default template; None would keep it.
        "template": "none",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "#333"},
        # White in an exported picture; on the page CSS makes it the panel's colour.
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 52, "r": 12, "t": 12, "b": 40},
        "showlegend": False,
        "hoverlabel": {"font": {"size": 12}},
        "modebar": {"orientation": "h"},
        "autosize": True,
    }
    return base | extra


def axis(title: str = "", **extra: Any) -> dict[str, Any]:
    """An axis with a light grid."""
    base: dict[str, Any] = {
        "title": {"text": title, "font": {"size": 12}, "standoff": 6},
        "gridcolor": "#e3e6ea",
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "automargin": True,
        "tickfont": {"size": 11},
    }
    return base | extra


def config(name: str) -> Any:
    """Options of dcc.Graph: no call home, a PNG export with a telling file name."""
    return {
        "displaylogo": False,
        "responsive": True,
        # Its buttons would cover the legend: the panel's menu saves the picture, a double click ends a zoom.
        "displayModeBar": False,
        "showTips": False,
        "toImageButtonOptions": {"format": "png", "filename": f"cutaway-{name}", "scale": 2},
        "doubleClick": "reset",
    }
