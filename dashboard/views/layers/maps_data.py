"""What the feature maps panel shows: the instance, its maps, and what the browser needs to draw them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from dash import html
from numpy.typing import NDArray

from analysis.errors import NotFound
from analysis.results import Answer
from dashboard import subjects
from dashboard.pictures import addresses, draw, routes
from dashboard.views.layers import asking, data, maps_figures
from dashboard.widgets.class_marks import class_mark

SHOWN_COLUMNS = 24  # of a table's row


@dataclass(frozen=True)
class Maps:
    """The maps of one instance.

    maps: (F,), (F, T) or (F, H, W). display: the instance as an array. low, high: ends of the common scale. missing:
    values that are not finite. folded: how many slices of a third axis each map is the maximum of. fields: receptive
    fields, None while they are being found.
    """

    index: int
    answer: Answer
    fields: Answer | None
    maps: NDArray[Any]
    display: NDArray[Any] | None
    low: float
    high: float
    missing: int
    folded: int

    @property
    def on_canvas(self) -> bool:
        """Whether the maps are pictures."""
        return self.maps.ndim == 3


def instance_of(shown: data.Frame) -> int:
    """The chosen instance, or the first of the sample."""
    return shown.selection.instances[0] if shown.selection.instances else int(shown.extraction.indices[0])


def load(shown: data.Frame, index: int) -> Maps:
    """The maps of an instance. Raises Pending, and NotReady for an instance that is not there."""
    total = int(shown.description.get("n") or 0)
    if total and index >= total:
        raise data.NotReady("Feature maps", f"The data set has {total:,} instances: 0 to {total - 1:,}.")
    fields = asking.ask_if_ready(shown, "receptive_fields", "Receptive fields")
    what = f"Feature maps of {data.called(shown.layer)}, instance {index:,}"
    # One pass on one instance: worth a moment, so that stepping through instances shows no waiting box.
    wait = subjects.WAIT_SECONDS
    answer = asking.ask(shown, "feature_maps", what, wait=wait, layer=shown.layer.key, instance=index)
    maps = answer.array("maps")
    folded = 1
    if maps.ndim > 3:
        folded = int(np.prod(maps.shape[1:-2]))
        maps = maps.reshape(len(maps), folded, *maps.shape[-2:]).max(1)
    try:
        display = answer.array("display")
    except KeyError:
        display = None
    low, high = draw.ends(maps, "common")
    return Maps(
        index,
        answer,
        fields,
        maps,
        display,
        float(low[0]) if len(low) else 0.0,
        float(high[0]) if len(high) else 0.0,
        int((~np.isfinite(maps)).sum()),
        folded,
    )


def ranges(shown: data.Frame, fields: Answer | None, axis: int) -> NDArray[Any] | None:
    """What each position along an axis of the layer sees, (S, 2); None where that is everything, or not known yet."""
    if fields is None or shown.layer.key in (fields.json.get("whole") or ()):
        return None
    try:
        return fields.array(f"{shown.layer.key}/{axis}")
    except KeyError:
        return None


def spec_of(shown: data.Frame, found: Maps) -> dict[str, Any]:
    """What assets/layers.js draws: the sprite, how its tiles lie, and where the chosen one lies on the input."""
    picture = found.display if found.display is not None and found.display.ndim == 3 else None
    word = data.noun(shown.layer, 1)
    spec: dict[str, Any] = {
        "layer": shown.layer.key,
        "word": word,
        "filters": len(found.maps),
        "instance": found.index,
        "picture": addresses.instance(maps=found.answer.key) if picture is not None else None,
        "source": None,
    }
    if not found.on_canvas:
        return spec
    tiles = routes.map_tiles(found.maps)
    sheet = draw.Sheet.of(len(tiles), tiles.shape[2], tiles.shape[1])
    finite = np.where(np.isfinite(found.maps), found.maps, -np.inf)
    tops = finite.reshape(len(finite), -1).max(1)
    height, width = picture.shape[:2] if picture is not None else found.maps.shape[1:]
    top, bottom = maps_figures.extent(ranges(shown, found.fields, 0), found.maps.shape[1], height)
    left, right = maps_figures.extent(ranges(shown, found.fields, 1), found.maps.shape[2], width)
    return spec | {
        "source": addresses.maps(found.answer.key, shown.selection.mapscale),
        "veil": addresses.maps(found.answer.key, "filter") if picture is not None else None,
        "columns": sheet.columns,
        "width": sheet.width,
        "height": sheet.height,
        "tops": [float(f"{top:.4g}") if np.isfinite(top) else None for top in tops],
        "signed": found.low < 0,
        "overlay": shown.selection.overlay == "on",
        "extent": [left / width, top / height, right / width, bottom / height],
        "aspect": width / height,
    }


def figure_of(shown: data.Frame, found: Maps, scheme: str) -> dict[str, Any]:
    """Strips along time or tokens, bars for a layer without positions."""
    word, chosen = data.noun(shown.layer, 1), shown.selection.filter
    if found.maps.ndim == 1:
        return maps_figures.bars_figure(found.maps, word=word, chosen=chosen)
    common = shown.selection.mapscale == "common"
    tokens = tokens_of(shown, found)
    series = found.display is not None and found.display.ndim == 2 and shown.extraction.kind == "series"
    length = found.display.shape[1] if series and found.display is not None else max(found.maps.shape[1], len(tokens))
    first, last = maps_figures.extent(ranges(shown, found.fields, 0), found.maps.shape[1], length)
    edges = np.linspace(first, last, found.maps.shape[1] + 1)
    values, rows, block = maps_figures.fitted(found.maps, chosen)
    low, high = draw.ends(values, shown.selection.mapscale)
    rate = shown.description.get("sampling_rate")
    strips = maps_figures.Strips(
        values,
        low if not common else np.full(1, found.low),
        high if not common else np.full(1, found.high),
        np.append(edges[:-1:block], edges[-1]) if block > 1 else edges,
        found.display if series else None,
        tokens,
        float(rate) if rate and not tokens else None,
        rows,
        word,
        common,
    )
    return maps_figures.strips_figure(strips, chosen=chosen, scheme=scheme)


def tokens_of(shown: data.Frame, found: Maps) -> list[str]:
    """Tokens of the instance: from its answer, else from the sample; [] when it is no text."""
    if shown.extraction.kind != "text":
        return []
    given = found.answer.json.get("tokens")
    if isinstance(given, list):
        return [str(token) for token in given]
    try:
        return shown.extraction.tokens(found.index)
    except NotFound:
        return []


def subtitle_of(shown: data.Frame, found: Maps) -> str:
    """One line of what is shown."""
    count, sizes = len(found.maps), found.maps.shape[1:]
    text = f"{data.called(shown.layer)} · {count:,} {data.noun(shown.layer, count)}"
    text += f" of {' × '.join(map(str, sizes))}" if sizes else " without positions"
    text += f" · instance {found.index:,}"
    if found.folded > 1:
        text += f" · largest of {found.folded:,} slices"
    if len(sizes) == 1:
        _, rows, block = maps_figures.fitted(found.maps, shown.selection.filter)
        text += f" · {len(rows):,} strongest shown" if len(rows) < count else ""
        text += f" · largest of every {block} steps" if block > 1 else ""
    if found.on_canvas:
        tiles = routes.map_tiles(found.maps)
        if tiles.shape[1:] != sizes:
            text += f" · drawn at {tiles.shape[1]} × {tiles.shape[2]}"
        if shown.description.get("sampling_rate"):
            text += " · columns are time, rows frequency"
    return text


def neighbours(shown: data.Frame, index: int, wrong: bool) -> tuple[int | None, int | None, str]:
    """The instances before and after one in the sample, and its place there. wrong: among misclassified ones only."""
    found = shown.extraction
    indices = np.asarray(found.indices)
    labels = np.asarray(found.labels)
    if wrong:
        indices = indices[(labels >= 0) & (np.asarray(found.predictions) != labels)]
    indices = np.sort(indices)
    at = int(np.searchsorted(indices, index))
    inside = at < len(indices) and indices[at] == index
    before = int(indices[at - 1]) if at else None
    after = int(indices[at + inside]) if at + inside < len(indices) else None
    kind = "wrong" if wrong else "in the sample"
    place = f"{at + 1:,} of {len(indices):,} {kind}" if inside else f"{len(indices):,} {kind}"
    return before, after, place


def sample_line(shown: data.Frame, index: int) -> Any:
    """Prediction and label of an instance of the sample; None for another one."""
    row = shown.extraction.row_of(index)
    if row is None:
        return None
    found = shown.extraction
    return _line(shown, int(found.labels[row]), int(found.predictions[row]), float(found.confidence[row]))


def instance_line(shown: data.Frame, found: Maps) -> Any:
    """Prediction, confidence and label of the instance shown."""
    known = sample_line(shown, found.index)
    if known is not None:
        return known
    said = found.answer.json
    label, prediction = _label(shown, said.get("label")), _label(shown, said.get("prediction"))
    scores = said.get("scores") or []
    share = float(scores[0][1]) if scores else float("nan")
    return [*_line(shown, label, prediction, share), html.Span(" · outside the sample", className="quiet")]


def _label(shown: data.Frame, value: Any) -> int:
    """A label by its number, or by its name."""
    if isinstance(value, str) and value in shown.class_names:
        return shown.class_names.index(value)
    return int(value) if isinstance(value, int | float) else -1


def _line(shown: data.Frame, label: int, prediction: int, share: float) -> list[Any]:
    parts: list[Any] = ["predicted ", class_mark(prediction), html.B(shown.class_name(prediction))]
    if np.isfinite(share):
        parts.append(f" ({100 * share:.1f} %)")
    if label < 0:
        return [*parts, " · no label"]
    right = label == prediction
    verdict = html.Span("✓ right" if right else "✗ wrong", className="verdict" if right else "verdict wrong")
    return [*parts, " · label ", class_mark(label), html.B(shown.class_name(label)), " · ", verdict]


def input_text(shown: data.Frame, found: Maps) -> Any:
    """The instance in words, where it is no picture: tokens, or the values of a table's row."""
    tokens = tokens_of(shown, found)
    if tokens:
        return html.P(" ".join(tokens[:200]), className="tokens")
    if shown.extraction.kind == "table" and found.display is not None:
        values = np.asarray(found.display).ravel()
        rows = [
            html.Tr([html.Th(f"column {i}"), html.Td(data.finite(v))]) for i, v in enumerate(values[:SHOWN_COLUMNS])
        ]
        more = len(values) - SHOWN_COLUMNS
        table = html.Table(html.Tbody(rows), className="facts")
        return [table, html.P(f"and {more:,} more columns", className="quiet")] if more > 0 else table
    return None
