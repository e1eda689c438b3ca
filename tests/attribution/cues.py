"""The planted subjects of tests/e2e/cue_subjects, and whether an explanation points at their cue.

The criterion, the same for every method: cut the input into regions as large as the cue (16 squares, 18 seconds of a
sensor, words, columns), take the mean of the sizes of the values in each; the cue's is the largest.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.subject.loading import load_subject
from analysis.subject.session import Session
from tests.e2e.cue_subjects import column, span, watermark, word

FOLDER = Path(column.__file__).parent
Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Cue:
    """How a subject's explanations are read. regions: from values as answered, and the tokens of a text, to the mean
    size in each region, and which of them is the cue. without: the edit that takes the cue away. control: edits that
    take as much away elsewhere. layer: one with units that answer to the cue.
    """

    name: str
    layer: str
    regions: Callable[[Array, list[str]], tuple[Array, int]]
    without: Callable[[list[str]], dict[str, Any]]
    control: Callable[[list[str]], list[dict[str, Any]]]

    @property
    def module(self) -> ModuleType:
        return importlib.import_module(f"tests.e2e.cue_subjects.{self.name}")

    @property
    def instances(self) -> list[int]:
        """A few of those whose class the cue decides."""
        found: list[int] = self.module.marked()[:3]
        return found

    def rank(self, values: Array, tokens: list[str]) -> int:
        """1 if the cue's region is the first; regions that are told apart by nothing share a rank."""
        sizes, cue = self.regions(values, tokens)
        return 1 + int((sizes > sizes[cue] * (1 + 1e-6)).sum())


@cache
def session(name: str) -> Session:
    """A subject of that folder, opened as the worker opens it, once."""
    return Session(load_subject(FOLDER / f"{name}.py"), device="cpu")


def _squares(values: Array, _tokens: list[str]) -> tuple[Array, int]:
    x0, y0, x1, _ = watermark.CUE
    side, count = x1 - x0, watermark.SIDE // (x1 - x0)
    sizes = np.abs(values).mean(0).reshape(count, side, count, side).mean((1, 3))
    return sizes.ravel(), y0 // side * count + x0 // side


def _seconds(values: Array, _tokens: list[str]) -> tuple[Array, int]:
    channel, first, end = span.CUE
    sizes = np.abs(np.broadcast_to(values, (len(span.SENSORS), span.STEPS)))
    sizes = sizes.reshape(len(span.SENSORS), -1, end - first).mean(2)
    return sizes.ravel(), channel * sizes.shape[1] + first // (end - first)


def _words(values: Array, tokens: list[str]) -> tuple[Array, int]:
    return np.abs(values), tokens.index(word.CUE)


def _columns(values: Array, _tokens: list[str]) -> tuple[Array, int]:
    return np.abs(values), column.CUE


def _paint(x: int, y: int) -> dict[str, Any]:
    return {"op": "paint", "box": [x, y, x + 4, y + 4], "fill": "zero"}


def _mute(channel: int, first: int) -> dict[str, Any]:
    return {"op": "mute", "channel": channel, "span": [first, first + 20], "fill": "zero"}


def _set(number: int) -> dict[str, Any]:
    return {"op": "set", "column": number, "value": float(column.MEAN[number])}


def _replace(at: int) -> dict[str, Any]:
    return {"op": "replace", "at": at, "token": "the"}


CUES = (
    Cue(
        "watermark",
        "conv2",
        _squares,
        lambda _: _paint(*watermark.CUE[:2]),
        lambda _: [_paint(0, 0), _paint(4, 4), _paint(8, 12)],
    ),
    Cue(
        "word",
        "lstm",
        _words,
        lambda tokens: _replace(tokens.index(word.CUE)),
        lambda tokens: [_replace(at) for at, token in enumerate(tokens) if token != word.CUE],
    ),
    Cue("span", "conv2", _seconds, lambda _: _mute(*span.CUE[:2]), lambda _: [_mute(0, 0), _mute(1, 80), _mute(2, 40)]),
    Cue(
        "column", "fc2", _columns, lambda _: _set(column.CUE), lambda _: [_set(n) for n in range(8) if n != column.CUE]
    ),
)
