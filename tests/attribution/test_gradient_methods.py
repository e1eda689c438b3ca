"""Gradient methods: Captum's numbers, slow obvious ways, completeness; one by one as in batches; baselines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency
from torch import Tensor, nn

from analysis.attribution import baselines, gradients, registry
from analysis.attribution.case import Case
from analysis.attribution.method import Found
from analysis.attribution.parameters import checked
from analysis.errors import ParameterError
from analysis.subject.session import Session
from tests.attribution.conftest import (
    SESSIONS,
    N,
    channels_last_session,
    drawn,
    explained,
    ids,
    image_session,
    labelled,
    opened,
    recurrent_session,
    relu_session,
    series_session,
    smooth_image,
    table_net,
    table_session,
    text_session,
)
from tests.models import zoo

NAMES = ("saliency", "input_x_gradient", "integrated_gradients", "smoothgrad", "gradient_shap")
SMALL = {"n_steps": 6, "tolerance": 0, "nt_samples": 5, "n_samples": 5}
PLAIN = {"image": image_session, "relu": relu_session, "series": series_session, "recurrent": recurrent_session}


def run(session: Session, name: str, rows: Any = (1,), target: str = "1", **parameters: Any) -> tuple[Found, Case]:
    method = registry.get(name)
    values = checked(method.parameters, parameters)
    with Case(session, session.batch(rows), target) as case:
        return method.run(case, lambda *_told: None, **values), case


def small(name: str) -> dict[str, Any]:
    return {one.name: SMALL[one.name] for one in registry.get(name).parameters if one.name in SMALL}


# Against Captum on the plain model


@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
def test_values_are_captums_on_the_plain_model(make: Callable[[], Session]) -> None:
    session = make()
    x = session.batch(range(N)).principal
    model, rows = session.model.eval(), range(N)
    for name, captum, options in (
        ("saliency", Saliency(model), {"abs": False}),
        ("input_x_gradient", InputXGradient(model), {}),
        ("integrated_gradients", IntegratedGradients(model), {"n_steps": 20}),
    ):
        expected = captum.attribute(x.clone().requires_grad_(), target=1, **options).detach()
        given = {"n_steps": 20, "tolerance": 0} if "n_steps" in options else {}
        found, _ = run(session, name, rows, **given)
        assert torch.allclose(found.values, expected.to(found.values.dtype), atol=1e-6, rtol=1e-4)


def test_sizes_of_saliency_are_those_of_its_values() -> None:
    signed, _ = run(image_session(), "saliency")
    sizes, _ = run(image_session(), "saliency", abs=True)
    assert torch.equal(sizes.values, signed.values.abs())
    assert explained(image_session(), "saliency", 1, params={"abs": True})[0]["signed"] is False


# Integrated Gradients


def riemann(model: nn.Module, x: Tensor, base: Tensor, target: int, steps: int = 2000) -> Tensor:
    """The sum at the middle of many small stretches."""
    points = torch.stack([base + (step + 0.5) / steps * (x - base) for step in range(steps)]).requires_grad_()
    [gradient] = torch.autograd.grad(model(points)[:, target].sum(), points)
    return (x - base) * gradient.mean(0)


def test_the_integral_is_that_of_a_slow_sum_of_small_steps() -> None:
    session = table_session()
    mean, _ = run(session, "integrated_gradients", [2], baselines="mean", n_steps=400)
    expected = riemann(table_net(), drawn(N, 5)[2], drawn(N, 5).mean(0), 1)
    assert torch.allclose(mean.values[0], expected, atol=1e-3)
    smooth, _ = run(image_session(), "integrated_gradients", [2])
    expected = riemann(smooth_image(), drawn(N, 3, 10, 12)[2], torch.zeros(3, 10, 12), 1, 500)
    assert torch.allclose(smooth.values[0], expected, atol=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_values_add_up_to_the_change_of_the_score_on_random_nets(seed: int) -> None:
    torch.manual_seed(seed)
    nets = [nn.Tanh(), nn.Softplus(), nn.GELU(), nn.SiLU()]
    model = nn.Sequential(nn.Linear(6, 9), nets[seed % 4], nn.Linear(9, 7), nets[(seed + 1) % 4], nn.Linear(7, 3))
    session = opened(model, labelled(drawn(N, 6, seed=seed), 3))
    for name in ("zero", "mean"):
        found, case = run(session, "integrated_gradients", range(N), baselines=name, n_steps=64)
        with case:
            change = case.scores(case.inputs) - found.baseline
        assert torch.allclose(found.values.sum(1), change, atol=1e-4)


def test_any_number_of_rows_in_a_pass_gives_the_same() -> None:
    one, _ = run(image_session(), "integrated_gradients", range(3), internal_batch_size=3, n_steps=12)
    many, _ = run(image_session(), "integrated_gradients", range(3), internal_batch_size=1000, n_steps=12)
    assert torch.allclose(one.values, many.values, atol=1e-6)


def test_a_gap_is_said_with_what_closes_it() -> None:
    value, _ = explained(relu_session(), "integrated_gradients", 0, params={"n_steps": 2, "tolerance": 0}, target="0-2")
    exact, _ = explained(image_session(), "integrated_gradients", 0)
    assert not exact["notes"]
    gap = abs(value["sum"] - (value["score"] - value["baseline"]))
    assert bool(value["notes"]) == (gap > 0.05 * abs(value["score"] - value["baseline"]))
    assert all("More steps" in note for note in value["notes"])


# Alone and in batches


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", SESSIONS.values(), ids=SESSIONS)
def test_a_batch_gives_what_single_runs_give(make: Callable[[], Session], name: str) -> None:
    session = make()
    order = [4, 0, 3]
    together, case = run(session, name, order, **small(name))
    shown = [case.natural(torch.where(case.valid(), together.values, 0.0), row) for row in range(3)]
    for row, index in enumerate(order):
        alone, single = run(session, name, [index], **small(name))
        # Of padded instances a pass may differ in the last bits.
        assert np.allclose(shown[row], single.natural(alone.values, 0), atol=2e-5, rtol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_padding_gets_nothing(name: str) -> None:
    session = text_session("GRU", False)
    found, case = run(session, name, range(N), **small(name))
    assert float(torch.where(case.valid(), 0.0, found.values).abs().max()) < 1e-7


@pytest.mark.parametrize("name", ["smoothgrad", "gradient_shap"])
def test_random_numbers_are_those_of_the_seed(name: str) -> None:
    first, _ = run(image_session(), name, **small(name))
    torch.manual_seed(99)
    again, _ = run(image_session(), name, **small(name))
    other, _ = run(image_session(), name, random_state=1, **small(name))
    assert torch.equal(first.values, again.values)
    assert not torch.allclose(first.values, other.values)


# SmoothGrad


@pytest.mark.parametrize("base", ["saliency", "input_x_gradient", "integrated_gradients"])
def test_smoothgrad_is_the_mean_of_captums_values_over_noisy_copies(base: str) -> None:
    session = image_session()
    options = {"nt_samples": 7, "base": base, "n_steps": 5}
    found = {kind: run(session, "smoothgrad", nt_type=kind, **options)[0] for kind in ("smoothgrad", "smoothgrad_sq")}
    variance, case = run(session, "smoothgrad", nt_type="vargrad", **options)
    noise = gradients.noise(case, 7, 0.15, 0)
    model = session.model.eval()
    way = {"saliency": Saliency, "input_x_gradient": InputXGradient, "integrated_gradients": IntegratedGradients}[base]
    extra: dict[str, Any] = {"saliency": {"abs": False}, "integrated_gradients": {"n_steps": 5}}.get(base, {})
    each = [way(model).attribute((case.inputs + one).requires_grad_(), target=1, **extra).detach() for one in noise]
    values = torch.stack(each)
    assert torch.allclose(found["smoothgrad"].values, values.mean(0), atol=1e-6)
    assert torch.allclose(found["smoothgrad_sq"].values, (values**2).mean(0), atol=1e-6)
    assert torch.allclose(variance.values, values.var(0, unbiased=False), atol=1e-6)
    assert found["smoothgrad"].spread is not None
    assert torch.allclose(found["smoothgrad"].spread, values.std(0) / 7**0.5, atol=1e-6)
    assert found["smoothgrad"].extra["signed"]
    assert not variance.extra["signed"]


def test_noise_is_a_share_of_the_range_and_none_at_padding() -> None:
    session = text_session()
    with Case(session, session.batch(range(N))) as case:
        noise = gradients.noise(case, 400, 0.25, 3)
        for row, length in enumerate(len(one) for one in ids()):
            own = case.inputs[row, :length]
            assert float(noise[:, row, :length].std()) == pytest.approx(0.25 * float(own.max() - own.min()), rel=0.1)
            assert not noise[:, row, length:].any()


# GradientShap


def test_gradient_shap_comes_close_to_the_mean_of_integrals_from_each_baseline() -> None:
    session = table_session()
    found, _ = run(session, "gradient_shap", [2], n_samples=4000)
    x = drawn(N, 5)
    expected = torch.stack([riemann(table_net(), x[2], base, 1, 300) for base in x]).mean(0)
    assert found.spread is not None
    assert torch.all((found.values[0] - expected).abs() < 5 * found.spread[0] + 5e-3)
    assert found.baseline is not None
    assert float(found.baseline[0]) == pytest.approx(float(table_net()(x)[:, 1].detach().mean()), abs=0.02)


# Baselines


def test_the_mean_of_pictures_and_of_rows_is_that_of_instances() -> None:
    for session in (image_session(), channels_last_session(), table_session()):
        with Case(session, session.batch([0, 3])) as case:
            expected = session.batch(range(N)).principal.mean(0)
            assert torch.allclose(baselines.of(case, "mean"), expected.expand_as(case.inputs), atol=1e-6)


def test_the_mean_of_texts_is_that_of_their_tokens_vectors_without_padding() -> None:
    session = text_session()
    weight = session.model.embedding.weight
    expected = weight[torch.cat(ids())].mean(0)
    with Case(session, session.batch([1, 2])) as case:
        found = baselines.of(case, "mean")
        assert torch.allclose(found[1], expected.expand_as(found[1]), atol=1e-6)
        assert torch.equal(found[0, 4:], case.inputs[0, 4:])  # at padding the input itself
        assert torch.equal(baselines.of(case, "pad")[0, :4], weight[0].expand(4, -1))
        assert not baselines.of(case, "zero")[0, :4].any()


def test_a_blur_keeps_what_is_even_and_spreads_a_point_evenly() -> None:
    even = torch.full((2, 3, 9, 9), 4.0)
    assert torch.allclose(baselines.blurred(even, (2, 3), 2.0), even, atol=1e-5)
    point = torch.zeros(1, 1, 21, 21)
    point[0, 0, 10, 10] = 1.0
    found = baselines.blurred(point, (2, 3), 1.5)[0, 0]
    assert float(found.sum()) == pytest.approx(1.0, abs=1e-5)
    assert torch.allclose(found, found.T, atol=1e-7)
    places = torch.arange(21.0) - 10
    assert float((found.sum(0) * places**2).sum()) == pytest.approx(1.5**2, rel=0.02)


def test_own_baselines_are_used_as_they_are_given() -> None:
    x = drawn(N, 5)
    one = torch.tensor([1.0, -1.0, 0.5, 0.0, 2.0])
    for given in (one, one.numpy(), one.tolist(), one[None], lambda inputs: one.expand_as(inputs)):
        session = table_session(baselines=given)
        with Case(session, session.batch([0, 1])) as case:
            assert torch.allclose(baselines.of(case, "own"), one.expand(2, 5))
    session = table_session(baselines=x[:3])
    with Case(session, session.batch([4])) as case:
        assert torch.allclose(baselines.of(case, "own")[0], x[:3].mean(0))
        assert torch.equal(baselines.several(case, 3, 0, "own"), x[:3])
        assert baselines.several(case, 7, 0, "own").shape == (7, 5)


def test_own_baselines_of_texts_are_ids() -> None:
    weight = zoo.lstm_text().embedding.weight
    for given in (3, [3], lambda inputs: torch.full_like(inputs, 3)):
        session = text_session(baselines=given)
        with Case(session, session.batch([1, 2])) as case:
            found = baselines.of(case, "own")
            assert torch.allclose(found[0, :4], weight[3].expand(4, -1))
            assert torch.equal(found[0, 4:], case.inputs[0, 4:])
    with pytest.raises(ParameterError, match="the embedding has 20"):
        explained(text_session(baselines=20), "integrated_gradients", 0, params={"baselines": "own"})
    with pytest.raises(ParameterError, match="no ids"):
        explained(text_session(baselines=0.5), "integrated_gradients", 0, params={"baselines": "own"})


def test_a_baseline_of_the_wrong_shape_is_a_sentence_with_both_shapes() -> None:
    session = table_session(baselines=torch.zeros(4))
    with pytest.raises(ParameterError, match=r"the shape \(4\), but an input has \(5\)") as caught:
        explained(session, "integrated_gradients", 0, params={"baselines": "own"})
    assert "(k, 5)" in caught.value.remedy
    session = table_session(baselines=lambda _inputs: 1 / 0)
    with pytest.raises(ParameterError, match=r"baselines= fails .* ZeroDivisionError"):
        explained(session, "integrated_gradients", 0, params={"baselines": "own"})
    with pytest.raises(ParameterError, match="none of its own"):
        explained(table_session(), "integrated_gradients", 0, params={"baselines": "own"})


def test_several_baselines_of_texts_are_tokens_of_instances_and_one_seed_gives_one_draw() -> None:
    session = text_session()
    with Case(session, session.batch([0, 2])) as case:
        found = baselines.several(case, 5, 7)
        assert found.shape == (5, *case.inputs.shape[1:])
        known = session.model.embedding.weight[torch.cat(ids())]
        assert all(bool((known == vector).all(1).any()) for vector in found.flatten(0, 1))
        assert torch.equal(found, baselines.several(case, 5, 7))
    with Case(session, session.batch([0])) as alone:  # the same for an instance on its own
        assert torch.equal(baselines.several(alone, 5, 7), found[:, :7])


def test_series_of_different_lengths_have_the_mean_of_their_steps() -> None:
    data = [drawn(steps, 3, seed=steps) for steps in (5, 9, 4, 11, 7, 6)]
    session = opened(zoo.time_first(), labelled(data, 2))
    with Case(session, session.batch([0, 1])) as case:
        found = baselines.of(case, "mean")
        assert torch.allclose(found[1], torch.cat(data).mean(0).expand(9, -1), atol=1e-6)
        assert torch.equal(found[0, 5:], case.inputs[0, 5:])
