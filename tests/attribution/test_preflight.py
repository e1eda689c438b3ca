"""The pre-flight tells which methods fit a model: every one it lets pass runs, every one it refuses is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from analysis.attribution import preflight, registry
from analysis.attribution.case import Case
from analysis.attribution.method import FAMILIES, Found, Method, Result
from analysis.errors import CutawayError, NotFound
from analysis.subject.session import Session
from tests.attribution.conftest import (
    SESSIONS,
    WORDS,
    Context,
    N,
    drawn,
    explained,
    ids,
    image_session,
    labelled,
    opened,
    table_net,
    table_session,
    text_session,
    transformer_session,
)
from tests.models import zoo

FEW = {"n_steps": 3, "tolerance": 0, "nt_samples": 2, "n_samples": 4, "segments": 4}


def asked(session: Session, unit: str = "") -> dict[str, dict[str, Any]]:
    value, arrays = preflight.attribution_methods(session, Context(), unit=unit)
    assert arrays == {}
    return {item["name"]: item for item in value["methods"]}


def reasons(session: Session) -> dict[str, str]:
    return {name: item["reason"] for name, item in asked(session).items() if item["reason"]}


@pytest.mark.parametrize("make", SESSIONS.values(), ids=SESSIONS)
def test_what_passes_runs_and_what_is_refused_is_refused_when_asked_all_the_same(make: Callable[[], Session]) -> None:
    session = make()
    for name, item in asked(session).items():
        few = {one["name"]: max(FEW[one["name"]], one["low"] or 0) for one in item["parameters"] if one["name"] in FEW}
        if item["reason"]:
            with pytest.raises(CutawayError):
                explained(session, name, 1, version=item["version"], params=few)
        else:
            value, arrays = explained(session, name, 1, version=item["version"], params=few)
            assert value["form"] == item["form"]
            assert arrays["attribution"].size


@pytest.mark.parametrize("make", SESSIONS.values(), ids=SESSIONS)
def test_the_page_begins_with_several_methods_that_fit(make: Callable[[], Session]) -> None:
    value, _ = preflight.attribution_methods(make(), Context())
    fitting = {item["name"] for item in value["methods"] if not item["reason"]}
    assert len(value["defaults"]) == 4
    assert set(value["defaults"]) <= fitting
    assert value["defaults"][0] == "integrated_gradients"


def test_families_come_in_their_order_and_all_methods_of_the_list_are_there() -> None:
    families = [FAMILIES.index(method.family) for method in registry.METHODS]
    assert families == sorted(families)
    assert len(registry.METHODS) == 22


def test_controls_offer_what_the_subject_has() -> None:
    def offered(session: Session) -> Any:
        found = {item["name"]: item for item in asked(session)["integrated_gradients"]["parameters"]}
        return tuple(found["baselines"]["choices"])

    assert offered(image_session()) == ("zero", "mean", "blur")
    assert offered(table_session(baselines=torch.zeros(5))) == ("zero", "mean", "own")
    assert offered(text_session()) == ("zero", "mean", "pad")


def test_what_is_routed_around_is_said() -> None:
    notes = asked(text_session())["saliency"]["notes"]
    assert notes == ["Explained at the embedding layer 'embedding', because ids have no gradient."]
    functional = asked(opened(zoo.functional_relu(), labelled(drawn(N, 1, 20, 20), 3)))
    assert "like a ReLU module" in " ".join(functional["guided_backprop"]["notes"])
    assert functional["saliency"]["notes"] == []
    reused = asked(opened(zoo.reused_module(), labelled(drawn(N, 1, 12, 12), 3)))
    assert "shared" in " ".join(reused["deep_lift"]["notes"])


def test_a_method_that_finds_nothing_in_a_model_names_what_it_lacks() -> None:
    assert "MultiheadAttention" in reasons(table_session())["attention"]
    assert "attention" not in reasons(transformer_session())
    assert "no order" in reasons(table_session())["layer_grad_cam"]


class Steps(nn.Module):
    """Whole numbers go through an embedding."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.out = nn.Embedding(10, 4), nn.Linear(20, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.table(x.long().clamp(0, 9)).flatten(1))


