"""The rules about one layer: from what ``health`` finds to a sentence with evidence, and the test that checks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.extraction.reader import Extraction
from analysis.layerinfo import LayerInfo
from analysis.layers import health as ask
from analysis.layers.health import Case
from analysis.layers.profiles import class_name
from analysis.layers.undetected import undetected as undetected_of
from analysis.records import IntArray, LayerMeta
from analysis.training.findings import NAMED, Finding, layer_name, named, noun, number, plural

GROUPS = 6  # groups of duplicates that get a finding, and so a test, of their own
LOWEST = 0.1  # share of instances that counts as undetected
LIFT = 2.5  # a class is reported when the undetected hold this many times its share
EXCESS = 4.0  # and so many standard deviations more of it than chance would put there


@dataclass(frozen=True)
class LayerFinding:
    """A finding and the question that tests it. test: {'question': name, 'params': {...}}, or None."""

    finding: Finding
    test: dict[str, Any] | None = None


def meta_of(info: LayerInfo) -> LayerMeta:
    """The layer as the sentences of ``analysis.training.findings`` want it; its key stands for its name."""
    return LayerMeta(
        info.key,
        info.kind,
        info.type,
        info.filters,
        info.order,
        info.rectifier,
        info.read_after,
        info.output,
        info.spatial,
    )


def _test(question: str, **params: Any) -> dict[str, Any]:
    return {"question": question, "params": params}


def _ablate(case: Case, filters: IntArray | list[int], mode: str, into: int | None = None) -> dict[str, Any]:
    return _test("ablation", layer=case.info.key, filters=[int(i) for i in filters], mode=mode, into=into)


def percent(share: float) -> str:
    """'98 %', as the pages write it."""
    return f"{100 * share:.0f} %"


def _seen(case: Case) -> tuple[tuple[str, str], ...]:
    return (("measured on", plural(case.statistics.instances, "instance")),)


def _rows(case: Case, filters: list[int], text: Callable[[int], str]) -> tuple[tuple[str, str], ...]:
    word = noun(meta_of(case.info), 1)
    rows = [(f"{word} {i}", text(i)) for i in filters[:NAMED]]
    rest = len(filters) - len(rows)
    return (*rows, (f"and {rest:,} more", "see the heatmap")) if rest > 0 else tuple(rows)


def nonfinite(case: Case) -> list[LayerFinding]:
    bad = np.flatnonzero(case.statistics.nonfinite)
    if not len(bad) or case.statistics.instances == 0:
        return []
    most = int(case.statistics.nonfinite.max())
    meta = meta_of(case.info)
    sentence = f"{layer_name(meta)} yields NaN or infinite activations for {plural(most, 'instance')}, "
    sentence += f"in {plural(len(bad), noun(meta, 1))}."
    return [
        LayerFinding(
            Finding(
                "nonfinite-activations",
                "problem",
                "layer",
                sentence,
                layer=case.info.key,
                filters=tuple(bad.tolist()),
                evidence=(
                    *_rows(case, bad.tolist(), lambda i: plural(int(case.statistics.nonfinite[i]), "instance")),
                    *_seen(case),
                ),
                explanation="Reported when an activation of an instance is NaN or infinite, or it is not reached.",
                action="Look at these instances: their input, or the layers before.",
            )
        )
    ]


def dead(case: Case) -> list[LayerFinding]:
    found = ask.dead(case)
    if not len(found):
        return []
    meta, count = meta_of(case.info), case.statistics.instances
    where = "at no position of any of" if case.info.spatial else "to none of"
    whole, verb = len(found) == case.statistics.filters, "responds" if len(found) == 1 else "respond"
    finding = Finding(
        "dead",
        "problem" if whole else "warning",
        "filter",
        f"{named(meta, found.tolist())} {verb} {where} {plural(count, 'instance')}.",
        layer=case.info.key,
        filters=tuple(found.tolist()),
        evidence=(*_rows(case, found.tolist(), lambda _: "largest activation 0"), *_seen(case)),
        explanation="A filter counts as dead when its largest activation over the sample is 0. Other data may wake it.",
        action="Test what happens without it; if nothing changes, it can be pruned."
        if not whole
        else "Nothing passes this layer: look at its input.",
    )
    return [LayerFinding(finding, None if whole else _ablate(case, found, "zero"))]


def always_on(case: Case) -> list[LayerFinding]:
    found = ask.always_on(case)
    if not len(found):
        return []
    s, beta = case.statistics, case.statistics.beta
    shares = s.steady if case.frequency is None else case.frequency
    by = ", by their mean over positions" if case.info.spatial else ""
    basis = plural(case.patches, "patch") if case.frequency is not None else plural(s.instances, "instance")
    finding = Finding(
        "degenerate",
        "warning",
        "filter",
        f"{named(meta_of(case.info), found.tolist())} {'is' if len(found) == 1 else 'are'} on for almost everything "
        f"(at least {percent(shares[found].min())} of {basis}).",
        layer=case.info.key,
        filters=tuple(found.tolist()),
        evidence=(
            *_rows(
                case,
                found.tolist(),
                lambda i: (
                    f"above {beta:g} of its maximum on {percent(shares[i])}, "
                    f"mean {number(s.mean[i])}, maximum {number(s.maximum[i])}"
                ),
            ),
            *_seen(case),
        ),
        explanation=f"A filter counts as always on when it exceeds {beta:g} of its maximum on "
        f"{percent(case.thresholds.degenerate_frequency)} or more of the patches (of the instances{by}, until the "
        "filter map is there).",
        action="Test replacing its output by its mean: a filter that hardly varies acts as a bias.",
    )
    return [LayerFinding(finding, _ablate(case, found, "mean"))]


def duplicates(case: Case) -> list[LayerFinding]:
    if not case.judged:
        return []
    phi = {pair[:2]: pair[2] for pair in case.pairs}
    groups = []
    for cluster in case.clusters():
        inside = [v for (i, j), v in phi.items() if i in cluster and j in cluster]
        groups.append((max(inside), min(inside), cluster))
    groups.sort(key=lambda group: (-group[0], group[2]))
    meta = meta_of(case.info)
    found = []
    for place, (most, least, cluster) in enumerate(groups[:GROUPS]):
        spread = f"{least:.2f}" if f"{least:.2f}" == f"{most:.2f}" else f"{least:.2f} to {most:.2f}"
        rest = len(groups) - GROUPS
        more = ((f"and {rest:,} more groups", "see the filter map"),) if rest > 0 and place == GROUPS - 1 else ()
        keep = cluster[int(np.argmax(np.nan_to_num(case.statistics.mean[list(cluster)])))]
        found.append(
            LayerFinding(
                Finding(
                    "duplicate",
                    "hint",
                    "filter",
                    f"{named(meta, cluster)} respond almost alike (similarity {spread}).",
                    layer=case.info.key,
                    filters=cluster,
                    evidence=(("similarity", spread), ("measured on", plural(case.patches, "patch")), *more),
                    explanation="Filters are near-duplicates when phi = sum min / sum max of their activations over "
                    f"patches is {case.thresholds.duplicate_phi:.2f} or more; 1 means identical.",
                    action=f"Test merging: {noun(meta, 1)} {keep} speaks for {'both' if len(cluster) == 2 else 'all'}.",
                ),
                _ablate(case, [i for i in cluster if i != keep], "merge", keep),
            )
        )
    return found


def specific(case: Case, extraction: Extraction) -> list[LayerFinding]:
    found = ask.specific(case)
    if not len(found):
        return []
    s, meta = case.selectivity, meta_of(case.info)

    def class_of(i: int) -> str:
        return class_name(extraction.class_names, int(s.label[i]))

    first = int(found[0])
    one = len(found) == 1
    said = f"'{class_of(first)}'" if one else "one class each"
    evidence = _rows(
        case,
        found.tolist(),
        lambda i: f"'{class_of(i)}', {percent(s.share[i])} of its class means, perplexity {s.perplexity[i]:.2f}",
    )
    finding = Finding(
        "specific",
        "hint",
        "filter",
        f"{named(meta, found.tolist())} {'keeps' if one else 'keep'} to {said}.",
        layer=case.info.key,
        filters=tuple(found.tolist()),
        evidence=(*evidence, *_seen(case)),
        explanation="A filter counts as specific when one class has at least half of what is beyond an even share of "
        "the sum of its class means, and it responds to 8 instances or more.",
        action=f"Test what '{class_of(first)}' loses without {noun(meta, 1)} {first}.",
    )
    return [LayerFinding(finding, _ablate(case, [first], "zero"))]


def undetected(extraction: Extraction, case: Case) -> list[LayerFinding]:
    """Classes over-represented among the instances with the weakest responses."""
    labels = np.asarray(extraction.labels)
    # Layers with positions detect parts, such as strokes, which known and unknown classes share.
    if case.statistics.instances < ask.MINIMUM or case.info.spatial or not (labels >= 0).any():
        return []
    values = extraction.maximum(case.info.key)
    reached = np.isfinite(values).all(axis=1)
    result = undetected_of(values[reached], LOWEST, labels[reached])
    top = [row for row in result.classes if row.lift >= LIFT and row.excess >= EXCESS]
    if not top:
        return []
    name = class_name(extraction.class_names, top[0].label)
    rows = tuple(
        (
            class_name(extraction.class_names, row.label),
            f"{row.marked:,} of {plural(row.total, 'instance')}, {row.lift:.1f} times its share",
        )
        for row in top[:NAMED]
    )
    finding = Finding(
        "undetected",
        "hint",
        "layer",
        f"'{name}' is what {layer_name(meta_of(case.info))} detects least: {percent(top[0].share)} of the "
        f"{percent(LOWEST)} of instances with the weakest responses.",
        layer=case.info.key,
        evidence=(*rows, *_seen(case)),
        explanation=f"Instances are ranked by their strongest response in standard deviations of the filter; a class "
        f"is reported when the lowest {percent(LOWEST)} hold {LIFT:g} times its share or more.",
        action="Look at these instances in the input map: a class never shown in training, or too few filters for it.",
    )
    return [LayerFinding(finding)]
