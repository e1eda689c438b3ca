"""Class numbers of instances: read from items or, where that is safe, from an attribute of the data set at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Subset, TensorDataset

from analysis.data.errors import SubjectError
from analysis.data.source import Rows, Source

MISSING = -1
CHECKED = 16  # items whose own label must equal the attribute's
_ATTRIBUTES = ("targets", "labels", "y")


class Labeller:
    """Turns what data sets give as labels into class numbers, counting what it met.

    names: class names, used to look up labels that are text; may be set later. unusual: remarks, each once.
    """

    def __init__(self, names: Sequence[str] | None) -> None:
        self.names = list(names) if names is not None else None
        self.unusual: dict[str, str] = {}

    def number(self, label: Any) -> int:
        """The class number, MISSING where there is none. Raises SubjectError for texts that are no class names."""
        if label is None:
            return MISSING
        if isinstance(label, (str, bytes)):
            return self._named(label.decode() if isinstance(label, bytes) else label)
        value = label.detach().cpu().numpy() if isinstance(label, Tensor) else np.asarray(label)
        if value.dtype.kind not in "biuf":
            self.unusual["type"] = f"Labels of type {type(label).__name__} are not class numbers and count as missing."
            return MISSING
        if value.size == 1:
            return self._whole(value.reshape(()).item())
        if value.ndim == 1 and value.size and np.count_nonzero(value) == 1 and value.max() == 1:
            self.unusual["one-hot"] = "Labels are one-hot rows; the position of the 1 is the class."
            return int(value.argmax())
        self.unusual["several"] = f"Labels of shape {value.shape} are not one class an instance and count as missing."
        return MISSING

    def numbers(self, labels: Any, count: int) -> NDArray[np.int64]:
        """Class numbers of a batch, shape (count,). Raises SubjectError if there is not one for each instance."""
        if labels is None:
            return np.full(count, MISSING, np.int64)
        try:
            values = list(labels)
        except TypeError:
            values = [labels]
        if len(values) != count:
            raise SubjectError(
                f"collate_fn yields {len(values)} labels for {count} instances.", "Let it yield (inputs, labels)."
            )
        return np.array([self.number(value) for value in values], np.int64)

    def _named(self, label: str) -> int:
        if self.names is None:
            raise SubjectError(
                f"Labels are texts, such as {label[:60]!r}, and the order of the model's outputs is not known.",
                "Give class_names=[...] in the order of the model's outputs.",
            )
        if label not in self.names:
            self.unusual["name"] = f"Labels such as {label[:60]!r} are not among the class names and count as missing."
            return MISSING
        return self.names.index(label)

    def _whole(self, value: float) -> int:
        if isinstance(value, float):
            if not math.isfinite(value):
                return MISSING
            if value != int(value):
                self.unusual["float"] = f"Labels such as {value:.4g} are not class numbers and count as missing."
                return MISSING
        return max(int(value), MISSING)


def all_at_once(
    source: Source, labeller: Labeller, of_item: Callable[[int], int | None], label_key: str
) -> tuple[NDArray[np.int64], str] | None:
    """Labels of all instances from an attribute or column, and its name; None if there is none to be trusted.

    It is trusted if it has one label for each instance, and the same ones as CHECKED items over the whole data set.
    ``of_item`` reads one item's label, None if the item cannot be read.
    """
    for name, values in _candidates(source.data, label_key):
        try:
            if len(values) != source.n:
                continue
            numbers = _class_numbers(values, labeller)
        except (TypeError, ValueError, SubjectError, RuntimeError):
            continue
        places = np.unique(np.linspace(0, source.n - 1, min(CHECKED, source.n)).astype(int))
        own = [(int(numbers[place]), of_item(int(place))) for place in places]
        if all(item is None or item == value for value, item in own) and any(item is not None for _, item in own):
            return numbers, name
    return None


def _class_numbers(values: Any, labeller: Labeller) -> NDArray[np.int64]:
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.ndim != 1:
        raise ValueError("not one label an instance")
    if array.dtype.kind in "biu":
        return np.maximum(array.astype(np.int64), MISSING)
    return np.array([labeller.number(value) for value in array.tolist()], np.int64)


def _candidates(data: Any, label_key: str) -> list[tuple[str, Any]]:
    if isinstance(data, Subset):
        chosen = np.asarray(data.indices, dtype=np.int64)
        parts = []
        for name, values in _candidates(data.dataset, label_key):
            array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
            if array.ndim == 1 and (not len(chosen) or int(chosen.max()) < len(array)):
                parts.append((name, array[chosen]))
        return parts
    found: list[tuple[str, Any]] = []
    if isinstance(data, TensorDataset):
        found.append(("the last tensor", data.tensors[-1]))
    if isinstance(data, Rows):
        columns = data.columns
        found.append(("the labels given", columns[-1] if isinstance(columns, tuple) else columns.get(label_key)))
    if label_key and hasattr(data, "column_names") and label_key in list(data.column_names):
        found.append((f"the column {label_key!r}", data[label_key]))
    if not isinstance(data, (Tensor, np.ndarray)):
        found += [(f"the attribute {name!r}", getattr(data, name, None)) for name in _ATTRIBUTES]
    return [(name, values) for name, values in found if values is not None]
