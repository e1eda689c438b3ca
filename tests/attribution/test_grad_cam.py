"""Grad-CAM: against the paper's formula written out, against Captum, and on layers Captum cannot take."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from torch import Tensor, nn

from analysis.attribution.methods import layer_grad_cam
from tests.attribution import conftest
from tests.attribution.layers import found, inputs_of, plain
from tests.models import zoo


def test_grad_cam_is_the_formula_written_out() -> None:
    """Selvaraju et al. 2017: alpha_k = mean over i, j of dy / dA_ij^k (equation 1); ReLU of the sum (equation 2)."""
    session = conftest.image_session()
    model, x = session.model, inputs_of(session)
    expected = torch.zeros(5, 4, 5)
    for row in range(5):
        with torch.enable_grad():
            layer = model[2](model[1](model[0](x[row : row + 1]))).detach().requires_grad_()
            score = model[5](model[4](model[3](layer)))[0, 1]
            [gradient] = torch.autograd.grad(score, layer)
        for i in range(4):
            for j in range(5):
                total = 0.0
                for k in range(6):
                    alpha = sum(float(gradient[0, k, a, b]) for a in range(4) for b in range(5)) / 20
                    total += alpha * float(layer.detach()[0, k, i, j])
                expected[row, i, j] = max(total, 0.0)
    result = found(session, layer_grad_cam)
    assert result.extra == {"layer": "2", "places": [4, 5]}
    assert result.values.shape == (5, 1, 10, 12)
    shown = F.interpolate(expected[:, None], (10, 12), mode="bilinear", align_corners=False)
    assert torch.allclose(result.values, shown, atol=1e-6)
    assert result.values.any()


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("layer", ["0", "2"])
def test_grad_cam_is_captums_where_that_works(layer: str, relu: bool) -> None:
    session = conftest.image_session()
    with plain(session) as model:
        cam = LayerGradCam(model, model.get_submodule(layer))
        expected = cam.attribute(inputs_of(session), 1, relu_attributions=relu).detach()
    expected = F.interpolate(expected, (10, 12), mode="bilinear", align_corners=False)
    result = found(session, layer_grad_cam, layer=layer, relu_attributions=relu)
    assert torch.allclose(result.values, expected, atol=1e-6)


def test_grad_cam_reads_behind_the_normalisation_and_before_an_activation_in_place() -> None:
    session = conftest.opened(zoo.resnet_small(), conftest.labelled(conftest.drawn(5, 3, 16, 16)))
    info = session.infos(["blocks.1.conv2"])[0]
    assert info.read_after == "blocks.1.bn2"
    with plain(session) as model:
        x = inputs_of(session)
        kept: list[Tensor] = []

        def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
            kept.append(output)
            return output.clone()  # what follows adds to it in place

        handle = model.blocks[1].bn2.register_forward_hook(keep)
        score = model(x)[:, 1].sum()
        handle.remove()
        [gradient] = torch.autograd.grad(score, kept[0])
        expected = (gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1, keepdim=True).relu().detach()
    expected = F.interpolate(expected, (16, 16), mode="bilinear", align_corners=False)
    assert torch.allclose(found(session, layer_grad_cam, layer=info.key).values, expected, atol=1e-6)


def test_nothing_is_kept_for_a_gradient_below_the_layer() -> None:
    session = conftest.image_session()
    seen: list[bool] = []
    handle = session.model[0].register_forward_hook(lambda _m, _i, output: seen.append(output.requires_grad))
    found(session, layer_grad_cam, layer="2")
    handle.remove()
    assert seen[-1] is False


class _Pauses(nn.Module):
    """Switches gradients off around its first layer, as frozen backbones do."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = self.first(x)
        return self.fc(self.second(x.tanh()).amax((2, 3)))


def test_a_model_that_switches_gradients_off_by_itself_is_explained_behind_that() -> None:
    torch.manual_seed(0)
    session = conftest.opened(_Pauses(), conftest.labelled(conftest.drawn(5, 3, 9, 9), 3))
    parts = {
        "first": (lambda m, x: m.first(x), lambda m, a: m.fc(m.second(a.tanh()).amax((2, 3)))),
        "second": (lambda m, x: m.second(m.first(x).tanh()), lambda m, a: m.fc(a.amax((2, 3)))),
    }
    for layer, (below, above) in parts.items():
        with plain(session) as model:
            values = below(model, inputs_of(session)).detach().requires_grad_()
            [gradient] = torch.autograd.grad(above(model, values)[:, 1].sum(), values)
            expected = (gradient.mean((2, 3), keepdim=True) * values).sum(1, keepdim=True).relu().detach()
        expected = F.interpolate(expected, (9, 9), mode="bilinear", align_corners=False)
        assert torch.allclose(found(session, layer_grad_cam, layer=layer).values, expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("packed", [True, False])
def test_grad_cam_on_recurrent_layers_is_the_formula_on_their_steps_and_0_at_padding(kind: str, packed: bool) -> None:
    session = conftest.text_session(kind, packed)
    result = found(session, layer_grad_cam, range(6), relu_attributions=False)
    lengths = [7, 4, 9, 1, 5, 6]
    assert result.values.shape == (6, 9, 1)
    for row, length in enumerate(lengths):
        alone = found(session, layer_grad_cam, range(row, row + 1), relu_attributions=False).values
        assert alone.shape == (1, length, 1)
        assert torch.allclose(result.values[row, :length], alone[0], atol=1e-6)
        assert not result.values[row, length:].any()
        with plain(session) as model, torch.no_grad():
            out, _ = model.rnn(model.embedding(session.batch([row]).principal))
            weights = model.head.weight[1]
            # The score is the head's product with the last step, or with the mean of all.
            expected = (out[0] * weights / length).sum(1)
        assert torch.allclose(alone[0, :, 0], expected, atol=1e-6)
