"""What a model is made of, and which method refuses what: the known-wrong cases, one row each."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from analysis.attribution import registry
from analysis.attribution.case import Case
from analysis.attribution.faults import AttributionError
from analysis.attribution.method import Found
from analysis.attribution.parameters import checked
from analysis.attribution.structure import Structure, gradient_flows, look
from analysis.subject.session import Session
from tests.attribution.conftest import N, drawn, labelled, opened, table_net
from tests.attribution.nets import BETWEEN, OTHERS, case, net, pictures, seeded
from tests.models import zoo

RULES = ("deep_lift", "lrp", "guided_backprop")
FITS = ""
# For each model, what each of RULES says: '' or words of its reason.
KNOWN: dict[str, tuple[str, str, str]] = {
    "module relu": (FITS, FITS, FITS),
    "functional relu": (FITS, FITS, FITS),
    "clamp": (FITS, FITS, FITS),
    "in place": (FITS, FITS, FITS),
    "a view in place": (FITS, FITS, FITS),
    "reused": (FITS, FITS, FITS),
    "residual": (FITS, FITS, FITS),
    "batch norm": (FITS, FITS, FITS),
    "batch norm alone": (FITS, FITS, FITS),
    "functional pool": (FITS, FITS, FITS),
    "gelu": (
        FITS,
        FITS,
        "no ReLU, for which alone Guided Backprop has a rule, but elu in the model itself (Net)",
    ),
    "concatenated": (FITS, FITS, FITS),
    "padded and averaged": (FITS, FITS, FITS),
    "largest of a row": (FITS, FITS, FITS),
    "gate": ("the model itself (Net): mul combines two", "the model itself (Net): mul combines two", "no ReLU"),
    "softmax inside": ("softmax inside the model", "softmax inside the model", "no ReLU"),
    "layer norm": ("norm (LayerNorm) divides by", "norm (LayerNorm) divides by", "no ReLU"),
    "group norm": ("norm (GroupNorm) divides by", "norm (GroupNorm) divides by", "no ReLU"),
    "detached": ("what detach yields in the model itself", "what detach yields in the model itself", "no ReLU"),
    "its own function": ("after Doubled, which is none", "after Doubled, which is none", "no ReLU"),
    "exponential": (FITS, "the model itself (Net): exp is not an operation that it knows", "no ReLU"),
    "matrix product": ("attention (matmul)", "attention (matmul)", "no ReLU"),
    "a number of Python": ("float() turns data into a number", "float() turns data into a number", FITS),
    "LSTM": ("rnn (LSTM) has gates inside", "rnn (LSTM) has gates inside", "but rnn (LSTM)"),
    "attention": ("self_attn (MultiheadAttention): attention", "self_attn (MultiheadAttention): attention", FITS),
    "words": (FITS, FITS, FITS),
    "rounded": ("0 (Rounded): round", "0 (Rounded): round", "0 (Rounded): round"),
    "whole numbers": ("0 (Long): long has no gradient", "0 (Long): long has no", "0 (Long): long has no gradient"),
    "no gradients": ("conv (Conv2d): conv2d has no gradient", "gradients are switched off", "conv (Conv2d): conv2d"),
}


@cache
def session_of(name: str) -> Session:
    """The same for all tests: none may change it."""
    return made(name)


def made(name: str) -> Session:
    return pictures(net(name)) if name in BETWEEN else OTHERS[name]()


def test_the_table_has_a_row_for_each_model() -> None:
    assert set(KNOWN) == {*BETWEEN, *OTHERS}


@pytest.mark.parametrize("name", KNOWN)
def test_a_method_fits_or_names_the_module_that_it_has_no_rule_for(name: str) -> None:
    session = session_of(name)
    structure = look(session)
    for method, expected in zip(RULES, KNOWN[name], strict=True):
        reason = registry.get(method).applies(structure)
        assert (reason == "") == (expected == FITS), f"{method}: {reason}"
        assert expected in reason, method


@pytest.mark.parametrize("name", [name for name, (first, *_) in KNOWN.items() if first == FITS])
def test_where_deep_lift_fits_contributions_add_up(name: str) -> None:
    with case(session_of(name)) as own:
        found = _run("deep_lift", own)
        change = own.scores(own.inputs) - found.baseline
        torch.testing.assert_close(found.values.flatten(1).sum(1), change.to(found.values), rtol=1e-5, atol=1e-6)


LOSING = ("concatenated", "padded and averaged")  # the sigmoid of 0 is not 0; what is cut off takes relevance with it


@pytest.mark.parametrize("name", [name for name, (_, lrp, _) in KNOWN.items() if lrp == FITS and name not in LOSING])
def test_where_lrp_fits_relevance_without_biases_is_the_score(name: str) -> None:
    session = made(name)
    with torch.no_grad():
        for key, parameter in session.model.named_parameters():
            if key.endswith("bias"):
                parameter.zero_()
        for module in session.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.zero_()
    with case(session) as own:
        found = _run("lrp", own, composite="epsilon", epsilon=1e-9)
        score = own.scores(own.inputs)
        torch.testing.assert_close(found.values.flatten(1).sum(1), score.to(found.values), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name, (first, *_) in KNOWN.items() if first != FITS])
def test_what_is_refused_is_also_refused_when_it_is_run_all_the_same(name: str) -> None:
    with case(session_of(name)) as own, pytest.raises(AttributionError, match=r"\w"):
        _run("deep_lift", own)


def _run(method: str, own: Case, **parameters: Any) -> Found:
    found = registry.get(method)
    return found.run(own, lambda *_told: None, **checked(found.parameters, parameters))


def test_operations_carry_their_module_kind_and_form() -> None:
    structure = look(session_of("in place"))
    found = [(one.name, one.kind, one.module, one.form) for one in structure.operations if one.kind != "shape"]
    assert found == [
        ("conv2d", "linear", "conv", "module"),
        ("relu", "elementwise", "", "functional, in place"),
        ("conv2d", "linear", "inner", "module"),
        ("add", "add", "", "functional, in place"),
        ("relu", "elementwise", "", "functional, in place"),
        ("linear", "linear", "head", "module"),
    ]
    assert structure.convolutions == ("conv", "inner")
    assert structure.gradient == gradient_flows(structure) == ""


def test_an_operation_on_a_view_counts_where_the_whole_is_used() -> None:
    assert [one.name for one in look(session_of("a view in place")).operations].count("relu") == 1


def test_modules_that_are_called_twice_are_listed() -> None:
    assert look(session_of("reused")).reused == ("act", "inner")


def test_of_a_unit_only_what_it_depends_on_counts() -> None:
    session = session_of("matrix product")
    lift = registry.get("deep_lift")
    assert "attention (matmul)" in lift.applies(look(session))
    structure = look(session, "conv:2")
    assert lift.applies(structure) == ""
    assert not structure.of("attention")
    with case(session, unit="conv:2") as own:
        found = _run("deep_lift", own)
        torch.testing.assert_close(
            found.values.flatten(1).sum(1).float(), own.scores(own.inputs) - found.baseline, rtol=1e-5, atol=1e-6
        )


def test_attention_layers_and_the_embedding_are_named() -> None:
    structure = look(session_of("attention"))
    assert structure.attention == ("encoder.layers.0.self_attn", "encoder.layers.1.self_attn")
    assert structure.embedding == "embedding"


@pytest.mark.parametrize("end", [nn.LogSoftmax(1), nn.Softmax(1)], ids=["log-softmax", "softmax"])
def test_a_softmax_at_the_end_is_no_reason_to_refuse_and_said(end: nn.Module) -> None:
    plain = opened(table_net(), labelled(drawn(N, 5), 3))
    session = opened(nn.Sequential(table_net(), end), labelled(drawn(N, 5), 3))
    structure = look(session)
    assert structure.ending[0].kind == "softmax"
    for method in ("deep_lift", "lrp", "deep_lift_shap"):
        assert registry.get(method).applies(structure) == ""
        with case(session) as own, case(plain) as other:
            found, expected = _run(method, own), _run(method, other)
            torch.testing.assert_close(found.values, expected.values, rtol=1e-4, atol=1e-6)
            assert "before it" in found.notes[0]
            assert found.extra["score"] == pytest.approx(float(other.scores(other.inputs)[0]), rel=1e-5)


def test_looking_leaves_no_trace() -> None:
    session = pictures(net("batch norm"))
    model = session.model
    model.head.weight.requires_grad_(False)
    before = {name: (value.clone(), value.requires_grad) for name, value in model.state_dict(keep_vars=True).items()}
    flags = {name: value.requires_grad for name, value in model.named_parameters()}
    look(session)
    with case(session) as own:
        for method in (*RULES, "deep_lift_shap", "deconvolution"):
            _run(method, own)
    assert all(torch.equal(value, before[name][0]) for name, value in model.state_dict().items())
    assert {name: value.requires_grad for name, value in model.named_parameters()} == flags
    assert all(value.grad is None for value in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_model_that_fails_under_gradients_says_so() -> None:
    class Numpy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(128, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.as_tensor(x.flatten(1).numpy()))

    assert "A pass with gradients fails" in look(pictures(seeded(Numpy))).gradient


def test_the_efficient_network_is_refused_for_its_gate_alone() -> None:
    session = opened(zoo.depthwise(True), labelled(drawn(N, 3, 20, 20), 4))
    assert registry.get("lrp").applies(look(session)).startswith("6 (_Gate): mul")
    plain = opened(zoo.depthwise(False), labelled(drawn(N, 3, 20, 20), 4))
    assert registry.get("lrp").applies(look(plain)) == ""


def test_an_empty_structure_refuses_nothing_but_guided_backprop() -> None:
    empty = Structure(kind="image")
    assert registry.get("deep_lift").applies(empty) == ""
    assert "no ReLU" in registry.get("guided_backprop").applies(empty)


class Checkpointed(nn.Module):
    """Computes its first layer again on the way back."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(5, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(checkpoint(lambda value: self.first(value).relu(), x, use_reentrant=False).tanh())


