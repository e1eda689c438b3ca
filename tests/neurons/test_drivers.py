"""Gradient x activation against gates on single instances, and against what is known of linear heads."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from analysis.errors import NotFound, ParameterError
from analysis.models.hooks import hooks_of
from analysis.neurons.drivers import neuron_drivers
from analysis.subject.session import Session
from tests.layers.desk import Context, open_desk
from tests.models import zoo


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def labelled(inputs: Any, classes: int = 3) -> list[tuple[Any, int]]:
    return [(one, number % classes) for number, one in enumerate(inputs)]


def texts() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(1, 20, (length,), generator=generator) for length in (7, 4, 9, 1, 5, 6, 8, 3)]


class Binary(nn.Module):
    """One number for each instance."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(5, 6), nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        return 3 * self.head(self.body(x).relu()).flatten() - 0.6


def by_gates(desk: Session, key: str, of: str) -> np.ndarray:
    """The derivative of each instance's score by a factor on each neuron, at 1: one instance at a time, on a copy of
    the model with out-of-place ReLUs, so that nothing is padded, packed with others, or overwritten."""
    info = desk.infos([key])[0]
    model = copy.deepcopy(desk.model).eval()
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    extraction = desk.extraction()
    classes = extraction.labels if of == "label" else extraction.predictions
    source = dict(model.named_modules())[info.read_after]
    rows = []
    for index, target in zip(extraction.indices.tolist(), classes.tolist(), strict=True):
        gate = torch.ones(info.filters, requires_grad=True)
        calls = [0]

        def hook(module: nn.Module, _inputs: Any, output: Any, calls: Any = calls, gate: Tensor = gate) -> Any:
            calls[0] += 1
            if calls[0] - 1 != info.call:
                return None
            if isinstance(module, nn.RNNBase):
                first, last = output  # the last state is one of the steps
                if isinstance(first, PackedSequence):
                    return first._replace(data=first.data * gate), last * gate
                return first * gate, last * gate
            return output * (gate[:, None, None] if info.kind == "conv" and output.dim() == 4 else gate)

        handle = source.register_forward_hook(hook)
        batch = desk.batch([index])
        with torch.enable_grad():
            output = model(*batch.args, **batch.kwargs)
            logits = desk.opened.scores.logits(output, 1, graph=True)[0]
            score = logits[target] - (logits[1 - target] if desk.opened.scores.form == "binary" else 0)
            score.backward()
        handle.remove()
        rows.append(gate.grad.numpy())
    return np.array(rows)


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[], Any], tuple[str, ...]]] = {
    "in place": (zoo.inplace_relu, lambda: labelled(drawn(9, 1, 10, 10)), ("0", "2", "5", "7")),
    "called twice": (zoo.reused_module, lambda: labelled(drawn(7, 1, 12, 12)), ("shared#1", "shared#2")),
    "functional": (zoo.functional_relu, lambda: labelled(drawn(5, 1, 20, 20)), ()),
    "residual": (zoo.resnet_small, lambda: labelled(drawn(5, 3, 16, 16), 4), ("stem", "blocks.1.conv2")),
    "packed": (lambda: zoo.lstm_text("GRU"), lambda: labelled(texts(), 2), ()),
    "padded": (lambda: zoo.lstm_text("RNN", packed=False), lambda: labelled(texts(), 2), ()),
    "one number": (lambda: torch.random.manual_seed(0) and Binary(), lambda: labelled(drawn(9, 5), 2), ("body",)),
}


@pytest.mark.parametrize("name", CASES)
def test_drivers_equal_the_derivative_by_a_gate_on_each_neuron(name: str, tmp_path: Path) -> None:
    make, data, layers = CASES[name]
    with torch.random.fork_rng():
        model = make()
    given = data()
    desk = open_desk(model, given, tmp_path, batch_size=4)
    keys = layers or [info.key for info in desk.extraction().layers]
    assert keys
    for key in keys:
        for of in ("label", "predicted"):
            value, arrays = neuron_drivers(desk, Context(), layer=key, of=of)
            expected = by_gates(desk, key, of)
            np.testing.assert_allclose(arrays["values"], expected, rtol=2e-3, atol=2e-5, err_msg=f"{key}, {of}")
            assert value["unreached"] == value["unlabelled"] == 0
            assert np.abs(expected).max() > 1e-3


def linear_head() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))


