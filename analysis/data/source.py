"""Instances by index out of what the user passed: a Dataset, a Hugging Face data set, a list, arrays, a DataLoader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset, default_collate

from analysis.data import seeds
from analysis.data.errors import SubjectError, Unreadable

_ACCEPTED = (
    "Pass something with __len__ and __getitem__: a torch Dataset, a Hugging Face data set, a list of (input, label) "
    "pairs, or a DataLoader over one of them."
)


@dataclass
class Source:
    """A data set. data: the object that is indexed. n: its length. how: what it is, in words.

    in_memory: reading an item costs next to nothing. collate_fn, batch_size: of the DataLoader it came in, else None.
    """

    data: Any
    n: int
    how: str
    in_memory: bool = False
    collate_fn: Callable[[list[Any]], Any] | None = None
    batch_size: int | None = None
    notes: list[str] = field(default_factory=list)

    def read(self, index: int, draw: int = 0) -> Any:
        """The item as the data set yields it. What it draws at random is fixed by ``index`` and ``draw``.

        The random states are not put back: see ``seeds.random_states_kept``.

        Raises:
            Unreadable: the data set raised an error, which is named.
        """
        seeds.seed(index * 1009 + draw)
        try:
            return self.data[index]
        except MemoryError:
            raise
        except Exception as error:
            raise Unreadable(f"{type(error).__name__}: {str(error)[:300]}") from error


class Rows:
    """Columns of equal length, read as rows: a dictionary of arrays, or (inputs, labels)."""

    def __init__(self, columns: Mapping[str, Any] | tuple[Any, ...]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        values = self.columns.values() if isinstance(self.columns, Mapping) else self.columns
        return len(next(iter(values)))

    def __getitem__(self, index: int) -> Any:
        if isinstance(self.columns, Mapping):
            return {name: column[index] for name, column in self.columns.items()}
        return tuple(column[index] for column in self.columns)


def open_source(dataset: Any) -> Source:
    """Find out how instances are read.

    Raises:
        SubjectError: no length, no access by index, several splits, or columns of unequal length.
    """
    if isinstance(dataset, DataLoader):
        return _from_loader(dataset)
    if isinstance(dataset, IterableDataset):
        raise SubjectError(
            "The data set can only be iterated, not indexed.", "Pass list(dataset), or a data set with __getitem__."
        )
    if isinstance(dataset, (str, bytes, type)):
        raise SubjectError(f"The data set is {dataset!r}.", _ACCEPTED)
    if hasattr(dataset, "iloc") and hasattr(dataset, "columns"):
        raise SubjectError(
            "The data set is a table (data frame), which does not say which of its columns are inputs.",
            "Pass pairs, such as list(zip(frame[columns].to_numpy('float32'), frame['label'])).",
        )
    if hasattr(dataset, "keys") and hasattr(dataset, "__getitem__"):
        if any(isinstance(name, int) for name in dataset.keys()):  # noqa: SIM118
            raise SubjectError("The data set is a dictionary with numbers as keys.", "Pass list(dataset.values()).")
        return _from_columns({str(name): dataset[name] for name in dataset.keys()})  # noqa: SIM118 (not always a dict)
    if isinstance(dataset, tuple) and _arrays_with_labels(dataset):
        return Source(Rows(dataset), len(dataset[1]), "arrays (inputs, labels)", in_memory=True)
    n = _length(dataset)
    name = type(dataset).__name__
    if isinstance(dataset, (list, tuple)):
        return Source(dataset, n, f"a {name} of {n:,} items", in_memory=True)
    if isinstance(dataset, (np.ndarray, Tensor)):
        return Source(dataset, n, "an array without labels", in_memory=True)
    if hasattr(dataset, "features") and hasattr(dataset, "column_names"):
        return Source(dataset, n, f"a {name} with the columns {', '.join(map(str, dataset.column_names))}")
    return Source(dataset, n, f"a data set of type {name}", in_memory=_held(dataset))


def innermost(data: Any) -> Any:
    """The data set inside Subset wrappers."""
    while isinstance(data, Subset):
        data = data.dataset
    return data


def _held(dataset: Any) -> bool:
    return isinstance(innermost(dataset), TensorDataset)


def _from_loader(loader: DataLoader[Any]) -> Source:
    source = open_source(loader.dataset)
    source.how = f"the data set of a DataLoader: {source.how}"
    # Torch's own collation neither pads nor takes missing labels; the one here does, and is otherwise the same.
    source.collate_fn = None if loader.collate_fn is default_collate else loader.collate_fn
    source.batch_size = loader.batch_size
    source.notes.append(
        "Instances are numbered as in the DataLoader's data set; its sampler and its order are not used."
    )
    return source


def _from_columns(columns: dict[str, Any]) -> Source:
    if columns and all(hasattr(part, "column_names") or isinstance(part, DataLoader) for part in columns.values()):
        raise SubjectError(f"The data set has the splits {', '.join(columns)}.", "Pass one of them.")
    lengths = {}
    for name, column in columns.items():
        try:
            lengths[name] = len(column)
        except TypeError:
            raise SubjectError(f"The column {name!r} of the data set has no length.", _ACCEPTED) from None
    if len(set(lengths.values())) != 1:
        listed = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise SubjectError(f"The data set is a dictionary of unequal lengths ({listed}).", _ACCEPTED)
    return Source(
        Rows(columns), next(iter(lengths.values())), f"a dictionary of columns ({', '.join(columns)})", in_memory=True
    )


def _arrays_with_labels(pair: tuple[Any, ...]) -> bool:
    if len(pair) != 2 or not all(isinstance(part, (np.ndarray, Tensor)) for part in pair):
        return False
    inputs, labels = pair
    return bool(labels.ndim == 1 and inputs.ndim >= 2 and len(inputs) == len(labels))


def _length(dataset: Any) -> int:
    if not hasattr(dataset, "__getitem__"):
        raise SubjectError(f"A {type(dataset).__name__} cannot be read by index.", _ACCEPTED)
    try:
        return len(dataset)
    except (TypeError, NotImplementedError) as error:
        raise SubjectError(f"A {type(dataset).__name__} has no length ({error}).", _ACCEPTED) from None
