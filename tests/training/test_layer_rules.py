from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.records import LayerRecord
from analysis.training import Finding, Thresholds, layer_findings, layer_summary

from .layers import history, kill, meta, record, saturate, twin, weaken


def found(records, of=None, **thresholds) -> dict[str, Finding]:
    """Findings by rule; every rule speaks at most once about a layer."""
    findings = layer_findings(of or meta(), records, Thresholds(**{"dead_records": 3, **thresholds}))
    by_rule = {f.rule: f for f in findings}
    assert len(by_rule) == len(findings)
    return by_rule


def test_a_healthy_layer_raises_nothing():
    assert found(history()) == {}
    assert found(history(filters=1), meta(1)) == {}


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_records_raise_nothing_about_filters(count):
    assert "dead" not in found(history(count, kill([3])))
    assert layer_summary(meta(), history(count)).records == count


def test_dead_from_the_start_and_dead_later_are_told_apart():
    records = history(10, lambda r: kill([7], first=100)(kill([3])(r)))
    finding = found(records)["dead"]
    assert finding.filters == (3, 7)
    assert finding.step == 100
    assert finding.sentence == (
        "Filters 3 and 7 of conv2 did not activate in the last 5 records (80 steps, 0 of 512 patches in each)."
    )
    assert finding.evidence == (
        ("filter 3", "no activation at any of the 10 records, the first at step 0"),
        ("filter 7", "last active at step 80, 0 from step 100 on"),
    )
    assert "ablation" in finding.action
    assert "10 filters in conv2 instead of 12" in finding.action
    assert "last 3 records" in finding.explanation


def test_a_filter_that_woke_up_is_not_dead():
    assert "dead" not in found(history(10, kill([3], first=0, last=160)))
    assert "dead" not in found(history(10, kill([3], first=160)))  # two records only
    assert "dead" in found(history(10, kill([3], first=160)), dead_records=2)


def test_by_default_a_short_silence_is_not_death():
    short, long = history(20, kill([3], first=260)), history(20, kill([3], first=240))
    assert layer_summary(meta(), short).dead == 0
    assert layer_summary(meta(), long).dead == 1
    assert [f.rule for f in layer_findings(meta(), long)] == ["dead"]


def test_many_dead_names_eight_and_counts_the_rest():
    gone = list(range(20))
    by_rule = found(history(5, kill(gone), filters=64), meta(64))
    assert "0, 1, 2, 3, 4, 5, 6, 7 and 12 more" in by_rule["dead"].sentence
    assert len(by_rule["dead"].evidence) == 9
    assert len(by_rule["dead"].filters) == 20
    assert by_rule["many-dead"].sentence == "20 of 64 filters of conv2 are dead (31%)."
    assert by_rule["many-dead"].severity == "problem"


def test_a_whole_layer_dead():
    by_rule = found(history(5, kill(list(range(12))), silent=512))
    assert "all 12" in by_rule["many-dead"].sentence
    assert "instead of" not in by_rule["dead"].action + by_rule["many-dead"].action
    assert "silent" not in by_rule


def test_few_dead_are_not_many():
    assert "many-dead" not in found(history(5, kill([1, 2])))
    assert "many-dead" not in found(history(5, kill([1]), filters=3), meta(3))


def test_degenerate():
    finding = found(history(10, saturate([4])))["degenerate"]
    assert finding.filters == (4,)
    assert finding.sentence == "Filter 4 of conv2 is on for almost every patch (at least 99% of 512 patches)."
    once = [*history(9), saturate([4])(record(180))]
    assert "degenerate" not in found(once)


def test_units_of_dense_layers_and_absolute_values():
    dense = meta(kind="linear", name="fc1", rectifier="abs")
    finding = found(history(10, saturate([4])), dense)["degenerate"]
    assert finding.sentence.startswith("Unit 4 of fc1")
    assert ("measured on", "absolute values, the sign is ignored") in finding.evidence


def test_stale():
    finding = found(history(20, weaken([2, 5], since=100)))["stale"]
    assert finding.filters == (2, 5)
    assert finding.step == 100
    assert finding.sentence == "Filters 2 and 5 of conv2 have not come near their peak for 280 steps."
    assert finding.evidence[0] == ("filter 2", "now at 20% of its peak 3, last above 80% at step 100")


