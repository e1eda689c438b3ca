"""Many explanations: planted cues are confirmed, absent ones refuted; planted outliers and groups are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from analysis.attribution import registry, subset
from analysis.attribution.subset import attribution_subset
from analysis.attribution.subsets import groups, means
from analysis.attribution.subsets.concentration import concentration
from analysis.attribution.subsets.shares import Features, One, roots, share_of, stretched
from analysis.errors import NotFound, ParameterError
from analysis.jobs.context import Cancelled
from tests.attribution import fakes
from tests.attribution.conftest import WORDS, drawn
from tests.layers.desk import Context, open_desk

IG = "integrated_gradients"


def over(session: Any, name: str = IG, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer; 'magic' kinds of cheap steps are enough here."""
    context = options.pop("context", None) or Context()
    if name == IG:
        options.setdefault("params", {"n_steps": 8, "tolerance": 0})
    return attribution_subset(session, context, method=name, version=registry.get(name).version, **options)


class Weighted(nn.Module):
    """Two scores: a weighted sum of what comes in, and its negative."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.out = nn.Linear(weight.numel(), 2, bias=False)
        self.out.weight.data = torch.stack([weight.flatten(), -weight.flatten()])

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x.flatten(1))


def picture_session(home: Path, corner: float) -> Any:
    """Pictures 14 x 14; the model has small weights everywhere and ``corner`` in the bottom right corner."""
    weight = 0.02 * drawn(1, 14, 14, seed=1)
    weight[0, 12:, 12:] += corner
    images = drawn(60, 1, 14, 14, seed=2).abs()
    data = [(image, number % 2) for number, image in enumerate(images)]
    return open_desk(Weighted(weight), data, home, kind="image")


def test_a_watermark_in_a_corner_is_confirmed(tmp_path: Path) -> None:
    found, arrays = over(picture_session(tmp_path, 1.0))
    top = found["concentration"]
    assert top["concentrated"]
    assert top["place"] == [6, 6]
    assert "bottom right corner" in top["sentence"]
    assert top["leads"] == found["n"] == top["of"] == 60
    assert arrays["regions"].shape == (7, 7)
    assert arrays["regions"].sum() == pytest.approx(1, abs=1e-5)
    assert arrays["regions"][6, 6] == arrays["regions"].max() == pytest.approx(top["share"])
    assert arrays["mean_absolute"].shape == (14, 14)
    assert arrays["mean_absolute"][12:, 12:].sum() == pytest.approx(top["share"], abs=1e-5)
    assert arrays["mean"].sum() <= 1


def test_a_corner_that_decides_nothing_is_refuted(tmp_path: Path) -> None:
    found, _ = over(picture_session(tmp_path, 0.0))
    assert not found["concentration"]["concentrated"]
    assert found["concentration"]["sentence"].startswith("No region leads")


@pytest.mark.parametrize("cue", [True, False])
def test_a_deciding_column_is_confirmed_and_an_absent_one_refuted(tmp_path: Path, cue: bool) -> None:
    weight = torch.ones(9)
    weight[4] = 9.0 if cue else 1.0
    data = [(row, number % 2) for number, row in enumerate(drawn(50, 9, seed=3).sign() + 0.1 * drawn(50, 9, seed=4))]
    session = open_desk(
        Weighted(weight), data, tmp_path, kind="table", feature_names=[f"measure {at}" for at in range(9)]
    )
    found, arrays = over(session)
    assert found["concentration"]["concentrated"] is cue
    if cue:
        assert found["concentration"]["name"] == "measure 4"
        assert arrays["mean_absolute"].argmax() == 4
    values = session.input_tensor(session.batch(arrays["index"].tolist())).double()
    slow = [((row * weight).abs() / (row * weight).abs().sum()).numpy() for row in values]
    assert arrays["mean_absolute"] == pytest.approx(np.mean(slow, axis=0), rel=1e-4)


@pytest.mark.parametrize("cue", [True, False])
def test_a_deciding_channel_and_span_is_confirmed_and_an_absent_one_refuted(tmp_path: Path, cue: bool) -> None:
    weight = torch.full((3, 80), 0.05)
    weight[1, 20:25] = 3.0 if cue else 0.05
    data = [(one, number % 2) for number, one in enumerate(drawn(40, 3, 80, seed=5))]
    session = open_desk(
        Weighted(weight), data, tmp_path, kind="series", sampling_rate=20.0, feature_names=["left", "right", "up"]
    )
    found, arrays = over(session)
    assert arrays["mean_absolute"].shape == (3, 64)
    assert found["axis"] == {"name": "time (s)", "ends": [0.0, 4.0]}
    assert sum(one["share"] for one in found["channels"]) == pytest.approx(1)
    assert found["concentration"]["concentrated"] is cue
    if cue:
        assert found["concentration"]["name"] == "right, 1 to 1.25 s"
        assert max(found["channels"], key=lambda one: one["share"])["name"] == "right"
        at = arrays["mean_absolute"].sum(0).argmax()
        assert 1 <= at * 4 / 64 <= 1.25


class Bag(nn.Module):
    """Mean of the tokens' vectors, two scores."""

    def __init__(self, strong: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(20, 4, padding_idx=0)
        with torch.no_grad():
            self.embedding.weight[7] *= strong
        self.out = nn.Linear(4, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.embedding(ids).sum(1))


def sentences(count: int = 60) -> list[tuple[Tensor, int]]:
    """Of different lengths; every second one holds token 7 once."""
    generator = torch.Generator().manual_seed(1)
    data = []
    for number in range(count):
        ids = torch.randint(8, 20, (5 + number % 6,), generator=generator)
        if number % 2:
            ids[number % 5] = 7
        data.append((ids, number % 2))
    return data


@pytest.mark.parametrize("cue", [True, False])
def test_a_deciding_token_is_confirmed_and_an_absent_one_refuted(tmp_path: Path, cue: bool) -> None:
    session = open_desk(Bag(25.0 if cue else 1.0), sentences(), tmp_path, decode=WORDS)
    found, arrays = over(session)
    assert "mean_absolute" not in arrays
    top = found["concentration"]
    assert top["concentrated"] is cue
    if cue:
        assert top["name"] == "w7"
        assert (top["leads"], top["held"], top["of"]) == (30, 30, 60)
        assert found["tokens"][0]["token"] == "w7"
        assert (found["tokens"][0]["count"], found["tokens"][0]["instances"]) == (30, 30)
        assert found["tokens"][0]["mean_absolute"] > 3
    assert all(one["instances"] >= means.SEEN for one in found["tokens"])
    assert len(arrays["index"]) == len(arrays["vectors"]) == found["n"] == 60


class Modes(nn.Module):
    """Only the largest column counts."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(1, 2, bias=False)
        self.out.weight.data = torch.tensor([[1.0], [-1.0]])

    def forward(self, x: Tensor) -> Tensor:
        return self.out((torch.softmax(8 * x.abs(), 1) * x).sum(1, keepdim=True))


def modes(where: list[int], columns: int = 8) -> list[tuple[Tensor, int]]:
    """Rows whose column ``where`` is large."""
    rows = 0.05 * drawn(len(where), columns, seed=6)
    rows[torch.arange(len(where)), where] += 3
    return [(row, at % 3) for row, at in zip(rows, where, strict=True)]


def test_two_groups_and_an_outlier_that_were_planted_are_found(tmp_path: Path) -> None:
    where = [1] * 30 + [6] * 20 + [3]
    session = open_desk(Modes(), modes(where), tmp_path, kind="table")
    found, arrays = over(session)
    assert [one["size"] for one in found["clusters"]] == [30, 20]
    assert set(found["clusters"][0]["instances"]) <= set(range(30))
    assert set(found["clusters"][1]["instances"]) <= set(range(30, 50))
    assert found["clusters"][0]["labels"] == {"1": 30}
    assert "column 1" in found["clusters"][0]["differs"]
    assert found["silhouette"] > 0.8
    assert [one["instance"] for one in found["outliers"]] == [50]
    assert "column 3" in found["outliers"][0]["why"]
    assert arrays["cluster"].tolist() == [0] * 30 + [1] * 20 + [-1]
    assert arrays["outlier"].argmax() == 50
    assert arrays["xy"].shape == (51, 2)
    assert over(session)[0] == found


def test_explanations_of_one_kind_are_no_groups(tmp_path: Path) -> None:
    data = [(row, 0) for row in drawn(60, 6, seed=8)]
    found, arrays = over(open_desk(Weighted(torch.ones(6)), data, tmp_path, kind="table"))
    assert found["clusters"] == []
    assert (arrays["cluster"] == -1).all()
    assert found["silhouette"] is not None
    equal, _ = over(open_desk(Weighted(torch.ones(6)), [(torch.ones(6), 0)] * 20, tmp_path / "b", kind="table"))
    assert equal["clusters"] == equal["outliers"] == []
    assert equal["silhouette"] is None


def test_normal_data_have_no_groups_and_separate_ones_do() -> None:
    for seed in range(4):
        generator = np.random.default_rng(seed)
        blob = generator.standard_normal((60, 3)) * [3, 1, 1]
        labels, silhouette, reference = groups.clustered(blob, 0)
        assert labels is None, (silhouette, reference)
        pair = np.concatenate([generator.standard_normal((40, 3)), generator.standard_normal((20, 3)) + 9])
        labels, _, _ = groups.clustered(pair, 0)
        assert labels is not None
        assert labels.tolist() == [0] * 40 + [1] * 20


def test_subsets_are_those_of_the_extraction_and_drawn_by_label(tmp_path: Path) -> None:
    data = [(row, number % 4 // 3) for number, row in enumerate(drawn(80, 5, seed=9))]
    session = open_desk(Weighted(torch.ones(5)), data, tmp_path, kind="table")
    extraction = session.extraction()
    labels, guesses = extraction.labels, extraction.predictions
    for name, kept in (
        ("all", labels >= 0),
        ("wrong", labels != guesses),
        ("class:1", labels == 1),
        ("predicted:0", guesses == 0),
    ):
        found, arrays = over(session, subset=name)
        assert set(arrays["index"].tolist()) == set(extraction.indices[kept].tolist()), name
        assert found["of"] == found["n"] == kept.sum()
    found, arrays = over(session, most=20)
    chosen = np.isin(extraction.indices, arrays["index"])
    assert (found["n"], found["of"]) == (20, 80)
    assert labels[chosen].sum() == 5
    assert np.array_equal(over(session, most=20)[1]["index"], arrays["index"])


def test_instances_that_fail_are_left_out_and_listed(tmp_path: Path) -> None:
    rows = drawn(40, 5, seed=10)
    rows[3] = float("nan")
    rows[11] = 0  # its map is 0 everywhere
    session = open_desk(Weighted(torch.ones(5)), [(row, 0) for row in rows], tmp_path, kind="table")
    found, arrays = over(session)
    reasons = dict(found["skipped"])
    assert set(reasons) == {3, 11}
    assert "NaN" in reasons[3]
    assert "0 everywhere" in reasons[11]
    assert found["n"] == 38
    assert not {3, 11} & set(arrays["index"].tolist())


def test_batches_equal_instances_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = open_desk(Bag(5.0), sentences(20), tmp_path, decode=WORDS)
    together, arrays = over(session)
    monkeypatch.setattr(subset, "BATCH", 1)
    alone, single = over(session)
    assert single["vectors"] == pytest.approx(arrays["vectors"], abs=1e-4)
    for one, other in zip(together["tokens"], alone["tokens"], strict=True):
        assert one["mean"] == pytest.approx(other["mean"], abs=1e-4)


def test_answers_grow_and_a_cancelled_job_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subset, "SECONDS", -1.0)
    session = picture_session(tmp_path, 1.0)
    seen: list[tuple[dict[str, Any], dict[str, Any]]] = []
    session.partial = lambda value, arrays: seen.append((value, arrays))
    context = Context()
    found, _ = over(session, context=context)
    assert [value["n"] for value, _ in seen] == [16, 32, 48]
    assert all(value["partial"] for value, _ in seen)
    assert seen[0][1]["regions"][6, 6] > 0.1
    assert "partial" not in found
    assert context.told[-1] == (60, 60, "instances", "Explaining")
    with pytest.raises(Cancelled):
        over(session, context=fakes.Cancelling(1))


def test_bad_requests_are_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = picture_session(tmp_path, 1.0)
    for options, error in (
        ({"subset": "some"}, ParameterError),
        ({"subset": "class:-1"}, ParameterError),
        ({"subset": "class:7"}, NotFound),
        ({"most": 0}, ParameterError),
        ({"target": "9"}, NotFound),  # no instance can be explained so
    ):
        with pytest.raises(error):
            over(session, **options)
    fakes.install(monkeypatch, fakes.method("filters", lambda case: case.inputs, form="filters"))
    with pytest.raises(ParameterError, match="belong to a layer"):
        over(session, "filters")


def test_shares_keep_their_sum_however_time_is_cut() -> None:
    values = np.abs(np.random.default_rng(0).standard_normal((2, 7)))
    for bins in (1, 3, 7, 20):
        found = stretched(values, bins)
        assert found.shape == (2, bins)
        assert found.sum(1) == pytest.approx(values.sum(1))
    assert stretched(values, 7) == pytest.approx(values)
    assert share_of(np.array([1.0, -3.0])).tolist() == [0.25, -0.75]  # type: ignore[union-attr]
    assert share_of(np.zeros(3)) is None
    assert share_of(np.array([1.0, np.inf])) is None


def test_pictures_and_series_of_several_sizes_have_relative_places() -> None:
    def picture(side: int) -> One:
        values = np.zeros((1, side, side + 2))
        values[0, :2, :2] = 1
        return One(side, 0, 0, values / values.sum())

    arrays, _, features = means.image([picture(14), picture(21)])
    assert set(arrays) == {"regions"}
    assert arrays["regions"][0, 0] > 0.7
    assert features.names[0] == "the top left corner (row 1 of 7, column 1 of 7)"
    waves = [One(0, 0, 0, np.eye(2, 30) / 2), One(1, 0, 0, np.eye(2, 40) / 2)]
    arrays, value, _ = means.series(waves, rate=10.0)
    assert arrays["mean_absolute"].shape == (2, 32)
    assert value["axis"]["ends"] == [0.0, 1.0]
    assert arrays["mean_absolute"].sum() == pytest.approx(1)


def test_few_instances_say_little() -> None:
    shares = np.eye(3)[[0, 0, 0]]
    features = Features(shares, ["a", "b", "c"], roots(shares), [[0], [1], [2]], "column")
    found = concentration(features)
    assert not found["concentrated"]
    assert "too few" in found["sentence"]
