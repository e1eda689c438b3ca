"""The explanation behind (i) of the panel Instances by class."""

from __future__ import annotations

from dashboard.widgets.panel import About

MEMBERS = About(what="", how="", formula="", source="")
