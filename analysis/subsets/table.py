"""The instances of a sample as a table: what the model says of each, and what else is known of it. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.extraction.reader import Extraction
from analysis.results import Answer

NUMBER, CATEGORY, TRUTH, TEXT = "number", "category", "truth", "text"
KINDS = (NUMBER, CATEGORY, TRUTH, TEXT)
SOURCES = ("model", "metadata", "feature", "function")
UNKNOWN = 255  # of a truth column
_BLOCK = 1 << 21  # logits in one step
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Column:
    """A column, (n,).

    name: as expressions write it, in backticks where it is no identifier. title: what the page calls it. kind: of
    ``values``: 'number' (NaN where missing), 'category' (places in ``names``, -1 where missing), 'truth' (uint8 1, 0,
    255 where unknown), 'text' (str, '' where missing). unit: '' if it has none. source: 'model', 'metadata', 'feature'
    or 'function'. title of a category's value: ``names``.
    """

    name: str
    title: str
    kind: str
    values: NDArray[Any]
    names: tuple[str, ...] = ()
    unit: str = ""
    source: str = "model"

    @cached_property
    def folded(self) -> list[str]:
        """A text column without differences of case."""
        return [str(value).casefold() for value in self.values]

    @cached_property
    def missing(self) -> Mask:
        """Where there is no value, (n,)."""
        if self.kind == NUMBER:
            return np.isnan(np.asarray(self.values, np.float64))
        if self.kind == CATEGORY:
            return np.asarray(self.values) < 0
        if self.kind == TRUTH:
            return np.asarray(self.values) == UNKNOWN
        return np.asarray(self.values, object) == ""

    def shown(self, row: int) -> Any:
        """The value of a row as plain JSON: a name, a number, True or False, a text; None where it is missing."""
        value = self.values[row]
        if self.missing[row]:
            return None
        if self.kind == CATEGORY:
            code = int(value)
            return self.names[code] if code < len(self.names) else f"class {code}"
        if self.kind == TRUTH:
            return bool(value == 1)
        if self.kind == TEXT:
            return str(value)
        return int(value) if np.asarray(value).dtype.kind in "iu" else float(value)

    def take(self, rows: NDArray[np.int64]) -> Column:
        """The column of some rows."""
        return replace(self, values=self.values[rows])


@dataclass(frozen=True)
class Table:
    """Rows are those of an extraction, in its order.

    columns: by name, those of the model first: index, label, prediction, correct, confidence, loss, margin, entropy.
    indices, labels (-1 none), predictions: int64 (n,). waiting: whether columns of metadata and features are still
    computed. left_out: [name, reason] of columns that could not be computed.
    """

    n: int
    class_names: tuple[str, ...]
    columns: Mapping[str, Column]
    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    predictions: NDArray[np.int64]
    waiting: bool = False
    left_out: tuple[tuple[str, str], ...] = field(default=())

    @property
    def wrong(self) -> Mask:
        """Rows whose prediction is not their label, (n,); False without a label."""
        return (self.labels >= 0) & (self.labels != self.predictions)

    @property
    def texts(self) -> NDArray[Any] | None:
        """The text of each instance (str), None where instances are no texts."""
        found = self.columns.get("text")
        return found.values if found is not None and found.kind == TEXT else None

    def of(self, *sources: str) -> list[Column]:
        """Columns of some sources, in their order."""
        return [column for column in self.columns.values() if column.source in sources]

    def class_name(self, label: int) -> str:
        """A label's name; 'no label' for -1."""
        if label < 0:
            return "no label"
        return self.class_names[label] if label < len(self.class_names) else f"class {label}"

    def take(self, rows: NDArray[np.int64]) -> Table:
        """The table of some rows."""
        return replace(
            self,
            n=len(rows),
            columns={name: column.take(rows) for name, column in self.columns.items()},
            indices=self.indices[rows],
            labels=self.labels[rows],
            predictions=self.predictions[rows],
        )


def of_extraction(extraction: Extraction, *, waiting: bool = False) -> Table:
    """What the model says of the rows of an extraction, from its logits; nothing is computed by the model."""
    return of_model(
        extraction.indices,
        extraction.labels,
        extraction.predictions,
        extraction.logits,
        extraction.loss,
        extraction.class_names,
        waiting=waiting,
    )


def of_model(
    indices: NDArray[Any],
    labels: NDArray[Any],
    predictions: NDArray[Any],
    logits: NDArray[Any],
    loss: NDArray[Any],
    class_names: Iterable[str],
    *,
    waiting: bool = False,
) -> Table:
    """The columns of the model. logits: (n, C), before any softmax; C = 1 is a sigmoid's. loss: (n,), in nats.

    The margin is the probability of the predicted class less that of the next one (0 to 1), the entropy is that of
    the probabilities, in nats; both NaN where logits are not finite.
    """
    names = tuple(str(name) for name in class_names)
    indices, labels, predictions = (np.asarray(part, np.int64) for part in (indices, labels, predictions))
    confidence, margin, entropy = scores(np.asarray(logits))
    correct = np.where(labels < 0, UNKNOWN, labels == predictions).astype(np.uint8)
    top = int(max(labels.max(initial=-1), predictions.max(initial=-1)))
    known = names or tuple(f"class {at}" for at in range(top + 1))
    columns = [
        Column("index", "Index", NUMBER, indices),
        Column("label", "Label", CATEGORY, labels, known),
        Column("prediction", "Prediction", CATEGORY, predictions, known),
        Column("correct", "Correct", TRUTH, correct),
        Column("confidence", "Confidence", NUMBER, confidence),
        Column("loss", "Loss", NUMBER, np.asarray(loss), unit="nats"),
        Column("margin", "Margin", NUMBER, margin),
        Column("entropy", "Entropy", NUMBER, entropy, unit="nats"),
    ]
    return Table(len(indices), names, {one.name: one for one in columns}, indices, labels, predictions, waiting)


