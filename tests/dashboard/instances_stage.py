"""A subject with made-up columns for the panels of the Instances view; no worker."""

from __future__ import annotations

from typing import Any

import dash
import numpy as np

from tests.extraction.fabricate import layer

from .maps_subject import MadeUp

NAMES = ["cat", "<b>dog</b>", "it's", "owl"]


class Sampled(MadeUp):
    """240 pictures of four classes, one in five wrong; a column 'light' that is 1 for wrong ones, a place by name."""

    def __init__(self, app: dash.Dash, *, name: str = "", n: int = 240, names: list[str] | None = None) -> None:
        classes = NAMES if names is None else names
        about = {"kind": "image", "classes": classes, "code": "c", "weights": "w", "data": name, "n": 3 * n}
        shapes = [layer("conv", "conv", 12, (6, 6)), layer("fc", "linear", len(classes), (), 1, output=True)]
        super().__init__(
            app,
            f"instances {name} {n}",
            description=about,
            layers=shapes,
            n=n,
            shape=(8, 8, 1),
            classes=len(classes),
            class_names=classes,
            accuracy=0.8,
        )
        self.makers["instance_columns"] = self.columns

    def columns(self, **_params: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        labels, guesses = self.truth["labels"], self.truth["predictions"]
        light = np.where(labels != guesses, 1.0, np.linspace(0, 0.5, len(labels))).astype(np.float32)
        light[3] = np.nan
        place = (np.arange(len(labels)) % 3 - 1).astype(np.int32)
        said = [
            {"name": "light", "title": "Light", "kind": "number", "unit": "lux", "source": "metadata"},
            {"name": "a place", "title": "Place", "kind": "category", "names": ["in", "out"], "source": "metadata"},
            {"name": "broken", "title": "Broken", "kind": "truth", "source": "function", "reason": "it raised"},
        ]
        return {"columns": said, "text": False}, {"c/0": light, "c/1": place, "index": self.truth["indices"]}

    @property
    def wrong(self) -> np.ndarray:
        return self.truth["labels"] != self.truth["predictions"]