def test_without_a_gradient_only_methods_that_need_none_are_left() -> None:
    session = opened(Steps(), labelled(torch.randint(0, 10, (N, 5)).float(), 3), kind="table")
    refused = reasons(session)
    assert {"saliency", "integrated_gradients", "smoothgrad", "gradient_shap", "deep_lift", "lrp"} <= set(refused)
    assert "long" in refused["saliency"]
    assert not {"occlusion", "feature_ablation", "shapley_value_sampling"} & set(refused)
    with pytest.raises(CutawayError, match="Saliency does not fit"):
        explained(session, "saliency", 0)


class Sometimes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = table_net()

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            raise ValueError("not with gradients")
        return self.inner(x)


def test_a_model_that_raises_with_gradients_is_a_reason_and_no_traceback() -> None:
    session = opened(Sometimes(), labelled(drawn(N, 5), 3))
    refused = reasons(session)
    assert "not with gradients" in refused["integrated_gradients"]


def test_a_model_of_which_nothing_can_be_told_refuses_every_method_alike() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.out = nn.Embedding(20, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.embedding(x)[:, 0] + self.embedding(x.flip(1))[:, -1] * self.embedding(x + 0)[:, 0])

    found = asked(opened(Twice(), labelled(ids()), decode=WORDS))
    assert all("'embedding' is called 3 times" in item["reason"] for item in found.values())


def test_an_instance_with_nan_is_passed_over() -> None:
    data = drawn(N, 5)
    data[0, 0] = torch.nan
    assert "saliency" not in reasons(opened(table_net(), labelled(data, 3)))


def test_without_instances_the_reason_is_said() -> None:
    found = asked(opened(table_net(), [], class_names=["a", "b", "c"], kind="table"))
    assert all("no instance" in item["reason"] for item in found.values())


def test_units_can_be_explained_and_unknown_ones_are_refused() -> None:
    assert not asked(image_session(), unit="2:3")["integrated_gradients"]["reason"]
    with pytest.raises(NotFound, match="no layer 'nowhere'"):
        asked(image_session(), unit="nowhere:1")


# Probes


def method(run: Callable[..., Found], **result: Any) -> Method:
    return replace(registry.get("input_x_gradient"), run=run, result=Result(**result), title="Made up")


def probe(run: Callable[..., Found], **result: Any) -> str:
    session = table_session()
    case = Case(session, session.batch([0]), "1")
    return preflight.probed(case, method(run, **result), ())[0]


def test_a_probe_refuses_what_is_not_finite_has_another_shape_or_fails() -> None:
    def honest(case: Case, _told: Any) -> Found:
        return Found(case.inputs)

    assert probe(honest) == ""
    assert "NaN or infinite values: 5 of 5" in probe(lambda case, _told: Found(case.inputs * torch.nan))
    assert "shape (1, 4)" in probe(lambda case, _told: Found(case.inputs[:, :4]))
    assert "Made up fails: ZeroDivisionError" in probe(lambda _case, _told: 1 / 0)


def test_a_probe_refuses_sums_that_do_not_add_up_as_they_claim() -> None:
    def claimed(factor: float) -> Callable[..., Found]:
        def run(case: Case, _told: Any) -> Found:
            base = torch.zeros_like(case.inputs)
            start = case.scores(base)
            change = case.scores(case.inputs) - start
            return Found(factor * change[:, None] * torch.ones_like(case.inputs) / 5, baseline=start)

        return run

    assert probe(claimed(1.0), complete=True) == ""
    assert "does not hold for this model" in probe(claimed(1.1), complete=True)
    assert probe(claimed(1.1), complete=False) == ""