def test_checkpoints_are_no_matter_to_gradients_but_to_rules() -> None:
    session = opened(seeded(Checkpointed), labelled(drawn(N, 5), 3))
    structure = look(session)
    for method in ("saliency", "integrated_gradients", "smoothgrad"):
        assert registry.get(method).applies(structure) == ""
    for method in (*RULES, "deconvolution", "deep_lift_shap"):
        assert "torch.utils.checkpoint computes" in registry.get(method).applies(structure)
    with case(session) as own:
        _run("saliency", own)


def test_a_lack_of_memory_is_raised_and_not_held_against_the_model() -> None:
    class Greedy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(5, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if x.requires_grad:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return self.head(x)

    with pytest.raises(torch.OutOfMemoryError):
        look(opened(seeded(Greedy), labelled(drawn(N, 5), 3)))


def test_a_reason_names_a_layer_once() -> None:
    reason = registry.get("lrp").applies(look(session_of("LSTM")))
    assert reason == "rnn (LSTM) has gates inside; LRP has no rule for that."


@pytest.mark.parametrize("method", ["deep_lift", "deep_lift_shap"])
def test_deep_lift_refuses_data_that_become_numbers_also_where_sums_agree(method: str) -> None:
    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(5, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x * (2.0 if x.abs().sum().item() < 1e9 else 1.0))

    session = opened(seeded(Shifted), labelled(drawn(N, 5), 3))
    assert "item() turns data into a number" in registry.get(method).applies(look(session))
    with case(session) as own, pytest.raises(AttributionError, match="turns data into a number"):
        _run(method, own)
