"""What the list of jobs calls a question: the words of the views, not the names of the program."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.questions import registry
from analysis.questions.registry import QUESTIONS
from dashboard.wording import job_name

TOLD = {"titles": {"integrated_gradients": "Integrated Gradients"}, "classes": ["cat", "<b>dog</b>"]}
IG = {"method": "integrated_gradients", "version": 1, "target": "predicted", "unit": "", "params": {}}


@pytest.mark.parametrize(
    ("question", "params", "words"),
    [
        ("attribution", IG | {"instance": 1234, "edit": []}, "Attribution of instance 1,234: Integrated Gradients"),
        (
            "attribution",
            IG | {"instance": 7, "edit": [{"op": "delete", "at": 0}], "unit": "conv2:17"},
            "Attribution of instance 7: Integrated Gradients, unit 17 of conv2, changed",
        ),
        ("attribution_trust", IG | {"instance": 7}, "Trust in Integrated Gradients, instance 7"),
        ("attribution_trust", {"method": "kernel_shap", "instance": 7}, "Trust in kernel shap, instance 7"),
        ("attribution_subset", IG | {"subset": "wrong"}, "Integrated Gradients over wrongly predicted instances"),
        ("attribution_subset", IG | {"subset": "class:0"}, "Integrated Gradients over instances labelled cat"),
        ("attribution_subset", IG | {"subset": "predicted:9"}, "Integrated Gradients over instances predicted 9"),
        (
            "attribution_disagreement",
            {"instances": list(range(1000)), "methods": [{}, {}]},
            "Maps of 1,000 instances by 2 methods",
        ),
        ("feature_maps", {"layer": "3", "instance": 12}, "Feature maps of layer 3, instance 12"),
        ("embedding", {"method": "umap", "layer": "conv2"}, "UMAP of the input of conv2"),
        ("ablation", {"layer": "conv2", "filters": [1], "mode": "zero"}, "Test: filters set to 0 in conv2"),
    ],
)
def test_a_job_is_called_as_the_views_call_what_it_computes(question: str, params: Any, words: str) -> None:
    assert job_name(registry.get(question), params, TOLD) == words


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.name)
def test_no_name_of_a_method_is_shown_raw(question: registry.Question) -> None:
    names = registry._FIELD.findall(question.title)
    params = {name: "guided_grad_cam" if name == "method" else 3 for name in names}
    assert "guided_grad_cam" not in job_name(question, params, {})


def test_a_unit_that_cannot_be_read_is_written_as_it_is() -> None:
    assert job_name(registry.get("attribution"), IG | {"instance": 1, "unit": "?"}, {}).endswith(", ?")
