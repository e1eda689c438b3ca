"""The explanation behind (i) of the panel Surrogate."""

from __future__ import annotations

from dashboard.widgets.panel import About

SURROGATE = About(what="", how="", formula="", source="")
