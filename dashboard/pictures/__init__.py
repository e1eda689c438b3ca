"""Pictures as PNG: instances, the patches that a filter answers to, weights, feature maps, attributions.

All from cached answers. ``addresses`` writes the links that a page holds, ``routes`` and ``attributions`` answer them,
``patches`` knows what part of an instance a position sees, ``draw`` makes the pixels.
"""

from __future__ import annotations

import flask

from dashboard.pictures import attributions, points, routes

__all__ = ["install"]


def install(server: flask.Flask, prefix: str) -> None:
    """Add the routes under the app's prefix; the gate guards them like all others."""
    routes.install(server, prefix)
    attributions.install(server, prefix)
    points.install(server, prefix)
