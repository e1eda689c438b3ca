"""What is known of instances beside what the model says: metadata, features by kind, functions of the subject file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from analysis import Subject
from analysis.data.errors import SubjectError
from analysis.jobs.context import Cancelled
from analysis.subsets.columns import instance_columns
from analysis.subsets.expression import select
from analysis.subsets.table import Table, joined, of_extraction
from tests.layers.desk import Context, open_desk


class Flat(nn.Module):
    """Two scores of whatever comes in, by its mean."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x.float().flatten(1).mean(1, keepdim=True))


class Bag(nn.Module):
    """Two scores of a text."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 4, padding_idx=0)
        self.out = nn.Linear(4, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.embedding(ids).mean(1))


PICTURES = [(torch.full((1, 12, 12), at / 20), at % 2) for at in range(20)]
WORDS = ["<pad>", "good", "bad", "film", "Night", "10"]


def columns(session: Any) -> Table:
    """The table with the answer's columns, as the page has it."""
    return joined(of_extraction(session.extraction()), session.ask("instance_columns"))


def test_pictures_have_brightness_and_metadata_join_by_row(tmp_path: Path) -> None:
    metadata = {
        "weight (g)": [None, *range(1, 20)],
        "colour": ["red", "", *["blue"] * 18],
        "seen": [True] * 10 + [False] * 10,
        "note": [f"note {at}" if at else "" for at in range(20)],
        "remark": [f"{at}" * 60 for at in range(20)],
        "label": list(range(20)),
        "wrong": ["a"] * 20,
        "a `tick`": [1.5] * 20,
    }
    session = open_desk(Flat(), PICTURES, tmp_path, kind="image", metadata=metadata)
    found = columns(session)
    assert found.columns["brightness"].values.argmax() == 19
    assert found.columns["weight (g)"].shown(0) is None
    assert found.columns["weight (g)"].shown(3) == 3
    assert [found.columns["colour"].shown(row) for row in range(3)] == ["red", None, "blue"]
    assert found.columns["seen"].kind == "truth"
    assert select("seen and `weight (g)` > 3 and colour == 'blue'", found).sum() == 6
    assert found.columns["metadata_label"].shown(7) == 7, "the model's own column keeps its name"
    assert "metadata_wrong" in found.columns
    assert "a 'tick'" in found.columns
    reasons = dict(found.left_out)
    assert "for all instances" in reasons["width"]
    assert found.texts is None


def test_metadata_of_many_values_are_texts(tmp_path: Path) -> None:
    data = [(torch.full((1, 4, 4), at / 80), at % 2) for at in range(80)]
    session = open_desk(Flat(), data, tmp_path, kind="image", metadata={"note": [f"Note {at}" for at in range(80)]})
    found = columns(session)
    assert found.columns["note"].kind == "text"
    assert select("contains(note, 'note 7')", found).sum() == 11
    assert select("note == 'Note 7'", found).sum() == 1


def test_metadata_follow_the_sample(tmp_path: Path) -> None:
    session = open_desk(Flat(), PICTURES, tmp_path, n=7, kind="image", metadata={"place": list(range(20))})
    found = columns(session)
    assert found.n == 7
    assert found.columns["place"].values.tolist() == found.indices.tolist()


