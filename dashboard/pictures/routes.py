"""The routes under ``picture/``. Parameters are keys, layer names known to the extraction, and bounded numbers.

What a link shows follows from its keys alone, so a browser may keep it for good.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import flask
import numpy as np
from numpy.typing import NDArray

from analysis.errors import NotFound, ParameterError
from analysis.extraction.reader import Extraction
from analysis.results import Answer, Partials
from dashboard import services
from dashboard.pictures import draw, patches

KEY = re.compile(r"[0-9a-f]{40}")
YEAR = 365 * 24 * 3600


def install(server: flask.Flask, prefix: str) -> None:
    """Add the routes under the app's prefix; the gate guards them like all others."""
    routes: tuple[tuple[str, Callable[[], flask.Response]], ...] = (
        ("instance", instance),
        ("patches", top_patches),
        ("patches.json", top_patches_json),
        ("patchgrid", patch_grid),
        ("weights", weights),
        ("maps", maps),
    )
    for name, answer in routes:
        endpoint = f"picture_{name.replace('.', '_')}"
        server.add_url_rule(f"{prefix}picture/{name}", endpoint, answer, methods=["GET"])


def extraction_of(key: str) -> Extraction:
    """The activations kept under a key. Raises NotFound."""
    directory = services.current().settings.extractions_dir / key
    if not KEY.fullmatch(key) or not (directory / "manifest.json").is_file():
        raise NotFound("There are no activations of this key.", "Reload the page: they are computed again.")
    return Extraction(directory)


def answer_of(key: str) -> Answer:
    """The answer kept under a key, or what there is of it so far. Raises NotFound."""
    kept = services.current().answers
    found = kept.get(key) or Partials(kept.directory).get(key)
    if found is None:
        raise NotFound("There is no answer of this key.", "Reload the page: it is computed again.")
    return found


def instance() -> flask.Response:
    """One instance as it was given to the model, enlarged by a whole factor where it is small."""
    key = flask.request.args.get("maps")
    if key is not None:
        display = _array(answer_of(key), "display")
    else:
        found = extraction_of(_text("x"))
        if found.kind != "image":
            raise NotFound(f"Instances of kind '{found.kind}' have no picture.", "The page shows them in another form.")
        display = np.asarray(found.display(_number("index", 2**53)))
    if display.dtype != np.uint8 or display.ndim != 3:
        raise NotFound("This instance has no picture.", "Only images have one.")
    return _png(draw.enlarged(draw.shrunk(display, 1024)))


def top_patches() -> flask.Response:
    """Sprite: where a filter answers most, cropped from the original instances."""
    found, chosen = _top()
    tiles = patches.tiles(found, chosen)
    return _png(draw.mosaic(tiles, patches.sheet_of(tiles)), lasting=found.complete)


def top_patches_json() -> flask.Response:
    """The same in figures: value, instance, box; and how the tiles lie."""
    found, chosen = _top()
    sheet = patches.sheet_of(patches.tiles(found, chosen))
    listed = [
        {"instance": p.instance, "box": p.box, "value": p.value if math.isfinite(p.value) else None} for p in chosen
    ]
    tile = {"columns": sheet.columns, "width": sheet.width, "height": sheet.height}
    answer = flask.jsonify({"patches": listed, "tiles": tile})
    return _lasting(answer) if found.complete else answer


def patch_grid() -> flask.Response:
    """Sprite of chosen rows of a patches answer."""
    found = extraction_of(_text("x"))
    chosen = rows_of(found, _fields(), answer_of(_text("p")), _text("layer"), _rows())
    tiles = patches.tiles(found, chosen)
    return _png(draw.mosaic(tiles, patches.sheet_of(tiles)))


def rows_of(
    found: Extraction, fields: Answer | None, answer: Answer, layer: str, rows: list[int]
) -> list[patches.Patch]:
    """Some patches of a patches answer. Raises NotFound for a layer or a row that is not there."""
    info = found.layer(layer)
    instances, positions = _array(answer, "instance"), _array(answer, "position")
    if rows and max(rows) >= len(instances):
        raise NotFound("There is no such patch.", f"The answer has {len(instances):,}.")
    at = np.asarray(rows, int)
    shown = patches.boxes(fields, info, positions[at].reshape(len(at), -1))
    return [patches.Patch(int(i), box) for i, box in zip(instances[at], shown, strict=True)]


