"""A comparison of attributions as one picture, drawn by Pillow: titles, maps, scales with their ends. No request.

Texts, series, tables and bars are drawn as they are on the page; what does not fit is said.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from analysis.results import Answer
from dashboard.pictures import attributions, draw
from dashboard.wording import finite

WIDE, TALL = 300, 236  # pixels of a cell's map
EDGE = 16
HEAD, FOOT = 26, 44  # of a cell: title above, scale below
TOP = 58
INK = {"light": (29, 36, 48), "dark": (230, 233, 238)}
QUIET = {"light": (81, 92, 107), "dark": (169, 178, 191)}
SIZE = (38, 130, 142)  # of values without a sign, as on the page
ROWS, LINES = 14, 8  # bars, channels
Pen = ImageDraw.ImageDraw


@dataclass(frozen=True)
class Look:
    """How the page draws them. clip: percentile with full colour. common: one scale for values that mean the same."""

    sign: str = "signed"
    clip: float = 99.5
    common: bool = False
    outline: bool = False
    opacity: float = 0.7
    scheme: str = "light"


@dataclass
class Cell:
    """One answer. shown: what is drawn of its values. limit: the value with full colour."""

    answer: Answer
    sign: str
    shown: NDArray[np.float64]
    limit: float
    names: Sequence[str] = field(default=())
    rate: float | None = None
    quantity: str = ""

    @property
    def said(self) -> dict[str, Any]:
        """Its plain part."""
        return self.answer.json

    @property
    def picture(self) -> bool:
        """Whether it lies on a picture."""
        return self.said.get("form") == "input" and self.answer.array("attribution").ndim == 3


@lru_cache(maxsize=8)
def font(size: int) -> Any:
    """Pillow's own font: the same on every machine."""
    return ImageFont.load_default(size)


