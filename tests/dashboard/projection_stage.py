"""A subject whose projections are really computed, from a fabricated extraction; no worker."""

from __future__ import annotations

from typing import Any

import dash
import numpy as np

from analysis.neurons.projection import projection
from analysis.questions import keys

from .maps_subject import MadeUp


class _Quiet:
    cancelled = False

    def progress(self, *_told: Any, **_named: Any) -> None:
        """Nothing."""


class Placed(MadeUp):
    """As ``MadeUp``; the question ``projection`` is answered by the function itself, ``instance_columns`` by hand."""

    def __init__(self, app: dash.Dash, name: str, **how: Any) -> None:
        about = {"kind": how.get("kind", "image"), "classes": ["zero", "<b>one</b>", *map(str, range(2, 10))]}
        about |= {"code": "c", "weights": "w", "data": "d", "always_include": []}
        super().__init__(app, f"projection {name}", description=about, class_names=about["classes"], **how)
        self.cache = app.server.extensions["cutaway"].settings.answers_dir.parent
        self.makers |= {"projection": self.placed, "instance_columns": self.columns}
        assert keys.sample_of(self.description, 10)  # a description that keys can be made of

    def placed(self, **params: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return projection(_Session(self), _Quiet(), **params)

    def columns(self, **_params: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        said = [
            {
                "name": "night",
                "title": "Taken at night",
                "kind": "truth",
                "names": [],
                "unit": "",
                "source": "metadata",
            },
            {
                "name": "site",
                "title": "Site",
                "kind": "category",
                "names": ["<i>A", "B"],
                "unit": "",
                "source": "metadata",
            },
            {"name": "age", "title": "Age", "kind": "number", "names": [], "unit": "years", "source": "metadata"},
        ]
        count = len(self.truth["indices"])
        night = np.where(np.arange(count) % 7 == 0, 255, np.arange(count) % 2).astype(np.uint8)
        site = np.where(np.arange(count) % 5 == 0, -1, np.arange(count) % 2).astype(np.int32)
        age = np.where(np.arange(count) == 3, np.nan, np.arange(count)).astype(np.float32)
        arrays = {"index": np.asarray(self.truth["indices"]), "c/0": night, "c/1": site, "c/2": age}
        return {"columns": said, "text": False}, arrays


class _Session:
    """What the question needs of a session."""

    def __init__(self, made: Placed) -> None:
        self.made, self.cache = made, made.cache

    def extraction(self) -> Any:
        return self.made.extraction

    def ask(self, question: str, **params: Any) -> Any:
        return self.made.ask(None, question, **params).answer  # type: ignore[arg-type]
