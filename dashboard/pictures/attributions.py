"""Attributions as ink: what is drawn of their values, on which scale, and the overlay that lies on a picture.

The routes ``picture/attribution`` (the overlay of an answer), ``picture/attribution.f4`` (its numbers, for the value
under a pointer) and ``picture/instances`` (a sprite of instances). Panels, figures and exports take sign, scale and
colours from here, so that all of them show the same.
"""

from __future__ import annotations

import math
from typing import Any

import flask
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from analysis.errors import NotFound, ParameterError
from analysis.results import Answer
from dashboard import theme
from dashboard.pictures import draw, patches, routes

SIGNS = ("signed", "positive", "absolute")
MOST_SIDE = 1024  # pixels of an overlay's longer side
OUTLINED = 90  # percentile above which a region is outlined
FINE = 14  # an outline is drawn around means over 1/14 of the longer side
OUTLINE_SIDE = 448  # pixels an outlined overlay is enlarged to, so that the line is thin
MISSING = (138, 148, 163, 110)
FAINT = 6  # alpha below which a pixel is left out


def install(server: flask.Flask, prefix: str) -> None:
    """Add the routes under the app's prefix; the gate guards them like all others."""
    for name, answer in (("attribution", attribution), ("attribution.f4", numbers), ("instances", instances)):
        endpoint = f"picture_{name.replace('.', '_')}"
        server.add_url_rule(f"{prefix}picture/{name}", endpoint, answer, methods=["GET"])


def sign_of(sign: str, signed: bool) -> str:
    """How values are drawn: those of a method without signs are sizes."""
    return sign if signed or sign == "positive" else "absolute"


def drawn(values: NDArray[Any], sign: str, *, picture: bool = False) -> NDArray[np.float64]:
    """What is drawn of attribution values, of their shape; of a picture (C, H, W): (H, W).

    sign: 'signed': as they are, over the channels of a picture their sum; 'positive': what of it is above 0;
    'absolute': sizes, over the channels their sum.
    """
    found = np.asarray(values, np.float64)
    if sign == "absolute":
        found = np.abs(found)
    if picture and found.ndim == 3:
        found = found.sum(0)
    return np.where(found > 0, found, np.where(np.isfinite(found), 0.0, found)) if sign == "positive" else found


def limit_of(shown: NDArray[Any], clip: float) -> float:
    """The value with full colour: the percentile ``clip`` of the sizes; the largest where that is 0. 1 if all are 0."""
    sizes = np.abs(shown[np.isfinite(shown)])
    if not sizes.size:
        return 1.0
    found = float(np.percentile(sizes, clip, method="higher")) or float(sizes.max())
    return found or 1.0


