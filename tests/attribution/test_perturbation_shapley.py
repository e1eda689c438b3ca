"""Shapley values: by the definition, by sampling within their errors, and as Captum finds them."""

from __future__ import annotations

from typing import Any

import captum.attr
import numpy as np
import pytest
import torch

from analysis.attribution import features, refining
from analysis.attribution.method import Found
from analysis.attribution.methods import kernel_shap, shapley_value_sampling
from analysis.attribution.samplers import Exact, Neighbourhood, Permutations, Subsets, exact_within
from tests.attribution.conftest import SESSIONS, drawn, explained, labelled, opened, table_net
from tests.attribution.games import case_of, play, random_game, run, shapley, smooth_game

METHODS = (shapley_value_sampling, kernel_shap)
SAMPLED = (Permutations, Subsets)


@pytest.mark.parametrize("m", [0, 1, 2, 3, 6])
def test_all_subsets_give_the_values_of_the_definition(m: int) -> None:
    game = random_game(m, m)
    sampler = Exact(m)
    values, errors = play(sampler, game, most=5)
    np.testing.assert_allclose(values, shapley(game, m), atol=1e-12)
    assert errors is None
    assert sampler.empty == game(np.zeros((1, m), bool))[0]


def test_all_orders_or_all_subsets_are_the_limit_of_sampling() -> None:
    game = random_game(5, 1)
    for sampler in (Permutations(5, 40_000, (0,)), Subsets(5, 100_000, (0,))):
        values, errors = play(sampler, game, most=4096)
        assert errors is not None
        assert errors.max() < 0.02
        np.testing.assert_allclose(values, shapley(game, 5), atol=0.06)


@pytest.mark.parametrize("kind", SAMPLED)
@pytest.mark.parametrize("make", [random_game, smooth_game])
def test_errors_are_honest(kind: Any, make: Any) -> None:
    m = 8
    game = make(m, 3)
    true = shapley(game, m)
    away = []
    for seed in range(150):
        values, errors = play(kind(m, 80 if kind is Permutations else 200, (seed,)), game, most=1000)
        assert errors is not None
        away.append((values - true) / errors)
    away = np.array(away)
    assert abs(away.mean(0)).max() < 0.5  # no bias to speak of: 150 runs, so 6 errors of the mean
    assert 0.75 < away.std() < 1.15
    assert (abs(away) < 4).mean() > 0.995
    assert (abs(away) < 2).mean() > 0.92


@pytest.mark.parametrize("kind", SAMPLED)
def test_values_add_up_to_the_change_however_few_the_samples(kind: Any) -> None:
    m = 6
    game = random_game(m, 0)
    values, _ = play(kind(m, 2, (1,)), game)
    change = game(np.ones((1, m), bool))[0] - game(np.zeros((1, m), bool))[0]
    assert values.sum() == pytest.approx(change)


@pytest.mark.parametrize("kind", SAMPLED)
def test_what_is_additive_or_has_pairs_only_is_found_at_once(kind: Any) -> None:
    m = 7
    pairs = np.random.default_rng(0).normal(size=(m, m))

    def game(kept: np.ndarray) -> np.ndarray:
        return ((kept @ pairs) * kept).sum(1)

    values, errors = play(kind(m, 28, (5,)), game)
    np.testing.assert_allclose(values, (pairs + pairs.T).sum(1) / 2, atol=1e-9)
    assert errors is not None
    assert errors.max() < 1e-9


def test_what_is_drawn_depends_on_the_seed_and_not_on_how_much_is_drawn_at_once() -> None:
    game = random_game(6, 2)

    def local(m: int, samples: int, seed: tuple[int, ...]) -> Neighbourhood:
        return Neighbourhood(m, samples, seed, distance="cosine", width=0.5, alpha=0.01, sparse=False)

    for kind in (*SAMPLED, local):
        few, many = (play(kind(6, 64, (7,)), game, most)[0] for most in (10, 1000))
        np.testing.assert_allclose(few, many, atol=1e-12)
        assert not np.allclose(few, play(kind(6, 64, (8,)), game, 10)[0])


@pytest.mark.parametrize("kind", SAMPLED)
def test_samples_that_are_planned_are_taken_and_no_more(kind: Any) -> None:
    for planned in (2, 7, 33):
        sampler = kind(5, planned, (0,))
        versions = 0
        while sampler.taken < sampler.planned:
            kept = sampler.draw(9)
            versions += len(kept)
            sampler.take(np.zeros(len(kept)))
        assert sampler.taken == sampler.planned >= planned
        assert versions == sampler.versions


