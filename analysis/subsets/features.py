"""Features of an instance that have a name: of pictures, texts, series; what subsets can be described by. No torch.

Colourfulness: Hasler and Süsstrunk (SPIE 5007, 2003). Luma: ITU-R BT.601. Sharpness: spread of the Laplacian (Pech-
Pacheco et al., ICPR 2000).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_CHANNELS = 12  # each with features of its own; of more, those of all together
MOST_COLUMNS = 500  # of a table
EDGE = 0.1  # of the gradient's size, in luma 0 to 1 per pixel
BLACK, WHITE = 0.05, 0.95  # luma
_CELLS = (
    ("top_left", "top left"),
    ("top", "top"),
    ("top_right", "top right"),
    ("left", "left"),
    ("centre", "centre"),
    ("right", "right"),
    ("bottom_left", "bottom left"),
    ("bottom", "bottom"),
    ("bottom_right", "bottom right"),
)
_UNKNOWN = re.compile(r"[<\[](unk|UNK|oov|OOV)[>\]]")
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
Values = dict[str, float]


@dataclass(frozen=True)
class Feature:
    """name: as expressions write it. title: as the page calls it. unit: '' for shares and numbers from 0 to 1."""

    name: str
    title: str
    unit: str = ""


PICTURE = (
    Feature("brightness", "Brightness"),
    Feature("contrast", "Contrast"),
    Feature("sharpness", "Sharpness"),
    Feature("edge_density", "Share of edge pixels"),
    Feature("black", "Share of black pixels"),
    Feature("white", "Share of white pixels"),
    *(Feature(f"brightness_{name}", f"Brightness, {title}") for name, title in _CELLS),
    Feature("saturation", "Saturation"),
    Feature("colourfulness", "Colourfulness"),
    Feature("red", "Red"),
    Feature("green", "Green"),
    Feature("blue", "Blue"),
    Feature("width", "Width", "pixels"),
    Feature("height", "Height", "pixels"),
)
WRITTEN = (
    Feature("tokens", "Length", "tokens"),
    Feature("characters", "Length", "characters"),
    Feature("word_length", "Mean length of a word", "characters"),
    Feature("capitals", "Share of capitals among letters"),
    Feature("digits", "Share of digits"),
    Feature("punctuation", "Share of punctuation"),
    Feature("distinct", "Share of different tokens"),
    Feature("unknown", "Share of unknown tokens"),
)


def of_picture(pixels: NDArray[np.uint8]) -> Values:
    """Features of a picture, uint8 (H, W, 1 or 3); {} where there is none. Brightness and the like are 0 to 1; of
    colours only where there are three channels."""
    if pixels.ndim != 3 or not pixels.size:
        return {}
    values: NDArray[Any] = pixels.astype(np.float32) / 255
    luma = values[..., 0] if values.shape[2] == 1 else values[..., :3] @ _LUMA
    height, width = luma.shape
    found: Values = {
        "brightness": float(luma.mean()),
        "contrast": float(luma.std()),
        "black": float((luma < BLACK).mean()),
        "white": float((luma > WHITE).mean()),
        "width": float(width),
        "height": float(height),
    }
    if height >= 3 and width >= 3:
        middle = luma[1:-1, 1:-1]
        laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * middle
        slope = np.hypot(luma[2:, 1:-1] - luma[:-2, 1:-1], luma[1:-1, 2:] - luma[1:-1, :-2]) / 2
        found |= {"sharpness": float(laplacian.std()), "edge_density": float((slope > EDGE).mean())}
        rows, columns = np.linspace(0, height, 4).astype(int), np.linspace(0, width, 4).astype(int)
        for at, (name, _) in enumerate(_CELLS):
            y, x = divmod(at, 3)
            cell = luma[rows[y] : rows[y + 1], columns[x] : columns[x + 1]]
            found[f"brightness_{name}"] = float(cell.mean())
    if values.shape[2] >= 3:
        found |= _colours(values)
    return found


def _colours(values: NDArray[Any]) -> Values:
    red, green, blue = values[..., 0], values[..., 1], values[..., 2]
    top, low = values[..., :3].max(2), values[..., :3].min(2)
    saturation = np.divide(top - low, top, out=np.zeros_like(top), where=top > 0)
    a, b = red - green, 0.5 * (red + green) - blue
    colourfulness = np.hypot(a.std(), b.std()) + 0.3 * np.hypot(a.mean(), b.mean())
    return {
        "saturation": float(saturation.mean()),
        "colourfulness": float(colourfulness),
        "red": float(red.mean()),
        "green": float(green.mean()),
        "blue": float(blue.mean()),
    }


def of_text(tokens: Sequence[str], text: str) -> Values:
    """Features of a text from its tokens and its characters."""
    letters = sum(one.isalpha() for one in text)
    words = text.split()
    n = max(1, len(text))
    return {
        "tokens": float(len(tokens)),
        "characters": float(len(text)),
        "word_length": sum(map(len, words)) / len(words) if words else float("nan"),
        "capitals": sum(one.isupper() for one in text) / letters if letters else float("nan"),
        "digits": sum(one.isdigit() for one in text) / n,
        "punctuation": sum(not one.isalnum() and not one.isspace() for one in text) / n,
        "distinct": len(set(tokens)) / len(tokens) if tokens else float("nan"),
        "unknown": sum(_UNKNOWN.fullmatch(one) is not None for one in tokens) / max(1, len(tokens)),
    }


def text_of(tokens: Sequence[str]) -> str:
    """A text from its tokens: with blanks between words, not inside them."""
    if any("Ġ" in one or "▁" in one for one in tokens):  # marks of a blank before the token
        return "".join(tokens).replace("Ġ", " ").replace("▁", " ").replace("Ċ", "\n").strip()
    return " ".join(tokens).replace(" ##", "")


def of_series(values: NDArray[Any], names: Sequence[str], rate: float | None) -> Values:
    """Features of a series (channels, steps): of each channel mean, spread, peak (largest size), trend (slope by least
    squares, per second or per step) and dominant frequency (largest power but the mean's, Hz or cycles per step)."""
    data = np.asarray(values, np.float64)
    if data.ndim != 2 or not data.shape[1]:
        return {}
    found: Values = {"steps": float(data.shape[1])}
    step = 1 / rate if rate else 1.0
    for name, line in zip(names, data, strict=False):
        found |= {f"{name}_{key}": value for key, value in _line(line[np.isfinite(line)], step).items()}
    return found


def _line(line: NDArray[np.float64], step: float) -> Values:
    if not len(line):
        return {}
    mean = float(line.mean())
    found = {"mean": mean, "spread": float(line.std()), "peak": float(np.abs(line).max())}
    if len(line) < 3:
        return found
    time = step * (np.arange(len(line)) - (len(line) - 1) / 2)
    found["trend"] = float((time * (line - mean)).sum() / (time**2).sum())
    power = np.abs(np.fft.rfft(line - mean)) ** 2
    top = int(power[1:].argmax()) + 1
    if found["spread"] > 1e-9 * max(1.0, found["peak"]):
        found["frequency"] = float(np.fft.rfftfreq(len(line), step)[top])
    return found


def series_features(names: Sequence[str], titles: Sequence[str], rate: float | None) -> list[Feature]:
    """What ``of_series`` yields. names: of channels, as parts of names; titles: as the page calls them."""
    unit = "Hz" if rate else "cycles per step"
    listed = [Feature("steps", "Length", "steps")]
    for name, title in zip(names, titles, strict=True):
        listed += [
            Feature(f"{name}_mean", f"{title}: mean"),
            Feature(f"{name}_spread", f"{title}: spread"),
            Feature(f"{name}_peak", f"{title}: peak"),
            Feature(f"{name}_trend", f"{title}: trend", "per s" if rate else "per step"),
            Feature(f"{name}_frequency", f"{title}: dominant frequency", unit),
        ]
    return listed


def slug(title: str, otherwise: str) -> str:
    """A title as a part of a name: 'Acc. x' -> 'acc_x'."""
    made = re.sub(r"\W+", "_", title.strip().lower()).strip("_")
    return made if made.isidentifier() else f"{otherwise}_{made}".strip("_") if made else otherwise
