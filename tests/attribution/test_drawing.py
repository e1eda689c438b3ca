"""What methods draw at random depends on the seed, not on how much is drawn at once; and seeds are cheap."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from analysis.attribution import baselines, gradients
from analysis.attribution.case import SEED, Case, _seed
from analysis.subject.session import Session
from tests.attribution.conftest import SESSIONS, image_session, text_session
from tests.attribution.test_gradient_methods import run


@pytest.mark.parametrize("make", [image_session, text_session], ids=["image", "text"])
@pytest.mark.parametrize("parts", [(1, 1, 5), (3, 4), (6, 1)])
def test_noise_and_baselines_in_parts_are_those_drawn_at_once(
    make: Callable[[], Session], parts: tuple[int, ...]
) -> None:
    session = make()
    case = Case(session, session.batch(range(3)))
    noise, several = gradients.Noise(case, 0.2, 5), baselines.Several(case, 7, 5)
    assert torch.equal(torch.cat([noise.next(count) for count in parts]), gradients.noise(case, 7, 0.2, 5))
    starts = [sum(parts[:place]) for place in range(len(parts))]
    pieces = [several[start : start + count] for start, count in zip(starts, parts, strict=True)]
    assert torch.equal(torch.cat(pieces), baselines.several(case, 7, 5))


@pytest.mark.parametrize("name", ["smoothgrad", "gradient_shap"])
@pytest.mark.parametrize("make", [SESSIONS["image"], SESSIONS["text"]], ids=["image", "text"])
def test_any_number_of_samples_in_a_pass_gives_the_same(
    name: str, make: Callable[[], Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = {"smoothgrad": "nt_samples", "gradient_shap": "n_samples"}[name]

    def values() -> torch.Tensor:
        return run(make(), name, (0,), **{samples: 9, "stdevs": 0.1})[0].values

    together = values()
    monkeypatch.setattr(Case, "at_most", lambda _case, wanted=64: min(wanted, 2))
    assert torch.allclose(values(), together, atol=1e-6)


def test_large_instances_are_drawn_from_as_many_as_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "DRAWN", 2)
    monkeypatch.setattr(baselines, "HELD", 10)
    session = image_session()
    case = Case(session, session.batch([0]))
    assert len(baselines.several(case, 50, 0).unique(dim=0)) == 2


def test_the_seed_of_a_pass_is_that_of_torch() -> None:
    with torch.random.fork_rng():
        _seed()
        found = torch.rand(5)
        torch.manual_seed(SEED)
        assert torch.equal(found, torch.rand(5))
