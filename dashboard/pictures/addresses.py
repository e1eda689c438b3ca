"""Links to pictures, for the page: ids and numbers only, never a path."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from dashboard import services


def _address(name: str, **values: object) -> str:
    """Values of None are left out."""
    query = urlencode([(key, str(value)) for key, value in values.items() if value is not None])
    return f"{services.current().settings.path_prefix}picture/{name}?{query}"


def instance(*, extraction: str | None = None, index: int | None = None, maps: str | None = None) -> str:
    """One instance: by an extraction's key and its index in the data set, or by the key of a feature_maps answer."""
    return _address("instance", x=extraction, index=index, maps=maps)


def patches(extraction: str, layer: str, index: int, count: int = 12, *, fields: str | None = None) -> str:
    """Sprite of the patches a filter answers to most. fields: key of the receptive_fields answer, None: no crops.

    What each tile shows: ``dashboard.pictures.patches.top_patches`` with the same arguments; the same as JSON: the
    address of ``patches_json``.
    """
    return _address("patches", x=extraction, r=fields, layer=layer, filter=index, k=count)


def patches_json(extraction: str, layer: str, index: int, count: int = 12, *, fields: str | None = None) -> str:
    """Value, instance and box of every tile of ``patches``, and how the tiles lie."""
    return _address("patches.json", x=extraction, r=fields, layer=layer, filter=index, k=count)


def patch_grid(extraction: str, layer: str, answer: str, rows: Sequence[int], *, fields: str | None = None) -> str:
    """Sprite of some rows of a patches answer (its key: ``answer``)."""
    return _address("patchgrid", x=extraction, r=fields, layer=layer, p=answer, rows=",".join(map(str, rows)))


def weights(answer: str, scheme: str = "light") -> str:
    """Sprite of a layer's filters, of the key of a weights answer. scheme: 'light' or 'dark'."""
    return _address("weights", a=answer, scheme=scheme)


def maps(answer: str, scale: str = "common") -> str:
    """Grey sprite of all filters of a feature_maps answer: 0 is not finite, 1..255 from low to high."""
    return _address("maps", a=answer, scale=scale)


def attribution(
    answer: str,
    *,
    part: str | None = None,
    sign: str = "signed",
    clip: float = 99.5,
    limit: float | None = None,
    outline: bool = False,
) -> str:
    """Overlay of an attribution answer. limit: value of full colour; None: the percentile ``clip`` of the sizes.

    answer: its key. part: of one that is not complete, what tells its states apart.
    """
    ends = {"limit": f"{limit:.6g}"} if limit is not None else {"clip": f"{clip:g}"}
    return _address("attribution", a=answer, part=part, sign=sign, **ends, outline="on" if outline else None)


def attribution_numbers(answer: str, *, part: str | None = None, sign: str = "signed") -> str:
    """The numbers that the same overlay draws; see ``dashboard.pictures.attributions.numbers``."""
    return _address("attribution.f4", a=answer, part=part, sign=sign)


def instances(extraction: str, indices: Sequence[int]) -> str:
    """Sprite of instances, at most 60, by their indices in the data set."""
    return _address("instances", x=extraction, rows=",".join(map(str, indices)))


def points(
    *,
    answer: str | None = None,
    extraction: str | None = None,
    rows: int | None = None,
    layer: str | None = None,
    reference: str | None = None,
    facing: str | None = None,
) -> str:
    """Places of a projection as bytes: by the key of its answer, or the PCA of an extraction with so many rows.

    reference, facing: layer, or key of an answer, that its axes face; see ``dashboard.pictures.points``.
    """
    return _address("points", a=answer, x=extraction, n=rows, layer=layer, r=reference, f=facing)


def colours(
    extraction: str,
    rows: int,
    by: str,
    *,
    layer: str | None = None,
    neuron: int | None = None,
    columns: str | None = None,
) -> str:
    """A byte for each row of an extraction: its colour. columns: key of the answer that holds 'column:NAME'."""
    return _address("colours", x=extraction, n=rows, by=by, layer=layer, neuron=neuron, c=columns)


def point(extraction: str) -> str:
    """What is said of a row of an extraction, as JSON; the row's number is to be added at the end."""
    return _address("point.json", x=extraction) + "&row="
