"""The explanation behind (i) of the panel Likely label errors."""

from __future__ import annotations

from dashboard.widgets.panel import About

LABELS = About(what="", how="", formula="", source="")
