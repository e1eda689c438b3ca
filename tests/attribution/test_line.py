"""Integrated Gradients whose steps are doubled until its values add up: against slow sums, and what it costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from analysis.attribution import line, registry
from analysis.attribution.case import Case
from analysis.attribution.explain import attribution
from analysis.attribution.measures.work import Work
from analysis.attribution.method import Found
from analysis.attribution.parameters import checked
from analysis.subject.session import Session
from tests.attribution.conftest import WORDS, Context, drawn, ids, image_session, labelled, opened, text_session

METHOD = registry.get("integrated_gradients")
PLAIN = {"tolerance": 0}


class Saturating(nn.Module):
    """A GRU with large weights over (n, steps, 3): its score changes on short stretches of the line."""

    def __init__(self, gain: float = 10.0) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.gru, self.out = nn.GRU(3, 12, batch_first=True), nn.Linear(12, 2)
        self.gru.load_state_dict({name: gain * value for name, value in self.gru.state_dict().items()})

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.gru(x)[0].mean(1))


def saturating() -> Session:
    """Instances 0 and 3 stay so near the baseline that few steps do."""
    x = 10 * drawn(6, 12, 3)
    x[[0, 3]] *= 0.001
    return opened(Saturating().eval(), labelled(x), kind="series")


def run(session: Session, rows: Any, **parameters: Any) -> tuple[Found, Tensor]:
    """What is found, and what it misses of the score's change, as a share of it (n,)."""
    with Case(session, session.batch(list(rows)), "1") as case:
        found = METHOD.run(case, lambda *_told: None, **checked(METHOD.parameters, parameters))
        assert found.baseline is not None
        change = case.scores(case.inputs) - found.baseline
    return found, (found.values.flatten(1).sum(1) - change).abs() / change.abs()


def slow(model: nn.Module, x: Tensor, steps: int = 20_000) -> Tensor:
    """The sum at the middle of very many small stretches, from 0 to x (steps, channels)."""
    total, model = torch.zeros_like(x, dtype=torch.float64), model.double()
    for places in ((torch.arange(steps, dtype=torch.float64) + 0.5) / steps).split(4000):
        points = (places[:, None, None] * x.double()).requires_grad_()
        [gradient] = torch.autograd.grad(model(points)[:, 1].sum(), points)
        total += gradient.sum(0) / steps
    return total * x


def test_where_the_steps_suffice_nothing_is_changed_and_one_pass_is_spent() -> None:
    for session in (image_session(), text_session()):
        plain, _ = run(session, range(4), **PLAIN)
        found, _ = run(session, range(4))
        assert torch.equal(found.values, plain.values)
        assert found.notes == []
        assert found.extra == {"again": {"max_steps": 50}}
    costs = []
    for params in (PLAIN, {}):
        session = image_session()
        with Case(session, session.batch([1])) as case:
            costs.append(Work(case, METHOD, checked(METHOD.parameters, params), Context()).cost)
    assert costs[1] == costs[0] + 1


def test_of_a_saturating_net_the_values_come_to_those_of_a_slow_sum() -> None:
    session = saturating()
    _, before = run(session, range(6), **PLAIN)
    _, even = run(session, range(6), **PLAIN, n_steps=400)
    found, after = run(session, range(6))
    failed = before > 0.05
    assert failed.tolist() == [False, True, True, False, True, True]
    assert bool((after[failed] < before[failed] / 10).all())
    assert bool((after[failed] < even[failed]).all())
    assert bool((after[:5] < 0.05).all())
    for row in (1, 2):
        expected = slow(Saturating().eval(), session.batch([row]).principal[0])
        apart = (found.values[row] - expected).abs().sum() / expected.abs().sum()
        assert apart < 0.05


def test_only_the_instances_that_fail_are_refined_and_as_they_are_alone() -> None:
    session = saturating()
    plain, gaps = run(session, range(6), **PLAIN)
    found, _ = run(session, range(6))
    same = [bool(torch.equal(one, other)) for one, other in zip(found.values, plain.values, strict=True)]
    assert same == (gaps <= 0.05).tolist()
    assert same[0]
    assert same[3]
    for row in (1, 3):
        alone, _ = run(session, [row])
        assert torch.allclose(alone.values[0], found.values[row], atol=1e-3 * float(found.values[row].abs().max()))


