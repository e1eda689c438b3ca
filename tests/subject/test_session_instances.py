"""Instances of every kind are read, shown and put into batches as the model wants them."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from analysis.data.errors import SubjectError
from analysis.errors import NotFound
from analysis.subject import Session
from tests.subject.subjects import (
    IMAGES,
    PAIRS,
    TEXTS,
    N,
    Reader,
    limits,
    session,
    told,
)


class Faulty(Dataset[Any]):
    def __init__(self, bad: tuple[int, ...]) -> None:
        self.bad = bad

    def __len__(self) -> int:
        return N

    def __getitem__(self, index: int) -> Any:
        if index in self.bad:
            raise OSError("truncated file")
        return PAIRS[index]


def test_corrupt_samples_are_skipped_counted_and_listed() -> None:
    found = session(data=Faulty((0, 5)))
    batch = found.batch(range(N))
    assert batch.indices.tolist() == [n for n in range(N) if n not in (0, 5)]
    assert batch.skipped == [(0, "OSError: truncated file"), (5, "OSError: truncated file")]
    description = found.description()
    assert [index for index, _ in description["skipped"]] == [0, 5]
    assert "2 of the instances" in limits(found)
    assert "truncated file" in limits(found)
    assert found.labels().tolist() == [-1 if n in (0, 5) else n % 3 for n in range(N)]
    assert len(found.forward(found.batch([0, 5]))) == 0
    with pytest.raises(SubjectError, match="cannot be read"):
        found.display(5)
    with pytest.raises(NotFound, match="no instance 12"):
        found.batch([12])


def test_a_data_set_without_rows_is_described_as_empty() -> None:
    found = session(data=[])
    description = found.description()
    assert description["n"] == 0
    assert description["examples"] == []
    assert "no instances" in limits(found)
    assert found.labels().shape == (0,)
    json.dumps(description, allow_nan=False)


def test_pictures_are_shown_at_the_resolution_of_the_input() -> None:
    found = session(inverse_transform=lambda x: x)
    assert (found.display(3) == np.round(IMAGES[3].permute(1, 2, 0).double().numpy() * 255)).all()
    arrays = found.describe()[1]
    assert arrays["examples"].shape == (8, 8, 8, 1)
    assert arrays["examples"].dtype == np.uint8
    shown = [row["index"] for row in found.description()["examples"]]
    assert (arrays["examples"][2] == found.display(shown[2])).all()


TWO = nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2))


@pytest.mark.parametrize("first", [False, True])
def test_series_of_both_layouts_are_shown_as_channels_and_steps(first: bool) -> None:
    class Convolution(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.rest = nn.Conv1d(3, 4, 3), copy.deepcopy(TWO)

        def forward(self, x: Tensor) -> Tensor:
            return self.rest(self.conv(x.transpose(1, 2) if first else x))

    truth = torch.randn(6, 3, 40)
    data = (truth.transpose(1, 2).contiguous() if first else truth, torch.arange(6) % 2)
    found = session(Convolution(), data, sampling_rate=100)
    assert found.kind == "series"
    assert found.axes == ([1] if first else [2])
    assert np.array_equal(found.display(4), truth[4].numpy())
    assert found.describe()[1]["examples"].shape == (6, 3, 40)
    assert found.input_tensor(found.batch([0])).shape == data[0][:1].shape


def test_rows_of_a_table_are_a_table() -> None:
    found = session(nn.Linear(5, 2), (torch.randn(9, 5), torch.arange(9) % 2))
    assert found.kind == "table"
    assert found.axes == []
    assert found.display(0).shape == (5,)
    assert found.describe()[1]["examples"].shape == (8, 5)


VOCABULARY = ["<pad>", *(f"w{n}" for n in range(1, 20))]


def texts(**options: Any) -> Session:
    rows = [{"ids": ids, "label": n % 2, "text": f"text {n}"} for n, ids in enumerate(TEXTS)]
    return session(Reader(), rows, **options)


def test_texts_are_padded_decoded_and_predicted_as_one_by_one() -> None:
    found = texts(decode=VOCABULARY)
    model = found.model
    oracle = torch.cat([model(ids[None], torch.tensor([len(ids)])) for ids in TEXTS]).detach()
    assert torch.allclose(found.forward(found.batch(range(6))), oracle, atol=1e-6)
    assert found.kind == "text"
    assert found.axes == [1]
    assert found.tokens(3) == [VOCABULARY[number] for number in TEXTS[3].tolist()]
    assert found.batch([0, 1]).lengths is not None
    assert found.batch([0, 1]).lengths.tolist() == [3, 9]
    description = found.description()
    assert description["examples"][0]["text"] == "text 0"
    assert "padding id" in told(found, "padding id")
    assert "influence" not in limits(found)
    assert texts().tokens(2) == [f"#{int(TEXTS[2][0])}"]
    assert "shown as numbers" in limits(texts())


def test_receptive_fields_of_texts_refer_to_their_embedding() -> None:
    found = texts()
    batch = found.batch([0, 1])
    vectors = found.input_tensor(batch)
    assert torch.equal(vectors, found.model.embedding(batch.principal))
    assert torch.allclose(found.forward_from(vectors, batch), found.forward(batch), atol=1e-6)
    assert not torch.allclose(found.forward_from(vectors * 2, batch), found.forward(batch))


def test_a_model_that_is_not_told_of_the_padding_is_a_limit() -> None:
    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.out = nn.Embedding(20, 6), nn.Linear(6, 2)

        def forward(self, ids: Tensor) -> Tensor:
            return self.out(self.embedding(ids).mean(1))

    assert "not told where they end" in limits(session(Mean(), [(ids, 0) for ids in TEXTS]))


def test_a_loader_with_its_own_collation_is_used() -> None:
    def pad(items: list[Any]) -> Any:
        ids = nn.utils.rnn.pad_sequence([row["ids"] for row in items], batch_first=True)
        return {"ids": ids, "lengths": torch.tensor([len(row["ids"]) for row in items]), "labels": [1] * len(items)}

    rows = [{"ids": ids, "text": "one"} for ids in TEXTS]
    found = session(Reader(), DataLoader(rows, batch_size=2, collate_fn=pad))  # type: ignore[arg-type]
    assert found.subject.batch_size == 2
    assert found.kind == "text"
    assert torch.allclose(found.forward(found.batch(range(6))), texts().forward(texts().batch(range(6))), atol=1e-6)
    assert found.labels().tolist() == [1] * 6


class Hub:
    """Behaves like a Hugging Face data set: rows are dictionaries, a name gives a column, features name the classes."""

    def __init__(self, label: str = "label") -> None:
        self.label = label
        self.columns = {"input_ids": TEXTS, label: [n % 2 for n in range(len(TEXTS))], "text": ["words"] * len(TEXTS)}
        self.features = {"input_ids": None, label: type("ClassLabel", (), {"names": ["neg", "pos"]})(), "text": None}
        self.column_names = list(self.columns)

    def __len__(self) -> int:
        return len(TEXTS)

    def __getitem__(self, key: Any) -> Any:
        return (
            self.columns[key] if isinstance(key, str) else {name: column[key] for name, column in self.columns.items()}
        )


class Transformer(nn.Module):
    """Takes what tokenizers give, and returns what such models do."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.embeddings, self.classifier = nn.Embedding(20, 6), nn.Linear(6, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Any = None) -> Any:
        assert labels is None
        assert attention_mask is not None
        mask = attention_mask[..., None].float()
        mean = (self.embeddings(input_ids) * mask).sum(1) / mask.sum(1)
        return {"logits": self.classifier(mean), "hidden_states": (mean,)}


@pytest.mark.parametrize("label", ["label", "sentiment"])
def test_a_hugging_face_data_set_and_model_need_nothing_more(label: str) -> None:
    found = session(Transformer(), Hub(label))
    assert found.kind == "text"
    assert found.class_names == ["neg", "pos"]
    assert found.labels().tolist() == [0, 1, 0, 1, 0, 1]
    assert "column" in told(found, "all labels")
    assert found.description()["examples"][0]["text"] == "words"
    model = found.model
    for index, ids in enumerate(TEXTS):
        oracle = model.classifier(model.embeddings(ids).mean(0)).detach()
        assert torch.allclose(found.forward(found.batch(range(6)))[index], oracle, atol=1e-5)
