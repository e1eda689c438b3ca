from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from analysis.training import Finding, Thresholds, curve_findings
from analysis.training.curves import continued, medians, noise, slope, smooth


def found(curves, **thresholds) -> dict[str, Finding]:
    return {f.rule: f for f in curve_findings(curves, Thresholds(**thresholds))}


def decay(n: int = 500, scatter: float = 0.05, seed: int = 0, floor: float = 0.1, tau: float = 3.0):
    """A loss that falls from 2.3 all along, with noise."""
    x = np.arange(n)
    y = floor + (2.3 - floor) * np.exp(-tau * x / n) + np.random.default_rng(seed).normal(0, scatter, n)
    return x, y


def level(n: int = 500, seed: int = 0, at: float = 2.3, scatter: float = 0.05):
    return np.arange(n), at + np.random.default_rng(seed).normal(0, scatter, n)


@pytest.mark.parametrize("seed", range(20))
def test_healthy_curves_raise_nothing(seed):
    steps, loss = decay(seed=seed)
    every = steps[24::25]
    validation = decay(500, 0.01, seed + 100, floor=0.15)[1][24::25]
    curves = {
        "train/loss": (steps, loss),
        "validation/loss": (every, validation),
        "train/accuracy": (steps, np.clip(1 - loss / 3, 0, 1)),
        "validation/accuracy": (every, 0.97 - validation / 3),
        "learning_rate": (steps, np.full(500, 0.1)),
    }
    assert found(curves) == {}


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 0.9], [float("nan")], [float("nan")] * 50, [0.0] * 3])
def test_short_and_empty_curves_raise_no_trend(values):
    steps = np.arange(len(values))
    assert set(found({"loss": (steps, values), "val_loss": (steps, values)})) <= {"nonfinite-values"}


def test_nonfinite():
    steps, loss = decay()
    loss[300:] = np.nan
    finding = found({"train/loss": (steps, loss)})["nonfinite-values"]
    assert (finding.severity, finding.step, finding.tag) == ("problem", 300, "train/loss")
    assert ("not finite", "200 of 500 values") in finding.evidence
    loss = decay()[1]
    loss[300] = np.inf
    passing = found({"train/loss": (steps, loss)})
    assert set(passing) == {"nonfinite-values"}
    assert passing["nonfinite-values"].severity == "warning"
    assert passing["nonfinite-values"].sentence.endswith("at step 300, and was 1 time in all.")
    assert "nonfinite-values" not in found({"train/loss": decay()})


@pytest.mark.parametrize("seed", range(10))
def test_diverged(seed):
    steps, loss = decay(seed=seed)
    loss[350:] += np.linspace(0, 6, 150)
    finding = found({"train/loss": (steps, loss)})["diverged"]
    assert finding.severity == "problem"
    assert 280 <= finding.step <= 370
    jumped = decay(seed=seed)[1]
    jumped[350:] = 9 + np.random.default_rng(seed).normal(0, 0.5, 150)
    assert "diverged" in found({"loss": (steps, jumped)})
    assert "diverged" in found({"loss": (steps, np.exp(steps / 60))})


@pytest.mark.parametrize("seed", range(20))
def test_not_diverged(seed):
    steps, loss = decay(seed=seed)
    spike = loss.copy()
    spike[400:404] = 30
    assert "diverged" not in found({"loss": (steps, spike)})
    recovering = loss.copy()
    recovering[350:] += np.linspace(6, 1, 150)
    assert "diverged" not in found({"loss": (steps, recovering)})
    assert "diverged" not in found({"loss": level(seed=seed)})
    memorised = decay(seed=seed, floor=0.0, scatter=0, tau=12)[1]
    memorised[400:] *= 5  # five times next to nothing
    assert "diverged" not in found({"loss": (steps, memorised)})
    assert "diverged" not in found({"reward": (steps, -np.exp(steps / 60))})  # nobody knows which way is better
    assert "diverged" not in found({"loss_scale": (steps, np.exp(steps / 60))})


