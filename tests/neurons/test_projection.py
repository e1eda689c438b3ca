"""The question ``projection``: planted groups, fixed seeds, figures against scikit-learn, starts, drafts, bad data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.manifold import trustworthiness
from torch import nn

from analysis.errors import NotFound, ParameterError
from analysis.neurons import projection_landmarks as landmarks
from analysis.neurons import projection_methods as methods
from analysis.neurons.projection import projection
from analysis.neurons.projection_align import drift
from analysis.questions import registry
from analysis.results import Answer
from analysis.subject.session import Session
from tests.layers.desk import open_desk, pairs

N, GROUPS = 120, 4


class Planted(nn.Module):
    """Layer 'first' sees 8 inputs, 'second' the same, turned; 'flat' never changes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 24), nn.Linear(24, 24)
        self.flat, self.out = nn.Linear(24, 5), nn.Linear(24, GROUPS)
        with torch.no_grad():
            self.flat.weight.zero_()
            self.flat.bias.fill_(1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.second(torch.relu(self.first(x))))
        return self.out(hidden) + 0 * self.flat(hidden).sum()


def groups(count: int = N, spread: float = 0.4) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    labels = np.arange(count) % GROUPS
    centres = rng.normal(size=(GROUPS, 8)) * 3
    values = centres[labels] + rng.normal(size=(count, 8)) * spread
    return torch.tensor(values, dtype=torch.float32), torch.tensor(labels)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Session:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Planted()
    return open_desk(model, pairs(*groups()), tmp_path_factory.mktemp("desk"))


def told(desk: Session, **how: Any) -> Answer:
    return desk.ask(
        "projection", **{"layer": "first", "method": "pca", "align": "", "start": "", "random_state": 0} | how
    )


def activations(desk: Session, layer: str = "first") -> np.ndarray:
    """In standard deviations, without neurons that do not vary: what the map is of."""
    values = np.asarray(desk.extraction().mean(layer), np.float64)
    values = values[:, values.std(0) > 1e-6 * values.std(0).max()]
    return (values - values.mean(0)) / values.std(0)


def test_pca_is_that_of_the_standardised_activations(desk: Session) -> None:
    found = told(desk)
    values = activations(desk)
    left, sizes, _ = np.linalg.svd(values, full_matrices=False)
    wanted = (left * sizes)[:, :2]
    signs = np.sign((wanted * found.array("xy")).sum(0))
    assert np.allclose(found.array("xy"), wanted * signs, atol=1e-3)
    assert found.json["explained"] == pytest.approx((sizes**2 / (sizes**2).sum())[:2].tolist(), abs=1e-4)
    assert np.array_equal(found.array("index"), desk.extraction().indices)


