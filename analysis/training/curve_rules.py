"""Rules about curves: values that are not numbers, divergence, plateaus, overfitting."""

from __future__ import annotations

import numpy as np

from analysis.records import FloatArray
from analysis.training.curves import Curve, CurveCase, noise, rise, slope, smooth
from analysis.training.findings import Finding, number, plural
from analysis.training.tags import MetricGroup

ENOUGH = 12  # points below which a trend is not judged
MOST = 0.9  # share of an improvement whose duration says how fast a curve moves


def nonfinite_values(case: CurveCase) -> list[Finding]:
    """NaN or infinite values in any curve."""
    found = []
    for curve in case.curves.values():
        if not len(curve.bad_steps):
            continue
        first, count = int(curve.bad_steps[0]), len(curve.bad_steps)
        still = "and still is" if curve.ends_bad else f"and was {plural(count, 'time')} in all"
        found.append(
            Finding(
                rule="nonfinite-values",
                severity="problem" if curve.ends_bad else "warning",
                subject="run",
                tag=curve.tag,
                step=first,
                sentence=f"{curve.tag} was NaN or infinite for the first time at step {first:,}, {still}.",
                evidence=(
                    ("first at", f"step {first:,}"),
                    ("not finite", f"{count:,} of {plural(curve.total, 'value')}"),
                ),
                action="Return to a checkpoint before this step; lower the learning rate or clip the gradient.",
            )
        )
    return found


def diverged(case: CurveCase) -> list[Finding]:
    """A loss far above its best and not coming back."""
    found = []
    for group in case.groups:
        curve = case.get(group.train) or case.get(group.validation)
        if group.direction == "lower" and curve is not None and len(curve) >= ENOUGH:
            found += _diverged(case, curve)
    return found


