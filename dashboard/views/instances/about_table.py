"""The explanation behind (i) of the panel Table."""

from __future__ import annotations

from dashboard.widgets.panel import About

TABLE = About(what="", how="", formula="", source="")