def comparison(
    found: Sequence[Answer],
    look: Look,
    *,
    names: Sequence[str] = (),
    classes: Sequence[str] = (),
    rate: float | None = None,
    quantities: Sequence[str] = (),
) -> bytes:
    """PNG of all answers, at most four abreast.

    names: of columns or channels. rate: steps a second. quantities: what the values of each answer are; those of one
    quantity share a common scale.
    """
    cells = [_cell(answer, look, names, rate) for answer in found]
    for cell, quantity in zip(cells, quantities, strict=False):
        cell.quantity = quantity
    if look.common:
        groups: dict[tuple[str, str], list[Cell]] = {}
        for at, cell in enumerate(cells):
            groups.setdefault((cell.sign, cell.quantity or str(at)), []).append(cell)
        for alike in groups.values():
            limit = max(cell.limit for cell in alike)
            for cell in alike:
                cell.limit = limit
    columns = min(len(cells), 4 if len(cells) > 6 else 3)
    rows = -(-len(cells) // columns)
    size = (EDGE + columns * (WIDE + EDGE), TOP + rows * (HEAD + TALL + FOOT + EDGE))
    image = Image.new("RGB", size, draw.PAPER[look.scheme])
    pen = ImageDraw.Draw(image)
    _title(pen, found[0].json, look, classes)
    for at, cell in enumerate(cells):
        left = EDGE + at % columns * (WIDE + EDGE)
        top = TOP + at // columns * (HEAD + TALL + FOOT + EDGE)
        pen.text((left, top + 4), _cut(pen, str(cell.said.get("title") or cell.said.get("method")), WIDE, 14),
                 INK[look.scheme], font(14))  # fmt: skip
        _map(image, cell, look, left, top + HEAD)
        _scale(image, cell, look, left, top + HEAD + TALL + 6)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def _cell(answer: Answer, look: Look, names: Sequence[str], rate: float | None) -> Cell:
    values = answer.array("attribution")
    sign = attributions.sign_of(look.sign, answer.json.get("signed") is not False)
    over = answer.json.get("form") == "input" and values.ndim == 3
    shown = attributions.drawn(values, sign, picture=over)
    return Cell(answer, sign, shown, attributions.limit_of(shown, look.clip), names, rate)


def _title(pen: Pen, said: dict[str, Any], look: Look, classes: Sequence[str]) -> None:
    what = f"Instance {said.get('instance')}: {said.get('target_name') or 'attribution'}"
    if said.get("score") is not None:
        what += f", {finite(said['score'])}"
    pen.text((EDGE, 10), what, INK[look.scheme], font(17))

    def name(value: Any) -> str:
        at = int(value) if isinstance(value, int | float) else -1
        return classes[at] if 0 <= at < len(classes) else "none" if at < 0 else f"class {at}"

    line = f"predicted {name(said.get('prediction'))}, label {name(said.get('label'))}"
    colours = {"signed": "blue lowers, orange raises", "positive": "raising only", "absolute": "size only"}[look.sign]
    pen.text((EDGE, 33), f"{line}. {colours}; full colour at {look.clip:g} %", QUIET[look.scheme], font(12))


def _cut(pen: Pen, text: str, width: int, size: int) -> str:
    if pen.textlength(text, font(size)) <= width:
        return text
    while text and pen.textlength(text + "…", font(size)) > width:
        text = text[:-1]
    return text + "…"


def _map(image: Image.Image, cell: Cell, look: Look, left: int, top: int) -> None:
    pen = ImageDraw.Draw(image)
    form = cell.said.get("form")
    if form == "attention":
        tile = attributions.overlay(cell.shown.mean(0), cell.limit, "absolute")
        _paste(image, tile, left, top, 1.0)
        pen.text((left, top + TALL - 14), f"mean of {len(cell.shown)} heads", QUIET[look.scheme], font(11))
    elif cell.picture:
        _picture(image, cell, look, left, top)
    elif cell.said.get("tokens") and form == "input":
        _tokens(pen, cell, look, left, top)
    elif cell.shown.ndim == 2:
        _series(pen, cell, look, left, top)
    else:
        _bars(pen, cell, look, left, top)


def _paste(image: Image.Image, pixels: NDArray[np.uint8], left: int, top: int, opacity: float) -> None:
    """Pixels (H, W, 3 or 4), as large as the cell allows, by a whole factor where they are small."""
    height, width = pixels.shape[:2]
    factor = min(WIDE / width, TALL / height)
    factor = float(int(factor)) if factor > 1 else factor
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    tile = Image.fromarray(draw.rgba(pixels))
    way = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.BOX
    tile = tile.resize(size, way)
    if opacity < 1:
        tile.putalpha(tile.getchannel("A").point([round(value * opacity) for value in range(256)]))
    image.paste(tile, (left, top), tile)


def _picture(image: Image.Image, cell: Cell, look: Look, left: int, top: int) -> None:
    veil = attributions.overlay(cell.shown, cell.limit, cell.sign, outline=look.outline)
    try:
        display = draw.rgba(cell.answer.array("display"))
        grey = np.asarray(Image.fromarray(display).convert("L"))
        base = Image.fromarray(grey).resize((veil.shape[1], veil.shape[0]), Image.Resampling.NEAREST)
        _paste(image, draw.rgba(np.asarray(base)), left, top, 1.0)
    except KeyError:
        pass
    _paste(image, veil, left, top, look.opacity)


def _mixed(share: float, sign: str, scheme: str, depth: float = 1.0) -> tuple[int, ...]:
    """The colour of a share of the limit on the paper."""
    ink = SIZE if sign == "absolute" else draw.RAISES if share > 0 else draw.LOWERS
    part = min(1.0, abs(share)) * depth
    return tuple(round(p + (i - p) * part) for p, i in zip(draw.PAPER[scheme], ink, strict=True))


def _shares(cell: Cell) -> NDArray[np.float64]:
    return np.clip(np.nan_to_num(cell.shown / cell.limit), -1, 1)


def _tokens(pen: Pen, cell: Cell, look: Look, left: int, top: int) -> None:
    x, y, line = float(left), top, 20
    shares = _shares(cell)
    for token, share in zip(cell.said["tokens"], shares.tolist(), strict=False):
        text = _cut(pen, str(token).strip() or "␣", WIDE - 8, 13)
        width = pen.textlength(text, font(13)) + 6
        if x + width > left + WIDE:
            x, y = left, y + line
        if y + line > top + TALL:
            pen.text((left, top + TALL - 12), "… goes on", QUIET[look.scheme], font(11))
            return
        pen.rounded_rectangle((x, y, x + width, y + line - 3), 3, _mixed(share, cell.sign, look.scheme, 0.55))
        pen.text((x + 3, y + 1), text, INK[look.scheme], font(13))
        x += width + 3


def _series(pen: Pen, cell: Cell, look: Look, left: int, top: int) -> None:
    shares = _shares(cell)
    try:
        display = np.atleast_2d(cell.answer.array("display"))
    except KeyError:
        display = np.zeros_like(shares)
    if len(shares) == 1:
        shares = np.broadcast_to(shares, (len(display), shares.shape[1]))
    chosen = np.sort(np.argsort(-np.abs(shares).sum(1), kind="stable")[:LINES])
    room = (TALL - 18) / max(1, len(chosen))
    for row, channel in enumerate(chosen.tolist()):
        y0, y1 = top + row * room + 2, top + (row + 1) * room - 4
        edges = np.linspace(0, shares.shape[1], WIDE + 1).astype(int)
        for x in range(WIDE):
            part = shares[channel, edges[x] : max(edges[x] + 1, edges[x + 1])]
            share = float(part[np.abs(part).argmax()]) if len(part) else 0.0
            pen.line((left + x, y0, left + x, y1), _mixed(share, cell.sign, look.scheme))
        signal = np.asarray(display[channel], np.float64)
        keep = np.flatnonzero(np.isfinite(signal))
        low, high = (float(signal[keep].min()), float(signal[keep].max())) if len(keep) else (0.0, 1.0)
        x_at = left + keep * (WIDE - 1) / max(1, len(signal) - 1)
        y_at = y1 - (signal[keep] - low) / ((high - low) or 1.0) * (y1 - y0)
        if len(keep) > 1:
            pen.line(list(zip(x_at.tolist(), y_at.tolist(), strict=True)), INK[look.scheme], 1)
        name = cell.names[channel] if channel < len(cell.names) else f"channel {channel}"
        pen.text((left + 2, y0), _cut(pen, name, WIDE // 2, 10), QUIET[look.scheme], font(10))
    length = shares.shape[1]
    end = f"{length / cell.rate:.3g} s" if cell.rate else f"{length:,} steps"
    pen.text((left, top + TALL - 14), "0", QUIET[look.scheme], font(11))
    pen.text((left + WIDE, top + TALL - 14), end, QUIET[look.scheme], font(11), anchor="ra")


def _bars(pen: Pen, cell: Cell, look: Look, left: int, top: int) -> None:
    values, shares = cell.answer.array("attribution").ravel(), _shares(cell).ravel()
    order = np.argsort(-np.abs(np.nan_to_num(cell.shown.ravel())), kind="stable")[:ROWS].tolist()
    word = "unit" if cell.said.get("form") == "filters" else "column"
    named = cell.names if word == "column" else ()
    middle, half = left + 200, 46
    for row, at in enumerate(order):
        y = top + row * 16
        name = named[at] if at < len(named) else f"{word} {at}"
        pen.text((left, y), _cut(pen, str(name), 146, 12), INK[look.scheme], font(12))
        end = middle + shares[at] * half
        pen.rectangle(
            (min(middle, end), y + 3, max(middle, end), y + 12), _mixed(np.sign(shares[at]), cell.sign, look.scheme)
        )
        pen.text((left + WIDE, y), finite(values[at], 3), QUIET[look.scheme], font(12), anchor="ra")
    pen.line((middle, top, middle, top + 16 * len(order)), QUIET[look.scheme])
    if len(values) > len(order):
        note = f"{len(values) - len(order):,} more with smaller values"
        pen.text((left, top + 16 * len(order)), note, QUIET[look.scheme], font(11))


def _scale(image: Image.Image, cell: Cell, look: Look, left: int, top: int) -> None:
    """The colours with their ends."""
    pen = ImageDraw.Draw(image)
    low = -1.0 if cell.sign == "signed" else 0.0
    if cell.picture and cell.sign == "absolute":
        ramp = attributions.overlay(np.linspace(0, 1, WIDE)[None].repeat(8, 0), 1.0, "absolute")
        strip = Image.fromarray(ramp)
        image.paste(strip, (left, top), strip)
    else:
        for x in range(WIDE):
            share = low + (1 - low) * x / (WIDE - 1)
            pen.line((left + x, top, left + x, top + 7), _mixed(share, cell.sign, look.scheme))
    pen.rectangle((left, top, left + WIDE - 1, top + 8), outline=QUIET[look.scheme])
    ends = (f"-{finite(cell.limit, 3)}" if low < 0 else "0", finite(cell.limit, 3))
    pen.text((left, top + 12), ends[0], QUIET[look.scheme], font(11))
    pen.text((left + WIDE, top + 12), ends[1], QUIET[look.scheme], font(11), anchor="ra")
    pen.text((left, top + 26), cell.quantity, QUIET[look.scheme], font(11))
    total = cell.said.get("sum")
    if cell.said.get("complete") and total is not None:
        pen.text((left + WIDE / 2, top + 12), f"sum {finite(total, 3)}", QUIET[look.scheme], font(11), anchor="ma")
