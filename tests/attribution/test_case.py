"""A case is the model as a function of a real-valued input: of every kind, without a trace on the model."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from analysis.attribution.case import Case
from analysis.attribution.faults import AttributionError, ModelError
from analysis.errors import CutawayError, NotFound, ParameterError
from analysis.subject.session import Session
from tests.attribution.conftest import (
    SESSIONS,
    WORDS,
    N,
    drawn,
    explained,
    ids,
    image_session,
    labelled,
    opened,
    smooth_image,
    table_net,
    table_session,
    text_session,
)
from tests.models import zoo

EACH = pytest.mark.parametrize("make", SESSIONS.values(), ids=SESSIONS)


@EACH
def test_the_score_is_the_models_logit_of_the_class(make: Callable[[], Session]) -> None:
    session = make()
    batch = session.batch(range(N))
    logits = session.forward(batch)
    with Case(session, batch, "1") as case:
        assert torch.allclose(case.score(case.inputs), logits[:, 1], atol=1e-5)
    with Case(session, batch, "true") as case:
        truth = torch.as_tensor(batch.labels)
        assert torch.allclose(case.score(case.inputs), logits.gather(1, truth[:, None])[:, 0], atol=1e-5)
    with Case(session, batch, "1-0") as case:
        assert torch.allclose(case.score(case.inputs), logits[:, 1] - logits[:, 0], atol=1e-5)


@EACH
def test_rows_say_whose_they_are(make: Callable[[], Session]) -> None:
    session = make()
    with Case(session, session.batch(range(N))) as case:
        rows = torch.tensor([3, 0, 3, 5])
        assert torch.allclose(case.score(case.inputs[rows], rows), case.score(case.inputs)[rows], atol=1e-5)
        assert torch.allclose(case.module(case.inputs[rows], rows), case.score(case.inputs)[rows], atol=1e-5)


@EACH
def test_the_gradient_is_that_of_finite_differences(make: Callable[[], Session]) -> None:
    session = make()
    session.model.double()
    session.floating = torch.float64
    with Case(session, session.batch([1])) as case:
        x = case.inputs.clone().requires_grad_()
        [gradient] = torch.autograd.grad(case.score(x).sum(), x)
        step = drawn(*x.shape, seed=9).double() * 1e-3
        change = float((case.score(case.inputs + step) - case.score(case.inputs - step)).detach())
        assert change / 2 == pytest.approx(float((gradient * step).sum()), rel=0.03, abs=1e-6)


@EACH
def test_values_are_shown_without_padding_in_the_form_of_the_kind(make: Callable[[], Session]) -> None:
    session = make()
    with Case(session, session.batch(range(N))) as case:
        for row in range(N):
            shown = case.natural(torch.ones_like(case.inputs), row)
            own = session.batch([row]).principal[0]
            expected: tuple[int, ...] = tuple(own.shape)
            if case.kind == "image" and case.channels == 3:
                expected = (expected[2], *expected[:2])
            if case.kind == "series" and case.channels == 2:
                expected = expected[::-1]
            assert shown.shape == expected
            assert shown.dtype == np.float32


def test_padding_is_told_apart() -> None:
    session = text_session()
    with Case(session, session.batch(range(N))) as case:
        assert case.valid()[:, :, 0].sum(1).tolist() == [len(one) for one in ids()]
        assert [len(case.natural(case.inputs, row)) for row in range(N)] == [len(one) for one in ids()]


def fingerprint(model: nn.Module) -> tuple[str, list[int], list[Any]]:
    weights = hashlib.sha256(b"".join(value.numpy().tobytes() for value in model.state_dict().values())).hexdigest()
    hooks = [
        len(module._forward_hooks) + len(module._forward_pre_hooks) + len(module._backward_hooks)
        for module in model.modules()
    ]
    modes = [module.training for module in model.modules()]
    return weights, hooks, [*modes, *(parameter.requires_grad for parameter in model.parameters())]


def random_states() -> tuple[Any, ...]:
    return random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().tolist()


@EACH
@pytest.mark.parametrize("method", ["saliency", "integrated_gradients", "smoothgrad", "gradient_shap"])
def test_an_explanation_leaves_no_trace_on_the_model(make: Callable[[], Session], method: str) -> None:
    session = make()
    session.model.train()
    session.model.requires_grad_(False)
    before, states = fingerprint(session.model), random_states()
    explained(session, method, 2, params={"n_steps": 4} if method == "integrated_gradients" else {})
    assert fingerprint(session.model) == before
    assert random_states() == states
    assert all(parameter.grad is None for parameter in session.model.parameters())


def test_hooks_that_a_failing_method_leaves_are_removed() -> None:
    session = image_session()
    own = session.model[0].register_forward_hook(lambda *_: None)

    def leave_hooks() -> None:
        with Case(session, session.batch([0])):
            session.model[1].register_forward_hook(lambda *_: None)
            session.model[0].register_full_backward_hook(lambda *_: None)
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        leave_hooks()
    assert sum(fingerprint(session.model)[1]) == 1
    own.remove()


class Restless(nn.Module):
    """Writes into its input, and draws at random."""

    def __init__(self) -> None:
        super().__init__()
        self.relu, self.out = nn.ReLU(inplace=True), table_net()[0]

    def forward(self, x: Tensor) -> Tensor:
        x -= 0.1
        return self.out(self.relu(x) + torch.rand(1))


def test_a_model_that_writes_into_its_input_changes_nothing_here() -> None:
    session = opened(Restless(), labelled(drawn(N, 5), 3))
    with Case(session, session.batch(range(3)), "2") as case:
        before = case.inputs.clone()
        first = case.score(case.inputs)
        assert torch.equal(case.score(case.inputs), first)  # random numbers are the same in every pass
        assert torch.allclose(first, case.logits[:, 2], atol=1e-6)
        x = case.inputs.clone().requires_grad_()
        assert case.score(x).requires_grad
        assert torch.equal(case.inputs, before)
    assert torch.equal(case.inputs, drawn(N, 5)[:3])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_models_of_other_precision_are_explained_in_at_least_single(dtype: torch.dtype) -> None:
    session = opened(smooth_image().to(dtype), labelled(drawn(N, 3, 10, 12), 4))
    plain, _ = explained(image_session(), "integrated_gradients", 1)
    value, arrays = explained(session, "integrated_gradients", 1)
    assert arrays["attribution"].dtype == np.float32
    assert value["target"] == plain["target"]
    assert value["sum"] == pytest.approx(plain["sum"], abs=0.01)
    with Case(session, session.batch([0])) as case:
        assert any("two or three digits" in note for note in case.notes) == (dtype != torch.float64)


@pytest.mark.parametrize("form", ["dict", "dataclass"])
def test_outputs_with_parts_are_looked_into(form: str) -> None:
    session = opened(zoo.dict_output(form), labelled(drawn(N, 5), 3))
    value, arrays = explained(session, "input_x_gradient", 0, target="2")
    assert value["target"] == [2]
    assert arrays["attribution"].shape == (5,)


class Softmax(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = table_net()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).softmax(1)


def test_of_probabilities_the_logarithm_is_explained_and_said() -> None:
    session = opened(Softmax(), labelled(drawn(N, 5), 3))
    value, _ = explained(session, "integrated_gradients", 0, target="1", params={"n_steps": 200})
    logits = table_net()(torch.stack([drawn(N, 5)[0], torch.zeros(5)]))
    change = logits.log_softmax(1)[:, 1]
    assert value["target_name"] == "the log-probability of class '1'"
    assert value["sum"] == pytest.approx(float((change[0] - change[1]).detach()), rel=0.02)


def test_of_a_single_number_a_class_is_explained_against_the_other() -> None:
    torch.manual_seed(0)
    session = opened(nn.Linear(5, 1), labelled(drawn(N, 5)))
    one, of_one = explained(session, "input_x_gradient", 0, target="1")
    zero, of_zero = explained(session, "input_x_gradient", 0, target="0")
    assert one["score"] == pytest.approx(-zero["score"])
    assert np.allclose(of_one["attribution"], -of_zero["attribution"])
    assert np.abs(of_zero["attribution"]).sum() > 0
    assert zero["target_name"] == "the score of class '0' against '1'"


# Texts


class Bag(nn.Module):
    """An EmbeddingBag: no positions."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.bag, self.out = nn.EmbeddingBag(20, 6, mode=mode, padding_idx=0), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.bag(x).tanh())


