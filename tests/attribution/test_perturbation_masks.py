"""Masked versions in batches; occlusion and ablation against slow loops and Captum."""

from __future__ import annotations

from typing import Any

import captum.attr
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from analysis.attribution import baselines, features, masks, windows
from analysis.attribution.case import Case
from analysis.attribution.faults import AttributionError
from analysis.attribution.methods import feature_ablation, occlusion
from analysis.errors import ParameterError
from tests.attribution.conftest import SESSIONS, drawn, ids, labelled, opened, table_net, text_session
from tests.attribution.games import case_of, run


def random_masks(count: int, m: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, m)) < 0.5


@pytest.mark.parametrize("kind", list(SESSIONS))
def test_versions_in_batches_of_several_instances_are_scored_as_one_by_one(kind: str) -> None:
    case = case_of(SESSIONS[kind](), 0, 1, 4)
    base = baselines.of(case, "mean")
    with case:
        players = [masks.Players(case, row, base, features.groups(case, row)) for row in range(3)]
        wanted = [random_masks(n, one.count, n) for n, one in zip((5, 0, 9), players, strict=True)]
        together = masks.Engine(case, base, 4).scores([one.masks(m) for one, m in zip(players, wanted, strict=True)])
        for row, (one, kept, found) in enumerate(zip(players, wanted, together, strict=True)):
            for keep, score in zip(kept, found, strict=True):
                on = set(one.live[keep].tolist()) | {-1} | (set(range(one.features.count)) - set(one.live.tolist()))
                chosen = torch.tensor([n in on for n in one.features.groups.flatten().tolist()])
                x = torch.where(chosen.reshape(one.features.groups.shape), case.inputs[row], base[row])
                slow = float(case.scores(x[None], torch.tensor([row]))[0])
                assert score == pytest.approx(slow, abs=1e-5)


def test_shares_lie_between_the_instance_and_its_baseline() -> None:
    case = case_of(SESSIONS["table"]())
    base = baselines.of(case, "mean")
    with case:
        one = masks.Players(case, 0, base, features.groups(case))
        shares = np.array([[0.25, 1.0, 0.0, 0.5, 0.75]], np.float32)
        [found] = masks.Engine(case, base).scores([one.masks(shares)])
        x = base + (case.inputs - base) * torch.from_numpy(shares)
        assert found[0] == pytest.approx(float(case.scores(x)[0]), abs=1e-6)


def test_padding_reaches_the_model_as_it_is() -> None:
    session = text_session(packed=False)
    case = case_of(session, 2, 1)  # 9 and 4 tokens
    base = torch.full_like(case.inputs, 3.0)
    seen: list[Tensor] = []
    with case:
        score = case.score
        case.score = lambda x, rows=None: (seen.append(x.clone()), score(x, rows))[1]  # type: ignore[method-assign]
        one = masks.Players(case, 1, base, features.groups(case, 1))
        masks.Engine(case, base).scores([one.masks(random_masks(6, one.count))])
    assert torch.equal(seen[0][:, 4:], case.inputs[1:, 4:].expand(6, -1, -1))
    assert bool((seen[0][:, :4] == 3.0).any())


def test_features_that_equal_the_baseline_are_not_tried_and_count_nothing() -> None:
    inputs = drawn(3, 5)
    inputs[0, 1:4] = 0
    case = case_of(opened(table_net(), labelled(inputs, 3)))
    with case:
        one = masks.Players(case, 0, baselines.of(case, "zero"), features.groups(case))
    assert one.live.tolist() == [0, 4]
    assert one.note == "5 columns, of which 3 equal the baseline and count 0"
    assert one.laid(np.array([2.0, 7.0])).tolist() == [2, 0, 0, 0, 7]


def test_passes_have_the_rows_that_were_asked_for_and_are_told() -> None:
    case = case_of(SESSIONS["table"]())
    base = baselines.of(case, "zero")
    sizes: list[int] = []
    told: list[tuple[Any, ...]] = []
    with case:
        score = case.score
        case.score = lambda x, rows=None: (sizes.append(len(x)), score(x, rows))[1]  # type: ignore[method-assign]
        one = masks.Players(case, 0, base, features.groups(case))
        engine = masks.Engine(case, base, 7, lambda *given: told.append(given), "Trying")
        engine.scores([one.masks(random_masks(10, 5)), one.masks(random_masks(8, 5))])
    assert sizes == [7, 7, 4]
    assert [given[:2] for given in told] == [(0, 18), (7, 18), (14, 18)]


