"""Each measure against a slow, obvious version."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from analysis.attribution import registry
from analysis.attribution.case import Case
from analysis.attribution.measures import curves, infidelity, randomised, redrawn, sensitivity
from analysis.attribution.measures.regions import SIDE, Regions
from analysis.attribution.measures.work import Work
from analysis.attribution.parameters import checked
from analysis.attribution.ranks import pooled, spearman
from tests.attribution import conftest, fakes
from tests.attribution.conftest import Context, drawn, labelled, opened


def working(session: Any, name: str = "saliency", instance: int = 0, **params: Any) -> tuple[Case, Any]:
    """A case and a function that makes the work inside it."""
    method = registry.get(name)
    case = Case(session, session.batch([instance]))
    return case, lambda: Work(case, method, checked(method.parameters, params), Context())


@pytest.mark.parametrize("kind", ["image", "channels_last", "series", "recurrent", "text", "table"])
def test_regions_cover_every_valid_number_once(kind: str) -> None:
    session = conftest.SESSIONS[kind]()
    batch = session.batch([1, 2] if kind == "text" else [1])  # of different lengths
    case = Case(session, batch)
    regions = Regions(case)
    valid = case.valid()[:1].expand(1, *case.inputs.shape[1:])[0]
    masks = regions.mask(torch.eye(regions.count, dtype=torch.bool))
    assert torch.equal(masks.sum(0), valid.to(masks.sum(0).dtype))
    values = drawn(*case.inputs.shape[1:])
    assert regions.sums(values) == pytest.approx([float(values[mask].sum()) for mask in masks], rel=1e-4, abs=1e-5)
    if kind == "text":
        assert regions.count == int(case.lengths[0])  # type: ignore[index]
    if kind in ("image", "channels_last"):
        whole = masks.any(0).sum()
        assert regions.count <= SIDE**2
        assert whole == case.inputs[0].numel()
        for mask in masks:  # all channels of a block go together
            axis = case.channels - 1  # type: ignore[operator]
            assert bool((mask.any(axis) == mask.all(axis)).all())


def test_large_pictures_have_few_regions() -> None:
    case = type("Large", (), {})()
    case.kind, case.places, case.lengths = "image", (2, 3), None
    case.inputs = torch.zeros(1, 3, 224, 200)
    case.valid = lambda: torch.ones(1, 1, 1, 1, dtype=torch.bool)
    regions = Regions(case)
    assert regions.count == 14 * 13
    assert regions.labels.shape == (3, 224, 200)


def mean_height(line: list[float]) -> float:
    """By trapezoids."""
    return float(np.mean([(a + b) / 2 for a, b in itertools.pairwise(line)]))


def test_curves_equal_taking_regions_away_one_after_another() -> None:
    session = fakes.columns_session(33)
    case, make = working(session, "integrated_gradients")
    with case:
        work = make()
        regions = Regions(case)
        found = curves.curves(work, regions, 3)
        model, x = session.model.requires_grad_(False), case.inputs[0]
        best = case.classes[0][0]
        order = np.argsort(-work.original[0].numpy(), kind="stable")
        slow = []
        for share in found["deletion"]["share"]:
            changed = x.clone()
            changed[order[: round(share * 33)].tolist()] = 0
            slow.append(float(model(changed)[best]))
        assert found["deletion"]["score"] == pytest.approx(slow, rel=1e-4, abs=1e-5)
        slow = []
        for share in found["insertion"]["share"]:
            changed = torch.zeros_like(x)
            kept = order[: round(share * 33)].tolist()
            changed[kept] = x[kept]
            slow.append(float(model(changed)[best]))
        assert found["insertion"]["score"] == pytest.approx(slow, rel=1e-4, abs=1e-5)
    share = torch.softmax(model(x), 0)[best]
    assert found["deletion"]["probability"][0] == pytest.approx(float(share), rel=1e-4)
    for part in ("deletion", "insertion"):
        one = found[part]
        assert one["area"] == pytest.approx(mean_height(one["score"]))
        areas = [mean_height(line) for line in one["random"]]
        assert one["random_area"] == pytest.approx(np.mean(areas))
        assert one["random_sd"] == pytest.approx(np.std(areas, ddof=1))
        assert len(one["random"]) == curves.ORDERS
        ends = {round(line[0], 4) for line in one["random"]} | {round(line[-1], 4) for line in one["random"]}
        assert len(ends) == 2


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400))
def test_points_of_a_curve_are_symmetric(regions: int) -> None:
    counts = curves._counts(regions)
    assert counts[0] == 0
    assert counts[-1] == regions
    assert (np.diff(counts) >= 1).all()
    assert np.array_equal(counts + counts[::-1], np.full(len(counts), regions))


def test_a_single_deciding_region_is_better_than_random_orders_though_never_by_two_deviations() -> None:
    """As the first region goes, the score falls to 0 and stays there."""
    generator = np.random.default_rng(0)
    random = [np.concatenate([np.ones(at + 1), np.zeros(29 - at)]) for at in generator.permutation(29)[:20].tolist()]
    own = np.concatenate([[1.0], np.zeros(29)])
    found = curves.compared(own, random, "deletion")
    assert found["better"]
    assert found["random_area"] - found["area"] < 2 * found["random_sd"]
    assert not curves.compared(random[0], random, "insertion")["better"] or random[0].mean() > 0.9


def test_infidelity_equals_its_definition() -> None:
    session = conftest.table_session()
    case, make = working(session, "integrated_gradients")
    with case:
        work, regions = make(), Regions(case)
        found = infidelity.infidelity(work, regions, 5)
        masks, _ = infidelity.drawn(work, regions, np.random.default_rng([5, 1]))
        told, change = [], []
        x = case.inputs[0]
        for mask in masks:
            told.append(float(sum(work.original[0][at] for at in range(len(x)) if mask[at])))
            altered = torch.stack([torch.zeros(()) if mask[at] else x[at] for at in range(len(x))])
            pair = case.scores(torch.stack([x, altered]), torch.zeros(2, dtype=torch.int64))
            change.append(float(pair[0] - pair[1]))
    scales = np.linspace(0, 3, 30001)
    errors = [np.mean((scale * np.array(told) - change) ** 2) for scale in scales]
    assert found["value"] == pytest.approx(min(errors) / np.mean(np.square(change)), abs=1e-5)
    assert found["samples"] == len(masks)
    assert (masks.sum(1) > 0).all()


def test_a_map_with_all_signs_wrong_is_as_bad_as_saying_nothing() -> None:
    change = np.random.default_rng(0).normal(size=64)
    assert infidelity.scaled(2 * change, change) == pytest.approx(0, abs=1e-12)
    assert infidelity.scaled(-change, change) == 1
    assert infidelity.scaled(-change, change, signed=False) == pytest.approx(0, abs=1e-12)
    session = conftest.table_session()
    for signed in (True, False):
        case, make = working(session, "saliency", abs=not signed)
        with case:
            assert make().signed is signed


def test_taken_away_parts_are_squares_spans_or_tokens() -> None:
    for kind in ("image", "series", "text"):
        case, make = working(conftest.SESSIONS[kind](), instance=1)
        with case:
            masks, how = infidelity.drawn(make(), Regions(case), np.random.default_rng(0))
        valid = case.valid().expand_as(case.inputs)[0]
        assert not bool((masks & ~valid).any())
        assert bool(masks.flatten(1).any(1).all())
        assert how.endswith("at the baseline")
        if kind == "image":
            for mask in masks:
                rows, columns = mask[0].any(1).nonzero()[:, 0], mask[0].any(0).nonzero()[:, 0]
                assert int(mask[0].sum()) == len(rows) * len(columns)
                assert int(rows[-1] - rows[0]) + 1 == len(rows)


def test_sensitivity_equals_its_definition() -> None:
    session = conftest.image_session()
    case, make = working(session)
    with case:
        work = make()
        found = sensitivity.sensitivity(work, 3, 7)
        generator = torch.Generator().manual_seed(7)
        reach = 0.02 * float(case.inputs.max() - case.inputs.min())
        slow = 0.0
        for _ in range(3):
            near = case.inputs + (torch.rand(case.inputs.shape, generator=generator) * 2 - 1) * reach
            near.requires_grad_()
            [slope] = torch.autograd.grad(case.score(near).sum(), near)
            slow = max(slow, float((slope - work.original).norm() / work.original.norm()))
    assert found["value"] == pytest.approx(slow, rel=1e-4)


def test_a_step_function_s_gradient_is_insensitive_and_a_wild_one_is_not() -> None:
    class Wild(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([torch.sin(300 * x).sum(1), x[:, 0]], 1)

    case, make = working(opened(Wild(), labelled(drawn(8, 4)), kind="table"))
    with case:
        assert sensitivity.sensitivity(make(), 8, 0)["value"] > 0.5
    case, make = working(fakes.columns_session())
    with case:
        assert sensitivity.sensitivity(make(), 8, 0)["value"] == pytest.approx(0, abs=1e-6)


def test_randomised_similarity_equals_drawing_layer_by_layer() -> None:
    session = conftest.image_session()
    case, make = working(session)
    with case:
        work = make()
        layers = redrawn.groups(case, 8)
        found = randomised.randomised(work, layers, 2, 1)
        model = session.model
        kept = {name: value.detach().clone() for name, value in model.named_parameters()}
        slow = np.zeros((2, 3))
        for draw in range(2):
            generator = torch.Generator().manual_seed(1000 + draw)
            for at, layer in enumerate(("5", "2", "0")):
                for name, value in model.named_parameters():
                    if name.startswith(f"{layer}."):
                        fresh = torch.randn(value.shape, generator=generator, dtype=torch.float64)
                        spread, mean = torch.std_mean(kept[name].double(), correction=0)
                        value.data = (fresh * spread + mean).float()
                x = case.inputs.clone().requires_grad_()
                [slope] = torch.autograd.grad(case.score(x).sum(), x)
                slow[draw, at] = spearmanr(slope.abs().flatten(), work.original.abs().flatten()).statistic
            for name, value in model.named_parameters():
                value.data = kept[name].clone()
    assert found["similarity"] == pytest.approx(slow.mean(0).tolist(), abs=1e-5)
    assert found["last"] == found["similarity"][-1]


def test_values_that_are_0_in_both_maps_do_not_count() -> None:
    one, other = np.zeros(50), np.zeros(50)
    one[:6], other[:6] = [1, 2, 3, 4, 5, 6], [3, 1, 2, 6, 4, 5]
    assert spearmanr(one, other).statistic > 0.95
    assert randomised.similar(one, other) == (pytest.approx(spearmanr(one[:6], other[:6]).statistic), 6)


def test_all_pixels_of_a_superpixel_count_once() -> None:
    """A large one would make any two maps alike."""
    one, other = np.repeat([1.0, 2, 3, 4], [1, 1, 1, 97]), np.repeat([3.0, 1, 2, 4], [1, 1, 1, 97])
    assert randomised.similar(one, other) == (pytest.approx(spearmanr([1, 2, 3, 4], [3, 1, 2, 4]).statistic), 4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=3, max_size=30))
def test_spearman_is_scipy_s(pairs: list[tuple[int, int]]) -> None:
    one, other = np.array(pairs, float).T
    found = spearman(one, other)
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        assert found is None
    else:
        assert found == pytest.approx(spearmanr(one, other).statistic, abs=1e-9)
    assert spearman(one[:2], other[:2]) is None
    assert spearman(np.append(one, np.nan), np.append(other, 0)) is None


def test_pooling_takes_means_of_blocks() -> None:
    values = np.arange(70.0).reshape(7, 10)
    found = pooled(values, 4, (0, 1))
    assert found.shape == (4, 4)
    assert found[0, 0] == values[:2, :3].mean()
    assert found[3, 3] == values[6:, 9:].mean()
    assert pooled(values, 10, (0, 1)) is not None
    assert np.array_equal(pooled(values, 10, (0, 1)), values)
