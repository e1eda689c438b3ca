"""Is this training healthy? Every rule in one ordered registry; findings are data, the page draws them.

The published systems leave these judgements to the eye (DeepEyes, Pezzotti et al., IEEE VIS 2017); here each rule
states its evidence and its thresholds. Whether removing a filter matters is not claimed: that has to be tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from numpy.typing import ArrayLike

from analysis.records import LayerMeta, LayerRecord
from analysis.training import curve_rules, layer_rules
from analysis.training.curves import CurveCase
from analysis.training.filters import LayerCase
from analysis.training.findings import Finding, Thresholds

_SEVERITIES = ("problem", "warning", "hint")


@dataclass(frozen=True)
class Rule:
    """A question with a yes or no. text: the rule in words, with thresholds by name in braces.

    layer, curves: the function that answers it, one of the two.
    """

    id: str
    title: str
    text: str
    layer: Callable[[LayerCase], list[Finding]] | None = None
    curves: Callable[[CurveCase], list[Finding]] | None = None

    def explanation(self, thresholds: Thresholds) -> str:
        """The rule in words with these thresholds."""
        return self.text.format(**asdict(thresholds))


RULES: tuple[Rule, ...] = (
    Rule(
        "nonfinite-values",
        "Values that are not numbers",
        "Reported when a logged value is NaN or infinite; a problem when the latest one is.",
        curves=curve_rules.nonfinite_values,
    ),
    Rule(
        "diverged",
        "Diverged loss",
        "Reported when the median of the last tenth of a training loss is more than {diverged_ratio:g} times the best "
        "such median, has lost more than a quarter of all that was gained, exceeds 4 times the noise and is not "
        "falling.",
        curves=curve_rules.diverged,
    ),
    Rule(
        "overfit",
        "Overfitting",
        "Reported when, {overfit_points} or more values after its best, the validation loss is {overfit_rise:.0%} and "
        "3 times its noise above it and rising while the training loss falls; or when training accuracy exceeds "
        "validation accuracy by {overfit_gap:g} points.",
        curves=curve_rules.overfit,
    ),
    Rule(
        "plateau",
        "Plateau",
        "Reported when the trend (Theil-Sen) over the last {plateau_share:.0%} of the steps, on {plateau_points} or "
        "more values, improves by no more than noise explains or than {plateau_gain:.0%} of the improvement so far; "
        "not before as many steps have passed since 90 % of that improvement as it took.",
        curves=curve_rules.plateau,
    ),
    Rule(
        "nonfinite-activations",
        "Activations that are not numbers",
        "Reported when a record holds patches with a NaN or infinite activation; a problem when the latest one does.",
        layer=layer_rules.nonfinite_layer,
    ),
    Rule(
        "many-dead",
        "Many dead filters",
        "Reported when {many_dead_share:.0%} or more of a layer's filters are dead: largest activation 0 in each of "
        "the last {dead_records} records.",
        layer=layer_rules.many_dead,
    ),
    Rule(
        "dead",
        "Dead filters",
        "A filter counts as dead when its largest activation over every position of the probe was 0 in each of the "
        "last {dead_records} records of at least {minimum_patches} patches. Other data may still activate it.",
        layer=layer_rules.dead_filters,
    ),
    Rule(
        "degenerate",
        "Always-on filters",
        "A filter counts as always on when its activation came within a factor (beta) of its maximum on "
        "{degenerate_frequency:.0%} or more of the patches, in each of the last {steady_records} records.",
        layer=layer_rules.degenerate_filters,
    ),
    Rule(
        "duplicate",
        "Near-duplicate filters",
        "Two filters count as near-duplicates when phi = sum min / sum max of their activations over patches is "
        "{duplicate_phi:.2f} or more in each of the last {steady_records} records; 1 means identical.",
        layer=layer_rules.duplicate_filters,
    ),
    Rule(
        "stale",
        "Stale filters",
        "A filter counts as stale when it has not exceeded a share (theta) of its peak for {stale_steps_share:.0%} of "
        "the recorded steps and now reaches at most {stale_level:.0%} of it, after {stale_records} records.",
        layer=layer_rules.stale_filters,
    ),
    Rule(
        "silent",
        "Patches that nobody detects",
        "Reported when no filter responds to {silent_share:.0%} or more of the sampled patches, in each of the last "
        "{steady_records} records.",
        layer=layer_rules.silent_layer,
    ),
)


def layer_findings(
    meta: LayerMeta, records: Sequence[LayerRecord], thresholds: Thresholds | None = None
) -> list[Finding]:
    """What is to be said about a layer, the gravest first. records: those of the layer, in the order written.

    Too few records or patches yield no finding. The model's output layer is not judged by its filters.
    """
    chosen = thresholds or Thresholds()
    case = LayerCase.of(meta, records, chosen)
    return _sorted(
        replace(finding, explanation=rule.explanation(chosen))
        for rule in RULES
        if rule.layer is not None
        for finding in rule.layer(case)
    )


def curve_findings(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]], thresholds: Thresholds | None = None
) -> list[Finding]:
    """What is to be said about a run's curves, the gravest first. curves: tag -> (steps, values), (n,) each.

    Raises ValueError when a curve's steps and values differ in number.
    """
    chosen = thresholds or Thresholds()
    case = CurveCase.of(curves, chosen)
    return _sorted(
        replace(finding, explanation=rule.explanation(chosen))
        for rule in RULES
        if rule.curves is not None
        for finding in rule.curves(case)
    )


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda f: _SEVERITIES.index(f.severity))