def weights() -> flask.Response:
    """Sprite of a layer's filters: one input channel as blue (negative) to orange, three as colours about grey."""
    values = _array(answer_of(_text("a")), "weights")
    if values.ndim != 4 or values.shape[1] not in (1, 3):
        raise NotFound("These filters have no picture.", "Only filters on one or three channels of an image have one.")
    tiles = weight_tiles(values, _choice("scheme", ("light", "dark")))
    return _png(draw.mosaic(tiles, draw.Sheet.of(len(tiles), tiles[0].shape[1], tiles[0].shape[0])))


def weight_tiles(values: NDArray[Any], scheme: str) -> list[NDArray[np.uint8]]:
    """A tile per filter of weights (F, 1 or 3, kh, kw); 0 is paper or middle grey, the scale is common to all."""
    finite = values[np.isfinite(values)]
    limit = float(np.abs(finite).max()) if finite.size else 1.0
    if values.shape[1] == 1:
        return list(draw.diverging(values[:, 0], limit, scheme))
    share = np.clip(np.nan_to_num(values) / (limit or 1.0), -1, 1)
    return list(np.rint(127.5 + 127.5 * share).astype(np.uint8).transpose(0, 2, 3, 1))


def maps() -> flask.Response:
    """Grey sprite of all maps of an instance: 0 is not finite, 1..255 from low to high of all maps or of each."""
    values = _array(answer_of(_text("a")), "maps")
    if values.ndim != 3:
        raise NotFound("This layer has no maps over a picture.", "Only layers with two axes of places have them.")
    values = map_tiles(values)
    low, high = draw.ends(values, _choice("scale", ("common", "filter")))
    grey = draw.greys(values, low=low[:, None, None], high=high[:, None, None])
    return _png(draw.mosaic(list(grey), draw.Sheet.of(len(grey), grey.shape[2], grey.shape[1])))


def map_tiles(values: NDArray[Any]) -> NDArray[Any]:
    """Maps (F, H, W) at the resolution that the sprite has."""
    return draw.reduced(values, draw.tile_limit(len(values), values.shape[2], values.shape[1]))


def _top() -> tuple[Extraction, list[patches.Patch]]:
    found = extraction_of(_text("x"))
    count = max(1, _number("k", patches.MOST_PATCHES, 12))
    return found, patches.top_patches(found, _fields(), _text("layer"), _number("filter", 1_000_000), count)


def _fields() -> Answer | None:
    key = flask.request.args.get("r")
    return answer_of(key) if key is not None else None


def _array(answer: Answer, name: str) -> NDArray[Any]:
    try:
        return answer.array(name)
    except KeyError as error:
        raise NotFound("This answer has no such picture.", "It is of another question.") from error


def _text(name: str) -> str:
    value = flask.request.args.get(name, "")
    if not value:
        raise ParameterError(f"'{name}' is missing.", "Pictures are linked to from the page.")
    return value


def _number(name: str, most: int, default: int | None = None) -> int:
    text = flask.request.args.get(name)
    if text is None and default is not None:
        return default
    if text is None or not re.fullmatch(r"[0-9]{1,16}", text) or int(text) > most:
        raise ParameterError(f"'{name}' is not a number from 0 to {most:,}.", "Pictures are linked to from the page.")
    return int(text)


def _rows() -> list[int]:
    parts = _text("rows").split(",", patches.MOST_PATCHES)
    if len(parts) > patches.MOST_PATCHES or not all(re.fullmatch(r"[0-9]{1,9}", part) for part in parts):
        raise ParameterError("'rows' is not a list of numbers.", f"At most {patches.MOST_PATCHES} patches are shown.")
    return [int(part) for part in parts]


def _choice(name: str, allowed: tuple[str, ...]) -> str:
    value = flask.request.args.get(name, allowed[0])
    if value not in allowed:
        raise ParameterError(f"'{name}' is none of {', '.join(allowed)}.", "Pictures are linked to from the page.")
    return value


def _png(image: NDArray[Any], *, lasting: bool = True) -> flask.Response:
    answer = flask.Response(draw.png(image), mimetype="image/png")
    return _lasting(answer) if lasting else answer


def _lasting(answer: flask.Response) -> flask.Response:
    answer.headers["Cache-Control"] = f"private, max-age={YEAR}, immutable"
    return answer
