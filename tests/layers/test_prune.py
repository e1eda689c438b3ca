"""The pasted code does to the weights what the test did to the activation."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from analysis.errors import ParameterError
from analysis.layerinfo import LayerInfo
from analysis.layers.prune import Cut, prune_code, prune_json, prune_text
from analysis.models.interventions import Intervention, intervene


def info(name: str, kind: str, type_: str, filters: int, after: str = "", key: str = "") -> LayerInfo:
    return LayerInfo(key or name, name, 0, kind, type_, filters, (), after or name)


def run_code(code: str, model: nn.Module, permanent: bool = False) -> nn.Module:
    space: dict[str, object] = {}
    exec(compile(code, "pasted", "exec"), space)  # noqa: S102
    space["prune_filters"](model)  # type: ignore[operator]
    if permanent:
        space["make_permanent"](model)  # type: ignore[operator]
    return model


def conv_net(norm: nn.Module | None, conv: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential()
    model.add_module("conv", conv)
    if norm is not None:
        if getattr(norm, "running_mean", None) is not None:
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
        model.add_module("norm", norm)
    model.add_module("relu", nn.ReLU())
    model.add_module("pool", nn.AdaptiveAvgPool2d(2))
    model.add_module("flat", nn.Flatten())
    model.add_module("out", nn.Linear(24, 3))
    return model.eval()


CASES = {
    "plain": (None, lambda: nn.Conv2d(4, 6, 3)),
    "without bias": (None, lambda: nn.Conv2d(4, 6, 3, bias=False)),
    "groups": (None, lambda: nn.Conv2d(4, 6, 3, groups=2)),
    "transposed": (None, lambda: nn.ConvTranspose2d(4, 6, 3)),
    "transposed, groups": (None, lambda: nn.ConvTranspose2d(4, 6, 3, groups=2)),
    "batch normalisation": (lambda: nn.BatchNorm2d(6), lambda: nn.Conv2d(4, 6, 3)),
    "batch normalisation without weights": (lambda: nn.BatchNorm2d(6, affine=False), lambda: nn.Conv2d(4, 6, 3)),
    "group normalisation": (lambda: nn.GroupNorm(2, 6), lambda: nn.Conv2d(4, 6, 3)),
}


@pytest.mark.parametrize(
    ("case", "mode"), [(c, m) for c in CASES for m in ("zero", "merge") if (c, m) != ("group normalisation", "merge")]
)
def test_pruned_weights_answer_as_the_ablated_pass(case: str, mode: str) -> None:
    norm, conv = CASES[case]
    model = conv_net(norm() if norm else None, conv())
    layer = info("conv", "conv", "Conv2d", 6, "norm" if norm else "")
    filters, into = (1, 4), (2 if mode == "merge" else None)
    if mode == "merge" and "groups" in case:
        filters, into = (1,), 0  # of the same group: filters of another see other channels
    given = torch.randn(5, 4, 8, 8)
    with torch.no_grad():
        with intervene(model, Intervention(layer, filters, mode, into)):
            wanted = model(given)
        assert not torch.allclose(wanted, model(given), atol=1e-4)
        pruned = run_code(prune_code([Cut(layer, filters, mode, into)]), model)
        assert torch.allclose(pruned(given), wanted, atol=1e-5)


def test_what_cannot_be_written_as_weights_is_refused_by_the_code() -> None:
    layer = info("conv", "conv", "Conv2d", 6, "norm")
    bare = conv_net(nn.GroupNorm(2, 6, affine=False), nn.Conv2d(4, 6, 3))
    with pytest.raises(ValueError, match="normalisation without weights"):
        run_code(prune_code([Cut(layer, (1,))]), bare)
    mixing = conv_net(nn.GroupNorm(2, 6), nn.Conv2d(4, 6, 3))
    with pytest.raises(ValueError, match="cannot be merged"):
        run_code(prune_code([Cut(layer, (1,), "merge", 0)]), mixing)
    grouped = conv_net(None, nn.Conv2d(4, 6, 3, groups=2))
    with pytest.raises(ValueError, match="other channels"):
        run_code(prune_code([Cut(info("conv", "conv", "Conv2d", 6), (1,), "merge", 5)]), grouped)


def test_several_layers_masks_stay_in_training_and_can_be_made_permanent() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2))
    cuts = [Cut(info("0", "linear", "Linear", 8, "1"), (3, 1)), Cut(info("3", "linear", "Linear", 6), (0,))]
    given = torch.randn(7, 5)
    with torch.no_grad(), intervene(model, [Intervention(cut.info, cut.filters) for cut in cuts]):
        wanted = model(given)
    run_code(prune_code(cuts), model)
    assert torch.allclose(model(given), wanted, atol=1e-6)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    model(given).sum().backward()
    optimiser.step()
    assert (model[3](model[2](model[1](model[0](given))))[:, 0] == 0).all()
    run_code(
        prune_code(cuts), seeded := nn.Sequential(*[nn.Linear(5, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 6)]), True
    )
    assert set(seeded.state_dict()) == set(
        nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 6)).state_dict()
    )
    assert (seeded[3].weight[0] == 0).all()


def test_names_are_quoted_and_a_layer_called_twice_is_pointed_out() -> None:
    code = prune_code([Cut(info("blocks.0.it's", "conv", "Conv2d", 6, key="blocks.0.it's#2"), (1,))])
    assert "called several times" in code
    compile(code, "pasted", "exec")


@pytest.mark.parametrize(
    "cut",
    [
        Cut(info("lstm", "recurrent", "LSTM", 6), (1,)),
        Cut(info("x", "linear", "Linear", 6), (6,)),
        Cut(info("x", "linear", "Linear", 6), ()),
        Cut(info("x", "linear", "Linear", 6), (1,), "merge"),
        Cut(info("x", "linear", "Linear", 6), (1,), "merge", 1),
        Cut(info("x", "linear", "Linear", 6), (1,), "mean"),
    ],
)
def test_cuts_that_cannot_be_made_are_refused(cut: Cut) -> None:
    with pytest.raises(ParameterError):
        prune_code([cut])
    with pytest.raises(ParameterError):
        prune_json([cut])


def test_the_json_names_layers_filters_and_the_test_that_spoke_for_it() -> None:
    cut = Cut(info("conv", "conv", "Conv2d", 6, "bn"), (4, 1, 4))
    text = prune_text([cut], {"change": -0.2, "low": -0.5, "high": 0.0, "flipped": [[1, 2, 3]]})
    value = json.loads(text)
    assert value["layers"][0]["filters"] == [1, 4]
    assert value["layers"][0]["of"] == 6
    assert value["test"] == {"change": -0.2, "low": -0.5, "high": 0.0}