@pytest.mark.parametrize(("units", "expected"), [(100, 512), (16_000, 64), (100_000, 8), (200_000_000, 1)])
def test_rows_of_a_pass_follow_what_the_layers_yield(units: int, expected: int) -> None:
    case = case_of(SESSIONS["table"]())
    [first, *_] = case.session.layers
    case.session.layers = [type(first)(**{**vars(first), "filters": units})]
    assert masks.suitable_rows(case) == expected


def test_a_score_that_is_not_finite_is_refused_in_a_sentence() -> None:
    class Divides(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = table_net()

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) / x[:, :1]

    case = case_of(opened(Divides(), labelled(drawn(6, 5), 3)))
    with pytest.raises(AttributionError, match="NaN or infinite for 1 of 6 versions"):
        run(feature_ablation, case)


@pytest.mark.parametrize("name", ["image", "channels_last", "series", "recurrent", "text", "transformer", "table"])
@pytest.mark.parametrize(("size", "stride"), [(0, 0), (3, 2), (1, 1), (5, 5), (100, 0)])
def test_occlusion_is_what_a_slow_loop_over_windows_finds(name: str, size: int, stride: int) -> None:
    case = case_of(SESSIONS[name](), 1)
    found = run(occlusion, case, sliding_window_shapes=size, strides=stride, baselines="mean").values
    expected = slow_occlusion(case, baselines.of(case, "mean"), size, stride)
    torch.testing.assert_close(found.expand_as(expected), expected, atol=1e-5, rtol=1e-4)


def slow_occlusion(case: Case, base: Tensor, size: int, stride: int) -> Tensor:
    """Every window in turn, as a box of the input."""
    shape = case.inputs.shape[1:]
    steps = int(case.lengths[0]) if case.lengths is not None else None
    places = [axis - 1 for axis in case.places] or [0]
    ranges = []
    for axis, whole in enumerate(shape):
        length = steps if steps is not None and axis in places else whole
        if axis in places:
            width, apart = windows.sizes(case.kind, length, size, stride)
            starts = [0]
            while starts[-1] + width < length:
                starts.append(starts[-1] + apart)
            ranges.append([slice(start, min(start + width, length)) for start in starts])
        elif case.kind == "series":
            ranges.append([slice(at, at + 1) for at in range(whole)])
        else:
            ranges.append([slice(0, whole)])
    total, times = torch.zeros(1, *shape), torch.zeros(1, *shape)
    with case:
        score = case.scores(case.inputs)[0]
        for number in np.ndindex(*(len(one) for one in ranges)):
            box = (0, *(one[at] for one, at in zip(ranges, number, strict=True)))
            x = case.inputs.clone()
            x[box] = base[box]
            total[box] += score - case.scores(x)[0]
            times[box] += 1
    found = total / times.clamp_min(1)
    return found / shape[-1] if case.kind == "text" else found


@pytest.mark.parametrize(("size", "stride"), [(3, 2), (4, 4), (2, 1)])
def test_occlusion_of_pictures_equals_captum(size: int, stride: int) -> None:
    case = case_of(SESSIONS["image"](), 0, 3)
    found = run(occlusion, case, sliding_window_shapes=size, strides=stride).values
    with case:
        expected = captum.attr.Occlusion(case.module).attribute(
            case.inputs, (3, size, size), (3, stride, stride), additional_forward_args=case.rows
        )
    torch.testing.assert_close(found.expand_as(expected), expected.float(), atol=1e-6, rtol=1e-4)