@pytest.mark.parametrize("mode", ["mean", "sum", "max"])
def test_a_bag_of_ids_is_taken_apart_and_said(mode: str) -> None:
    session = opened(Bag(mode), labelled(ids(), 3), decode=WORDS)
    with Case(session, session.batch(range(N)), "2") as case:
        assert torch.allclose(case.score(case.inputs), case.logits[:, 2], atol=1e-5)
        assert "does not see their order" in case.notes[0]
    value, arrays = explained(session, "integrated_gradients", 0, params={"n_steps": 300})
    assert arrays["attribution"].shape == (7,)
    assert value["sum"] == pytest.approx(value["score"] - value["baseline"], rel=0.03)


class Twice(nn.Module):
    """Calls its embedding twice: with the same ids, or in reverse."""

    def __init__(self, reverse: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.out, self.reverse = nn.Embedding(20, 6, padding_idx=0), nn.Linear(6, 3), reverse

    def forward(self, x: Tensor) -> Tensor:
        again = x.flip(1) if self.reverse else x
        return self.out((self.embedding(x).mean(1) * self.embedding(again)[:, 0]).tanh())


def test_an_embedding_called_twice_counts_both_calls_or_is_refused() -> None:
    session = opened(Twice(False), labelled(ids(), 3), decode=WORDS)
    value, _ = explained(session, "integrated_gradients", 0, params={"n_steps": 200})
    assert value["sum"] == pytest.approx(value["score"] - value["baseline"], rel=0.02)
    with pytest.raises(ModelError, match="'embedding' is called 2 times"):
        explained(opened(Twice(True), labelled(ids(), 3), decode=WORDS), "saliency", 0)


class Several(nn.Module):
    """Ids with a mask, and a number beside them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.age, self.out = nn.Embedding(20, 6), nn.Linear(1, 6), nn.Linear(6, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, age: Tensor) -> Tensor:
        mask = attention_mask[..., None].float()
        return self.out(((self.embedding(input_ids) * mask).sum(1) / mask.sum(1) + self.age(age)).tanh())


def several_session() -> Session:
    items = [{"input_ids": x, "age": torch.tensor([0.3 * i]), "label": i % 3} for i, x in enumerate(ids())]
    return opened(Several(), items, decode=WORDS)


def test_inputs_beside_the_explained_one_stay_and_are_named() -> None:
    session = several_session()
    batch = session.batch(range(N))
    with Case(session, batch, "0") as case:
        assert torch.allclose(case.score(case.inputs), session.forward(batch)[:, 0], atol=1e-6)
        rows = torch.tensor([4, 2])
        assert torch.allclose(case.score(case.inputs[rows], rows), case.score(case.inputs)[rows], atol=1e-6)
        assert any("'age'" in note and "'attention_mask'" not in note for note in case.notes)


def test_without_a_known_embedding_the_remedy_is_named() -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.out = nn.Parameter(torch.randn(20, 6)), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.table[x].mean(1))

    with pytest.raises(CutawayError, match="embedding_layer="):
        explained(opened(Hidden(), labelled(ids(), 3), kind="text"), "saliency", 0)


# What cannot be explained


def test_an_instance_with_nan_is_refused_with_how_many() -> None:
    data = drawn(N, 5)
    data[1, 2:4] = torch.tensor([torch.nan, torch.inf])
    session = opened(table_net(), labelled(data, 3))
    with pytest.raises(ParameterError, match="Instance 1 has 2 values that are NaN or infinite"):
        explained(session, "saliency", 1)
    explained(session, "gradient_shap", 0)  # it is left out of what others are compared with


def test_targets_out_of_range_and_missing_instances_are_sentences() -> None:
    session = table_session()
    with pytest.raises(ParameterError, match="no class 3: the model has 3 outputs"):
        explained(session, "saliency", 0, target="3")
    with pytest.raises(NotFound, match="no instance 99"):
        explained(session, "saliency", 99)
    with pytest.raises(NotFound, match="no filter 99 in 0"):
        explained(session, "saliency", 0, unit="0:99")
    with pytest.raises(NotFound, match="no layer 'nowhere'"):
        explained(session, "saliency", 0, unit="nowhere:1")


class Moody(nn.Module):
    """Fails where values are large, and yields NaN where they are small."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = table_net()

    def forward(self, x: Tensor) -> Tensor:
        if bool((x > 50).any()):
            raise ValueError("too large\nby far")
        return self.inner(x) / (x > -50).all().float()


def test_a_model_that_raises_or_yields_nan_is_a_sentence_with_the_tail() -> None:
    data = drawn(N, 5)
    data[4], data[5] = 100.0, -100.0
    session = opened(Moody(), labelled(data[:4], 3))
    explained(session, "saliency", 0)
    session = opened(Moody(), labelled(torch.cat([data[:4].repeat(10, 1), data[4:]]), 3), batch_size=2)
    with pytest.raises(AttributionError, match=r"instance 40 fails: ValueError: too large by far") as caught:
        explained(session, "saliency", 40)
    assert "in forward" in caught.value.tail
    with pytest.raises(AttributionError, match=r"score of instance 41 is (nan|-?inf)"):
        explained(session, "saliency", 41, target="0")


def test_a_lack_of_memory_is_left_to_the_job() -> None:
    class Greedy(Moody):
        def forward(self, x: Tensor) -> Tensor:
            if torch.is_grad_enabled() and len(x) > 2:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return self.inner(x)

    session = opened(Greedy(), labelled(drawn(2, 5), 3))
    with pytest.raises(RuntimeError, match="allocate memory"):
        explained(session, "integrated_gradients", 0)
    session.batch_size = 1  # what the job does then, by halves
    value, _ = explained(session, "integrated_gradients", 0, params={"internal_batch_size": 64})
    assert value["sum"] == pytest.approx(value["score"] - value["baseline"], rel=0.05)
