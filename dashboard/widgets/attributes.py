"""Attributes such as aria-label and data-nav, whose names are no Python identifiers."""

from __future__ import annotations

from typing import Any


def attributes(values: dict[str, str]) -> dict[str, Any]:
    """The same dictionary, typed so that it can be spread over a component's keywords."""
    return dict(values)
