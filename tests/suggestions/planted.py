"""Samples whose truth is known: a table, errors that were planted in it, activations. No model and no worker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.layerinfo import LayerInfo
from analysis.results import Answer
from analysis.subsets import table as tables
from analysis.subsets.table import Column, Table

CLASSES = ("cat", "dog", "bird", "fish")
WORDS = (
    "the",
    "a",
    "film",
    "was",
    "plot",
    "actor",
    "scene",
    "very",
    "it",
    "of",
    "and",
    "in",
    "story",
    "this",
    "that",
    "with",
    "for",
    "good",
    "bad",
    "long",
)


@dataclass
class Stage:
    """Stands for a session. columns: besides the model's own. layers: pooled activations (n, F). wrong: planted."""

    n: int
    seed: int
    wrong: NDArray[np.bool_]
    columns: list[Column]
    layers: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    classes: tuple[str, ...] = CLASSES
    labels: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.seed, 1])
        if self.labels is None:
            self.labels = rng.integers(0, len(self.classes), self.n)
        shift = rng.integers(1, len(self.classes), self.n)
        self.predictions = np.where(self.wrong, (self.labels + shift) % len(self.classes), self.labels)
        self.logits = rng.normal(0, 1, (self.n, len(self.classes))).astype(np.float32)
        self.logits[np.arange(self.n), self.predictions] += 6
        self.indices = np.arange(self.n) * 3 + 1
        self.sample = {"n": self.n, "random_state": self.seed, "include": []}
        self.asked: list[str] = []

    @property
    def table(self) -> Table:
        """All columns."""
        own = tables.of_model(
            self.indices, self.labels, self.predictions, self.logits, np.ones(self.n, np.float32), self.classes
        )
        return replace(own, columns={**own.columns, **{one.name: one for one in self.columns}})

    def extraction(self) -> Any:
        """What questions read of an extraction."""
        given = enumerate(self.layers.items())
        infos = [LayerInfo(key, key, 0, "linear", "Linear", values.shape[1], order=at) for at, (key, values) in given]
        return SimpleNamespace(
            indices=self.indices,
            labels=self.labels,
            predictions=self.predictions,
            logits=self.logits,
            loss=np.ones(self.n, np.float32),
            class_names=list(self.classes),
            layers=infos,
            mean=self.layers.__getitem__,
            done=self.n,
            complete=True,
        )

    def ask(self, question: str, **_params: Any) -> Any:
        """The columns, as the question gives them."""
        self.asked.append(question)
        return answer_of(self.columns, self.indices)


def answer_of(columns: Iterable[Column], indices: NDArray[Any]) -> Answer:
    """An answer of ``instance_columns`` in memory."""
    arrays: dict[str, NDArray[Any]] = {"index": np.asarray(indices, np.int64)}
    said, text = [], False
    for column in columns:
        if column.name == "text":
            arrays["text"], arrays["offsets"] = tables.packed(column.values)
            text = True
            continue
        about = {"name": column.name, "title": column.title, "kind": column.kind, "names": list(column.names)}
        said.append(about | {"unit": column.unit, "source": column.source, "reason": ""})
        arrays[f"c/{len(said) - 1}"] = column.values
    return SimpleNamespace(json={"columns": said, "text": text}, array=arrays.__getitem__, key="0" * 40)  # type: ignore[return-value]


def context() -> Any:
    """Hears of progress and forgets it."""
    return SimpleNamespace(progress=lambda *_told, **_more: None, cancelled=False)


def sentences(rng: np.random.Generator, n: int, length: int = 12) -> list[list[str]]:
    """Texts of common words."""
    return [list(rng.choice(WORDS, length)) for _ in range(n)]


def noise_columns(rng: np.random.Generator, n: int) -> list[Column]:
    """Five numbers, two categories and a truth that tell nothing."""
    numbers = [Column(f"number{at}", f"Number {at}", "number", rng.normal(size=n), source="feature") for at in range(5)]
    names = ("red", "green", "it's blue")
    kinds = [
        Column("camera", "Camera", "category", rng.integers(0, 3, n).astype(np.int32), names, source="metadata"),
        Column(
            "room no",
            "Room",
            "category",
            rng.integers(-1, 12, n).astype(np.int32),
            tuple("abcdefghijkl"),
            source="metadata",
        ),
    ]
    truth = Column("outdoors", "Outdoors", "truth", rng.integers(0, 2, n).astype(np.uint8), source="metadata")
    return [*numbers, *kinds, truth]


def noise(n: int, seed: int, rate: float = 0.15, *, texts: bool = True, units: int = 24) -> Stage:
    """Errors that nothing explains."""
    rng = np.random.default_rng(seed)
    columns = noise_columns(rng, n)
    if texts:
        columns.append(text_column(sentences(rng, n)))
    layers = {name: np.maximum(rng.normal(size=(n, units)), 0).astype(np.float32) for name in ("first", "last")}
    return Stage(n, seed, rng.random(n) < rate, columns, layers)


def text_column(words: Iterable[Iterable[str]]) -> Column:
    """Texts, as ``instance_columns`` gives them."""
    said = [" ".join(one) for one in words]
    values = np.empty(len(said), object)
    values[:] = said
    return Column("text", "Text", "text", values, source="feature")


def phrase(n: int, seed: int, said: str = "blue lagoon", share: float = 0.05, rate: float = 0.08) -> Stage:
    """Texts: those with a phrase are wrong; its words stand alone in others."""
    stage = noise(n, seed, rate)
    rng = np.random.default_rng([seed, 2])
    words = sentences(rng, n)
    own = rng.random(n) < share
    first, last = said.split()
    for row in range(n):
        if own[row]:
            words[row][4:6] = [first, last]
        elif rng.random() < 0.1:
            words[row][rng.integers(0, 12)] = first
        elif rng.random() < 0.1:
            words[row][rng.integers(0, 12)] = last
    columns = [one for one in stage.columns if one.name != "text"] + [text_column(words)]
    return Stage(n, seed, stage.wrong | own, columns, stage.layers)


def stripe(n: int, seed: int, share: float = 0.08, rate: float = 0.1) -> Stage:
    """Pictures: those with a bright corner are wrong, as the brightness of the corner says."""
    stage = noise(n, seed, rate, texts=False)
    rng = np.random.default_rng([seed, 2])
    own = rng.random(n) < share
    corner = np.where(own, rng.uniform(0.8, 1, n), rng.uniform(0, 0.7, n))
    more = Column("top_left", "Brightness, top left", "number", corner.astype(np.float32), source="feature")
    return Stage(n, seed, stage.wrong | own, [*stage.columns, more], stage.layers)


def metadata(n: int, seed: int, rate: float = 0.1) -> Stage:
    """Dogs at night are wrong: that is, in the first three rooms."""
    stage = noise(n, seed, rate, texts=False)
    rooms = next(one for one in stage.columns if one.name == "room no").values
    labels = np.random.default_rng([seed, 3]).integers(0, 4, n)
    place = Column("night", "Night", "truth", ((rooms >= 0) & (rooms < 3)).astype(np.uint8), source="metadata")
    wrong = stage.wrong | ((rooms < 3) & (labels == 1) & (rooms >= 0))
    return Stage(n, seed, wrong, [*stage.columns, place], stage.layers, labels=labels)
