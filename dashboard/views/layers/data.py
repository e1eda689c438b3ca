"""What the panels of the Layers view share: the frame of what is shown, the filter chosen, names, downloads."""

from __future__ import annotations

from typing import Any

from analysis.layerinfo import LayerInfo
from analysis.layers.rules import meta_of
from analysis.training.findings import layer_name
from dashboard import services
from dashboard.asking import NotReady as NotReady
from dashboard.asking import boxed as boxed
from dashboard.asking import described as described
from dashboard.asking import line_of as line_of
from dashboard.asking import mark as mark
from dashboard.framing import Frame as Frame
from dashboard.framing import frame as frame
from dashboard.selection import Selection
from dashboard.wording import class_options as class_options
from dashboard.wording import column as column
from dashboard.wording import finite as finite
from dashboard.wording import wrapped as wrapped

VIEW = "layers"
# Sampled for the maps of a layer. All panels ask with this number: with another one, all would be computed again.
PATCHES = 2048


def is_shown(search: object) -> bool:
    """Whether the page shows this view; callbacks of a view that is not shown compute nothing."""
    return Selection.parse(search).view == VIEW


def filter_of(shown: Frame) -> int | None:
    """The chosen filter of the layer shown; None without one. Raises NotReady if the layer has no such filter."""
    index = shown.selection.filter
    if index is None:
        return None
    if index >= shown.layer.filters:
        word = noun(shown.layer, 1, capital=True)
        raise NotReady(
            f"{word} {index}",
            f"{called(shown.layer)} has {shown.layer.filters:,} {noun(shown.layer, 2)}.",
            "Choose one of its cells.",
        )
    return index


def called(info: LayerInfo) -> str:
    """A layer's name inside a sentence, as the findings say it: 'conv2'; 'layer 3 (Conv2d)' for a bare number."""
    return layer_name(meta_of(info))


def noun(info: LayerInfo, count: int, capital: bool = False) -> str:
    """'filter' for convolutions, 'unit' for the others."""
    word = ("filter" if info.kind == "conv" else "unit") + ("" if count == 1 else "s")
    return word.capitalize() if capital else word


def export(name: str, shown: Frame, *extra: str) -> str:
    """Address of a download of what is shown. extra: names of more parameters that it depends on."""
    wanted = ("checkpoint", "n", "include", *extra)
    values = {item: getattr(shown.selection, item) for item in wanted}
    query = Selection(**{**values, "layer": shown.layer.key}).query()
    return f"{services.current().settings.path_prefix}export/{name}{query}"


def memo(name: str, key: object, compute: Any) -> Any:
    """A result that depends on its key only, kept between requests."""
    return services.current().memo.get(("layers", name, key), compute)
