"""Planted truth: a cue that is known to decide the class, and every method that fits the model has to point at it.

All go the way of the worker: the pre-flight says which methods fit and with what parameters, ``attribution`` answers.
What counts as pointing at it is in ``cues``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from analysis.attribution import registry
from analysis.attribution.explain import attribution
from analysis.attribution.preflight import attribution_methods
from analysis.attribution.subset import attribution_subset
from analysis.attribution.trust import attribution_trust
from analysis.attribution.verdict import verdict
from analysis.extraction.extract import run_extraction
from analysis.extraction.reader import Extraction
from tests.e2e.cue_subjects import watermark

from .conftest import Context
from .cues import CUES, Cue, session

# Refused, and rightly so; anything else that is refused, or not any more, is a change that somebody has to look at.
REFUSED: dict[str, set[str]] = {
    "watermark": {"attention"},
    "span": {"attention"},
    "column": {"attention", "layer_grad_cam", "guided_grad_cam"},
    "word": {"attention", "lrp", "deep_lift", "deep_lift_shap", "guided_backprop", "deconvolution", "guided_grad_cam"},
}
BY_NEURON = ("neuron_conductance", "neuron_gradient")  # explain a unit, whatever the class
CASES = [
    pytest.param(cue, method.name, id=f"{cue.name}-{method.name}")
    for cue in CUES
    for method in registry.METHODS
    if method.name not in REFUSED[cue.name]
]


@cache
def preflight(name: str) -> dict[str, Any]:
    value, _ = attribution_methods(session(name), Context())
    return {method["name"]: method for method in value["methods"]}


def asked(name: str, method: str, instance: int, **options: Any) -> tuple[dict[str, Any], np.ndarray]:
    """The answer with the defaults that the pre-flight found for this model: plain values, and what is attributed."""
    told = preflight(name)[method]
    params = {parameter["name"]: parameter["default"] for parameter in told["parameters"]}
    params |= {key: value for key, value in options.pop("params", {}).items() if key in params}
    value, arrays = attribution(
        session(name), Context(), instance=instance, method=method, version=told["version"], params=params, **options
    )
    return value, arrays["attribution"]


@pytest.mark.parametrize("cue", CUES, ids=lambda cue: cue.name)
def test_the_cue_decides_and_the_rest_does_not(cue: Cue) -> None:
    """Without it another class is predicted; without as much elsewhere it is the same one. The premise of the rest."""
    for instance in cue.instances:
        before, _ = asked(cue.name, "saliency", instance)
        tokens = before.get("tokens", [])
        without, _ = asked(cue.name, "saliency", instance, edit=[cue.without(tokens)])
        drop = before["score"] - without["score"]
        assert drop > 0
        if cue.name != "column":  # in the middle between the classes there, so either may be predicted
            assert without["prediction"] != before["prediction"]
        for edit in cue.control(tokens):
            other, _ = asked(cue.name, "saliency", instance, edit=[edit])
            assert other["prediction"] == before["prediction"]
            assert abs(other["score"] - before["score"]) < drop / 2


@pytest.mark.parametrize("cue", CUES, ids=lambda cue: cue.name)
def test_what_the_pre_flight_refuses_is_what_does_not_fit(cue: Cue) -> None:
    refused = {name: told["reason"] for name, told in preflight(cue.name).items() if told["reason"]}
    assert set(refused) == REFUSED[cue.name] & {method.name for method in registry.METHODS}, refused
    assert all(reason.endswith(".") for reason in refused.values())


@pytest.mark.parametrize(("cue", "method"), CASES)
def test_every_method_that_fits_finds_the_cue(cue: Cue, method: str) -> None:
    told = preflight(cue.name)[method]
    assert told["reason"] == ""
    for instance in cue.instances:
        params: dict[str, Any] = {}
        if method in BY_NEURON:
            params = _unit_of_the_cue(cue, instance)
        value, values = asked(cue.name, method, instance, params=params)
        if told["form"] == "filters":
            _assert_filters_follow_the_cue(cue, method, instance, value, values)
            continue
        sizes, at = cue.regions(values, value.get("tokens", []))
        assert sizes[at] > 0
        assert cue.rank(values, value.get("tokens", [])) == 1, (instance, at, np.round(sizes / sizes.max(), 3).tolist())


def _unit_of_the_cue(cue: Cue, instance: int) -> dict[str, Any]:
    """The unit of a layer whose activation, where it is highest, changes most when the cue is taken away."""
    params: dict[str, Any] = {"layer": cue.layer, "pool": "max"}
    value, before = asked(cue.name, "layer_activation", instance, params=params)
    without = [cue.without(value.get("tokens", []))]
    _, after = asked(cue.name, "layer_activation", instance, params=params, edit=without)
    return {**params, "neuron": int((before - after).argmax())}


def _assert_filters_follow_the_cue(cue: Cue, method: str, instance: int, value: dict[str, Any], shown: Any) -> None:
    """Values of filters say nothing of places; but they change more without the cue than without anything else."""
    tokens = value.get("tokens", [])

    def change(edit: dict[str, Any]) -> float:
        _, after = asked(cue.name, method, instance, edit=[edit])
        return float(np.abs(after - shown).sum())

    others = [change(edit) for edit in cue.control(tokens)]
    assert change(cue.without(tokens)) > max(others), (instance, others)


@pytest.mark.parametrize("instance", [1, 3, 5])
def test_attention_goes_to_the_cue(instance: int) -> None:
    """Of a network that decides by where it looks, not of attention at large."""
    value, weights = asked("glance", "attention", instance)
    tokens = value["tokens"]
    assert weights.shape[1:] == (len(tokens), len(tokens))
    np.testing.assert_allclose(weights.sum(2), 1, atol=1e-4)
    received = weights.mean((0, 1))
    assert tokens[int(received.argmax())] == "refund"


def test_the_subjects_are_what_they_say() -> None:
    for name, kind in (("watermark", "image"), ("word", "text"), ("span", "series"), ("column", "table")):
        opened = session(name)
        assert opened.kind == kind
        right = (opened.forward(opened.batch(range(opened.n))).argmax(1).numpy() == opened.labels()).mean()
        assert right > (0.6 if name == "watermark" else 0.95)  # marked digits are taken for a 3
    described = session("span").description()
    assert (described["sampling_rate"], described["feature_names"]) == (20, ["inlet", "middle", "outlet"])


# Over many instances, and how far it is believed


@pytest.fixture(scope="module")
def subset(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """Answers of ``attribution_subset`` as a worker would give them, with an extraction of all instances."""

    def answer(name: str, method: str, which: str, most: int = 40) -> dict[str, Any]:
        opened = session(name)
        if opened.cache is None:
            opened.cache = tmp_path_factory.mktemp(name)
            opened.sample = {"n": opened.n, "random_state": 0, "include": []}
            run_extraction(opened, Context(), key="e" * 40, n=opened.n)
        home = opened.cache / "extractions" / ("e" * 40)
        opened.extraction = lambda: Extraction(home)
        told = preflight(name)[method]
        value, _ = attribution_subset(
            opened, Context(), method=method, version=told["version"], subset=which, most=most
        )
        return value

    return answer


SUBSETS = {"watermark": "predicted:3", "word": "predicted:1", "span": "predicted:1", "column": "all"}


def in_the_cue(name: str, place: str) -> bool:
    """Whether a place, as the view names it, lies in the cue, or overlaps with it."""
    if name == "watermark":
        x0, y0, x1, y1 = watermark.CUE
        left, right, top, bottom = map(int, re.findall(r"\d+", place)[-4:])
        return left < x1 and right > x0 and top < y1 and bottom > y0
    if name == "span":
        sensor, first, end = place.replace(" to ", ", ").removesuffix(" s").split(", ")
        return sensor == "middle" and float(first) < 3 and float(end) > 2
    return place == {"word": "refund", "column": "pressure"}[name]


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
@pytest.mark.parametrize("name", SUBSETS)
def test_the_subset_view_confirms_the_cue(name: str, method: str, subset: Callable[..., dict[str, Any]]) -> None:
    found = subset(name, method, SUBSETS[name])["concentration"]
    assert in_the_cue(name, found["name"]), found
    assert found["share"] > 3 * found["even"]
    assert found["concentrated"], found


def test_without_a_cue_the_subset_view_confirms_nothing(subset: Callable[..., dict[str, Any]]) -> None:
    found = subset("untrained", "integrated_gradients", "all")["concentration"]
    assert not found["concentrated"], found


@pytest.mark.parametrize(("name", "level"), [("untrained", {"poor"}), ("watermark", {"good", "fair"})])
@pytest.mark.parametrize("method", ["integrated_gradients", "saliency", "occlusion"])
def test_an_untrained_control_is_not_believed(name: str, level: set[str], method: str) -> None:
    told = preflight(name)[method]
    instance = watermark.marked()[0]
    trust, _ = attribution_trust(session(name), Context(), instance=instance, method=method, version=told["version"])
    judged = verdict(told, trust)
    assert judged.level in level, judged.reasons
