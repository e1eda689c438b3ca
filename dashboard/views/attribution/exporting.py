"""Addresses of the downloads of attributions: keys of answers, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from dashboard import services
from dashboard.views.attribution import data


def address(kind: str, shown: data.Frame, keys: Sequence[str], scheme: str = "light") -> str:
    """Of a download of these answers. kind: 'npz', 'csv' or 'png'; '#' while there is no answer."""
    if not keys:
        return "#"
    query = {"a": ",".join(keys)}
    if kind == "png":
        look = shown.selection
        query |= {"sign": look.asign, "clip": f"{look.aclip:g}", "scale": look.ascale, "outline": look.aoutline}
        query |= {"opacity": f"{look.aopacity:g}", "scheme": scheme}
    return f"{services.current().settings.path_prefix}export/attribution.{kind}?{urlencode(query)}"
