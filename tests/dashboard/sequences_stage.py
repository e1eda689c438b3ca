"""A subject with made-up answers of the Sequences view's questions: planted clusters of words and units; no worker."""

from __future__ import annotations

from typing import Any

import dash
import numpy as np

from tests.extraction.fabricate import layer

from .maps_subject import MadeUp

LAYERS = [
    {"layer": "lstm", "type": "LSTM", "states": ["hidden", "cell"], "depths": 2, "directions": 1, "recurrent": True},
    {"layer": "conv", "type": "Conv1d", "states": ["hidden"], "depths": 1, "directions": 1, "recurrent": False},
    {
        "layer": "odd",
        "type": "GRU",
        "states": ["hidden"],
        "depths": 1,
        "directions": 1,
        "recurrent": True,
        "reason": "its output is not a tensor",
    },
]
WHY = {"signed": "Right for one thing.", "absolute": "Right for another."}


class Spoken(MadeUp):
    """As ``MadeUp``: ``words`` words of which every second one raises the first half of the units and lowers the rest,
    the others the other way round.
    """

    def __init__(
        self, app: dash.Dash, kind: str = "text", *, name: str = "", words: int = 60, units: int = 12, k: int = 2
    ) -> None:
        about = {"kind": kind, "classes": ["no", "<b>yes</b>"], "code": "c", "weights": "w", "data": "d"}
        shapes = [layer("lstm", "lstm", units, (9,)), layer("fc", "linear", 2, (), 1)]
        super().__init__(
            app, f"spoken {kind} {name} {words} {units} {k}", description=about, layers=shapes, n=40, kind="table"
        )
        self.kind, self.count, self.units, self.k = kind, words, units, k
        self.pos = "the lexicon is English and holds 3 % of the words"
        self.listed = [{"units": units, "reason": ""} | one for one in LAYERS]
        self.default: dict[str, Any] | None = {"layer": "lstm", "state": "hidden", "depth": -1}
        self.changes: dict[str, Any] = {}  # of the answer on clusters
        self.makers |= {
            "sequence_sources": self.sources,
            "sequence_responses": self.responses,
            "sequence_clusters": self.clusters,
        }

    def sources(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        text = self.kind == "text"
        vocabularies = [
            {"name": "tokens", "title": "Tokens", "reason": "" if text else "Instances are series."},
            {"name": "quantiles", "title": "Levels of each channel", "reason": "Instances are texts." if text else ""},
            {"name": "motifs", "title": "Motifs", "reason": "Instances are texts." if text else ""},
        ]
        value = {"sources": self.listed, "default": self.default, "why": "No layer has steps."}
        return value | {"vocabularies": vocabularies, "pos": {"reason": self.pos}}, {}

    def means(self) -> np.ndarray:
        """(words, units)."""
        rng = np.random.default_rng(0)
        side = np.where(np.arange(self.units) < self.units // 2, 1.0, -1.0)
        sign = np.where(np.arange(self.count) % 2 == 0, 1.0, -1.0)
        strength = np.linspace(2, 0.2, self.count)
        found = strength[:, None] * sign[:, None] * side + rng.normal(0, 0.01, (self.count, self.units))
        return found.astype(np.float32)

    def responses(self, words: str = "tokens", **_params: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        mean, count = self.means(), np.arange(self.count, 0, -1) * 3
        positive = np.arange(self.count) % 2 == 0
        by_class = np.stack([np.where(positive, 1, 40), np.where(positive, 40, 1)], 1)
        names = [
            f"word {number}" if words == "tokens" else f"motif {number + 1}: a, up" for number in range(self.count)
        ]
        value = {"units": self.units, "steps": 4000, "sequences": 200, "classes": ["no", "<b>yes</b>"], "names": names}
        value |= {"channels": [], "sampling_rate": None, "window": 1, "left_out": 0, "pos_names": []}
        arrays = {
            "id": np.arange(self.count) + 100,
            "count": count,
            "sequences": count // 2 + 1,
            "mean": mean,
            "norm": np.linalg.norm(mean, axis=1),
            "by_class": by_class,
            "by_predicted": by_class,
            "class_n": np.array([200, 200]),
            "direction": np.ones(self.units, np.int8),
        }
        if words == "motifs":
            value |= {"channels": ["a", "b"], "window": 16}
            waves = np.sin(np.linspace(0, 6, 16) + np.arange(self.count)[:, None, None] + np.arange(2)[:, None])
            arrays["picture"] = (waves * [[[1.0], [50.0]]]).astype(np.float32)
        if words == "quantiles":
            value["channels"] = ["a", "b"]
            arrays["channel"] = np.arange(self.count) % 2
            arrays["low"] = np.arange(self.count, dtype=np.float32)
            arrays["high"] = arrays["low"] + 1
        return value, arrays

    def clusters(self, k: int = 0, weight: str = "signed", **_params: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        number = k or self.k
        word = np.arange(self.count) % min(2, number)
        unit = np.where(np.arange(self.units) < self.units // 2, 0, 1)
        mean = self.means()
        links = np.zeros((number, number), np.float32)
        for i in range(min(2, number)):
            for j in range(2):
                links[i, j] = mean[word == i][:, unit == j].mean()
        z = np.stack([np.where(word == 0, -9.0, 9.0), np.where(word == 0, 9.0, -9.0)], 1)
        names = [f"word {row}" for row in range(self.count)]
        good = {"explained": 0.6, "modularity": 0.4, "class_ari": 0.9}
        poor = {"explained": 0.1, "modularity": 0.05, "class_ari": 0.0}
        value: dict[str, Any] = {
            "k": number,
            "suggested": self.k,
            "gaps": [[2, 0.5]],
            "weight": weight,
            "why": WHY.get(weight, "Right."),
            "words": self.count,
            "left_out": {"rare": 1200, "weak": 300, "beyond": 0},
            "score": good,
            "baselines": {"shuffled": poor, "untrained": poor},
            "stability": {"ari": 0.95, "lowest": 0.8, "seeds": 10},
            "word_clusters": [
                {
                    "id": i,
                    "size": int((word == i).sum()),
                    "class": i if i < 2 else None,
                    "lean": 9.0,
                    "names": [names[row] for row in np.flatnonzero(word == i)[:8]],
                }
                for i in range(number)
            ],
            "unit_clusters": [
                {"id": j, "size": int((unit == j).sum()), "units": np.flatnonzero(unit == j).tolist()}
                for j in range(number)
            ],
            "classes": ["no", "<b>yes</b>"],
            "random_state": 0,
        }
        arrays = {"word": np.arange(self.count), "word_cluster": word, "unit_cluster": unit}
        arrays |= {"unit_raise": unit, "unit_lower": 1 - unit, "links": links, "association": z}
        return value | self.changes, arrays
