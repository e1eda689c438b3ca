"""A subject whose neurons are known, for the matrix of the Model view: means by a loop, answers by hand."""

from __future__ import annotations

from typing import Any

import dash
import numpy as np

from tests.extraction.fabricate import layer

from .maps_subject import MadeUp

CLASSES = ["zero", "<b>one</b>", "two", "three"]


class Matrixed(MadeUp):
    """As ``MadeUp``: four classes, layers conv (12 filters), fc (20 units) and out (4, yields the output).

    In conv and fc filter 0 is dead, filter 4 responds to class 3 only.
    """

    def __init__(
        self, app: dash.Dash, *, name: str = "", n: int = 90, units: int = 20, classes: int = 4, **how: Any
    ) -> None:
        names = CLASSES if classes == 4 else [f"class {number}" for number in range(classes)]
        about = {"kind": "image", "classes": names, "code": "c", "weights": "w", "data": "d"}
        layers = [
            layer("conv", "conv", 12, (8, 8), 0),
            layer("fc", "linear", units, (), 1),
            layer("out", "linear", classes, (), 2, rectifier="softmax", output=True),
        ]
        super().__init__(
            app,
            f"matrix {name} {n} {units} {classes} {how}",
            description=about,
            layers=layers,
            n=n,
            classes=classes,
            class_names=names,
            **how,
        )
        self.makers |= {"neuron_drivers": self.drivers, "separation": self.separation, "neuron_table": self.table}

    def values(self, key: str) -> np.ndarray:
        """Activations (N, F) of a layer."""
        return np.asarray(self.extraction.mean(key))

    def driving(self, key: str) -> np.ndarray:
        """Gradient x activation (N, F): even neurons drive, odd ones work against."""
        values = self.values(key)
        return (values * np.where(np.arange(values.shape[1]) % 2 == 0, 1.0, -2.0)).astype(np.float32)

    def drivers(self, layer: str, of: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"layer": layer, "of": of}, {"values": self.driving(layer)}

    def table(self, layer: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"layer": layer}, {"values": np.array(self.values(layer))}

    def separation(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        scores = {"conv": 0.5, "fc": 0.75, "out": 0.9}
        layers = [{"layer": key, "knn_purity": score, "silhouette": 0.1} for key, score in scores.items()]
        return {"layers": layers, "chance": 0.33, "k": 10, "n": 90}, {}

    def mean(self, key: str, members: np.ndarray) -> np.ndarray:
        """The mean over some rows, by a loop in Python (F,)."""
        values = self.values(key)
        return np.array([sum(float(values[row, f]) for row in members) / len(members) for f in range(values.shape[1])])
