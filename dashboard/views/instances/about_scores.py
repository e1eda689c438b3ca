"""The explanation behind (i) of the panel Scores and calibration."""

from __future__ import annotations

from dashboard.widgets.panel import About

SCORES = About(what="", how="", formula="", source="")
