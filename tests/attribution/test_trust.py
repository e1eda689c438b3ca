"""Trust of a map: known truth, undefined cases, what is left behind, what is published meanwhile."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
import torch
from torch import nn

from analysis.attribution import registry
from analysis.attribution.faults import AttributionError
from analysis.attribution.measures import randomised
from analysis.attribution.method import Found, Method
from analysis.attribution.trust import NOT_ON_INPUT, OF_A_NEURON
from analysis.errors import NotFound, ParameterError
from analysis.jobs.context import Cancelled
from tests.attribution import conftest, fakes
from tests.attribution.conftest import Context, drawn, labelled, opened

IG = "integrated_gradients"


def test_a_linear_model_is_explained_without_fault() -> None:
    session = fakes.columns_session()
    found = fakes.trust(session, IG)
    weight, bias = session.model.weight.detach(), session.model.bias.detach()
    x = session.input_tensor(session.batch([0]))[0]
    [best] = found["target"]
    assert found["completeness"]["applies"]
    assert found["completeness"]["gap"] < 1e-5
    assert found["completeness"]["change"] == pytest.approx(float(weight[best] @ x), rel=1e-4)
    assert found["infidelity"]["value"] < 1e-6
    assert found["deletion"]["better"]
    assert found["insertion"]["better"]
    assert found["deletion"]["score"][0] == pytest.approx(float(weight[best] @ x + bias[best]), rel=1e-4)
    assert found["deletion"]["score"][-1] == pytest.approx(float(bias[best]), rel=1e-3, abs=1e-5)
    inserted = _inserted(x, weight[best], bias[best])
    assert found["insertion"]["score"] == pytest.approx(inserted, rel=1e-3, abs=1e-4)
    assert found["sensitivity"]["value"] < 0.2
    assert found["skipped"] == {}
    assert found["passes"] > 500


def _inserted(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> list[float]:
    """Scores as columns come, what adds most first."""
    parts = sorted((x * weight).tolist(), reverse=True)
    return [float(bias) + sum(parts[:number]) for number in range(len(parts) + 1)]


def test_slopes_are_judged_by_the_steps_they_are_multiplied_with() -> None:
    """The gradient of a linear model is exact too, though it is no share of the score."""
    found = fakes.trust(fakes.columns_session(), "saliency")
    assert found["infidelity"]["value"] < 1e-6
    assert not found["completeness"]["applies"]


def test_a_random_map_ranks_like_random(monkeypatch: pytest.MonkeyPatch) -> None:
    session = fakes.columns_session(40)
    found = {}
    for seed in range(12):
        noise = fakes.method(f"noise{seed}", lambda case, s=seed: drawn(*case.inputs.shape, seed=s + 50))
        fakes.install(monkeypatch, noise)
        found[seed] = fakes.trust(session, f"noise{seed}")
    wins = [value["deletion"]["better"] for value in found.values()]
    assert sum(wins) <= 3  # one in ten is expected
    shares = [value["deletion"]["as_good"] for value in found.values()]
    assert 0.25 < sum(shares) / len(shares) < 0.75
    assert all(value["infidelity"]["value"] > 0.5 for value in found.values())


def test_a_wrong_sum_shows_as_a_gap_and_a_map_of_the_picture_as_similar(monkeypatch: pytest.MonkeyPatch) -> None:
    half = fakes.method("half", lambda case: 0.5 * case.inputs * case.session.model.weight[case.classes[0][0]].detach())
    complete = Method(**{**vars(half), "result": registry.get(IG).result, "run": _with_baseline(half.run)})
    edges = fakes.method("edges", lambda case: case.inputs.abs(), signed=False)
    fakes.install(monkeypatch, complete, edges)
    session = fakes.columns_session(20)
    found = fakes.trust(session, "half")
    assert found["completeness"]["gap"] == pytest.approx(0.5, abs=1e-4)
    assert found["infidelity"]["value"] < 1e-6  # the scale is free there
    assert found["randomised"]["last"] < 0.7
    found = fakes.trust(session, "edges")
    assert found["randomised"]["last"] == pytest.approx(1)
    assert found["randomised"]["last_signed"] == pytest.approx(1)


def _with_baseline(run: Any) -> Any:
    def changed(case: Any, told: Any) -> Found:
        found = run(case, told)
        return Found(found.values, baseline=case.scores(torch.zeros_like(case.inputs)))

    return changed


class Constant(nn.Module):
    """The same score whatever it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.tensor([1.0, 0.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scores + 0 * x[:, :1]


def test_what_is_undefined_is_none_with_a_reason() -> None:
    session = opened(Constant().eval(), labelled(drawn(4, 8)), kind="table")
    found = fakes.trust(session, "occlusion")
    for part, figure in (("completeness", "gap"), ("infidelity", "value"), ("sensitivity", "value")):
        assert found[part][figure] is None
        assert found[part]["why"].endswith(".")
    for part in ("deletion", "insertion"):
        assert found[part]["better"] is None
        assert found[part]["gain"] is None
        assert "does not change" in found[part]["why"]
    assert found["randomised"]["last"] is None
    assert found["moves"] == 0


def test_too_few_regions_rank_nothing_and_a_constant_map_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    found = fakes.trust(fakes.columns_session(3), IG)
    assert found["deletion"]["better"] is None
    assert "fewer than 5" in found["deletion"]["why"]
    fakes.install(monkeypatch, fakes.method("flat", lambda case: torch.ones_like(case.inputs)))
    found = fakes.trust(fakes.columns_session(9), "flat")
    assert "the same everywhere" in found["insertion"]["why"]
    assert found["randomised"]["last"] is None
    assert found["randomised"]["why"]


@pytest.mark.parametrize("kind", list(conftest.SESSIONS))
def test_every_kind_is_measured_and_left_as_it_was(kind: str) -> None:
    session = conftest.SESSIONS[kind]()
    before, state = fakes.bytes_of(session.model), torch.get_rng_state()
    found = fakes.trust(session, "saliency", 1)
    assert fakes.bytes_of(session.model) == before
    assert torch.equal(torch.get_rng_state(), state)
    assert not session.outdated
    assert not session.model.training
    assert found["skipped"] == {}
    for part in ("infidelity", "sensitivity"):
        assert found[part]["value"] >= 0, part
    assert len(found["randomised"]["layers"]) == len(found["randomised"]["similarity"])
    assert fakes.trust(session, "saliency", 1) | {"seconds": 0} == found | {"seconds": 0}


def test_layers_go_from_the_output_down_and_only_those_that_matter() -> None:
    session = conftest.image_session()
    assert fakes.trust(session, "saliency")["randomised"]["layers"] == ["5", "2", "0"]
    assert fakes.trust(session, "saliency", unit=f"{session.layers[0].key}:2")["randomised"]["layers"] == ["0"]
    text = conftest.text_session()
    assert text.opened.embedding not in fakes.trust(text, "saliency")["randomised"]["layers"]


def test_frozen_weights_are_drawn_anew_and_stay_frozen() -> None:
    session = conftest.table_session()
    for parameter in session.model.parameters():
        parameter.requires_grad_(False)
    found = fakes.trust(session, "saliency")
    assert found["randomised"]["layers"] == ["2", "0"]
    assert not any(parameter.requires_grad for parameter in session.model.parameters())


def test_a_method_that_raises_with_other_weights_leaves_them_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    session = fakes.columns_session()
    own = session.model.weight.detach().clone()

    def values(case: Any) -> torch.Tensor:
        if not torch.equal(case.session.model.weight, own):
            raise RuntimeError("no such weights")
        return case.inputs.clone()

    fakes.install(monkeypatch, fakes.method("picky", values))
    before = fakes.bytes_of(session.model)
    found = fakes.trust(session, "picky")
    assert fakes.bytes_of(session.model) == before
    assert not session.outdated
    assert found["randomised"] is None
    assert "no such weights" in found["skipped"]["randomised"]
    assert found["deletion"]["score"]


@pytest.mark.parametrize(
    "doing", ["Computing", "Taking", "near instances", "Explaining with random", "Comparing with r"]
)
def test_a_cancelled_job_ends_and_the_model_is_as_before(doing: str) -> None:
    session = conftest.image_session()
    before = fakes.bytes_of(session.model)
    with pytest.raises(Cancelled):
        fakes.trust(session, IG, context=fakes.Cancelling(1, doing))
    assert fakes.bytes_of(session.model) == before
    assert not session.outdated


def test_parts_are_published_as_they_are_finished_and_passes_are_foretold() -> None:
    session = conftest.image_session()
    seen: list[dict[str, Any]] = []
    session.partial = lambda value, _arrays: seen.append(value)
    context = Context()
    found = fakes.trust(session, IG, context=context)
    assert all(value["partial"] for value in seen)
    assert "partial" not in found
    filled = [sum(value[part] is not None for part in ("completeness", "deletion", "infidelity")) for value in seen]
    assert filled == sorted(filled)
    assert filled[0] == 0
    assert seen[-1]["sensitivity"] is not None
    assert seen[-1]["randomised"] is None
    told = [one for one in context.told if one[2] == "passes" and one[1]]
    done, totals = [one[0] for one in told], {one[1] for one in told}
    assert done == sorted(done)
    assert len(totals) == 1
    assert done[-1] == found["passes"]
    assert 0.9 < found["passes"] / totals.pop() <= 1


def test_what_costs_too_much_is_skipped_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def dear(rows: int) -> Method:
        def values(case: Any) -> torch.Tensor:
            case.scores(case.inputs.expand(rows, *case.inputs.shape[1:]), torch.zeros(rows, dtype=torch.int64))
            return case.inputs.clone()

        return fakes.method(f"dear{rows}", values)

    fakes.install(monkeypatch, dear(150), dear(500), dear(3000), dear(9000))
    assert fakes.trust(fakes.columns_session(10), "dear150")["sensitivity"]["samples"] == 8
    large = fakes.trust(fakes.columns_session(20_000), "dear150")
    assert large["sensitivity"]["samples"] == 4  # a pass of it counts as two
    session = conftest.table_session()
    found = fakes.trust(session, "dear500")
    assert (found["sensitivity"]["samples"], found["randomised"]["draws"]) == (4, 1)
    found = fakes.trust(session, "dear3000")
    assert "3,000 passes" in found["skipped"]["sensitivity"]
    assert len(found["randomised"]["layers"]) == 2
    found = fakes.trust(session, "dear9000")
    assert set(found["skipped"]) == {"sensitivity", "randomised"}
    assert found["reaction"]["moves"] is not None


def test_forms_that_do_not_lie_on_the_input_are_measured_as_far_as_that_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    filters = fakes.method("filters", lambda case: case.session.model[0].weight.detach().sum(1)[None], form="filters")
    fakes.install(monkeypatch, filters)
    found = fakes.trust(conftest.table_session(), "filters")
    assert found["skipped"]["deletion"] == NOT_ON_INPUT
    assert found["deletion"] is None
    assert found["randomised"]["similarity"][0] == pytest.approx(1)  # the output's layer is another one
    neuron = fakes.method("neuron", lambda case: case.inputs.clone())
    run = neuron.run
    named = Method(**{**vars(neuron), "run": lambda *given: Found(run(*given).values, extra={"neuron": 3})})
    fakes.install(monkeypatch, named)
    assert fakes.trust(conftest.table_session(), "neuron")["skipped"]["infidelity"] == OF_A_NEURON


def test_a_contrast_and_a_unit_are_measured_too() -> None:
    session = fakes.columns_session()
    found = fakes.trust(session, IG, target="0-2")
    assert found["completeness"]["gap"] < 1e-5
    assert "probability" not in found["deletion"]
    found = fakes.trust(conftest.image_session(), IG, unit=f"{conftest.image_session().layers[0].key}:1")
    assert found["moves"] is None
    assert found["reaction"] == {"moves": None, "moves_redrawn": None}
    assert found["completeness"]["gap"] < 0.05


class Unsteady(nn.Module):
    """Answers otherwise each time it is asked."""

    passes = count(1)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.out = nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(x) * (1 + next(Unsteady.passes) % 5)


def test_what_does_not_fit_or_is_not_the_model_s_score_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    unfit = replace(fakes.method("unfit", lambda case: case.inputs), applies=lambda _structure: "It needs a filter.")
    fakes.install(monkeypatch, unfit)
    with pytest.raises(AttributionError, match="Unfit does not fit: It needs a filter"):
        fakes.trust(fakes.columns_session(), "unfit")
    with pytest.raises(AttributionError, match="from its input alone"):
        fakes.trust(opened(Unsteady().eval(), labelled(drawn(6, 5) + 3, 3)), "saliency")


def test_bad_requests_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    session = conftest.table_session()
    for options, error in (
        ({"target": "7"}, ParameterError),
        ({"instance": 99}, NotFound),
        ({"params": {"nonsense": 1}}, ParameterError),
    ):
        with pytest.raises(error):
            fakes.trust(session, "saliency", **options)
    fakes.install(monkeypatch, fakes.method("nan", lambda case: case.inputs * float("nan")))
    with pytest.raises(AttributionError, match="NaN"):
        fakes.trust(session, "nan")
    assert not session.outdated


def test_more_layers_than_groups_are_joined_to_neighbours() -> None:
    layers = [part for _ in range(11) for part in (nn.Linear(6, 6), nn.Tanh())]
    torch.manual_seed(0)
    session = opened(nn.Sequential(*layers, nn.Linear(6, 2)).eval(), labelled(drawn(4, 6)), kind="table")
    found = fakes.trust(session, "saliency")["randomised"]
    assert len(found["layers"]) == randomised.LAYERS
    assert found["layers"][0] == "22 to 20"
    assert found["layers"][-1] == "0"
