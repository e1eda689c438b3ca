"""The explanation behind (i) of the panel Subset."""

from __future__ import annotations

from dashboard.widgets.panel import About

SUBSET = About(what="", how="", formula="", source="")
