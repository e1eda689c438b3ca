"""The explanation behind (i) of the panel Suggested subsets."""

from __future__ import annotations

from dashboard.widgets.panel import About

SUGGESTIONS = About(what="", how="", formula="", source="")
