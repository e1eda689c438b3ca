"""The tests that a reader asked for: what each one is, its button, and how its result reads.

A test is asked for by a button and kept by the browser, as the text of ``Spec``; its result is an answer like any
other, so it is computed once, whoever asks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dash import html

from analysis.layerinfo import LayerInfo
from analysis.training.findings import listed
from dashboard.views.layers import data, evidence, results
from dashboard.widgets.attributes import attributes
from dashboard.widgets.waiting import failed_box, waiting_box

MODES = ("zero", "mean", "merge")
MOST = 24  # tests that one visitor has at a time
MOST_TEXT = 60_000


@dataclass(frozen=True)
class Spec:
    """A test. question: 'ablation' or 'bypass'. params: of the question. of: the activations it speaks about."""

    question: str
    params: dict[str, Any]
    of: str

    @property
    def text(self) -> str:
        """As the browser keeps it."""
        return json.dumps({"q": self.question, "p": self.params, "x": self.of}, sort_keys=True, separators=(",", ":"))


def spec_of(shown: data.Frame, question: str, **params: Any) -> Spec:
    """A test of the weights and the sample shown."""
    return Spec(question, params, shown.extraction.directory.name)


def read(text: object, shown: data.Frame) -> Spec | None:
    """A test that the browser sent; None if it is none of these layers, or of other weights or another sample."""
    try:
        value = json.loads(text) if isinstance(text, str) and len(text) <= MOST_TEXT else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("x") != shown.extraction.directory.name:
        return None
    question, params = value.get("q"), value.get("p")
    if not isinstance(params, dict):
        return None
    info = next((info for info in shown.layers if info.key == params.get("layer")), None)
    if info is None:
        return None
    if question == "bypass":
        return spec_of(shown, "bypass", layer=info.key)
    filters, mode, into = params.get("filters"), params.get("mode"), params.get("into")
    if question != "ablation" or mode not in MODES or not isinstance(filters, list) or not filters:
        return None
    if not all(isinstance(i, int) and not isinstance(i, bool) and 0 <= i < info.filters for i in filters):
        return None
    if mode == "merge" and not (isinstance(into, int) and 0 <= into < info.filters):
        return None
    chosen = sorted(set(filters))
    return spec_of(shown, "ablation", layer=info.key, filters=chosen, mode=mode, into=into if mode == "merge" else None)


def asked_for(tests: object, shown: data.Frame) -> dict[str, Spec]:
    """The tests of the browser's list that speak about what is shown, by their text."""
    found = [read(text, shown) for text in tests[-MOST:]] if isinstance(tests, list) else []
    return {spec.text: spec for spec in found if spec is not None}


def words(shown: data.Frame, spec: Spec) -> str:
    """What a test does: 'conv1: filters 3 and 17 set to 0'."""
    params, info = spec.params, _layer_of(shown, spec)
    if spec.question == "bypass":
        return f"{data.called(info)} left out"
    which = f"{data.noun(info, len(params['filters']))} {listed(params['filters'])}"
    did = {"zero": "set to 0", "mean": "set to their mean" if len(params["filters"]) > 1 else "set to its mean"}
    done = did.get(params["mode"], f"replaced by {data.noun(info, 1)} {params['into']}")
    return f"{data.called(info)}: {which} {done}"


def _layer_of(shown: data.Frame, spec: Spec) -> LayerInfo:
    return next(info for info in shown.layers if info.key == spec.params["layer"])


def button(spec: Spec, label: str) -> html.Button:
    """Starts a test; assets/layer_panels.js keeps it in the browser's list."""
    return html.Button(label, type="button", className="outline-button", **attributes({"data-layer-test": spec.text}))


def label_of(shown: data.Frame, spec: Spec) -> str:
    """What a finding's button says."""
    if spec.question == "bypass":
        return f"Test: drop {data.called(_layer_of(shown, spec))}"
    mode = spec.params["mode"]
    into = spec.params.get("into")
    return {"zero": "Test: set to 0", "mean": "Test: set to the mean"}.get(mode, f"Test: let {into} replace it")


def outcome(shown: data.Frame, spec: Spec) -> tuple[Any, str]:
    """The result, or what stands in its place, and a mark that changes when it does."""
    found = evidence.asked(shown, spec.question, **spec.params)
    what = words(shown, spec)
    if found.answer is not None:
        return results.result(shown, spec.question, found.answer.json, what), found.answer.key
    now = data.mark(found.state, found.job and [found.job.id, found.job.state, found.job.progress, found.job.position])
    if found.state == "failed":
        return failed_box(found.job, f"Test ({what})"), now
    return waiting_box(found.job, f"Test: {what}"), now


def outcomes(shown: data.Frame, specs: Sequence[Spec]) -> tuple[dict[str, Any], str]:
    """The results of several tests by their text, and one mark for all."""
    found = {spec.text: outcome(shown, spec) for spec in specs}
    return {text: box for text, (box, _) in found.items()}, data.mark([mark for _, mark in found.values()])
