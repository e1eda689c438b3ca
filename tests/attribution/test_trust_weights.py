"""Weights drawn anew and put back, whoever else writes to them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from analysis.attribution.case import Case
from analysis.attribution.measures import redrawn
from analysis.attribution.trust import IN_USE
from analysis.subject import live
from tests.attribution import conftest, fakes
from tests.attribution.conftest import drawn, labelled, opened
from tests.attribution.test_trust_measures import working


def test_redrawn_weights_have_mean_and_deviation_of_the_old_ones_and_shared_ones_are_drawn_once() -> None:
    torch.manual_seed(0)
    first, second = torch.nn.Linear(60, 60), torch.nn.Linear(60, 60)
    second.weight = first.weight
    model = torch.nn.Sequential(first, torch.nn.Tanh(), second, torch.nn.Linear(60, 2)).eval()
    with torch.no_grad():
        first.weight.add_(0.5)
    session = opened(model, labelled(drawn(4, 60)), kind="table")
    case, make = working(session)
    with case:
        make()
        layers = redrawn.groups(case, 8)
        tensors = [id(one) for layer in layers for one in layer.tensors]
        assert len(tensors) == len(set(tensors)) == 5
        before = first.weight.detach().clone()
        with redrawn.weights_kept(session):
            for layer in layers:
                redrawn.redraw(layer, torch.Generator().manual_seed(0))
            assert not torch.equal(first.weight, before)
            assert float(first.weight.detach().mean()) == pytest.approx(float(before.mean()), abs=0.02)
            assert float(first.weight.detach().std()) == pytest.approx(float(before.std()), rel=0.1)
        assert torch.equal(first.weight, before)
    assert not session.outdated


def test_weights_that_somebody_else_changed_before_are_not_taken_for_unchanged() -> None:
    session = conftest.table_session()
    with torch.no_grad():
        session.model[0].weight.add_(1)
    assert session.outdated
    with redrawn.weights_kept(session):
        pass
    assert session.outdated


def test_a_step_of_somebody_else_s_training_meanwhile_is_noticed_and_kept_where_it_can_be() -> None:
    session = conftest.table_session()
    drawn_anew, other = session.model[2].weight, session.model[0].weight
    own, stepped = drawn_anew.detach().clone(), other.detach() + 1

    def meanwhile() -> None:
        with redrawn.weights_kept(session):
            redrawn.redraw(redrawn.Group("2", [drawn_anew]), torch.Generator().manual_seed(0))
            with torch.no_grad():
                other.add_(1)
                drawn_anew.add_(1)
            redrawn.redraw(redrawn.Group("2", [drawn_anew]), torch.Generator().manual_seed(1))

    with pytest.raises(redrawn.WeightsChanged):
        meanwhile()
    assert session.outdated
    assert torch.equal(drawn_anew, own)
    assert torch.equal(other, stepped)


def test_a_training_meanwhile_ends_the_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    session = fakes.columns_session()
    own = session.model.weight.detach().clone()

    def values(case: Case) -> torch.Tensor:
        with torch.no_grad():
            if not torch.equal(session.model.weight, own):
                session.model.bias.add_(0.1)
        return case.inputs.clone()

    fakes.install(monkeypatch, fakes.method("trained", values))
    with pytest.raises(redrawn.WeightsChanged):
        fakes.trust(session, "trained")
    assert session.outdated
    assert torch.equal(session.model.weight, own)


def test_the_model_of_a_program_that_goes_on_never_has_random_weights() -> None:
    session = fakes.columns_session()
    live.provide("live-test", session.subject)
    try:
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(fakes.trust, session, "saliency").result()
        assert found["skipped"]["reaction"] == found["skipped"]["randomised"] == IN_USE
        assert found["reaction"] is found["randomised"] is None
        assert found["deletion"] is not None
        assert fakes.trust(session, "saliency")["randomised"] is not None  # the program itself waits for this
    finally:
        live.withdraw("live-test")
