"""The explanation behind (i) of the panel Neuron activation matrix."""

from __future__ import annotations

from dashboard.widgets.panel import About

MATRIX = About(what="", how="", formula="", source="")
