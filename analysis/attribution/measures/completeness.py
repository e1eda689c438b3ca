"""Completeness: whether a map adds up to the change of the score (Sundararajan et al., ICML 2017, proposition 1)."""

from __future__ import annotations

from typing import Any

from analysis.attribution.measures.work import Work

TINY = 1e-6  # of the score, or of 1 where that is larger: below it nothing changed


def completeness(work: Work) -> dict[str, Any]:
    """{'gap': |sum - change| / |change|, 'sum': of the map, 'change': score less that of the baseline, 'applies':
    whether the method claims it, 'why': where there is no gap}. A method without a baseline claims to add up to
    the score itself."""
    if not work.method.result.complete:
        return {"gap": None, "sum": None, "change": None, "applies": False, "why": "The method does not claim it."}
    told = work.found.extra.get("score")  # what rules explain of a model that ends with a softmax: the one before it
    with_all = float(work.scored(work.case.inputs).score[0] if told is None else told)
    own = work.found.baseline
    change = with_all - (0.0 if own is None else float(own.flatten()[0]))
    total = float(work.original.double().sum())
    value: dict[str, Any] = {"gap": None, "sum": total, "change": change, "applies": True, "why": ""}
    if abs(change) <= TINY * max(1.0, abs(with_all)):
        return {
            **value,
            "why": "The score is the same for the instance and the baseline: there is nothing to add up to.",
        }
    return {**value, "gap": abs(total - change) / abs(change)}
