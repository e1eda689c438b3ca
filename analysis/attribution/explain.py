"""Answers ``attribution``: one method on one instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.attribution import registry
from analysis.attribution.case import Case
from analysis.attribution.parameters import checked
from analysis.layers.maps import best_scores


def attribution(
    session: Any,
    context: Any,
    *,
    instance: int,
    method: str,
    version: int,
    target: str = "predicted",
    unit: str = "",
    params: Mapping[str, Any] | None = None,
    edit: list[dict[str, Any]] | None = None,
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Explain one instance by one method.

    Args:
        version: the method's, part of the key. target, unit: see ``targets``. params: the method's; what is missing is
            at its default. edit: changes of the instance (``edits``), made before it is explained; 'predicted' remains
            what the model says of the unchanged instance.

    Returns:
        {'method', 'title', 'instance', 'target': [class, ...] ([] for a unit), 'unit', 'params', 'form', 'signed',
        'complete', 'coarse', 'score', 'baseline': scores or None, 'sum': of all values, 'prediction', 'label',
        'scores': [[class, share]] of the best, 'notes': sentences, 'tokens': of a text, 'low', 'high': ends of the
        values, ...extra} and {'attribution': float32 as ``Case.natural`` (of form 'filters' (F,), of 'attention'
        (heads, steps, steps)), 'spread': the same shape, where the method samples, 'display': as ``Session.display``}.

    Raises:
        NotFound, ParameterError: as ``Case``, ``registry.get`` and ``checked``. AttributionError: the model fails.
    """
    chosen = registry.get(method)
    values = checked(chosen.parameters, params or {})
    batch = session.batch([int(instance)])
    with Case(session, batch, target, unit) as case:
        score = float(case.scores(case.inputs)[0])
        found = chosen.run(case, context.progress, **values)
        shown = case.natural(found.values.expand_as(case.inputs), 0)
        baseline = None if found.baseline is None else float(found.baseline[0])
    arrays: dict[str, NDArray[Any]] = {"attribution": shown}
    value = {
        "method": method,
        "title": chosen.title,
        "instance": int(instance),
        "target": list(case.classes[0]),
        "unit": unit,
        "params": values,
        "form": chosen.result.form,
        "signed": chosen.result.signed,
        "complete": chosen.result.complete,
        "coarse": chosen.result.coarse,
        "score": score,
        "baseline": baseline,
        "sum": float(shown.sum(dtype=np.float64)),
        "prediction": int(case.logits[0].argmax()),
        "label": int(batch.labels[0]),
        "scores": best_scores(case.logits[0]),
        "notes": found.notes,
        "low": float(shown.min(initial=0)),
        "high": float(shown.max(initial=0)),
        **found.extra,
    }
    if session.kind == "text":
        value["tokens"] = session.tokens(int(instance))
    else:
        arrays["display"] = session.display(int(instance))
    return value, arrays
