"""Scores and calibration."""

from __future__ import annotations

import dash
from dash import html

from dashboard.views.instances.about_scores import SCORES
from dashboard.widgets import panel as parts

NAME = "in-scores"


def panel() -> html.Section:
    """Nothing yet."""
    return parts.panel(NAME, "Scores and calibration", html.Div(id="in-scores-body"), about=SCORES, picture=False)


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this panel."""
    del app
