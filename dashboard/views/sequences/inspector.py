"""What the inspector says while this view is shown."""

from __future__ import annotations

import dash


def register(app: dash.Dash) -> None:
    """Attach the callbacks of this part."""
