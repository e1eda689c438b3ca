"""Questions about training: is a layer still learning, is anything unhealthy, how is the heatmap laid out."""

from analysis.training.findings import Finding, Thresholds, ThresholdSpec, threshold_specs
from analysis.training.health import RULES, Rule, curve_findings, layer_findings
from analysis.training.heatmap import grid, heatmap_values, order
from analysis.training.stability import Stability, signed_change, stability, total_variation
from analysis.training.summary import LayerSummary, layer_summary
from analysis.training.tags import MetricGroup, pairs

__all__ = [
    "RULES",
    "Finding",
    "LayerSummary",
    "MetricGroup",
    "Rule",
    "Stability",
    "ThresholdSpec",
    "Thresholds",
    "curve_findings",
    "grid",
    "heatmap_values",
    "layer_findings",
    "layer_summary",
    "order",
    "pairs",
    "signed_change",
    "stability",
    "threshold_specs",
    "total_variation",
]
