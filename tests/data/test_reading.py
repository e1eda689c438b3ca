"""Instances out of anything: what a batch holds equals what the data set holds, item by item."""

from __future__ import annotations

from collections import UserDict, namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from analysis.data import collate, seeds
from analysis.data.errors import SubjectError, Unreadable
from analysis.data.instances import Instances
from analysis.data.labels import Labeller, all_at_once
from analysis.data.source import Rows, open_source
from analysis.data.tensors import as_tensor

N = 10
X = torch.randn(N, 3, 8, 8, generator=torch.Generator().manual_seed(0))
Y = torch.arange(N) % 3


class Plain(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :3]


class Masked(nn.Module):
    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        del attention_mask
        return input_ids.float()


class WithLengths(nn.Module):
    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        del lengths
        return x


class Listed(Dataset[Any]):
    """A data set over a list of items; an exception in the list is raised."""

    def __init__(self, items: list[Any], **attributes: Any) -> None:
        self.items = items
        vars(self).update(attributes)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        if isinstance(self.items[index], Exception):
            raise self.items[index]
        return self.items[index]


def instances(dataset: Any, model: nn.Module | None = None, **options: Any) -> Instances:
    source = open_source(dataset)
    options = {"collate_fn": source.collate_fn, "forward_func": None, "labeller": Labeller(None)} | options
    found = Instances(source, model or Plain(), **options)
    found.learn()
    return found


@dataclass
class Item:
    x: Tensor
    label: int


Point = namedtuple("Point", ["x", "label"])
PAIRS = [(x, int(y)) for x, y in zip(X, Y, strict=True)]
FORMS: dict[str, Any] = {
    "a list of pairs": PAIRS,
    "a list of lists": [list(pair) for pair in PAIRS],
    "a tuple of pairs": tuple(PAIRS),
    "labels as tensors": [(x, torch.tensor([y])) for x, y in PAIRS],
    "one-hot labels": [(x, nn.functional.one_hot(torch.tensor(y), 3)) for x, y in PAIRS],
    "labels as floats": [(x, float(y)) for x, y in PAIRS],
    "arrays in pairs": [(x.numpy(), np.int64(y)) for x, y in PAIRS],
    "a torch data set": Listed(PAIRS),
    "a tensor data set": TensorDataset(X, Y),
    "a tuple of tensors": (X, Y),
    "a tuple of arrays": (X.numpy(), Y.numpy()),
    "columns": {"x": X, "label": Y},
    "rows as dictionaries": [{"x": x, "label": y} for x, y in PAIRS],
    "rows like a BatchEncoding": [UserDict({"x": x, "labels": y}) for x, y in PAIRS],
    "rows with a field the model does not take": [{"x": x, "y": y, "idx": 7, "text": "words"} for x, y in PAIRS],
    "one field under another name": [{"pixels": x, "target": y} for x, y in PAIRS],
    "dataclasses": [Item(x, y) for x, y in PAIRS],
    "named tuples": [Point(x, y) for x, y in PAIRS],
    "a dictionary and a label": [({"x": x}, y) for x, y in PAIRS],
    "a loader": DataLoader(Listed(PAIRS), batch_size=4, shuffle=True),
    "a loader with a collate function": DataLoader(
        Listed(PAIRS),
        collate_fn=lambda items: {"x": torch.stack([x for x, _ in items]), "labels": [y for _, y in items]},
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_batch_holds_the_same_instances_whatever_form_the_data_have(name: str) -> None:
    found = instances(FORMS[name])
    batch = found.batch([7, 0, 4])
    assert torch.equal(batch.principal, X[[7, 0, 4]])
    assert batch.labels.tolist() == Y[[7, 0, 4]].tolist()
    assert batch.indices.tolist() == [7, 0, 4]
    assert batch.skipped == []
    assert batch.lengths is None
    assert Plain()(*batch.args, **batch.kwargs).shape == (3, 3)
    assert found.label(5) == int(Y[5])


@pytest.mark.parametrize("labels", [None, float("nan"), -1, -100, torch.tensor(-1), "half"])
def test_missing_labels_are_missing(labels: Any) -> None:
    items = [
        (x, None if labels == "half" and n % 2 else 1 if labels == "half" else labels) for n, (x, _) in enumerate(PAIRS)
    ]
    found = instances(items).batch(range(N)).labels.tolist()
    assert found == ([1, -1] * 5 if labels == "half" else [-1] * N)


def test_items_without_labels_have_none() -> None:
    for data in (X, X.numpy(), list(X), [{"x": x} for x in X], [(x,) for x in X]):
        assert instances(data).batch([1, 2]).labels.tolist() == [-1, -1]


def test_values_that_are_no_classes_count_as_missing_and_are_remarked() -> None:
    found = instances([(x, 0.37) for x in X])
    assert found.batch([0]).labels.tolist() == [-1]
    assert "0.37" in found.labeller.unusual["float"]
    assert instances([(x, [1.0, 1.0, 0.0]) for x in X]).batch([0]).labels.tolist() == [-1]


def test_labels_that_are_texts_are_looked_up_and_never_ordered_by_guess() -> None:
    items = [(x, "cat" if y else "dog") for x, y in PAIRS]
    assert instances(items, labeller=Labeller(["dog", "cat"])).batch([0, 1]).labels.tolist() == [0, 1]
    with pytest.raises(SubjectError, match="class_names"):
        instances(items)


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([(1.0, 2.0)], "two numbers"),
        ([(x, x, x) for x in X], "which of them is the label"),
        ([(x, 3, 4) for x in X], "which of them is the label"),
        ([{"x": x, "label": 1, "labels": 1} for x in X], "several keys"),
        ([{"a": x, "b": x, "label": 1} for x in X], "do not fit"),
        ([("some text", 1)], "texts"),
        ([{"text": "some text", "label": 1}], "texts"),
        ([(x[:, : n + 2, : n + 2], 1) for n, x in enumerate(X[:6])], "different shapes"),
    ],
)
def test_what_may_be_read_in_two_ways_is_asked_for(items: list[Any], words: str) -> None:
    with pytest.raises(SubjectError, match=words) as caught:
        instances(items)
    assert caught.value.remedy


