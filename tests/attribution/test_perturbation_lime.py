"""LIME: planted linear models are found, and how well a linear model fits is told honestly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso, Ridge
from torch import Tensor, nn

from analysis.attribution.methods import lime
from analysis.attribution.regression import least_squares, local_model
from analysis.attribution.samplers import Neighbourhood
from tests.attribution.conftest import SESSIONS, drawn, labelled, opened
from tests.attribution.games import case_of, play, random_game, run

PLANTED = torch.tensor([[2.0, 0.0, -1.0, 0.0, 0.5, 0.0, 0.0, 3.0, 0.0, 0.0]])


class Product(nn.Module):
    """+1 or -1, by the signs of all columns: nothing linear is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(10, 2)

    def forward(self, x: Tensor) -> Tensor:
        sign = torch.where(x.abs() > 1e-6, -1.0, 1.0).prod(1, keepdim=True)
        return torch.cat([sign, -sign], 1) + 0 * self.inner(x)


def linear_session() -> Any:
    model = nn.Linear(10, 2)
    with torch.no_grad():
        model.weight.copy_(torch.cat([PLANTED, -PLANTED]))
        model.bias.copy_(torch.tensor([0.25, 0.0]))
    return opened(model, labelled(drawn(4, 10) + 3))


@pytest.mark.parametrize("model", ["ridge", "lasso"])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_a_planted_linear_model_is_recovered(model: str, distance: str) -> None:
    case = case_of(linear_session(), 1, target="0")
    found = run(
        lime, case, interpretable_model=model, alpha=1e-5, distance_mode=distance, kernel_width=0.5, n_samples=400
    )
    torch.testing.assert_close(found.values, PLANTED * case.inputs, atol=2e-2, rtol=1e-2)
    assert found.extra["fidelity"] > 0.999
    assert found.extra["intercept"] == pytest.approx(0.25, abs=0.05)


def test_the_lasso_leaves_out_what_does_not_matter() -> None:
    case = case_of(linear_session(), 1, target="0")
    found = run(lime, case, interpretable_model="lasso", alpha=0.05).values[0]
    assert bool((found[PLANTED[0] == 0] == 0).all())
    assert bool((found[[0, 7]] != 0).all())


def test_a_model_with_nothing_linear_is_told_to_be_fitted_badly() -> None:
    case = case_of(opened(Product(), labelled(drawn(4, 10) + 3)), 1, target="0")
    found = run(lime, case, kernel_width=2.0)
    assert found.extra["fidelity"] < 0.2
    assert any("its values say little" in note for note in found.notes)


def test_a_kernel_too_narrow_for_the_samples_is_said_so() -> None:
    case = case_of(linear_session(), 1)
    found = run(lime, case, kernel_width=0.01)
    assert any("The kernel is so narrow that only about" in note for note in found.notes)


@pytest.mark.parametrize("kind", list(SESSIONS))
def test_every_kind_gets_finite_values_with_errors(kind: str) -> None:
    case = case_of(SESSIONS[kind](), 1, 2)
    found = run(lime, case, segments=6)
    assert bool(found.values.isfinite().all())
    assert found.spread is not None
    assert found.spread.shape == found.values.shape
    assert found.extra["samples"] == found.extra["samples_planned"] == 200
    again = run(lime, case_of(case.session, 1, 2), segments=6)
    assert torch.equal(found.values, again.values)


def test_weights_fall_with_the_distance_and_the_instance_comes_first() -> None:
    for distance in ("cosine", "euclidean"):
        sampler = Neighbourhood(6, 300, (0,), distance=distance, width=0.5, alpha=0.1, sparse=False)
        kept = sampler.draw(300)
        sampler.take(np.zeros(300))
        weights = sampler.weights()
        assert kept[0].all()
        assert weights[0] == 1
        by_size = [weights[kept.sum(1) == size] for size in range(7)]
        assert all(np.ptp(one) == 0 for one in by_size)
        assert (np.diff([one[0] for one in by_size]) > 0).all()
        assert set((6 - kept[1:].sum(1)).tolist()) == set(range(1, 7))


def test_errors_of_the_ridge_cover_what_another_draw_gives() -> None:
    game = random_game(6, 4)

    def sampler(seed: int, samples: int) -> Neighbourhood:
        return Neighbourhood(6, samples, (seed,), distance="cosine", width=0.5, alpha=1e-6, sparse=False)

    limit, _ = play(sampler(0, 60_000), game, 60_000)
    away = []
    for seed in range(1, 101):
        values, errors = play(sampler(seed, 200), game, 200)
        away.append((values - limit) / errors)
    assert 0.75 < np.std(away) < 1.25
    assert np.mean(np.abs(away) < 4) > 0.99


@pytest.mark.parametrize("sparse", [False, True])
def test_the_regression_is_that_of_scikit_learn(sparse: bool) -> None:
    generator = np.random.default_rng(0)
    x, y = (generator.random((80, 5)) < 0.5).astype(float), generator.normal(size=80)
    weights = generator.random(80)
    found = local_model(x, y, weights, 0.02, sparse=sparse)
    scaled = weights * 80 / weights.sum()
    spread = np.sqrt(scaled @ (y - scaled @ y / 80) ** 2 / 80)
    model = Lasso(alpha=0.02) if sparse else Ridge(alpha=0.02 * 80)
    model.fit(x, y / spread, sample_weight=scaled)
    np.testing.assert_allclose(found.coefficients, model.coef_ * spread, atol=1e-5)
    assert found.intercept == pytest.approx(model.intercept_ * spread, abs=1e-5)


def test_least_squares_say_when_values_are_not_determined() -> None:
    x = np.random.default_rng(0).normal(size=(4, 5))
    assert least_squares(x, np.ones(4)) is None
    assert least_squares(np.ones((9, 2)), np.ones(9)) is None
    values, covariance = least_squares(x[:, :2], x[:, :2] @ [1.0, -2.0]) or (None, None)
    np.testing.assert_allclose(values, [1, -2], atol=1e-9)
    assert np.abs(covariance).max() < 1e-12


def test_a_score_that_never_changes_has_no_fidelity() -> None:
    found = local_model(np.eye(6), np.full(6, 3.0), np.ones(6), 0.1, sparse=False)
    assert found.fidelity is None
    assert found.intercept == pytest.approx(3.0)
    assert not found.coefficients.any()