def test_occlusion_of_series_equals_captum() -> None:
    case = case_of(SESSIONS["series"](), 0, 1)
    for channels, width in (("each", 1), ("all", 2)):
        found = run(occlusion, case, sliding_window_shapes=10, strides=4, channels=channels).values
        with case:
            expected = captum.attr.Occlusion(case.module).attribute(
                case.inputs, (width, 10), (width, 4), additional_forward_args=case.rows
            )
        torch.testing.assert_close(found.expand_as(expected), expected.float(), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("kind", ["image", "channels_last", "series", "text", "table"])
def test_feature_ablation_equals_captum_with_the_same_features(kind: str) -> None:
    case = case_of(SESSIONS[kind](), 1)
    found = run(feature_ablation, case, segments=7).values
    mask = features.groups(case, 0, segments=7).groups
    mask = torch.where(mask < 0, mask.max() + 1, mask)[None].expand_as(case.inputs).contiguous()
    with case:
        expected = captum.attr.FeatureAblation(case.module).attribute(
            case.inputs, feature_mask=mask, additional_forward_args=case.rows
        )
    expected = torch.where(case.valid(), expected, 0.0) / (case.inputs.shape[2] if kind == "text" else 1)
    torch.testing.assert_close(found.expand_as(expected), expected.float(), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("method", [occlusion, feature_ablation])
@pytest.mark.parametrize("kind", list(SESSIONS))
def test_an_instance_beside_others_gets_what_it_gets_alone(method: Any, kind: str) -> None:
    session = SESSIONS[kind]()
    together = case_of(session, 1, 0, 3)
    found = run(method, together).values
    for row, index in enumerate((1, 0, 3)):
        alone = case_of(session, index)
        one = run(method, alone).values
        np.testing.assert_allclose(
            together.natural(found.expand_as(together.inputs), row),
            alone.natural(one.expand_as(alone.inputs), 0),
            atol=1e-6,
        )


def test_a_unit_of_a_layer_can_be_ablated() -> None:
    session = SESSIONS["relu"]()
    key = session.layers[0].key
    found = run(feature_ablation, case_of(session, 2, unit=f"{key}:1")).values
    assert bool((found != 0).any())


def test_windows_that_leave_gaps_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"Windows of 2 that are 3 apart leave gaps"):
        run(occlusion, case_of(SESSIONS["image"]()), sliding_window_shapes=2, strides=3)


def test_windows_that_change_nothing_are_not_tried() -> None:
    inputs = torch.zeros(3, 1, 10, 10)
    inputs[:, :, 2:4, 2:4] = 1
    inputs[1] = 0
    model = nn.Sequential(nn.Flatten(), nn.Linear(100, 2))
    case = case_of(opened(model, labelled(inputs), kind="image"), 0, 1)
    found = run(occlusion, case, sliding_window_shapes=2, strides=2)
    assert found.extra == {"windows": 1}
    assert int((found.values[0] != 0).sum()) == 4
    assert not found.values[1].any()


def test_default_windows_of_a_digit_make_169() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 2))
    case = case_of(opened(model, labelled(drawn(2, 1, 28, 28)), kind="image"))
    assert run(occlusion, case).extra == {"windows": 169}


class Bag(nn.Module):
    """The mean of the vectors of all ids but the padding, 0."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.bag = nn.EmbeddingBag(20, 6, mode="mean", padding_idx=0)
        self.out = nn.Linear(6, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.bag(ids).tanh())


def test_tokens_of_an_embedding_bag_are_taken_away_one_by_one() -> None:
    session = opened(Bag(), labelled(ids()), kind="text", embedding_layer="bag")
    case = case_of(session, 1)
    found = run(feature_ablation, case).values[0].sum(1)
    vectors = session.model.bag.weight[case.batch.principal[0]].detach()
    with case, torch.no_grad():
        score = case.scores(case.inputs)[0]
        for at in range(4):
            left = vectors.clone()
            left[at] = 0
            logits = session.model.out(left.mean(0).tanh())
            assert float(found[at]) == pytest.approx(float(score - logits[case.classes[0][0]]), abs=1e-6)


def test_nothing_random_is_drawn_and_the_model_is_left_as_it_was() -> None:
    session = SESSIONS["image"]()
    state, weights = torch.get_rng_state(), [p.clone() for p in session.model.parameters()]
    first, second = (run(feature_ablation, case_of(session)).values for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(weights, session.model.parameters(), strict=True))
