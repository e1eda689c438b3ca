"""What a visitor asked to be computed, beyond what the page computes by itself: kept by the browser, as tokens.

A token is a digest of a question with its parameters. A panel compares it with what it would ask, so that nothing that
a browser sends is ever read as more than 'yes, this one'. assets/attribution_more.js keeps the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import html

from dashboard import asking, subjects
from dashboard.views.attribution import data
from dashboard.widgets.attributes import attributes

STORE = "at-wanted"
MOST = 200  # tokens that one visitor has at a time


def token(shown: data.Frame, question: str, params: dict[str, Any]) -> str:
    """Of a question about the weights shown."""
    return asking.mark(question, params, shown.selection.checkpoint)


def tokens(stored: object) -> set[str]:
    """Those that the browser keeps; what is no token is left out."""
    if not isinstance(stored, list):
        return set()
    return {one for one in stored[-MOST:] if isinstance(one, str) and len(one) <= 40}


def button(label: str, wanted: Sequence[str], *, said: str = "") -> html.Button:
    """Asks for the answers of these tokens. said: its accessible name, where the label does not say of what."""
    more = {"data-at-want": " ".join(wanted)} | ({"aria-label": said} if said else {})
    return html.Button(label, type="button", className="outline-button", **attributes(more))


def asked(shown: data.Frame, question: str, params: dict[str, Any], stored: set[str]) -> subjects.Asked:
    """The answer: asked if the visitor wants it, else only what is there already (state 'none' if nothing is)."""
    found = subjects.known(shown.selection, question, **params)
    if found.state == "none" and token(shown, question, params) in stored:
        return subjects.ask(shown.selection, question, wait=0.0, **params)
    return found
