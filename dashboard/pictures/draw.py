"""From arrays to PNG: scaling, sheets of tiles, scales of grey. Knows nothing of requests."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from analysis.errors import ParameterError
from dashboard import theme

MOST_PIXELS = 4_000_000  # of one picture
MOST_TILE = 128  # pixels of a feature map's longer side
LEAST_SHOWN = 224  # pixels: a smaller picture is enlarged by a whole factor, so that its pixels stay squares
PAPER = {"light": (255, 255, 255), "dark": (27, 31, 38)}  # --panel of assets/tokens.css
LOWERS, RAISES = (tuple(bytes.fromhex(colour[1:])) for colour in (theme.LOWERS, theme.RAISES))


@dataclass(frozen=True)
class Sheet:
    """Where the tiles of a sprite lie: tile i in column i % columns, row i // columns. width, height: of one tile."""

    count: int
    columns: int
    width: int
    height: int

    @property
    def rows(self) -> int:
        """Rows of tiles."""
        return -(-self.count // self.columns)

    @classmethod
    def of(cls, count: int, width: int, height: int) -> Sheet:
        """About as wide as high."""
        columns = max(1, min(count, round(math.sqrt(count * height / max(1, width)))))
        return cls(count, columns, max(1, width), max(1, height))


def png(image: NDArray[Any]) -> bytes:
    """PNG of uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).

    Raises ParameterError for a picture of more than ``MOST_PIXELS``.
    """
    pixels = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    check_size(pixels.shape[1], pixels.shape[0])
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels, dtype=np.uint8)).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def check_size(width: int, height: int) -> None:
    """Raises ParameterError for a picture that would be too large, before it is made."""
    if width * height > MOST_PIXELS:
        raise ParameterError(
            f"The picture would have {width:,} x {height:,} pixels.", f"At most {MOST_PIXELS:,} pixels are drawn."
        )


