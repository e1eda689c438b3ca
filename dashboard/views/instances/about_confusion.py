"""The explanation behind (i) of the panel Confusion matrix."""

from __future__ import annotations

from dashboard.widgets.panel import About

CONFUSION = About(what="", how="", formula="", source="")