def probabilities(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Softmax of each row, (n, C); of a single logit the two classes' (n, 2). NaN rows where it is undefined."""
    values = np.asarray(logits, np.float64)
    if values.shape[1] == 1:
        values = np.concatenate([np.zeros_like(values), values], 1)
    with np.errstate(invalid="ignore", over="ignore"):
        shares = np.exp(values - values.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
    return np.asarray(shares)


def scores(logits: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Confidence, margin and entropy of each row, float32 (n,), a block of rows at a time."""
    made = np.full((3, len(logits)), np.nan, np.float32)
    step = max(1, _BLOCK // max(1, logits.shape[1] if logits.ndim > 1 else 1))
    for start in range(0, len(logits), step):
        shares = probabilities(logits[start : start + step])
        part = slice(start, start + len(shares))
        if shares.shape[1] > 1:
            two = np.partition(shares, -2, axis=1)[:, -2:]
            made[0, part], made[1, part] = two[:, 1], two[:, 1] - two[:, 0]
        else:
            made[0, part], made[1, part] = shares[:, 0], shares[:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(shares > 0, np.log(shares), np.where(np.isnan(shares), np.nan, 0.0))
        made[2, part] = -(shares * logs).sum(1)
    return made[0], made[1], np.where(made[2] == 0, np.float32(0), made[2]).astype(np.float32)


def joined(table: Table, answer: Answer) -> Table:
    """The table with the columns of an answer of ``instance_columns``; rows that it does not know are missing there.

    A damaged answer, or one whose arrays do not fit it, raises KeyError or ValueError, as numpy does.
    """
    rows = _places(table.indices, np.asarray(answer.array("index"), np.int64))
    columns = dict(table.columns)
    left_out: list[tuple[str, str]] = []
    for at, said in enumerate(answer.json["columns"]):
        if said.get("reason"):
            left_out.append((str(said["name"]), str(said["reason"])))
            continue
        column = _read(answer, f"c/{at}", said, rows)
        columns[column.name] = column
    if answer.json.get("text"):
        values = unpacked(answer.array("text"), answer.array("offsets"))
        columns["text"] = Column("text", "Text", TEXT, _spread(values, rows, ""), source="feature")
    return replace(table, columns=columns, waiting=False, left_out=tuple(left_out))


def _read(answer: Answer, name: str, said: Mapping[str, Any], rows: NDArray[np.int64]) -> Column:
    kind = said["kind"]
    if kind == TEXT:
        values = _spread(unpacked(answer.array(name), answer.array(f"{name}/offsets")), rows, "")
    else:
        absent = {NUMBER: np.nan, CATEGORY: -1, TRUTH: UNKNOWN}[kind]
        values = _spread(answer.array(name), rows, absent)
    names = tuple(str(one) for one in said.get("names") or ())
    return Column(
        str(said["name"]), str(said["title"]), kind, values, names, str(said.get("unit") or ""), str(said["source"])
    )


def _places(wanted: NDArray[np.int64], there: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each wanted index stands in ``there``, -1 where it does not."""
    if len(wanted) == len(there) and bool((wanted == there).all()):
        return np.arange(len(there))
    if not len(there):
        return np.full(len(wanted), -1)
    order = np.argsort(there, kind="stable")
    at = np.minimum(np.searchsorted(there[order], wanted), len(there) - 1)
    found = order[at]
    return np.where(there[found] == wanted, found, -1)


def _spread(values: NDArray[Any], rows: NDArray[np.int64], absent: Any) -> NDArray[Any]:
    if not len(values):
        return np.full(len(rows), absent, values.dtype)
    made = values[np.maximum(rows, 0)]
    made[rows < 0] = absent
    return made


def packed(texts: Iterable[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Texts as joined UTF-8 bytes and the offsets of their ends and starts, int64 (n + 1,)."""
    parts = [text.encode("utf-8", "replace") for text in texts]
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return np.frombuffer(b"".join(parts), np.uint8), offsets


def unpacked(joined_bytes: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[Any]:
    """What ``packed`` packed, as objects (n,)."""
    whole = np.asarray(joined_bytes).tobytes()
    ends = np.asarray(offsets).tolist()
    made = np.empty(max(0, len(ends) - 1), object)
    made[:] = [whole[a:b].decode("utf-8", "replace") for a, b in pairwise(ends)]
    return made