def _diverged(case: CurveCase, curve: Curve) -> list[Finding]:
    width = max(3, len(curve) // 10)
    levels = [float(np.median(part)) for part in _windows(curve.values, width)]
    best, now = min(levels), levels[-1]
    excess = now - best
    limits = (
        (case.thresholds.diverged_ratio - 1) * abs(best),
        0.25 * (levels[0] - best),
        4 * noise(curve.values),
    )
    gain, chance = rise(curve.steps[-2 * width :], curve.values[-2 * width :])
    if excess <= max(limits) or gain < -chance:  # one that is coming down again is recovering
        return []
    at = int(curve.steps[np.argmin(curve.values)])
    return [
        Finding(
            rule="diverged",
            severity="problem",
            subject="run",
            tag=curve.tag,
            step=at,
            sentence=f"{curve.tag} has risen to {number(now)} from {number(best)} around step {at:,} "
            "and is not coming down.",
            evidence=(("best", f"{number(best)} (median around step {at:,})"), ("now", f"{number(now)} (median)")),
            action=f"Return to a checkpoint near step {at:,}; lower the learning rate or clip the gradient.",
        )
    ]


def _windows(values: FloatArray, width: int) -> list[FloatArray]:
    """Runs of at least ``width`` points, counted from the end so that the last is always full."""
    return [values[max(end - width, 0) : end] for end in range(len(values), width - 1, -width)][::-1]


def plateau(case: CurveCase) -> list[Finding]:
    """A metric that no longer improves, or never did."""
    found = []
    for group in case.groups:
        if group.direction == "unknown" or _overfit_loss(case, group):
            continue
        for curve in (case.get(group.validation), case.get(group.train)):
            if curve is not None and len(_tail(case, curve)[0]) >= case.thresholds.plateau_points:
                found += _plateau(case, curve, 1.0 if group.direction == "higher" else -1.0)
                break  # validation speaks for the group where it has enough values
    return found


def _tail(case: CurveCase, curve: Curve) -> tuple[FloatArray, FloatArray]:
    last, first = curve.steps[-1], curve.steps[0]
    return curve.after(last - case.thresholds.plateau_share * (last - first))


def _plateau(case: CurveCase, curve: Curve, sign: float) -> list[Finding]:
    t = case.thresholds
    steps, values = _tail(case, curve)
    if len(curve) - len(values) < 3:
        return []
    gain, chance = rise(steps, sign * values)
    levels = sign * smooth(curve.values, 5)
    if sign > 0 and float(np.median(values)) >= 0.99:
        return []  # an accuracy at its top cannot rise
    so_far = float(levels.max() - levels[0])
    if gain > max(chance, t.plateau_gain * so_far):
        return []
    whole, whole_chance = rise(curve.steps, sign * curve.values)
    never = whole <= whole_chance and so_far <= 4 * noise(curve.values)
    if not never and _still_early(curve, levels, float(np.median(sign * values))):
        return []
    span = int(steps[-1] - steps[0])
    better = "risen" if sign > 0 else "fallen"
    # Above the noise, but less than the share that counts: both stand in the evidence.
    hardly = f"not {better} by more than its noise" if gain <= chance else f"hardly {better}"
    since = "since the start" if never else f"for {plural(span, 'step')}"
    return [
        Finding(
            rule="plateau",
            severity="warning" if never else "hint",
            subject="run",
            tag=curve.tag,
            step=int(curve.steps[0] if never else steps[0]),
            sentence=f"{curve.tag} has {hardly} {since}; it is at {number(float(np.median(values)))}.",
            evidence=(
                ("trend", f"{sign * gain:+.2g} over {plural(span, 'step')}"),
                ("noise explains", f"up to {max(chance, 0.0):.2g}"),
                ("improvement so far", number(so_far)),
            ),
            action="Check the learning rate, the labels and that gradients reach every layer."
            if never
            else "If it stays so, longer training as it is promises little: stop, or lower the learning rate.",
        )
    ]


def _still_early(curve: Curve, levels: FloatArray, reached: float) -> bool:
    """Whether most of the improvement took longer than what has passed since: noise hides the rise of so few steps.

    levels: the smoothed curve, larger is better. reached: its level now. Of an exponential approach less than
    1 % is left when this becomes False.
    """
    if reached <= levels[0]:
        return False
    # Counted instead of sought, so that single outliers neither hasten nor delay it.
    below = int(np.count_nonzero(levels < levels[0] + MOST * (reached - levels[0])))
    at = curve.steps[min(below, len(curve) - 1)]
    return bool(curve.steps[-1] - at < at - curve.steps[0])


def overfit(case: CurveCase) -> list[Finding]:
    """Validation getting worse while training improves, or a wide gap between them."""
    found = []
    for group in case.groups:
        found += _overfit_loss(case, group) + _overfit_gap(case, group)
    return found


def _turn(case: CurveCase, train: Curve, validation: Curve) -> int | None:
    """Index of the best validation loss, if it has risen since while the training loss fell."""
    t = case.thresholds
    levels = smooth(validation.values, 3)
    low = int(np.argmin(levels))
    lost = float(np.median(validation.values[-3:])) - float(levels[low])
    if len(levels) - 1 - low < t.overfit_points:
        return None
    if lost <= max(t.overfit_rise * abs(float(levels[low])), 3 * noise(validation.values)):
        return None
    at = validation.steps[low]
    if slope(*validation.after(at)) <= 0 or slope(*train.after(at)) >= 0:
        return None
    start = max(low - 1, 0)  # the median may stand beside the very best value
    return start + int(np.argmin(validation.values[start : low + 2]))


def _sides(case: CurveCase, group: MetricGroup, direction: str) -> tuple[Curve, Curve] | None:
    """Training and validation curve of a metric that improves in this direction, with enough values to compare."""
    train, validation = case.get(group.train), case.get(group.validation)
    if group.direction != direction or train is None or validation is None:
        return None
    return (train, validation) if len(validation) >= case.thresholds.overfit_points + 2 else None


def _lately(train: Curve, validation: Curve) -> float:
    """Median of the training values over the steps of the last three validation values."""
    recent = train.after(validation.steps[-3])[1]
    return float(np.median(recent if len(recent) else train.values[-3:]))


def _overfit_loss(case: CurveCase, group: MetricGroup) -> list[Finding]:
    sides = _sides(case, group, "lower")
    best_at = _turn(case, *sides) if sides else None
    if sides is None or best_at is None:
        return []
    train, validation = sides
    step, best = int(validation.steps[best_at]), float(validation.values[best_at])
    now = float(np.median(validation.values[-3:]))
    more = f" ({(now - best) / abs(best):.0%} more)" if best else ""
    return [
        Finding(
            rule="overfit",
            severity="warning",
            subject="run",
            tag=validation.tag,
            step=step,
            sentence=f"{validation.tag} was best at step {step:,} ({number(best)}) and has risen "
            f"to {number(now)}{more} while {train.tag} kept falling: the network overfits.",
            evidence=(
                ("best", f"{number(best)} at step {step:,}"),
                ("now", f"{number(now)} (median of the last 3 values)"),
                (train.tag, f"{number(_lately(train, validation))} now (median)"),
            ),
            action=f"Use the checkpoint nearest to step {step:,}; regularise, augment or stop there.",
        )
    ]


def _overfit_gap(case: CurveCase, group: MetricGroup) -> list[Finding]:
    sides = _sides(case, group, "higher")
    if sides is None:
        return []
    train, validation = sides
    fitted = _lately(train, validation)
    held = float(np.median(validation.values[-3:]))
    points = 1.0 if max(train.values.max(), validation.values.max()) > 1.5 else 100.0  # logged in percent, or 0..1
    gap = points * (fitted - held)
    if gap < case.thresholds.overfit_gap:
        return []
    step = int(validation.steps[np.argmax(validation.values)])
    best = points * float(validation.values.max())
    return [
        Finding(
            rule="overfit",
            severity="warning",
            subject="run",
            tag=validation.tag,
            step=step,
            sentence=f"{validation.tag} is {gap:.1f} points below {train.tag}: the network fits what it was shown "
            "better than what it was not.",
            evidence=(
                (train.tag, f"{points * fitted:.1f} (median of the same steps)"),
                (validation.tag, f"{points * held:.1f} (median of the last 3 values)"),
                ("best", f"{best:.1f} at step {step:,}"),
            ),
            action=f"Use the checkpoint nearest to step {step:,}; regularise, augment or gather more data.",
        )
    ]
