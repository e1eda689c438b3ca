"""Answers ``attribution_methods``: which methods fit this model, and why the others do not."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from analysis.attribution import structure
from analysis.attribution.method import Method
from analysis.attribution.registry import METHODS

SHOWN = 4  # methods that the page begins with
FIRST = ("integrated_gradients", "saliency")  # of those that fit, in this order


def attribution_methods(
    session: Any, context: Any, *, unit: str = ""
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Look at the model once, and ask every method.

    Args:
        unit: explained instead of an output, see ``targets``.

    Returns:
        {'methods': [{'name', 'title', 'family', 'version', 'summary', 'source', 'costs', 'form', 'signed', 'complete',
        'coarse', 'parameters': [``Parameter.to_json``], 'reason': '' if it fits, 'notes': what is done differently for
        this model, in sentences}], 'defaults': names that the page begins with} and no arrays.
    """
    context.progress(0, 0, message="Looking at the model")
    found = structure.Structure(kind=session.kind)
    methods = [described(method, found) for method in METHODS]
    fitting = [item["name"] for item in methods if not item["reason"]]
    defaults = [name for name in FIRST if name in fitting] or fitting
    return {"methods": methods, "defaults": defaults[:SHOWN]}, {}


def described(method: Method, found: structure.Structure) -> dict[str, Any]:
    """A method as the page is told of it."""
    reason = method.applies(found)
    parameters = method.fit(found, method.parameters)
    return {
        "name": method.name,
        "title": method.title,
        "family": method.family,
        "version": method.version,
        "summary": method.summary,
        "source": method.source,
        "costs": method.costs,
        **vars(method.result),
        "parameters": [parameter.to_json() for parameter in parameters],
        "reason": reason,
        "notes": [],
    }