@pytest.mark.parametrize("method", ["pca", "umap", "tsne"])
def test_groups_stay_together_and_the_figures_are_those_of_scikit_learn(desk: Session, method: str) -> None:
    found = told(desk, method=method)
    values, xy, labels = activations(desk), found.array("xy"), desk.extraction().labels
    said = found.json
    assert said["trustworthiness"] == pytest.approx(trustworthiness(values, xy, n_neighbors=15), abs=1e-4)
    apart = np.linalg.norm(xy[:, None] - xy[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    near = apart.argsort(1)[:, :10]
    assert said["map_purity"] == pytest.approx((labels[near] == labels[:, None]).mean(), abs=0.01)
    assert said["map_purity"] > 0.95 > 0.3 > said["purity_chance"] == pytest.approx((N / GROUPS - 1) / (N - 1))
    assert said["judged"] == said["points"] == N
    assert said["random_state"] == 0
    assert said["draft"] is False


@pytest.mark.parametrize("method", ["pca", "umap", "tsne"])
def test_a_map_is_repeated_bit_by_bit(desk: Session, method: str) -> None:
    again = projection(desk, _Quiet(), layer="first", method=method)[1]["xy"]
    assert np.array_equal(again, told(desk, method=method).array("xy"))


class _Quiet:
    cancelled = False

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def progress(self, done: float, total: float, unit: str = "", message: str = "") -> None:
        self.told.append((done, total, unit, message))


def test_umap_tells_how_far_it_is_and_another_seed_gives_another_map(desk: Session) -> None:
    context = _Quiet()
    xy = projection(desk, context, layer="first", method="umap", random_state=7)[1]["xy"]
    assert ("epochs", "UMAP") in {one[2:] for one in context.told}
    assert not np.allclose(xy, told(desk, method="umap").array("xy"))


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_points_keep_their_places_from_layer_to_layer(desk: Session, method: str) -> None:
    first = told(desk, method=method).array("xy")
    free = told(desk, layer="second", method=method)
    aligned = told(desk, layer="second", method=method, align="first")
    assert aligned.json["aligned"] == "layer"
    assert aligned.json["drift"] == pytest.approx(drift(aligned.array("xy"), first))
    assert aligned.json["drift"] < 0.5 * max(drift(free.array("xy"), first) or 0, 0.6)
    assert aligned.json["trustworthiness"] > free.json["trustworthiness"] - 0.02


def test_points_keep_their_places_from_checkpoint_to_checkpoint(desk: Session) -> None:
    """The answer under other weights is named by its key."""
    before = told(desk, method="umap")
    with torch.no_grad():
        rest = {name: value.clone() for name, value in desk.model.state_dict().items()}
        desk.model.second.weight.add_(0.02)
    try:
        after = told(desk, layer="first", method="umap", start=before.key)
    finally:
        desk.model.load_state_dict(rest)
    assert after.json["aligned"] == "weights"
    assert after.json["drift"] < 0.4
    with pytest.raises(NotFound, match="not kept"):
        projection(desk, _Quiet(), layer="first", method="umap", start="0" * 40)
    with pytest.raises(ParameterError, match="one start"):
        projection(desk, _Quiet(), layer="second", method="umap", start=before.key, align="first")


def test_a_start_that_is_told_apart_does_not_make_noise_look_told_apart() -> None:
    """The honest side of the alignment: what the layer does not hold, a start does not put onto the map."""
    rng = np.random.default_rng(0)
    noise, labels = rng.normal(size=(400, 20)).astype(np.float32), np.arange(400) % 4
    angle = np.pi / 2 * labels
    start = 10 * np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(0, 0.3, (400, 2))
    task = methods.Task(noise, start.astype(np.float32), 0, lambda *_: None)
    xy = landmarks.lay_out(methods.get("umap"), task)[0]
    apart = np.linalg.norm(xy[:, None] - xy[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    purity = (labels[apart.argsort(1)[:, :10]] == labels[:, None]).mean()
    assert purity < 0.35  # chance is 0.25, the start has 1.0


def test_many_instances_make_a_draft_and_it_says_so(desk: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmarks, "LANDMARKS", 60)
    small = tuple(
        methods.Method(one.name, one.title, one.words, one.place, 80 if one.place else 0, one.settings)
        for one in methods.METHODS
    )
    monkeypatch.setattr(methods, "METHODS", small)
    value, arrays = projection(desk, _Quiet(), layer="first", method="umap")
    assert value["draft"] is True
    assert value["landmarks"] == 60
    assert np.isfinite(arrays["xy"]).all()
    assert value["map_purity"] > 0.9
    assert projection(desk, _Quiet(), layer="first")[0]["draft"] is False


def test_points_between_landmarks_lie_between_their_places() -> None:
    chosen, places = np.array([0, 1, 2]), np.array([[0, 0], [10, 0], [0, 10]], np.float32)
    points = np.array([[0, 0], [1, 0], [0, 1], [0.5, 0.5], [0, 0]], np.float32)
    task = methods.Task(points, None, 0, lambda *_: None)
    found = landmarks._between(task, chosen, places)
    assert np.array_equal(found[:3], places)
    assert np.allclose(found[4], places[0], atol=1e-3)  # equal to a landmark: at its place
    assert 0 < found[3].min() < 10


def test_points_between_landmarks_are_those_of_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    points, chosen = rng.normal(size=(90, 5)).astype(np.float32), np.sort(rng.permutation(90)[:20])
    places = rng.normal(size=(20, 2)).astype(np.float32)
    monkeypatch.setattr(landmarks, "_BLOCK", 20 * 7)  # several blocks
    found = landmarks._between(methods.Task(points, None, 0, lambda *_: None), chosen, places)
    for row, point in enumerate(points):
        if row in chosen:
            assert np.array_equal(found[row], places[chosen.tolist().index(row)])
            continue
        apart = np.linalg.norm(points[chosen] - point, axis=1)
        near = apart.argsort()[:3]
        weight = 1 / apart[near]
        assert np.allclose(found[row], (places[near] * weight[:, None]).sum(0) / weight.sum(), atol=1e-4)


def test_a_layer_that_answers_alike_to_all_has_one_place(desk: Session) -> None:
    for method in ("pca", "umap", "tsne"):
        found = told(desk, layer="flat", method=method)
        assert found.json["alike"] is True
        assert np.array_equal(found.array("xy"), np.zeros((N, 2)))
        assert found.json["explained"] == [0, 0]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("method", ["pca", "umap", "tsne"])
def test_few_instances_have_a_place(tmp_path: Path, count: int, method: str) -> None:
    desk = open_desk(Planted(), pairs(*groups(count)), tmp_path)
    found = told(desk, method=method)
    assert found.array("xy").shape == (count, 2)
    assert np.isfinite(found.array("xy")).all()
    assert found.json["n"] == count


def test_activations_that_are_no_numbers_have_no_place(tmp_path: Path) -> None:
    values, labels = groups(40)
    values[3] = float("nan")
    desk = open_desk(Planted(), pairs(values, labels), tmp_path)
    found = told(desk, method="umap")
    assert found.json["nonfinite"] == 1
    assert found.json["points"] == 39
    assert np.flatnonzero(np.isnan(found.array("xy")).any(1)).tolist() == [3]


def test_without_labels_purity_is_of_the_predictions(tmp_path: Path) -> None:
    values, _ = groups(40)
    found = told(open_desk(Planted(), list(values), tmp_path))
    assert found.json["purity_of"] == "prediction"


def test_an_unknown_method_or_layer_is_refused_in_words(desk: Session) -> None:
    with pytest.raises(ParameterError, match="projection 'pcb'"):
        projection(desk, _Quiet(), layer="first", method="pcb")
    with pytest.raises(NotFound, match="nowhere"):
        projection(desk, _Quiet(), layer="nowhere")
    assert registry.get("projection").function == "analysis.neurons.projection:projection"


def test_components_are_kept_for_the_search_of_neighbours_only_of_many(
    desk: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "reduced" not in projection(desk, _Quiet(), layer="first")[1]
    monkeypatch.setattr("analysis.neurons.projection.KEPT", 100)
    arrays = projection(desk, _Quiet(), layer="first")[1]
    assert arrays["reduced"].shape[0] == N
    apart = np.linalg.norm(arrays["reduced"][:, None] - arrays["reduced"][None], axis=-1)
    values = activations(desk)
    slow = np.linalg.norm(values[:, None] - values[None], axis=-1)
    assert np.allclose(apart, slow, atol=1e-2)  # fewer neurons than components: nothing is lost