def test_padding_takes_no_part() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.embedding, self.inner = nn.Embedding(20, 3, padding_idx=0), Saturating(8.0)

        def forward(self, x: Tensor) -> Tensor:
            states = self.inner.gru(3 * self.embedding(x))[0] * (x != 0)[:, :, None]
            return self.inner.out(states.sum(1) / 4)

    session = opened(Reader().eval(), labelled(ids()), decode=WORDS)
    _, before = run(session, range(6), **PLAIN)
    together, after = run(session, range(6))
    failed = [row for row in range(6) if before[row] > 0.05]
    shorter = [row for row in failed if len(ids()[row]) < 9]
    assert shorter
    assert bool((after[failed] < before[failed] / 5).all())
    for row in shorter:
        alone, _ = run(session, [row])
        length = len(ids()[row])
        size = float(alone.values.abs().max())
        assert torch.allclose(alone.values[0], together.values[row, :length], atol=1e-3 * size)
        assert not together.values[row, length:].any()


def test_each_doubling_shows_a_draft_and_the_note_says_what_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.attribution.explain.SECONDS", 0)
    session, drafts = saturating(), []
    session.partial = lambda value, arrays: drafts.append((value, arrays))  # type: ignore[method-assign]
    asked = {"instance": 1, "method": METHOD.name, "version": METHOD.version, "target": "1"}
    value, arrays = attribution(session, Context(), **asked)
    assert [draft["samples"] for draft, _ in drafts] == [50, 100, 200][: len(drafts)]
    assert all(draft["partial"] and draft["samples_planned"] == 400 for draft, _ in drafts)
    assert drafts[0][1]["attribution"].shape == arrays["attribution"].shape
    taken = value["samples"]
    assert taken == 2 * drafts[-1][0]["samples"] == value["samples_planned"]
    assert value["notes"][-1].startswith(f"{taken} steps, most of them where the score changes, as 50 even ones missed")
    value, _ = attribution(session, Context(), **asked, params={"max_steps": 100})
    assert "the last doubling still moved the values by" in " ".join(value["notes"])
    value, _ = attribution(session, Context(), **asked, params={"max_steps": 99})
    assert [("steps," in note, "More steps" in note) for note in value["notes"]] == [(False, True)]


def test_maps_of_other_inputs_cost_no_more_than_the_first() -> None:
    session = saturating()
    for row, most in ((0, 52), (1, 1000)):
        with Case(session, session.batch([row]), "1") as case:
            work = Work(case, METHOD, checked(METHOD.parameters, {}), Context())
            assert work.cost <= most
            for scale in (1.0, 1.3, 5.0):
                before = work.count.passes
                again = work.map(scale * case.inputs)
                assert work.count.passes - before <= work.cost + 1
                assert scale != 1.0 or torch.equal(again, work.original)


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 60), st.booleans())
@settings(max_examples=60, deadline=None)
def test_stretches_cover_the_line_in_order(seed: int, m: int, count: int, known: bool) -> None:
    random = np.random.default_rng(seed)
    edges = np.concatenate([np.zeros((1, 2)), np.sort(random.random((m - 1, 2)), axis=0), np.ones((1, 2))])
    changes = random.normal(size=(m, 2)) * random.integers(0, 2, (m, 2))
    missed = random.normal(size=(m, 2)) * random.integers(0, 2, (m, 2)) if known else None
    found = line.laid(edges, changes, missed, count)
    assert found.shape == (count + 1, 2)
    assert (np.diff(found, axis=0) >= 0).all()
    np.testing.assert_allclose(found[[0, -1]], [[0, 0], [1, 1]], atol=1e-9)
    # No stretch is left out: at least a fifth of all are laid evenly.
    assert np.diff(found, axis=0).max() <= 1 / (0.19 * count) + 1e-9


def test_most_stretches_go_where_most_was_missed() -> None:
    edges = np.linspace(0, 1, 11)[:, None]
    missed = np.zeros((10, 1))
    missed[4] = 1
    found = line.laid(edges, np.full((10, 1), 0.1), missed, 100)[:, 0]
    assert 50 <= ((found >= 0.4) & (found <= 0.5)).sum() <= 60