@pytest.mark.parametrize("seed", range(20))
def test_plateau(seed):
    steps, loss = decay(seed=seed, tau=30)
    finding = found({"train/loss": (steps, loss)})["plateau"]
    assert finding.severity == "hint"
    assert 340 <= finding.step <= 360
    assert "promises little" in finding.action
    better = 1 - loss / 3
    assert "has not risen" in found({"train/accuracy": (steps, better)})["plateau"].sentence


@pytest.mark.parametrize("tau", [50, 100])
def test_a_curve_that_still_rises_is_no_plateau_however_noisy(tau):
    for n, seed in itertools.product((40, 80, 120), range(20)):  # of 500 steps, judged while they are made
        steps = np.arange(n)
        share = 0.97 - 0.87 * np.exp(-steps / tau)
        noisy = share + np.random.default_rng(seed).normal(0, 0.12, n) * np.sqrt(share * (1 - share))
        case = {"train/accuracy": (steps, noisy), "train/loss": (steps, 3 * (1 - noisy))}
        assert "plateau" not in found(case), (n, seed)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.4])
def test_a_rise_that_stops_is_a_plateau(share):
    for seed in range(10):
        steps, scatter = level(at=0.1, seed=seed)
        stopped = scatter + 0.5 * np.minimum(steps / (500 * share), 1)
        assert found({"train/accuracy": (steps, stopped)})["plateau"].severity == "hint"


def test_never_learned():
    stuck = [found({"loss": level(seed=seed)}).get("plateau") for seed in range(50)]
    assert all(f is None or f.severity == "warning" for f in stuck)
    assert sum(f is not None for f in stuck) >= 45
    assert "since the start" in next(f for f in stuck if f).sentence


def test_not_a_plateau():
    for seed in range(30):
        assert "plateau" not in found({"loss": decay(seed=seed)})
        assert "plateau" not in found({"loss": decay(5000, 0.2, seed)})
        assert "plateau" not in found({"loss": decay(40, 0.02, seed)})
        assert "plateau" not in found({"sparsity": level(seed=seed)})


def test_validation_speaks_for_its_group():
    steps, loss = decay()
    flat = {"train/loss": (steps, loss), "validation/loss": level(at=0.5, scatter=0.01)}
    assert found(flat)["plateau"].tag == "validation/loss"
    few = {"train/loss": decay(tau=30), "validation/loss": (steps[::100], loss[::100])}
    assert found(few)["plateau"].tag == "train/loss"


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("every", [10, 25, 50])
def test_overfitting_by_loss(seed, every):
    steps, loss = decay(seed=seed, floor=0)
    at = steps[every - 1 :: every]
    held = 0.4 + 1.9 * np.exp(-12 * at / 500) + 0.5 * np.clip(at - 200, 0, None) / 300
    held = held + np.random.default_rng(seed).normal(0, 0.005, len(at))
    finding = found({"train/loss": (steps, loss), "validation/loss": (at, held)})["overfit"]
    assert finding.tag == "validation/loss"
    assert 140 <= finding.step <= 260
    assert f"checkpoint nearest to step {finding.step}" in finding.action


@pytest.mark.parametrize(("scale", "unit"), [(1, "0..1"), (100, "percent")])
def test_overfitting_by_gap(scale, unit):
    steps = np.arange(500)
    fitted = 1 - np.exp(-steps / 50)
    curves = {"acc": (steps, scale * fitted), "val_acc": (steps[::25], scale * 0.8 * fitted[::25])}
    finding = found(curves)["overfit"]
    assert "20.0 points below" in finding.sentence, unit
    assert "overfit" not in found(curves, overfit_gap=25.0)


