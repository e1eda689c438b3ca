"""What the inspector says while the Model view is shown."""

from __future__ import annotations

import dash


def register(app: dash.Dash) -> None:
    """Attach the callback of the inspector."""
    del app