def test_not_stale():
    assert "stale" not in found(history(20, weaken([2], since=340)))  # only lately
    assert "stale" not in found(history(20, weaken([2], since=100, level=0.7)))  # not far from its peak
    assert "stale" not in found(history(4, weaken([2], since=0)))  # too few records
    assert "stale" not in found(history(20, kill([2], first=100)))  # dead, which says more
    assert "stale" not in found([record(0)] * 20)  # no time has passed


def test_duplicates_are_grouped():
    finding = found(history(5, twin((1, 3), (3, 9), (5, 6), phi=0.97)))["duplicate"]
    assert finding.filters == (1, 3, 5, 6, 9)
    assert finding.evidence == (("filters 1, 3 and 9", "similarity 0.97"), ("filters 5 and 6", "similarity 0.97"))
    assert "in 2 groups" in finding.sentence
    assert "9 filters in conv2 instead of 12" in finding.action
    assert layer_summary(meta(), history(5, twin((1, 3), (3, 9), (5, 6)))).duplicates == 3


def test_not_duplicates():
    assert "duplicate" not in found(history(5, twin((1, 3), phi=0.9)))
    assert "duplicate" not in found([*history(4), twin((1, 3))(record(80))])  # in one record only
    assert "duplicate" not in found(history(5, lambda r: twin((1, 3))(kill([1, 3])(r))))
    none = history(5, lambda r: replace(r, neighbours=np.full((12, 3), -1), similarity=np.full((12, 3), np.nan)))
    assert "duplicate" not in found(none)


def test_silent():
    finding = found(history(5, silent=300))["silent"]
    assert finding.severity == "hint"
    assert finding.sentence == "No filter of conv2 responds to 59% of the sampled patches."
    assert found(history(5, silent=500))["silent"].severity == "warning"
    assert "silent" not in found(history(5, silent=100))


def test_nonfinite_activations():
    def spoil(first: int, last: int):
        return lambda r: replace(r, nonfinite=12) if first <= r.step <= last else r

    lasting = found(history(10, spoil(100, 999)))["nonfinite-activations"]
    assert (lasting.severity, lasting.step) == ("problem", 100)
    assert ("first at", "step 100, 12 of 512 patches") in lasting.evidence
    passing = found(history(10, spoil(100, 120)))["nonfinite-activations"]
    assert passing.severity == "warning"
    assert "from step 100 to 120" in passing.sentence
    assert "nonfinite-activations" in found(history(1, spoil(0, 0)))
    assert "nonfinite-activations" not in found(history(1))


def everything(r: LayerRecord) -> LayerRecord:
    return twin((8, 9))(weaken([2], since=20)(saturate([1])(kill([0])(r))))


def test_the_output_layer_is_not_judged_by_its_filters():
    assert set(found(history(20, everything))) == {"dead", "degenerate", "stale", "duplicate"}
    assert found(history(20, everything, silent=400), meta(output=True)) == {}


@pytest.mark.parametrize("patches", [0, 1, 15])
def test_a_handful_of_patches_proves_nothing(patches):
    records = history(20, everything, patches=patches, silent=patches)
    assert found(records) == {}
    summary = layer_summary(meta(), records)
    assert (summary.dead, summary.degenerate, summary.stale, summary.duplicates) == (0, 0, 0, 0)


def test_nan_everywhere_does_not_raise():
    def blank(r: LayerRecord) -> LayerRecord:
        empty = np.full(12, np.nan)
        return replace(r, maximum=empty, mean=empty, frequency=empty, peak=empty, similarity=r.similarity * np.nan)

    assert set(found(history(20, blank))) == {"nonfinite-activations"}


def test_summary_counts_what_the_findings_name():
    records = history(20, everything, silent=64)
    summary, by_rule = layer_summary(meta(), records), found(records)
    for rule in ("dead", "degenerate", "stale"):
        assert getattr(summary, rule) == len(by_rule[rule].filters)
    assert (summary.duplicates, summary.step, summary.patches, summary.records) == (1, 380, 512, 20)
    assert summary.silent_share == 0.125
    assert summary.stability.state == "settled"
    assert layer_summary(meta(), []).step is None


def test_a_large_layer_is_judged():
    records = history(100, kill(list(range(500)), first=100), filters=4096)
    assert len(found(records, meta(4096))["dead"].filters) == 500
