"""The explanation behind (i) of the panel Projection."""

from __future__ import annotations

from dashboard.widgets.panel import About

PROJECTION = About(what="", how="", formula="", source="")
