"""The registry of rules and the declared thresholds are complete."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from analysis.errors import ParameterError
from analysis.training import RULES, Thresholds, curve_rules, layer_rules, threshold_specs
from analysis.training.curves import CurveCase
from analysis.training.filters import LayerCase

HERE = Path(__file__).parent


def test_every_public_rule_function_is_registered_once():
    written = {
        function
        for module in (layer_rules, curve_rules)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    registered = [rule.layer or rule.curves for rule in RULES]
    assert set(registered) == written
    assert len(registered) == len(written)
    assert all((rule.layer is None) != (rule.curves is None) for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_explains_itself_and_is_tested_with_planted_truth(rule):
    assert rule.title
    assert "{" not in rule.explanation(Thresholds())
    tests = (HERE / "test_layer_rules.py").read_text() + (HERE / "test_curve_rules.py").read_text()
    assert f'["{rule.id}"]' in tests or f'{{"{rule.id}"}}' in tests
    assert f'"{rule.id}" not in' in tests


def test_no_rule_speaks_without_records():
    for rule in RULES:
        if rule.curves:
            assert rule.curves(CurveCase.of({}, Thresholds())) == []
        if rule.layer:
            from .layers import meta

            assert rule.layer(LayerCase.of(meta(), [], Thresholds())) == []


def test_every_threshold_is_declared_and_used():
    specs = {spec.name: spec for spec in threshold_specs()}
    assert list(specs) == [f.name for f in fields(Thresholds)]
    source = "".join(path.read_text() for path in Path(layer_rules.__file__).parent.glob("*.py"))
    for spec in specs.values():
        assert spec.minimum <= spec.default <= spec.maximum
        assert spec.label
        assert re.search(rf"(thresholds|\bt)\.{spec.name}\b", source), spec.name


def test_thresholds_are_checked():
    assert Thresholds.of({"dead_records": 5.0}).dead_records == 5
    for wrong in ({"dead_records": 0}, {"dead_records": 2.5}, {"duplicate_phi": float("nan")}, {"plateau_share": 2}):
        with pytest.raises(ParameterError, match="cannot be"):
            Thresholds.of(wrong)
    with pytest.raises(ParameterError, match="no threshold 'deaf_records'"):
        Thresholds.of({"deaf_records": 3})


def test_removing_filters_is_suggested_never_claimed():
    """What removing a filter does to the accuracy has not been measured here."""
    source = "".join(path.read_text() for path in Path(layer_rules.__file__).parent.glob("*.py"))
    assert not re.search(r"without loss|no effect on accuracy|changes accuracy", source)
