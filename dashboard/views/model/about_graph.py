"""The explanation behind (i) of the panel Computation graph."""

from __future__ import annotations

from dashboard.widgets.panel import About

GRAPH = About(what="", how="", formula="", source="")