def overlay(shown: NDArray[Any], limit: float, sign: str, *, outline: bool = False) -> NDArray[np.uint8]:
    """Values (H, W) as RGBA: the stronger the more opaque, 0 is transparent.

    Blue lowers, orange raises; sizes go through a perceptually uniform map. outline: a line around the strongest tenth
    of the values, averaged over a neighbourhood.
    """
    shown = _smaller(np.asarray(shown, np.float64))
    finite = np.isfinite(shown)
    share = np.clip(np.where(finite, shown, 0) / (limit if limit > 0 else 1.0), -1, 1)
    if sign == "absolute":
        stops = np.array([_rgb(stop[1]) for stop in theme.sequential("dark")], np.float64)
        place = np.abs(share) * (len(stops) - 1)
        colours = np.stack([np.interp(place, np.arange(len(stops)), stops[:, i]) for i in range(3)], -1)
    else:
        colours = np.where(share[..., None] < 0, np.array(draw.LOWERS, float), np.array(draw.RAISES, float))
    alpha = 255 * np.abs(share)
    alpha[alpha < FAINT] = 0
    found = np.rint(np.concatenate([colours, alpha[..., None]], -1)).astype(np.uint8)
    found[~finite] = MISSING
    return _outlined(found, np.where(finite, shown, 0)) if outline else found


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def _smaller(shown: NDArray[Any]) -> NDArray[Any]:
    """Means of blocks, where it would be more pixels than a page shows."""
    factor = -(-max(shown.shape) // MOST_SIDE)
    if factor == 1:
        return shown
    for axis in (0, 1):
        starts = np.arange(0, shown.shape[axis], factor)
        counts = np.diff(np.append(starts, shown.shape[axis]))
        total = np.add.reduceat(shown, starts, axis=axis)
        shown = total / (counts[:, None] if axis == 0 else counts[None, :])
    return shown


def _outlined(found: NDArray[np.uint8], shown: NDArray[Any]) -> NDArray[np.uint8]:
    region = strongest(shown)
    factor = max(1, OUTLINE_SIDE // max(region.shape))
    large = found.repeat(factor, 0).repeat(factor, 1)
    mask = np.pad(region.repeat(factor, 0).repeat(factor, 1), 1)
    inner = mask[1:-1, 1:-1]
    all_in = inner & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    edge = inner & ~all_in
    wide = np.pad(edge, 1)
    around = wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
    large[around & ~edge] = (20, 24, 30, 255)  # dark beside light: it shows on any picture
    large[edge] = (255, 255, 255, 255)
    return large


def strongest(shown: NDArray[Any]) -> NDArray[np.bool_]:
    """Where the sizes (H, W), averaged over a neighbourhood, are among the largest tenth; nowhere if all are 0."""
    sizes = np.abs(shown)
    top = float(sizes.max(initial=0.0))
    if not top:
        return np.zeros(sizes.shape, bool)
    height, width = sizes.shape
    longer = max(height, width)
    coarse = tuple(max(1, min(side, FINE * side // longer)) for side in (width, height))
    picture = Image.fromarray((sizes / top).astype(np.float32))
    smooth = np.asarray(picture.resize(coarse, Image.Resampling.BOX).resize((width, height), Image.Resampling.BILINEAR))
    return np.asarray((smooth >= np.percentile(smooth, OUTLINED)) & (smooth > 0))


def attribution() -> flask.Response:
    """The overlay of an answer: a=KEY, sign, clip (percentile) or limit (value of full colour), outline=on."""
    answer, shown, sign = _asked()
    limit = _real("limit", 0.0, math.inf)
    if limit is None:
        limit = limit_of(shown, _real("clip", 50.0, 100.0) or 99.5)
    outline = routes._choice("outline", ("off", "on")) == "on"
    return routes._png(overlay(shown, limit, sign, outline=outline), lasting=not answer.json.get("partial"))


def numbers() -> flask.Response:
    """What the overlay draws: a=KEY, sign. Height and width as uint32, then the values row by row as float32, all
    little-endian; means of blocks where there are more than ``MOST_SIDE`` along a side."""
    answer, shown, _ = _asked()
    shown = _smaller(shown)
    content = np.array(shown.shape, "<u4").tobytes() + np.ascontiguousarray(shown, "<f4").tobytes()
    found = flask.Response(content, mimetype="application/octet-stream")
    return found if answer.json.get("partial") else routes._lasting(found)


def _asked() -> tuple[Answer, NDArray[np.float64], str]:
    """The answer of the link, what of it is drawn, (H, W), and how. Raises NotFound, ParameterError."""
    answer = routes.answer_of(routes._text("a"))
    values = routes._array(answer, "attribution")
    if values.ndim not in (2, 3) or answer.json.get("form") != "input":
        raise NotFound("This attribution is no picture.", "The page shows it in another form.")
    sign = sign_of(routes._choice("sign", SIGNS), answer.json.get("signed") is not False)
    return answer, drawn(values, sign, picture=True), sign


def instances() -> flask.Response:
    """Sprite of instances of an extraction: x=KEY, rows=1,2,3 (indices in the data set)."""
    found = routes.extraction_of(routes._text("x"))
    tiles = patches.tiles(found, [patches.Patch(index, ()) for index in routes._rows()])
    return routes._png(draw.mosaic(tiles, patches.sheet_of(tiles)), lasting=found.complete)


def _real(name: str, low: float, high: float) -> float | None:
    text = flask.request.args.get(name)
    if text is None:
        return None
    try:
        value = float(text[:40])
    except ValueError:
        value = math.nan
    if not (low < value <= high) or math.isinf(value):
        ends = f"above {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"
        raise ParameterError(f"'{name}' is not a number {ends}.", "Pictures are linked to from the page.")
    return value
