"""What the page says of the worth of clusters: beside baselines, and over other starts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from plotly.utils import PlotlyJSONEncoder

from dashboard.views.sequences import clusters_worth


def text_of(component: Any) -> str:
    return json.dumps(component, cls=PlotlyJSONEncoder, ensure_ascii=False)


def said(**changes: Any) -> dict[str, Any]:
    good = {"explained": 0.6, "modularity": 0.4, "class_ari": 0.9}
    poor = {"explained": 0.1, "modularity": 0.05, "class_ari": 0.0}
    value: dict[str, Any] = {
        "score": good,
        "baselines": {"shuffled": poor, "untrained": poor},
        "stability": {"ari": 0.95, "lowest": 0.8, "seeds": 10},
        "weight": "signed",
        "why": "Right for asking which words do the same.",
    }
    return value | changes


def test_clusters_that_are_good_get_no_warning() -> None:
    assert clusters_worth.warnings(said()) == []
    text = " ".join(sentence for _, sentence in clusters_worth.sentences(said()))
    assert "60 % of the variance of the responses, beside 10 % for shuffled responses" in text
    assert "10 other starts agree with them by an ARI of 0.95 on average, 0.80 at the lowest" in text


@pytest.mark.parametrize("baseline", ["shuffled", "untrained"])
def test_clusters_no_better_than_a_baseline_get_a_warning(baseline: str) -> None:
    value = said()
    value["baselines"] = value["baselines"] | {baseline: {"explained": 0.59, "modularity": 0.5, "class_ari": 0.1}}
    (warning,) = clusters_worth.warnings(value)
    assert baseline in warning
    assert "variance explained (0.60 beside 0.59)" in warning
    assert "modularity (0.40 beside 0.50)" in warning
    assert "classes" not in warning
    assert "sq-warning" in text_of(clusters_worth.worth(value))


def test_small_scores_are_told_apart() -> None:
    value = said(score={"explained": 0.0036, "modularity": 0.4, "class_ari": None})
    value["baselines"] = {"shuffled": {"explained": 0.00053}, "untrained": {"explained": -0.001}}
    first, second = clusters_worth.warnings(value)
    assert "(0.0036 beside 0.00053)" in first
    assert "(0.0036 beside −0.001)" in second
    assert "−0.00" not in text_of(clusters_worth.table(value))


def test_unsteady_clusters_get_a_warning() -> None:
    (warning,) = clusters_worth.warnings(said(stability={"ari": 0.2, "lowest": 0.1, "seeds": 10}))
    assert "Other starts" in warning


def test_scores_that_are_not_there_are_said_not_to_be() -> None:
    value = said(
        score={"explained": None, "modularity": None, "class_ari": None},
        baselines={"shuffled": {"explained": 0.1}, "untrained": {"reason": "The weights cannot be copied."}},
        stability={"ari": None, "lowest": None, "seeds": 10},
    )
    text = text_of(clusters_worth.worth(value))
    assert "undefined" in text
    assert "The weights cannot be copied." in text
    assert "Agreement with classes is not given" in text
    assert clusters_worth.warnings(value) == []