def test_all_subsets_are_tried_where_they_are_no_more_than_samples_would_be() -> None:
    assert isinstance(exact_within(5, 32), Exact)
    assert exact_within(5, 31) is None
    assert isinstance(exact_within(1, 0), Exact)
    assert exact_within(40, 10**9) is None


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["table", "text", "series"])
def test_both_methods_give_the_definition_on_few_features(method: Any, kind: str) -> None:
    session = SESSIONS[kind]()
    case = case_of(session, 1)
    found = run(method, case, segments=2, n_samples=400)
    assert found.extra["exact"]
    assert found.spread is None
    groups = features.groups(case, 0, segments=2)
    base = torch.zeros_like(case.inputs)

    def game(kept: np.ndarray) -> np.ndarray:
        whole = torch.cat([torch.from_numpy(kept), torch.ones(len(kept), 1, dtype=torch.bool)], 1)
        x = torch.where(whole[:, groups.groups], case.inputs, base)
        with case:
            return case.scores(x, torch.zeros(len(x), dtype=torch.int64)).double().numpy()

    true = torch.from_numpy(shapley(game, groups.count))
    sums = torch.zeros(groups.count, dtype=torch.float64)
    inside = groups.groups.expand(case.inputs.shape[1:]) >= 0
    sums.index_add_(0, groups.groups.expand(case.inputs.shape[1:])[inside], found.values[0].double()[inside])
    torch.testing.assert_close(sums, true, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", list(SESSIONS))
def test_values_of_a_model_add_up_to_the_change_of_its_score(method: Any, kind: str) -> None:
    case = case_of(SESSIONS[kind](), 1, 2)
    found = run(method, case, baselines="mean", segments=12)
    with case:
        score = case.scores(case.inputs)
    sums = found.values.flatten(1).sum(1)
    torch.testing.assert_close(sums, score - found.baseline, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_captum_finds_the_same_within_the_errors(method: Any) -> None:
    inputs = drawn(6, 12)
    case = case_of(opened(table_net(12), labelled(inputs, 3)), 2)
    found = run(method, case, n_samples=200 if method is shapley_value_sampling else 2000)
    torch.manual_seed(0)
    with case:
        expected = captum.attr.ShapleyValueSampling(case.module).attribute(
            case.inputs, n_samples=400, additional_forward_args=case.rows, perturbations_per_eval=400
        )
    assert found.spread is not None
    scale = float(case.logits.std())
    assert float(found.spread.max()) < 0.05 * scale
    assert float((found.values - expected).abs().max()) < 0.1 * scale


def test_kernel_shap_equals_captums_where_captum_is_certain() -> None:
    case = case_of(SESSIONS["table"](), 0)
    found = run(kernel_shap, case)
    torch.manual_seed(0)
    with case:  # Captum takes the rows apart, but not what goes with them
        expected = captum.attr.KernelShap(lambda x: case.score(x, torch.zeros(len(x)).long())).attribute(
            case.inputs, n_samples=3000, perturbations_per_eval=500
        )
    torch.testing.assert_close(found.values, expected.float(), atol=2e-2, rtol=5e-2)


@pytest.mark.parametrize("method", METHODS)
def test_partial_answers_arrive_and_close_in(method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refining, "PAUSE", 0.0)
    case = case_of(opened(table_net(20), labelled(drawn(3, 20), 3)))
    seen: list[tuple[Found, int, int]] = []
    case.publish = lambda *given: seen.append(given)
    samples = 200 if method is shapley_value_sampling else 1200
    final = run(method, case, n_samples=samples, perturbations_per_eval=32)
    assert len(seen) > 3
    assert all(planned == final.extra["samples_planned"] for _, _, planned in seen)
    taken = [samples for _, samples, _ in seen]
    assert taken == sorted(set(taken))
    with_errors = [found for found, _, _ in seen if found.spread is not None]
    first, last = with_errors[0], with_errors[-1]
    assert float(last.spread.mean()) < float(first.spread.mean())
    assert float((last.values - final.values).abs().max()) < float((first.values - final.values).abs().max())
    torch.testing.assert_close(last.values.sum(), final.values.sum(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_and_global_random_numbers_stay(method: Any) -> None:
    session = opened(table_net(20), labelled(drawn(3, 20), 3))
    torch.manual_seed(3)
    np.random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    runs = [run(method, case_of(session, 1), random_state=seed).values for seed in (0, 0, 1)]
    together = run(method, case_of(session, 0, 1)).values[1]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    torch.testing.assert_close(together, runs[0][0], atol=1e-5, rtol=1e-3)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


def test_too_few_samples_for_a_regression_are_raised_and_said_so() -> None:
    case = case_of(opened(table_net(20), labelled(drawn(3, 20), 3)))
    found = run(kernel_shap, case, n_samples=10)
    assert found.extra["samples"] == 80
    assert "10 samples would not determine so many values: 80 were taken." in found.notes


def test_a_token_has_the_error_of_its_value_in_the_answer() -> None:
    session = SESSIONS["transformer"]()
    answer, arrays = explained(session, "shapley_value_sampling", 2, params={"n_samples": 4})
    assert (answer["samples"], answer["samples_planned"], answer["features"]) == (4, 4, 9)
    case = case_of(session, 2)
    with case:
        parameters = {one.name: one.default for one in shapley_value_sampling.PARAMETERS} | {"n_samples": 4}
        sampler = Permutations(9, 4, (0, 2))
        refinement = refining.Refinement(case, lambda *_: None, "", parameters, lambda _m, _seed: sampler, even=True)
        refinement.run()
    values, errors = sampler.estimate() or (None, None)
    np.testing.assert_allclose(arrays["attribution"], values, atol=1e-6)
    np.testing.assert_allclose(arrays["spread"], errors, atol=1e-6)


def test_an_instance_that_equals_its_baseline_has_nothing_to_explain() -> None:
    case = case_of(opened(table_net(), labelled(torch.zeros(3, 5), 3)))
    for method in METHODS:
        found = run(method, case)
        assert not found.values.any()
        assert found.extra["exact"]