def test_of_a_linear_head_they_are_the_exact_contributions(tmp_path: Path) -> None:
    model = linear_head()
    inputs = drawn(20, 6)
    desk = open_desk(model, labelled(inputs, 4), tmp_path)
    arrays = desk.ask("neuron_drivers", layer="0", of="label").array("values")
    with torch.no_grad():
        hidden, logits = model[1](model[0](inputs)), model(inputs)
    labels = torch.arange(20) % 4
    np.testing.assert_allclose(arrays, (model[2].weight[labels] * hidden).detach().numpy(), rtol=1e-5, atol=1e-6)
    whole = arrays.sum(1) + model[2].bias[labels].detach().numpy()
    np.testing.assert_allclose(whole, logits[torch.arange(20), labels].numpy(), rtol=1e-4, atol=1e-5)
    # Of the layer of scores itself, the class that is meant is all there is.
    last = desk.ask("neuron_drivers", layer="2", of="predicted").array("values")
    top = logits.max(1)
    np.testing.assert_allclose(last[np.arange(20), top.indices], top.values.numpy(), rtol=1e-5)
    assert (np.count_nonzero(last, axis=1) == 1).all()


def test_batches_change_nothing(tmp_path: Path) -> None:
    model, data = zoo.inplace_relu(), labelled(drawn(11, 1, 10, 10))
    found = [
        open_desk(model, data, tmp_path / str(size), batch_size=size).ask("neuron_drivers", layer="2", of="label")
        for size in (1, 4, 64)
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other.array("values"), found[0].array("values"), rtol=1e-4, atol=1e-6)


def test_the_model_is_left_as_it_was(tmp_path: Path) -> None:
    model = zoo.inplace_relu().train()
    desk = open_desk(model, labelled(drawn(6, 1, 10, 10)), tmp_path)
    desk.extraction()
    before, hooks = copy.deepcopy(model.state_dict()), hooks_of(model)
    modes, state = [module.training for module in model.modules()], torch.get_rng_state()
    desk.ask("neuron_drivers", layer="0", of="label")
    assert hooks_of(model) == hooks
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.is_grad_enabled()


class Two(nn.Module):
    """A layer of its own for instances that begin above 0, and one that nothing depends on."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.extra, self.dead, self.out = (nn.Linear(5, 5) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        self.dead(x)
        y = self.first(x)
        if bool((x[:, 0] > 0).all()):
            y = self.extra(y)
        return self.out(y)


def test_what_is_not_reached_or_not_labelled_is_no_number(tmp_path: Path) -> None:
    inputs = drawn(8, 5)
    inputs[:, 0] = torch.tensor([1, 1, 1, 1, -1, -1, -1, -1]) * 1.0
    data = [(one, -1 if number == 2 else number % 5) for number, one in enumerate(inputs)]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        desk = open_desk(Two(), data, tmp_path, batch_size=4)
    value, arrays = neuron_drivers(desk, Context(), layer="extra", of="label")
    known = np.isfinite(arrays["values"]).all(axis=1)
    assert known.tolist() == [True, True, False, True, False, False, False, False]
    assert (value["unlabelled"], value["unreached"]) == (1, 4)
    assert np.isfinite(neuron_drivers(desk, Context(), layer="first", of="predicted")[1]["values"]).all()
    with pytest.raises(ParameterError, match="does not depend on dead"):
        neuron_drivers(desk, Context(), layer="dead", of="label")


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    desk = open_desk(linear_head(), [(one, -1) for one in drawn(4, 6)], tmp_path)
    with pytest.raises(ParameterError, match="'loss'"):
        neuron_drivers(desk, Context(), layer="0", of="loss")
    with pytest.raises(NotFound, match="No instance of the sample has a label"):
        neuron_drivers(desk, Context(), layer="0", of="label")
    with pytest.raises(NotFound):
        neuron_drivers(desk, Context(), layer="nothing", of="label")
    assert np.isfinite(neuron_drivers(desk, Context(), layer="0", of="predicted")[1]["values"]).all()


def test_a_cell_state_that_goes_by_is_said(tmp_path: Path) -> None:
    desk = open_desk(zoo.lstm_text("LSTM"), labelled(texts(), 2), tmp_path)
    layer = next(info.key for info in desk.extraction().layers if info.kind == "recurrent")
    value, arrays = neuron_drivers(desk, Context(), layer=layer, of="predicted")
    assert np.isfinite(arrays["values"]).all()
    assert isinstance(value["notes"], list)
