"""Rules about a layer and its filters: from what ``filters`` finds to a sentence with evidence and an action."""

from __future__ import annotations

import numpy as np

from analysis.training import filters as ask
from analysis.training.filters import LayerCase
from analysis.training.findings import NAMED, Finding, layer_name, listed, named, noun, number, plural

RETRAIN = "Lower the learning rate, or try a leaky rectifier or another initialisation, and train again."


def _rows(case: LayerCase, indices: np.ndarray, text: list[str]) -> tuple[tuple[str, str], ...]:
    """An evidence row per filter, for the filters that the sentence names."""
    word = noun(case.meta, 1)
    rows = [(f"{word} {i}", line) for i, line in zip(indices[:NAMED].tolist(), text, strict=False)]
    rest = len(indices) - len(rows)
    return (*rows, (f"and {rest:,} more", "see the heatmap")) if rest else tuple(rows)


def _shrink(case: LayerCase, fewer: int) -> str:
    total = case.meta.filters
    return (
        f"train again with {plural(total - fewer, noun(case.meta, 1))} in {layer_name(case.meta)} instead of {total:,}"
    )


def _dead_history(case: LayerCase, index: int, first: int) -> str:
    """Since when a dead filter is silent. first: index of the first record of its silence."""
    records = case.records
    if first:
        return f"last active at step {records[first - 1].step:,}, 0 from step {records[first].step:,} on"
    text = f"no activation at any of the {plural(len(records), 'record')}, the first at step {records[0].step:,}"
    peak = case.latest.peak[index]
    return f"{text} (peak {number(peak)} between records)" if peak > 0 else text


def dead_filters(case: LayerCase) -> list[Finding]:
    """Filters that stopped activating, or never did."""
    found = ask.dead(case)
    if not len(found):
        return []
    since = ask.dead_since(case, found)
    records, latest, newest = case.records, case.latest, int(since.max())
    span = latest.step - records[newest].step
    steps = f"{plural(span, 'step')}, " if span > 0 else ""
    whole = len(found) == case.meta.filters
    without = f"Test what happens without {'it' if len(found) == 1 else 'them'} (ablation); if nothing changes, "
    return [
        Finding(
            rule="dead",
            severity="warning",
            subject="filter",
            layer=case.meta.name,
            filters=tuple(found.tolist()),
            step=records[newest].step,
            sentence=f"{named(case.meta, found.tolist())} did not activate in the last "
            f"{plural(len(records) - newest, 'record')} ({steps}0 of {plural(latest.patches, 'patch')} in each).",
            evidence=_rows(
                case, found, [_dead_history(case, i, n) for i, n in zip(found.tolist(), since.tolist(), strict=True)]
            ),
            action=RETRAIN if whole else f"{without}{_shrink(case, len(found))}.",
        )
    ]


def degenerate_filters(case: LayerCase) -> list[Finding]:
    """Filters that are on everywhere and so tell patches apart hardly at all."""
    found = ask.degenerate(case)
    if not len(found):
        return []
    latest = case.latest
    text = [
        f"above {case.meta.beta:g} of its maximum on {latest.frequency[i]:.0%} of {plural(latest.patches, 'patch')}, "
        f"mean {number(latest.mean[i])}, maximum {number(latest.maximum[i])}"
        for i in found[:NAMED]
    ]
    verb = "is" if len(found) == 1 else "are"
    return [
        Finding(
            rule="degenerate",
            severity="warning",
            subject="filter",
            layer=case.meta.name,
            filters=tuple(found.tolist()),
            step=latest.step,
            sentence=f"{named(case.meta, found.tolist())} {verb} on for almost every patch "
            f"(at least {latest.frequency[found].min():.0%} of {plural(latest.patches, 'patch')}).",
            evidence=_rows(case, found, text) + _magnitudes(case),
            action="Test replacing its output by its mean (ablation): a filter that hardly varies acts as a bias.",
        )
    ]


def _magnitudes(case: LayerCase) -> tuple[tuple[str, str], ...]:
    return (("measured on", "absolute values, the sign is ignored"),) if case.meta.rectifier == "abs" else ()


def stale_filters(case: LayerCase) -> list[Finding]:
    """Filters that once were strong and have long been weak."""
    found = ask.stale(case)
    if not len(found):
        return []
    latest = case.latest
    text = [
        f"now at {latest.maximum[i] / latest.peak[i]:.0%} of its peak {number(latest.peak[i])}, "
        f"last above {case.meta.theta:.0%} at step {latest.step - int(latest.stale_steps[i]):,}"
        for i in found[:NAMED]
    ]
    verb = "has" if len(found) == 1 else "have"
    age = int(latest.stale_steps[found].min())
    return [
        Finding(
            rule="stale",
            severity="hint",
            subject="filter",
            layer=case.meta.name,
            filters=tuple(found.tolist()),
            step=latest.step - age,
            sentence=f"{named(case.meta, found.tolist())} {verb} not come near "
            f"{'its' if len(found) == 1 else 'their'} peak for {plural(age, 'step')}.",
            evidence=_rows(case, found, text),
            action="Look at the patches that activated it most: what it detected may have moved to another filter.",
        )
    ]