def test_texts_have_lengths_and_their_words(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = [(torch.tensor(rng.integers(1, 6, 3 + at % 4)), at % 2) for at in range(20)]
    session = open_desk(Bag(), data, tmp_path, kind="text", decode=WORDS, embedding_layer="embedding")
    found = columns(session)
    assert found.texts is not None
    for row, index in enumerate(found.indices.tolist()):
        said = [WORDS[at] for at in data[index][0].tolist()]
        assert found.texts[row] == " ".join(said)
        assert found.columns["tokens"].shown(row) == len(said)
        assert bool(select("word(text, 'night')", found)[row]) == ("Night" in said)
    assert found.columns["tokens"].unit == "tokens"


def test_a_text_beside_its_ids_goes_first(tmp_path: Path) -> None:
    data = [{"ids": torch.tensor([1, 3]), "label": at % 2, "text": f"Good film, no. {at}!"} for at in range(8)]
    session = open_desk(Bag(), data, tmp_path, kind="text", decode=WORDS, embedding_layer="embedding")
    assert columns(session).columns["text"].shown(3) == "Good film, no. 3!"


@pytest.mark.parametrize("rate", [None, 20.0])
def test_series_have_features_of_each_channel(tmp_path: Path, rate: float | None) -> None:
    time = np.arange(40)
    data = [
        (torch.tensor(np.stack([np.full(40, at), np.sin(2 * np.pi * time * (1 + at % 3) / 20)])).float(), at % 2)
        for at in range(12)
    ]
    names = ["acc. x", "acc. y"]
    session = open_desk(Flat(), data, tmp_path, kind="series", sampling_rate=rate, feature_names=names)
    found = columns(session)
    assert found.columns["acc_x_mean"].values.tolist() == list(range(12))
    frequency = found.columns["acc_y_frequency"]
    assert frequency.title == "acc. y: dominant frequency"
    assert frequency.unit == ("Hz" if rate else "cycles per step")
    assert frequency.shown(1) == pytest.approx((2 / 20) * (rate or 1), rel=1e-3)


def test_a_table_has_its_own_columns(tmp_path: Path) -> None:
    rows = torch.randn(15, 3, generator=torch.Generator().manual_seed(0))
    data = [(row, at % 2) for at, row in enumerate(rows)]
    session = open_desk(Flat(), data, tmp_path, kind="table", feature_names=["mean radius", "loss", "x"])
    found = columns(session)
    assert found.columns["mean radius"].values == pytest.approx(rows[:, 0].numpy())
    assert found.columns["feature_loss"].values == pytest.approx(rows[:, 1].numpy())
    assert select("`mean radius` > 0", found).sum() == int((rows[:, 0] > 0).sum())
    bare = open_desk(Flat(), data, tmp_path / "bare", kind="table")
    assert "column_2" in columns(bare).columns


def test_functions_of_the_subject_file_are_columns_of_truths(tmp_path: Path) -> None:
    seen: list[tuple[tuple[int, ...], int]] = []

    def bright(x: Tensor, index: int) -> Tensor:
        seen.append((tuple(x.shape), index))
        x.zero_()  # its own copy
        return torch.tensor(index > 4)

    def fails(x: Tensor, index: int) -> bool:
        if index == 11:
            raise KeyError("nothing of that name")
        return bool(x.mean() > 0)

    def random(_x: Tensor, _index: int) -> bool:
        return bool(torch.rand(1) > 0.5)

    session = open_desk(
        Flat(), PICTURES, tmp_path, kind="image", subsets={"bright": bright, "fails": fails, "by chance": random}
    )
    before = torch.get_rng_state()
    found = columns(session)
    assert (torch.get_rng_state() == before).all()
    assert select("bright", found).tolist() == [index > 4 for index in found.indices]
    assert found.columns["bright"].source == "function"
    assert {shape for shape, _ in seen} == {(1, 12, 12)}
    assert sorted(index for _, index in seen) == list(range(20))
    assert dict(found.left_out)["fails"] == "it raises KeyError for instance 11: 'nothing of that name'"
    assert "fails" not in found.columns
    again, _ = instance_columns(session, Context())
    assert "by chance" in {said["name"] for said in again["columns"]}


def test_what_is_no_function_is_refused() -> None:
    for given, words in (
        ({"a": 3}, "subsets\\['a'\\] is a int"),
        ([len], "subsets is a list"),
        ({"": len}, "no name or no function"),
        ({"a": None}, "no name or no function"),
    ):
        with pytest.raises(SubjectError, match=words):
            Subject(Flat(), PICTURES, subsets=given)  # type: ignore[arg-type]


def test_an_answer_depends_on_metadata_and_on_functions(tmp_path: Path) -> None:
    def one(_x: Tensor, index: int) -> bool:
        return index > 3

    options: list[dict[str, Any]] = [
        {},
        {"metadata": {"a": list(range(20))}},
        {"metadata": {"a": list(range(1, 21))}},
        {"metadata": {"b": list(range(20))}},
        {"subsets": {"one": one}},
        {"subsets": {"two": one}},
    ]
    codes = [open_desk(Flat(), PICTURES, tmp_path, kind="image", **how).code for how in options]
    assert len(set(codes)) == len(codes)
    assert codes[1] == open_desk(Flat(), PICTURES, tmp_path, kind="image", **options[1]).code


def test_it_can_be_cancelled(tmp_path: Path) -> None:
    session = open_desk(Flat(), PICTURES, tmp_path, kind="image")
    session.extraction()
    context = Context()
    context.cancelled = True
    with pytest.raises(Cancelled):
        instance_columns(session, context)