def enlarged(image: NDArray[Any], least: int = LEAST_SHOWN) -> NDArray[Any]:
    """Every pixel repeated k x k times, k the whole factor that brings the longer side to at most ``least``."""
    factor = max(1, least // max(1, *image.shape[:2]))
    return image.repeat(factor, 0).repeat(factor, 1)


def reduced(maps: NDArray[Any], most: int = MOST_TILE) -> NDArray[Any]:
    """Maps (F, H, W) whose longer side is at most ``most``: the largest value of each block stays."""
    for axis in (1, 2):
        size = maps.shape[axis]
        if size > most:
            starts = np.unique(np.arange(most) * size // most)
            maps = np.maximum.reduceat(maps, starts, axis=axis)
    return maps


def tile_limit(count: int, width: int, height: int) -> int:
    """Longer side of a tile, so that ``count`` of them stay below the limit of pixels."""
    share = max(width, height) / math.sqrt(width * height)
    return max(1, min(MOST_TILE, int(math.sqrt(MOST_PIXELS / count) * share * 0.97)))


def greys(maps: NDArray[Any], *, low: NDArray[Any] | float, high: NDArray[Any] | float) -> NDArray[np.uint8]:
    """Values as 1..255 between low and high; 0 marks what is not finite. low, high: broadcast against maps."""
    values = np.asarray(maps, np.float32)
    span = np.asarray(high, np.float32) - np.asarray(low, np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(span > 0, (values - low) / np.where(span > 0, span, 1), 0.0)
        scaled = 1 + np.clip(np.rint(share * 254), 0, 254)
    return np.where(np.isfinite(values), np.nan_to_num(scaled, nan=0.0), 0).astype(np.uint8)


def ends(maps: NDArray[Any], scale: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Low and high end of every map (F,), rectified maps beginning at 0. scale: 'common' or 'filter'.

    Maps with negative values get ends that lie evenly about 0.
    """
    flat = np.asarray(maps, np.float32).reshape(len(maps), -1)
    finite = np.isfinite(flat)
    top = np.where(finite, flat, -np.inf).max(1, initial=-np.inf)
    bottom = np.where(finite, flat, np.inf).min(1, initial=np.inf)
    top, bottom = np.where(np.isfinite(top), top, 0), np.where(np.isfinite(bottom), bottom, 0)
    if scale == "common":
        top, bottom = np.full_like(top, top.max(initial=0)), np.full_like(bottom, bottom.min(initial=0))
    signed = bottom.min(initial=0) < 0
    top = np.maximum(top, -bottom) if signed else np.maximum(top, 0)
    return (-top if signed else np.zeros_like(top)).astype(np.float32), top.astype(np.float32)


def mosaic(tiles: Sequence[NDArray[Any]], sheet: Sheet) -> NDArray[np.uint8]:
    """Tiles (h, w) or (h, w, c), no larger than the sheet's, centred in their cells. Grey without a colour stays grey.

    Where tiles are smaller than the cell, what lies outside an instance is transparent.
    """
    check_size(sheet.columns * sheet.width, sheet.rows * sheet.height)
    exact = all(tile.shape[:2] == (sheet.height, sheet.width) for tile in tiles)
    if exact and all(tile.ndim == 2 for tile in tiles):
        whole = np.zeros((sheet.rows * sheet.height, sheet.columns * sheet.width), np.uint8)
    else:
        whole = np.zeros((sheet.rows * sheet.height, sheet.columns * sheet.width, 4), np.uint8)
    for index, tile in enumerate(tiles):
        shown = tile if whole.ndim == 2 else rgba(tile)
        top = index // sheet.columns * sheet.height + (sheet.height - shown.shape[0]) // 2
        left = index % sheet.columns * sheet.width + (sheet.width - shown.shape[1]) // 2
        whole[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    return whole


def rgba(tile: NDArray[Any]) -> NDArray[np.uint8]:
    """A tile (h, w), (h, w, 1), (h, w, 3) or (h, w, 4) with four channels."""
    pixels = np.asarray(tile, np.uint8)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if pixels.shape[2] == 4:
        return pixels
    colours = pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, :1].repeat(3, 2)
    return np.concatenate([colours, np.full((*colours.shape[:2], 1), 255, np.uint8)], 2)


def shrunk(tile: NDArray[Any], most: int) -> NDArray[Any]:
    """A picture whose longer side is at most ``most``, averaged; a smaller one as it is."""
    longer = max(tile.shape[:2])
    if longer <= most:
        return tile
    size = (max(1, tile.shape[1] * most // longer), max(1, tile.shape[0] * most // longer))
    flat = tile[:, :, 0] if tile.ndim == 3 and tile.shape[2] == 1 else tile
    small = np.asarray(Image.fromarray(np.ascontiguousarray(flat, np.uint8)).resize(size, Image.Resampling.BOX))
    return small[:, :, None] if flat is not tile else small


def wave(values: NDArray[Any], *, low: float, high: float, width: int = 96, height: int = 48) -> NDArray[np.uint8]:
    """A stretch of a signal (channels, T) as lines on a transparent tile; low, high: ends of its y-axis."""
    fine = 3  # times finer, then averaged: smooth lines
    tile = Image.new("RGBA", (fine * width, fine * height), (127, 127, 127, 0))
    pen = ImageDraw.Draw(tile)
    span = high - low if high > low else 1.0
    for channel, line in enumerate(np.asarray(values, np.float64)[:8]):
        finite = np.flatnonzero(np.isfinite(line))
        x = fine * (finite * (width - 3) / max(1, len(line) - 1) + 1)
        y = fine * ((height - 3) * (1 - (line[finite] - low) / span) + 1)
        points = list(zip(x.tolist(), y.tolist(), strict=True))
        ink = theme.CATEGORIES[channel % len(theme.CATEGORIES)]
        if len(points) > 1:
            pen.line(points, fill=ink, width=4, joint="curve")
        elif points:
            pen.circle(points[0], fine, fill=ink)
    return np.asarray(tile.resize((width, height), Image.Resampling.BOX))


def diverging(values: NDArray[Any], limit: float, scheme: str) -> NDArray[np.uint8]:
    """Values (...,) as colours (..., 3): blue below 0, orange above, the page's paper at 0."""
    share = np.clip(np.nan_to_num(np.asarray(values, np.float64)) / (limit if limit > 0 else 1.0), -1, 1)[..., None]
    paper, low, high = (np.array(colour, np.float64) for colour in (PAPER[scheme], LOWERS, RAISES))
    mixed = np.where(share < 0, paper + (low - paper) * -share, paper + (high - paper) * share)
    return np.rint(mixed).astype(np.uint8)
