"""What the two maps of points share: a trace per class, its legend, labels where they fit, the outline of a lasso.

Both draw their few thousand points as SVG. Plotly's WebGL scatter makes its drawing code with ``Function``, which the
page's content security policy forbids: it would say that the browser has no WebGL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import theme
from dashboard.widgets import lasso
from dashboard.widgets.class_groups import MOST_CLASSES as MOST_CLASSES
from dashboard.widgets.class_groups import Group as Group
from dashboard.widgets.class_groups import group_style as group_style
from dashboard.widgets.class_groups import groups as groups
from dashboard.widgets.class_groups import legend as legend
from dashboard.widgets.class_marks import NO_LABEL as NO_LABEL

MOST_LABELS = 10
INK = {"light": "#1d2430", "dark": "#e6e9ee"}
FADED = 0.16


def selected(rows: NDArray[Any], chosen: NDArray[np.bool_] | None) -> dict[str, Any]:
    """What fades the points of a trace that a lasso left out. meta: the browser restores it from there."""
    if chosen is None:
        return {"meta": {"selected": None}, **unfaded()}
    found = np.flatnonzero(chosen[rows]).tolist()
    return {"selectedpoints": found, "meta": {"selected": found}, "unselected": {"marker": {"opacity": FADED}}}


def unfaded() -> dict[str, Any]:
    """A lasso of the browser's own fades nothing before the server has drawn it."""
    return {"unselected": {"marker": {"opacity": 0.8}}, "selected": {"marker": {"opacity": 0.8}}}


def direct_labels(
    xy: NDArray[Any], found: Sequence[Group], name: Callable[[int], str], scheme: str
) -> list[dict[str, Any]]:
    """Names of classes where they gather; none when they do not stand apart."""
    named = [group for group in found if group.label is not None and group.label >= 0 and len(group.rows) > 2]
    if not 2 <= len(named) <= MOST_LABELS or len(named) < len(found):
        return []
    texts = [theme.plain(name(int(group.label or 0)), 18) for group in named]
    centres = np.array([np.nanmedian(xy[group.rows], axis=0) for group in named])
    span = float(np.nanmax(np.ptp(np.where(np.isfinite(xy), xy, np.nan), axis=0))) or 1.0
    apart = np.abs(centres[:, None] - centres[None]) / span
    # A line of text is about a twentieth of the map high, and a letter a seventieth wide.
    room = np.add.outer(*[np.array([len(text) + 1 for text in texts]) / 140] * 2)
    clash = (apart[..., 0] < room) & (apart[..., 1] < 0.06) & ~np.eye(len(named), dtype=bool)
    if not np.isfinite(apart).all() or clash.any():
        return []
    paper = {"light": "rgba(255,255,255,0.75)", "dark": "rgba(27,31,38,0.75)"}[scheme]
    return [
        {
            "x": float(x),
            "y": float(y),
            "text": text,
            "showarrow": False,
            "font": {"size": 13},
            "bgcolor": paper,
            "borderpad": 1,
        }
        for text, (x, y) in zip(texts, centres, strict=True)
    ]


def base_layout(
    titles: tuple[str, str], outline: Sequence[float], revision: str, annotations: Sequence[dict[str, Any]], drag: Any
) -> dict[str, Any]:
    """Axes without numbers (an embedding has no unit) and the lasso. revision: a zoom survives while it is the same."""
    plain = {"showticklabels": False, "showgrid": True, "zeroline": False, "nticks": 8}
    shapes = []
    if outline:
        line = {"color": theme.RAISES, "width": 2, "dash": "dot"}
        shapes = [{"type": "path", "path": lasso.outline_path(outline), "line": line, "layer": "above"}]
    return theme.layout(
        xaxis=theme.axis(titles[0], **plain),
        yaxis=theme.axis(titles[1], **plain, scaleanchor="x", scaleratio=1),
        margin={"l": 28, "r": 8, "t": 8, "b": 30},
        shapes=shapes,
        selections=[],
        annotations=list(annotations),
        uirevision=revision,
        # The browser's own lasso gives way to the outline drawn here.
        selectionrevision=lasso.written(outline) or revision,
        dragmode=drag,
        hovermode="closest",
        # 'newselection' is what Plotly draws while the lasso is pulled.
        newselection={"line": {"color": theme.RAISES, "width": 1.5, "dash": "dot"}},
        meta={"map": True},
    )
