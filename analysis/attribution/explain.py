"""Answers ``attribution``: one method on one instance."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.attribution import edits, registry, structure, wording
from analysis.attribution.case import Case
from analysis.attribution.faults import AttributionError, in_words
from analysis.attribution.method import Found, Method, Told
from analysis.attribution.parameters import checked
from analysis.errors import ParameterError
from analysis.jobs.context import Cancelled
from analysis.layers.maps import best_scores

SECONDS = 0.4  # between two partial answers
TOLERANCE = 2e-2  # of a score, put together again from its input
Arrays = dict[str, NDArray[Any]]


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
    edit: Iterable[Mapping[str, Any]] | None = None,
) -> tuple[dict[str, Any], Arrays]:
    """Explain one instance by one method.

    Args:
        version: the method's, part of the key. target, unit: see ``targets``. params: the method's; what is missing is
            at its default. edit: changes of the instance (``edits``), made before it is explained; 'predicted' remains
            what the model says of the unchanged instance.

    Returns:
        {'method', 'title', 'instance', 'target': [class, ...] ([] for a unit), 'target_name': in words, 'unit',
        'params', 'form', 'signed', 'complete', 'coarse', 'score', 'baseline': scores or None, 'sum': of all values,
        'prediction', 'label', 'scores': [[class, share]] of the best, 'notes': sentences, 'tokens': of a text, 'low',
        'high': ends of the values and 0, 'edit', with edits 'unedited': {'score': None where the method explains
        another than the model's own, 'prediction', 'scores'}, of methods that refine 'samples' and 'samples_planned',
        ...extra} and {'attribution': float32 as ``Case.natural`` (of form 'filters' (F,), of 'attention' (heads, steps,
        steps)), 'spread': the same shape, where the method samples, 'display': as ``Session.display``}. What is
        published meanwhile has the same form, with 'partial': True.

    Raises:
        NotFound, ParameterError: as ``Case``, ``registry.get`` and ``checked``; the method has another version.
        AttributionError: the model or the method fails, or the result is not finite.
    """
    chosen = registry.get(method)
    check_version(chosen, version)
    values = checked(chosen.parameters, params or {})
    told = watched(context)
    told(0, 0, "", "Looking at the model")
    case, before = case_of(session, instance, target, unit, edit)
    refuse_unfit(session, chosen, unit)
    with in_words(f"{chosen.title} on instance {int(instance):,}"), case:
        score = _score(case)
        facts = _facts(case, chosen, values, score, before)
        case.publish = _Publisher(session, case, chosen, facts)
        found = chosen.run(case, told, **values)
        answer = _answer(case, chosen, facts, found)
    if isinstance(case.publish, _Publisher) and case.publish.planned:
        answer[0].setdefault("samples", case.publish.planned)
        answer[0].setdefault("samples_planned", case.publish.planned)
    return answer


def case_of(
    session: Any,
    instance: int,
    target: str = "predicted",
    unit: str = "",
    edit: Iterable[Mapping[str, Any]] | None = None,
) -> tuple[Case, dict[str, Any] | None]:
    """One instance, changed by edits if there are any (then ``case.edits``), as a case.

    Returns: the case, and what the model says of the unchanged instance, {'score', 'prediction', 'scores'}; None
    without edits. The target is what it is for the unchanged instance.

    Raises: as ``attribution``.
    """
    batch = session.batch([int(instance)])
    with in_words(f"The model on instance {int(instance):,}"):
        case = Case(session, batch, target, unit)
    changes = edits.read(edit or ())
    if not changes:
        return case, None
    with in_words(f"The model on instance {int(instance):,}"), case:
        before = {"score": float(case.scores(case.inputs)[0]), **wording.described(case)}
    fixed = "-".join(map(str, case.classes[0])) or target
    changed = edits.applied(session, batch, changes)
    with in_words(f"The model on instance {int(instance):,} as it was changed", "Undo the last change."):
        edited = Case(session, changed, fixed, unit)
    edited.edits = changes
    return edited, before


def check_version(method: Method, version: int) -> None:
    """Raises ParameterError if the page asks for another version of a method than there is."""
    if version != method.version:
        raise ParameterError(
            f"{method.title} changed since this page was loaded.", "Reload the page; it is computed again."
        )


def refuse_unfit(session: Any, method: Method, unit: str = "") -> None:
    """Raises AttributionError with the reason if the pre-flight refuses a method for this model."""
    if hasattr(session, "ask"):
        listed = session.ask("attribution_methods", unit=unit).json["methods"]
        reason = next((item["reason"] for item in listed if item["name"] == method.name), "")
    else:
        reason = method.applies(structure.look(session, unit))
    if reason:
        raise AttributionError(f"{method.title} does not fit: {reason.rstrip('.')}.", "Choose another method.")


def watched(context: Any) -> Told:
    """A function that tells the job's progress, and ends the job if it was cancelled."""

    def told(done: float, total: float, unit: str = "", message: str = "") -> None:
        if getattr(context, "cancelled", False):
            raise Cancelled
        context.progress(done, total, unit, message)

    return told


def _score(case: Case) -> float:
    """The score of the first instance. Raises AttributionError if it is not finite, or not that of the model."""
    score = case.scores(case.inputs)[0]
    if not bool(score.isfinite()):
        raise AttributionError(
            f"The model's score of instance {int(case.batch.indices[0]):,} is {float(score)}: there is nothing to "
            "explain.",
            "Choose another target or instance.",
        )
    if case.unit is None:
        direct = float(case.score_of(case.logits, case.rows)[0])
        scale = float(case.logits[0].nan_to_num(posinf=0, neginf=0).abs().max()) + 1e-3
        if abs(float(score) - direct) > TOLERANCE * scale:
            raise AttributionError(
                f"The model gives the score {direct:.4g}, but {float(score):.4g} from its input alone"
                f"{_where(case)}: what it explains would not be what it computes.",
                "Look for random numbers, or for inputs that are used twice.",
            )
    return float(score)


def _where(case: Case) -> str:
    return f" (the vectors behind {case.entry.name!r})" if case.entry is not None else ""


def _facts(
    case: Case, method: Method, params: Mapping[str, Any], score: float, before: dict[str, Any] | None
) -> dict[str, Any]:
    """All that is known before the method runs."""
    facts: dict[str, Any] = {
        "method": method.name,
        "title": method.title,
        "instance": int(case.batch.indices[0]),
        "target": list(case.classes[0]),
        "target_name": wording.target_name(case),
        "unit": str(case.unit) if case.unit else "",
        "params": dict(params),
        "form": method.result.form,
        "signed": method.result.signed,
        "complete": method.result.complete,
        "coarse": method.result.coarse,
        "score": score,
        "prediction": int(case.logits[0].argmax()),
        "label": int(case.batch.labels[0]),
        "scores": best_scores(case.logits[0]),
        "edit": case.edits,
    }
    return facts if before is None else {**facts, "unedited": before}


def _answer(case: Case, method: Method, facts: Mapping[str, Any], found: Found) -> tuple[dict[str, Any], Arrays]:
    """The answer, of a result that is checked."""
    form = method.result.form
    wording.check_values(method.title, case, form, found.values)
    arrays: Arrays = {"attribution": _natural(case, form, found.values)}
    if found.spread is not None:
        arrays["spread"] = _spread(case, form, found)
    shown = arrays["attribution"]
    score = found.extra.get("score", facts["score"])  # of rules, that before a softmax at the end
    if "unedited" in facts and "score" in found.extra:
        facts = {**facts, "unedited": {**facts["unedited"], "score": None}}  # it was not computed in the same way
    total, size = float(shown.sum(dtype=np.float64)), float(np.abs(shown).sum(dtype=np.float64))
    value = {
        **facts,
        "baseline": None if found.baseline is None else float(found.baseline[0]),
        "sum": total,
        "notes": [*found.notes, *wording.completeness_notes(method, found, score, total, size)],
        "low": float(shown.min(initial=0)),
        "high": float(shown.max(initial=0)),
        **found.extra,
    }
    if case.kind == "text":
        value["tokens"] = edits.tokens_of(case.session, case.batch)
    else:
        arrays["display"] = edits.display_of(case.session, case.batch)
    return value, arrays


def _natural(case: Case, form: str, values: Tensor) -> NDArray[np.float32]:
    if form == "input":
        return case.natural(wording.without_padding(case, values), 0)
    one = values[0].detach().to("cpu", torch.float32)
    if form == "attention" and case.lengths is not None and one.dim() == 3:
        length = int(case.lengths[0])
        one = one[:, :length, :length] if one.shape[1:] == (case.inputs.shape[1],) * 2 else one
    return np.array(one.numpy(), np.float32, order="C")


def _spread(case: Case, form: str, found: Found) -> NDArray[np.float32]:
    """Standard errors in the form of the values; of a token's vector they add up as those of independent numbers."""
    assert found.spread is not None
    spread = found.spread.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
    if form == "input" and case.kind == "text":
        return np.sqrt(_natural(case, form, spread**2))
    return _natural(case, form, spread)


class _Publisher:
    """Publishes what a method has so far, now and then; a result that is not finite yet is left out."""

    def __init__(self, session: Any, case: Case, method: Method, facts: Mapping[str, Any]) -> None:
        self._session, self._case, self._method, self._facts = session, case, method, facts
        self._last = time.monotonic() - SECONDS
        self.samples = self.planned = 0

    def __call__(self, found: Found, samples: int, planned: int) -> None:
        self.samples, self.planned = int(samples), int(planned)
        if samples >= planned or time.monotonic() - self._last < SECONDS:
            return
        try:
            value, arrays = _answer(self._case, self._method, self._facts, found)
        except AttributionError:
            return
        value |= {"partial": True, "samples": self.samples, "samples_planned": self.planned}
        self._session.partial(value, arrays)
        self._last = time.monotonic()
