"""Which layers a method can take, and which it takes if nobody chooses. No torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from analysis.attribution.parameters import Parameter
from analysis.errors import NotFound
from analysis.layerinfo import LayerInfo

FEW = 2  # units: too few to be what a network has learned


def candidates(case: Any) -> list[LayerInfo]:
    """Layers that can be read, in the order of the network; where a unit is explained, as far as the unit's."""
    layers = [info for info in case.session.layers if not info.reason]
    if case.unit is None:
        return layers
    [own] = case.session.infos([case.unit.layer])
    return [info for info in layers if info.order <= own.order]


def last(layers: Sequence[LayerInfo], *kinds: str) -> LayerInfo | None:
    """The last layer of the first of these kinds that there is, else of any; neither the output nor a layer of one or
    two units, such as the weights of a pooling, where another is there."""
    hidden = [info for info in layers if not info.output] or list(layers)
    hidden = [info for info in hidden if info.filters > FEW] or hidden
    for kind in kinds:
        found = [info for info in hidden if info.kind == kind]
        if found:
            return found[-1]
    return hidden[-1] if hidden else None


def with_places(layers: Iterable[LayerInfo], axes: int) -> list[LayerInfo]:
    """Layers whose filters have several positions, along as many axes as the input's."""
    return [info for info in layers if axes and len(info.spatial) == axes and math.prod(info.spatial) > 1]


def chosen(case: Any, key: str) -> LayerInfo:
    """The layer of this key; for '' the last before the output.

    Raises:
        NotFound: there is no such layer, or it cannot be read.
    """
    return _named(case, key) if key else _found(last(candidates(case)))


def chosen_map(case: Any, key: str) -> LayerInfo:
    """The layer of this key; for '' the last convolution with positions, else the last recurrent layer, else any.

    Raises:
        NotFound: as ``chosen``, or the layer's positions are not the input's.
    """
    axes = len(case.places)
    if not key:
        return _found(last(with_places(candidates(case), axes), "conv", "recurrent"))
    info = _named(case, key)
    if not with_places([info], axes):
        shape = " x ".join(map(str, info.spatial)) or "none"
        raise NotFound(
            f"The positions of {info.key} ({shape}) are not those of the input, so no map can be made of them.",
            "Choose a convolution, or another layer with a value at each position.",
        )
    return info


def _named(case: Any, key: str) -> LayerInfo:
    [info] = case.session.infos([key])
    found: LayerInfo = info
    if found.reason:
        raise NotFound(f"The layer {key!r} cannot be read: {found.reason}.", "Choose another layer.")
    return found


def _found(info: LayerInfo | None) -> LayerInfo:
    if info is None:
        raise NotFound("The model has no layer that this method could take.", "Choose another method.")
    return info


def offered(given: tuple[Parameter, ...], keys: Sequence[str]) -> tuple[Parameter, ...]:
    """Declared parameters with the layers to choose from filled in."""
    return tuple(one.with_(choices=tuple(keys)) if one.kind == "layer" else one for one in given)