def test_three_parts_are_read_where_only_one_can_be_the_label() -> None:
    class Two(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return a + b

    batch = instances([(x, x + 1, y) for x, y in PAIRS], Two()).batch([2, 3])
    assert torch.equal(batch.args[1], X[2:4] + 1)
    assert batch.labels.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ("path/to/data", "path/to/data"),
        (Listed, "class"),
        (5, "int"),
        (iter([1]), "index"),
        ({"train": Rows((X, Y)), "x": X[:3]}, "unequal"),
        ({0: X, 1: X}, "numbers as keys"),
        (type("Frame", (), {"iloc": 1, "columns": 2})(), "data frame"),
    ],
)
def test_what_is_no_data_set_is_refused_with_a_remedy(dataset: Any, words: str) -> None:
    with pytest.raises(SubjectError, match=words) as caught:
        open_source(dataset)
    assert caught.value.remedy


def test_an_iterable_data_set_is_refused() -> None:
    class Stream(IterableDataset[int]):
        def __iter__(self) -> Any:
            return iter([1])

    with pytest.raises(SubjectError, match="iterated"):
        open_source(Stream())


def test_a_loader_brings_its_batch_size_and_collation() -> None:
    loader = FORMS["a loader with a collate function"]
    assert open_source(loader).collate_fn is loader.collate_fn
    assert open_source(FORMS["a loader"]).collate_fn is None  # torch's own: ours pads as well
    assert open_source(FORMS["a loader"]).batch_size == 4


@pytest.mark.parametrize("bad", [ValueError("broken file"), (None, 1), None, (torch.zeros(3, 4, 8), 0), ({"x": 1}, 0)])
@pytest.mark.parametrize("own", [False, True])
def test_a_corrupt_sample_is_skipped_and_listed_with_its_reason(bad: Any, own: bool) -> None:
    items: list[Any] = [*PAIRS[:3], bad, *PAIRS[4:]]

    def gather(batch: list[Any]) -> Any:
        assert all(x.shape == (3, 8, 8) for x, _ in batch), "odd shape"
        return torch.stack([x for x, _ in batch]), torch.tensor([y for _, y in batch])

    found = instances(Listed(items), collate_fn=gather if own else None)
    batch = found.batch(range(N))
    assert batch.indices.tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert torch.equal(batch.principal, X[batch.indices])
    [(index, reason)] = batch.skipped
    assert index == 3
    assert reason
    assert found.skipped == {3: reason}
    if isinstance(bad, Exception):
        assert reason == "ValueError: broken file"
    empty = found.batch([3])
    assert len(empty) == 0
    assert empty.labels.shape == (0,)


def test_nothing_but_corrupt_samples_is_an_error_that_names_the_first() -> None:
    with pytest.raises(SubjectError, match="OSError: gone"):
        instances(Listed([OSError("gone")] * 4))


def test_running_out_of_memory_is_no_corrupt_sample() -> None:
    with pytest.raises(MemoryError):
        instances(Listed([MemoryError()] * 2))


IDS = [torch.arange(1, length + 1) for length in (3, 7, 1, 5, 2, 6)]


def test_texts_are_padded_and_the_model_is_told_where_they_end() -> None:
    found = instances([{"input_ids": ids, "label": 0} for ids in IDS], Masked())
    batch = found.batch([0, 2, 3])
    assert batch.principal.shape == (3, 5)
    for row, index in enumerate((0, 2, 3)):
        length = len(IDS[index])
        assert batch.principal[row, :length].tolist() == IDS[index].tolist()
        assert batch.principal[row, length:].sum() == 0
        assert batch.kwargs["attention_mask"][row].tolist() == [1] * length + [0] * (5 - length)
    assert batch.lengths is not None
    assert batch.lengths.tolist() == [3, 1, 5]


