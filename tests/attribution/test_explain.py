"""The answer to 'attribution': what it says, in every form; what it publishes meanwhile; what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from analysis.attribution import explain, registry
from analysis.attribution.case import Case
from analysis.attribution.faults import AttributionError
from analysis.attribution.method import Found, Method, Result
from analysis.attribution.structure import Structure
from analysis.errors import ParameterError
from analysis.jobs.context import Cancelled
from analysis.subject.session import Session
from tests.attribution.conftest import (
    SESSIONS,
    Context,
    N,
    drawn,
    explained,
    image_session,
    labelled,
    opened,
    series_session,
    table_net,
    table_session,
    text_session,
    transformer_session,
)

Use = Callable[..., Method]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Use]:
    """Registers a made-up method."""

    def register(run: Callable[..., Found], **changes: Any) -> Method:
        found = replace(
            registry.get("saliency"),
            name="made_up",
            title="Made up",
            run=run,
            parameters=(),
            **{"applies": lambda _structure: "", **changes},
        )
        monkeypatch.setattr(registry, "METHODS", (*registry.METHODS, found))
        return found

    return register


@pytest.mark.parametrize("make", SESSIONS.values(), ids=SESSIONS)
def test_an_answer_holds_plain_values_and_what_the_model_got(make: Callable[[], Session]) -> None:
    session = make()
    value, arrays = explained(session, "integrated_gradients", 1, params={"n_steps": 4})
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert value["score"] == pytest.approx(float(session.forward(session.batch([1]))[0].max()), abs=1e-5)
    assert value["sum"] == pytest.approx(float(arrays["attribution"].sum()), abs=1e-5)
    assert value["low"] == min(0, arrays["attribution"].min())
    assert value["high"] == max(0, arrays["attribution"].max())
    assert value["target"] == [value["prediction"]] == [value["scores"][0][0]]
    assert value["label"] == 1
    assert value["params"]["n_steps"] == 4
    if session.kind == "text":
        assert value["tokens"] == session.tokens(1)
        assert arrays["attribution"].shape == (len(value["tokens"]),)
    else:
        assert np.array_equal(arrays["display"], session.display(1))


def test_the_target_is_told_in_words() -> None:
    session = opened(table_net(), labelled(drawn(N, 5), 3), class_names=["cat", "dog", "owl"])
    for target, words in (("2", "the score of class 'owl'"), ("0-2", "'cat' minus 'owl'")):
        assert explained(session, target=target)[0]["target_name"] == words
    assert explained(image_session(), unit="0:3")[0]["target_name"] == "filter 3 of 0"
    assert explained(text_session(), unit="rnn:3")[0]["target_name"] == "unit 3 of rnn"
    pooled = explained(image_session(), unit="0:3:max")[0]["target_name"]
    assert pooled == "the largest activation of filter 3 of 0"


def test_a_contrast_is_the_difference_of_two_maps() -> None:
    session = image_session()
    plus, minus, both = (explained(session, target=target)[1]["attribution"] for target in ("1", "2", "1-2"))
    assert np.allclose(plus - minus, both, atol=1e-6)


@pytest.mark.parametrize("pool", ["", ":max"])
def test_a_filter_is_explained_by_the_gradient_of_its_activation(pool: str) -> None:
    session = image_session()
    value, arrays = explained(session, unit=f"0:3{pool}")
    x = drawn(N, 3, 10, 12)[:1].requires_grad_()
    found = session.model[0](x)[0, 3]
    activation = found.amax() if pool else found.mean()
    [gradient] = torch.autograd.grad(activation, x)
    assert value["score"] == pytest.approx(float(activation.detach()), abs=1e-5)
    assert np.allclose(arrays["attribution"], gradient[0], atol=1e-6)
    assert value["target"] == []


def test_a_hidden_unit_of_a_padded_batch_is_explained_over_its_own_steps() -> None:
    session = text_session()
    with Case(session, session.batch(range(N)), unit="rnn:2") as case:
        together = case.scores(case.inputs)
    for index in range(N):
        with Case(session, session.batch([index]), unit="rnn:2") as case:
            assert float(case.scores(case.inputs)[0]) == pytest.approx(float(together[index]), abs=1e-5)


def test_a_layer_with_time_first_is_read_by_instance() -> None:
    session = SESSIONS["recurrent"]()
    with Case(session, session.batch(range(N)), unit="rnn:1") as case:
        together = case.scores(case.inputs)
        some = case.scores(case.inputs[[4, 2]], torch.tensor([4, 2]))
    assert torch.allclose(some, together[[4, 2]], atol=1e-6)
    out, _ = session.model.rnn(drawn(N, 11, 3).movedim(1, 0))
    assert torch.allclose(together, out[:, :, 1].mean(0), atol=1e-5)


# Forms


def test_filters_of_a_layer_are_a_list() -> None:
    value, arrays = explained(image_session(), "layer_activation", version=registry.get("layer_activation").version)
    assert value["form"] == "filters"
    assert arrays["attribution"].ndim == 1
    assert value["layer"]


def test_attention_is_a_matrix_for_each_head_without_padding() -> None:
    session = transformer_session()
    value, arrays = explained(session, "attention", 1, version=registry.get("attention").version)
    assert value["form"] == "attention"
    assert arrays["attribution"].shape[-2:] == (4, 4)
    assert len(value["tokens"]) == 4


def test_values_for_all_channels_at_once_are_not_counted_once_for_each(use: Use) -> None:
    def run(case: Case, _told: Any) -> Found:
        assert case.channels is not None
        return Found(torch.ones_like(case.inputs).narrow(case.channels, 0, 1))

    use(run)
    for make, shape in ((image_session, (1, 10, 12)), (series_session, (1, 64)), (text_session, (7,))):
        value, arrays = explained(make(), "made_up")
        assert arrays["attribution"].shape == shape
        assert value["sum"] == np.prod(shape)


def test_spread_goes_with_the_values_and_adds_up_over_a_vector(use: Use) -> None:
    use(lambda case, _told: Found(case.inputs, spread=torch.full_like(case.inputs, 2.0)))
    _, arrays = explained(image_session(), "made_up")
    assert (arrays["spread"] == 2).all()
    _, arrays = explained(text_session(), "made_up")
    assert np.allclose(arrays["spread"], 2 * 6**0.5)


# Published meanwhile


def test_what_is_published_has_the_form_of_the_answer(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "SECONDS", 0.0)

    def run(case: Case, _told: Any) -> Found:
        for samples in range(1, 4):
            values = case.inputs * samples if samples > 1 else case.inputs * torch.nan
            found = Found(values, spread=torch.ones_like(values), extra={"features": 5})
            case.publish(found, samples, 3)
        return found

    use(run)
    session = table_session()
    published: list[tuple[dict[str, Any], dict[str, Any]]] = []
    session.partial = lambda value, arrays: published.append((value, arrays))
    value, arrays = explained(session, "made_up")
    assert [part[0]["samples"] for part in published] == [2]  # not what is not finite yet, nor what is complete
    assert published[0][0] == {
        **value,
        "partial": True,
        "samples": 2,
        **{name: pytest.approx(value[name] * 2 / 3) for name in ("sum", "low", "high")},
    }
    assert np.allclose(published[0][1]["attribution"], arrays["attribution"] * 2 / 3)
    assert (value["samples"], value["samples_planned"], value["features"]) == (3, 3, 5)
    assert "partial" not in value
    assert set(published[0][1]) == set(arrays)


def test_publishing_often_writes_now_and_then(use: Use) -> None:
    def run(case: Case, _told: Any) -> Found:
        for samples in range(500):
            case.publish(Found(case.inputs), samples, 500)
        return Found(case.inputs)

    use(run)
    session, published = table_session(), []
    session.partial = lambda value, _arrays: published.append(value)
    explained(session, "made_up")
    assert 1 <= len(published) < 100


def test_smoothgrad_shows_what_it_has_with_its_uncertainty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "SECONDS", 0.0)
    session, published = table_session(), []
    session.partial = lambda value, arrays: published.append((value, arrays))
    value, arrays = explained(session, "smoothgrad", params={"nt_samples": 200})
    assert [part["samples"] for part, _ in published] == [64, 128, 192]
    assert value["samples"] == value["samples_planned"] == 200
    first, last = published[0][1]["spread"].mean(), arrays["spread"].mean()
    assert last < first


# Refused


def test_another_version_of_a_method_asks_for_a_reload() -> None:
    with pytest.raises(ParameterError, match="changed since this page was loaded") as caught:
        explained(table_session(), version=99)
    assert "Reload" in caught.value.remedy


def test_an_unknown_method_lists_those_there_are() -> None:
    with pytest.raises(ParameterError, match="no attribution method 'guess'") as caught:
        explained(table_session(), "guess")
    assert "saliency" in caught.value.remedy


def test_values_that_are_not_finite_are_refused_with_which(use: Use) -> None:
    def run(case: Case, _told: Any) -> Found:
        values = case.inputs.clone()
        values[0, 3] = torch.nan
        return Found(values)

    use(run)
    with pytest.raises(AttributionError, match=r"Made up gave NaN or infinite values: 1 of 5, the first at \(3\)"):
        explained(table_session(), "made_up")


def test_a_method_that_fails_is_a_sentence_with_the_tail(use: Use) -> None:
    use(lambda _case, _told: 1 / 0)
    with pytest.raises(AttributionError, match="Made up on instance 0 fails: ZeroDivisionError") as caught:
        explained(table_session(), "made_up")
    assert "1 / 0" in caught.value.tail


def test_a_method_that_does_not_fit_is_refused_with_the_reason(use: Use) -> None:
    def applies(structure: Structure) -> str:
        return f"A {structure.kind} has no such thing."

    use(lambda case, _told: Found(case.inputs), applies=applies)
    with pytest.raises(AttributionError, match="Made up does not fit: A table has no such thing"):
        explained(table_session(), "made_up")


def test_a_cancelled_job_ends_at_the_next_report(use: Use) -> None:
    def run(_case: Case, told: Any) -> Found:
        context.cancelled = True
        told(1, 2, "steps", "Working")
        raise AssertionError("it went on")

    use(run)
    context = Context()
    with pytest.raises(Cancelled):
        explain.attribution(table_session(), context, instance=0, method="made_up", version=1)


def test_a_model_whose_input_is_not_what_decides_is_refused() -> None:
    class Drifting(torch.nn.Module):
        """Not the same twice: it counts where nobody looks."""

        calls: list[int] = []

        def __init__(self) -> None:
            super().__init__()
            self.inner = table_net()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls.append(1)
            return self.inner(x) * len(self.calls)

    with pytest.raises(AttributionError, match="from its input alone"):
        explained(opened(Drifting(), labelled(drawn(N, 5), 3)))


def test_signs_and_completeness_are_told_with_the_result(use: Use) -> None:
    use(lambda case, _told: Found(case.inputs, extra={"signed": False}), result=Result(complete=True, coarse=True))
    value, _ = explained(table_session(), "made_up")
    assert (value["signed"], value["complete"], value["coarse"]) == (False, True, True)
