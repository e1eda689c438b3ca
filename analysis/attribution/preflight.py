"""Answers ``attribution_methods``: which methods fit this model, and why the others do not.

First what the model is made of (``structure``), then a small run of each method on one instance: what gives NaN,
another shape, or sums that do not add up as they claim, is refused with the reason. Every run is checked again later,
on its own instance.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from analysis.attribution import baselines, probes, structure, wording
from analysis.attribution.case import Case
from analysis.attribution.faults import ModelError, in_words
from analysis.attribution.method import Method
from analysis.attribution.parameters import Parameter, checked
from analysis.attribution.registry import METHODS
from analysis.errors import CutawayError

SHOWN = 4  # methods that the page begins with
FIRST = {  # of those that fit, in this order
    "image": ("integrated_gradients", "layer_grad_cam", "lrp", "occlusion", "deep_lift", "input_x_gradient"),
    "text": ("integrated_gradients", "input_x_gradient", "feature_ablation", "shapley_value_sampling", "lime"),
    "series": ("integrated_gradients", "occlusion", "feature_ablation", "deep_lift", "saliency", "gradient_shap"),
    "table": ("integrated_gradients", "shapley_value_sampling", "feature_ablation", "deep_lift", "kernel_shap"),
}
SMALL = {"n_steps": 4, "tolerance": 0, "nt_samples": 2, "n_samples": 4}  # of a probe
SECONDS = 1.0  # for all probes together, but those of sums that have to be exact: these do not depend on the machine
UNPROBED = ("perturbation",)  # these need nothing but scores, which are checked once for all, and cost the most
ROUTED = ("gradient", "propagation")  # what these say of a run, they say of the model
BY_RULES = ("deep_lift", "deep_lift_shap", "guided_backprop", "deconvolution", "guided_grad_cam", "lrp")
EXACT = 0.02  # gap of a method that needs no steps, as a share of the change, from which on it is refused
TRIED = 4  # instances, until one can be explained


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

    Raises:
        NotFound: there is no such unit.
    """
    context.progress(0, len(METHODS) + 1, "methods", "Looking at the model")
    found = structure.look(session, unit)
    reason, case = _case(session, unit)
    notes = case.notes if case is not None else []
    cut, said = "", list[str]()
    if case is not None:
        reason = probes.for_all(case, found)
        if not reason and not found.gradient:
            cut, said = probes.cut_off(case, found)
    deadline = time.monotonic() + SECONDS
    methods = []
    for done, method in enumerate(METHODS, 1):
        context.progress(done, len(METHODS) + 1, "methods", f"Trying {method.title}")
        told = described(session, method, found, notes)
        slopes = method.name in probes.SLOPES
        told["reason"] = reason or told["reason"] or (cut if slopes else "")
        told["notes"] = [] if told["reason"] else [*told["notes"], *(said if slopes else [])]
        parameters = [Parameter.from_json(one) for one in told["parameters"]]
        wanted = time.monotonic() < deadline or _exact(method, parameters)
        if not told["reason"] and case is not None and wanted:
            told["reason"], more = probed(case, method, parameters)
            told["notes"] = [] if told["reason"] else list(dict.fromkeys([*told["notes"], *more]))
        methods.append(told)
    return {"methods": methods, "defaults": _defaults(session.kind, methods)}, {}


def described(session: Any, method: Method, found: structure.Structure, notes: Sequence[str] = ()) -> dict[str, Any]:
    """A method as the page is told of it, without a probe. notes: on all methods."""
    reason = method.applies(found)
    parameters = [_offered(session, one) for one in method.fit(found, method.parameters)]
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
        "notes": [] if reason else [*notes, *_routed(method, found), *method.notes(found)],
    }


def probed(case: Case, method: Method, parameters: Sequence[Parameter]) -> tuple[str, list[str]]:
    """Why a small run of a method on a case is refused, '' if it is fine, or was left out; and what it did differently
    for this model."""
    if method.family in UNPROBED:
        return "", []
    try:
        values = checked(parameters, {one.name: _small(one) for one in parameters if one.name in SMALL})
        with in_words(method.title), case:
            found = method.run(case, lambda *_told: None, **values)
            wording.check_values(method.title, case, method.result.form, found.values)
            notes = found.notes if method.family in ROUTED else []
            if not method.result.complete or method.result.form != "input" or found.baseline is None:
                return "", notes
            shown = case.natural(wording.without_padding(case, found.values), 0).astype("float64")
            # Rules explain a model that ends in a softmax by the score before it.
            score = found.extra.get("score")
            score = float(case.scores(case.inputs)[0]) if score is None else float(score)
            change = score - float(found.baseline[0])
    except CutawayError as error:
        return error.message, []
    gap = abs(float(shown.sum()) - change)
    if _exact(method, parameters) and gap > EXACT * max(
        abs(change), wording.SMALL_SHARE * float(abs(shown).sum()), wording.TINY
    ):
        return (
            f"On instance {int(case.batch.indices[0]):,} its values add up to {float(shown.sum()):.4g}, but the score "
            f"changes by {change:.4g}: it does not hold for this model."
        ), []
    return "", notes


def _exact(method: Method, parameters: Sequence[Parameter]) -> bool:
    """Whether values claim to add up without steps or samples that could be too few."""
    return method.result.complete and method.result.form == "input" and not any(one.name in SMALL for one in parameters)


def _case(session: Any, unit: str) -> tuple[str, Case | None]:
    """Why nothing can be explained, or a case of one instance."""
    reason = "The data set has no instance that can be read."
    for index in session.opened.sample.indices[:TRIED]:
        try:
            with in_words(f"The model on instance {int(index):,}"):
                case = Case(session, session.batch([int(index)]), "predicted", unit)
                with case:
                    score = case.scores(case.inputs)
                wording.refuse_infinite("The model", score, "scores")
            return "", case
        except ModelError as error:
            return str(error), None
        except CutawayError as error:
            reason = str(error)
    return reason, None


def _offered(session: Any, parameter: Parameter) -> Parameter:
    """With the choices of baselines that this subject has."""
    if parameter.name != "baselines" or parameter.kind != "choice":
        return parameter
    choices = baselines.choices(session, parameter.choices)
    default = parameter.default if parameter.default in choices else choices[0]
    return parameter.with_(choices=choices, default=default)


def _routed(method: Method, found: structure.Structure) -> list[str]:
    """What others refuse, and is handled here by rules for operations instead of modules."""
    if method.name not in BY_RULES:
        return []
    notes = []
    places = list(dict.fromkeys(one.where for one in found.operations if one.rectifies and not one.built_in))
    if places:
        notes.append(f"ReLU called as a function in {_listed(places)} is treated like a ReLU module.")
    if found.reused and method.name not in ("guided_backprop", "deconvolution"):
        notes.append(f"{_listed(found.reused)}: used several times in a pass; each use is treated on its own.")
    return notes


def _listed(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _small(parameter: Parameter) -> Any:
    return max(SMALL[parameter.name], int(parameter.low or 0))


def _defaults(kind: str, methods: Sequence[dict[str, Any]]) -> list[str]:
    fitting = [item["name"] for item in methods if not item["reason"] and item["form"] == "input"]
    first = [name for name in FIRST.get(kind, ()) if name in fitting]
    return [*first, *(name for name in fitting if name not in first)][:SHOWN]
