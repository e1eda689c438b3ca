"""Wires the Instances view: each panel attaches its own callbacks."""

from __future__ import annotations

import dash

from dashboard.views.instances import (
    confusion_panel,
    inspector,
    labels_panel,
    members_panel,
    scores_panel,
    subset_panel,
    suggestions_panel,
    surrogate_panel,
    table_panel,
)

# In reading order.
PARTS = (
    subset_panel,
    confusion_panel,
    scores_panel,
    members_panel,
    table_panel,
    suggestions_panel,
    labels_panel,
    surrogate_panel,
)


def register(app: dash.Dash) -> None:
    """Attach every callback of the view to this app."""
    for part in (*PARTS, inspector):
        part.register(app)