def test_padding_uses_the_padding_id_and_trailing_ones_are_padding() -> None:
    found = instances([(ids, 0) for ids in IDS], Masked())
    found.set_pad(99)
    assert found.batch([0, 1]).principal[0].tolist() == [1, 2, 3, 99, 99, 99, 99]
    padded = torch.full((6, 8), 99)
    for row, ids in zip(padded, IDS, strict=True):
        row[: len(ids)] = ids
    found = instances([(row, 0) for row in padded], Masked())
    assert found.batch([0, 1]).lengths is None
    found.set_pad(99)
    lengths = found.batch([0, 1]).lengths
    assert lengths is not None
    assert lengths.tolist() == [3, 7]


@pytest.mark.parametrize("axis", [0, 1])
def test_series_of_any_length_are_padded_along_time(axis: int) -> None:
    series = [torch.randn(n, 4) if axis == 0 else torch.randn(4, n) for n in (5, 9, 2, 7)]
    found = instances([(x, 0) for x in series], WithLengths())
    found.free_axis(axis)
    batch = found.batch([0, 1])
    assert batch.principal.shape == ((2, 9, 4) if axis == 0 else (2, 4, 9))
    assert torch.equal(batch.principal[0].narrow(axis, 0, 5), series[0])
    assert float(batch.principal[0].narrow(axis, 5, 4).abs().sum()) == 0
    assert batch.kwargs["lengths"].tolist() == [5, 9]


def test_a_model_that_wants_lengths_gets_them_also_where_all_are_equal() -> None:
    batch = instances([(torch.zeros(6, 4), 0)] * 3, WithLengths()).batch([0, 1])
    assert batch.kwargs["lengths"].tolist() == [6, 6]
    assert batch.lengths is None


def test_stacking_is_torch_stack_or_padding_by_hand() -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(30):
        lengths = torch.randint(1, 9, (4,), generator=generator).tolist()
        values = [torch.randn(3, n, generator=generator) for n in lengths]
        whole, found = collate.stack(values, collate.LeafForm((3, None), True, 0))
        assert found is not None
        assert found.tolist() == lengths
        oracle = nn.utils.rnn.pad_sequence([v.T for v in values], batch_first=True).transpose(1, 2)
        assert torch.equal(whole, oracle)


def test_lengths_are_read_from_masks_that_end_once() -> None:
    assert collate.valid_lengths(torch.tensor([[1, 1, 0], [1, 0, 0]])).tolist() == [2, 1]  # type: ignore[union-attr]
    assert collate.valid_lengths(torch.tensor([[0, 1, 1]])) is None  # padded at the front
    assert collate.valid_lengths(torch.ones(2, 3, 3)) is None


def test_pictures_become_tensors_and_unreasonable_ones_are_refused() -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    assert torch.equal(as_tensor(Image.fromarray(pixels)), torch.from_numpy(pixels).permute(2, 0, 1) / 255)
    assert as_tensor(Image.new("L", (5, 4))).shape == (1, 4, 5)
    assert as_tensor(Image.new("RGBA", (5, 4))).shape == (3, 4, 5)
    with pytest.raises(Unreadable, match="pixels"):
        as_tensor(Image.new("1", (12_000, 12_000)))


@pytest.mark.parametrize(
    "value", [object(), "text", [[1], [1, 2]], np.array([None]), torch.zeros(2, dtype=torch.cfloat)]
)
def test_what_is_no_array_of_numbers_is_unreadable(value: Any) -> None:
    with pytest.raises(Unreadable):
        as_tensor(value)


def test_reading_leaves_the_random_states_and_draws_the_same_every_time() -> None:
    class Noisy(Dataset[Any]):
        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> Any:
            return torch.rand(1, 4, 4) + float(np.random.rand()), 0

    found = instances(Noisy())
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index,union-attr]
    first = found.batch([0, 1]).principal
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert torch.equal(found.batch([1, 0]).principal, first[[1, 0]])
    assert not torch.equal(first[0], first[1])
    with seeds.random_states_kept():
        seeds.seed(3)


class Targets(Listed):
    """Has all labels in an attribute, as usual data sets have."""


@pytest.mark.parametrize("attribute", ["targets", "labels", "y"])
def test_all_labels_come_from_an_attribute_that_agrees_with_the_items(attribute: str) -> None:
    for data in (Targets(PAIRS, **{attribute: Y.tolist()}), Targets(PAIRS, **{attribute: Y})):
        found = instances(data)
        told = all_at_once(found.source, found.labeller, found.label, "")
        assert told is not None
        assert told[0].tolist() == Y.tolist()
        assert attribute in told[1]


def test_an_attribute_that_disagrees_with_the_items_is_not_trusted() -> None:
    wrong = (Y + 1).tolist()
    for values in (wrong, Y.tolist()[:-1], "none", [[0]] * N):
        found = instances(Targets(PAIRS, targets=values))
        assert all_at_once(found.source, found.labeller, found.label, "") is None


def test_labels_of_a_subset_are_those_of_its_items() -> None:
    chosen = [8, 3, 5]
    for data in (Subset(Targets(PAIRS, targets=Y.tolist()), chosen), Subset(TensorDataset(X, Y), chosen)):
        found = instances(data)
        told = all_at_once(found.source, found.labeller, found.label, "")
        assert told is not None
        assert told[0].tolist() == Y[chosen].tolist()