def duplicate_filters(case: LayerCase) -> list[Finding]:
    """Filters that respond alike on nearly every patch."""
    pairs = ask.duplicate_pairs(case)
    clusters = ask.duplicate_clusters(pairs)
    if not clusters:
        return []
    members = sorted(i for cluster in clusters for i in cluster)
    redundant = len(members) - len(clusters)
    rows = []
    for cluster in clusters[:NAMED]:
        phi = [v for i, _, v in pairs if i in cluster]
        spread = f"{min(phi):.2f}" if f"{min(phi):.2f}" == f"{max(phi):.2f}" else f"{min(phi):.2f} to {max(phi):.2f}"
        rows.append((f"{noun(case.meta, 2)} {listed(cluster)}", f"similarity {spread}"))
    if len(clusters) > NAMED:
        rows.append((f"and {len(clusters) - NAMED:,} more groups", "see the filter map"))
    grouped = f", in {len(clusters):,} groups" if len(clusters) > 1 else ""
    return [
        Finding(
            rule="duplicate",
            severity="hint",
            subject="filter",
            layer=case.meta.name,
            filters=tuple(members),
            step=case.latest.step,
            sentence=f"{named(case.meta, members)} respond almost alike{grouped} "
            f"(similarity {case.thresholds.duplicate_phi:.2f} or more).",
            evidence=tuple(rows) + _magnitudes(case),
            action=f"Test keeping one of each group (ablation); if nothing changes, {_shrink(case, redundant)}.",
        )
    ]


def many_dead(case: LayerCase) -> list[Finding]:
    """A layer of which much is dead: often a learning rate too high, or a layer too wide."""
    found = ask.dead(case)
    share = len(found) / max(case.meta.filters, 1)
    if not len(found) or share < case.thresholds.many_dead_share or (len(found) == 1 < case.meta.filters):
        return []
    whole = len(found) == case.meta.filters
    count = f"{len(found):,} of {case.meta.filters:,} {noun(case.meta, case.meta.filters)}"
    return [
        Finding(
            rule="many-dead",
            severity="problem",
            subject="layer",
            layer=case.meta.name,
            filters=tuple(found.tolist()),
            step=case.latest.step,
            sentence=f"Nothing activates {layer_name(case.meta)} any more: all {case.meta.filters:,} of its "
            f"{noun(case.meta, 2)} are dead."
            if whole
            else f"{count} of {layer_name(case.meta)} are dead ({share:.0%}).",
            evidence=(("dead", f"{count} ({share:.0%})"), ("records", f"last {case.thresholds.dead_records:,}")),
            action=RETRAIN if whole else f"{RETRAIN} Or {_shrink(case, len(found))}.",
        )
    ]


def silent_layer(case: LayerCase) -> list[Finding]:
    """A layer that answers many patches with nothing."""
    recent = case.last(case.thresholds.steady_records)
    if not recent or case.meta.output or len(ask.dead(case)) == case.meta.filters:
        return []
    if min(ask.silent_share(r) for r in recent) < case.thresholds.silent_share:
        return []
    latest = case.latest
    share = ask.silent_share(latest)
    counted = f"{latest.silent:,} of {plural(latest.patches, 'patch')}"
    return [
        Finding(
            rule="silent",
            severity="warning" if share >= 0.9 else "hint",
            subject="layer",
            layer=case.meta.name,
            step=latest.step,
            sentence=f"No {noun(case.meta, 1)} of {layer_name(case.meta)} responds to {share:.0%} of the sampled "
            "patches.",
            evidence=(("silent patches", f"{counted} ({share:.0%})"), ("step", f"{latest.step:,}")),
            action="Look at these patches in the input map: empty background is harmless, "
            "patterns that nobody detects ask for more filters.",
        )
    ]


def nonfinite_layer(case: LayerCase) -> list[Finding]:
    """NaN or infinite activations."""
    bad = [r for r in case.records if r.nonfinite > 0 or not np.isfinite(r.maximum).all()]
    if not bad:
        return []
    lasting = bad[-1] is case.latest
    first = bad[0]
    sentence = f"{layer_name(case.meta)} has produced NaN or infinite activations since step {first.step:,}."
    if not lasting:
        place = f"from step {first.step:,} to {bad[-1].step:,}"
        sentence = f"{layer_name(case.meta)} produced NaN or infinite activations {place}."
    return [
        Finding(
            rule="nonfinite-activations",
            severity="problem" if lasting else "warning",
            subject="layer",
            layer=case.meta.name,
            step=first.step,
            sentence=sentence,
            evidence=(
                ("first at", f"step {first.step:,}, {first.nonfinite:,} of {plural(first.patches, 'patch')}"),
                ("records", f"{len(bad):,} of {len(case.records):,}"),
            ),
            action="Return to a checkpoint before this step; lower the learning rate or clip the gradient.",
        )
    ]
