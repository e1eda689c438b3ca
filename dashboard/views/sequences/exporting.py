"""Addresses of the downloads of this view: the keys of the answers that the page shows."""

from __future__ import annotations

from urllib.parse import urlencode

from analysis.results import Answer
from dashboard import services


def address(file: str, responses: Answer | None, clusters: Answer | None = None) -> str:
    """Of a download called so, such as 'clusters.csv'; '#' while there is nothing to download."""
    if responses is None:
        return "#"
    query = {"responses": responses.key}
    if clusters is not None:
        query["clusters"] = clusters.key
    return f"{services.current().settings.path_prefix}export/sequences/{file}?{urlencode(query)}"
