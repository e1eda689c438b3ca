"""Questions asked of real sessions: pictures, series and padded texts; each answer against a plain pass."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from analysis.errors import NotFound, ParameterError
from analysis.layers import sketch
from analysis.layers.fields import receptive_fields
from analysis.layers.separation import separated
from analysis.questions import registry
from analysis.subject.session import Session
from tests.layers.desk import Context, open_desk, pairs


class Pictures(nn.Module):
    """Strided, padded, pooled; a normalisation in between."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 10, 3, dilation=2)
        self.fc = nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.norm(self.conv1(x)))
        x = torch.relu(self.conv2(x))
        return self.fc(x.amax((2, 3)))


class Texts(nn.Module):
    """Ids with padding to an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 8, padding_idx=0)
        self.lstm = nn.LSTM(8, 12, batch_first=True)
        self.fc = nn.Linear(12, 3)

    def forward(self, ids: Tensor, attention_mask: Tensor) -> Tensor:
        states, _ = self.lstm(self.embedding(ids))
        last = attention_mask.sum(1) - 1
        return self.fc(states[torch.arange(len(ids)), last])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Session:
    torch.manual_seed(0)
    images = torch.rand(90, 3, 16, 16)
    return open_desk(Pictures().eval(), pairs(images, torch.arange(90) % 4), tmp_path_factory.mktemp("pictures"), n=60)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Session:
    torch.manual_seed(0)
    data = []
    for i in range(40):
        ids = torch.randint(1, 50, (3 + i % 9,))
        data.append({"ids": ids, "attention_mask": torch.ones_like(ids), "label": i % 3})
    return open_desk(Texts().eval(), data, tmp_path_factory.mktemp("texts"), kind="text")


@torch.no_grad()
def stages(session: Session, index: int) -> dict[str, Tensor]:
    model, image = session.model, session.batch([index]).principal
    first = torch.relu(model.norm(model.conv1(image)))
    second = torch.relu(model.conv2(first))
    return {"conv1": first, "conv2": second, "image": image, "logits": model.fc(second.amax((2, 3)))}


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_patches_hold_the_activations_of_a_plain_pass_spread_over_the_sample(pictures: Session, layer: str) -> None:
    answer = pictures.ask("patches", layer=layer, count=200)
    instances, places, values = (answer.array(name) for name in ("instance", "position", "activation"))
    assert answer.json["patches"] == len(instances) == 200
    assert answer.json["what"] == "window"
    seen = np.bincount(instances, minlength=90)
    extraction = pictures.extraction()
    assert set(np.flatnonzero(seen)) == set(extraction.indices.tolist())
    assert seen[seen > 0].max() - seen[seen > 0].min() <= 1
    assert len({(i, *p) for i, p in zip(instances.tolist(), places.tolist(), strict=True)}) == 200
    for row in range(0, 200, 23):
        maps = stages(pictures, int(instances[row]))[layer][0]
        assert np.allclose(values[row], maps[:, places[row, 0], places[row, 1]].numpy(), atol=1e-5)
        assert answer.array("label")[row] == instances[row] % 4
        assert answer.array("prediction")[row] == int(stages(pictures, int(instances[row]))["logits"].argmax())
    reduced, variance = answer.array("reduced"), np.array(answer.json["variance"])
    assert reduced.shape[1] <= 50
    assert np.array_equal(answer.array("pca"), reduced[:, :2])
    assert (np.diff(variance) <= 1e-6).all()
    assert 0 < variance.sum() <= 1 + 1e-6


def test_patches_of_a_dense_layer_are_instances(pictures: Session) -> None:
    answer = pictures.ask("patches", layer="fc", count=500)
    assert answer.array("instance").tolist() == pictures.extraction().indices.tolist()
    assert answer.array("position").shape == (60, 0)
    assert np.allclose(answer.array("activation").sum(1), 1, atol=1e-5)  # softmax of the output


def test_patches_of_padded_texts_lie_within_their_length(texts: Session) -> None:
    answer = texts.ask("patches", layer="lstm", count=150)
    instances, places = answer.array("instance"), answer.array("position")[:, 0]
    assert (places < 3 + instances % 9).all()
    assert answer.json["what"] == "vector"
    batch = texts.batch([int(instances[0])])
    with torch.no_grad():
        states, _ = texts.model.lstm(texts.model.embedding(batch.principal))
    assert np.allclose(answer.array("activation")[0], states[0, places[0]].abs().numpy(), atol=1e-5)


@pytest.mark.parametrize("count", [3, 10**6])
def test_a_number_of_patches_out_of_range_is_refused(pictures: Session, count: int) -> None:
    with pytest.raises(ParameterError):
        pictures.ask("patches", layer="conv1", count=count)


def test_vectors_too_large_for_memory_are_sketched_and_keep_their_distances(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sketch, "BYTES", 4 * 600 * 10)
    made_of, few = sketch.Sketch(10, 0), np.ones((2, 500), np.float32)
    assert made_of(few) is few
    values = np.random.default_rng(0).normal(size=(10, 20_000)).astype(np.float32)
    made = np.concatenate([made_of(values[:4]), made_of(values[4:])])
    assert made.shape == (10, 600)
    assert made_of.width == 600
    before, after = (np.linalg.norm(v[:, None] - v[None], axis=2)[np.triu_indices(10, 1)] for v in (values, made))
    assert np.allclose(after / before, 1, atol=0.2)


def test_feature_maps_are_those_of_a_plain_pass(pictures: Session) -> None:
    answer = pictures.ask("feature_maps", layer="conv1", instance=7)
    maps = answer.array("maps")
    plain = stages(pictures, 7)
    assert np.allclose(maps, plain["conv1"][0].numpy(), atol=1e-5)
    assert answer.json["places"] == [8, 8]
    assert (answer.json["low"], answer.json["high"]) == (pytest.approx(maps.min()), pytest.approx(maps.max()))
    shares = plain["logits"][0].softmax(0)
    assert answer.json["scores"][0] == [int(shares.argmax()), pytest.approx(float(shares.max()), rel=1e-4)]
    assert answer.json["label"] == 3
    assert answer.array("display").shape == (16, 16, 3)
    with pytest.raises(NotFound):
        pictures.ask("feature_maps", layer="conv1", instance=90)
    with pytest.raises(NotFound):
        pictures.ask("feature_maps", layer="conv", instance=1)


def test_feature_maps_of_a_text_end_where_it_ends(texts: Session) -> None:
    answer = texts.ask("feature_maps", layer="lstm", instance=4)
    assert answer.array("maps").shape == (12, 7)
    assert len(answer.json["tokens"]) == 7
    assert (answer.array("maps") >= 0).all()


def test_receptive_fields_are_told_by_layer_and_axis(pictures: Session) -> None:
    answer = pictures.ask("receptive_fields")
    assert answer.json["axes"] == [2, 3]
    rows = answer.array("conv1/0")
    assert rows.dtype == np.int32
    assert rows.tolist() == [[max(2 * i - 1, 0), min(2 * i + 2, 16)] for i in range(8)]
    assert "fc" in answer.json["whole"]
    assert "conv2" not in answer.json["whole"]


def test_embedding_is_repeated_and_a_selection_is_embedded_on_its_own(pictures: Session) -> None:
    answer = pictures.ask("embedding", layer="conv2", count=200)
    assert answer.array("xy").shape == (200, 2)
    assert 0.5 < answer.json["trustworthiness"] <= 1
    assert answer.json["random_state"] == 0
    rows = list(range(0, 200, 3))
    part = pictures.ask("embedding", layer="conv2", count=200, rows=rows)
    assert part.array("xy").shape == (len(rows), 2)
    for wrong in ([1], [1, 1], [5, 200], [-1, 3]):
        with pytest.raises(ParameterError):
            pictures.ask("embedding", layer="conv2", count=200, rows=wrong)
    with pytest.raises(ParameterError):
        pictures.ask("embedding", layer="conv2", count=200, method="magic")


def test_purity_and_silhouette_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 120)
    labels[0] = 9  # alone in its class
    values = (rng.normal(size=(10, 6))[labels] + rng.normal(size=(120, 6))).astype(np.float32)
    purity, silhouette = separated(values, labels)
    near = NearestNeighbors(n_neighbors=11).fit(values).kneighbors(values)[1][:, 1:]
    assert purity == pytest.approx((labels[near] == labels[:, None]).mean())
    assert silhouette == pytest.approx(silhouette_score(values, labels), abs=1e-4)
    assert separated(values, np.zeros(120, int)) == (None, None)
    assert separated(values[:2], labels[:2]) == (None, None)


def test_separation_goes_by_depth_and_says_what_chance_gives(pictures: Session) -> None:
    answer = pictures.ask("separation").json
    assert [row["layer"] for row in answer["layers"]] == ["conv1", "conv2", "fc"]
    assert answer["chance"] == pytest.approx(14 / 59, abs=0.01)  # of 60 in four classes of 15
    assert all(0 <= row["knn_purity"] <= 1 for row in answer["layers"])


def test_unlabelled_data_have_no_separation(pictures: Session, tmp_path: Path) -> None:
    desk = open_desk(pictures.model, [(torch.rand(3, 16, 16), None) for _ in range(20)], tmp_path)
    with pytest.raises(NotFound):
        desk.ask("separation")


def test_every_question_about_layers_has_its_function_and_reports_progress(pictures: Session) -> None:
    for question in registry.QUESTIONS:
        module, _, function = question.function.partition(":")
        assert callable(getattr(importlib.import_module(module), function))
    context = Context()
    receptive_fields(pictures, context)
    assert context.told[-1][0] == context.told[-1][1] == 32


def test_a_layer_that_is_not_reached_is_refused_with_its_reason(tmp_path: Path) -> None:
    model = Pictures().eval()
    model.spare = nn.Linear(3, 3)
    desk = open_desk(model, pairs(torch.rand(8, 3, 16, 16), torch.arange(8) % 4), tmp_path)
    for question in ("patches", "filter_map", "bypass"):
        with pytest.raises(NotFound, match="not called"):
            desk.ask(question, layer="spare")
