"""Kinds, class names, pictures, tokens, fingerprints and metadata: told where there is one answer, asked where not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from analysis.data import metadata
from analysis.data.classes import check_names, found_names, label_feature, plain_class_names
from analysis.data.displays import Displays, found_normalisation
from analysis.data.draws import draws
from analysis.data.errors import SubjectError
from analysis.data.fingerprint import ALL_READ, fingerprint
from analysis.data.kinds import Kind, infer_kind, watch_first
from analysis.data.source import open_source
from analysis.data.tokens import decoder_of


class Net(nn.Module):
    """A layer, fed with what ``before`` makes of the input."""

    def __init__(self, layer: nn.Module, before: Any = lambda x: x) -> None:
        super().__init__()
        self.layer, self.before = layer, before

    def forward(self, x: Tensor) -> Any:
        return self.layer(self.before(x))


def kind_of(x: Tensor, net: nn.Module, **options: Any) -> Kind:
    first, _ = watch_first(net, lambda: net(x))
    settings: dict[str, Any] = {"given": None, "key": 0, "decodes": False, "sampled": False} | options
    return infer_kind(x, first, **settings)


IDS = torch.randint(0, 9, (2, 7))
KNOWN = [
    (torch.randn(2, 3, 8, 9), Net(nn.Conv2d(3, 4, 3)), "image", (2, 3)),
    (torch.randn(2, 8, 9, 3), Net(nn.Conv2d(3, 4, 3), lambda x: x.permute(0, 3, 1, 2)), "image", (1, 2)),
    (torch.randn(2, 1, 8, 8), Net(nn.Linear(64, 3), lambda x: x.flatten(1)), "image", (2, 3)),
    (torch.randn(2, 6, 8, 8), Net(nn.Conv2d(6, 4, 3)), "image", (2, 3)),
    (
        torch.randint(0, 255, (2, 3, 8, 8), dtype=torch.uint8),
        Net(nn.Conv2d(3, 4, 3), lambda x: x / 255),
        "image",
        (2, 3),
    ),
    (torch.randn(2, 8, 9), Net(nn.Conv2d(1, 4, 3), lambda x: x[:, None]), "image", (1, 2)),
    (torch.randn(2, 6, 50), Net(nn.Conv1d(6, 4, 3)), "series", (2,)),
    (torch.randn(2, 50, 6), Net(nn.Conv1d(6, 4, 3), lambda x: x.transpose(1, 2)), "series", (1,)),
    (torch.randn(2, 6, 6), Net(nn.Conv1d(6, 4, 3)), "series", (2,)),
    (torch.randn(2, 6, 6), Net(nn.Conv1d(6, 4, 3), lambda x: x.transpose(1, 2)), "series", (1,)),
    (torch.randn(2, 50, 6), Net(nn.GRU(6, 4, batch_first=True)), "series", (1,)),
    (torch.randn(2, 50, 6), Net(nn.LSTM(6, 4), lambda x: x.transpose(0, 1)), "series", (1,)),
    (torch.randn(2, 6, 50), Net(nn.GRU(6, 4, batch_first=True), lambda x: x.transpose(1, 2)), "series", (2,)),
    (torch.randn(2, 6, 50), Net(nn.Conv1d(6, 4, 3), lambda x: (x - 3) / 2), "series", (2,)),
    (torch.randn(2, 50), Net(nn.Conv1d(1, 4, 3), lambda x: x[:, None]), "series", (1,)),
    (torch.randn(2, 12), Net(nn.Linear(12, 3)), "table", ()),
    (torch.randint(0, 5, (2, 12)), Net(nn.Linear(12, 3), lambda x: x.float()), "table", ()),
    (IDS, Net(nn.Embedding(9, 4)), "text", (1,)),
]


@pytest.mark.parametrize(("x", "net", "name", "places"), KNOWN)
def test_a_kind_follows_from_shape_and_first_layer(
    x: Tensor, net: nn.Module, name: str, places: tuple[int, ...]
) -> None:
    kind = kind_of(x, net)
    assert (kind.name, kind.places) == (name, places)
    assert kind.reason


@pytest.mark.parametrize(
    ("x", "net", "options"),
    [
        (torch.randn(2, 28, 28), Net(nn.Linear(784, 3), lambda x: x.flatten(1)), {}),  # a picture or a series
        (torch.randn(2, 22, 500), Net(nn.Conv2d(1, 4, 3), lambda x: x[:, None]), {}),  # recordings as a picture
        (torch.randn(2, 1, 22, 500), Net(nn.Conv2d(1, 4, 3)), {}),
        (torch.randn(2, 3, 8, 8), Net(nn.Conv2d(3, 4, 3)), {"sampled": True}),
        (torch.randn(2, 12), Net(nn.Identity()), {}),
        (IDS, Net(nn.Embedding(9, 4), lambda x: x[:, 0]), {}),  # categories of a table, or ids of a text
        (torch.randn(2, 4, 3, 8, 8), Net(nn.Identity()), {}),
        (torch.randn(2), Net(nn.Identity()), {}),
    ],
)
def test_between_two_kinds_the_user_is_asked(x: Tensor, net: nn.Module, options: dict[str, Any]) -> None:
    with pytest.raises(SubjectError, match="may be one of") as caught:
        kind_of(x, net, **options)
    assert "kind=" in caught.value.remedy


def test_a_named_kind_is_taken_and_one_that_cannot_be_is_refused() -> None:
    flat = Net(nn.Linear(784, 3), lambda x: x.flatten(1))
    assert kind_of(torch.randn(2, 28, 28), flat, given="image").places == (1, 2)
    series = kind_of(torch.randn(2, 14, 56), flat, given="series")
    assert series.places == (2,)
    assert "longer" in series.reason
    assert kind_of(torch.randn(2, 784), flat, given="image").places == ()
    assert kind_of(torch.randn(2, 50), Net(nn.Linear(50, 3)), sampled=True).name == "series"
    assert kind_of(IDS, Net(nn.Linear(7, 3), lambda x: x.float()), decodes=True).name == "text"
    for given in ("text", "series"):
        with pytest.raises(SubjectError, match="cannot be"):
            kind_of(torch.randn(2, 3, 8, 8), Net(nn.Conv2d(3, 4, 3)), given=given)


# Class names


def test_class_names_are_found_in_one_place_or_asked_for() -> None:
    named = SimpleNamespace(classes=["a", "b"])
    hugging = SimpleNamespace(features={"label": SimpleNamespace(names=["a", "b"]), "x": None})
    plain, model = nn.Linear(2, 2), nn.Linear(2, 2)
    assert found_names(named, plain, "") == (["a", "b"], "the data set's 'classes'")
    assert found_names(hugging, plain, label_feature(hugging)) == (["a", "b"], "features['label'].names")
    model.config = SimpleNamespace(id2label={0: "A", 1: "B"})  # type: ignore[assignment]
    assert found_names(named, model, "") is not None  # they agree
    model.config = SimpleNamespace(id2label={0: "b", 1: "a"})  # type: ignore[assignment]
    with pytest.raises(SubjectError, match="different classes"):
        found_names(named, model, "")
    model.config = SimpleNamespace(id2label={0: "LABEL_0", 1: "LABEL_1"})  # type: ignore[assignment]
    assert found_names([], model, "") is None
    two = SimpleNamespace(names=["x"])
    with pytest.raises(SubjectError, match="several columns"):
        label_feature(SimpleNamespace(features={"fine": two, "coarse": two}))


def test_class_names_may_be_a_list_or_numbered() -> None:
    assert plain_class_names({1: "b", 0: "a"}) == plain_class_names({"0": "a", "1": "b"}) == ["a", "b"]
    assert plain_class_names([("tench", "Tinca"), 5]) == ["tench, Tinca", "5"]
    for wrong in ("ab", 3, {1: "b"}, {"x": "y"}):
        with pytest.raises(SubjectError, match="class_names"):
            plain_class_names(wrong)
    with pytest.raises(SubjectError, match=r"3 class names .* 2 outputs"):
        check_names(["a", "b", "c"], 2, "given")


# Displays

IMAGE = Kind("image", "", (2, 3), 1)
UNIT = torch.rand(4, 3, 6, 5)


def shown(sample: Tensor, kind: Kind = IMAGE, undo: Any = None, data: Any = None) -> tuple[np.ndarray, Displays]:
    displays = Displays(kind, sample, undo, data)
    return displays.show(sample[0]), displays


def test_pixels_are_shown_as_they_are_where_that_is_known() -> None:
    bytes_ = (UNIT * 255).round().to(torch.uint8)
    truth = bytes_[0].permute(1, 2, 0).numpy()
    for sample in (bytes_, bytes_.float(), bytes_ / 255):
        picture, displays = shown(sample)
        assert picture.dtype == np.uint8
        assert (picture == truth).all()
        assert displays.scale.honest
    picture, _ = shown(bytes_.permute(0, 2, 3, 1), Kind("image", "", (1, 2), 3))
    assert (picture == truth).all()
    assert shown(UNIT[:, 0], Kind("image", "", (1, 2)))[0].shape == (6, 5, 1)
    assert shown(torch.rand(2, 6, 6, 5))[0].shape == (6, 5, 1)


def test_normalisation_is_undone_by_the_function_or_by_the_transform_that_did_it() -> None:
    mean, std = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1), torch.tensor([0.2, 0.3, 0.1]).view(3, 1, 1)
    normal = (UNIT - mean) / std
    truth, _ = shown(UNIT)
    ways = {
        "tensor": lambda x: x * std + mean,
        "last": lambda x: (x * std + mean).permute(1, 2, 0),
        "array": lambda x: np.asarray(x * std + mean),
        "bytes": lambda x: ((x * std + mean) * 255).round().to(torch.uint8),
    }
    for undo in ways.values():
        picture, displays = shown(normal, undo=undo)
        assert (picture == truth).all()
        assert displays.scale.honest
    step = SimpleNamespace(mean=[0.4, 0.5, 0.6], std=(0.2, 0.3, 0.1))
    data = SimpleNamespace(transform=SimpleNamespace(transforms=[len, SimpleNamespace(transforms=[step])]))
    picture, displays = shown(normal, data=data)
    assert (picture == truth).all()
    assert "transform" in displays.scale.how
    assert found_normalisation(SimpleNamespace(transform=SimpleNamespace(transforms=[step, step])), 3) is None


def test_without_it_pixels_are_stretched_the_same_way_for_all_and_that_is_said() -> None:
    sample = torch.randn(4, 1, 6, 5)
    picture, displays = shown(sample)
    low, high = float(sample.min()), float(sample.max())
    oracle = np.round((sample[0].double().permute(1, 2, 0).numpy() - low) / (high - low) * 255)
    assert np.abs(picture.astype(float) - oracle).max() <= 1
    assert not displays.scale.honest
    assert "stretched" in displays.scale.how
    sample[0, 0, 0, 0] = torch.nan
    assert shown(sample)[0][0, 0, 0] == 0


def test_series_and_rows_keep_their_units() -> None:
    sample = torch.randn(3, 2, 9)
    assert np.array_equal(shown(sample, Kind("series", "", (2,), 1))[0], sample[0].numpy())
    assert np.array_equal(shown(sample, Kind("series", "", (1,), 2))[0], sample[0].T.numpy())
    assert np.array_equal(shown(sample[:, 0], Kind("series", "", (1,)))[0], sample[0, :1].numpy())
    doubled = shown(sample[:, 0], Kind("table", ""), undo=lambda x: 2 * x)[0]
    assert np.array_equal(doubled, 2 * sample[0, 0].numpy())
    assert shown(IDS, Kind("text", "", (1,)))[0].size == 0


def test_an_inverse_transform_that_fails_is_named() -> None:
    for undo in (lambda x: x / "2", lambda x: str(x), lambda x: x[0, 0, 0]):
        with pytest.raises(SubjectError, match="inverse_transform"):
            shown(torch.randn(2, 3, 4, 4), undo=undo)


def test_a_row_of_pixels_cannot_be_shown_without_help() -> None:
    kind = Kind("image", "")
    assert Displays(kind, torch.rand(2, 30), None, None).possible
    picture, displays = shown(torch.rand(2, 30), kind, undo=lambda x: x.reshape(5, 6))
    assert picture.shape == (5, 6, 1)
    assert not displays.possible


# Tokens


@pytest.mark.parametrize(
    "decode",
    [
        ["<pad>", "a", "b"],
        {0: "<pad>", 1: "a", 2: "b"},
        {"<pad>": 0, "a": 1, "b": 2},
        {"0": "<pad>", "1": "a", "2": "b"},
        lambda ids: [["<pad>", "a", "b"][n] for n in ids],
        lambda n: {0: "<pad>", 1: "a", 2: "b"}[n],
        lambda ids: " ".join(["<pad>", "a", "b"][n] for n in ids),
        SimpleNamespace(convert_ids_to_tokens=lambda ids: [["<pad>", "a", "b"][n] for n in ids]),
        SimpleNamespace(lookup_tokens=lambda ids: [["<pad>", "a", "b"][n] for n in ids]),
    ],
)
def test_ids_become_as_many_tokens_whatever_decodes_them(decode: Any) -> None:
    decoder = decoder_of(decode)
    assert decoder is not None
    assert decoder([2, 0, 1]) == ["b", "<pad>", "a"]


def test_what_does_not_decode_is_named() -> None:
    for wrong in (5, "abc", {"a": "b"}):
        with pytest.raises(SubjectError, match="decode"):
            decoder_of(wrong)
    decoder = decoder_of(lambda ids: ids / 0)
    assert decoder is not None
    with pytest.raises(SubjectError, match=r"TypeError|ZeroDivisionError"):
        decoder([1])


# Fingerprints


def digest(data: Any, **options: Any) -> str:
    return fingerprint(open_source(data), **options).digest


def test_a_fingerprint_changes_with_any_value_and_with_nothing_else() -> None:
    x, y = torch.randn(20, 3), torch.arange(20)
    own = digest(TensorDataset(x, y))
    assert own == digest(TensorDataset(x.clone(), y.clone()))
    for change in range(3):
        other, labels = x.clone(), y.clone()
        if change == 0:
            other[13, 1] += 1e-6
        elif change == 1:
            labels[4] = 0
        else:
            other, labels = other[:-1], labels[:-1]
        assert digest(TensorDataset(other, labels)) != own
    assert digest([{"text": "a"}, {"text": "b"}]) != digest([{"text": "a"}, {"text": "c"}])


class Counted:
    """A large data set that counts how often it is read."""

    def __init__(self, n: int, values: dict[int, int] | None = None) -> None:
        self.n, self.values, self.reads = n, values or {}, 0

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        self.reads += 1
        return torch.tensor([float(self.values.get(index, 0))]), 0


def test_of_large_data_sets_evenly_spaced_instances_count_and_that_is_said() -> None:
    large = Counted(10 * ALL_READ)
    found = fingerprint(open_source(large))
    assert large.reads < 300
    assert not found.whole
    assert "evenly spaced" in found.how
    assert digest(Counted(10 * ALL_READ, {0: 1})) != found.digest
    assert digest(Counted(10 * ALL_READ, {10 * ALL_READ - 1: 1})) != found.digest
    assert digest(Counted(10 * ALL_READ), labels=np.zeros(3)) != found.digest
    assert fingerprint(open_source(Counted(100))).whole


def test_data_in_memory_are_read_whole_if_they_are_small() -> None:
    x = torch.zeros(ALL_READ * 3, 2)
    own = fingerprint(open_source((x, torch.zeros(len(x)))))
    assert own.whole
    x[1234] += 1
    assert digest((x, torch.zeros(len(x)))) != own.digest


def test_an_unreadable_item_has_a_fingerprint() -> None:
    class Broken(Counted):
        def __getitem__(self, index: int) -> Any:
            if index == 2:
                raise OSError("gone")
            return super().__getitem__(index)

    assert digest(Broken(5)) == digest(Broken(5)) != digest(Counted(5))


def test_data_that_change_at_every_reading_are_noticed() -> None:
    class Drawn(Counted):
        kind = "seeded"

        def __getitem__(self, index: int) -> Any:
            generator = np.random.default_rng() if self.kind == "random" else np.random
            return torch.tensor([generator.normal()]), 0

    drawn = Drawn(5)
    assert draws(open_source(drawn), 1) == "seeded"
    assert digest(drawn) == digest(drawn)
    drawn.kind = "random"
    assert draws(open_source(drawn), 1) == "random"
    assert digest(drawn, stable=False) == digest(drawn, stable=False)
    assert draws(open_source(Counted(5)), 1) == "fixed"


# Metadata


def test_metadata_columns_have_their_kind_and_missing_values() -> None:
    frame = pd.DataFrame(
        {
            "age": [1.0, np.nan, 3.0],
            "count": [1, 2, 3],
            "site": ["north", None, "south"],
            "flag": [True, False, True],
            "when": pd.to_datetime(["2020-01-01", None, "2021-01-01"]),
        }
    )
    found = {column.name: column for column in metadata.read_metadata(frame, 3)}
    assert {name: column.kind for name, column in found.items()} == {
        "age": "number",
        "count": "number",
        "site": "category",
        "flag": "category",
        "when": "category",
    }
    assert found["age"].to_json() == {"name": "age", "kind": "number", "range": [1.0, 3.0], "missing": 1}
    assert found["site"].to_json()["values"] == ["north", "south"]
    assert found["site"].to_json()["missing"] == 1
    assert metadata.read_metadata({"a": [1, "x"]}, 2)[0].values.tolist() == ["1", "x"]
    assert metadata.read_metadata([{"a": 1}, {"b": 2}], 2)[1].to_json()["missing"] == 1
    assert metadata.read_metadata(None, 3) == []
    for wrong in (frame.head(2), {"a": 5}, 7):
        with pytest.raises(SubjectError, match="metadata"):
            metadata.read_metadata(wrong, 3)
