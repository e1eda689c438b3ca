"""Models of which every explanation, or every gradient, would be wrong are refused by numbers, and others are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from analysis.attribution import preflight, probes, structure
from analysis.attribution.case import Case
from analysis.subject.session import Session
from tests.attribution import nets
from tests.attribution.conftest import SESSIONS, WORDS, Context, N, drawn, ids, labelled, opened, table_net

GRADIENTS = ("saliency", "integrated_gradients", "gradient_shap", "layer_conductance", "guided_backprop")


def reasons(session: Session) -> dict[str, str]:
    value, _ = preflight.attribution_methods(session, Context())
    return {item["name"]: item["reason"] for item in value["methods"]}


def probed(session: Session) -> tuple[str, str, list[str]]:
    """What the probes say of the first instance."""
    case, found = Case(session, session.batch([0])), structure.look(session)
    return probes.for_all(case, found), *probes.cut_off(case, found)


@pytest.mark.parametrize("make", SESSIONS.values(), ids=SESSIONS)
def test_ordinary_models_are_not_refused(make: Callable[[], Session]) -> None:
    assert probed(make()) == ("", "", [])


@pytest.mark.parametrize("name", [name for name in nets.BETWEEN if name not in ("detached", "a number of Python")])
def test_nor_are_those_that_rules_have_trouble_with(name: str) -> None:
    assert probed(nets.pictures(nets.net(name))) == ("", "", [])


class Words(nn.Module):
    """Ids go through one embedding, and another way."""

    def __init__(self, way: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Embedding(20, 6, padding_idx=0), nn.Embedding(20, 6, padding_idx=0)
        self.out, self.wide, self.way = nn.Linear(6, 2), nn.Linear(20, 2), way

    def forward(self, tokens: Tensor) -> Tensor:
        found = self.first(tokens)
        if self.way == "second":
            found = found + self.second(tokens)
        if self.way == "functional":
            found = found * F.embedding(tokens, self.first.weight)
        scores = self.out(torch.tanh((found * (tokens != 0)[..., None]).sum(1)))
        if self.way == "wide":
            scores = scores + self.wide(F.one_hot(tokens, 20).float().sum(1))
        return scores


@pytest.mark.parametrize("way", ["second", "functional", "wide"])
def test_ids_with_a_second_way_in_refuse_every_method(way: str) -> None:
    found = reasons(opened(Words(way).eval(), labelled(ids()), decode=WORDS))
    assert all("other than through 'first'" in reason for reason in found.values())


def test_ids_that_only_make_a_mask_do_not() -> None:
    found = reasons(opened(Words("mask").eval(), labelled(ids()), decode=WORDS))
    assert not found["saliency"]
    assert not found["feature_ablation"]


class Last(nn.Module):
    """Reads the text where its last id is."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.inner, self.out = nn.Embedding(20, 6), nn.GRU(6, 6, batch_first=True), nn.Linear(6, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        steps, _ = self.inner(self.first(tokens))
        return self.out(steps[torch.arange(len(tokens)), (tokens == 19).int().argmax(1)])


def test_an_id_that_is_in_every_text_may_be_looked_for() -> None:
    data = [torch.cat([one % 18 + 1, torch.tensor([19])]) for one in ids()]
    assert probed(opened(Last().eval(), labelled(data), decode=WORDS))[0] == ""


class Centred(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = table_net()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x - x.mean(0))


def test_scores_that_depend_on_the_batch_refuse_every_method() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.Tanh(), nn.Flatten()]
    net = nn.Sequential(*layers, nn.Linear(256, 3)).eval()
    found = reasons(opened(net, labelled(drawn(N, 1, 10, 10), 3)))
    assert all("1 (BatchNorm2d) computes with statistics of the batch" in reason for reason in found.values())
    found = reasons(opened(Centred().eval(), labelled(drawn(N, 5), 3)))
    assert all("depend on what else is in the batch" in reason for reason in found.values())


class Cut(nn.Module):
    """A part of the way has no gradient."""

    def __init__(self, weight: float, how: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.one, self.other, self.weight, self.how = table_net(), table_net(), weight, how
        with torch.no_grad():
            self.other[0].weight.neg_()

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) + self.weight * self.other(self.how(x))


@pytest.mark.parametrize(
    ("how", "name"), [(lambda x: x.detach(), "detach"), (lambda x: x.data, ".data")], ids=["detach", "data"]
)
def test_a_gradient_of_which_a_part_is_cut_off_is_refused_with_the_place(how: Any, name: str) -> None:
    found = reasons(opened(Cut(3.0, how).eval(), labelled(drawn(N, 5), 3)))
    for method in GRADIENTS:
        assert f"{name} in the model itself (Cut)" in found[method].replace("Detach", "detach"), method
        assert "gradient" in found[method]
    assert not found["occlusion"]
    assert not found["shapley_value_sampling"]


def test_a_cut_without_weight_is_only_said() -> None:
    reason, cut, notes = probed(opened(Cut(0.0, lambda x: x.detach()).eval(), labelled(drawn(N, 5), 3)))
    assert (reason, cut) == ("", "")
    assert "detach in the model itself (Cut)" in notes[0]


class Ending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = table_net()

    def forward(self, x: Tensor) -> Tensor:
        return (self.inner(x) * 4).softmax(1)


def test_rules_on_a_model_that_ends_in_a_softmax_are_compared_with_the_score_before_it() -> None:
    found = reasons(opened(Ending().eval(), labelled(drawn(N, 5), 3)))
    assert not any(found[name] for name in ("deep_lift", "deep_lift_shap", "lrp"))


def test_sums_that_must_be_exact_are_checked_however_slow_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def probed(_case: Any, method: Any, _parameters: Any) -> tuple[str, list[str]]:
        tried.append(method.name)
        return "", []

    monkeypatch.setattr(preflight, "SECONDS", -1.0)
    monkeypatch.setattr(preflight, "probed", probed)
    reasons(SESSIONS["table"]())
    assert "deep_lift" in tried
    assert "integrated_gradients" not in tried