def test_not_overfitting():
    for seed in range(20):
        steps, loss = decay(seed=seed)
        _, noisy = level(20, seed, at=0.5, scatter=0.05)
        assert "overfit" not in found({"train/loss": (steps, loss), "val/loss": (steps[::25], noisy)})
        both = np.linspace(1, 2, 20)
        rising = {"train/loss": (steps[::25], both), "val/loss": (steps[::25], both)}  # getting worse alike
        assert "overfit" not in found(rising)
        assert "overfit" not in found({"val/loss": (steps[::25], both)})
        assert "overfit" not in found({"train/accuracy": (steps, loss), "val/accuracy": ([1, 2], [0.0, 0.0])})


def test_a_long_curve_is_judged():
    assert found({"train/loss": decay(200_000)}) == {}


def test_a_resumed_run_may_step_back():
    _steps, loss = decay()
    again = np.concatenate([np.arange(300), np.arange(250, 500)])
    assert found({"loss": (again, loss[again])}) == {}


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="3 steps but 2 values"):
        found({"loss": ([1, 2, 3], [1, 2])})


numbers = hnp.arrays(np.float64, st.integers(0, 60), elements=st.floats(width=32))


@settings(max_examples=60, deadline=None)
@given(numbers, numbers)
def test_nothing_crashes_a_rule(train, validation):
    with np.errstate(all="ignore"):
        for finding in found(
            {"train/loss": (np.arange(len(train)), train), "val/loss": (np.arange(len(validation)), validation)}
        ).values():
            assert finding.sentence.endswith(".")
            assert finding.explanation


@given(hnp.arrays(np.float64, st.integers(2, 30), elements=st.floats(-100, 100)))
def test_slope_is_the_median_of_all_pairs(values):
    steps = np.arange(len(values), dtype=float) * 3
    slow = [
        (values[j] - values[i]) / (steps[j] - steps[i]) for i in range(len(values)) for j in range(i + 1, len(values))
    ]
    assert slope(steps, values) == pytest.approx(float(np.median(slow)))


def test_robust_pieces():
    steps, values = level(2000, scatter=0.3)
    assert noise(values) == pytest.approx(0.3, rel=0.1)
    assert noise(values + 0.01 * steps) == pytest.approx(0.3, rel=0.1)
    assert smooth(np.array([1.0, 9.0, 1.0, 1.0]), 3).tolist() == [5.0, 1.0, 1.0, 1.0]
    x, y = medians(steps.astype(float), values, 100)
    assert len(x) == len(y) == 100
    assert (np.diff(x) > 0).all()


def test_a_restart_is_judged_by_the_line_it_continues() -> None:
    steps = [0, 1, 2, 3, 4, 2, 3, 5, 1, 9]
    segments = [1, 1, 1, 1, 1, 2, 2, 2, 3, 3]
    kept, values = continued(steps, np.arange(10.0), segments)
    assert kept.tolist() == [0, 1, 9]
    assert values.tolist() == [0, 8, 9]
    assert [part.tolist() for part in continued(steps[:8], np.arange(8.0), segments[:8])] == [
        [0, 1, 2, 3, 5],
        [0, 1, 5, 6, 7],
    ]
    assert [len(part) for part in continued([], [], [])] == [0, 0]


def test_windows_and_running_medians_agree_with_the_slow_way() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 2, 3, 4, 5, 7, 199, 200, 201, 399, 1234):
        values, steps = rng.normal(size=count), np.sort(rng.integers(0, 1000, count)).astype(float)
        cuts = np.linspace(0, count, 201).astype(int) if count > 200 else np.arange(count + 1)
        slow = [np.median(values[a:b]) for a, b in itertools.pairwise(cuts)]
        np.testing.assert_array_equal(medians(steps, values, 200)[1], slow)
        for width in (3, 5):
            half = width // 2
            slow = [np.median(values[max(i - half, 0) : i + half + 1]) for i in range(count)]
            np.testing.assert_array_equal(smooth(values, width), slow)
